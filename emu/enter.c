/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting a program without firmware: the processor as a boot loader leaves it.
 *
 * Source: the Linux/x86 boot protocol (32-bit entry) and the Multiboot conventions agree on this
 * state.
 */
#include "emu/loader.h"
#include "emu/machine-internal.h"

#include "memsys/access.h"

#include <inttypes.h>
#include <string.h>

enum { FLAT_CODE = 0x10, FLAT_DATA = 0x18 };

bool emu_machine_enter_flat32(EmuMachine *machine, uint32_t entry, uint32_t esp, uint32_t esi,
                              GPhys gdt_address, GError **error)
{
    static const uint64_t gdt[] = { 0, 0, UINT64_C(0x00cf9b000000ffff),
                                    UINT64_C(0x00cf93000000ffff) };
    static const int gprs[] = { UC_X86_REG_EAX, UC_X86_REG_EBX, UC_X86_REG_ECX,
                                UC_X86_REG_EDX, UC_X86_REG_EDI, UC_X86_REG_EBP };
    static const uint8_t segs[] = { X86_SS, X86_DS, X86_ES, X86_FS, X86_GS };
    UcCore *core = &machine->core;
    uint8_t bytes[sizeof(gdt)];

    g_assert(machine->started && !machine->running);
    for (unsigned i = 0; i < G_N_ELEMENTS(gdt); i++) {
        uint64_t entry_le = GUINT64_TO_LE(gdt[i]);

        memcpy(bytes + 8 * i, &entry_le, 8);
    }
    MemStatus status =
        pgm_write(machine->pgm, gdt_address, bytes, sizeof(bytes), MEM_ORIGIN_LOADER);

    if (status != MEM_OK) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "no descriptor table can be written at 0x%" PRIx64 ": %s", gdt_address,
                    mem_status_name(status));
        return false;
    }
    const X86Seg code = { FLAT_CODE, 0, UINT32_MAX, 0xc09b };
    const X86Seg data = { FLAT_DATA, 0, UINT32_MAX, 0xc093 };
    uc_x86_mmr gdtr = { .base = gdt_address, .limit = sizeof(bytes) - 1 };

    uc_core_set_reg(core, UC_X86_REG_CR0, uc_core_reg(core, UC_X86_REG_CR0) | 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(segs); i++) {
        uc_core_load_segment(core, segs[i], &data);
    }
    uc_core_load_segment(core, X86_CS, &code);
    uc_reg_write(core->uc, UC_X86_REG_GDTR, &gdtr);
    for (unsigned i = 0; i < G_N_ELEMENTS(gprs); i++) {
        uc_core_set_reg(core, gprs[i], 0);
    }
    uc_core_set_reg(core, UC_X86_REG_ESI, esi);
    uc_core_set_reg(core, UC_X86_REG_ESP, esp);
    uc_core_set_reg(core, UC_X86_REG_EFLAGS, 2);
    uc_core_set_reg(core, UC_X86_REG_EIP, entry);
    return true;
}
