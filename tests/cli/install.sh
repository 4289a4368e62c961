#!/usr/bin/env bash
# cmake --install into an empty prefix; the example program is compiled against it by pkg-config alone, and its forecasts are
# those of the installed command; the shared library shows only tide_ names.
#
# usage: tests/cli/install.sh [BUILD_DIR]
set -uo pipefail
suite=install
cd "$(dirname "$0")/../.."
. tests/lib.sh
build=$(cd "${1:-build}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
if ! command -v pkg-config >/dev/null; then
    skip "no pkg-config"
    exit 0
fi
if cmake --install "$build" --prefix "$work/p" >"$log" 2>&1; then ok "cmake --install"; else bad "cmake --install"; exit 1; fi
library=$(dirname "$(find "$work/p" -name libtidemill.so)")
export PKG_CONFIG_PATH=$library/pkgconfig LD_LIBRARY_PATH=$library
flags=
if [ -e "$build/CMakeCache.txt" ] && grep -q 'TIDE_SANITIZE:STRING=address' "$build/CMakeCache.txt"; then flags=-fsanitize=address,undefined; fi
read -r -a pc <<<"$(pkg-config --cflags --libs tidemill)"
if (cd "$work" && ${CC:-cc} -std=c11 -Wall -Wextra -Werror $flags -o example "$OLDPWD/tests/example.c" "${pc[@]}") >"$log" 2>&1; then
    ok "the example compiles with pkg-config's flags"
else
    bad "the example compiles with pkg-config's flags"
    exit 1
fi
tidemill=$work/p/bin/tidemill
"$tidemill" simulate --series 20 --freq M --from 2015-01-01 --to 2024-12-01 --output "$work/d.csv" --quiet
if (cd "$work" && ./example d.csv store S0000003 >out 2>log) && head -1 "$work/out" | grep -q series; then ok "it runs"; else bad "it runs"; fi
"$tidemill" predict "$work/store" --id S0000003 --horizon 3 --level 95 >"$work/want" 2>"$log"
python3 - "$work/out" "$work/want" >"$log" 2>&1 <<'PY' && ok "its forecasts are those of the command" || bad "its forecasts are those of the command"
import csv, sys
got = [list(map(float, l.split()[1:])) for l in open(sys.argv[1]).readlines()[1:]]
want = [[float(r[k]) for k in ("mean", "lo-95", "hi-95")] for r in csv.DictReader(open(sys.argv[2]))]
assert len(got) == 3 and got == want, (got, want)
PY
(cd "$work" && ./example d.csv nowhere/store A >out 2>log)
if [ $? = 7 ] && grep -q nowhere "$log"; then ok "a failure comes back as status and message"; else bad "a failure comes back as status and message"; fi
nm -D --defined-only "$library/libtidemill.so" | awk '$2 ~ /[TDBR]/ && $3 !~ /^tide_/ { print $3 }' >"$log"
if [ ! -s "$log" ]; then ok "libtidemill.so shows only tide_ names"; else bad "libtidemill.so shows only tide_ names"; fi
for name in tide_fit tide_config_set tide_store_forecast tide_status_text tide_version; do
    nm -D --defined-only "$library/libtidemill.so" | grep -q " $name\$" || { echo "$name" >"$log"; bad "libtidemill.so has $name"; }
done
exit $status
