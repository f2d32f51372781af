#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each of the 26 known defects of the model we follow has a line in the header of the test file that
# is for it and a test with its number there, in order; no other file has such a test.
set -euo pipefail

readonly N_DEFECTS=26
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../unit"

bad=
files=(test-defects-gmm.c test-defects-ram.c test-defects-devices.c test-defects-access.c)
for ((n = 1; n <= N_DEFECTS; n++)); do
    name=$(printf 'defect_%02d_' "$n")
    home=$(grep -lE "^ \* {1,2}$n  [A-Z]" "${files[@]}" || true)
    if [ -z "$home" ] || [ "$(wc -l <<<"$home")" -ne 1 ]; then
        bad+="defect $n: described in these files, not in one: '$home'"$'\n'
    elif ! grep -qE "^START_TEST\($name" "$home"; then
        bad+="defect $n: no test ${name}... in $home"$'\n'
    fi
done
numbers=$(cat "${files[@]}" | sed -nE 's/^START_TEST\(defect_([0-9]+)_.*/\1/p')
[ "$numbers" = "$(sort <<<"$numbers")" ] || bad+="the tests are not in the order of their numbers"$'\n'
others=$(grep -rlE '^START_TEST\(defect_' . | sed 's,^\./,,' | grep -vxFf <(printf '%s\n' "${files[@]}") || true)
[ -z "$others" ] || bad+="tests of defects outside of their files: $others"$'\n'

if [ -n "$bad" ]; then
    printf '%s' "$bad" >&2
    exit 1
fi
echo "summary: $N_DEFECTS defects, $(wc -l <<<"$numbers") tests"
