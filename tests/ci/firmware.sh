#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Real firmware and guests of our own: SeaBIOS, memtest86+, and what lies in tests/guests.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

CC=gcc make_build gcc --werror
run_meson_tests gcc --suite firmware
