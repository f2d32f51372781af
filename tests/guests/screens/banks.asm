; SPDX-License-Identifier: GPL-2.0-or-later
; 640x480 in 256 colours by the VBE functions of the video BIOS, drawn through the window, bank by bank. WIDTH: of a line in
; memory; PANNED: the picture begins in the middle of it.
%include "screen.inc"

%ifndef WIDTH
%define WIDTH 640
%endif

draw:
    mov ax, 0x4f02
    mov bx, 0x101
    int 0x10
    cmp ax, 0x4f
    jne .failed
%if WIDTH != 640
    mov ax, 0x4f06
    mov bl, 0
    mov cx, WIDTH
    int 0x10
%endif
    ; 200 colours from the middle by the BIOS, the rest by ports.
    mov ax, 0x4f09
    mov bl, 0
    mov cx, 200
    mov dx, 16
    mov di, palette
    int 0x10
    mov ax, 0xa000
    mov es, ax
    xor ebp, ebp            ; in memory
.bank:
    mov ax, 0x4f05
    xor bx, bx
    mov edx, ebp
    shr edx, 16
    int 0x10
    xor edi, edi
.byte:
    mov eax, ebp
    xor edx, edx
    mov ecx, WIDTH
    div ecx
    mov cl, al
    shr cl, 3
    add al, dl
    xor al, dh
    add al, cl
    mov [es:di], al
    inc ebp
    inc di
    jnz .byte
    cmp ebp, 0xa0000
    jb .bank
%ifdef PANNED
    mov ax, 0x4f07
    mov bx, 0
    mov cx, 101
    mov dx, 37
    int 0x10
%endif
    jmp shown
.failed:
    mov si, text_failed
    jmp say

palette:
%assign i 0
%rep 200
    db (i * 5) & 0x3f, (i * 3 + 7) & 0x3f, (63 - i / 4) & 0x3f, 0
%assign i i + 1
%endrep
end_of_image
