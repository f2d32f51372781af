#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# At least 90 % of the lines of memsys/ run in its own tests (not merely in the machine's).
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

readonly WANTED_PERCENT=90
CC=gcc make_build coverage -Db_coverage=true -Dbuildtype=debug
find "$OUT/coverage" -name '*.gcda' -delete
run_meson_tests coverage --suite memsys --timeout-multiplier 3
gcovr --root "$ROOT" --object-directory "$OUT/coverage" --filter "$ROOT/memsys/" \
    --fail-under-line "$WANTED_PERCENT" --print-summary "$OUT/coverage" >"$OUT/coverage.txt" || status=$?
cat "$OUT/coverage.txt"
echo "summary: $(sed -n 's/^lines: //p' "$OUT/coverage.txt")"
exit "${status:-0}"
