; SPDX-License-Identifier: GPL-2.0-or-later
; Where interrupts may come and where not yet: behind STI and MOV SS, at HLT, with POPF.
%include "traps.inc"

; An interrupt is wanted from here on, and noticed: its latency has passed.
%macro raise 0
    out PORT_RAISE, al
    mov ecx, 10000
%%wait:
    loop %%wait
%endmacro

main:
    ; STI and HLT: the interrupt that waits ends the HLT, it does not come before.
    raise
    mov dword [i_resume], 0
    sti
    hlt
.after_hlt:
    cli
    expect dword [n_interrupts], 1
    expect dword [i_eip], .after_hlt
    ; STI and CLI: never between.
    raise
    mov ecx, 100
.closed:
    sti
    cli
    loop .closed
    expect dword [n_interrupts], 1
    ; STI and another instruction: behind that.
    sti
    nop
.behind_nop:
    cli
    expect dword [n_interrupts], 2
    expect dword [i_eip], .behind_nop
    ; STI before a jump to itself: it does come.
    raise
    mov dword [i_resume], .left
    sti
.forever:
    jmp .forever
.left:
    cli
    expect dword [n_interrupts], 3
    expect dword [i_eip], .forever
    ; POPF and IRET let it in at once.
    raise
    push dword 0x202
    popf
.behind_popf:
    cli
    expect dword [n_interrupts], 4
    expect dword [i_eip], .behind_popf
    raise
    push dword 0x202
    push cs
    push .behind_iret
    iret
.behind_iret:
    cli
    expect dword [n_interrupts], 5
    expect dword [i_eip], .behind_iret
    ; MOV SS and the MOV ESP behind it are one.
    raise
    mov ax, KDATA
    mov ebx, esp
    sti
    mov ss, ax
    mov esp, ebx
.behind_mov_esp:
    nop
    cli
    expect dword [n_interrupts], 6
    expect dword [i_eip], .behind_mov_esp
    expect esp, ebx
    ; Lowered before it was seen: nothing comes.
    out PORT_RAISE, al
    out PORT_LOWER, al
    mov ecx, 20000
    sti
.lowered:
    loop .lowered
    cli
    expect dword [n_interrupts], 6
    ; A timer's interrupts come at exact instructions; the record holds their times.
    mov eax, 12345
    out PORT_TIMER, eax
    sti
    mov ecx, 100000
.count:
    mov eax, [n_interrupts]
    mov [0x78000], eax
    loop .count
    hlt
    cli
    xor eax, eax
    out PORT_TIMER, eax
    mov eax, [n_interrupts]
    out PORT_LOG, eax
    done
