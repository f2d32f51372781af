# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the parts of the big test run share. A part is a script that run-parts.sh calls: it prints
# what it likes, and its exit status says whether it passed. Sourced first in each part.
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly ROOT
# Builds and logs of all parts; git ignores it.
readonly OUT=$ROOT/build-ci
# Each line is one Meson test that ran: its name and its result. run-parts.sh counts them.
readonly RESULTS=${CI_RESULTS:-/dev/null}

die() {
    echo "$*" >&2
    exit 1
}

# make_build NAME OPTION...: builds all of the tree in build-ci/NAME (kept for the next time).
make_build() {
    local dir=$OUT/$1
    shift
    if [ ! -f "$dir/build.ninja" ]; then
        rm -rf "$dir"
        meson setup "$@" "$dir" "$ROOT"
    fi
    ninja -C "$dir"
}

# The build that most parts share: GCC, warnings are errors.
make_gcc_build() { CC=gcc make_build gcc --werror; }

# run_meson_tests NAME OPTION...: runs Meson tests of build-ci/NAME. Not only a failure counts: a
# skipped test, or not a single one that ran, is a failure too.
run_meson_tests() {
    local dir=$OUT/$1 log status=0
    shift
    rm -f "$dir"/meson-logs/testlog*.json
    meson test -C "$dir" --no-rebuild --print-errorlogs --num-processes 2 "$@" || status=$?
    log=$(find "$dir/meson-logs" -name 'testlog*.json') # with a wrapper it has another name
    [ -s "$log" ] || die "no test ran: meson test $*"
    sed -nE 's/.*"name": "([^"]*)".*"result": "([A-Z]*)".*/\2 \1/p' "$log" | tee -a "$RESULTS" |
        { ! grep -vE '^(OK|EXPECTEDFAIL) '; } || die "these did not pass"
    [ $status -eq 0 ] || die "meson test ended with status $status"
    echo "summary: $(wc -l <"$log") tests"
}
