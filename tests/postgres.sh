#!/usr/bin/env bash
# A private PostgreSQL for tests, benches and the quickstart: no TCP, a socket folder of mode 700, trust inside it.
#
#   tests/postgres.sh start DIR    initialises DIR (a new or empty folder), starts a server, prints its URL
#   tests/postgres.sh crash DIR    ends it as a crash would, in the middle of whatever it does, and starts it again
#   tests/postgres.sh stop DIR     stops it at once and removes DIR; does nothing when there is none
#
# As root the server runs as user postgres, who must be able to reach DIR. Settings are for throw-away data only:
# fsync=off. PG_EXTRA adds server options ("-c shared_buffers=1GB").
set -euo pipefail
usage() { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
command=$1 dir=$2

# The newest version under Debian's place, else what the PATH has.
binaries=$(find /usr/lib/postgresql -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -1 | xargs -r dirname)
if [ -z "$binaries" ]; then
    binaries=$(dirname "$(command -v initdb || echo /nonexistent/initdb)")
fi
as_server=()
if [ "$(id -u)" -eq 0 ]; then
    if ! id postgres >/dev/null 2>&1; then
        echo "tests/postgres.sh: PostgreSQL does not run as root, and there is no user postgres" >&2
        exit 1
    fi
    if command -v setpriv >/dev/null; then
        as_server=(setpriv --reuid=postgres --regid=postgres --init-groups)
    else
        as_server=(runuser -u postgres --)
    fi
fi
server() { env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE HOME="$dir" "${as_server[@]}" "$@"; }

begin() { # begin SOCKET_FOLDER: in the folder of the server
    server "$binaries/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -t 60 start -o "-c listen_addresses='' \
        -c unix_socket_directories='$1' -c unix_socket_permissions=0700 -c fsync=off -c synchronous_commit=off \
        -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=4GB -c max_connections=60 \
        ${PG_EXTRA:-}" >"$dir/start.log" 2>&1
}

case $command in
start)
    if [ ! -x "$binaries/initdb" ]; then
        echo "tests/postgres.sh: no initdb under /usr/lib/postgresql or in the PATH (Debian, Ubuntu: apt-get install postgresql)" >&2
        exit 1
    fi
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    # A socket's path is limited to 107 bytes, so it has its own short folder.
    socket=$(mktemp -d /tmp/tide-pg.XXXXXX)
    if [ "$(id -u)" -eq 0 ]; then chown postgres "$dir" "$socket"; fi
    chmod 700 "$dir" "$socket"
    echo "$socket" >"$dir/socket"
    cd "$dir"
    if ! server "$binaries/initdb" -D "$dir/data" -U tide -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1; then
        cat "$dir/initdb.log" >&2
        rm -rf "$socket"
        exit 1
    fi
    if ! begin "$socket"; then
        cat "$dir/start.log" "$dir/data/server.log" >&2 || true
        rm -rf "$socket"
        exit 1
    fi
    echo "postgresql://tide@/postgres?host=$socket"
    ;;
crash)
    dir=$(cd "$dir" && pwd)
    cd "$dir"
    server "$binaries/pg_ctl" -D "$dir/data" -m immediate -w -t 30 stop >/dev/null 2>&1 || true
    if ! begin "$(cat "$dir/socket")"; then
        cat "$dir/start.log" "$dir/data/server.log" >&2 || true
        exit 1
    fi
    ;;
stop)
    [ -d "$dir" ] || exit 0
    dir=$(cd "$dir" && pwd)
    cd /
    if [ -f "$dir/data/postmaster.pid" ]; then
        server "$binaries/pg_ctl" -D "$dir/data" -m immediate -w -t 30 stop >/dev/null 2>&1 || true
    fi
    if [ -f "$dir/socket" ]; then rm -rf "$(cat "$dir/socket")"; fi
    rm -rf "$dir"
    ;;
*) usage ;;
esac
