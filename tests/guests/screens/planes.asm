; SPDX-License-Identifier: GPL-2.0-or-later
; Graphics of 16, 4 and 2 colours. MODE: of INT 10h; CLOCKS: bytes a line in each plane; LINES; SPLIT: a line compare;
; PANNED: start address, virtual width, panning; MASKED: planes that are shown; PALETTE: attribute registers of our own.
%include "screen.inc"

%macro gfx 2
    mov dx, 0x3ce
    mov ax, %1 | (%2) << 8
    out dx, ax
%endmacro
%macro seq 2
    mov dx, 0x3c4
    mov ax, %1 | (%2) << 8
    out dx, ax
%endmacro

draw:
    video MODE
    mov ax, SEGMENT
    mov es, ax
%ifdef CGA
    ; Two banks of 8 KiB; something in each byte.
    xor di, di
    mov cx, 0x4000
.cga:
    mov ax, di
    shr ax, 5
    add al, ah
    xor ax, di
    stosb
    loop .cga
%else
    ; Write mode 0: each plane its own pattern.
    mov bl, 1
.plane:
    mov dx, 0x3c4
    mov al, 2
    mov ah, bl
    out dx, ax
    xor di, di
    mov cx, CLOCKS * LINES
.byte:
    mov ax, di
    rol ax, 3
    add al, ah
    mul bl
    stosb
    loop .byte
    shl bl, 1
    cmp bl, 16
    jne .plane
    seq 2, 0x0f
    ; Write mode 0 with set/reset for planes 0 and 2, rotated and combined by XOR, through a bit mask.
    gfx 0, 0x05
    gfx 1, 0x05
    gfx 3, 0x1b
    gfx 8, 0x7e
    mov di, CLOCKS * 20
    mov cx, CLOCKS * 20
.mode0:
    mov al, [es:di]
    mov ax, di
    stosb
    loop .mode0
    gfx 1, 0
    gfx 3, 0
    gfx 8, 0xff
    ; Write mode 1: latched bytes are copied.
    gfx 5, 1
    mov si, CLOCKS * 25
    mov di, CLOCKS * 60
    mov cx, CLOCKS * 20
.mode1:
    mov al, [es:si]
    inc si
    stosb
    loop .mode1
    ; Write mode 2: a colour.
    gfx 5, 2
    gfx 8, 0x3c
    mov di, CLOCKS * 90
    mov cx, CLOCKS * 20
.mode2:
    mov al, [es:di]
    mov ax, cx
    stosb
    loop .mode2
    ; Write mode 3: set/reset through the byte as a mask.
    gfx 5, 3
    gfx 0, 0x0a
    gfx 8, 0xe7
    mov di, CLOCKS * 120
    mov cx, CLOCKS * 20
.mode3:
    mov al, [es:di]
    mov ax, di
    rol al, 2
    stosb
    loop .mode3
    ; Read mode 1: where colour 5 was compared, into plane 3.
    gfx 5, 8
    gfx 8, 0xff
    gfx 0, 0
    gfx 2, 0x05
    gfx 7, 0x07
    seq 2, 0x08
    mov di, CLOCKS * 150
    mov cx, CLOCKS * 20
.read1:
    mov al, [es:di]
    stosb
    loop .read1
%endif
%ifdef PALETTE
    mov dx, 0x3da
    in al, dx
    mov dx, 0x3c0
    mov cl, 0
.palette:
    mov al, cl
    out dx, al
    imul ax, cx, 11
    and al, 0x3f
    out dx, al
    inc cl
    cmp cl, 16
    jne .palette
    mov al, 0x34            ; colour select
    out dx, al
    mov al, PALETTE
    out dx, al
    ; A DAC full of colours.
    mov dx, 0x3c8
    mov al, 0
    out dx, al
    inc dx
    mov cx, 768
.dac:
    mov ax, cx
    shr ax, 1
    xor al, cl
    and al, 0x3f
    out dx, al
    loop .dac
%endif
%ifdef MASKED
    mov dx, 0x3da
    in al, dx
    mov dx, 0x3c0
    mov al, 0x32
    out dx, al
    mov al, MASKED
    out dx, al
%endif
%ifdef PANNED
    crtc 19, CLOCKS / 2 + 3
    crtc 12, 0x01
    crtc 13, 0x23
    crtc 8, 0x20
    mov dx, 0x3da
    in al, dx
    mov dx, 0x3c0
    mov al, 0x33
    out dx, al
    mov al, 3
    out dx, al
%endif
%ifdef SPLIT
    crtc 12, 0x10
    crtc 7, 0x3e & ~0x10 | ((SPLIT) >> 4 & 0x10)
    crtc 9, SPLIT_LINES
    crtc 24, (SPLIT) & 0xff
%endif
    jmp shown
end_of_image
