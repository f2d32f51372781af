; SPDX-License-Identifier: GPL-2.0-or-later
; Accesses to device memory: each happens once, whatever its shape. The test compares the record too.
%include "traps.inc"

main:
    ; Sizes and alignments.
    mov dword [MMIO], 0x44332211
    expect dword [MMIO], 0x44332211
    mov word [MMIO + 5], 0x6655
    expect byte [MMIO + 5], 0x55
    expect byte [MMIO + 6], 0x66
    mov dword [MMIO + 9], 0xddccbbaa
    expect dword [MMIO + 9], 0xddccbbaa
    mov byte [MMIO + 15], 0x99
    expect byte [MMIO + 15], 0x99
    ; Read, change, write.
    inc dword [MMIO]
    expect dword [MMIO], 0x44332212
    lock add dword [MMIO], 0x10
    expect dword [MMIO], 0x44332222
    mov eax, 0x01020304
    xchg [MMIO], eax
    expect eax, 0x44332222
    expect dword [MMIO], 0x01020304
    mov eax, 0x01020304
    mov ebx, 0x0a0b0c0d
    lock cmpxchg [MMIO], ebx
    jz .exchanged
    fail
.exchanged:
    expect dword [MMIO], 0x0a0b0c0d
    mov dword [MMIO + 16], 1
    mov dword [MMIO + 20], 2
    mov eax, 1
    mov edx, 2
    mov ebx, 3
    mov ecx, 4
    lock cmpxchg8b [MMIO + 16]
    jz .exchanged8
    fail
.exchanged8:
    expect dword [MMIO + 16], 3
    expect dword [MMIO + 20], 4
    ; The stack in device memory.
    mov ebp, esp
    mov esp, MMIO + 0x30
    push dword 0x12345678
    pop eax
    mov esp, ebp
    expect eax, 0x12345678
    expect dword [MMIO + 0x2c], 0x12345678
    ; Strings to, from and within it.
    mov esi, words
    mov edi, MMIO
    mov ecx, 4
    rep movsd
    expect dword [MMIO + 12], 0x40414243
    mov esi, MMIO
    mov edi, 0x78000
    mov ecx, 16
    rep movsb
    expect dword [0x7800c], 0x40414243
    mov edi, MMIO + 0x20
    mov al, 0x3c
    mov ecx, 3
    rep stosb
    expect byte [MMIO + 0x22], 0x3c
    ; Counts: 100 stores are 100 stores, run often enough to be translated and chained.
    mov ecx, 100
.hundred:
    mov [MMIO + 0x3c], ecx
    loop .hundred
    ; A device's clock: the accesses of one block have their own times.
    mov eax, [MMIO + 0x40]
    mov ebx, [MMIO + 0x40]  ; 5 bytes before it
    mov ecx, [MMIO + 0x40]  ; 6 more
    sub ecx, ebx
    sub ebx, eax
    sub ecx, 6
    sub ebx, 5
    expect ecx, ebx         ; what an access costs besides
    done

words: dd 0x10111213, 0x20212223, 0x30313233, 0x40414243
