; SPDX-License-Identifier: GPL-2.0-or-later
; Start and interrupt entries of the freestanding guests; see guest.h.
bits 32
section .text
global _start, vector_entries, enter_ring3, leave_ring3
extern guest_init, guest_main, finish, on_vector

_start:
    cli
    mov esp, ring0_stack.end
    call guest_init
    call guest_main
    call finish
.end:
    hlt
    jmp .end

; 256 entries of 16 bytes. On the stack then: vector, error.
align 16
vector_entries:
%assign i 0
%rep 256
    align 16
    %if i = 8 || (i >= 10 && i <= 14) || i = 17
        nop
    %else
        push byte 0
    %endif
    push dword i
    jmp near any_vector
    %assign i i + 1
%endrep

any_vector:
    pusha
    mov ax, ds
    push eax
    mov ax, es
    push eax
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    cld
    lea eax, [esp + 8]
    push eax
    call on_vector
    add esp, 4
    pop eax
    mov es, ax
    pop eax
    mov ds, ax
    popa
    add esp, 8
    iret

; void enter_ring3(void (*func)(void), uint32_t stack)
enter_ring3:
    push ebp
    push ebx
    push esi
    push edi
    mov [saved_esp], esp
    mov eax, [esp + 20]
    mov edx, [esp + 24]
    mov cx, 0x23
    mov ds, cx
    mov es, cx
    push dword 0x23
    push edx
    push dword 2
    push dword 0x1b
    push dword .user
    iret
.user:
    call eax
    int 0x81
    ud2

; Jumped to by the handler of vector 0x81.
leave_ring3:
    mov esp, [saved_esp]
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    pop edi
    pop esi
    pop ebx
    pop ebp
    ret

section .data
align 4
saved_esp: dd 0

section .bss
align 16
ring0_stack:
    resb 16384
.end:

section .note.GNU-stack noalloc noexec nowrite progbits
