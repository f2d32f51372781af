#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Clang builds everything without a warning, and the default tests pass.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

CC=clang make_build clang --werror
# What the compiler cannot change (scripts, lives of failures, long runs) the other parts run.
run_meson_tests clang --suite memsys --suite machine --suite engine --no-suite failures
