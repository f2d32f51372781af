/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a machine looks like when something went wrong: registers, page walk, what lies at an
 * address. */
#include "emu/machine-internal.h"

static const char *mode_name(const X86State *state)
{
    const X86PagingRegs *regs = &state->paging;
    bool paging = (regs->cr0 >> 31) != 0;

    if ((regs->cr0 & 1) == 0) {
        return "real mode";
    }
    if (!paging) {
        return "protected mode, paging off";
    }
    if ((regs->efer & 0x400) != 0) {
        return "long mode";
    }
    return (regs->cr4 & 0x20) != 0 ? "protected mode, PAE paging" : "protected mode, 32-bit paging";
}

static void print_segment(GString *text, const char *name, const X86Seg *seg)
{
    g_string_append_printf(text, "%-4s %04x base %08" PRIx64 " limit %08x attr %04x\n", name,
                           seg->selector, seg->base, seg->limit, seg->attr);
}

GVirt emu_machine_pc(EmuMachine *machine)
{
    return uc_core_linear_pc(&machine->core);
}

void emu_machine_print_state(EmuMachine *machine, GString *text)
{
    static const char *const gprs[8] = { "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI" };
    static const char *const segs[X86_N_SEG] = { "ES", "CS", "SS", "DS", "FS", "GS" };
    X86State state;

    uc_core_read_state(&machine->core, &state);
    g_string_append_printf(text, "%s, privilege level %u%s\n", mode_name(&state), state.paging.cpl,
                           machine->halted ? ", halted" : "");
    for (unsigned i = 0; i < G_N_ELEMENTS(gprs); i++) {
        g_string_append_printf(text, "%s=%08" PRIx64 "%c", gprs[i], state.gpr[i],
                               i % 4 == 3 ? '\n' : ' ');
    }
    g_string_append_printf(text, "EIP=%08" PRIx64 " EFLAGS=%08" PRIx64 "\n", state.rip,
                           state.rflags);
    for (unsigned i = 0; i < X86_N_SEG; i++) {
        print_segment(text, segs[i], &state.seg[i]);
    }
    print_segment(text, "LDTR", &state.ldtr);
    print_segment(text, "TR", &state.tr);
    g_string_append_printf(text, "GDTR %08" PRIx64 "+%04x  IDTR %08" PRIx64 "+%04x\n",
                           state.gdtr.base, state.gdtr.limit, state.idtr.base, state.idtr.limit);
    g_string_append_printf(text,
                           "CR0=%08" PRIx64 " CR2=%08" PRIx64 " CR3=%08" PRIx64 " CR4=%08" PRIx64
                           " EFER=%04" PRIx64 "\n",
                           state.paging.cr0, state.cr2, state.paging.cr3, state.paging.cr4,
                           state.paging.efer);

    uint8_t code[16];
    unsigned n = uc_core_peek_code(&machine->core, code, sizeof(code));

    g_string_append_printf(text, "code at %08" PRIx64 ":", uc_core_linear_pc(&machine->core));
    for (unsigned i = 0; i < n; i++) {
        g_string_append_printf(text, " %02x", code[i]);
    }
    g_string_append(text, n > 0 ? "\n" : " not readable\n");
}

void emu_machine_print_walk(EmuMachine *machine, GVirt address, GString *text)
{
    X86PagingRegs regs;
    X86Walk walk;

    uc_core_paging_regs(&machine->core, &regs);
    x86_walk(&regs, machine->core.cpu, address, MEM_ACCESS_READ, X86_ACCESS_PEEK, &walk);
    g_string_append_printf(text, "linear %08" PRIx64, address);
    for (unsigned i = 0; i < walk.levels; i++) {
        g_string_append_printf(text, "\n  table entry at %08" PRIx64 " = %016" PRIx64,
                               walk.level[i].entry_gpa, walk.level[i].entry);
    }
    if (walk.result != X86_WALK_OK) {
        g_string_append_printf(text, "\n  %s\n",
                               walk.result == X86_WALK_NON_CANONICAL ? "not a canonical address"
                                                                     : "not present");
        return;
    }
    GPhys gpa = pgm_cpu_mask(machine->core.cpu, walk.gpa);
    char *what = pgm_describe(machine->pgm, gpa);

    g_string_append_printf(text, " -> physical %08" PRIx64 ": %s\n", gpa, what);
    g_free(what);
}
