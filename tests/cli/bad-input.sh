#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad words and bad files: each gives status 2, one line on stderr that names the option and what to do, and nothing on
# stdout. Usage: bad-input.sh QUIRE
set -u
quire=$1
[ -x "$quire" ] || { echo "no program $quire"; exit 1; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
n_failed=0

# refuse PATTERN ARG...: `quire ARG...` is refused with a line that matches the glob PATTERN.
refuse() {
    local want=$1 status err lines
    shift
    n=$((n + 1))
    timeout 30 "$quire" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    status=$?
    err=$(cat "$tmp/err")
    lines=$(wc -l <"$tmp/err")
    if [ "$status" != 2 ] || [ "$lines" != 1 ] || [ -s "$tmp/out" ] ||
        [[ $err != "quire: "* ]] || [[ $err != *$want* ]]; then
        n_failed=$((n_failed + 1))
        echo "FAILED: quire $*"
        echo "  wanted status 2 and one line with: $want"
        echo "  got status $status, $lines lines, $(wc -c <"$tmp/out") bytes on stdout: $err"
    fi
}

# --- files to refuse
mkdir "$tmp/dir"
: >"$tmp/empty"
head -c 4097 /dev/zero >"$tmp/odd"
head -c 1000 /dev/zero >"$tmp/zeros"
truncate -s 17M "$tmp/bios17M"
truncate -s 200M "$tmp/big200M"
truncate -s 3G "$tmp/huge"
head -c 8192 /dev/zero >"$tmp/bios"
printf '\177ELF\001\001\001' >"$tmp/short.elf"
{ printf '\177ELF\001\001\001'; head -c 100 /dev/zero; } >"$tmp/zero.elf"
{ printf '\177ELF\001\002\001'; head -c 100 /dev/zero; } >"$tmp/big-endian.elf"
{ head -c 497 /dev/zero; printf '\004'; head -c 12 /dev/zero; printf '\125\252\353\000HdrS\017\002'
    head -c 100 /dev/zero; } >"$tmp/short.linux"
head -c 512 /dev/zero >"$tmp/disk"
cp "$tmp/disk" "$tmp/disk2"

{ printf '\125\252\001'; head -c 508 /dev/zero; } >"$tmp/short.rom"
{ printf '\125\252\001\001'; head -c 508 /dev/zero; } >"$tmp/sum.rom"

# --- the program
refuse "unknown command 'frob'*quire run" frob
refuse "unknown option --memory*quire run" --memory 128M
refuse "takes nothing behind it*'x'" --version x
refuse "takes nothing behind it" help frob
refuse "unknown command 'restore'*quire state" restore

# --- options as such
refuse "unknown option --frob*quire run --help" run --frob
refuse "unknown option --memroy*--memory" run --memroy 128M
refuse "unknown option --time-out*--timeout" run --time-out=3
refuse "'disk.img' is not an option*--help" run disk.img
refuse "unknown option -x" run -x
refuse "unknown option --" run --
refuse "unknown option -*" run -
refuse "'' is not an option" run ""
refuse "--memory needs a value*--memory 128M" run --memory
refuse "--memory needs a value*--memory 128M" run --memory --quiet
refuse "--memory: the value is empty*128M" run --memory=
refuse "--memory: the value is empty*128M" run --memory ""
refuse "--stats: the value is empty*--stats=/PGM/*" run --stats=
refuse "--quiet takes no value*=yes" run --quiet=yes
refuse "--memory is given twice" run --memory 1M --memory 2M
refuse "--bios is given twice" run --bios a --bios=b

# --- QEMU's spellings
refuse "-m: spelled --memory SIZE" run -m 128
refuse "-bios is spelled --bios here" run -bios x
refuse "-kernel is spelled --kernel here" run -kernel x
refuse "-append is spelled --append here" run -append x
refuse "-initrd is spelled --initrd here" run -initrd x
refuse "-serial is spelled --serial here" run -serial stdio
refuse "-debugcon is spelled --debugcon here" run -debugcon stdio
refuse "-cpu is spelled --cpu here" run -cpu host
refuse "-drive is spelled --drive here" run -drive file=x
refuse "-rtc is spelled --rtc here" run -rtc base=utc
refuse "-machine is spelled --machine here" run -machine pc
refuse "-M: spelled --machine" run -M pc
refuse "-hda: spelled --drive" run -hda x
refuse "-nographic: leave it away" run -nographic
refuse "-display: leave it away*--screen FILE.png" run -display none
refuse "-vga is spelled --vga here" run -vga std
refuse "-nic is spelled --nic here" run -nic none
refuse "-net: a network card is --nic MODEL" run -net nic
refuse "-netdev: leave it away*--nic MODEL" run -netdev user
refuse "-screendump: spelled --screen FILE.png" run -screendump x
refuse "-sendkey: spelled --type" run -sendkey ret
refuse "-readconfig: spelled --machine FILE.ini" run -readconfig x
refuse "-writeconfig: spelled --print-machine" run -writeconfig x
refuse "-no-reboot: leave it away*--on-reset stop" run -no-reboot
refuse "-nodefaults: leave it away" run -nodefaults
refuse "-d: spelled --trace" run -d int
refuse "-D:*--trace=LIST:FILE" run -D log
refuse "-S:*not there yet" run -S
refuse "-s:*not there yet" run -s
refuse "-gdb:*not there yet" run -gdb tcp::1234
refuse "-monitor:*not there yet" run -monitor stdio
refuse "-smp: there is one CPU" run -smp 2
refuse "-device: cards are --vga std*--nic MODEL*--load" run -device VGA
refuse "-fw_cfg:*not there yet" run -fw_cfg name=x
refuse "-loadvm: spelled --restore FILE" run -loadvm x
refuse "-incoming: spelled --restore FILE" run -incoming x
refuse "-savevm: spelled --save FILE" run -savevm x
refuse "-option-rom is spelled --option-rom here" run -option-rom x
refuse "--hda: spelled --drive" run --hda x

# --- values
refuse "--machine: there is no machine 'q35': say pc*.ini" run --machine q35
refuse "--memory: '128'*128M or 128K" run --memory 128
refuse "--memory: '134217728'*128M or 131072K" run --memory 134217728
refuse "--memory: '0'*128M" run --memory 0
refuse "--memory: a machine needs memory*128M" run --memory 0M
refuse "--memory: '-1M' is no size" run --memory -1M
refuse "--memory: '1.5G' is no size" run --memory 1.5G
refuse "--memory: '128MB' is no size" run --memory=128MB
refuse "--memory: 1K is no multiple*4K" run --memory 1K
refuse "--memory: 4097K is no multiple*4K" run --memory 4097K
refuse "--memory: 17T is more*at most 16T" run --memory 17T
refuse "--memory: '99999999999999999999T' is too large" run --memory 99999999999999999999T
refuse "--ram-hole: 16M does not fit: more than 16M" run --ram-hole 16M
refuse "--ram-hole: 4033M does not fit*at most 4032M" run --ram-hole 4033M
refuse "--ram-hole: 510M does not fit*multiple of 4M" run --ram-hole 510M
refuse "--ram-hole: '512'*512M or 512K" run --ram-hole 512
refuse "--cpu: there is no CPU model 'z80': --cpu help" run --cpu z80
refuse "--clock: there is no clock 'fast': say virtual or host" run --clock fast
refuse "--rtc: 'now' is no date*2026-01-31" run --rtc now
refuse "--rtc: '2023-02-29' is no date" run --rtc 2023-02-29
refuse "--timeout: 'soon' is no time*2.5" run --timeout soon
refuse "--timeout: no time at all" run --timeout 0
refuse "--timeout: '-1' is no time" run --timeout -1
refuse "--timeout: '1e9' is no time" run --timeout 1e9
refuse "--max-time: '99999999999' seconds are too many" run --max-time 99999999999
refuse "--max-time: no time at all" run --max-time 0.0
refuse "--on-reset: 'maybe' is neither stop nor continue" run --on-reset maybe
refuse "--serial: 'file:' is no place*stdio, null or file:PATH" run --serial file:
refuse "--serial: 'pty' is no place*stdio, null or file:PATH" run --serial pty
refuse "--debugcon: 'STDIO' is no place" run --debugcon STDIO
refuse "--debugcon stdio: --serial has stdio*file:PATH" run --serial stdio --debugcon stdio
refuse "--debugcon stdio: --serial has stdio already (its default)" run --debugcon stdio
refuse "--until: moment 'text:' is empty" run --until text:
refuse "--until: moment 'sym:' is empty" run --until sym:
refuse "--until: 'x' is no time" run --until time:x
refuse "--until: 'main' is no address" run --until addr:main
refuse "--until: moment 'port:10000'*at most FFFF" run --until port:10000
refuse "--until: moment 'port:80='*is no address" run --until port:80=
refuse "--until sym:main: there are no symbols*--kernel" run --until sym:main
refuse "--dump: 'x' is not complete*@F0000+64K" run --dump x
refuse "--dump: range '10-10' is empty" run --dump x@10-10
refuse "--dump: size '200' has no unit*0x200*200K" run --dump x@0+200
refuse "--dump: 'x@10000000000000+4K' ends past" run --dump x@10000000000000+4K
refuse "--load: 'x' is not complete*@100000" run --load x
refuse "--load: 'zz' is no address" run --load x@zz
refuse "--drive: 'a,ro': unknown word 'ro'*FILE,rw" run --drive a,ro
refuse "--drive: 'file=a,format=raw': unknown word" run --drive file=a,format=raw
refuse "--drive: there is room for 4 disks" run --drive a --drive b --drive c --drive d --drive e
refuse "--trace:*mmio*pio*rom*fault*irq" run --trace=mmio,frob
refuse "--trace: 'mmio:' names no file" run --trace=mmio:
refuse "--stats: no counter is called '/PGM/Nothing'*--stats-json FILE" run --stats=/PGM/Nothing
refuse "--stats-json: the counters go to 'a.json' already" run --stats=a.json --stats-json b.json
refuse "--info: there is no info item 'frob'; there are phys, page ADDRESS*stats GLOB" run --info frob
refuse "--info: info item 'phys' takes nothing behind it: leave '1000' away" run --info "phys 1000"
refuse "--info: '' is no address*page 0xfffc0" run --info page
refuse "--info: 'main' is no address*page 0xfffc0" run --info "page main"
refuse "--info: '1 2' is no address" run --info "page 1 2"
refuse "--info: '0x10000000000000000' is no address" run --info "page 0x10000000000000000"
refuse "--info: no counter is called '/Nothing*'" run --info "stats /Nothing*"
refuse "--info needs a value*--info phys" run --info
refuse "--save needs a value*machine.state" run --save
refuse "--save-at needs --save FILE" run --save-at login:
refuse "--save-at: moment 'text:' is empty" run --save "$tmp/s" --save-at text:
refuse "--save-at: 'x' is no time" run --save "$tmp/s" --save-at time:x
refuse "--save-at sym:main: there are no symbols" run --save "$tmp/s" --save-at sym:main
refuse "--save-at is given twice" run --save "$tmp/s" --save-at a --save-at b
refuse "--save-live needs --save FILE and --save-at" run --save-live
refuse "--save-live needs --save FILE and --save-at" run --save "$tmp/s" --save-live
refuse "--restore is given twice" run --restore a --restore b
refuse "--load: what is in RAM comes from --restore" run --restore "$tmp/s" --load "$tmp/zeros@1000"
refuse "--append needs --kernel" run --append quiet
refuse "--vga: there is no VGA 'cirrus': say std or none" run --vga cirrus
refuse "--vga-rom needs --vga std" run --vga-rom x
refuse "--nic: there is no network card 'none2': say *e1000*or none" run --nic none2
refuse "--type: *" run --type "{Nokey}"
refuse "--nic-rom needs --nic MODEL" run --nic-rom x
refuse "--screen: there is no screen without a VGA*--vga none" run --vga none --screen "$tmp/a.png"
refuse "--screen-every: there is no screen" run --vga none --screen-every 1 "$tmp/d"
refuse "--screen-record: there is no screen" run --screen-record "$tmp/a.png" --vga none
refuse "--screen: 'x.jpg' does not say what*FILE.png*FILE.txt" run --screen x.jpg
refuse "--screen: '.png' does not say what" run --screen .png
refuse "--screen: 'd/.txt' does not say what" run --screen d/.txt
refuse "--screen-every needs two words*--screen-every 0.1 shots" run --screen-every
refuse "--screen-every needs two words" run --screen-every 0.1
refuse "--screen-every needs two words" run --screen-every 0.1 --quiet
refuse "--screen-every needs two words" run --screen-every 0.1 ""
refuse "--screen-every needs two words" run --screen-every "0.1 " --quiet
refuse "--screen-every needs two words" run --screen-every=0.1
refuse "--screen-every needs two words" run "--screen-every= shots"
refuse "--screen-every: 'x' is no time" run --screen-every x shots
refuse "--screen-every: no time at all*0.1 shots" run --screen-every=0 shots
refuse "--screen-every is given twice" run --screen-every 1 a --screen-every 2 b
refuse "--screen-record: 'a.gif' does not say*animated PNG" run --screen-record a.gif
refuse "--memory-picture: 'a.svg' does not say*FILE.png*FILE.json" run --memory-picture a.svg
refuse "--memory-film: 'a' does not say*,every=SECONDS" run --memory-film a,every=1
refuse "--memory-film: no time at all*a.png,every=0.1" run --memory-film a.png,every=0
refuse "--memory-film: 'x' is no time" run --memory-film a.png,every=x
refuse "--rom: 'x' is not complete*@" run --rom x
refuse "--rom: 'x@1' does not begin at a page" run --rom x@1
refuse "--type-at: say what to type first*--type TEXT" run --type-at time:1 --type a
refuse "--type-at: --type 'b' has a moment already" run --type a --type-at x --type b --type-at y --type-at z
refuse "--type-at: 'x' is no time" run --type a --type-at time:x
refuse "--initrd needs --kernel" run --initrd "$tmp/zeros"

# --- files
for option in bios kernel drive; do
    refuse "--$option: *$tmp/none*" run "--$option" "$tmp/none"
    refuse "--$option: *$tmp/dir*" run "--$option" "$tmp/dir"
    refuse "--$option: *$tmp/empty*" run "--$option" "$tmp/empty"
done
for file in none dir empty; do
    refuse "--load: *$tmp/$file*" run --load "$tmp/$file@100000"
done
for option in vga-rom nic-rom option-rom; do
    card=()
    [ $option = vga-rom ] && card=(--vga std)
    [ $option = nic-rom ] && card=(--nic e1000)
    for file in none dir empty; do
        refuse "--$option: *$tmp/$file*" run "${card[@]}" "--$option" "$tmp/$file"
    done
    refuse "--$option: '$tmp/zeros': does not begin with 55 AA" run "${card[@]}" "--$option" "$tmp/zeros"
    refuse "--$option: '$tmp/short.rom': its header says 512 bytes, there are 511" run "${card[@]}" "--$option" "$tmp/short.rom"
    refuse "--$option: *$tmp/huge*" run "${card[@]}" "--$option" "$tmp/huge"
done
refuse "--option-rom: '$tmp/sum.rom'*add up to" run --option-rom "$tmp/sum.rom"
refuse "--rom: *$tmp/none" run --rom "$tmp/none@D0000000"
refuse "--rom: *$tmp/huge" run --rom "$tmp/huge@D0000000"
refuse "--rom: '$tmp/zeros': *0xc8000*overlaps" run --rom "$tmp/zeros@C8000"
refuse "--rom: '$tmp/zeros': *" run --rom "$tmp/zeros@FFFFFFFFFFFFF000"
refuse "--bios: *$tmp/odd*4097 bytes*multiple of 4K" run --bios "$tmp/odd"
refuse "--bios: *$tmp/bios17M*" run --bios "$tmp/bios17M"
refuse "--bios: *$tmp/huge*" run --bios "$tmp/huge"
refuse "--kernel: *$tmp/zeros*neither an ELF file nor a Linux kernel" run --kernel "$tmp/zeros"
refuse "--kernel: *$tmp/huge*" run --kernel "$tmp/huge"
refuse "--kernel: *$tmp/short.elf*" run --kernel "$tmp/short.elf"
refuse "--kernel: *$tmp/zero.elf*" run --kernel "$tmp/zero.elf"
refuse "--kernel: *$tmp/big-endian.elf*" run --kernel "$tmp/big-endian.elf"
refuse "--kernel: *$tmp/short.linux*" run --kernel "$tmp/short.linux"
refuse "--append: only a Linux kernel" run --kernel "$tmp/zero.elf" --append quiet
refuse "--load: *$tmp/big200M*" run --load "$tmp/big200M@100000" --memory 64M
refuse "--load: *$tmp/zeros*" run --load "$tmp/zeros@FFFFFFFFFFFFFFFF"
refuse "--load: *$tmp/zeros*" run --load "$tmp/zeros@E0000000"
refuse "--load: *$tmp/zeros*" run --load "$tmp/zeros@7FFFFFF"
refuse "--serial: cannot write '$tmp/dir'" run --serial "file:$tmp/dir"
refuse "--debugcon: cannot write '$tmp/none/x'" run --debugcon "file:$tmp/none/x"
refuse "--dump: cannot write '$tmp/dir'" run --dump "$tmp/dir@0+4K"
refuse "--stats-json: cannot write '$tmp/dir'" run --stats-json "$tmp/dir"
refuse "--stats-json: cannot write '$tmp/none/x.json'" run "--stats=$tmp/none/x.json"
refuse "--trace: cannot write '$tmp/dir'" run "--trace=mmio:$tmp/dir"
refuse "--bios: *a?b*" run --bios $'a\nb'

for file in "$tmp/dir" "$tmp/none/x" "$tmp/zeros/x" /dev/null; do
    refuse "--save: cannot write '$file'" run --save "$file"
done

# --- saved states
refuse "quire state needs a FILE" state
refuse "quire state takes one FILE: leave 'b' away" state a b
refuse "unknown option --frob*quire state --help" state --frob
for file in none dir empty zeros disk; do
    refuse "*$tmp/$file*" state "$tmp/$file"
    refuse "--restore: *$tmp/$file*" run --restore "$tmp/$file"
done
timeout 30 "$quire" run --memory 16M --serial null --until time:0.001 --save "$tmp/good" 2>"$tmp/err" </dev/null ||
    { echo "FAILED: no state to damage"; cat "$tmp/err"; n_failed=$((n_failed + 1)); }
size=$(stat -c %s "$tmp/good")
for part in 0 8 31 100 $((size / 2)) $((size - 33)) $((size - 1)); do
    head -c "$part" "$tmp/good" >"$tmp/cut"
    refuse "*$tmp/cut*" state "$tmp/cut"
    refuse "--restore: *$tmp/cut*" run --restore "$tmp/cut" --serial "file:$tmp/kept"
done
if [ -e "$tmp/kept" ]; then
    echo "FAILED: a refused --restore made an output"
    n_failed=$((n_failed + 1))
fi
for at in 9 40 200 $((size / 2)) $((size - 40)) $((size - 4)); do
    cp "$tmp/good" "$tmp/bent"
    byte=$(od -An -tu1 -j "$at" -N 1 "$tmp/good")
    printf '%b' "\\x$(printf %02x $((byte ^ 16)))" | dd of="$tmp/bent" bs=1 seek="$at" conv=notrunc 2>/dev/null
    refuse "*$tmp/bent*" state "$tmp/bent"
    refuse "--restore: *$tmp/bent*" run --restore "$tmp/bent"
done
refuse "--memory: '32M' here, but '16M' in the state" run --restore "$tmp/good" --memory 32M
refuse "--ram-hole: '1G' here, but '512M' in the state" run --restore "$tmp/good" --ram-hole 1G
refuse "--clock: 'host' here, but 'virtual' in the state" run --restore "$tmp/good" --clock host
refuse "--rtc: '2020-01-01T00:00:00' here, but '2000-01-01T00:00:00' in" run --restore "$tmp/good" --rtc 2020-01-01
refuse "--cpu: 'qemu64' here, but 'qemu32' in the state" run --restore "$tmp/good" --cpu qemu64
refuse "--drive: 1 of them here, but 0 in the state" run --restore "$tmp/good" --drive "$tmp/disk"
refuse "--bios: *$tmp/none*" run --restore "$tmp/good" --bios "$tmp/none"
refuse "--bios: '$tmp/bios' (8192 bytes) here, but '/*' (*[0-9] bytes) in the state '$tmp/good': leave it away" \
    run --restore "$tmp/good" --bios "$tmp/bios"
# The same size, other bytes; and the state's own file with another size.
{ head -c 8191 /dev/zero; printf '\001'; } >"$tmp/bios2"
cp "$tmp/bios" "$tmp/bios3"
timeout 30 "$quire" run --memory 16M --bios "$tmp/bios3" --until time:0 --save "$tmp/good2" 2>"$tmp/err" </dev/null ||
    { echo "FAILED: no state of a firmware"; cat "$tmp/err"; n_failed=$((n_failed + 1)); }
refuse "--bios: '$tmp/bios2' (SHA-256 *) here, but '$tmp/bios3' (SHA-256 *) in the state '$tmp/good2': leave it away" \
    run --restore "$tmp/good2" --bios "$tmp/bios2"
head -c 4096 /dev/zero >"$tmp/bios3"
refuse "--bios: '$tmp/bios3' (4096 bytes) here, but '$tmp/bios3' (8192 bytes) in*: the file has changed" \
    run --restore "$tmp/good2"
refuse "--dump: *is the file of --restore too" run --restore "$tmp/good" --dump "$tmp/good@0+4K"

# --- one file in two roles
refuse "--debugcon: *is the file of --serial too" run --serial "file:$tmp/o" --debugcon "file:$tmp/o"
refuse "--dump: *is the file of --drive too" run --drive "$tmp/disk" --dump "$tmp/disk@0+4K"
refuse "--drive: *is the file of --drive too" run --drive "$tmp/disk,rw" --drive "$tmp/disk"
refuse "--stats-json: *is the file of --bios too" run --bios "$tmp/bios" --stats-json "$tmp/bios"
refuse "--save: *is the file of --bios too" run --bios "$tmp/bios" --save "$tmp/bios"
refuse "--save: *is the file of --drive too" run --drive "$tmp/disk" --save "$tmp/disk"
if ! cmp -s "$tmp/disk" "$tmp/disk2"; then
    echo "FAILED: a refused --dump changed the disk"
    n_failed=$((n_failed + 1))
fi

echo "$n bad inputs, $n_failed failures"
[ "$n" -ge 60 ] && [ "$n_failed" = 0 ]
