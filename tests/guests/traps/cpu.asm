; SPDX-License-Identifier: GPL-2.0-or-later
; SYSENTER and SYSEXIT, time-stamp counter, CPUID.
%include "traps.inc"

main:
    ; Time: RDTSC and the port tell the same clock.
    rdtsc
    mov ebx, eax
    rdtsc
    sub eax, ebx
    mov ebp, eax            ; 4 bytes of code and what the reading itself costs
    rdtsc
    mov ebx, eax
    nop
    nop
    nop
    rdtsc
    sub eax, ebx
    sub eax, ebp
    expect eax, 3
    rdtsc
    mov ebx, eax
    in eax, PORT_TIME
    sub eax, ebx
    expect eax, ebp
    ; CPUID: no APIC, no x2APIC, no TSC deadline, no MONITOR, no RDRAND.
    mov eax, 1
    cpuid
    test edx, 1 << 9
    jz .no_apic
    fail
.no_apic:
    and ecx, 1 << 3 | 1 << 21 | 1 << 24 | 1 << 30
    expect ecx, 0
    expect eax, [signature]
    ; To ring 3, SYSENTER to ring 0, SYSEXIT back.
    mov ecx, 0x174
    xor edx, edx
    mov eax, KCODE
    wrmsr
    inc ecx
    mov eax, STACK - 0x400
    wrmsr
    inc ecx
    mov eax, .entered
    wrmsr
    xor edi, edi
    to_ring3 0x202
    mov esi, esp
    sysenter
.never:
    inc dword [n_bad]
.back:
    expect_quiet edi, 1
    expect_quiet esp, esi
    mov ax, cs
    expect_quiet ax, UCODE
    mov ax, ss
    expect_quiet ax, UDATA
    to_ring0
    ; Without a code segment it is #GP at the instruction.
    xor eax, eax
    xor edx, edx
    mov ecx, 0x174
    wrmsr
    resume_at .after_gp
.gp:
    sysenter
.after_gp:
    expect dword [x_vector], 13
    expect dword [x_error], 0
    expect dword [x_eip], .gp
    done

.entered:
    inc edi
    expect_quiet esp, STACK - 0x400
    mov ax, cs
    expect_quiet ax, KCODE
    mov ax, ss
    expect_quiet ax, KDATA
    pushf
    pop eax
    and eax, 0x200
    expect_quiet eax, 0
    mov ecx, esi
    mov edx, .back
    sysexit

signature: dd 0x663
