#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 100 saves at moments of all kinds, of every guest there is; each restored and compared to the end.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

make_gcc_build
"$OUT/gcc/tests/firmware/test-exactness" --saves 100 | tee "$OUT/exactness.txt"
echo "OK exactness-100" >>"$RESULTS"
echo "summary: $(sed -n 's/^\([0-9]* saves\) .*/\1/p' "$OUT/exactness.txt")"
