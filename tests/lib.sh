# tests/lib.sh - shared by the script tests; to be sourced, with suite=NAME set. out and err are files of the folder that a
# script is in.
#
#   enter [BUILD_DIR]                  goes from the repository to an empty folder, $work, which is removed at the end ($mounted,
#                                      if set, is unmounted first); sets $root and $tidemill
#   ok FACT, bad FACT [TEXT...]        a line of the test's report; bad adds the texts, or else the end of the file $log
#   skip WHY                           a line that says what could not be tried
#   ends CODE REGEX FACT COMMAND...    the command ends with CODE, what it says matches REGEX, no sanitizer complains;
#                                      CODE may be a pattern. stdout is left in out, stderr in err
#   same FACT FILE FILE                the files have the same bytes, and some
status=0
log=err
enter() {
    root=$PWD
    tidemill=$(cd "${1:-build}" && pwd)/tidemill
    work=$(mktemp -d)
    mounted=''
    trap leave EXIT
    cd "$work"
}
leave() {
    [ -z "$mounted" ] || umount "$mounted" 2>/dev/null
    rm -rf "$work"
}
ok() { echo "ok $suite: $1"; }
bad() {
    echo "not ok $suite: $1"
    shift
    { if (($#)); then printf '%s\n' "$@"; else tail -n 6 "$log" 2>/dev/null || true; fi; } | sed -n '1,30s/^/    /p'
    status=1
}
skip() { echo "skip $suite: $1"; }
ends() {
    local code=$1 regex=$2 fact=$3 rc=0
    shift 3
    timeout 120 "$@" >out 2>err </dev/null || rc=$?
    if [[ $rc =~ ^($code)$ ]] && grep -qE -- "$regex" out err && ! grep -qE 'Sanitizer|runtime error' err; then
        ok "$fact"
    else
        bad "$fact (ended with $rc, wanted $code and /$regex/)" "$(grep -E 'Sanitizer|runtime error' err | head -3; tail -n 6 err)"
        return 1
    fi
}
same() { if cmp -s "$2" "$3" && [ -s "$2" ]; then ok "$1"; else bad "$1: $(cmp "$2" "$3" 2>&1)"; fi; }
