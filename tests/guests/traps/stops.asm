; SPDX-License-Identifier: GPL-2.0-or-later
; Work that a stop in its middle must not repeat: device writes, counters, port writes.
%include "traps.inc"

main:
    mov ecx, 500
.next:
    inc dword [0x78000]
    mov [MMIO], ecx
    inc dword [0x78004]
    out PORT_HOOK, eax
    inc dword [0x78008]
    mov eax, [MMIO]
    add [0x7800c], eax
    loop .next
    expect dword [0x78000], 500
    expect dword [0x78004], 500
    expect dword [0x78008], 500
    expect dword [0x7800c], 500 * 501 / 2
    done
