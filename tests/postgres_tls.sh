#!/usr/bin/env bash
# TLS to a PostgreSQL with a certificate of a self-made authority: sslmode=verify-full takes it with the right root and host
# name, and refuses a wrong or missing root and a wrong name; rows are the same, by several connections.
#
# usage: tests/postgres_tls.sh [BUILD_DIR]
set -uo pipefail
suite=postgres_tls
cd "$(dirname "$0")/.."
. tests/lib.sh
read=$(cd "${1:-build}" && pwd)/bench_postgres
work=$(mktemp -d /tmp/tide-tls.XXXXXX)
chmod 711 "$work"
trap 'tests/postgres.sh stop "$work/db"; rm -rf "$work"' EXIT
command -v openssl >/dev/null || { skip "no openssl"; exit 0; }
authority() { openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.crt" 2>/dev/null; }
authority right && authority wrong
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$work/server.key" -out "$work/server.csr" 2>/dev/null
openssl x509 -req -in "$work/server.csr" -CA "$work/right.crt" -CAkey "$work/right.key" -CAcreateserial -days 2 \
    -extfile <(echo "subjectAltName=DNS:localhost") -out "$work/server.crt" 2>/dev/null
chmod 600 "$work/server.key"
[ "$(id -u)" != 0 ] || chown postgres "$work/server.key" "$work/server.crt"
chmod 644 "$work"/*.crt
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
if ! socket_url=$(PG_EXTRA="-c ssl=on -c ssl_cert_file=$work/server.crt -c ssl_key_file=$work/server.key -c listen_addresses=127.0.0.1 -c port=$port" \
    tests/postgres.sh start "$work/db" 2>"$work/start"); then
    skip "no PostgreSQL with TLS could be started: $(tail -1 "$work/start")"
    exit 0
fi
psql -qAtX "$socket_url&port=$port" -c "CREATE TABLE t AS SELECT n / 100 AS unique_id, n % 100 AS ds, n::float8 AS y FROM generate_series(0, 99999) n; ANALYZE"
reading() { timeout 60 "$read" "$1" t - hash=1 connections=2 >"$work/out" 2>"$work/err"; }
hash_of() { sed -n 's/.* hash \([0-9a-f]*\) .*/\1/p' "$work/out"; }
url() { echo "postgresql://tide@$1:$port/postgres?sslmode=$2&sslrootcert=$work/$3.crt"; }
reading "$socket_url&port=$port" || bad "a reading by the socket" "$(cat "$work/err")"
plain=$(hash_of)
if reading "$(url localhost verify-full right)" && [ "$(hash_of)" = "$plain" ]; then ok "verify-full with the right root and name"; else bad "verify-full with the right root and name" "$(cat "$work/err")"; fi
refused() { # refused FACT REGEX URL
    local rc=0
    reading "$3" || rc=$?
    if [ $rc = 5 ] && grep -qE "postgres t: connecting: .*$2" "$work/err"; then ok "$1"; else bad "$1: ended with $rc" "$(cat "$work/err")"; fi
}
refused "a wrong root is refused" 'certificate verify failed' "$(url localhost verify-full wrong)"
refused "a wrong host name is refused" 'does not match host name' "$(url 127.0.0.1 verify-full right)"
refused "a missing root is refused" 'root certificate file .* does not exist' "$(url localhost verify-full missing)"
if reading "$(url 127.0.0.1 verify-ca right)" && [ "$(hash_of)" = "$plain" ]; then ok "verify-ca asks for no name"; else bad "verify-ca" "$(cat "$work/err")"; fi
exit $status
