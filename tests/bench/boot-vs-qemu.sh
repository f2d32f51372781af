#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# boot-vs-qemu.sh [FIRMWARE]: how long until SeaBIOS says "Booting from Hard Disk", in Quire and in QEMU
# without hardware virtualization? Both run the same file with the same amount of memory, text from
# the firmware's debug port on standard output. Wall time from the start of the process to the line;
# median of five; the runs alternate, so that a busy host slows both. Fails when Quire is slower.
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly ROOT N_RUNS=5 LINE='Booting from Hard Disk'
readonly FIRMWARE=${1:-/usr/share/seabios/bios-256k.bin}
readonly QUIRE=${QUIRE:-$ROOT/build/quire}

readonly QUIRE_COMMAND=("$QUIRE" run --memory 128M --bios "$FIRMWARE" --serial null --debugcon stdio)
readonly QEMU_COMMAND=(qemu-system-x86_64 -accel tcg -M pc -nodefaults -display none -m 128
    -bios "$FIRMWARE" -chardev 'stdio,id=text' -device 'isa-debugcon,iobase=0x402,chardev=text')

place=$(mktemp -d)
readonly place
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$place"' EXIT
mkfifo "$place/text"

# Milliseconds from the start of a command to the line; the command is ended then.
time_to_line() {
    local start=$EPOCHREALTIME end
    "$@" >"$place/text" 2>"$place/errors" </dev/null &
    pid=$!
    if ! timeout 60 grep -aqF "$LINE" <"$place/text"; then
        echo "no '$LINE' from: $*" >&2
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

for ((i = 0; i < N_RUNS; i++)); do
    time_to_line "${QUIRE_COMMAND[@]}" >>"$place/quire"
    time_to_line "${QEMU_COMMAND[@]}" >>"$place/qemu"
done

quire=$(median "$place/quire")
qemu=$(median "$place/qemu")
printf 'to "%s", median of %d: quire %d ms, qemu %d ms, ratio %s\n' "$LINE" "$N_RUNS" "$quire" "$qemu" \
    "$(awk -v a="$quire" -v b="$qemu" 'BEGIN { printf "%.2f", a / b }')"
printf 'all, ms: quire %s; qemu %s\n' "$(paste -sd' ' "$place/quire")" "$(paste -sd' ' "$place/qemu")"
[ "$quire" -le "$qemu" ]
