#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# GCC builds everything without a warning, and the default tests pass. Later parts use this build.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

make_gcc_build
run_meson_tests gcc
