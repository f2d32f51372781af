; SPDX-License-Identifier: GPL-2.0-or-later
; Exceptions one after the other: each arrives as itself, with its own error code, at its own address.
%include "traps.inc"

%macro gp_by_ds 1
    mov ax, %1
    resume_at %%after
%%at:
    mov ds, ax
%%after:
    expect_exception 13, %1 & ~3, %%at
%endmacro

%macro divide 0
    xor edx, edx
    mov eax, 1
    xor ecx, ecx
    resume_at %%after
%%at:
    div ecx
%%after:
    expect_exception 0, 0, %%at
%endmacro

main:
    ; The engine keeps a record of the last exception and makes a double fault of the second.
    gp_by_ds 0x50
    gp_by_ds 0x68
    gp_by_ds 0x73
    gp_by_ds 0x78
    divide
    divide
    gp_by_ds 0x80
    divide
    ; INT n: EIP behind it, no error code even where the exception of that number has one.
    xor edi, edi
    int 0x80
    expect edi, 1
    mov ebp, esp
    resume_at .after_int3
    int3
.int3_end:
.after_int3:
    expect_exception 3, 0, .int3_end
    expect dword [x_esp], ebp
    resume_at .after_cc
    int 3
.after_cc:
    expect_exception 3, 0, .after_cc
    resume_at .after_into
    mov al, 0x7f
    add al, 1
    into
.after_into:
    expect_exception 4, 0, .after_into
    mov al, 1
    add al, 1
    into                    ; no overflow: nothing
    expect dword [x_vector], -1
    ; INT 0: by instruction, not #DE.
    resume_at .after_int0
    int 0
.after_int0:
    expect_exception 0, 0, .after_int0
    resume_at .after_int1
    int 1
.after_int1:
    expect_exception 1, 0, .after_int1
    ; A gate beyond the IDT's limit, and one that is not present: #GP and #NP at the instruction, with the IDT bit.
    resume_at .after_90
.int90:
    int 0x90
.after_90:
    expect_exception 13, 0x90 * 8 + 2, .int90
    and byte [idt + 0x21 * 8 + 5], 0x7f
    resume_at .after_21
.int21:
    int 0x21
.after_21:
    expect_exception 11, 0x21 * 8 + 2, .int21
    ; Segments: not present, not writable, beyond the table.
    mov ax, 0x30
    resume_at .after_np
.np:
    mov es, ax
.after_np:
    expect_exception 11, 0x30, .np
    mov ax, KCODE
    resume_at .after_ss
.ss:
    mov ss, ax
.after_ss:
    expect_exception 13, KCODE, .ss
    resume_at .after_far
.far:
    jmp 0xf8:0
.after_far:
    expect_exception 13, 0xf8, .far
    ; Instructions that are none, and BOUND.
    resume_at .after_ud
.ud:
    ud2
.after_ud:
    expect_exception 6, 0, .ud
    mov eax, 5
    resume_at .after_bound
.bound:
    bound eax, [bounds]
.after_bound:
    expect_exception 5, 0, .bound
    gp_by_ds 0x88
    ; In the middle of a block: what came before was done, what comes after was not.
    mov ebx, 1
    resume_at .after_middle
    inc ebx
    inc ebx
.middle:
    mov ds, ax
    inc ebx
.after_middle:
    expect ebx, 3
    expect_exception 13, 0x88, .middle
    ; A fault in an instruction with the stack as operand changes nothing.
    mov ebp, esp
    push dword 0x98
    resume_at .after_pop
.pop:
    pop es
.after_pop:
    expect_exception 13, 0x98, .pop
    pop eax
    expect eax, 0x98
    expect esp, ebp
    ; The frame shows EFLAGS as they were.
    stc
    resume_at .after_flags
    ud2
.after_flags:
    mov eax, [x_flags]
    and eax, 0x10001        ; RF is set for faults
    expect eax, 0x10001
    mov dword [x_vector], -1
    ; Three thousand in a row.
    mov esi, 3000
    mov dword [x_count], 0
.many:
    resume_at .next
    ud2
.next:
    dec esi
    jnz .many
    expect dword [x_count], 3000
    done

bounds: dd 1, 4
