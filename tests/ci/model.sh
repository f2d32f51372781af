#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# model.sh OPERATIONS: the random model tests, that many operations in all (the default tests run
# few); two of them at once, with seeds of their own.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

readonly OPERATIONS=$1 HALF=$(($1 / 2))
readonly MODEL=$OUT/gcc/tests/model/test-memsys-model
readonly LOGS=$OUT/logs
make_gcc_build
mkdir -p "$LOGS"

# A failure there prints a script of few steps, which is kept as well.
"$MODEL" --seed 1001 --ops "$HALF" --save "$LOGS/model-1.script" >"$LOGS/model-1.txt" 2>&1 &
first=$!
status=0
"$MODEL" --seed 1002 --ops "$HALF" --save "$LOGS/model-2.script" >"$LOGS/model-2.txt" 2>&1 || status=$?
wait "$first" || status=$?
cat "$LOGS/model-1.txt" "$LOGS/model-2.txt"
[ "$status" -eq 0 ] || die "the model of the memory system failed"
grep -qx "$HALF operations, .*" "$LOGS/model-1.txt" "$LOGS/model-2.txt" ||
    die "the model does not say that it did $HALF operations"

export QUIRE_ITERATIONS=$OPERATIONS
run_meson_tests gcc --suite model --timeout-multiplier 60 page-events-model paging-naive \
    threads-model
# A test that does not know the variable would pass with a few thousand.
grep -qE "(^|[^0-9])$OPERATIONS (operations|events)" "$OUT/gcc/meson-logs/testlog.txt" ||
    die "no model test says that it ran $OPERATIONS operations"

# Each of its operations is a batch with a picture.
QUIRE_ITERATIONS=$((OPERATIONS / 200)) run_meson_tests gcc --suite model --timeout-multiplier 60 vga-model
