; SPDX-License-Identifier: GPL-2.0-or-later
; A boot sector that writes in every way INT 10h has for text, then says so on the debug console (debug exit, 10h).
bits 16
org 0x7C00

    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7C00
    sti
    cld

    mov ax, 0x0003              ; 80 columns, 25 lines; clears
    int 0x10
    mov si, teletype
    call say

    mov ax, 0x1301              ; a string at line 4, column 10; the cursor goes behind it
    mov bx, 0x001F
    mov cx, placed_len
    mov dx, 0x040A
    mov bp, placed
    int 0x10

    mov ah, 2                   ; the cursor to line 6, column 0
    xor bx, bx
    mov dx, 0x0600
    int 0x10
    mov ax, 0x0900 | '*'        ; 40 times, the cursor stays
    mov bx, 0x0002
    mov cx, 40
    int 0x10

    mov ah, 2                   ; the last line: one more scrolls
    xor bx, bx
    mov dx, 0x1800
    int 0x10
    mov si, last
    call say

    mov ah, 0x86                ; BIOS writes the serial console's last characters by timer
    mov cx, 3
    mov dx, 0
    int 0x15
    mov al, 0x10
    out 0xF4, al
    hlt

say:
    lodsb
    test al, al
    jz .end
    mov ah, 0x0E
    mov bx, 0x0007
    int 0x10
    jmp say
.end:
    ret

teletype: db "words by teletype", 13, 10, "a second line", 13, 10, 0
placed: db "a string in its place"
placed_len equ $ - placed
last: db "the last line", 13, 10, "and behind it", 0

times 510 - ($ - $$) db 0
dw 0xAA55
