; SPDX-License-Identifier: GPL-2.0-or-later
; Guests of the benchmarks: 32-bit code that both sides load at 0x10000 and run there. Linked into
; the program as data.
;
; A guest makes one pass and writes port 0xF4; made to go on, it makes the next. The host names
; a count at 0x8000; the guest counts its passes at 0x8004, so that the host sees that it ran.
; DONE is where a pass ends, AGAIN where the next begins.
bits 32

%define COUNT dword [dword 0x8000]
%define PASSES dword [dword 0x8004]
%define DATA 0x200000
%define PAGE_TABLES 0x100000
%define DEVICE 0xe0000000

section .rodata

%macro guest 1
        global bench_guest_%1
bench_guest_%1:
%endmacro

%macro again 1
        global bench_again_%1
bench_again_%1:
%endmacro

%macro done 1
        inc PASSES
        global bench_done_%1
bench_done_%1:
        out 0xf4, al
        jmp bench_again_%1
        global bench_end_%1
bench_end_%1:
%endmacro

; COUNT rounds of two loads and two stores in one page.
guest loop
again loop
        mov ecx, COUNT
        mov edi, DATA
.round: mov eax, [edi]
        mov ebx, [edi + 4]
        mov [edi + 8], eax
        mov [edi + 12], ebx
        dec ecx
        jnz .round
done loop

; One store to each of COUNT pages.
guest touch
again touch
        mov ecx, COUNT
        mov edi, DATA
.page:  mov [edi], ecx
        add edi, 0x1000
        dec ecx
        jnz .page
done touch

; The same with PAE paging; the host has made the tables.
guest touch_pae
        mov eax, cr4
        or eax, 1 << 5
        mov cr4, eax
        mov eax, PAGE_TABLES
        mov cr3, eax
        mov eax, cr0
        or eax, 1 << 31
        mov cr0, eax
        jmp bench_again_touch_pae
again touch_pae
        mov ecx, COUNT
        mov edi, DATA
.page:  mov [edi], ecx
        add edi, 0x1000
        dec ecx
        jnz .page
done touch_pae

; COUNT times three short blocks that touch no memory.
guest blocks
again blocks
        mov ecx, COUNT
.first: dec ecx
        jz .out
        jmp .next
.next:  inc eax
        jmp .first
.out:
done blocks

; COUNT times a load and a store of a device's register.
guest device
again device
        mov ecx, COUNT
        mov edi, DEVICE
.round: mov eax, [edi]
        mov [edi + 4], eax
        dec ecx
        jnz .round
done device

        section .note.GNU-stack noalloc noexec nowrite progbits
