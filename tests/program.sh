# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the scripts that run the whole program share. To be sourced; $1 is the program. What the last run said stays in
# $tmp/out and $tmp/err.
set -u
quire=$(realpath -- "$1") || exit 1
[ -x "$quire" ] || { echo "no program $quire"; exit 1; }
tmp=$(mktemp -d) || exit 1
# Not by a subshell that a signal ends.
trap '[ "$BASHPID" != $$ ] || { chmod -R u+w "$tmp"; rm -rf "$tmp"; }' EXIT
n=0
n_failed=0
input=/dev/null

# need FILE...: these are there and not empty
need() {
    local file
    for file in "$@"; do
        [ -s "$file" ] || { echo "no file $file: its package is missing, see ./bootstrap"; exit 1; }
    done
}

fail() {
    n_failed=$((n_failed + 1))
    echo "FAILED: $1"
    sed 's/^/  stderr: /' "$tmp/err" | tail -n 5
}

# check WORDS COMMAND...
check() {
    n=$((n + 1))
    "${@:2}" || fail "$1"
}

# ends STATUS LAST-LINE ARG...: how `quire run ARG...` ends; LAST-LINE is a glob, without "quire: " or "quire: stopped: "
ends() {
    local want=$1 last=$2 status line
    shift 2
    n=$((n + 1))
    timeout 300 "$quire" run "$@" >"$tmp/out" 2>"$tmp/err" <"$input"
    status=$?
    line=$(tail -n 1 "$tmp/err")
    if [ $status != "$want" ] || { [[ $line != "quire: "$last ]] && [[ $line != "quire: stopped: "$last ]]; }; then
        fail "quire run $*: wanted status $want and '$last', got $status and '$line'"
    fi
}

# says GLOB: somewhere on stderr of the last run
says() {
    n=$((n + 1))
    [[ $(cat "$tmp/err") == *$1* ]] || fail "stderr lacks '$1'"
}

# The serial console's text without escapes, and with line ends of ours.
plain() { sed -e 's/\x1b\[[0-9;?]*[A-Za-z]//g' -e 's/\r//g' "$tmp/out"; }

# bytes HEX...: these bytes
bytes() {
    local hex
    for hex in "$@"; do
        printf '%b' "\\x$hex"
    done
}

# firmware NAME HEX...: an image of 8 KiB whose reset vector jumps to the code
firmware() {
    local name=$1 code=$((8192 - 256))
    shift
    {
        head -c $code /dev/zero
        bytes "$@"
        head -c $((240 - $#)) /dev/zero
        bytes E9 0D FF
        head -c 13 /dev/zero
    } >"$tmp/$name"
}

# boot_sector NAME HEX...: a disk that runs this at 7C00
boot_sector() {
    local name=$1
    shift
    {
        bytes "$@"
        head -c $((510 - $#)) /dev/zero
        bytes 55 AA
    } >"$tmp/$name"
}

finish() {
    echo "$n checks, $n_failed failures"
    [ $n_failed = 0 ]
}
