; SPDX-License-Identifier: GPL-2.0-or-later
; A boot sector that brings a freestanding guest (GUEST, a flat image linked at 1 MiB) from the disk: by INT 13h to
; 0x10000, in protected mode to 1 MiB. The disk image is this file.
bits 16
org 0x7c00

%define CHUNK 32            ; sectors a call
%define STAGED 0x10000
%define TARGET 0x100000

start:
    jmp 0:.here
.here:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, start
    cld
    mov cx, (image_end - image) / 512 / CHUNK
.next:
    push cx
    push dx
    mov si, packet
    mov ah, 0x42
    int 0x13
    jc .failed
    pop dx
    pop cx
    add dword [packet.lba], CHUNK
    add word [packet.segment], CHUNK * 512 / 16
    loop .next
    in al, 0x92
    or al, 2
    out 0x92, al
    cli
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp 8:protected
.failed:
    mov al, 0x7f
    out 0xf4, al
.end:
    hlt
    jmp .end

packet:
    db 16, 0
    dw CHUNK
    dw 0
.segment:
    dw STAGED / 16
.lba:
    dq 1

bits 32
protected:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov edi, TARGET
    xor eax, eax
    mov ecx, 0x100000 / 4
    rep stosd
    mov esi, STAGED
    mov edi, TARGET
    mov ecx, (image_end - image) / 4
    rep movsd
    mov eax, TARGET
    jmp eax

align 8
gdt:
    dq 0
    dq 0x00cf9b000000ffff
    dq 0x00cf93000000ffff
gdt_pointer:
    dw 23
    dd gdt
    times 510 - ($ - $$) db 0
    dw 0xaa55

image:
    incbin GUEST
    times (CHUNK * 512 - (($ - image) % (CHUNK * 512))) % (CHUNK * 512) db 0
image_end:
