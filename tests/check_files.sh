#!/usr/bin/env bash
# Checks the files themselves: none over 800 lines, none marked as unfinished, a head comment in each source, no build
# product or large file among the tracked ones, presets and configs valid JSON, local links of the README lead
# somewhere, and each figure in a table row of the README that names a bench id stands in bench/results.csv.
#
# usage: tests/check_files.sh
set -eu
shopt -s lastpipe # `check` must be able to set status
cd "$(dirname "$0")/.."
status=0
check() { # check FACT, violations on stdin: a line each
    local lines
    lines=$(cat)
    if [ -z "$lines" ]; then
        echo "ok check_files: $1"
    else
        echo "not ok check_files: $1"
        echo "$lines" | head -10 | sed 's/^/    /'
        status=1
    fi
}
# Tracked and new files when this is a checkout, else all but the build folders.
files() {
    { git ls-files -co --exclude-standard 2>/dev/null || find . -type f -not -path './build*' -not -path './.git/*' | sed 's|^\./||'; } |
        while IFS= read -r f; do if [ -f "$f" ]; then echo "$f"; fi; done
}


list=$(mktemp)
trap 'rm -f "$list"' EXIT
files | sort >"$list"

grep -E '\.(c|h|cu|cuh|def|py|R|sh)$' "$list" | xargs wc -l | awk '$2 != "total" && $1 > 800 { print $2 ": " $1 " lines" }' |
    check "no source is over 800 lines"
# Written in halves, so that this file does not find itself.
marks='TO''DO|FIX''ME|XX''X|HA''CK|not imple''mented'
grep -E '\.(c|h|cu|cuh|def|py|R|sh|md|json|txt)$' "$list" | xargs grep -nIE "\\b($marks)\\b" | cut -c1-160 |
    check "nothing is marked as unfinished"
grep -E '\.(c|h|cu|cuh)$' "$list" | while IFS= read -r f; do
    head -c 2 "$f" | grep -q '^/[*/]' && continue
    # Or its own header does, and it opens with that.
    [ "$(head -1 "$f")" = "#include \"${f%.c}.h\"" ] && head -c 2 "${f%.c}.h" | grep -q '^/\*' || echo "$f"
done | check "every source, or its header, begins with a head comment"
grep -E '\.(o|a|so|h5|db|pyc)$' "$list" | check "no build product or store is among the files"
while IFS= read -r f; do
    size=$(stat -c %s "$f")
    if [ "$size" -gt 3000000 ]; then echo "$f: $size bytes"; fi
done <"$list" | check "no file is over 3 MB"
grep -E '\.json$' "$list" | while IFS= read -r f; do
    python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$f" 2>/dev/null || echo "$f"
done | check "every JSON file parses"
grep -E '\.sh$|^\.ci/run$' "$list" | while IFS= read -r f; do
    bash -n "$f" 2>&1 || true
    [ -x "$f" ] || echo "$f is not executable"
done | check "every script parses and is executable"
if [ -f README.md ]; then
    grep -oE '\]\([^)#: ]+\)' README.md | sed 's/^](//; s/)$//' | while IFS= read -r link; do
        [ -e "$link" ] || echo "$link"
    done | check "every local link of the README leads to a file"
fi
if [ -f README.md ] && [ -f bench/results.csv ]; then
    python3 bench/check_readme.py README.md bench/results.csv | check "every measured figure of the README stands in bench/results.csv"
fi
exit $status
