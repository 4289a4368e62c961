#!/usr/bin/env bash
# What each CUDA kernel needs, as nvcc reports it: registers, spills, stack, and the occupancy that follows. No GPU needed.
#
# usage: bench/gpu_resources.sh [--csv] [ARCH]...      default: 80 86 89 90
#
# Occupancy is that of full blocks of TIDE_DEVICE_BLOCK threads: registers are given to warps in units of 256, blocks
# come whole, and an SM has 65,536 registers and 1024 (7.5), 1536 (8.6, 8.9, 12.0) or 2048 threads. Also checked: that no
# PTX instruction is left which a later compiler may contract (add, sub and mul all carry their rounding mode).
# Exit code 1 when a kernel does not compile or that check fails.
set -euo pipefail
cd "$(dirname "$0")/.."
csv=0 archs=()
for word in "$@"; do
    case $word in
    --csv) csv=1 ;;
    [0-9]*) archs+=("$word") ;;
    *) echo "usage: bench/gpu_resources.sh [--csv] [ARCH]..." >&2; exit 2 ;;
    esac
done
((${#archs[@]})) || archs=(80 86 89 90)
nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$nvcc" ] || { echo "gpu_resources.sh: no nvcc found; set NVCC" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The numerical flags of CMakeLists.txt.
flags=(-I. -std=c++17 -O3 --fmad=false --prec-div=true --prec-sqrt=true -Xcompiler=-ffp-contract=off --diag-suppress=1675)
mapfile -t forms < <(sed -n 's/^TIDE_ETS_FORM(\([A-Za-z]*\),.*/\1/p' kernels/forms.def)
plain=(naive snaive drift mean)
sources=(batch_cuda arima_cuda) # forecasts, those of ARIMA models among them, are in the first
block=$(sed -n 's/.*TIDE_DEVICE_BLOCK = \([0-9]*\).*/\1/p' kernels/device_plan.h)

if ((csv)); then
    echo "arch,kernel,registers,spill_store_bytes,spill_load_bytes,stack_bytes,shared_bytes,blocks_per_sm,occupancy_percent"
else
    printf '%-4s %-16s %9s %12s %11s %11s %7s %9s %9s\n' sm kernel registers "spill store" "spill load" stack shared blocks/SM occupancy
fi
for arch in "${archs[@]}"; do
    start=$(date +%s%N)
    : >"$scratch/log"
    bytes=0
    for source in "${sources[@]}"; do
        "$nvcc" "${flags[@]}" -gencode "arch=compute_$arch,code=sm_$arch" -cubin -Xptxas -v "kernels/$source.cu" \
            -o "$scratch/cubin" >"$scratch/one" 2>&1 || { cat "$scratch/one" >&2; exit 1; }
        cat "$scratch/one" >>"$scratch/log"
        bytes=$((bytes + $(stat -c %s "$scratch/cubin")))
    done
    seconds=$((($(date +%s%N) - start) / 1000000000))
    case $arch in 75) threads=1024 ;; 86 | 87 | 89 | 120 | 121) threads=1536 ;; *) threads=2048 ;; esac
    awk -v arch="$arch" -v csv="$csv" -v block="$block" -v most="$threads" -v forms="${forms[*]}" -v plain="${plain[*]}" '
        BEGIN { n = split(forms " " plain, candidate, " ") }
        # "Function properties" of a kernel follow its "Compiling entry"; those of division routines come in between.
        /Compiling entry function/ {
            name = $0
            sub(/^[^\047]*\047/, "", name)
            sub(/\047.*/, "", name)
            if (match(name, /fit_candidateILi[0-9]+E/)) kernel = "fit " candidate[substr(name, RSTART + 16, RLENGTH - 17) + 1]
            else if (name ~ /arima_begin/) kernel = "arima begin"
            else if (name ~ /arima_order/) kernel = "arima order"
            else if (name ~ /fit_begin/) kernel = "begin"
            else if (name ~ /fit_end/) kernel = "end"
            else kernel = "forecast"
            want = 1
        }
        /bytes stack frame/ && want { stack = $1; store = $5; load = $9; want = 0 }
        /Used [0-9]+ registers/ {
            registers = shared = 0
            for (i = 1; i < NF; ++i) {
                if ($(i + 1) ~ /^registers/) registers = $i
                if ($i == "bytes" && $(i + 1) ~ /^smem/) shared = $(i - 1)
            }
            warps = int(65536 / (int((registers + 7) / 8) * 8 * 32))
            blocks = int(warps / (block / 32))
            if (blocks * block > most) blocks = int(most / block)
            occupancy = 100 * blocks * block / most
            if (csv) printf "%s,%s,%d,%d,%d,%d,%d,%d,%.1f\n", arch, kernel, registers, store, load, stack, shared, blocks, occupancy
            else printf "%-4s %-16s %9d %12d %11d %11d %7d %9d %8.0f%%\n", arch, kernel, registers, store, load, stack, shared, blocks, occupancy
        }' "$scratch/log"
    if ((!csv)); then echo "sm_$arch: $seconds s to compile, $((bytes / 1024)) KiB of machine code"; fi
done
for source in "${sources[@]}"; do
    "$nvcc" "${flags[@]}" -arch="compute_${archs[-1]}" -ptx "kernels/$source.cu" -o "$scratch/ptx"
    cat "$scratch/ptx" >>"$scratch/all.ptx"
done
loose=$(grep -cE '^[[:space:]]*(add|sub|mul|mad)\.f64|(div|sqrt)\.(approx|full)[a-z.]*\.f(32|64)' "$scratch/all.ptx" || true)
fused=$(grep -cE '^[[:space:]]*fma\.rn\.f64' "$scratch/all.ptx" || true)
if ((loose > 0)); then
    echo "gpu_resources.sh: $loose instructions whose rounding a later compiler may change" >&2
    exit 1
fi
if ((!csv)); then echo "PTX: every add, sub and mul carries its rounding ($fused fused ones, all written as such)"; fi
