#!/usr/bin/env bash
# Runs a command beside a private PostgreSQL: tests/with_postgres.sh COMMAND [ARGUMENT...]
#
# Exports TIDE_TEST_PG_URL, runs the command, and stops and removes the server whatever happens: at the end, on a
# signal, and (by a watcher that looks every second) when this script itself is killed. Exits as the command does.
# With TIDE_TEST_PG_URL already set it just runs the command.
set -euo pipefail
if [ $# -eq 0 ]; then
    echo "usage: tests/with_postgres.sh COMMAND [ARGUMENT...]" >&2
    exit 2
fi
if [ -n "${TIDE_TEST_PG_URL:-}" ]; then exec "$@"; fi
script=$(cd "$(dirname "$0")" && pwd)/postgres.sh
dir=$(mktemp -d /tmp/tide-pg-data.XXXXXX)
trap '"$script" stop "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
TIDE_TEST_PG_URL=$("$script" start "$dir")
export TIDE_TEST_PG_URL
# The watcher holds no output open, so that a pipe that reads this script ends with it.
setsid bash -c 'while kill -0 "$1" 2>/dev/null; do [ -d "$3" ] || exit 0; sleep 1; done; "$2" stop "$3"' \
    watcher $$ "$script" "$dir" </dev/null >/dev/null 2>&1 &
# In the background, so that a signal does not have to wait for the command.
"$@" <&0 &
child=$!
trap 'kill "$child" 2>/dev/null; exit 130' INT
trap 'kill "$child" 2>/dev/null; exit 143' TERM HUP
status=0
wait "$child" || status=$?
exit "$status"
