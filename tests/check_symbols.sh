#!/usr/bin/env bash
# Checks what the built libraries bring along:
#
#   - every global symbol that they define starts with tide_ (they must not collide with a user's own names), and no
#     library defines one twice (a linker takes the first it meets from an archive, without a word);
#   - libtidemill_predict.a, all of it, links against libc and libm alone, and the result loads nothing else;
#   - no code of the same source was compiled with contraction: the scalar and baseline lanes hold no fused multiply-add
#     but the ones written (checked on x86-64, where the baseline has none at all).
#
# usage: tests/check_symbols.sh [BUILD_DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cc=${CC:-cc}
status=0
ok() { echo "ok check_symbols: $1"; }
bad() {
    echo "not ok check_symbols: $1"
    status=1
}

foreign() { # foreign LIBRARY: its global defined symbols that do not start with tide_
    # nvcc makes the kernels of an anonymous namespace global, under mangled names with a hash of the file.
    nm -g --defined-only "$1" 2>/dev/null | awk '$2 ~ /^[TDBRCS]$/ && $3 !~ /^tide_|^_Z.*_GLOBAL__N_/ { print $3 }' | sort -u
}
twice() { # twice LIBRARY: symbols that two of its objects define
    nm -g --defined-only "$1" 2>/dev/null | awk '$2 ~ /^[TDBRS]$/ { print $3 }' | sort | uniq -d
}
links_alone() { # links_alone LIBRARY: links all of it with libc and libm only
    echo 'int main(void) { return 0; }' >"$scratch/main.c"
    $cc -o "$scratch/alone" "$scratch/main.c" -Wl,--whole-archive "$1" -Wl,--no-whole-archive -Wl,--as-needed -lm 2>"$scratch/errors" &&
        ! readelf -d "$scratch/alone" | grep NEEDED | grep -vE '\[(libc\.so\.6|libm\.so\.6|ld-linux[^]]*)\]'
}

# The checks must be able to fail.
echo 'int oops(void); int PQstatus(void); int oops(void) { return PQstatus(); }' >"$scratch/oops.c"
$cc -c -o "$scratch/oops.o" "$scratch/oops.c"
cp "$scratch/oops.o" "$scratch/oops2.o"
ar rc "$scratch/liboops.a" "$scratch/oops.o" "$scratch/oops2.o"
if [ "$(foreign "$scratch/liboops.a")" = oops ] && [ "$(twice "$scratch/liboops.a")" = oops ] && ! links_alone "$scratch/liboops.a"; then
    ok "a foreign name, one defined twice and a forbidden dependency are found"
else
    bad "its own test: a foreign name, one defined twice or a forbidden dependency went unseen"
fi

libraries=0
for library in "$build"/libtide*.a; do
    [ -e "$library" ] || continue
    libraries=$((libraries + 1))
    names=$(foreign "$library")
    if [ -n "$names" ]; then
        bad "$(basename "$library") defines $(echo "$names" | wc -l) names without tide_: $(echo "$names" | head -5 | tr '\n' ' ')"
    else
        ok "$(basename "$library") defines only tide_ names"
    fi
    names=$(twice "$library" | head -5 | tr '\n' ' ')
    if [ -n "$names" ]; then bad "$(basename "$library") defines twice: $names"; else ok "$(basename "$library") defines nothing twice"; fi
done
[ "$libraries" -gt 0 ] || bad "no libtide*.a under $build"

if [ -e "$build/libtidemill_predict.a" ]; then
    if links_alone "$build/libtidemill_predict.a"; then
        ok "libtidemill_predict.a needs libc and libm only"
    else
        bad "libtidemill_predict.a needs more than libc and libm: $(grep -o 'undefined reference.*' "$scratch/errors" | sort -u | head -3 | tr '\n' ' ')"
    fi
fi
if [ "$(uname -m)" = x86_64 ] && command -v objdump >/dev/null; then
    for lanes in scalar baseline; do
        object=$(find "$build" -path "*tide_lanes_$lanes.dir*" -name 'batch_lanes.c.o' 2>/dev/null | head -1)
        [ -n "$object" ] || continue
        fused=$(objdump -d "$object" | grep -cE '\bvf(n?m(add|sub)|maddsub)' || true)
        if [ "$fused" = 0 ]; then ok "lanes '$lanes' hold no fused multiply-add"; else bad "lanes '$lanes' hold $fused fused multiply-adds"; fi
    done
fi
exit $status
