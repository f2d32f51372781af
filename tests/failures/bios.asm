; SPDX-License-Identifier: GPL-2.0-or-later
; A 64 KiB firmware that keeps memory, disk and a console busy and comes to the same end however often the host failed:
; nothing in memory depends on time or on what had to be done twice. A disk command that ends with an error is given
; again.
;
;   for block = 0 .. N-1: fill a page of memory, write its first sector to the disk, read it back into memory,
;   a letter to the debug console; then HLT for good.
bits 16
org 0

%define N_BLOCKS 96
%define STATUS 0x1f7

start:
    cli
    xor ax, ax
    mov ss, ax
    mov sp, 0x7000
    mov ds, ax
    mov dx, 0x3f6           ; no interrupts from the drive
    mov al, 2
    out dx, al
    xor si, si              ; block

next:
    ; A page at 0x10000 + block * 0x1000: words that say their place.
    mov ax, si
    shl ax, 8
    add ax, 0x1000
    mov es, ax
    xor di, di
fill:
    mov ax, di
    add ax, si
    imul ax, ax, 0x6d2b
    mov [es:di], ax
    add di, 2
    cmp di, 0x1000
    jb fill

again_write:
    mov al, 0x30            ; WRITE SECTORS
    call command
    jc again_write
    xor di, di
    mov cx, 256
    mov dx, 0x1f0
put:
    mov ax, [es:di]
    out dx, ax
    add di, 2
    loop put
    call wait_idle
    test al, 1
    jnz again_write

again_read:
    mov al, 0x20            ; READ SECTORS
    call command
    jc again_read
    mov di, 0x800
    mov cx, 256
    mov dx, 0x1f0
    cld
    rep insw
    call wait_idle
    test al, 1
    jnz again_read

    mov dx, 0x402
    mov al, 'b'
    out dx, al
    inc si
    cmp si, N_BLOCKS
    jb next
halt:
    hlt
    jmp halt

; Command AL for one sector, at LBA block * 5. Carry: it ended with an error. Else data is wanted.
command:
    mov bl, al
    call wait_idle
    mov dx, 0x1f2
    mov al, 1
    out dx, al
    imul cx, si, 5
    inc dx
    mov al, cl
    out dx, al
    inc dx
    mov al, ch
    out dx, al
    inc dx
    xor al, al
    out dx, al
    inc dx
    mov al, 0xe0
    out dx, al
    inc dx
    mov al, bl
    out dx, al
wait_data:
    call wait_idle
    test al, 1
    jnz failed
    test al, 8
    jz wait_data
    clc
    ret
failed:
    stc
    ret

wait_idle:
    mov dx, STATUS
    in al, dx
    test al, 0x80
    jnz wait_idle
    ret

    times 0xfff0 - ($ - $$) db 0xff
    jmp 0xf000:start
    times 0x10000 - ($ - $$) db 0xff
