; SPDX-License-Identifier: GPL-2.0-or-later
; Code whose page is changed from outside while it runs. Each loop asks the host for the change by port, in its own
; page, and counts how often it ran before it saw it: at most the round in which it asked.
%include "traps.inc"

%define CODE 0x200000       ; where the host may write; RAM
%define ROM 0xc0000         ; ROM with other bytes in the RAM behind

; Copies the routine to %1 and runs it there.
%macro place 1
    mov esi, routine
    mov edi, %1
    mov ecx, routine_end - routine
    rep movsb
%endmacro

main:
    ; The host writes to the routine's own page while it runs.
    place CODE
    mov ebx, 1              ; what the hook is told
    mov edx, CODE
    call edx
    expect eax, 0x2222
    ; ROM's page begins to show RAM: the routine in both, different numbers.
    mov ebx, 2
    mov edx, ROM
    call edx
    expect eax, 0x3333
    ; A device's memory is taken away under the code that runs in it; RAM shows again.
    mov ebx, 3
    mov edx, 0x210000
    call edx
    expect eax, 0x4444
    ; A20 off: data and code of the second megabyte are those of the first.
    mov dword [0x90000], 0x11111111
    mov dword [0x190000], 0x99999999
    mov byte [0x90010], 0xc3
    mov dword [0x190010], 0xc340c031    ; xor eax, eax; inc eax; ret
    mov eax, 5
    mov edx, 0x190010
    call edx
    expect eax, 1
    mov ebx, 4
    mov eax, ebx
    out PORT_HOOK, eax
    jmp .off
.off:
    mov eax, [0x190000]
    mov [0x78000], eax
    mov eax, 5
    call edx
    mov [0x78004], eax
    mov dword [0x190004], 0x77
    mov eax, 5
    out PORT_HOOK, eax
    jmp .on
.on:
    expect dword [0x78000], 0x11111111
    expect dword [0x78004], 5
    expect dword [0x90004], 0x77
    expect dword [0x190000], 0x99999999
    mov eax, 7
    call edx
    expect eax, 1
    done

; Runs until its own MOV says something else than it did at first. ESI counts the rounds behind the change.
align 16
routine:
    mov ecx, 1000
    xor esi, esi
.loop:
    mov eax, 0x1111         ; the number the host changes
    cmp eax, 0x1111
    jne .seen
    dec ecx
    jz .late
    xor eax, eax            ; every round the same blocks, chained long before: 0 asks for nothing
    cmp ecx, 500
    sete al
    imul eax, ebx
    out PORT_HOOK, eax
    jmp .loop
.late:
    mov eax, 0xbad
    ret
.seen:
    cmp ecx, 500            ; at once
    je .at_once
    mov eax, 0xbad1
.at_once:
    ret
routine_end:
%if routine_end - routine > 128
%error routine too long
%endif
