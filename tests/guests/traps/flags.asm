; SPDX-License-Identifier: GPL-2.0-or-later
; The trap flag: the guest sees its own and never ours.
%include "traps.inc"

main:
    ; PUSHF, in 32 and 16 bits.
    jmp .begin
.begin:
    xor eax, eax            ; ZF PF
    pushf
    pop ebx
    expect ebx, 0x46
    o16 pushf
    pop bx
    expect bx, 0x46
    pushf
    test dword [esp], 0x100
    jz .no_tf
    fail
.no_tf:
    pop eax
    ; INT frames do not show it either.
    xor edi, edi
    int 0x80
    expect edi, 1
    test dword [s_flags], 0x100
    jz .no_tf2
    fail
.no_tf2:
    ; Ours leaves no trace in DR6.
    mov eax, dr6
    and eax, 0x4000
    expect eax, 0
    ; POPF sets TF: #DB after the instruction behind it, then after each.
    mov dword [on_exception], count_traps
    mov dword [n_traps], 0
    pushf
    or dword [esp], 0x100
    popf
    nop                     ; trap 1, behind this
.trap1:
    nop                     ; 2
.trap2:
    pushf                   ; 3
    and dword [esp], ~0x100 ; 4
    popf                    ; 5: behind POPF for the last time
.trap5:
    nop
    mov dword [on_exception], 0
    expect dword [n_traps], 5
    expect dword [trap_eips], .trap1
    expect dword [trap_eips + 4], .trap2
    expect dword [trap_eips + 16], .trap5
    mov eax, dr6
    and eax, 0x4000
    expect eax, 0x4000      ; sticky until the guest clears it
    nop
    nop
    mov eax, dr6
    and eax, 0x4000
    expect eax, 0x4000
    xor eax, eax
    mov dr6, eax
    nop
    mov eax, dr6
    and eax, 0x4000
    expect eax, 0
    ; PUSHF under the guest's own trap flag shows it.
    mov dword [on_exception], count_traps
    mov dword [n_traps], 0
    pushf
    or dword [esp], 0x100
    popf
    pushf                   ; 1
    pop eax                 ; 2
    mov ebx, eax            ; 3
    and ebx, ~0x100         ; 4
    push ebx                ; 5
    popf                    ; 6
    mov dword [on_exception], 0
    expect dword [n_traps], 6
    and eax, 0x100
    expect eax, 0x100
    ; IRET sets it for what it returns to.
    mov dword [on_exception], count_traps
    mov dword [n_traps], 0
    pushf
    or dword [esp], 0x100
    push cs
    push .iret_target
    iret
.iret_target:
    nop                     ; 1
.iret_trap1:
    pushf                   ; 2
    and dword [esp], ~0x100 ; 3
    push cs                 ; 4
    push .iret_off          ; 5
    iret                    ; 6
.iret_off:
    mov dword [on_exception], 0
    expect dword [n_traps], 6
    expect dword [trap_eips], .iret_trap1
    ; INT n clears TF in the handler and returns to it.
    mov dword [on_exception], count_traps
    mov dword [n_traps], 0
    xor edi, edi
    pushf
    or dword [esp], 0x100
    popf
    int 0x80                ; the trap flag is clear inside
    nop
    pushf
    and dword [esp], ~0x100
    popf
    mov dword [on_exception], 0
    expect edi, 1
    test dword [s_flags], 0x100
    jnz .int_showed_tf
    fail
.int_showed_tf:
    ; The other flags come through PUSHF and POPF whole.
    push dword 0x8d7        ; OF SF ZF AF PF CF
    popf
    pushf
    pop eax
    and eax, 0xfff
    expect eax, 0x8d7
    push dword 0x202
    popf
    pushf
    pop eax
    cli
    and eax, 0xfff
    expect eax, 0x202
    cld
    done

; Takes down where it happened and goes on.
count_traps:
    mov eax, [n_traps]
    mov ebx, [x_eip]
    mov [trap_eips + eax * 4], ebx
    inc dword [n_traps]
    ret

n_traps: dd 0
trap_eips: times 32 dd 0
