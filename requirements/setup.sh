#!/usr/bin/env bash
# Make the environment: setup.sh VENV STAMP. Says by name what the machine lacks; writes STAMP when all is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=$1 stamp=$2
lock=requirements/cpu.lock

fail() { printf 'set-up: %s\n' "$1" >&2; exit 2; }

find_python() {
    local candidate
    for candidate in python3.11 python3.12 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    fail "Python 3.11 or 3.12 is needed and neither is on the PATH ($(python3 -V 2>/dev/null || echo "there is no python3")): install python3.11 with its venv module"
}

# Errors are shown; that pip tries a page again is not.
pip_install() { "$venv/bin/python" -m pip install -qq --no-deps "$@" 2> >(grep -v '^WARNING: ' >&2); }

python=$(find_python)
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python has no venv module: install it (on Debian and Ubuntu the package python3-venv or ${python}-venv)"
"$python" -m cluster.host.requirements --set-up || exit 2

if ! "$venv/bin/python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi

rm -f "$stamp"
printf 'set-up: installing the pinned packages into %s (4 GB; two to four minutes the first time)\n' "$venv"
# torch alone with the page of its CPU builds, the rest without it: pip would ask the page about every package, which
# costs seconds each where the page cannot be reached. Three pips side by side, because one unpacks on one core.
packages() { grep '^[A-Za-z0-9]' "$lock" | grep -v '^torch=='; }
grep -E '^(--find-links|torch==)' "$lock" | pip_install -r /dev/stdin & installs=($!)
packages | awk 'NR % 2' | pip_install -r /dev/stdin & installs+=($!)
packages | awk 'NR % 2 == 0' | pip_install -r /dev/stdin & installs+=($!)
missing=0
for install in "${installs[@]}"; do wait "$install" || missing=1; done
((missing == 0)) || fail "pip could not install all of $lock; what it said is above"
pip_install --no-build-isolation --editable .
touch "$stamp"
printf 'set-up: done\n'
