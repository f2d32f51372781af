#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Option ROMs that SeaBIOS runs: one of ours, iPXE of a network card and of none. Usage: option-roms.sh QUIRE
# GUEST-FOLDER
# shellcheck source=../program.sh
. "$(dirname "$0")/../program.sh"
guests=$(realpath -- "$2")
ipxe=/usr/lib/ipxe/qemu/pxe-e1000.rom
both=/usr/lib/ipxe/qemu/efi-e1000.rom
need "$guests/option.bin" "$ipxe" "$both"

# summed FILE: its last byte is set so that all add up to 0
summed() {
    local sum byte=0
    for sum in $(od -An -v -tu1 "$1"); do
        byte=$(((byte + sum) & 255))
    done
    printf '%b' "\\x$(printf %02x $(((256 - byte) & 255)))" |
        dd of="$1" bs=1 seek=$(($(stat -c %s "$1") - 1)) conv=notrunc status=none
}

cp "$guests/option.bin" "$tmp/hello.rom"
summed "$tmp/hello.rom"
hello='an option ROM says hello'

# --- one of ours, as often as it is given, with and without a VGA
ends 0 'stopped: the guest reset the machine' --option-rom "$tmp/hello.rom"
check "it greets on the serial console" test "$(plain | grep -c "$hello")" = 1
sed 's/hello/howdy/' "$tmp/hello.rom" >"$tmp/howdy.rom"
printf '\0' | dd of="$tmp/howdy.rom" bs=1 seek=511 conv=notrunc status=none
summed "$tmp/howdy.rom"
ends 0 'stopped: the guest reset the machine' --option-rom "$tmp/hello.rom" --option-rom "$tmp/howdy.rom" \
    --vga std --screen "$tmp/screen.txt"
for text in "$hello" 'an option ROM says howdy'; do
    check "'$text' is on the serial console" test "$(plain | grep -c "$text")" = 1
    check "'$text' is on the screen" test "$(grep -c "$text" "$tmp/screen.txt")" = 1
done

# --- what is none
cp "$tmp/hello.rom" "$tmp/sum.rom"
printf 'x' | dd of="$tmp/sum.rom" bs=1 seek=100 conv=notrunc status=none
ends 2 '*sum.rom*add up to*' --option-rom "$tmp/sum.rom"
head -c 511 "$tmp/hello.rom" >"$tmp/short.rom"
ends 2 '*short.rom*512 bytes*511*' --option-rom "$tmp/short.rom"
tail -c +2 "$tmp/hello.rom" >"$tmp/shifted.rom"
ends 2 '*shifted.rom*55 AA*' --option-rom "$tmp/shifted.rom"
ends 2 '*hello.rom: no PCI data structure (PCIR)*' --nic e1000 --nic-rom "$tmp/hello.rom"
ends 2 '*pxe-e1000.rom: made for card 8086:100e, this one is 1234:1111*' --vga std --vga-rom "$ipxe"

# --- iPXE of the network card: its banner, and that it finds the card and no link
ends 0 'stopped: text:Waiting for link-up seen on serial0' --nic e1000 --until 'Waiting for link-up'
check "its banner names the card's place" grep -q '^iPXE (http.* 00:03\.0 ' <(plain)
check "it finds the card" grep -q 'net0: 52:54:00:12:34:56 using 82540em on 0000:00:03.0 (open)' <(plain)
check "it finds no link" grep -q 'Link:down, TX:0 TXE:0 RX:0 RXE:0' <(plain)
ends 0 'stopped: text:iPXE (http seen on serial0' --nic e1000 --nic-rom "$both" --until 'iPXE (http'
ends 0 'stopped: the guest reset the machine' --nic e1000 --nic-rom none --map
check "without its ROM there is no iPXE" test "$(grep -c iPXE "$tmp/out")" = 0
check "the card is there" grep -q 'MMIO "e1000 registers"' "$tmp/err"
ends 0 'stopped: the guest reset the machine' --nic none --map
check "there is none" test "$(cat "$tmp/out" "$tmp/err" | grep -ciE 'iPXE|e1000')" = 0

# --- the same file for no card
ends 0 'stopped: text:No more network devices seen on serial0' --option-rom "$ipxe" --until 'No more network devices'
check "its banner has no place" grep -q '^iPXE (http.* 00:00\.0 ' <(plain)

# --- on the screen, with keys that it reads
ends 0 'stopped: text:iPXE> seen on serial0' --nic e1000 --vga std --screen "$tmp/screen.txt" --type '{Ctrl-B}' \
    --type-at 'Press Ctrl-B for the' --until 'iPXE>'
check "its prompt is on the screen" grep -qx 'iPXE>' "$tmp/screen.txt"

# --- saved while it looks for the link, and restored
ends 0 'stopped: text:Waiting for link-up seen on serial0' --nic e1000 --save "$tmp/state" --save-at 'using 82540em' \
    --until 'Waiting for link-up'
ends 0 'stopped: text:Waiting for link-up seen on serial0' --restore "$tmp/state" --until 'Waiting for link-up'
check "the restored card has no link" grep -q 'Link:down' <(plain)
finish
