#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Help, versions and lists: status 0, on stdout, nothing on stderr. Usage: words.sh QUIRE
set -u
quire=$1
[ -x "$quire" ] || { echo "no program $quire"; exit 1; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
n_failed=0

# prints PATTERN ARG...
prints() {
    local want=$1 status
    shift
    n=$((n + 1))
    "$quire" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    status=$?
    if [ $status != 0 ] || [ -s "$tmp/err" ] || [[ $(cat "$tmp/out") != *$want* ]]; then
        n_failed=$((n_failed + 1))
        echo "FAILED: quire $*: status $status, wanted '$want', got:"
        cat "$tmp/out" "$tmp/err"
    fi
}

prints 'quire run'
prints 'quire run' help
prints 'quire run' --help
prints 'quire run' -h
prints 'Examples:' run --help
prints 'Examples:' help run
prints 'quire [0-9]*Unicorn [0-9]' --version
prints 'quire [0-9]*Unicorn [0-9]' version
prints 'quire [0-9]*Unicorn [0-9]' run --version
prints 'qemu32' run --cpu help
prints 'pc ' run --machine help
prints 'phys  *page ADDRESS*stats GLOB' run --info help
prints 'Usage: quire state FILE*--json*Examples:' state --help
prints 'Usage: quire state FILE' help state

# Each option that the issue names is in the help.
for option in machine memory ram-hole no-overcommit bios kernel append initrd drive load cpu serial debugcon until \
    timeout max-time clock rtc on-reset dump map stats stats-json info save save-at save-live restore trace quiet version \
    vga vga-rom nic nic-rom option-rom type type-at screen screen-every screen-record memory-picture memory-film \
    print-machine help; do
    prints "  --$option" run --help
done

# No line is wider than a terminal.
"$quire" run --help >"$tmp/out"
n=$((n + 1))
if [ -n "$(awk 'length > 100' "$tmp/out")" ]; then
    n_failed=$((n_failed + 1))
    echo "FAILED: help is wider than 100 columns"
fi

# A stdout that cannot be written is no success.
n=$((n + 1))
if "$quire" --help >/dev/full 2>"$tmp/err" || ! grep -q '^quire: cannot write stdout' "$tmp/err"; then
    n_failed=$((n_failed + 1))
    echo "FAILED: --help to a full device"
fi

echo "$n checks, $n_failed failures"
[ $n_failed = 0 ]
