#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The unit tests under valgrind: no invalid or uninitialised access, nothing definitely lost. Tests that run
# guests (suite engine) are left to the sanitizers: valgrind would translate what the engine translates,
# and one of them takes longer than all others together.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# libcheck gives each case four seconds; valgrind needs some thirty times as long as the processor.
export CK_TIMEOUT_MULTIPLIER=50
make_gcc_build
run_meson_tests gcc --suite memsys --suite machine --no-suite model --timeout-multiplier 20 \
    --wrapper "valgrind --quiet --error-exitcode=9 --leak-check=full \
        --errors-for-leak-kinds=definite --suppressions='$ROOT/tests/ci/valgrind.supp'"
