; SPDX-License-Identifier: GPL-2.0-or-later
; Code that changes code: the same block, the same page, the page through another address, REP, itself.
%include "traps.inc"

align 16
%define ALIAS 0x300000      ; where paging shows this page again
main:
    ; The next instruction of the same block.
    mov byte [.same_block + 1], 0x55
.same_block:
    mov al, 0x11
    expect al, 0x55
    ; Counts how often a changed block's store was done: a store that is repeated would count twice.
    xor ebx, ebx
    mov ecx, 20
.again:
    inc ebx
    mov [.in_loop + 1], cl
.in_loop:
    mov al, 0xee
    expect al, cl
    dec ecx
    jnz .again
    expect ebx, 20
    ; Another block of the same page, run before.
    call patched
    expect al, 1
    mov byte [patched + 1], 2
    call patched
    expect al, 2
    ; Memory operands that read and write: done once.
    mov byte [patched + 1], 7
    inc byte [patched + 1]
    call patched
    expect al, 8
    xor dword [patched], 0x3000 ; 8 ^ 0x30
    call patched
    expect al, 0x38
    mov eax, 0x11
    xchg [patched + 1], al
    expect al, 0x38
    call patched
    expect al, 0x11
    ; The last instruction of a block changes its first.
    mov ecx, 3
    xor edx, edx
    jmp .first
align 16
.first:
    add edx, byte 1         ; 83 c2 ib
    inc byte [.first + 2]
    loop .first
    expect edx, 1 + 2 + 3
    ; REP writes over what comes next, and over a block that ran.
    mov edi, .filled
    mov ecx, 8
    mov al, 0x43            ; inc ebx
    mov ebx, 0
    rep stosb
.filled:
    times 8 nop
    expect ebx, 8
    mov esi, template
    mov edi, patched
    mov ecx, template_end - template
    rep movsb
    call patched
    expect al, 0x77
    ; A store that changes itself: it was fetched before.
    mov al, 0x90
    mov edi, .self
.self:
    mov [edi], al           ; 88 07, becomes 90 07: nop; pop es
    expect byte [.self], 0x90
    mov byte [.self], 0x88
    ; Through a second address of the page.
    paging_on
    mov eax, patched
    and eax, 0xfffff000
    or eax, 7
    mov [PTE(ALIAS)], eax
    flush_tlb
    mov esi, patched
    and esi, 0xfff
    add esi, ALIAS
    call patched
    expect al, 0x77
    mov byte [esi + 1], 0x78
    call patched
    expect al, 0x78
    ; Run at the second address, changed at the first.
    call esi
    expect al, 0x78
    mov byte [patched + 1], 0x79
    call esi
    expect al, 0x79
    call patched
    expect al, 0x79
    ; A page that becomes code after it was written a lot.
    mov edi, 0x200000
    mov ecx, 1000
    mov al, 0x40            ; inc eax
    rep stosb
    mov byte [edi], 0xc3
    mov eax, 0
    mov edx, 0x200000
    call edx
    expect eax, 1000
    mov dword [edi - 4], 0x48484848
    mov eax, 0
    call edx
    expect eax, 996 - 4
    ; The first access after a flush is the store.
    flush_tlb
    mov byte [edx], 0x48    ; dec eax instead of inc
    mov eax, 0
    call edx
    expect eax, 996 - 4 - 2
    ; The page is given to other code by its table.
    mov dword [0x201000], 0xc301b0
    mov dword [0x202000], 0xc302b0
    mov dword [PTE(0x203000)], 0x201007
    flush_tlb
    mov edx, 0x203000
    call edx
    expect al, 1
    mov dword [PTE(0x203000)], 0x202007
    invlpg [0x203000]
    call edx
    expect al, 2
    done

template:
    mov al, 0x77
    ret
template_end:

align 64
patched:
    mov al, 1
    ret
    nop
