; SPDX-License-Identifier: GPL-2.0-or-later
; A 64 KiB firmware that starts itself again in every way there is: the keyboard controller, port 92, CF9, a triple
; fault. A byte of the clock chip's memory says how far it came; a letter on the debug console says how it came up.
;
;   phase 0 -> 8042 FE -> phase 1 -> port 92 -> phase 2 -> CF9 -> phase 3 -> isa-debug-exit 0x10
;   phase 4 (reset from outside) -> triple fault
bits 16
org 0

%define PHASE 0x60          ; index in the clock chip
%define MARK 0x500

start:
    ; As the processor comes up: not protected, CS as at the far jump below, flags clear.
    mov bx, cs
    smsw cx
    pushf
    xor ax, ax
    mov ss, ax
    mov ds, ax
    mov sp, 0x7000
    cmp bx, 0xf000
    jne wrong
    test cl, 1
    jnz wrong
    mov al, PHASE
    out 0x70, al
    in al, 0x71
    push ax
    inc ax
    mov ah, al
    mov al, PHASE
    out 0x70, al
    mov al, ah
    out 0x71, al
    pop ax
    cmp al, 0
    je phase0
    cmp al, 1
    je phase1
    cmp al, 2
    je phase2
    cmp al, 3
    je phase3
    cmp al, 4
    je phase4
wrong:
    mov al, 'x'
    mov dx, 0x402
    out dx, al
    mov al, 1
    out 0xf4, al
    jmp forever

phase0:
    mov al, 'c'             ; cold
    call tell
    mov word [MARK], 0xbeef
    ; In protected mode, so that it shows that the reset leaves it.
    lgdt [cs:gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov al, 0xfe
    out 0x64, al
    jmp forever

phase1:
    cmp word [MARK], 0xbeef
    jne wrong
    mov al, 'k'             ; keyboard controller: memory stays
    call tell
    mov al, 2               ; A20 stays open: the reset does not touch it
    out 0x92, al
    inc ax
    out 0x92, al
    jmp forever

phase2:
    cmp word [MARK], 0xbeef
    jne wrong
    mov al, '9'
    call tell
    mov dx, 0xcf9
    mov al, 2
    out dx, al
    mov al, 6
    out dx, al
    jmp forever

phase3:
    cmp word [MARK], 0      ; memory as at power-on
    jne wrong
    mov al, 'h'
    call tell
    mov al, 0x10
    out 0xf4, al
    jmp forever

phase4:
    mov al, 't'
    call tell
    lidt [cs:no_idt]
    int3
    jmp wrong

tell:
    mov dx, 0x402
    out dx, al
    ret

forever:
    jmp forever

gdt:
    dq 0
    dq 0x00009b0f0000ffff
gdt_pointer:
    dw 15
    dd 0xf0000 + gdt
no_idt:
    dw 0
    dd 0

    times 0xfff0 - ($ - $$) db 0xff
    jmp 0xf000:start
    times 0x10000 - ($ - $$) db 0xff
