; SPDX-License-Identifier: GPL-2.0-or-later
; VBE modes by the chip's own registers, drawn through BAR 0. BITS, WIDTH, HEIGHT; VIRTUAL: width of a line in
; memory; X and Y: where the picture begins; DAC8: a DAC of 8 bits; MOVED: BAR 0 goes elsewhere while we draw, and is off
; when the picture stands.
%include "screen.inc"

%ifndef VIRTUAL
%define VIRTUAL WIDTH
%endif
%ifndef X
%define X 0
%endif
%ifndef Y
%define Y 0
%endif
%ifndef DAC8
%define DAC8 0
%endif
%define BYTES ((BITS + 1) / 8)
%define ROWS (HEIGHT + Y)
%define OTHER_PLACE 0xe4000000

draw:
    video 3                 ; the attribute controller is on
    vbe_set 4, 0
    vbe_set 1, WIDTH
    vbe_set 2, HEIGHT
    vbe_set 3, BITS
    vbe_set 4, 0x41 | DAC8
    vbe_set 6, VIRTUAL
    vbe_set 8, X
    vbe_set 9, Y
%if BITS == 8
    mov dx, 0x3c8
    mov al, 0
    out dx, al
    inc dx
    mov cx, 768
.dac:
    imul ax, cx, 11
    xor al, ah
%if DAC8 == 0
    and al, 0x3f
%endif
    out dx, al
    loop .dac
%endif
    call flat
    mov al, 0x10
    call pci_read
    and eax, 0xfffffff0
    mov edi, eax
    xor ebp, ebp            ; row
.row:
%ifdef MOVED
    ; Every 50 rows to the other of two places.
    mov eax, ebp
    xor edx, edx
    mov ecx, 50
    div ecx
    test edx, edx
    jnz .stay
    mov al, 0x10
    call pci_read
    and eax, 0xfffffff0
    sub edi, eax
    mov ecx, OTHER_PLACE
    cmp eax, ecx
    jne .go
    mov ecx, OTHER_PLACE + 0x2000000
.go:
    add edi, ecx
    mov al, 0x10
    call pci_write
.stay:
%endif
    xor ecx, ecx            ; column
.pixel:
    mov eax, ebp
    imul eax, ecx
    shr eax, 3
    mov edx, ecx
    xor edx, ebp
    shl edx, 8
    add eax, edx
    mov edx, ecx
    shl edx, 17
    xor eax, edx
%if BYTES == 1
    mov [fs:edi], al
%elif BYTES == 2
    mov [fs:edi], ax
%elif BYTES == 3
    mov [fs:edi], ax
    shr eax, 16
    mov [fs:edi + 2], al
%else
    mov [fs:edi], eax
%endif
    add edi, BYTES
    inc ecx
    cmp ecx, VIRTUAL
    jb .pixel
    inc ebp
    cmp ebp, ROWS
    jb .row
%ifdef MOVED
    mov al, 4
    call pci_read
    mov ecx, eax
    and ecx, 0xfffd
    mov al, 4
    call pci_write
%endif
    jmp shown
end_of_image
