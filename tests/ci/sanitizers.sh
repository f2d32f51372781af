#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The default tests under AddressSanitizer (with leaks) and UndefinedBehaviorSanitizer.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export CK_TIMEOUT_MULTIPLIER=5
CC=gcc make_build sanitizers -Db_sanitize=address,undefined
# The long runs have parts of their own; lives of failures count blocks, files and mappings themselves.
run_meson_tests sanitizers --timeout-multiplier 5 --no-suite failures --no-suite exactness --no-suite bench \
    --no-suite install
