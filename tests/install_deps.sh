#!/usr/bin/env bash
# Installs with apt what a build or a test run lacks, and nothing when nothing is missing (no network is touched then).
#
# usage: tests/install_deps.sh GROUP...     groups: build, tests, postgres
#
# Each need is found out by looking for the thing itself (a command, a header, a pkg-config name), not for a package, so
# that tools from elsewhere count too. The names are those of Debian 12 and Ubuntu 24.04, which agree. Without the
# right to install (neither root nor `sudo -n`), or without apt, it says what to run and ends with 3.
set -euo pipefail

missing=()
need() { # need PACKAGE CHECK...: adds the package when the check fails
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}
has() { command -v "$1"; }
module() { has pkg-config && pkg-config --exists "$1"; }
header() { # a header that the compiler finds; before there is a compiler, where Debian puts it
    if has cc; then
        printf '#include <%s>\n' "$1" | cc -E -x c - -o /dev/null
    else
        test -e "/usr/include/$1"
    fi
}
compiler() { has cc && header stdio.h; }
hdf5() { header hdf5.h || module hdf5 || ls /usr/include/hdf5/serial/hdf5.h; }
postgres_server() { ls /usr/lib/postgresql/*/bin/initdb || has initdb; }
python_hdf5() { /usr/bin/python3 -c 'import h5py' || python3 -c 'import h5py'; }

for group in "$@"; do
    case $group in
    build)
        need gcc compiler
        need libc6-dev compiler
        need cmake has cmake
        need ninja-build has ninja
        need pkg-config has pkg-config
        need libpq-dev module libpq
        need libhdf5-dev hdf5
        need libcjson-dev module libcjson
        need libsqlite3-dev module sqlite3
        need zlib1g-dev module zlib
        need libxxhash-dev header xxhash.h
        ;;
    tests)
        need libcriterion-dev module criterion
        need hdf5-tools has h5dump
        need python3 has python3
        need python3-h5py python_hdf5
        need git has git
        ;;
    postgres)
        need postgresql postgres_server
        ;;
    *)
        echo "install_deps.sh: unknown group '$group' (build, tests, postgres)" >&2
        exit 2
        ;;
    esac
done
((${#missing[@]})) || exit 0

line="apt-get install -y --no-install-recommends ${missing[*]}"
if ! has apt-get >/dev/null; then
    echo "missing: ${missing[*]} (Debian and Ubuntu names; there is no apt-get here, install them by other means)" >&2
    exit 3
fi
if [ "$(id -u)" = 0 ]; then
    as_root=(env)
elif has sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n env)
else
    echo "missing: ${missing[*]}" >&2
    echo "run:     sudo apt-get update && sudo $line" >&2
    exit 3
fi
echo "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quiet() { "${as_root[@]}" DEBIAN_FRONTEND=noninteractive "$@" >>"$log" 2>&1; }
# The lists may be absent (containers) or stale: refresh them, but let a failing third-party source not stop us.
quiet apt-get update || true
if ! quiet $line; then
    tail -n 15 "$log" >&2
    echo "installation failed. By hand: sudo apt-get update && sudo $line" >&2
    exit 3
fi
