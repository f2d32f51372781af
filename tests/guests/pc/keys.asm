; SPDX-License-Identifier: GPL-2.0-or-later
; A boot sector that says which keys the BIOS gave it: for each one line on the first serial port,
; INT 16h's scan code and character in hexadecimal. F12 ends it (debug exit, value 10h).
bits 16
org 0x7C00

SERIAL equ 0x3F8
EXIT equ 0xF4
F12 equ 0x8600

    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7C00
    sti
    cld
    mov si, ready
    call say

next:
    mov ah, 0x10                ; a key of a keyboard with 101 keys; waits
    int 0x16
    cmp ax, F12
    je done
    mov bx, ax
    mov cx, 4
digit:
    rol bx, 4
    mov al, bl
    and al, 15
    cmp al, 10
    sbb al, 0x69                ; 0 to 9 give '0' to '9', 10 to 15 give 'A' to 'F'
    das
    call put
    loop digit
    mov si, line_end
    call say
    jmp next

done:
    mov al, 0x10
    out EXIT, al
    hlt

say:
    lodsb
    test al, al
    jz .end
    call put
    jmp say
.end:
    ret

put:
    push dx
    mov dx, SERIAL
    out dx, al
    pop dx
    ret

ready: db "keys:"
line_end: db 13, 10, 0

times 510 - ($ - $$) db 0
dw 0xAA55
