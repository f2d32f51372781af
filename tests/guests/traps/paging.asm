; SPDX-License-Identifier: GPL-2.0-or-later
; Page faults at exact places: code that runs into a missing page, instructions and stores that straddle two pages.
%include "traps.inc"

%define HOLE 0x301000

%macro unmap 1
    mov dword [PTE(%1)], 0
    invlpg [%1]
%endmacro

main:
    paging_on
    ; Code up to the last byte of its page: the fault is that of the next page's first instruction.
    mov edi, HOLE - 64
    mov ecx, 64 / 4
    mov eax, 0x43434343     ; inc ebx
    rep stosd
    mov byte [HOLE], 0xc3
    unmap HOLE
    xor ebx, ebx
    mov ebp, esp
    resume_at .after_ahead
    mov eax, HOLE - 64
    call eax
.after_ahead:
    mov esp, ebp
    expect ebx, 64
    expect dword [x_vector], 14
    expect dword [x_error], 0
    expect dword [x_eip], HOLE
    expect dword [x_cr2], HOLE
    ; An instruction that lies on both pages: EIP at its start, CR2 at the second page.
    mov byte [HOLE - 3], 0xb8   ; mov eax, imm32
    mov byte [HOLE - 2], 0x44
    mov byte [HOLE - 1], 0x33
    xor ebx, ebx
    resume_at .after_straddle
    mov eax, HOLE - 64
    call eax
.after_straddle:
    mov esp, ebp
    expect ebx, 61
    expect dword [x_eip], HOLE - 3
    expect dword [x_cr2], HOLE
    ; Mapped by the handler it goes on there.
    mov dword [on_exception], map
    mov dword [x_count], 0
    mov dword [PTE(HOLE)], HOLE + 7
    mov dword [HOLE], 0xc3431122
    unmap HOLE
    xor ebx, ebx
    mov eax, HOLE - 64
    call eax
    expect eax, 0x11223344
    expect ebx, 62
    expect dword [x_count], 1
    mov dword [on_exception], 0
    ; A call to a page that is not there.
    unmap HOLE
    resume_at .after_call
    mov eax, HOLE + 0x123
    call eax
.after_call:
    expect dword [x_eip], HOLE + 0x123
    expect dword [x_cr2], HOLE + 0x123
    pop eax
    expect esp, ebp
    ; Stores that cross into the missing page leave nothing behind.
    mov dword [HOLE - 4], 0x55555555
    resume_at .after_store
.store:
    mov dword [HOLE - 1], 0xaaaaaaaa
.after_store:
    expect dword [x_eip], .store
    expect dword [x_error], 2
    expect dword [x_cr2], HOLE
    expect dword [HOLE - 4], 0x55555555
    resume_at .after_add
.add:
    add word [HOLE - 1], 0x1111
.after_add:
    expect dword [x_eip], .add
    expect dword [x_cr2], HOLE
    expect dword [HOLE - 4], 0x55555555
    resume_at .after_cx8
    xor eax, eax
    xor edx, edx
.cx8:
    lock cmpxchg8b [HOLE - 4]
.after_cx8:
    expect dword [x_eip], .cx8
    expect dword [HOLE - 4], 0x55555555
    ; The byte is named, whatever the operand looks like.
    mov esi, HOLE
    mov edi, 0x10
    resume_at .after_sib
    mov eax, [esi + edi * 4 + 5]
.after_sib:
    expect dword [x_cr2], HOLE + 0x45
    expect dword [x_error], 0
    resume_at .after_bt
    mov eax, 100
    bts [HOLE + 8], eax
.after_bt:
    expect dword [x_cr2], HOLE + 8 + 12
    resume_at .after_movs
    mov esi, 0x78000
    mov edi, HOLE + 0x77
    movsb
.after_movs:
    expect dword [x_cr2], HOLE + 0x77
    expect dword [x_error], 2
    expect esi, 0x78000
    ; A read-only page: WP holds for ring 0.
    mov dword [PTE(HOLE)], HOLE + 5
    invlpg [HOLE]
    mov eax, [HOLE + 12]
    resume_at .after_wp
    mov [HOLE + 12], eax
.after_wp:
    expect dword [x_error], 3
    expect dword [x_cr2], HOLE + 12
    ; Accessed and dirty bits: set by the first read and the first write.
    mov dword [PTE(HOLE)], HOLE + 7
    invlpg [HOLE]
    mov eax, [HOLE]
    mov eax, [PTE(HOLE)]
    and eax, 0xfff
    expect eax, 0x27
    mov [HOLE], eax
    mov eax, [PTE(HOLE)]
    and eax, 0xfff
    expect eax, 0x67
    done

; Maps the page of CR2 one to one.
map:
    mov eax, cr2
    and eax, 0xfffff000
    mov ebx, eax
    or eax, 7
    shr ebx, 10
    mov [PAGE_TABLE + ebx], eax
    ret
