# tests/cli/lib.sh - shared by the scripts of tests/cli; to be sourced, with suite=NAME set, from the folder that out and err
# may be written to.
#
#   ok FACT, bad FACT                  a line of the test's report; bad adds the end of err
#   ends CODE REGEX FACT COMMAND...    the command ends with CODE, what it says matches REGEX, no sanitizer complains
#   same FACT FILE FILE                the files have the same bytes, and some
status=0
ok() { echo "ok $suite: $1"; }
bad() {
    echo "not ok $suite: $1"
    tail -n 6 err 2>/dev/null | sed 's/^/    /'
    status=1
}
ends() {
    local code=$1 regex=$2 fact=$3 rc=0
    shift 3
    timeout 120 "$@" >out 2>err </dev/null || rc=$?
    if [ "$rc" = "$code" ] && grep -qE -- "$regex" out err && ! grep -qE 'Sanitizer|runtime error' err; then
        ok "$fact"
    else
        bad "$fact (ended with $rc, wanted $code and /$regex/)"
        return 1
    fi
}
same() { if cmp -s "$2" "$3" && [ -s "$2" ]; then ok "$1"; else bad "$1: $(cmp "$2" "$3" 2>&1)"; fi; }
