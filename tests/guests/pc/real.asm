; SPDX-License-Identifier: GPL-2.0-or-later
; Real mode under SeaBIOS: disk services by CHS and LBA, the memory map, exceptions and interrupts in real mode, A20 by
; both its gates, unreal mode. Prints the memory map, failures and at last the number of checks on the debug console.
;
; The disk: this program from sector 0 on; from sector 64 on each sector is filled with words that say its number
; (word 0), 0, and number * 3 + place. Sectors 70 and 71 are written here: each word complemented.
bits 16
org 0x7c00

%define DEBUGCON 0x402
%define BUFFER 0x9000
%define BUFFER2 0x9200

; %1 (a register or memory word) must be %2.
%macro expect 2
    inc word [n_checks]
    cmp word %1, %2
    je %%ok
    push word 0
    push word %1
    call failed
%%ok:
%endmacro

; The same of 32 bits.
%macro expect32 2
    inc word [n_checks]
    cmp dword %1, %2
    je %%ok
    push dword %1
    call failed
%%ok:
%endmacro

%macro expect_carry 1
    mov ax, 0
    adc ax, 0
    expect ax, %1
%endmacro

start:
    jmp 0:.here
.here:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, start
    mov [drive], dl
    ; The rest of the program, by cylinder, head and sector.
    mov ax, 0x0200 + (program_end - start) / 512 - 1
    mov bx, start + 512
    mov cx, 2
    mov dh, 0
    int 0x13
    jnc main
    mov al, 0x7f
    out 0xf4, al
.end:
    hlt
    jmp .end
drive:
    db 0
    times 510 - ($ - $$) db 0
    dw 0xaa55

main:
    cld
    call check_disk
    call print_memory_map
    call check_ticks
    call check_real_mode_exceptions
    call check_a20
    call check_unreal
    mov ax, [n_checks]
    call put_decimal
    mov si, words_checks
    call put
    mov ax, [n_failed]
    test ax, ax
    jz .good
    mov al, 1
.good:
    out 0xf4, al
.end:
    cli
    hlt
    jmp .end

; ---- disk ----

check_disk:
    mov al, [drive]
    mov ah, 0
    expect ax, 0x80
    mov ah, 8
    mov dl, 0x80
    int 0x13
    jc .bad_geometry
    push ds
    pop es
    and cx, 0x3f
    mov [per_track], cx
    mov cl, dh
    inc cx
    mov [n_heads], cx
    ; Sector 100 both ways.
    mov ax, 100
    mov bx, BUFFER
    call read_chs
    expect_carry 0
    mov eax, 100
    mov bx, BUFFER2
    call read_lba
    expect_carry 0
    mov si, BUFFER
    mov di, BUFFER2
    mov cx, 256
    repe cmpsw
    expect cx, 0
    expect [BUFFER], 100
    expect [BUFFER + 2], 0
    expect [BUFFER + 510], 100 * 3 + 255
    ; Every sector from 64 to 199 by CHS says its own number.
    mov ax, 64
.next:
    push ax
    mov bx, BUFFER
    call read_chs
    pop ax
    jc .bad_geometry
    cmp [BUFFER], ax
    jne .bad_geometry
    inc ax
    cmp ax, 200
    jb .next
    inc word [n_checks]
    ; Written by LBA and by CHS, read back the other way.
    mov eax, 70
    mov bx, BUFFER
    call read_lba
    call complement
    mov eax, 70
    mov ah, 0x43
    call lba_call
    expect_carry 0
    mov ax, 71
    mov bx, BUFFER
    call read_chs
    call complement
    mov ax, 71
    mov bx, BUFFER
    call chs_registers
    mov ax, 0x0301
    int 0x13
    expect_carry 0
    mov ax, 70
    mov bx, BUFFER
    call read_chs
    expect [BUFFER], ~70 & 0xffff
    expect [BUFFER + 510], ~(70 * 3 + 255) & 0xffff
    mov eax, 71
    mov bx, BUFFER
    call read_lba
    expect [BUFFER], ~71 & 0xffff
    expect [BUFFER + 510], ~(71 * 3 + 255) & 0xffff
    ; Past the end.
    mov eax, 0x1000000
    mov bx, BUFFER
    call read_lba
    expect_carry 1
    ret
.bad_geometry:
    push word 0
    push ax
    call failed
    ret

; AX: sector -> CX, DX for INT 13h
chs_registers:
    xor dx, dx
    div word [per_track]
    mov cx, dx
    inc cx                  ; sectors count from 1
    xor dx, dx
    div word [n_heads]
    mov dh, dl
    mov ch, al
    shl ah, 6
    or cl, ah
    mov dl, 0x80
    ret

; AX: sector, to BX
read_chs:
    call chs_registers
    mov ax, 0x0201
    int 0x13
    ret

; EAX: sector, to BX
read_lba:
    mov [packet.lba], eax
    mov [packet.offset], bx
    mov ah, 0x42
lba_call:
    mov al, 0
    mov si, packet
    mov dl, 0x80
    int 0x13
    ret

complement:
    mov di, BUFFER
    mov cx, 256
.next:
    not word [di]
    add di, 2
    loop .next
    ret

; ---- the memory map: a line an entry, base, length, kind ----

print_memory_map:
    int 0x12
    push ax
    mov si, words_low
    call put
    pop ax
    call put_decimal
    call put_newline
    xor ebx, ebx
.next:
    mov eax, 0xe820
    mov edx, 0x534d4150     ; "SMAP"
    mov ecx, 20
    mov di, BUFFER
    int 0x15
    jc .end
    expect32 eax, 0x534d4150
    mov si, words_map
    call put
    push ebx
    mov eax, [BUFFER + 4]
    call put_hex32
    mov eax, [BUFFER]
    call put_hex32
    mov al, ' '
    call put_char
    mov eax, [BUFFER + 12]
    call put_hex32
    mov eax, [BUFFER + 8]
    call put_hex32
    mov al, ' '
    call put_char
    mov eax, [BUFFER + 16]
    call put_hex32
    call put_newline
    pop ebx
    test ebx, ebx
    jnz .next
.end:
    ret

; ---- the timer interrupt ends HLT and counts at 40:6C ----

check_ticks:
    sti
    mov eax, [0x46c]
    mov cx, 5
.next:
    mov ebx, [0x46c]
.wait:
    hlt
    cmp ebx, [0x46c]
    je .wait
    loop .next
    sub eax, [0x46c]
    neg eax
    expect32 eax, 5
    ret

; ---- interrupts and exceptions through the table at 0 ----

check_real_mode_exceptions:
    mov word [0x60 * 4], on_int60
    mov word [0x60 * 4 + 2], 0
    mov word [0], on_divide
    mov word [2], 0
    mov word [6 * 4], on_undefined
    mov word [6 * 4 + 2], 0
    mov word [4 * 4], on_overflow
    mov word [4 * 4 + 2], 0
    sti
    mov bx, sp
    mov ax, 1
    int 0x60
.after_int:
    expect ax, 2
    expect sp, bx
    expect [seen_ip], .after_int
    expect [seen_if], 0
    pushf
    pop ax
    and ax, 0x200
    expect ax, 0x200
    xor dx, dx
    xor cx, cx
    mov ax, 5
.divide:
    div cx                  ; two bytes, passed over
    expect [seen_ip], .divide
    expect [n_divide], 1
.undefined:
    ud2
    expect [seen_ip], .undefined
    mov al, 0x7f
    add al, 1
    into
.after_into:
    expect [seen_ip], .after_into
    expect [n_overflow], 1
    ; The stack pointer wraps in its segment.
    mov bx, sp
    cli
    mov ax, 0x3000
    mov ss, ax
    mov sp, 2
    push word 0x1111
    push word 0x2222
    mov dx, sp
    pop cx
    xor ax, ax
    mov ss, ax
    mov sp, bx
    sti
    expect dx, 0xfffe
    expect cx, 0x2222
    mov ax, 0x3000
    mov es, ax
    expect [es:0], 0x1111
    expect [es:0xfffe], 0x2222
    xor ax, ax
    mov es, ax
    ret

on_int60:
    push bp
    mov bp, sp
    push ax
    mov ax, [bp + 2]
    mov [cs:seen_ip], ax
    pushf
    pop ax
    and ax, 0x200
    mov [cs:seen_if], ax
    pop ax
    pop bp
    inc ax
    iret

on_divide:
    inc word [cs:n_divide]
on_undefined:
    push bp
    mov bp, sp
    push ax
    mov ax, [bp + 2]
    mov [cs:seen_ip], ax
    add word [bp + 2], 2
    pop ax
    pop bp
    iret

on_overflow:
    push bp
    mov bp, sp
    push ax
    inc word [cs:n_overflow]
    mov ax, [bp + 2]
    mov [cs:seen_ip], ax
    pop ax
    pop bp
    iret

; ---- A20 ----

; The word at 1 MiB + 0x500 and the one at 0x500: the same one or not? AX: 1 if A20 is held low
wraps:
    push es
    mov ax, 0xffff
    mov es, ax
    mov word [0x500], 0x1234
    mov word [es:0x510], 0x5678
    xor ax, ax
    cmp word [0x500], 0x5678
    jne .apart
    inc ax
    mov word [0x500], 0x9abc
    cmp word [es:0x510], 0x9abc
    je .end
    mov al, 2
    jmp .end
.apart:
    cmp word [es:0x510], 0x5678
    je .end
    mov al, 3
.end:
    pop es
    ret

kbc_wait:
    in al, 0x64
    test al, 2
    jnz kbc_wait
    ret

; AH: output port
kbc_output_port:
    call kbc_wait
    mov al, 0xd1
    out 0x64, al
    call kbc_wait
    mov al, ah
    out 0x60, al
    jmp kbc_wait

check_a20:
    cli
    mov bp, 3               ; more than once: nothing may be remembered
.again:
    mov al, 0x02
    out 0x92, al
    call wraps
    expect ax, 0
    mov al, 0x00
    out 0x92, al
    mov ah, 0xdd
    call kbc_output_port
    call wraps
    expect ax, 1
    mov ah, 0xdf
    call kbc_output_port
    call wraps
    expect ax, 0
    mov ah, 0xdd
    call kbc_output_port
    call wraps
    expect ax, 1
    mov al, 0x02
    out 0x92, al
    call wraps
    expect ax, 0
    dec bp
    jnz .again
    sti
    ret

; ---- unreal mode ----

check_unreal:
    cli
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp short .protected
.protected:
    mov bx, 8               ; base 0, 4 GiB
    mov fs, bx
    mov bx, 16              ; base 2 MiB
    mov gs, bx
    and al, 0xfe
    mov cr0, eax
    jmp 0:.real
.real:
    ; Far above 1 MiB with the segments of before.
    mov dword [dword fs:0x600000], 0xcafe0001
    mov dword [dword gs:0x100], 0xcafe0002
    expect32 [dword fs:0x600000], 0xcafe0001
    expect32 [dword fs:0x200100], 0xcafe0002
    expect32 [dword gs:0x400000], 0xcafe0001
    ; Loaded in real mode the base is the selector's, the limit stays.
    mov ax, 0x1000
    mov fs, ax
    mov dword [dword fs:0x700000], 0xcafe0003
    xor ax, ax
    mov gs, ax
    expect32 [dword gs:0x710000], 0xcafe0003
    expect32 [dword gs:0x600000], 0xcafe0001
    ; A20 low: the even megabyte below.
    mov dword [dword gs:0x300500], 0xcafe0004
    mov dword [dword gs:0x200500], 0xcafe0005
    mov al, 0
    out 0x92, al
    mov ah, 0xdd
    call kbc_output_port
    expect32 [dword gs:0x300500], 0xcafe0005
    mov dword [dword gs:0x300500], 0xcafe0006
    mov al, 2
    out 0x92, al
    expect32 [dword gs:0x300500], 0xcafe0004
    expect32 [dword gs:0x200500], 0xcafe0006
    ; An interrupt in between changes nothing.
    sti
    mov eax, [0x46c]
.tick:
    hlt
    cmp eax, [0x46c]
    je .tick
    int 0x60
    expect32 [dword gs:0x600000], 0xcafe0001
    ; String moves with 32-bit addresses.
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov esi, 0x600000
    mov edi, 0x800000
    mov ecx, 1
    a32 rep movsd
    expect32 [dword gs:0x800000], 0xcafe0001
    expect32 edi, 0x800004
    ret

; ---- words ----

; On the stack: the value, 32 bits. Says from where it was called (see nasm -l); keeps all registers.
failed:
    pushad
    push bp
    mov bp, sp
    inc word [n_failed]
    mov si, words_at
    call put
    movzx eax, word [bp + 34]
    call put_hex32
    mov si, words_got
    call put
    mov eax, [bp + 36]
    call put_hex32
    call put_newline
    pop bp
    popad
    ret 4

put_newline:
    mov al, 10
put_char:
    push dx
    mov dx, DEBUGCON
    out dx, al
    pop dx
    ret

put:
    lodsb
    test al, al
    jz .end
    call put_char
    jmp put
.end:
    ret

put_hex32:
    mov cx, 8
.next:
    rol eax, 4
    push ax
    and al, 15
    cmp al, 10
    sbb al, 0x69            ; to a digit, with DAS
    das
    or al, 0x20
    call put_char
    pop ax
    loop .next
    ret

put_decimal:
    xor cx, cx
    mov bx, 10
.next:
    xor dx, dx
    div bx
    push dx
    inc cx
    test ax, ax
    jnz .next
.digit:
    pop ax
    add al, '0'
    call put_char
    loop .digit
    ret

words_checks: db " checks", 10, 0
words_at: db "check at ", 0
words_got: db ": got ", 0
words_low: db "low ", 0
words_map: db "map ", 0

align 8
gdt:
    dq 0
    dq 0x00cf93000000ffff
    dq 0x00cf93200000ffff
gdt_pointer:
    dw 23
    dd gdt
packet:
    db 16, 0
    dw 1
.offset:
    dw 0
    dw 0
.lba:
    dq 0
per_track: dw 0
n_heads: dw 0
n_checks: dw 0
n_failed: dw 0
seen_ip: dw 0
seen_if: dw 0xffff
n_divide: dw 0
n_overflow: dw 0
    times (512 - (($ - $$) % 512)) % 512 db 0
program_end:
