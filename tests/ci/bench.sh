#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every row of the benchmarks runs and their JSON can be read; the curves become pictures. Not how
# fast: hosts differ.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

make_gcc_build
run_meson_tests gcc --suite bench
readonly PLACE=$OUT/curves
rm -rf "$PLACE"
mkdir -p "$PLACE"
"$OUT/gcc/quire-bench" --quick --curves "$PLACE/curves.json"
"$ROOT/tests/bench/plot.sh" "$PLACE/curves.json" "$PLACE"
for picture in restore-by-ram restore-by-dirty restore-after-history creation-by-ram; do
    [ "$(head -c 8 "$PLACE/$picture.png" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] ||
        die "$picture.png is no PNG"
done
