#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# runs-vs-qemu.sh [boot|text]: whole runs in Quire and in QEMU without hardware virtualization.
#
#   boot   SeaBIOS until it says "Booting from Hard Disk"; fails when Quire is slower
#   text   a boot sector that writes 500 lines on the VGA through INT 10h, each of which scrolls
#
# Both run the same files with the same amount of memory, text from the debug port on standard output.
# Wall time from the start of the process to the line; median of five; the runs alternate, so that a
# busy host slows both.
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly ROOT N_RUNS=5 FIRMWARE=/usr/share/seabios/bios-256k.bin VIDEO=/usr/share/seabios/vgabios-stdvga.bin
readonly QUIRE=${QUIRE:-$ROOT/build/quire} WHAT=${1:-boot}

QUIRE_COMMAND=("$QUIRE" run --memory 128M --bios "$FIRMWARE" --serial null --debugcon stdio)
QEMU_COMMAND=(qemu-system-x86_64 -accel tcg -M pc -nodefaults -display none -m 128 -bios "$FIRMWARE"
    -chardev 'stdio,id=text' -device 'isa-debugcon,iobase=0x402,chardev=text')

place=$(mktemp -d)
readonly place
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$place"' EXIT
mkfifo "$place/text"

# Writes 'A', CR and LF 500 times with INT 10h, AH=0E, then "drawn" to port 402, and halts.
make_writer() {
    local hex
    for hex in 31 C0 8E D8 8E D0 BC 00 7C BB 07 00 B9 F4 01 \
        B8 41 0E CD 10 B8 0D 0E CD 10 B8 0A 0E CD 10 E2 EF \
        BA 02 04 BE 31 7C AC 84 C0 74 03 EE EB F8 F4 EB FD; do
        printf '%b' "\\x$hex"
    done
    printf 'drawn\n'
    head -c $((510 - 49 - 6)) /dev/zero
    printf '\125\252'
    head -c $((1048576 - 512)) /dev/zero
}

# Milliseconds from the start of a command to the line; the command is ended then.
time_to_line() {
    local start=$EPOCHREALTIME end
    "$@" >"$place/text" 2>"$place/errors" </dev/null &
    pid=$!
    if ! timeout 60 grep -aqF "$line" <"$place/text"; then
        echo "no '$line' from: $*" >&2
        cat "$place/errors" >&2
        exit 1
    fi
    end=$EPOCHREALTIME
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
    echo $(((${end/./} - ${start/./}) / 1000))
}

median() { sort -n "$1" | sed -n "$((N_RUNS / 2 + 1))p"; }

case $WHAT in
boot) line='Booting from Hard Disk' ;;
text)
    line=drawn
    make_writer >"$place/disk"
    QUIRE_COMMAND+=(--vga std --vga-rom "$VIDEO" --drive "$place/disk")
    QEMU_COMMAND+=(-device "VGA,romfile=$VIDEO" -drive "file=$place/disk,format=raw,if=ide,snapshot=on")
    ;;
*) echo "usage: $0 [boot|text]" >&2 && exit 2 ;;
esac
for ((i = 0; i < N_RUNS; i++)); do
    time_to_line "${QUIRE_COMMAND[@]}" >>"$place/quire"
    time_to_line "${QEMU_COMMAND[@]}" >>"$place/qemu"
done

quire=$(median "$place/quire")
qemu=$(median "$place/qemu")
printf 'to "%s", median of %d: quire %d ms, qemu %d ms, ratio %s\n' "$line" "$N_RUNS" "$quire" "$qemu" \
    "$(awk -v a="$quire" -v b="$qemu" 'BEGIN { printf "%.2f", a / b }')"
printf 'all, ms: quire %s; qemu %s\n' "$(paste -sd' ' "$place/quire")" "$(paste -sd' ' "$place/qemu")"
[ "$WHAT" != boot ] || [ "$quire" -le "$qemu" ]
