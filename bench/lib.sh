# bench/lib.sh - shared by the benches; to be sourced from a script that sits in bench/ or bench/peers/.
#
#   record BENCH CASE METRIC VALUE UNIT   appends a row to bench/results.csv ($RESULTS) and prints it
#   measured FILE COMMAND...              runs the command; $seconds and $peak_mb (10^6 bytes, of it and its children)
#                                         hold what it took; its output goes to FILE. Stops the bench when it fails.
#   take_options NAME... -- ARGUMENT...   --NAME VALUE among the arguments sets $NAME (--no-r: $no_r), for a NAME! --NAME alone
#                                         sets it to 1; from the first other argument on they are left in ${options[@]}
# Rows carry date, commit, machine, cores, memory, instruction set and compiler, so that figures of several machines and
# times can stand side by side. README figures come from this file only (bench/check_readme.py).

bench_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$bench_dir")
RESULTS=${RESULTS:-$bench_dir/results.csv}
TIDEMILL=${TIDEMILL:-$root/build/tidemill}
machine_columns=$("$bench_dir/machine.sh")

record() {
    [ -s "$RESULTS" ] || echo "$("$bench_dir/machine.sh" --header),bench,case,metric,value,unit" >"$RESULTS"
    echo "$machine_columns,${1//,/},${2//,/},${3//,/},$4,$5" >>"$RESULTS" # a comma would shift the columns
    printf '  %-12s %-28s %-22s %12s %s\n' "$1" "$2" "$3" "$4" "$5"
}

measured() {
    local file=$1 out
    shift
    out=$(mktemp)
    if ! python3 - "$file" "$out" "$@" <<'PY'; then
import os, resource, subprocess, sys, time
with open(sys.argv[1], "wb") as log:
    start = time.monotonic()
    code = subprocess.call(sys.argv[3:], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    seconds = time.monotonic() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
with open(sys.argv[2], "w") as f:
    f.write(f"{seconds:.3f} {peak / 1e6:.1f}\n")
sys.exit(code != 0)
PY
        tail -n 15 "$file" >&2
        echo "bench: failed: $*" >&2
        rm -f "$out"
        exit 1
    fi
    read -r seconds peak_mb <"$out"
    rm -f "$out"
}

take_options() {
    local -A known=()
    local name
    while [ "$1" != -- ]; do
        known[--${1%!}]=${1//-/_}
        shift
    done
    shift
    while (($#)); do
        name=${known[$1]:-}
        case $name in
        '') break ;;
        *!) printf -v "${name%!}" 1; shift ;;
        *) printf -v "$name" %s "$2"; shift 2 ;;
        esac
    done
    options=("$@")
}

need_tidemill() {
    [ -x "$TIDEMILL" ] || { echo "bench: no $TIDEMILL; build first: cmake --preset release && cmake --build build" >&2; exit 1; }
}
