#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Our guests as a user runs them: the whole program, real firmware, files on disk. Usage: guests.sh QUIRE GUEST-FOLDER
# shellcheck source=../program.sh
. "$(dirname "$0")/../program.sh"
guests=$(realpath -- "$2")

# said TEXT: what the guest itself had on the debug console of the last run
said() {
    n=$((n + 1))
    if [ "$(sed '1,/^Booting from 0000:7c00$/d' "$tmp/debugcon")" != "$1" ]; then
        fail "wanted '$1', the guest said:"
        tail -n 5 "$tmp/debugcon"
    fi
}

# A disk for real.asm: what it looks at in sectors 64 to 199 is there, the rest is zeros.
make_disk() {
    local lba last
    {
        cat "$guests/real.bin"
        head -c $((64 * 512 - $(stat -c %s "$guests/real.bin"))) /dev/zero
        for ((lba = 64; lba < 200; lba++)); do
            last=$((lba * 3 + 255))
            printf '%b' "\\x$(printf %02x $lba)\\x00"
            head -c 508 /dev/zero
            printf '%b' "\\x$(printf %02x $((last & 255)))\\x$(printf %02x $((last >> 8)))"
        done
        head -c $((1848 * 512)) /dev/zero
    } >"$1"
}

# sector FILE LBA: its first and last word
sector() {
    od -An -v -tx2 -j $(($2 * 512)) -N 2 "$1"
    od -An -v -tx2 -j $(($2 * 512 + 510)) -N 2 "$1"
}

# --- an ELF kernel in place of the firmware
ends 1 'the guest wrote 0x0 *' --kernel "$guests/rings.elf" --debugcon stdio --serial null
check "the kernel's words alone" test "$(cat "$tmp/out")" = '79 checks'
ends 1 'the guest wrote 0x0 *' --kernel "$guests/faults.elf" --cpu qemu64 --debugcon stdio --serial null
check "no-execute with qemu64" test "$(head -n 1 "$tmp/out")" = 'no-execute'
ends 0 '*' --kernel "$guests/faults.elf" --debugcon stdio --serial null --until 'no no-execute'

# --- from a disk through SeaBIOS
ends 1 '*' --drive "$guests/boot-rings.img" --debugcon "file:$tmp/debugcon"
said '79 checks'
check "SeaBIOS before it" grep -q 'SeaBIOS (version' "$tmp/out"

make_disk "$tmp/disk"
cp "$tmp/disk" "$tmp/kept"
ends 1 '*' --drive "$tmp/disk" --debugcon "file:$tmp/debugcon" --dump "$tmp/sector@9000+0x200" \
    --dump "$tmp/boot@7C00+0x200"
check "without rw the image keeps its bytes" cmp "$tmp/disk" "$tmp/kept"
check "the boot sector is where it was read to" cmp -n 32 "$tmp/kept" "$tmp/boot"
check "the guest's buffer is dumped" test "$(od -An -v -tx2 -j 510 "$tmp/sector")" = ' fe2b'
ends 1 '*' --drive "$tmp/disk,rw" --debugcon "file:$tmp/debugcon"
check "with rw sector 70 is written" test "$(sector "$tmp/disk" 70)" = "$(printf ' ffb9\n fe2e')"
check "with rw sector 71 is written" test "$(sector "$tmp/disk" 71)" = "$(printf ' ffb8\n fe2b')"
check "sector 69 is not" test "$(sector "$tmp/disk" 69)" = "$(sector "$tmp/kept" 69)"
check "sector 72 is not" test "$(sector "$tmp/disk" 72)" = "$(sector "$tmp/kept" 72)"
check "the image keeps its size" test "$(stat -c %s "$tmp/disk")" = "$(stat -c %s "$tmp/kept")"

# --- words the guest says about its memory, waited for
ends 0 '*' --drive "$tmp/kept" --debugcon stdio --serial null --memory 6G --ram-hole 1G \
    --until 'map 0000000100000000 00000000c0000000 00000001'
ends 0 '*' --drive "$tmp/kept" --debugcon stdio --serial null --memory 16T \
    --until 'map 0000000100000000 00000fff20000000 00000001'

# --- resets, power-off, the serial line
ends 33 'the guest wrote 0x10 *' --bios "$guests/reset.bin" --debugcon stdio --serial null --on-reset continue
check "every way to reset" test "$(cat "$tmp/out")" = 'ck9h'
ends 0 'the guest reset *' --bios "$guests/reset.bin" --debugcon stdio --serial null
check "the first reset stops" test "$(cat "$tmp/out")" = 'c'
printf 'hello, guest' >"$tmp/line"
input=$tmp/line
ends 0 '*' --kernel "$guests/clocks.elf" --debugcon "file:$tmp/debugcon" --max-time 60
input=/dev/null
check "it asked for the line" test "$(cat "$tmp/out")" = '?'
check "and switched off" test "$(cat "$tmp/debugcon")" = 'off'

finish
