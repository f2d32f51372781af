; SPDX-License-Identifier: GPL-2.0-or-later
; Ring 3: to ring 0 and back; the processor's own look at its tables, on a supervisor page, is not ring 3's.
%include "traps.inc"

%define TABLES 0x220000     ; a supervisor page with GDT, LDT and TSS

main:
    paging_on
    ; The tables move to a page of their own.
    mov esi, gdt
    mov edi, TABLES
    mov ecx, gdt_end - gdt
    rep movsb
    mov edi, TABLES + 0x800
    mov esi, tss
    mov ecx, tss_end - tss
    rep movsb
    mov word [TABLES + TSS + 2], 0x800
    mov byte [TABLES + TSS + 4], TABLES >> 16
    mov byte [TABLES + TSS + 5], 0x89
    mov word [new_pointer], gdt_end - gdt - 1
    mov dword [new_pointer + 2], TABLES
    lgdt [new_pointer]
    mov ax, TSS
    ltr ax
    and dword [PTE(TABLES)], ~4 ; supervisor only
    and dword [PTE(0x221000)], ~4
    flush_tlb
    ; To ring 3 with IOPL 0 and back by INT 0x80: the stack is switched and switched back.
    to_ring3 0x2
    mov ax, UDATA
    mov ds, ax              ; reads TABLES
    mov es, ax
    mov esp, USER_STACK - 16
    xor edi, edi
    int 0x80
    expect_quiet edi, 1
    expect_quiet esp, USER_STACK - 16
    expect_quiet dword [s_ss], KDATA
    expect_quiet dword [s_cs], UCODE
    expect_quiet dword [s_esp], STACK - 24
    mov ax, cs
    expect_quiet ax, UCODE
    mov ax, ss
    expect_quiet ax, UDATA
    ; Loads of all kinds.
    mov ax, UDATA
    mov fs, ax
    mov gs, ax
    push dword UDATA
    pop es
    lss esp, [user_ss]
    les ebx, [user_ss]
    lds ebx, [user_ss]
    call UCODE:.far_target
    jmp UCODE:.far_jumped
.far_target:
    retf
.far_jumped:
    mov ax, UDATA
    verr ax
    jz .verr
    inc dword [n_bad]
.verr:
    mov ax, KDATA
    verw ax
    jnz .verw
    inc dword [n_bad]
.verw:
    mov ax, UDATA
    lar ebx, ax
    and ebx, 0xf0ff00
    expect_quiet ebx, 0xc0f300
    lsl ebx, ax
    expect_quiet ebx, 0xffffffff
    ; IRET within ring 3.
    pushf
    push dword UCODE
    push .iret_target
    iret
.iret_target:
    ; Faults of such loads are #GP, not #PF.
    resume_at .after_gp
    mov ax, KDATA
.gp:
    mov ds, ax
.after_gp:
    expect_quiet dword [x_vector], 13
    expect_quiet dword [x_error], KDATA
    expect_quiet dword [x_eip], .gp
    expect_quiet dword [x_cs], UCODE
    ; A port that the TSS's I/O bitmap, on the supervisor page, allows.
    mov dword [x_vector], -1
    in al, PORT_TIME
    expect_quiet dword [x_vector], -1
    ; Ring 3's own accesses to that page fault, as user, read and write.
    mov dword [x_count], 0
    resume_at .after_read
.read:
    mov eax, [TABLES + 8]
.after_read:
    expect_quiet dword [x_vector], 14
    expect_quiet dword [x_error], 5
    expect_quiet dword [x_eip], .read
    expect_quiet dword [x_cr2], TABLES + 8
    resume_at .after_write
.write:
    mov [TABLES + 12], eax
.after_write:
    expect_quiet dword [x_error], 7
    expect_quiet dword [x_eip], .write
    expect_quiet dword [x_cr2], TABLES + 12
    ; A load of DS whose operand lies there is ring 3's access too... and directly behind a granted one.
    mov ax, UDATA
    mov es, ax
    resume_at .after_read2
.read2:
    mov al, [TABLES]
.after_read2:
    expect_quiet dword [x_eip], .read2
    expect_quiet dword [x_count], 3
    ; A page that is not there: the handler is in ring 0, ring 3 goes on.
    mov eax, 0x5555
    resume_at .after_hole
.hole:
    mov [0x400000], eax
.after_hole:
    expect_quiet dword [x_error], 6
    expect_quiet dword [x_cr2], 0x400000
    expect_quiet eax, 0x5555
    ; Gates of ring 0 are not for INT n of ring 3.
    resume_at .after_gate
.gate:
    int 0x20
.after_gate:
    expect_quiet dword [x_vector], 13
    expect_quiet dword [x_error], 0x20 * 8 + 2
    expect_quiet dword [x_eip], .gate
    ; CLI and HLT are refused.
    resume_at .after_cli
.cli:
    cli
.after_cli:
    expect_quiet dword [x_eip], .cli
    resume_at .after_hlt
.hlt:
    hlt
.after_hlt:
    expect_quiet dword [x_eip], .hlt
    ; POPF does not change IF or IOPL here.
    push dword 0x3202
    popf
    pushf
    pop eax
    and eax, 0x3200
    expect_quiet eax, 0
    ; An interrupt in ring 3.
    to_ring0
    mov ax, ss
    expect ax, KDATA
    expect dword [n_bad], 0
    mov dword [i_resume], .interrupted
    out PORT_RAISE, al
    to_ring3 0x202
.spin:
    jmp .spin
.interrupted:
    inc dword [spun]
    to_ring0
    expect dword [spun], 1
    expect dword [n_interrupts], 1
    expect dword [i_eip], .spin
    expect dword [n_bad], 0
    done

new_pointer: dw 0
    dd 0
user_ss: dd USER_STACK - 16
    dw UDATA
align 4
spun: dd 0
