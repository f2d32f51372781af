#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Real firmware and guests of our own: SeaBIOS, memtest86+, and what lies in tests/guests; pictures of guests
# that draw are compared with QEMU's.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

make_gcc_build
run_meson_tests gcc --suite firmware --suite qemu
