; SPDX-License-Identifier: GPL-2.0-or-later
; A 64 KiB firmware that reads ROM, shadow and ROM again at one address while it flips PAM.
; What it reads goes to the debug console, a letter each; ends through isa-debug-exit with 0x10.
;
; Source of PAM0 (register 0x59, bits 5:4 for F0000 to FFFFF): Intel 82441FX datasheet.
bits 16
org 0

probe equ 0x8000

start:
    xor     ax, ax
    mov     ss, ax
    mov     sp, 0x7000
    mov     ax, 0xf000
    mov     ds, ax

    call    show            ; ROM: 'R'
    mov     byte [probe], 'x' ; ignored
    call    show            ; still 'R'

    mov     al, 0x20        ; read ROM, write RAM
    call    set_pam
    mov     byte [probe], 's'
    call    show            ; 'R': reads still come from ROM
    call    copy_self       ; our code must be there when reads switch

    mov     al, 0x30        ; read RAM, write RAM
    call    set_pam
    call    show            ; 's'
    mov     byte [probe], 't'
    call    show            ; 't'

    mov     al, 0x10        ; read RAM, write ignored
    call    set_pam
    mov     byte [probe], 'x'
    call    show            ; 't'

    mov     al, 0x00        ; read ROM, write ignored
    call    set_pam
    call    show            ; 'R'
    mov     al, 0x30
    call    set_pam
    call    show            ; 't': the shadow kept its bytes

    mov     dx, 0xf4
    mov     al, 0x10
    out     dx, al
.end:
    hlt
    jmp     .end

show:
    mov     al, [probe]
    mov     dx, 0x402
    out     dx, al
    ret

; AL -> PAM0, register 0x59 of 00:00.0
set_pam:
    push    eax
    mov     eax, 0x80000058
    mov     dx, 0xcf8
    out     dx, eax
    pop     eax
    mov     dx, 0xcfd
    out     dx, al
    ret

; Read each byte and write it where it was: ROM to shadow. The probe keeps what was written to it.
copy_self:
    mov     ax, 0xf000
    mov     es, ax
    xor     si, si
    xor     di, di
    mov     cx, probe
    cld
    rep movsb
    mov     si, probe + 1
    mov     di, probe + 1
    mov     cx, 0xffff - probe
    rep movsb
    ret

    times probe - ($ - $$) db 0x90
    db      'R'
    times 0xfff0 - ($ - $$) db 0xff
    jmp     0xf000:start
    times 0x10000 - ($ - $$) db 0xff
