; SPDX-License-Identifier: GPL-2.0-or-later
; A bit of everything whose time is seen: timer interrupts, ports, MMIO, RDTSC, REP, code that changes itself, page
; faults, ring 3, HLT, console. Ends by itself.
%include "traps.inc"

%define ROUNDS 12

main:
    paging_on
    mov dword [on_exception], handle
    mov dword [PTE(0x300000)], 0
    mov dword [PTE(0x301000)], 0
    flush_tlb
    mov eax, 23456
    out PORT_TIMER, eax
    sti
.round:
    ; Reads of time, by port, RDTSC and MMIO.
    in eax, PORT_TIME
    rdtsc
    mov [0x78000], eax
    mov eax, [MMIO + 0x40]
    add [0x78004], eax
    mov eax, [n_interrupts]
    out PORT_LOG, eax
    ; Work in loops with memory.
    mov ecx, 400
    mov esi, 0x7a000
.work:
    add [esi], ecx
    rol dword [esi + 4], 3
    xor eax, [esi]
    add esi, 4
    and esi, 0x7afff
    loop .work
    out PORT_LOG, eax
    ; REP, with interrupts in its middle.
    mov edi, 0x230000
    mov ecx, 3000
    rep stosd
    mov esi, 0x230000
    mov edi, 0x234001
    mov ecx, 2500
    rep movsb
    mov edi, 0x230000
    mov ecx, 3000
    mov eax, [edi]
    repe scasd
    ; Code that changes itself.
    mov eax, [round]
    mov [.changed + 1], al
.changed:
    mov cl, 0
    add [sum], cl
    inc byte [stub + 1]
    call stub
    add [sum], al
    ; A page appears by a fault, and goes again.
    mov eax, [0x300000]
    inc eax
    mov [0x300ffe], eax     ; crosses into the next one
    mov dword [PTE(0x300000)], 0
    mov dword [PTE(0x301000)], 0
    flush_tlb
    ; MMIO: write, read back, a byte at a time and in one go.
    mov eax, [round]
    mov [MMIO + 4], eax
    mov [MMIO + 8], al
    inc dword [MMIO + 4]
    mov eax, [MMIO + 4]
    xor [sum], eax
    mov esi, MMIO
    mov edi, 0x78100
    mov ecx, 5
    rep movsd
    ; Ring 3 works, calls, is interrupted.
    pushf
    push dword .user
    jmp enter_user
.user:
    mov ecx, 200
.user_loop:
    add dword [0x79000], ecx
    rdtsc
    add [0x79004], eax
    int 0x80
    dec ecx
    jnz .user_loop
    mov [0x79008], edi
    to_ring0
    sti
    ; A word for the console.
    mov al, [round]
    add al, 'a'
    out PORT_CONSOLE, al
    ; An exception or two.
    ud2
    mov ax, 0x70
    mov ds, ax
    ; Idle until the next interrupt.
    hlt
    in eax, PORT_TIME
    hlt
    rdtsc
    out PORT_LOG, eax
    push eax
    pop eax
    inc dword [round]
    cmp dword [round], ROUNDS
    jb .round
    cli
    xor eax, eax
    out PORT_TIMER, eax
    rdtsc
    out PORT_LOG, eax
    mov al, 10
    out PORT_CONSOLE, al
    done

; EIP and EFLAGS on the stack.
enter_user:
    pop eax
    pop edx
    push UDATA
    push USER_STACK
    or edx, 0x200
    push edx
    push UCODE
    push eax
    iret

; Page faults are mended, other faults passed over: all of them are two bytes long here.
handle:
    in eax, PORT_TIME
    cmp dword [x_vector], 14
    jne .skip
    mov eax, cr2
    and eax, 0xfffff000
    mov ebx, eax
    or eax, 7
    shr ebx, 10
    mov [PAGE_TABLE + ebx], eax
    ret
.skip:
    add dword [esp + 4 + 48], 2
    ret

align 32
stub:
    mov al, 0
    ret
round: dd 0
sum: dd 0
