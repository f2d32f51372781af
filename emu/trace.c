/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces: one line an event, all in one form:
 *   TIME CLASS WHAT ADDRESS SIZE VALUE DEVICE EIP
 * TIME is guest time in seconds with nanoseconds.
 */
#include "emu/machine-internal.h"

#include "emu/ports-internal.h"
#include "memsys/rom.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned classes;
} class_names[] = {
    { "mmio", EMU_TRACE_MMIO },
    { "pio", EMU_TRACE_PIO },
    { "rom", EMU_TRACE_ROM },
    { "fault", EMU_TRACE_FAULT },
    { "irq", EMU_TRACE_IRQ },
    { "all", EMU_TRACE_MMIO | EMU_TRACE_PIO | EMU_TRACE_ROM | EMU_TRACE_FAULT | EMU_TRACE_IRQ },
};

unsigned emu_trace_parse(const char *list, GError **error)
{
    char **words = g_strsplit(list, ",", -1);
    unsigned classes = 0;

    for (unsigned i = 0; words[i] != NULL; i++) {
        unsigned found = 0;

        for (unsigned k = 0; k < G_N_ELEMENTS(class_names); k++) {
            if (strcmp(words[i], class_names[k].name) == 0) {
                found = class_names[k].classes;
            }
        }
        if (found == 0) {
            g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                        "no trace class '%s'; there are mmio, pio, rom, fault, irq and all",
                        words[i]);
            classes = 0;
            break;
        }
        classes |= found;
    }
    if (words[0] == NULL) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "no trace class named; there are mmio, pio, rom, fault, irq and all");
    }
    g_strfreev(words);
    return classes;
}

static void print_time(EmuMachine *machine, const char *class_name)
{
    uint64_t now = emu_clock_now(machine->clock);

    fprintf(machine->trace_file, "%" PRIu64 ".%09" PRIu64 " %-5s ", now / EMU_NS_PER_SECOND,
            now % EMU_NS_PER_SECOND, class_name);
}

static void print_place(EmuMachine *machine)
{
    UcCore *core = &machine->core;

    fprintf(machine->trace_file, " eip=%04x:%08x\n", (unsigned)uc_core_reg(core, UC_X86_REG_CS),
            (unsigned)uc_core_reg(core, UC_X86_REG_EIP));
}

static void trace_port(void *user, bool write, uint16_t port, unsigned size, uint32_t value,
                       const char *device)
{
    EmuMachine *machine = user;

    print_time(machine, "pio");
    fprintf(machine->trace_file, "%s %04x size=%u value=%0*x %s", write ? "out" : "in ", port, size,
            (int)size * 2, value, device != NULL ? device : "-");
    print_place(machine);
}

static void trace_mmio(void *user, bool write, GPhys gpa, unsigned size, uint64_t value)
{
    EmuMachine *machine = user;
    PgmPageInfo info;
    bool known = pgm_page_query(machine->pgm, gpa, &info);
    bool rom = known && (info.type == PGM_PAGE_ROM || info.type == PGM_PAGE_ROM_SHADOW);

    if ((machine->trace_classes & (rom ? EMU_TRACE_ROM : EMU_TRACE_MMIO)) == 0) {
        return;
    }
    print_time(machine, rom ? "rom" : "mmio");
    fprintf(machine->trace_file, "%s %08" PRIx64 " size=%u value=%0*" PRIx64 " %s",
            write ? "write" : "read ", gpa, size, (int)size * 2, value,
            known ? info.range.description : "unassigned");
    print_place(machine);
}

static void trace_protect(Pgm *pgm, GPhys start, uint64_t len, PgmRomProt prot, uint64_t n_changed,
                          void *user)
{
    static const char *const names[PGM_N_ROM_PROTS] = {
        [PGM_ROM_READ_ROM_WRITE_IGNORE] = "read ROM, ignore writes",
        [PGM_ROM_READ_ROM_WRITE_RAM] = "read ROM, write RAM",
        [PGM_ROM_READ_RAM_WRITE_IGNORE] = "read RAM, ignore writes",
        [PGM_ROM_READ_RAM_WRITE_RAM] = "read RAM, write RAM",
    };
    EmuMachine *machine = user;

    (void)pgm;
    if (n_changed > 0) {
        print_time(machine, "rom");
        fprintf(machine->trace_file, "protect %08" PRIx64 " size=%" PRIx64 " value=%u (%s)", start,
                len, prot, names[prot]);
        print_place(machine);
    }
}

void emu_trace_exception(EmuMachine *machine, const X86Event *event, const X86State *state)
{
    if ((machine->trace_classes & EMU_TRACE_FAULT) == 0 || event->kind == X86_EVENT_EXTERNAL) {
        return;
    }
    print_time(machine, "fault");
    fprintf(machine->trace_file, "vector=%02x %s", event->vector,
            event->kind == X86_EVENT_SOFTWARE_INT ? "int instruction"
                                                  : x86_exception_name(event->vector));
    if (event->has_error) {
        fprintf(machine->trace_file, " error=%04x", event->error);
    }
    if (event->vector == 14 && event->kind == X86_EVENT_EXCEPTION) {
        fprintf(machine->trace_file, " cr2=%08" PRIx64, state->cr2);
    }
    print_place(machine);
}

void emu_trace_interrupt(EmuMachine *machine, uint8_t vector)
{
    if ((machine->trace_classes & EMU_TRACE_IRQ) == 0) {
        return;
    }
    print_time(machine, "irq");
    fprintf(machine->trace_file, "vector=%02x", vector);
    print_place(machine);
}

void emu_machine_set_trace(EmuMachine *machine, unsigned classes, FILE *file)
{
    g_assert(classes == 0 || file != NULL);

    bool memory = (classes & (EMU_TRACE_MMIO | EMU_TRACE_ROM)) != 0;

    machine->trace_classes = classes;
    machine->trace_file = file;
    emu_ports_set_trace(machine->ports, (classes & EMU_TRACE_PIO) != 0 ? trace_port : NULL,
                        machine);
    machine->core.trace_mmio = memory ? trace_mmio : NULL;
    machine->core.trace_user = machine;
    pgm_rom_set_protect_hook(machine->pgm, (classes & EMU_TRACE_ROM) != 0 ? trace_protect : NULL,
                             machine);
    uc_core_flush_tlb(&machine->core);
}
