; SPDX-License-Identifier: GPL-2.0-or-later
; Places where a cut of the run (a breakpoint, a step, a deadline) could move an event: an interrupt asked for in the
; middle of straight code, code that changes its own block then, STI before HLT, jumps into instructions.
%include "traps.inc"

main:
    sti
    mov ecx, 20
.middle:
    ; A port access whose debt is settled at the jump behind it; then an interrupt asked for in straight code. It
    ; comes where the guest jumps next, not before.
    in al, PORT_HOOK
    jmp .settled
    nop
.settled:
    out PORT_RAISE, al
    mov eax, 1
    mov ebx, [n_interrupts]
    mov edx, 3
    mov esi, 4
    expect ebx, [n_interrupts]
    loop .middle
    expect dword [n_interrupts], 20

    ; The same where a store to the running block makes the engine begin again.
    mov ecx, 20
.changed:
    mov ebx, [n_interrupts]
    out PORT_RAISE, al
    mov byte [.number + 1], cl
    mov edx, [n_interrupts]
.number:
    mov al, 0xee
    nop
    mov esi, 5
    cmp ebx, edx
    jne .early
    loop .changed
    jmp .not_early
.early:
    fail
.not_early:
    expect dword [n_interrupts], 40

    ; STI before HLT: the interrupt that waits ends the HLT.
    mov ecx, 20
.sleep:
    cli
    out PORT_RAISE, al
    jmp .noticed
    nop
.noticed:
    sti
    hlt
.awake:
    expect dword [i_eip], .awake
    loop .sleep
    done
