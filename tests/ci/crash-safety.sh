#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# crash-safety.sh [RANDOM-KILLS]: kill -9 in the middle of saves, at random times and at each kind of system call.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

make_gcc_build
"$ROOT/tests/cli/crash-safety.sh" "$OUT/gcc/quire" "${1:-50}" | tee "$OUT/crash-safety.txt"
echo "OK crash-safety" >>"$RESULTS"
echo "summary: $(sed -n 's/ kills at system calls.*/ kills at system calls/p' "$OUT/crash-safety.txt") and ${1:-50} random ones"
