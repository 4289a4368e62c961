#!/usr/bin/env bash
# Installs what is missing (Debian 12, Ubuntu 24.04), builds, and runs all tests; the last line is the sum:
#   N passed, N failed, N skipped
#
# usage: ./test.sh [options]
#   --fast          only the Criterion programs: no script tests, no PostgreSQL
#   --filter TEXT   only programs and scripts whose name contains TEXT
#   --sanitize      also build with ASan + UBSan and run all again, and with TSan: the real binary with many threads
#   --cuda-all      compile the CUDA kernels for every architecture the toolkit knows, not for one
#   --no-cuda       leave the CUDA backend out
#   --build DIR     build folder (default build)
#   -j N            compile with N jobs (default: all processors)
#
# The tests: tests/test_*.c are Criterion programs; tests/check_*.sh, tests/cli/*.sh, tests/faults.sh ... are scripts that
# print a line a test, beginning with "ok", "not ok" or "skip". All run inside tests/with_postgres.sh, which starts a
# private PostgreSQL on a socket and stops it. Logs are in BUILD/test-logs. The exit code is 0 only without failures.
set -euo pipefail
cd "$(dirname "$0")"

arguments=("$@")
fast=0 sanitize=0 cuda=one filter='' build=build jobs=$(nproc)
while (($#)); do
    case $1 in
    --fast) fast=1 ;;
    --sanitize) sanitize=1 ;;
    --cuda-all) cuda=all ;;
    --no-cuda) cuda=none ;;
    --filter) filter=${2:?--filter needs a text}; shift ;;
    --build) build=${2:?--build needs a folder}; shift ;;
    -j) jobs=${2:?-j needs a number}; shift ;;
    -j*) jobs=${1#-j} ;;
    -h | --help) sed -n '2,18s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
    esac
    shift
done

passed=0 failed=0 skipped=0 failures=()
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }
line() { printf '%-9s %-34s %s\n' "$1" "$2" "$3"; }
tally() { # tally NAME PASSED FAILED SKIPPED SECONDS LOG
    passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
    local text="$2 passed"
    (($3 == 0)) || text+=", $3 failed"
    (($4 == 0)) || text+=", $4 skipped"
    if (($3)); then
        line FAILED "$1" "$text, $5 s, log $6"
        grep -E '^(\[FAIL\]|\[----\]|not ok|    )|ERROR: |WARNING: ThreadSanitizer|runtime error|SUMMARY' "$6" | head -40 || tail -n 20 "$6"
        failures+=("$1")
    else
        line ok "$1" "$text, $5 s"
    fi
}

configure_and_build() { # configure_and_build PRESET DIR [cmake options]
    local preset=$1 dir=$2 start
    shift 2
    start=$(now)
    mkdir -p "$dir/test-logs"
    if ! cmake --preset "$preset" -B "$dir" "$@" >"$dir/test-logs/configure.log" 2>&1; then
        tail -n 30 "$dir/test-logs/configure.log"
        line FAILED "configure $preset" "log $dir/test-logs/configure.log"
        return 1
    fi
    sed -n 's/^-- \(CUDA backend.*\)/\1/p' "$dir/test-logs/configure.log"
    if ! cmake --build "$dir" -j "$jobs" >"$dir/test-logs/build.log" 2>&1; then
        grep -E -A8 'error|FAILED' "$dir/test-logs/build.log" | head -60 || tail -n 30 "$dir/test-logs/build.log"
        line FAILED "build $preset" "log $dir/test-logs/build.log"
        return 1
    fi
    line ok "build $preset" "$(since "$start") s"
}

run_criterion() { # run_criterion DIR PROGRAM LABEL
    local dir=$1 program=$2 label=$3 log=$1/test-logs/$2.log start rc=0 tested ok_n bad_n skip_n
    start=$(now)
    timeout 900 "$dir/$program" --verbose >"$log" 2>&1 || rc=$?
    read -r tested ok_n < <(sed -nE 's/.*Synthesis: Tested: ([0-9]+) \| Passing: ([0-9]+).*/\1 \2/p' "$log" | tail -n 1) || true
    skip_n=$(grep -c '^\[SKIP\]' "$log" || true)
    if [ -z "${tested:-}" ]; then # it never came to an end
        tested=1 ok_n=0
        echo "not ok $program ended with $rc before its closing line" >>"$log"
    fi
    bad_n=$((tested - ok_n))
    if ((rc != 0 && bad_n == 0)); then
        bad_n=1
        echo "not ok $program ended with $rc although its tests passed" >>"$log"
    fi
    tally "$label$program" "$ok_n" "$bad_n" "$skip_n" "$(since "$start")" "$log"
}

run_script() { # run_script DIR SCRIPT LABEL
    local dir=$1 script=$2 label=$3 name log start rc=0 ok_n bad_n skip_n
    name=$(basename "$script" .sh)
    log=$dir/test-logs/$name.log
    start=$(now)
    TIDE_BUILD=$dir timeout 1200 "$script" "$dir" >"$log" 2>&1 || rc=$?
    ok_n=$(grep -cE '^ok\b' "$log" || true)
    bad_n=$(grep -cE '^not ok\b' "$log" || true)
    skip_n=$(grep -cE '^skip\b' "$log" || true)
    if ((rc != 0 && bad_n == 0)); then
        bad_n=1
        echo "not ok $name ended with $rc" >>"$log"
    elif ((rc == 0 && ok_n + bad_n + skip_n == 0)); then
        ok_n=1
    fi
    tally "$label$name" "$ok_n" "$bad_n" "$skip_n" "$(since "$start")" "$log"
}

wanted() { [[ -z $filter || $1 == *"$filter"* ]]; }
run_programs() { # run_programs DIR LABEL [PROGRAM...]: all of the folder's, or those named
    local dir=$1 label=$2 program
    shift 2
    (($#)) || set -- $(cd "$dir" && ls test_* 2>/dev/null | grep -E '^test_[a-z0-9_]+$' || true)
    for program in "$@"; do
        # A program whose source is gone is a leftover of an older build.
        if [ -x "$dir/$program" ] && [ -f "tests/$program.c" ] && wanted "$program"; then run_criterion "$dir" "$program" "$label"; fi
    done
}
run_scripts() { # run_scripts DIR LABEL SCRIPT...
    local dir=$1 label=$2 script
    shift 2
    for script in "$@"; do
        if [ -x "$script" ] && wanted "$(basename "$script" .sh)"; then run_script "$dir" "$script" "$label"; fi
    done
}

# One GPU architecture keeps the compile short: the machine's own, else the oldest with PTX, which any driver can take up.
case $cuda in
none) cuda_options=(-DTIDE_CUDA=OFF) ;;
all) cuda_options=(-UCMAKE_CUDA_ARCHITECTURES) ;;
one) if nvidia-smi -L >/dev/null 2>&1; then cuda_options=(-DCMAKE_CUDA_ARCHITECTURES=native); else cuda_options=(-DCMAKE_CUDA_ARCHITECTURES=75); fi ;;
esac

all_tests() {
    run_programs "$build" ""
    if ((!fast)); then
        run_scripts "$build" "" tests/check_*.sh $(scripts)
    fi
    if ((sanitize)); then
        export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1
        run_programs build-asan "asan "
        if ((!fast)); then run_scripts build-asan "asan " $(scripts); fi
        # Criterion's runner does not start under ThreadSanitizer: the real binary is run instead.
        run_scripts build-tsan "tsan " tests/threads.sh tests/cli/commands.sh
    fi
}
scripts() { # the script tests that run the binary
    local s
    for s in tests/*.sh tests/cli/*.sh; do
        case $s in
        tests/check_*.sh | tests/install_deps.sh | tests/with_postgres.sh | tests/postgres.sh | tests/lib.sh) ;;
        *) if [ -f "$s" ]; then echo "$s"; fi ;;
        esac
    done
}

if [ -z "${TIDE_TEST_STARTED:-}" ]; then
    # Outside: install, build, and go on inside a private server.
    if ((fast)); then groups=(build tests); else groups=(build tests postgres); fi
    tests/install_deps.sh "${groups[@]}"
    built=1
    configure_and_build release "$build" "${cuda_options[@]}" || built=0
    if ((built && sanitize)); then
        configure_and_build asan build-asan && configure_and_build tsan build-tsan -DTIDE_TESTS=OFF || built=0
    fi
    if ((built)); then
        export TIDE_TEST_STARTED=$build/test-logs/started
        rm -f "$TIDE_TEST_STARTED"
        server=(tests/with_postgres.sh)
        if ((fast)); then server=(); fi
        "${server[@]}" "$PWD/test.sh" "${arguments[@]}" && exit 0
        if [ -e "$TIDE_TEST_STARTED" ]; then exit 1; fi
        line FAILED "private PostgreSQL" "it did not start, see above"
    fi
    echo "0 passed, 1 failed"
    exit 1
fi
touch "$TIDE_TEST_STARTED"
all_tests
if ((${#failures[@]})); then echo "failed: ${failures[*]}"; fi
echo "$passed passed, $failed failed$( ((skipped == 0)) || echo ", $skipped skipped")"
((failed == 0 && passed > 0))
