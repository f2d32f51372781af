#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# model.sh OPERATIONS: the random model tests, that many operations long (the default tests run few).
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

readonly OPERATIONS=$1
make_gcc_build
export QUIRE_ITERATIONS=$OPERATIONS
run_meson_tests gcc --suite model --timeout-multiplier 60
# A test that does not know the variable would pass with a few thousand.
grep -qE "(^|[^0-9])$OPERATIONS operations" "$OUT/gcc/meson-logs/testlog.txt" ||
    die "no model test says that it ran $OPERATIONS operations"
