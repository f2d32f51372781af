; SPDX-License-Identifier: GPL-2.0-or-later
; 256 colours of a VGA: mode 13h, chained (nothing defined), or unchained with 240 lines (UNCHAINED); SPLIT: a line compare.
%include "screen.inc"

draw:
    video 0x13
    ; Colours of our own in the upper half.
    mov dx, 0x3c8
    mov al, 128
    out dx, al
    inc dx
    mov cx, 128 * 3
.dac:
    imul ax, cx, 7
    and al, 0x3f
    out dx, al
    loop .dac
    mov ax, 0xa000
    mov es, ax
%ifdef UNCHAINED
    mov dx, 0x3c4
    mov ax, 0x0604
    out dx, ax
    crtc 20, 0
    crtc 23, 0xe3
    mov dx, 0x3c2
    mov al, 0xe3            ; 480 lines, each shown twice
    out dx, al
    crtc 17, 0x2c
    crtc 6, 0x0d
    crtc 7, 0x3e
    crtc 16, 0xea
    crtc 17, 0xac
    crtc 18, 0xdf
    crtc 21, 0xe7
    crtc 22, 0x06
    mov bl, 1
.plane:
    mov dx, 0x3c4
    mov al, 2
    mov ah, bl
    out dx, ax
    xor di, di
    mov cx, 80 * 240
.byte:
    mov ax, di
    shr ax, 4
    imul ax, bx
    add ax, di
    stosb
    loop .byte
    shl bl, 1
    cmp bl, 16
    jne .plane
    crtc 13, 17
%else
    xor di, di
    mov cx, 64000
.byte:
    mov ax, di
    mov dx, 0
    mov bx, 320
    div bx
    xor al, dl
    add al, dh
    stosb
    loop .byte
%endif
%ifdef SPLIT
    crtc 12, 0x20
    crtc 7, 0x1f & ~0x10
    crtc 9, 0x41 & ~0x40
    crtc 24, SPLIT
%endif
    jmp shown
end_of_image
