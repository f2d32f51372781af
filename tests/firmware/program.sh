# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the scripts that run the whole program with real firmware share. To be sourced; $1 is the program, $2 the folder
# of the guests. Output of the last run stays in $tmp.
set -u
quire=$1
# shellcheck disable=SC2034  # for the scripts
guests=$2
[ -x "$quire" ] || { echo "no program $quire"; exit 1; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
n_failed=0

need() {
    local file
    for file in "$@"; do
        [ -s "$file" ] || { echo "no file $file: its package is missing, see ./bootstrap"; exit 1; }
    done
}

check() {
    n=$((n + 1))
    "${@:2}" || { n_failed=$((n_failed + 1)); echo "FAILED: $1"; }
}

# ends STATUS LAST-LINE ARG...: how `quire run ARG...` ends
ends() {
    local want=$1 last=$2 status line
    shift 2
    n=$((n + 1))
    timeout 300 "$quire" run "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    status=$?
    line=$(tail -n 1 "$tmp/err")
    if [ $status != "$want" ] || [[ $line != "quire: "$last ]]; then
        n_failed=$((n_failed + 1))
        echo "FAILED: quire run $*: wanted status $want and '$last', got $status and '$line'"
        tail -n 5 "$tmp/out"
    fi
}

# The serial console's text without escapes, and with line ends of ours.
plain() { sed -e 's/\x1b\[[0-9;?]*[A-Za-z]//g' -e 's/\r//g' "$tmp/out"; }

finish() {
    echo "$n checks, $n_failed failures"
    [ $n_failed = 0 ]
}
