#!/usr/bin/env bash
# Checks who includes whom, so that the layers stay a fact:
#
#   kernels/  only kernels/ and <stdint.h> <stddef.h> <string.h>; no malloc, I/O or printf. The CUDA driver (*.cu) may
#             use system headers, and alone CUDA's: it owns device memory
#   host/     host/ and kernels/; io/ only in host/main.c and host/cli_*.c, which wire things; predict.c reads the
#             store's format description
#   io/       io/, host/, kernels/
#   libpq only in io/postgres*.c, HDF5 only in io/store_write*.c, cJSON only in host/config*.c,
#   SQLite only in io/, zlib only in io/csv*.c, cuBLAS only in kernels/linalg_cuda.cu
#
# usage: tests/check_layers.sh [ROOT]     prints a line a violation; first proves on a copy that each rule can fail.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

# violations ROOT: prints a line for each include or call that breaks a rule; fails when there is one.
violations() {
    cd "$1"
    local found=0
    report() { # report RULE: prints stdin's lines as violations
        local line
        while IFS= read -r line; do
            echo "$1: $line"
            found=1
        done
    }
    includes() { grep -nHE '^[[:space:]]*#[[:space:]]*include' "$@" /dev/null || true; }
    sources() { find "$@" -type f \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.def' -o -name '*.inc' \) 2>/dev/null | sort; }
    none() { grep -vE "$1" || true; }
    only() { grep -E "$1" || true; }

    local kernels host io all
    mapfile -t kernels < <(sources kernels)
    mapfile -t host < <(sources host)
    mapfile -t io < <(sources io)
    mapfile -t all < <(sources kernels host io bench tests)

    report "kernels include only kernels/ and <stdint.h> <stddef.h> <string.h>" < <(
        includes "${kernels[@]}" | none ':[[:space:]]*#[[:space:]]*include[[:space:]]*("kernels/|TIDE_|<(stdint|stddef|string)\.h>)' |
            none '^kernels/[a-z0-9_]*\.cuh?:[^"]*<')
    report "kernels allocate nothing and do no I/O (the CUDA driver may: it owns device memory)" < <(
        for f in "${kernels[@]}"; do
            case $f in *.cu | *.cuh | kernels/batch_cuda*) continue ;; esac
            # Comments may speak of such things; only code counts.
            sed -E 's://.*$::' "$f" | awk '{ line = $0; out = ""
                while (length(line)) {
                    if (inside) { p = index(line, "*/"); if (!p) break; line = substr(line, p + 2); inside = 0 }
                    else { p = index(line, "/*"); if (!p) { out = out line; break }
                           out = out substr(line, 1, p - 1); line = substr(line, p + 2); inside = 1 } }
                print out }' |
                grep -nE '\b(malloc|calloc|realloc|free|v?f?printf|sn?printf|fopen|fwrite|fread|FILE|getenv|exit|abort)\b[[:space:]]*[(*]' |
                sed "s|^|$f:|" || true
        done)
    report "host never includes io (main.c and cli_*.c wire them)" < <(
        includes "${host[@]}" | only '"io/' | none '^host/(main|cli_[a-z0-9_]*)\.[ch]:' | none '^host/predict[a-z_]*\.c:.*"io/store_(format|map)\.h"')
    report "io includes io, host and kernels by path" < <(
        includes "${io[@]}" | only '"' | none '"(io|host|kernels)/')
    report "host includes host and kernels by path" < <(
        includes "${host[@]}" | only '"' | none '"(io|host|kernels)/')
    report "libpq only in io/postgres*.c" < <(
        includes "${kernels[@]}" "${host[@]}" "${io[@]}" | only 'libpq|postgres_ext' | none '^io/postgres[a-z0-9_]*\.[ch]:')
    report "HDF5 only in io/store_write*.c" < <(
        includes "${kernels[@]}" "${host[@]}" "${io[@]}" | only '<(H5|hdf5)' | none '^io/store_write[a-z0-9_]*\.[ch]:')
    report "cJSON only in host/config*.c" < <(
        includes "${kernels[@]}" "${host[@]}" "${io[@]}" | only 'cJSON' | none '^host/config[a-z0-9_]*\.[ch]:')
    report "SQLite and zlib only in io/" < <(
        includes "${kernels[@]}" "${host[@]}" | only '<(sqlite3|zlib)\.h>')
    report "CUDA headers only in kernels/*.cu" < <(
        includes "${all[@]}" | only '<(cuda|cublas|cub/|nv)' | none '^kernels/[a-z0-9_]*\.cuh?:')
    report "cuBLAS only in kernels/linalg_cuda.cu" < <(
        includes "${all[@]}" | only '<cublas' | none '^kernels/linalg_cuda\.cu:')
    report "no include by a relative path" < <(includes "${all[@]}" | only '"\.\.?/')
    report "only the command line ends the process or prints" < <(
        grep -nHE '(^|[^a-zA-Z_])(_?exit|abort|printf|puts)[[:space:]]*\(' "${host[@]}" "${io[@]}" /dev/null |
            none '^host/(main|cli_[a-z0-9_]*)\.[ch]:' | none ':[[:space:]]*(\*|/\*|//)' | none '^[^:]*:[0-9]*:.*/\*.*\b(exit|abort|printf)\b' || true)
    return $found
}

# Each rule must be able to fail: a copy with one violation each has to be found out.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tried=0
while IFS='|' read -r file text; do
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree"/{kernels,host,io,bench,tests}
    printf '%s\n' "$text" >"$scratch/tree/$file"
    if (violations "$scratch/tree") >/dev/null; then
        echo "not ok check_layers: its own test: '$text' in $file went unseen"
        exit 1
    fi
    tried=$((tried + 1))
done <<'CASES'
kernels/a.h|#include "host/error.h"
kernels/a.c|#include <math.h>
kernels/a.c|void *p = malloc (8);
kernels/a.h|  printf("x");
host/a.c|#include "io/csv.h"
host/a.c|#include "error.h"
io/a.c|#include "csv.h"
io/csv.c|#include <libpq-fe.h>
io/store_read.c|#include <hdf5.h>
io/a.c|#include <cjson/cJSON.h>
host/a.c|#include <sqlite3.h>
host/backend.c|#include <cuda_runtime.h>
kernels/batch_cuda.cu|#include <cublas_v2.h>
tests/test_a.c|#include "../host/a.h"
io/a.c|    exit(1);
CASES
mkdir -p "$scratch/good"/{kernels,host,io,bench,tests}
printf '/* malloc( is not called here */\n#include <stdint.h>\n#include "kernels/b.h"\n' >"$scratch/good/kernels/a.h"
printf '#include "io/csv.h"\nint main(void) { printf("x"); }\n' >"$scratch/good/host/main.c"
(violations "$scratch/good") || { echo "not ok check_layers: its own test: a good tree is refused"; exit 1; }
echo "ok check_layers: $tried kinds of violation are found, a good tree passes"

if (violations "${1:-$here}"); then
    echo "ok check_layers: every include keeps to its layer"
else
    echo "not ok check_layers: see the lines above"
    exit 1
fi
