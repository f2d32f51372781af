#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whole runs of firmware images of a few bytes, made here: exit status, consoles, the last line, moments, limits,
# signals, and what is left behind. Usage: runs.sh QUIRE
# shellcheck source=../program.sh
. "$(dirname "$0")/../program.sh"

# le32 N...: little-endian words
le32() {
    local word
    for word in "$@"; do
        bytes "$(printf %02x $((word & 255)))" "$(printf %02x $((word >> 8 & 255)))" \
            "$(printf %02x $((word >> 16 & 255)))" "$(printf %02x $((word >> 24 & 255)))"
    done
}

# prints TEXT: what the last run had on stdout
prints() {
    n=$((n + 1))
    if [ "$(cat "$tmp/out")" != "$1" ]; then
        fail "wanted '$1' on stdout, got '$(head -c 200 "$tmp/out")'"
    fi
}

hi=(BA F8 03 B0 48 EE B0 69 EE)   # "Hi" to the serial port
exit0=(B0 00 E6 F4 EB FE)         # isa-debug-exit, value 0
firmware hi "${hi[@]}" "${exit0[@]}"
firmware exit3 B0 03 E6 F4 EB FE
firmware loop "${hi[@]}" EB FE
firmware flood BA F8 03 B0 41 EE EB FD
firmware halt "${hi[@]}" FA F4 EB FD
firmware triple 0F 01 1E 00 00 CC EB FE
firmware nowhere EA 00 00 00 A0
firmware idle FB F4 EB FD
firmware reset "${hi[@]}" BA F9 0C B0 06 EE EB FE
firmware kbc-reset "${hi[@]}" B0 FE E6 64 EB FE
firmware power-off "${hi[@]}" 66 B8 40 0B 00 80 BA F8 0C 66 EF 66 B8 01 06 00 00 BA FC 0C 66 EF \
    66 B8 80 0B 00 80 BA F8 0C 66 EF B0 01 BA FC 0C EE B8 00 20 BA 04 06 EF EB FE
firmware login BA F8 03 B0 6C EE B0 6F EE B0 1B EE B0 5B EE B0 31 EE B0 6D EE B0 67 EE B0 69 EE \
    B0 6E EE EB FE
firmware split BA F8 03 B0 48 EE BA 02 04 B0 69 EE EB FE # 'H' to one console, 'i' to the other
firmware port B0 AA E6 80 B0 55 E6 80 "${exit0[@]}"
firmware echo BA FD 03 EC A8 01 74 F8 BA F8 03 EC 3C 71 74 03 EE EB ED "${exit0[@]}"
firmware ram C6 06 00 05 5A B0 00 E6 F4 EB FE
firmware far EA 00 10 00 00
firmware two BA F8 03 B0 48 EE E6 80 EB 00 B0 69 EE "${exit0[@]}"     # 'H', port 80, a jump, 'i'
firmware count BA F8 03 FE C0 EE B9 00 40 E2 FE EB F6                # all bytes in turn, for ever
bytes "${hi[@]}" "${exit0[@]}" >"$tmp/loaded"

# An ELF kernel at 1M: main says 'K', done exits. Headers, code, names, symbols, sections.
{
    bytes 7F 45 4C 46 01 01 01 00 00 00 00 00 00 00 00 00
    le32 0x00030002 1 0x100000 52 180 0 0x00200034 0x00280001 0x00020003
    le32 1 84 0x100000 0x100000 32 32 5 1
    bytes 66 BA F8 03 B0 4B EE B0 00 E6 F4 EB FE
    head -c 19 /dev/zero
    printf '\0main\0done\0\0\0\0\0\0'
    le32 0 0 0 0
    le32 1 0x100000 7 0xFFF10012
    le32 6 0x100007 6 0xFFF10012
    le32 0 0 0 0 0 0 0 0 0 0
    le32 0 2 0 0 132 48 2 1 4 16
    le32 0 3 0 0 116 16 0 0 1 0
} >"$tmp/kernel.elf"

# --- consoles and statuses
ends 1 '*' --bios "$tmp/hi"
prints Hi
says 'quire: time: '
ends 1 '*' --bios "$tmp/hi" --quiet
check "--quiet leaves one line" test "$(wc -l <"$tmp/err")" = 1
ends 7 '*' --bios "$tmp/exit3"
ends 0 '*' --bios "$tmp/power-off"
prints Hi
ends 0 '*' --bios "$tmp/reset"
prints Hi
ends 0 '*' --bios "$tmp/kbc-reset"
ends 4 '*' --bios "$tmp/triple"
says EIP
ends 4 '*' --bios "$tmp/halt"
prints Hi
ends 4 '*' --bios "$tmp/nowhere"
says '0xa0000'
ends 4 '*before --until was seen' --bios "$tmp/power-off" --until nothing
ends 4 '*before --until was seen' --bios "$tmp/reset" --until nothing
ends 1 '*' --bios "$tmp/hi" --serial null
prints ''
ends 1 '*' --bios "$tmp/hi" --serial "file:$tmp/serial"
prints ''
check "--serial file: has the text" test "$(cat "$tmp/serial")" = Hi
ends 6 '*' --bios "$tmp/split" --serial null --debugcon stdio --max-time 0.01
prints i

# --- moments
ends 0 'text:Hi seen on serial0' --bios "$tmp/loop" --until Hi
ends 0 'text:Hi seen on serial0' --bios "$tmp/loop" --until text:Hi --serial null
ends 0 'text:login seen on serial0' --bios "$tmp/login" --until login
ends 6 'limit: --max-time 0.05' --bios "$tmp/split" --until Hi --max-time 0.05
ends 0 'time:0.02 reached' --bios "$tmp/loop" --until time:0.02 --max-time 0.5
ends 0 'time:0.02 reached' --bios "$tmp/loop" --until time:0.02 --max-time 0.02
ends 0 'time:0 reached' --bios "$tmp/loop" --until time:0
prints ''
ends 0 'addr:FFFFFF09 reached' --bios "$tmp/loop" --until addr:FFFFFF09
prints Hi
ends 0 'port:80 reached' --bios "$tmp/port" --until port:80
ends 0 'port:80=55 reached' --bios "$tmp/port" --until port:80=55
ends 1 '*' --bios "$tmp/port" --until port:80=77
ends 0 'text:H seen on serial0' --bios "$tmp/loop" --until nothing --until H --until time:1

# --- kernels
ends 1 '*' --kernel "$tmp/kernel.elf"
prints K
ends 0 'sym:done reached' --kernel "$tmp/kernel.elf" --until sym:done
prints K
ends 0 'sym:main reached' --kernel "$tmp/kernel.elf" --until sym:main
prints ''
n=$((n + 1))
"$quire" run --kernel "$tmp/kernel.elf" --until sym:gone >"$tmp/out" 2>"$tmp/err"
[ $? = 2 ] || fail "a symbol that is not there"
says 'quire: --until sym:gone: the kernel has no such symbol'

# --- limits and signals
ends 6 'limit: --max-time 0.1' --bios "$tmp/loop" --max-time 0.1
ends 6 'limit: --timeout 0.3' --bios "$tmp/loop" --timeout 0.3
ends 6 'limit: --timeout 0.3' --bios "$tmp/flood" --timeout 0.3
ends 6 'limit: --timeout 0.3' --bios "$tmp/loop" --clock host --timeout 0.3
ends 4 'halted for good*' --bios "$tmp/idle"
ends 6 'limit: --max-time 3000' --bios "$tmp/idle" --max-time 3000
ends 6 'limit: --timeout 0.3' --bios "$tmp/idle" --clock host --max-time 100 --timeout 0.3
ends 6 'limit: --timeout 0.3' --bios "$tmp/reset" --on-reset continue --timeout 0.3
check "--on-reset continue goes on" test "$(head -c 4 "$tmp/out")" = HiHi

# signalled SIGNAL STATUS: a guest that runs for ever
signalled() {
    local pid status
    n=$((n + 1))
    : >"$tmp/out" # what is waited for below must be this run's
    "$quire" run --bios "$tmp/loop" --timeout 30 >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    until [ -s "$tmp/out" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
    kill -"$1" $pid
    wait $pid
    status=$?
    [ $status = "$2" ] || fail "SIG$1: wanted status $2, got $status"
    says 'quire: time: '
    says "quire: stopped: by SIG$1"
}
# Without a line end "Hi" waits in a buffer until a slice ends; that is soon.
signalled TERM 143
signalled INT 130
signalled HUP 129

# --- output that cannot be written
n=$((n + 1))
timeout 60 "$quire" run --bios "$tmp/flood" --timeout 20 2>"$tmp/err" </dev/null | head -c 10 >"$tmp/out"
[ "${PIPESTATUS[0]}" = 2 ] || fail "a closed pipe: wanted status 2"
says 'stopped: cannot write stdout: Broken pipe'
n=$((n + 1))
timeout 60 "$quire" run --bios "$tmp/flood" --timeout 20 >/dev/full 2>"$tmp/err" </dev/null
[ $? = 2 ] || fail "a full device: wanted status 2"
says 'stopped: cannot write stdout: No space left'
n=$((n + 1))
timeout 60 "$quire" run --bios "$tmp/hi" --serial "file:$tmp/serial" --debugcon stdio >&- 2>"$tmp/err" <&-
[ "$?$(cat "$tmp/serial")" = 1Hi ] || fail "closed standard files"
n=$((n + 1))
timeout 60 "$quire" run --bios "$tmp/flood" --timeout 20 >&- 2>"$tmp/err"
[ $? = 2 ] || fail "a closed stdout: wanted status 2"
says 'stopped: cannot write stdout'
ends 2 '*' --bios "$tmp/power-off" --dump /dev/full@FFFFE000+8K
says '--dump: cannot write /dev/full'

# --- both on one pipe: our words start on a line of their own
n=$((n + 1))
"$quire" run --bios "$tmp/hi" --quiet </dev/null 2>&1 | cat >"$tmp/err"
[[ $(cat "$tmp/err") == Hi$'\n''quire: stopped: '* ]] || fail "one pipe for both"

# --- input
printf 'abcq' >"$tmp/keys"
input=$tmp/keys
ends 1 '*' --bios "$tmp/echo" --timeout 20
prints abc
{ head -c 100000 /dev/zero | tr '\0' x; printf q; } >"$tmp/keys"
ends 1 '*' --bios "$tmp/echo" --timeout 30
check "100000 keys come back" test "$(wc -c <"$tmp/out")" = 100000
input=/dev/null

# --- what is left behind
ends 1 '*' --bios "$tmp/ram" --dump "$tmp/rom@FFFFE000+8K" --dump "$tmp/low@500+0x2" \
    --dump "$tmp/hole@A0000-A1000"
check "ROM is dumped" cmp "$tmp/rom" "$tmp/ram"
check "RAM is dumped" test "$(od -An -tx1 "$tmp/low")" = ' 5a 00'
head -c 4096 /dev/zero | tr '\0' '\377' >"$tmp/ones"
check "nothing dumps as ones" cmp "$tmp/hole" "$tmp/ones"
ends 1 '*' --bios "$tmp/far" --load "$tmp/loaded@1000"
prints Hi
ends 7 '*' --bios "$tmp/exit3" --map --stats
says '/PGM/Page/cZeroPages'
says '/Bus/Port/Writes'
ends 7 '*' --bios "$tmp/exit3" "--stats=$tmp/stats.json"
check "JSON has counters" grep -q '"/PGM/Page/cZeroPages" : [0-9]' "$tmp/stats.json"
check "JSON has the status" grep -q '"status" : 7' "$tmp/stats.json"
ends 7 '*' --bios "$tmp/exit3" '--stats=/PGM/Page/c*Pages' --quiet
says '/PGM/Page/cZeroPages'
check "--stats=GLOB leaves out what does not match" test "$(grep -cv '^/PGM/Page/c.*Pages \|^quire: stopped' "$tmp/err")" = 0
ends 7 '*' --bios "$tmp/exit3" --stats --quiet
check "counters are in order" test "$(grep -o '^/[^ ]*' "$tmp/err" | LC_ALL=C sort -uc 2>&1)" = ''
ends 7 '*' --bios "$tmp/exit3" --stats-json "$tmp/other" '--stats=/Bus/*'
check "--stats-json writes its file" grep -q '"/Run/GuestNs" : [0-9]' "$tmp/other"
says '/Bus/Port/Writes'
if command -v python3 >/dev/null; then
    check "JSON parses" python3 -m json.tool "$tmp/other" /dev/null
fi

# info ITEM FACT...: what `--info ITEM` says at the end of a run that wrote RAM
info() {
    local item=$1 fact
    shift
    ends 1 '*' --bios "$tmp/ram" --quiet --info "$item"
    says "quire: info $item:"
    for fact in "$@"; do
        says "$fact"
    done
}
info phys 'RAM "' 'ROM "' ' pages  RAM         zero' 'reads ROM, ignores writes'
info 'page 500' 'type RAM, state allocated' 'private to this machine' 'executed no'
info 'page FFFFF000' 'page ROM' 'executed yes'
info 'page 0xA0000' 'nothing is registered here'
info rom 'ignores writes' ' pages '
info mmio MMIO
info mmio2 'writes not tracked'
info handlers handlers
info watches 'no watches'
info tlb 'page-map TLB: ' ' slots'
info gmm 'allocated of at most' 'base ' 'chunks: '
info 'stats /GMM/c*' /GMM/cAllocatedPages
ends 1 '*' --bios "$tmp/ram" --info phys --info tlb
check "items come in the order asked for" test "$(grep '^quire: info' "$tmp/err" | tr '\n' ' ')" = \
    'quire: info phys: quire: info tlb: '

ends 7 '*' --bios "$tmp/exit3" --trace=pio
says '00f4'
ends 7 '*' --bios "$tmp/exit3" "--trace=pio:$tmp/trace"
check "trace goes to its file" grep -qi 'f4' "$tmp/trace"
firmware rom-write B8 00 F0 8E D8 C6 06 00 00 55 "${exit0[@]}"
ends 1 '*' --bios "$tmp/rom-write" --trace=rom
says 'rom '*'000f0000'
says '1 writes ignored'

# --- a run repeats exactly, cut by guest time (stdin may still say something), by wall time, or hardly at all
mkfifo "$tmp/silent"
exec 9<>"$tmp/silent"
# repeats NAME ARG...: SeaBIOS from power-on to its end; what the guest can see goes to $tmp/NAME
repeats() {
    local name=$1
    shift
    ends 0 '*' --stats-json "$tmp/json" "$@"
    { cat "$tmp/out"
        grep -E '"/(CPU/(Bytes|Interr|Except|Halts)|Bus/|PGM/(ROM|MMIO|Page/c(All|Private|Zero|Shared))|Run/Guest)' "$tmp/json"
    } >"$tmp/$name"
}
repeats plain
check "SeaBIOS speaks" grep -q 'Booting from Hard Disk' "$tmp/plain"
check "SeaBIOS shadows itself" grep -Eq 'ROM/SwitchedPages" : [1-9]' "$tmp/plain"
repeats again
check "a second run is the same" cmp "$tmp/plain" "$tmp/again"
input=$tmp/silent
repeats cut
input=/dev/null
check "a run cut by guest time is the same" cmp "$tmp/plain" "$tmp/cut"
repeats watched --max-time 100 "--trace=all:$tmp/all" --timeout 50 --map
check "a traced run is the same" cmp "$tmp/plain" "$tmp/watched"
for class in pio irq fault; do
    check "SeaBIOS's trace has $class" grep -q " $class " "$tmp/all"
done

# --- saved states
# saves NAME MOMENT ARG...: a run that saves at MOMENT and goes on, then the rest from the state: together the whole
saves() {
    local name=$1 moment=$2
    shift 2
    n=$((n + 1))
    timeout 60 "$quire" run "$@" --save "$tmp/$name.state" --save-at "$moment" >"$tmp/whole" 2>"$tmp/err" </dev/null
    local status=$?
    timeout 60 "$quire" run "$@" --until "$moment" >"$tmp/first" 2>"$tmp/err" </dev/null || fail "$name: --until $moment"
    timeout 60 "$quire" run "$@" >"$tmp/unbroken" 2>"$tmp/err" </dev/null
    [ $? = $status ] || fail "$name: a save changes the status"
    check "$name: a save changes nothing" cmp "$tmp/whole" "$tmp/unbroken"
    timeout 60 "$quire" run --restore "$tmp/$name.state" >"$tmp/rest" 2>"$tmp/err" </dev/null
    [ $? = $status ] || fail "$name: the restored run ends with another status than $status"
    cat "$tmp/first" "$tmp/rest" >"$tmp/joined"
    check "$name: the restored run is the rest" cmp "$tmp/joined" "$tmp/unbroken"
}
saves addr addr:FFFFFF0A --bios "$tmp/two"
check "the rest is not the whole" test "$(cat "$tmp/rest")" = i
saves symbol sym:done --kernel "$tmp/kernel.elf"
saves seabios 'Booting from Floppy' --memory 64M
check "SeaBIOS's rest begins there" grep -q '^Booting from Hard Disk' "$tmp/rest"
saves early time:0.001
ends 0 '*' --stats-json "$tmp/json"
grep -E '"/(CPU/Bytes|Run/GuestNs)' "$tmp/json" >"$tmp/unbroken"
ends 0 '*' --restore "$tmp/early.state" --stats-json "$tmp/json"
check "guest time goes on" grep -qF "$(grep GuestNs "$tmp/unbroken")" "$tmp/json"

# At the end of a run; relative names; over the state one came from.
(cd "$tmp" && "$quire" run --bios count --until time:0.01 --save end.state >first 2>err </dev/null) || fail "--save at the end"
says 'quire: saved: end.state'
ends 0 'time:0.02 reached' --restore "$tmp/end.state" --until time:0.02 --save "$tmp/end.state" --quiet
check "--quiet leaves one line" test "$(wc -l <"$tmp/err")" = 1
cat "$tmp/out" >>"$tmp/first"
ends 0 'time:0.03 reached' --restore "$tmp/end.state" --until time:0.03
cat "$tmp/out" >>"$tmp/first"
ends 0 'time:0.03 reached' --bios "$tmp/count" --until time:0.03
check "three parts are the whole" cmp "$tmp/first" "$tmp/out"

# Live: some moment after the one named.
ends 6 '*' --bios "$tmp/count" --max-time 0.2 --memory 64M --save "$tmp/live.state" --save-at time:0.01 --save-live
cp "$tmp/out" "$tmp/whole"
ends 6 '*' --restore "$tmp/live.state" --max-time 0.2
check "a live save's rest is a part" test -s "$tmp/out"
tail -c "$(wc -c <"$tmp/out")" "$tmp/whole" >"$tmp/tail"
check "a live save's rest is the end of the whole" cmp "$tmp/tail" "$tmp/out"
check "but not all of it" test "$(wc -c <"$tmp/out")" -lt "$(wc -c <"$tmp/whole")"

# A moment that never comes.
ends 4 '*before --save-at was seen' --bios "$tmp/power-off" --save "$tmp/never" --save-at nothing
ends 4 'text:Hi seen on serial0, before --save-at was seen' --bios "$tmp/loop" --save "$tmp/never" --save-at no --until Hi
ends 6 'limit: --max-time 0.05' --bios "$tmp/loop" --save "$tmp/never" --save-at nothing --max-time 0.05
says 'nothing is saved'
check "then there is no file" test ! -e "$tmp/never"
ends 0 'text:Hi seen on serial0' --bios "$tmp/loop" --save "$tmp/both" --save-at Hi --until Hi
check "both at once: saved first" test -s "$tmp/both"

# What a kernel file was is not missed, and a firmware file may have moved.
cp "$tmp/kernel.elf" "$tmp/gone.elf"
ends 0 'port:F4 reached' --kernel "$tmp/gone.elf" --save "$tmp/gone.state" --save-at sym:done --until port:F4
rm "$tmp/gone.elf"
ends 1 '*' --restore "$tmp/gone.state"
cp "$tmp/two" "$tmp/moved"
ends 1 '*' --restore "$tmp/addr.state" --bios "$tmp/moved"
prints i
# One that has changed in place is in the state as it was.
ends 0 "addr:FFFFFF0A reached" --bios "$tmp/moved" --save "$tmp/changed.state" --save-at addr:FFFFFF0A --until addr:FFFFFF0A
cp "$tmp/hi" "$tmp/moved"
ends 1 '*' --restore "$tmp/changed.state" --save "$tmp/changed2.state" --save-at time:0
prints i
ends 1 '*' --restore "$tmp/changed2.state" --bios "$tmp/two"
prints i

# state FILE
"$quire" state "$tmp/seabios.state" >"$tmp/out" 2>"$tmp/err" || fail "quire state"
check "quire state says whole" grep -q 'seabios.state: whole; version [0-9]' "$tmp/out"
check "quire state says the size" grep -q '^memory: 64M' "$tmp/out"
check "quire state says the time" grep -q '^guest time: [0-9]*\.[0-9]\{9\} s$' "$tmp/out"
check "quire state says the options" grep -q -e '--memory=64M .*--cpu=qemu32' "$tmp/out"
check "quire state says the firmware" grep -Eq '^firmware: [0-9]+ bytes, SHA-256 [0-9a-f]{64}$' "$tmp/out"
check "quire state has no option that is none" test -z "$(grep -e --bios-sum "$tmp/out")"
for unit in pgm cpu machine; do
    check "quire state lists $unit" grep -q "^$unit  *0  *[1-9]" "$tmp/out"
done
"$quire" state --json "$tmp/seabios.state" >"$tmp/out" 2>"$tmp/err" || fail "quire state --json"
check "JSON says whole" grep -q '"whole" : true' "$tmp/out"
check "JSON says the time" grep -q '"guest_ns" : [1-9]' "$tmp/out"
check "JSON says the size" grep -q '"memory" : "64M"' "$tmp/out"
if command -v python3 >/dev/null; then
    check "JSON parses" python3 -m json.tool "$tmp/out" /dev/null
fi

finish
