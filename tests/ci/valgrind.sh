#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The unit tests under valgrind: no invalid or uninitialised access, nothing definitely lost. Tests that run
# guests (suite engine) are left to the sanitizers: valgrind would translate what the engine translates,
# and one of them takes longer than all others together.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# libcheck gives each case four seconds; valgrind needs some thirty times as long as the processor.
export CK_TIMEOUT_MULTIPLIER=50
make_gcc_build

# Those that take valgrind minutes each: whole files or planes bit by bit, random trees, large images.
SLOW='deliver|escalate|paging|gmm-verify|saved-state|snapshot-stock|state-file|saved-hostile'
SLOW+='|snapshot-model|gmm-model|machines-threads|disk|loader|loader-linux|ide|pc|vga|vga-vbe|vga-window'
mapfile -t tests < <(meson test -C "$OUT/gcc" --list --suite memsys --suite machine --no-suite model |
    sed -n 's,^quire:[^/]* / ,,p' | grep -vxE "$SLOW")
[ "${#tests[@]}" -ge 55 ] || die "only ${#tests[@]} tests are left for valgrind"
run_meson_tests gcc --timeout-multiplier 20 \
    --wrapper "valgrind --quiet --error-exitcode=9 --leak-check=full \
        --errors-for-leak-kinds=definite --suppressions='$ROOT/tests/ci/valgrind.supp'" "${tests[@]}"
