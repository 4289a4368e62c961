#!/usr/bin/env bash
# Everything that can only be checked on a machine with a GPU, in one run: builds for it, compares the CUDA backend with
# the CPU's bit for bit, looks for memory errors and races with compute-sanitizer, and measures. Needs a C compiler, and
# nvcc and cmake or a build carried along; no network, no libpq, HDF5 or Criterion.
#
# usage: bench/gpu_check.sh OUTPUT_DIR [--build DIR] [--quick]
#
#   --build DIR   use gpu_backend and gpu_bench from this build instead of building
#   --quick       small cases only
#
# OUTPUT_DIR gets results.csv (rows as in bench/results.csv), one log a step, and summary.txt. A step that fails is
# recorded as such and the next one runs. Exit code: 0 when all steps passed, 1 when one failed, 8 without a GPU.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
quick=0 build='' out=''
while (($#)); do
    case $1 in
    --quick) quick=1 ;;
    --build) build=${2:-}; shift ;;
    -*) echo "usage: bench/gpu_check.sh OUTPUT_DIR [--build DIR] [--quick]" >&2; exit 2 ;;
    *) out=$1 ;;
    esac
    shift || break
done
[ -n "$out" ] || { echo "usage: bench/gpu_check.sh OUTPUT_DIR [--build DIR] [--quick]" >&2; exit 2; }
mkdir -p "$out" && out=$(cd "$out" && pwd) || { echo "gpu_check.sh: cannot write to $out" >&2; exit 7; }
[ -z "$build" ] || build=$(cd "$build" && pwd) || { echo "gpu_check.sh: no such build" >&2; exit 2; }
cd "$root" || exit 1
export PATH=$PATH:/usr/local/cuda/bin

clean() { tr ',"\n' '   ' | tr -s ' ' | sed 's/ *$//'; }
gpu=$(timeout 60 nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1 | clean)
driver=$(timeout 60 nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -1 | clean)
# Architecture numbers of the GPUs present ("90"), for a build that takes a seventh of the time.
arch=$(timeout 60 nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | tr -d '. ' | sort -u | paste -sd';')
nvcc_version=$(nvcc --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\).*/\1/p')
cpu=$(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo | clean)
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || cat "$out/commit" 2>/dev/null || echo unknown)
if [ "$commit" != unknown ] && [ -n "$(git status --porcelain -uno 2>/dev/null)" ]; then commit+=+; fi
memory=$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
isa=$(grep -qw avx512dq /proc/cpuinfo && echo avx512 || { grep -qw avx2 /proc/cpuinfo && echo avx2 || echo baseline; })
compiler="gcc $(${CC:-cc} -dumpfullversion 2>/dev/null || echo none), nvcc ${nvcc_version:-none}"
columns="$(date -u +%Y-%m-%d),$commit,${cpu:-unknown} + ${gpu:-no GPU} driver ${driver:-none},$(nproc),$memory,$isa,$(clean <<<"$compiler")"

echo "date,commit,machine,cores,memory_gb,isa,compiler,bench,case,metric,value,unit" >"$out/results.csv"
: >"$out/summary.txt"
failed=0
say() { echo "$1" | tee -a "$out/summary.txt"; }
record() { echo "$columns,$1,$2,$3,$4,$5" >>"$out/results.csv"; } # BENCH CASE METRIC VALUE UNIT

# step NAME LIMIT_S COMMAND...: runs it, keeps its output, records seconds and exit code.
step() {
    local name=$1 limit=$2 start end code
    shift 2
    start=$(date +%s%N)
    timeout --kill-after=10 "$limit" "$@" >"$out/$name.log" 2>&1
    code=$?
    end=$(date +%s%N)
    record gpu_check "$name" "exit code" "$code" code
    record gpu_check "$name" seconds "$(awk -v ns=$((end - start)) 'BEGIN { printf "%.2f", ns / 1e9 }')" s
    if ((code == 0)); then
        say "ok      $name ($(((end - start) / 1000000000)) s)"
    else
        failed=1
        say "FAILED  $name: exit code $code; last lines of $name.log:"
        tail -n 5 "$out/$name.log" | cut -c1-300 | sed 's/^/        /' | tee -a "$out/summary.txt"
    fi
    return $code
}

say "machine: ${cpu:-unknown}, $(nproc) cores; GPU: ${gpu:-none}, driver ${driver:-none}; $compiler; commit $commit"
timeout 60 nvidia-smi >"$out/nvidia-smi.log" 2>&1 || true

if [ -z "$build" ]; then
    build=$out/build
    generator=()
    if command -v ninja >/dev/null; then generator=(-G Ninja); fi
    step configure 300 cmake "${generator[@]}" -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DTIDE_IO=OFF -DTIDE_TESTS=OFF \
        -DTIDE_CUDA=AUTO ${arch:+"-DCMAKE_CUDA_ARCHITECTURES=$(sed 's/\([0-9]\+\)/\1-real/g' <<<"$arch")"} &&
        step build 1500 cmake --build "$build" -j "$(nproc)" --target gpu_backend gpu_bench
fi

if [ ! -x "$build/gpu_backend" ] || [ ! -x "$build/gpu_bench" ]; then
    say "FAILED  no gpu_backend and gpu_bench in $build: nothing to check"
    exit 1
fi
# The comparison itself is tried first, on GPUs made of ordinary memory: it must pass before it can judge a real one.
step emulated 900 "$build/gpu_backend" --emulated --quick

small=()
if ((quick)); then small=(--quick); fi
step backend 1200 "$build/gpu_backend" "${small[@]}"
code=$?
if ((code == 8)); then
    say "NO GPU  $(tail -n 1 "$out/backend.log" | cut -c1-300)"
    say "results: $out/results.csv"
    exit 8
fi
tail -n 1 "$out/backend.log" | tee -a "$out/summary.txt"
read -r passed _ bad _ < <(tail -n 1 "$out/backend.log") || true
record gpu_check "CUDA against CPU bit for bit" passed "${passed:-0}" checks
record gpu_check "CUDA against CPU bit for bit" failed "${bad:-0}" checks

if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
        step "$tool" 900 compute-sanitizer --tool "$tool" --error-exitcode 9 "$build/gpu_backend" --quick
    done
else
    say "left out  compute-sanitizer is not installed"
    record gpu_check compute-sanitizer "left out" 1 flag
fi

bench() { # bench NAME ARGUMENTS...: gpu_bench's CSV into results.csv
    local name=$1
    shift
    step "$name" 600 "$build/gpu_bench" "$@" || return
    while IFS=, read -r case metric value unit; do
        record gpu_bench "$case" "$metric" "$value" "$unit"
        printf '        %-44s %-34s %14s %s\n' "$case" "$metric" "$value" "$unit" | tee -a "$out/summary.txt"
    done < <(grep -E '^[^,]*,[^,]*,[0-9.e+-]*,[^,]*$' "$out/$name.log")
}
if ((quick)); then
    bench bench_months --series 2000 --repeats 2 --cpu-series 500
else
    bench bench_months --series 100000 --repeats 5 --cpu-series 4000
    bench bench_batch --series 8192 --repeats 5 --cpu-series 0
    bench bench_weeks --series 20000 --steps 260 --season 52 --repeats 3 --cpu-series 1000
    bench bench_no_season --series 200000 --steps 60 --season 1 --repeats 5 --cpu-series 10000
    bench bench_hours --series 10000 --steps 1000 --season 24 --repeats 3 --cpu-series 200
fi
say "results: $out/results.csv"
exit $failed
