#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# At least 90 % of the lines of memsys/ run in its own tests. The build is of the memory system alone,
# which shows besides that it needs nothing of the machine.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

readonly WANTED_PERCENT=90 REPORT=$OUT/coverage.txt
CC=gcc make_build coverage -Db_coverage=true -Dbuildtype=debug -Dmachine=false
find "$OUT/coverage" -name '*.gcda' -delete
run_meson_tests coverage --timeout-multiplier 3

status=0
gcovr --root "$ROOT" --filter "$ROOT/memsys/" --fail-under-line "$WANTED_PERCENT" --print-summary \
    "$OUT/coverage" >"$REPORT" || status=$?
cat "$REPORT"
echo "summary: $(sed -n 's/^lines: //p' "$REPORT") of memsys"
exit $status
