#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Machine files from outside, with the distribution's SeaBIOS: the one of the README, printing and reading back, the
# command line beside a file, folders, states, and files that must not be written. Usage: machine-files.sh QUIRE README
# shellcheck source=../program.sh
. "$(dirname "$0")/../program.sh"
readme=$(realpath -- "$2") || exit 1

# has PATTERN FILE: a line of FILE matches
has() {
    n=$((n + 1))
    grep -q -e "$1" "$2" || { fail "no '$1' in $2"; head -n 30 "$2"; }
}

# same FILE FILE
same() {
    n=$((n + 1))
    cmp -s "$1" "$2" || { fail "$1 and $2 differ"; diff "$1" "$2"; }
}

# A disk whose boot sector writes "login:" with INT 10h, which SeaBIOS shows on the first serial port too, then waits.
{
    bytes FC 31 C0 8E D8 BE 20 7C    # cld; xor ax, ax; mov ds, ax; mov si, 7C20
    bytes AC 84 C0 74 09             # next: lodsb; test al, al; jz wait
    bytes B4 0E BB 07 00 CD 10 EB F2 # mov ah, 0E; mov bx, 7; int 10; jmp next
    bytes FB F4 EB FC                # wait: sti; hlt; jmp wait
    head -c 6 /dev/zero
    printf 'login:'
    head -c $((510 - 38)) /dev/zero
    bytes 55 AA
    head -c $((1048576 - 512)) /dev/zero
} >"$tmp/disk.img"
# An option ROM whose code is one far return, and whose bytes add up to 0.
{ bytes 55 AA 01 CB 00 35; head -c $((512 - 6)) /dev/zero; } >"$tmp/option.rom"
seq 2000 | head -c 5000 >"$tmp/data"

# --- the README's
# shellcheck disable=SC2016 # these are Markdown's backquotes
sed -n '/^```ini$/,/^```$/{/^```/d;p}' "$readme" >"$tmp/guest.ini"
has '^\[machine\]' "$tmp/guest.ini"
ends 0 'stopped: text:login: seen on serial0' --machine "$tmp/guest.ini" --serial "file:$tmp/serial"
has 'login:' "$tmp/serial"
has '^login:' "$tmp/screen.txt"
(cd "$tmp" && rm screen.txt && "$quire" run --machine guest.ini --quiet >"$tmp/out" 2>"$tmp/err" </dev/null)
has 'login:' "$tmp/out"
has '^login:' "$tmp/screen.txt"

# --- printed, read, printed
printed() {
    local name=$1
    shift
    n=$((n + 1))
    "$quire" run "$@" --print-machine >"$tmp/$name" 2>"$tmp/err" </dev/null || fail "--print-machine $*"
    [ ! -s "$tmp/err" ] || fail "--print-machine $* says something"
}
printed 1.ini --machine "$tmp/guest.ini"
printed 2.ini --machine "$tmp/1.ini"
same "$tmp/1.ini" "$tmp/2.ini"
has "^file=$tmp/disk.img\$" "$tmp/1.ini"
has '^memory=64M$' "$tmp/1.ini"
has '^bios=/' "$tmp/1.ini"
# The printed one makes the same machine: the same guest in the same guest time.
"$quire" run --machine "$tmp/guest.ini" 2>&1 >/dev/null </dev/null | grep '^quire: pages' >"$tmp/pages1"
"$quire" run --machine "$tmp/1.ini" 2>&1 >/dev/null </dev/null | grep '^quire: pages' >"$tmp/pages2"
has pages "$tmp/pages1"
same "$tmp/pages1" "$tmp/pages2"

# --- the command line beside it
printed 3.ini --machine "$tmp/guest.ini" --memory 32M --until more --vga-rom none --screen-every '1 x' --quiet
has '^memory=32M$' "$tmp/3.ini"
has '^until.3=text:more$' "$tmp/3.ini"
has '^rom=none$' "$tmp/3.ini"
has "^screen-every=1 $PWD/x\$" "$tmp/3.ini"
has '^quiet=true$' "$tmp/3.ini"

# --- ROMs, and a state of such a machine
cat >"$tmp/roms.ini" <<'END'
[rom extra]
file=data
address=D0000000
[rom quick]
file=option.rom
address=firmware
[load somewhere]
file=data
address=300000
[drive 1]
file=disk.img
[device debug]
type=debugcon
output=file:bios.log
[run]
until=login:
max-time=8
END
ends 0 'stopped: text:login: seen on serial0' --machine "$tmp/roms.ini" --map --save "$tmp/s" \
    --dump "$tmp/rom@D0000000+0x1388" --dump "$tmp/ram@300000+0x1388"
has 'd0000000.*ROM "data"' "$tmp/err"
has 'option\.rom' "$tmp/bios.log"
has 'Running option rom' "$tmp/bios.log"
same "$tmp/data" "$tmp/rom"
same "$tmp/data" "$tmp/ram"
# The same file for the run that goes on, and the state alone.
ends 6 'stopped: *' --machine "$tmp/roms.ini" --restore "$tmp/s" --max-time 9
rm "$tmp/rom"
ends 6 'stopped: *' --restore "$tmp/s" --max-time 9 --dump "$tmp/rom@D0000000+0x1388"
same "$tmp/data" "$tmp/rom"
sed 's/300000/400000/' "$tmp/roms.ini" >"$tmp/moved.ini"
ends 2 "$tmp/moved.ini: \[load *\]: --load: '*data' is at another address in the state*" --machine "$tmp/moved.ini" --restore "$tmp/s"
sed 's/D0000000/D0100000/' "$tmp/roms.ini" >"$tmp/moved.ini"
ends 2 "$tmp/moved.ini: \[rom *\]: --rom: '*data' is at another address*" --machine "$tmp/moved.ini" --restore "$tmp/s"
bytes 01 | dd of="$tmp/data" conv=notrunc status=none bs=1 seek=10
ends 2 "$tmp/roms.ini: \[rom *\]: --rom: '*data' (SHA-256*" --machine "$tmp/roms.ini" --restore "$tmp/s"

# --- cards in a state
ends 0 'stopped: time:0.001 reached' --vga std --nic e1000 --until time:0.001 --save "$tmp/cards"
ends 6 'stopped: *' --restore "$tmp/cards" --max-time 0.002 --screen "$tmp/a.png"
ends 6 'stopped: *' --restore "$tmp/cards" --max-time 0.002 --vga std --nic e1000
ends 2 "--vga: 'none' here, but 'std' in the state*" --restore "$tmp/cards" --vga none
ends 2 "--nic: 'none' here, but 'e1000' in the state*" --restore "$tmp/cards" --nic none
ends 2 "--vga-rom: 'none' here, but '*' in the state*" --restore "$tmp/cards" --vga-rom none
ends 2 "--vga-rom: '*option.rom' (512 bytes) here, but*" --restore "$tmp/cards" --vga-rom "$tmp/option.rom"
ends 2 "--option-rom: 1 of them here, but 0 in the state*" --restore "$tmp/cards" --option-rom "$tmp/option.rom"
ends 0 'stopped: time:0.001 reached' --until time:0.001 --save "$tmp/bare"
ends 2 "--screen: the machine in the state '$tmp/bare' has no VGA*" --restore "$tmp/bare" --screen "$tmp/a.png"

# --- what must not be written
cp "$tmp/roms.ini" "$tmp/kept.ini"
ends 2 "--dump: '$tmp/roms.ini' is the file of --machine too*" --machine "$tmp/roms.ini" --dump "$tmp/roms.ini@0+4K"
ends 2 "--serial: '$tmp/roms.ini' is the file of --machine too*" --machine "$tmp/roms.ini" \
    --serial "file:$tmp/roms.ini"
same "$tmp/roms.ini" "$tmp/kept.ini"

# --- errors name file, group and key
printf '[run]\ntimeout=soon\n' >"$tmp/bad.ini"
ends 2 "$tmp/bad.ini: \[run\] timeout: 'soon' is no time*" --machine "$tmp/bad.ini"
# What is found only when the value is used.
while IFS='|' read -r text want; do
    printf '%b' "$text" >"$tmp/bad.ini"
    ends 2 "$tmp/bad.ini: $want" --machine "$tmp/bad.ini"
done <<'END'
[drive 1]\nfile=none.img\n|\[drive 1\] file: --drive: *none.img*
[machine]\nbios=none.bin\n|\[machine\] bios: --bios: *none.bin*
[device a]\ntype=vga\nmodel=std\nrom=none.rom\n|\[device a\] rom: --vga-rom: *none.rom*
[rom a]\nfile=bad.ini\naddress=firmware\n|\[rom a\]: --option-rom: *bad.ini*
[load a]\nfile=data\naddress=FFFFFFFFFFFFF\n|\[load a\]: --load: *data*
[run]\nscreen=none/x.png\n|\[run\] screen: --screen: *none/x.png*
[run]\nuntil.1=x\nuntil.2=sym:foo\n|\[run\] until.2: --until*sym:foo*
[run]\ninfo=foo\n|\[run\] info: --info: *foo*
[machine]\nappend=x\n|\[machine\] append: --append needs *
[device x]\ntype=vga\nmodel=none\n[run]\nscreen=a.png\n|--screen: *--vga none*
END
printf '[drive 1]\nfile=disk.img\n' >"$tmp/bad.ini"
ends 2 "--drive: *none.img*" --machine "$tmp/bad.ini" --drive "$tmp/none.img"
ends 2 "--machine: *$tmp/none.ini*" --machine "$tmp/none.ini"
ends 2 "--machine: *$tmp*" --machine "$tmp/"
: >"$tmp/empty.ini"
ends 2 "--machine: *empty*" --machine "$tmp/empty.ini"
# All bytes there are but line feed and NUL, shuffled: 89 has no factor in common with 255.
for ((i = 0; i < 4096; i++)); do
    printf -v hex '\\x%02x' $((i * 89 % 255 + 1))
    [ "$hex" = '\x0a' ] || printf '%b' "$hex"
done >"$tmp/bytes.ini"
ends 2 "$tmp/bytes.ini: *" --machine "$tmp/bytes.ini"
truncate -s 2M "$tmp/huge.ini"
ends 2 "--machine: *huge.ini*" --machine "$tmp/huge.ini"

finish
