#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Loaders and others that write with INT 10h: the same words on the screen and on the serial console. Ours, GRUB, and
# memtest86+ started by GRUB, which draws its screen itself. Usage: loaders.sh QUIRE GUEST-FOLDER
# shellcheck source=../program.sh
. "$(dirname "$0")/../program.sh"
guests=$(realpath -- "$2")
grub=/usr/lib/grub/i386-pc
memtest_bin=/boot/memtest86+ia32.bin
need "$guests/words.bin" "$grub/boot.img" "$memtest_bin"

# grub_disk FILE CONFIG FILE-TO-LOAD MODULE...: a disk whose GRUB does what CONFIG says
grub_disk() {
    local disk=$1 config=$2 load=$3
    shift 3
    printf '%s\n' "$config" >"$tmp/grub.cfg"
    tar -C "$(dirname "$load")" -cf "$tmp/load.tar" "$(basename "$load")"
    grub-mkimage -O i386-pc -o "$tmp/core.img" -c "$tmp/grub.cfg" -m "$tmp/load.tar" -p /boot/grub biosdisk memdisk \
        tar "$@" || { echo "grub-mkimage failed: package grub-common"; exit 1; }
    cat "$grub/boot.img" "$tmp/core.img" >"$disk"
    truncate -s 2M "$disk"
}

screen=(--vga std --screen "$tmp/screen.txt")

# --- ours
cp "$guests/words.bin" "$tmp/words"
truncate -s 1M "$tmp/words"
ends 33 'stopped: the guest wrote 0x10 *' --drive "$tmp/words" "${screen[@]}"
# What scrolled away was line 0; the cursor stood on the last line.
{
    echo 'a second line'
    printf '\n\n%10sa string in its place\n\n' ''
    printf '%040d\n' 0 | tr 0 '*'
    for ((line = 6; line < 23; line++)); do echo; done
    printf 'the last line\nand behind it\n'
} >"$tmp/want"
check "every way to write, in its place" diff "$tmp/want" "$tmp/screen.txt"
# All but the placed string: SeaBIOS's serial console does not know that call.
for text in 'words by teletype' 'a second line' '\*\{40\}' 'the last line' 'and behind it'; do
    check "'$text' is on the serial console" grep -q "$text" <(plain)
done
ends 33 'stopped: the guest wrote 0x10 *' --drive "$tmp/words"
check "on the serial console without a screen" grep -q 'words by teletype' <(plain)

# --- GRUB
grub_disk "$tmp/grub.img" 'echo "Words of GRUB"
sleep 1
echo "after a second"
echo "now off"
halt' "$guests/words.bin" echo sleep halt
ends 0 'stopped: the guest switched the machine off' --drive "$tmp/grub.img" "${screen[@]}"
for text in 'Welcome to GRUB!' 'Words of GRUB' 'after a second'; do
    check "'$text' is on the screen" grep -qx "$text" "$tmp/screen.txt"
    check "'$text' is on the serial console" grep -qx "$text" <(plain)
done
ends 0 'stopped: the guest switched the machine off' --drive "$tmp/grub.img"
check "GRUB on the serial console alone" grep -qx 'after a second' <(plain)

# --- GRUB's shell, typed into; few keys, since it asks the BIOS for one all the time
grub_disk "$tmp/shell.img" 'normal' "$guests/words.bin" normal echo halt terminal
ends 0 'stopped: the guest switched the machine off' --drive "$tmp/shell.img" "${screen[@]}" \
    --type 'echo [x]+1\nhalt\n' --type-at 'grub>'
check "what was typed is echoed" grep -qx 'grub> echo \[x\]+1' "$tmp/screen.txt"
check "and done" grep -qx '\[x\]+1' "$tmp/screen.txt"

# --- memtest86+ on the screen alone; its menu by a key
cp "$memtest_bin" "$tmp/memtest"
grub_disk "$tmp/memtest.img" $'linux16 (memdisk)/memtest\nboot' "$tmp/memtest" linux16 boot
memtest=(--drive "$tmp/memtest.img" --memory 24M --vga std --serial null)
ends 6 'stopped: limit: --max-time 4' "${memtest[@]}" --screen "$tmp/screen.txt" --max-time 4
check "memtest86+'s title" grep -qE '^ *Memtest86\+ +v[0-9.]+ +│ ' "$tmp/screen.txt"
check "memtest86+ at work" grep -qE 'Status: Testing|Test #' "$tmp/screen.txt"
check "memtest86+ on line 25" grep -q '^ <ESC> Exit' <(sed -n 25p "$tmp/screen.txt")
ends 6 'stopped: limit: --max-time 4' "${memtest[@]}" --screen "$tmp/screen.txt" --max-time 4 --type '{F1}' \
    --type-at time:2
check "its menu opens" grep -q '<F10> Exit menu' "$tmp/screen.txt"
ends 0 'stopped: the guest reset the machine' "${memtest[@]}" --type '\e' --type-at time:2
finish
