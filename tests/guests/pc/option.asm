; SPDX-License-Identifier: GPL-2.0-or-later
; An option ROM that greets and goes. Whoever builds it sets the last byte so that all add up to 0.
bits 16
org 0

LEN equ 512

    db 0x55, 0xAA, LEN / 512
    jmp init

init:
    pushad
    push ds
    push cs
    pop ds
    cld
    mov si, greeting
next:
    lodsb
    test al, al
    jz done
    mov ah, 0x0E
    mov bx, 0x0007
    int 0x10
    jmp next
done:
    pop ds
    popad
    retf

greeting: db 13, 10, "an option ROM says hello", 13, 10, 0

times LEN - ($ - $$) db 0
