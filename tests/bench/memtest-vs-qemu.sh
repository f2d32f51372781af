#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Wall and processor time of memtest86+ (32-bit) with 24 MiB from its start to the end of test 9, in
# build/quire and in QEMU with TCG, one after the other. Takes minutes.
# Usage: tests/bench/memtest-vs-qemu.sh [KERNEL]
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

readonly KERNEL=${1:-/boot/memtest86+ia32.bin} LINE='Bit fade'
readonly APPEND='console=ttyS0,115200' LIMIT=900

place=$(mktemp -d)
readonly place
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$place"' EXIT
mkfifo "$place/text"

# "WALL CPU" in seconds, until the line shows; escape sequences come between its words, never inside them.
time_to_line() {
    local start=$EPOCHREALTIME end ticks
    "$@" >"$place/text" 2>"$place/errors" </dev/null &
    pid=$!
    # It paints its screen by escape sequences and ends no line: each sequence begins one.
    if ! timeout "$LIMIT" grep -aqF "$LINE" < <(stdbuf -oL tr '\033' '\n' <"$place/text"); then
        echo "no '$LINE' from: $*" >&2
        cat "$place/errors" >&2
        exit 1
    fi
    end=$EPOCHREALTIME
    ticks=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
    awk -v us="$((${end/./} - ${start/./}))" -v ticks="$ticks" -v hz="$(getconf CLK_TCK)" \
        'BEGIN { printf "%.1f %.1f\n", us / 1e6, ticks / hz }'
}

quire=$(time_to_line build/quire run --memory 24M --kernel "$KERNEL" --append "$APPEND")
qemu=$(time_to_line qemu-system-x86_64 -accel tcg -M pc -nodefaults -display none -m 24 \
    -serial stdio -kernel "$KERNEL" -append "$APPEND")
echo "memtest86+ tests 0 to 9, 24 MiB (wall, processor seconds): quire $quire; qemu $qemu"
awk -v a="${quire% *}" -v b="${qemu% *}" 'BEGIN { printf "ratio of wall times %.2f\n", a / b }'
