#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 in the middle of saves: under the real name there is always the old or the new state, whole.
# Usage: crash-safety.sh QUIRE [RANDOM-KILLS]
#
# First at random times, then, with strace, at every single system call that a save makes to files. Old and new states
# are told apart by the guest's clock: a run that is restored from one goes on from there.
set -u
quire=$1
kills=${2:-20}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
state=$tmp/machine.state
n_old=0
n_new=0
n_during=0
n_failed=0

fail() {
    n_failed=$((n_failed + 1))
    echo "FAILED: $*"
}

# A guest that fills 24 MiB with what does not compress and waits.
make_firmware() {
    cat >"$tmp/busy.asm" <<'ASM'
bits 16
org 0
start:
    cli
    lgdt [cs:pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword 8:0xf0000 + flat
align 8
table: dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
pointer: dw 23
    dd 0xf0000 + table
bits 32
flat:
    mov ax, 16
    mov ds, ax
    mov edi, 0x100000
    mov eax, 12345
.fill:
    imul eax, eax, 1664525
    add eax, 1013904223
    mov edx, eax
    shr edx, 15
    xor edx, eax
    mov [edi], edx
    add edi, 4
    cmp edi, 0x1900000
    jb .fill
    mov dx, 0x402
    mov al, '!'
    out dx, al
    mov dx, 0x3f8
.wait:
    inc dword [0x80000]
    jmp .wait
times 0xfff0 - ($ - $$) db 0
bits 16
    jmp start
times 0x10000 - ($ - $$) db 0
ASM
    nasm -f bin -o "$tmp/busy.bin" "$tmp/busy.asm"
}

run() { "$quire" run --bios "$tmp/busy.bin" --memory 32M --serial null --quiet "$@" </dev/null; }

# Whole, and which: both were kept.
check_state() {
    if ! "$quire" state "$state" >"$tmp/said" 2>&1; then
        fail "$1: not whole: $(cat "$tmp/said")"
    elif cmp -s "$state" "$tmp/old.state"; then
        n_old=$((n_old + 1))
    elif cmp -s "$state" "$tmp/new.state"; then
        n_new=$((n_new + 1))
    else
        fail "$1: neither the old state nor the new one"
    fi
}

# A save from the old state on: what it makes is always the same, byte by byte.
save_again() { exec "$quire" run --restore "$tmp/old.state" --until time:0.2 --save "$state" --serial null --quiet </dev/null; }

n_leftovers() { find "$tmp" -name 'machine.state.*.tmp' | wc -l; }

now_us() { echo "${EPOCHREALTIME/./}"; }

make_firmware || exit 1
run --until time:0.1 --save "$tmp/old.state" || fail "the old state"
cp "$tmp/old.state" "$state"
start=$(now_us)
(save_again) || fail "the new state"
whole_us=$(($(now_us) - start))
cp "$state" "$tmp/new.state"
cmp -s "$tmp/old.state" "$tmp/new.state" && fail "the old and the new state are the same"
cp "$tmp/old.state" "$state"
(save_again)
cmp -s "$state" "$tmp/new.state" || fail "a save is not always the same"

# --- at random times, more in the second half, where the saving is
for ((i = 0; i < kills; i++)); do
    cp "$tmp/old.state" "$state"
    before=$(n_leftovers)
    (save_again) 2>/dev/null &
    pid=$!
    us=$((whole_us * 3 / 10 + RANDOM * RANDOM % (whole_us * 8 / 10)))
    sleep "$(printf '%d.%06d' $((us / 1000000)) $((us % 1000000)))"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    after=$(n_leftovers)
    n_during=$((n_during + after - before)) # it came during the save
    check_state "kill $i after $us us"
    [ $((i % 3)) != 0 ] || rm -f "$state".*.tmp # the others stay in the way of the next save
done
echo "$kills random kills: $n_old times the old state, $n_new times the new one; $n_during left a file of a save behind"
[ $n_old -gt 0 ] || fail "no kill came before the end of a save"
[ $n_during -gt 0 ] || fail "no kill came during a save"

# --- at every system call of a save: of writes, the first ones, the last ones and some between
calls_of() { strace -f -qq -o "$tmp/calls" -e trace="$1" "$quire" run --restore "$tmp/old.state" --until time:0.2 \
    --save "$state" --serial null --quiet </dev/null 2>/dev/null; wc -l <"$tmp/calls"; }

n_calls=0
kill_at() {
    cp "$tmp/old.state" "$state"
    { strace -f -qq -o /dev/null -e trace="$1" -e inject="$1:signal=KILL:when=$2" "$quire" run \
        --restore "$tmp/old.state" --until time:0.2 --save "$state" --serial null --quiet </dev/null; } 2>/dev/null
    n_calls=$((n_calls + 1))
    check_state "$1 number $2"
}

if ! command -v strace >/dev/null; then
    fail "strace is not installed: no kills at system calls"
else
    n_old=0
    n_new=0
    for call in rename fsync close write; do
        n=$(calls_of "$call")
        [ "$n" -gt 0 ] || fail "no $call in a save"
        for ((k = 1; k <= n; k++)); do
            if [ "$k" -le 3 ] || [ "$k" -gt $((n - 6)) ] || [ $((k % (n / 6 + 1))) = 0 ]; then
                kill_at "$call" "$k"
            fi
        done
    done
    echo "$n_calls kills at system calls: $n_old times the old state, $n_new times the new one"
    [ $n_old -gt 0 ] || fail "no kill at a system call left the old state"
    [ $n_new -gt 0 ] || fail "no kill at a system call left the new state"
fi

# --- what killed saves left behind is in nobody's way
: >"$state.0123456789abcdef.tmp"
cp "$tmp/old.state" "$state"
(save_again) || fail "a save beside leftovers"
cmp -s "$state" "$tmp/new.state" || fail "a save beside leftovers is another"

[ $n_failed = 0 ]
