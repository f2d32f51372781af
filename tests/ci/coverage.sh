#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# At least 95 % of the lines and 85 % of the branches of memsys/ run in its own tests, and each line that does
# not is listed with a reason in uncovered.txt. Assertions are left out: they hold in right code. The
# build is of the memory system alone, which shows besides that it needs nothing of the machine.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

readonly WANTED_LINES=95 WANTED_BRANCHES=85 REPORT=$OUT/coverage.txt LINES_REPORT=$OUT/coverage.json
CC=gcc make_build coverage -Db_coverage=true -Dbuildtype=debug -Dmachine=false
find "$OUT/coverage" -name '*.gcda' -delete
# Check's time limits are wall-clock seconds, and this build is slow.
export CK_TIMEOUT_MULTIPLIER=4
run_meson_tests coverage --timeout-multiplier 3

status=0
gcovr --root "$ROOT" --filter "$ROOT/memsys/" --exclude-unreachable-branches \
    --exclude-branches-by-pattern '.*\bg_assert' --exclude-lines-by-pattern '.*\bg_assert_not_reached' \
    --fail-under-line "$WANTED_LINES" --fail-under-branch "$WANTED_BRANCHES" \
    --json "$LINES_REPORT" --txt "$REPORT" --print-summary "$OUT/coverage" >"$OUT/coverage-summary.txt" || status=$?
cat "$REPORT" "$OUT/coverage-summary.txt"
[ $status -eq 0 ] || die "wanted: $WANTED_LINES % of the lines, $WANTED_BRANCHES % of the branches"
"$ROOT/tests/ci/uncovered.py" "$LINES_REPORT" "$ROOT/tests/ci/uncovered.txt" "$ROOT"
echo "summary: $(sed -nE 's/^(lines|branches): (.*)/\1 \2/p' "$OUT/coverage-summary.txt" | paste -sd ',') of memsys"
