; SPDX-License-Identifier: GPL-2.0-or-later
; Every kind of register gets a value, in several modes; between setting and looking the test may do what it likes
; with the processor, as long as it puts it back. Needs a 64-bit CPU model.
%include "traps.inc"

%define STOP_HERE out PORT_HOOK, eax

; The test stops at the next jump.
%macro pause_here 0
    push eax
    mov eax, __LINE__
    STOP_HERE
    pop eax
    jmp %%on
%%on:
%endmacro

%define CODE16 0x30
%define CODE64 0x38

main:
    lgdt [own_pointer]
    ; x87: a stack that has turned, one empty register, rounding down, single precision; an exception pending masked.
    fninit
    fldcw [x87_control]
    fld tword [tenth]
    fldpi
    fld1
    ffree st1
    fincstp
    ; SSE, with rounding up.
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    ldmxcsr [mxcsr]
    movups xmm0, [vector]
    movups xmm7, [vector + 16]
    ; Debug and model-specific registers.
    mov eax, 0x12345678
    mov dr0, eax
    mov eax, 0x9abcdef0
    mov dr3, eax
    mov ecx, 0x175
    mov eax, 0xcafe0000
    mov edx, 1
    wrmsr
    mov ecx, 0x200          ; MTRR
    mov eax, 0x00400006
    xor edx, edx
    wrmsr
    mov ecx, 0x277          ; PAT
    mov eax, 0x00070106
    mov edx, 0x00070106
    wrmsr
    std
    stc
    pause_here
    pushf
    pop eax
    and eax, 0x401
    expect eax, 0x401
    cld
    fnstcw [word_of]
    expect word [word_of], 0x043f
    fnstenv [environment]
    mov ax, [environment + 4]
    and ax, 0x3800
    expect ax, 0x3000       ; TOP 5, and one on
    fdecstp
    fstp tword [ten_bytes]  ; 1
    expect dword [ten_bytes + 4], 0x80000000
    expect word [ten_bytes + 8], 0x3fff
    fincstp                 ; over the empty one
    fstp tword [ten_bytes]
    mov eax, [tenth]
    expect dword [ten_bytes], eax
    mov ax, [tenth + 8]
    expect word [ten_bytes + 8], ax
    stmxcsr [word_of]
    expect dword [word_of], 0x5f80
    movups [sixteen], xmm7
    mov eax, [vector + 28]
    expect dword [sixteen + 12], eax
    mov eax, dr0
    expect eax, 0x12345678
    mov eax, dr3
    expect eax, 0x9abcdef0
    mov ecx, 0x175
    rdmsr
    expect eax, 0xcafe0000
    mov ecx, 0x200
    rdmsr
    expect eax, 0x00400006
    mov ecx, 0x277
    rdmsr
    expect edx, 0x00070106

    ; Unreal: 16-bit code with a limit of 4 GiB in DS and a base of its own in ES.
    jmp CODE16:.sixteen - 0x10000
bits 16
.sixteen:
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    jmp 0x1000:.real - 0x10000
.real:
    mov ax, 0x2000
    mov es, ax
    mov eax, 0x77
    out PORT_HOOK, eax
    jmp short .real_on
.real_on:
    mov esi, main
    mov eax, [dword esi]    ; above 64 KiB: DS has kept its limit
    mov edi, eax
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword KCODE:.back
bits 32
.back:
    mov ax, KDATA
    mov ss, ax
    mov es, ax
    expect edi, [main]

    ; A breakpoint of the guest's own, met before and after.
    mov eax, .traced
    mov dr0, eax
    mov eax, 0x401
    mov dr7, eax
    pause_here
    resume_at .after_trace
.traced:
    nop
.after_trace:
    expect dword [x_vector], 1
    xor eax, eax
    mov dr7, eax

    ; PAE, then long mode.
    mov edi, LONG_TABLES
    mov ecx, 0x3000 / 4
    xor eax, eax
    rep stosd
    mov dword [LONG_TABLES], LONG_TABLES + 0x1000 + 7
    mov dword [LONG_TABLES + 0x1000], LONG_TABLES + 0x2000 + 7
    mov dword [LONG_TABLES + 0x2000], 0x83
    mov dword [LONG_TABLES + 0x2008], 0x200083
    mov dword [PAE_ROOT], LONG_TABLES + 0x2000 + 1
    mov dword [PAE_ROOT + 4], 0
    mov dword [PAE_ROOT + 8], 0
    mov dword [PAE_ROOT + 12], 0
    mov dword [PAE_ROOT + 16], 0
    mov dword [PAE_ROOT + 20], 0
    mov dword [PAE_ROOT + 24], 0
    mov dword [PAE_ROOT + 28], 0
    mov eax, cr4
    or eax, 0x20
    mov cr4, eax
    mov eax, PAE_ROOT
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    pause_here
    mov eax, cr3
    expect eax, PAE_ROOT
    mov eax, cr0
    and eax, 0x7fffffff
    mov cr0, eax
    mov eax, LONG_TABLES
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x101
    wrmsr
    mov ecx, 0xc0000082
    mov eax, 0x11112222
    mov edx, 0xffff8000
    wrmsr
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    pause_here              ; compatibility mode
    jmp CODE64:.long
bits 64
.long:
    mov r8, 0x8123456789abcdef
    mov r15, 0xf123456789abcdef
    mov rsp, STACK
    mov rax, 0x1122334455667788
    mov cr2, rax
    movups xmm15, [vector]
    mov ecx, 0xc0000101     ; GS base
    mov eax, 0x10
    mov edx, 0xffff9000
    wrmsr
    mov eax, 1
    out PORT_HOOK, eax
    jmp .long_on
.long_on:
    mov rbx, 0x8123456789abcdef
    cmp r8, rbx
    jne .long_bad
    mov rbx, 0xf123456789abcdef
    cmp r15, rbx
    jne .long_bad
    mov rax, cr2
    mov rbx, 0x1122334455667788
    cmp rax, rbx
    jne .long_bad
    movups [sixteen], xmm15
    mov rax, [vector + 8]
    cmp rax, [sixteen + 8]
    jne .long_bad
    mov ecx, 0xc0000101
    rdmsr
    cmp edx, 0xffff9000
    jne .long_bad
    mov ecx, 0xc0000082
    rdmsr
    cmp edx, 0xffff8000
    jne .long_bad
    mov eax, [n_expect]
    out PORT_DONE, eax
    cli
    hlt
.long_bad:
    mov eax, .long_bad
    out PORT_FAIL, eax
    cli
    hlt
bits 32

align 8
own_gdt:
    dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff, 0
    dq 0x00009b010000ffff, 0x00af9b000000ffff
own_gdt_end:
own_pointer:
    dw own_gdt_end - own_gdt - 1
    dd own_gdt
LONG_TABLES equ 0x180000
PAE_ROOT equ 0x184000
align 16
vector: dd 0x01020304, 0x05060708, 0x090a0b0c, 0x0d0e0f10, 0x11121314, 0x15161718, 0x191a1b1c, 0x1d1e1f20
sixteen: dd 0, 0, 0, 0
tenth: dt 0.1
ten_bytes: dt 0.0
x87_control: dw 0x043f
mxcsr: dd 0x5f80
word_of: dd 0
environment: times 28 db 0
