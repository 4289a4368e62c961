#!/usr/bin/env bash
# Prints the machine, as the first seven columns of bench/results.csv:
#   date,commit,machine,cores,memory_gb,isa,compiler
# isa is the widest instruction set of the build's lane drivers that this CPU runs. With --header the names; with --text
# one readable line. A commit ending in + had uncommitted changes.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = --header ]; then
    echo "date,commit,machine,cores,memory_gb,isa,compiler"
    exit
fi
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo release)
if [ "$commit" != release ] && [ -n "$(git status --porcelain -uno -- . ':!bench/results.csv' 2>/dev/null)" ]; then commit+=+; fi
machine=$(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
[ -n "$machine" ] || machine=$(uname -m)
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1 || true)
[ -z "$gpu" ] || machine+=" + $gpu"
cores=$(nproc)
memory=$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
isa=baseline
flags=" $(awk -F': *' '/^flags/ { print $2; exit }' /proc/cpuinfo) "
case $flags in
*" avx512dq "*) isa=avx512 ;;
*" avx2 "*) isa=avx2 ;;
esac
compiler="$(${CC:-cc} --version | grep -qi clang && echo clang || echo gcc) $(${CC:-cc} -dumpfullversion 2>/dev/null || ${CC:-cc} -dumpversion)"
clean() { printf '%s' "$1" | tr ',"' '  ' | tr -s ' '; }
if [ "${1:-}" = --text ]; then
    echo "$(clean "$machine"), $cores cores, $memory GB, $isa, $(clean "$compiler"), commit $commit"
else
    echo "$(date -u +%Y-%m-%d),$commit,$(clean "$machine"),$cores,$memory,$isa,$(clean "$compiler")"
fi
