; SPDX-License-Identifier: GPL-2.0-or-later
; Text modes. MODE: of INT 10h; SEGMENT: where its text lies; BRIGHT: bit 7 of attributes is a colour and all are shown,
; else the first 128; CURSOR: on or off; FONTS: the second half of attributes shows another font; SPLIT: the lower part
; begins at address 0; PANNED: start address and panning.
%include "screen.inc"

%ifndef MODE
%define MODE 3
%endif
%ifndef SEGMENT
%define SEGMENT 0xb800
%endif

draw:
    video MODE
%ifdef BRIGHT
    mov ax, 0x1003
    mov bl, 0
    int 0x10
%endif
    ; Two glyphs of our own.
    mov ax, 0x1100
    mov bx, 0x1000          ; 16 lines, block 0
    mov cx, 2
    mov dx, 0xe0
    mov bp, glyphs
    int 0x10
%ifdef FONTS
    mov ax, 0x1102          ; the 8x8 font, its lower half empty
    mov bl, 1
    int 0x10
    mov ax, 0x1101          ; 8x14
    mov bl, 5
    int 0x10
    mov ax, 0x1103
    mov bl, FONTS
    int 0x10
%endif
    ; Character and attribute count up, the attribute from another start in each row of 80.
    mov ax, SEGMENT
    mov es, ax
    xor di, di
    xor ax, ax
    mov cx, 0x2000
.next:
    stosw
    inc al
    add ah, 3
    test al, 0x1f
    jnz .same
    add ah, 5
.same:
%ifndef BRIGHT
    and ah, 0x7f
%endif
    loop .next
    mov ah, 2               ; cursor to row 5, column 7
    mov bh, 0
    mov dx, 0x0507
    int 0x10
%ifdef CURSOR
    mov ah, 1
    mov cx, CURSOR
    int 0x10
%endif
%ifdef PANNED
    crtc 12, 0
    crtc 13, 85
    crtc 8, 0x03            ; begins three lines into a row
    mov dx, 0x3da
    in al, dx
    mov dx, 0x3c0
    mov al, 0x33
    out dx, al
    mov al, 4
    out dx, al
%endif
%ifdef SPLIT
    crtc 12, 0x03
    crtc 7, 0x1f & ~0x10    ; bit 8
    crtc 9, 0x4f & ~0x40    ; bit 9
    crtc 24, SPLIT
%endif
    jmp shown

glyphs:
    db 0xff, 0x81, 0x81, 0x81, 0xbd, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xbd, 0x81, 0x81, 0x81, 0xff
    db 1, 3, 7, 15, 31, 63, 127, 255, 254, 252, 248, 240, 224, 192, 128, 0
end_of_image
