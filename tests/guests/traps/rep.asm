; SPDX-License-Identifier: GPL-2.0-or-later
; String instructions: counts of 0, 1 and more, 16-bit addresses, early ends, jumps to them, faults in the middle.
%include "traps.inc"

%define SOURCE 0x70000
%define DEST 0x72000

main:
    ; STOS with ECX 0, 1, 5; from inside a block and as the target of a jump.
%assign n 0
%rep 4
    mov edi, DEST
    mov ecx, n
    mov al, 0x5a
    rep stosb
    expect edi, DEST + n
    expect ecx, 0
    mov edi, DEST
    mov ecx, n
    jmp .target_ %+ n
align 8
.target_ %+ n:
    rep stosd
    expect edi, DEST + n * 4
    %assign n n * 2 + 1
%endrep
    ; MOVS, forwards and backwards.
    mov edi, SOURCE
    mov ecx, 256
    xor eax, eax
.fill:
    stosb
    inc al
    loop .fill
    mov esi, SOURCE
    mov edi, DEST
    mov ecx, 64
    rep movsd
    expect dword [DEST + 252], 0xfffefdfc
    std
    mov esi, SOURCE + 255
    mov edi, DEST + 300
    mov ecx, 256
    rep movsb
    cld
    expect edi, DEST + 44
    expect byte [DEST + 45], 0
    expect byte [DEST + 300], 0xff
    ; CMPS and SCAS end early, CX says where.
    mov byte [SOURCE + 0x400], 1
    mov esi, SOURCE
    mov edi, DEST + 45
    mov byte [DEST + 45 + 100], 0
    mov ecx, 256
    repe cmpsb
    expect ecx, 155
    expect esi, SOURCE + 101
    mov edi, SOURCE
    mov ecx, 256
    mov al, 200
    repne scasb
    expect ecx, 55
    ; The same instruction again with fewer left than the early end left: by a jump.
    mov edx, 4
.search:
    mov edi, SOURCE
    add edi, edx
    lea ecx, [edx * 8 + 64]
    mov al, 20
    cmp edx, 2
    jne .do
    mov ecx, 3
    mov al, 99
.do:
    jmp .scan
align 32
.scan:
    repne scasb
    jne .scanned
    nop
.scanned:
    out PORT_LOG, al        ; with the time
    mov [results + edx * 4], ecx
    dec edx
    jnz .search
    expect dword [results + 4], 52
    expect dword [results + 8], 0
    expect dword [results + 12], 70
    ; A prefix makes the address and the count 16 bits.
    mov edi, 0xffff0010
    mov ecx, 0xabcd0003
    mov al, 0x77
    mov dword [0x10], 0
    a16 rep stosb
    expect ecx, 0xabcd0000
    expect edi, 0xffff0013
    expect dword [0x10], 0x777777
    mov ecx, 0x10000        ; CX = 0: nothing
    a16 rep stosb
    expect ecx, 0x10000
    ; LOOP and JECXZ to themselves count as blocks of their own.
    mov ecx, 300
.self:
    loop .self
    expect ecx, 0
    in eax, PORT_TIME
    mov ebx, eax
    in eax, PORT_TIME
    sub eax, ebx
    sub eax, 4              ; MOV and IN are two bytes each
    mov ebp, eax            ; what a port access costs
    ; Time inside: IN before and after a REP of n costs 2n bytes.
    mov edi, DEST
    mov ecx, 77
    in eax, PORT_TIME
    mov ebx, eax
    rep stosb
    in eax, PORT_TIME
    sub eax, ebx
    sub eax, ebp
    expect eax, 2 + 2 + 2 * 77
    ; A page fault in the middle: the handler maps the page, the instruction goes on.
    paging_on
    mov dword [PTE(0x210000)], 0
    flush_tlb
    mov dword [on_exception], map_page
    mov dword [x_count], 0
    mov esi, 0x20f000
    mov edi, 0x20f800
    mov ecx, 0x800
    mov al, 0x33
    mov edi, 0x20f800
    mov ecx, 0x1000
    rep stosb
    expect dword [x_count], 1
    expect dword [x_cr2], 0x210000
    expect dword [x_error], 2
    expect dword [fault_edi], 0x210000
    expect dword [fault_ecx], 0x800
    expect edi, 0x210800
    expect ecx, 0
    expect byte [0x2107ff], 0x33
    expect byte [0x210800], 0
    ; The same of MOVS reading: the unit that faults straddles two pages.
    mov dword [PTE(0x210000)], 0
    flush_tlb
    mov esi, 0x20fff2
    mov edi, 0x220000
    mov ecx, 8
    rep movsd
    expect dword [x_count], 2
    expect dword [x_cr2], 0x210000
    expect dword [x_error], 0
    expect dword [fault_edi], 0x22000c
    expect dword [fault_ecx], 5
    expect dword [0x22000c], 0x33333333
    mov dword [on_exception], 0
    done

map_page:
    mov eax, [esp + 4 + 8 + 0]  ; EDI of PUSHA
    mov [fault_edi], eax
    mov eax, [esp + 4 + 8 + 24] ; ECX
    mov [fault_ecx], eax
    mov eax, cr2
    and eax, 0xfffff000
    mov ebx, eax
    or eax, 7
    shr ebx, 10
    mov [PAGE_TABLE + ebx], eax
    invlpg [eax]
    ret

results: times 8 dd 0
fault_edi: dd 0
fault_ecx: dd 0
