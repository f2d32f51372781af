#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every row of the benchmarks runs and their JSON can be read. Not how fast: hosts differ.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

make_gcc_build
run_meson_tests gcc --suite bench
