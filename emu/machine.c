/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine as an object: its parts, pins and requests. Running it is in emu/run.c.
 */
#include "emu/machine-internal.h"

#include "memsys/external.h"

#include "emu/console-internal.h"
#include "emu/ports-internal.h"
#include "emu/units-internal.h"

#include <string.h>

const char *emu_engine_version(void)
{
    static const char *const versions[] = { "2.1.0", "2.1.1", "2.1.2", "2.1.3", "2.1.4",
                                            "2.1.5", "2.1.6", "2.1.7", "2.1.8", "2.1.9" };
    unsigned version = uc_version(NULL, NULL);
    unsigned patch = version >> 8 & 0xff;

    return version >> 16 == 0x0201 && patch < G_N_ELEMENTS(versions) ? versions[patch] : "unknown";
}

/* From any thread: the run loop serves the request at the next end of a block, which no guest can
 * tell from another one. */
static void wake_for_memory(void *user)
{
    EmuMachine *machine = user;

    uc_core_attention(&machine->core, UC_ATTN_EVENT);
}

static bool make_core(EmuMachine *machine, const EmuMachineConfig *config, GError **error)
{
    int model = emu_cpu_model_find(machine->cpu_name, error);
    PgmConfig pgm_config = { .name = "machine", .policy = config->policy };

    if (model < 0) {
        return false;
    }
    machine->gmm = config->gmm;
    if (machine->gmm == NULL) {
        machine->gmm = gmm_new(0, error);
        machine->owns_gmm = true;
    }
    if (machine->gmm == NULL) {
        return false;
    }
    machine->pgm = pgm_new(machine->gmm, &pgm_config, error);
    if (machine->pgm == NULL) {
        return false;
    }
    pgm_set_wake(machine->pgm, wake_for_memory, machine);

    uint64_t code_buffer =
        config->code_buffer_size != 0 ? config->code_buffer_size : EMU_CODE_BUFFER_DEFAULT;
    UcCoreConfig core_config = {
        .uc_model = model,
        .clock = machine->clock,
        .ports = machine->ports,
        .pgm = machine->pgm,
        .code_buffer_size = (uint32_t)CLAMP(code_buffer, EMU_CODE_BUFFER_MIN, EMU_CODE_BUFFER_MAX),
    };

    return uc_core_init(&machine->core, &core_config, error);
}

EmuMachine *emu_machine_new(const EmuMachineConfig *config, GError **error)
{
    static const EmuMachineConfig defaults = { 0 };
    EmuMachine *machine = g_new0(EmuMachine, 1);

    if (config == NULL) {
        config = &defaults;
    }
    machine->cpu_name = g_strdup(config->cpu != NULL ? config->cpu : EMU_CPU_DEFAULT);
    machine->clock = emu_clock_new();
    machine->clock->host = config->clock == EMU_CLOCK_HOST;
    machine->ports = emu_ports_new();
    machine->consoles = g_ptr_array_new_with_free_func((GDestroyNotify)emu_console_free);
    machine->on_reset = g_array_new(FALSE, FALSE, sizeof(EmuCallback));
    machine->on_free = g_array_new(FALSE, FALSE, sizeof(EmuCallback));
    machine->units = emu_units_new();
    if (!make_core(machine, config, error)) {
        emu_machine_free(machine);
        return NULL;
    }
    return machine;
}

void emu_machine_free(EmuMachine *machine)
{
    if (machine == NULL) {
        return;
    }
    g_assert(!machine->running);
    for (unsigned i = machine->on_free->len; i-- > 0;) {
        const EmuCallback *callback = &g_array_index(machine->on_free, EmuCallback, i);

        callback->func(callback->user);
    }
    uc_core_clear(&machine->core);
    pgm_free(machine->pgm);
    if (machine->owns_gmm) {
        gmm_free(machine->gmm);
    }
    g_ptr_array_unref(machine->units);
    g_array_unref(machine->on_reset);
    g_array_unref(machine->on_free);
    g_ptr_array_unref(machine->consoles);
    emu_ports_free(machine->ports);
    emu_clock_free(machine->clock);
    g_free(machine->cpu_name);
    g_free(machine);
}

Pgm *emu_machine_pgm(EmuMachine *machine)
{
    return machine->pgm;
}

PgmCpu *emu_machine_cpu(EmuMachine *machine)
{
    return machine->core.cpu;
}

EmuPorts *emu_machine_ports(EmuMachine *machine)
{
    return machine->ports;
}

EmuClock *emu_machine_clock(EmuMachine *machine)
{
    return machine->clock;
}

EmuConsole *emu_machine_console_at(EmuMachine *machine, unsigned index)
{
    return index < machine->consoles->len ? g_ptr_array_index(machine->consoles, index) : NULL;
}

EmuConsole *emu_machine_console(EmuMachine *machine, const char *name)
{
    for (unsigned i = 0; i < machine->consoles->len; i++) {
        EmuConsole *console = g_ptr_array_index(machine->consoles, i);

        if (strcmp(emu_console_name(console), name) == 0) {
            return console;
        }
    }
    EmuConsole *console = emu_console_new(name);

    g_ptr_array_add(machine->consoles, console);
    return console;
}

void emu_machine_on_reset(EmuMachine *machine, EmuResetFunc func, void *user)
{
    EmuCallback callback = { .func = func, .user = user };

    g_array_append_val(machine->on_reset, callback);
}

void emu_machine_on_free(EmuMachine *machine, GDestroyNotify func, void *user)
{
    EmuCallback callback = { .func = func, .user = user };

    g_array_append_val(machine->on_free, callback);
}

void emu_machine_ask_stop(EmuMachine *machine, EmuStopReason reason, uint32_t code,
                          const char *text)
{
    /* The first one counts; but a stop that only a callback wished for must not hide the guest's.
     */
    if (machine->pending.reason != EMU_STOP_NONE &&
        (machine->pending.reason != EMU_STOP_REQUEST || reason == EMU_STOP_REQUEST)) {
        return;
    }
    machine->pending = (EmuStop) { .reason = reason, .code = code };
    g_strlcpy(machine->pending.text, text, sizeof(machine->pending.text));
    if (machine->clock->in_guest) {
        machine->core.ports_silent = reason != EMU_STOP_REQUEST;
        uc_core_attention(&machine->core, UC_ATTN_SOFT);
    } else {
        machine->pending_due = true;
    }
}

static void set_intr(void *user, unsigned pin, bool level)
{
    EmuMachine *machine = user;

    (void)pin;
    if (level == machine->intr_level) {
        return;
    }
    machine->intr_level = level;
    if (!level) {
        machine->intr_visible = false;
    } else if (machine->clock->in_guest) {
        uc_core_attention(&machine->core, UC_ATTN_SOFT);
    } else {
        machine->intr_visible = true;
    }
}

static void set_a20(void *user, unsigned pin, bool level)
{
    EmuMachine *machine = user;

    (void)pin;
    pgm_cpu_set_a20(machine->core.cpu, level);
}

static void set_init(void *user, unsigned pin, bool level)
{
    EmuMachine *machine = user;

    (void)pin;
    if (level && machine->init_stops) {
        emu_machine_ask_stop(machine, EMU_STOP_RESET, 0, "the guest reset its processor");
    } else if (level && machine->pending.reason == EMU_STOP_NONE) {
        machine->init_pending = true;
        emu_machine_ask_stop(machine, EMU_STOP_RESET, 0, "the guest reset its processor");
    }
}

static void set_reset(void *user, unsigned pin, bool level)
{
    (void)pin;
    if (level) {
        emu_machine_ask_stop(user, EMU_STOP_RESET, 0, "the guest reset the machine");
    }
}

static void set_power_off(void *user, unsigned pin, bool level)
{
    (void)pin;
    if (level) {
        emu_machine_ask_stop(user, EMU_STOP_POWER_OFF, 0, "the guest switched the machine off");
    }
}

EmuLine emu_machine_pin_intr(EmuMachine *machine)
{
    return (EmuLine) { .func = set_intr, .user = machine };
}

EmuLine emu_machine_pin_a20(EmuMachine *machine)
{
    return (EmuLine) { .func = set_a20, .user = machine };
}

EmuLine emu_machine_pin_init(EmuMachine *machine)
{
    return (EmuLine) { .func = set_init, .user = machine };
}

EmuLine emu_machine_pin_reset(EmuMachine *machine)
{
    return (EmuLine) { .func = set_reset, .user = machine };
}

EmuLine emu_machine_pin_power_off(EmuMachine *machine)
{
    return (EmuLine) { .func = set_power_off, .user = machine };
}

void emu_machine_set_int_ack(EmuMachine *machine, EmuIntAckFunc func, void *user)
{
    machine->int_ack = func;
    machine->int_ack_user = user;
}

void emu_machine_debug_exit(EmuMachine *machine, uint32_t value)
{
    char text[64];

    g_snprintf(text, sizeof(text), "the guest wrote 0x%x to its debug-exit port", value);
    emu_machine_ask_stop(machine, EMU_STOP_DEBUG_EXIT, value, text);
}

MemStatus emu_machine_reset(EmuMachine *machine)
{
    g_assert(!machine->clock->in_guest);

    MemStatus status = pgm_reset(machine->pgm);

    if (status != MEM_OK) {
        return status;
    }
    machine->n_resets += machine->started;
    machine->started = true;
    machine->pending = (EmuStop) { .reason = EMU_STOP_NONE };
    machine->pending_due = false;
    machine->core.ports_silent = false;
    machine->init_pending = false;
    machine->has_kept = false;
    machine->halted = false;
    pgm_cpu_set_a20(machine->core.cpu, true);
    for (unsigned i = 0; i < machine->on_reset->len; i++) {
        const EmuCallback *callback = &g_array_index(machine->on_reset, EmuCallback, i);

        callback->func(callback->user);
    }
    uc_core_reset(&machine->core);
    return MEM_OK;
}

void emu_machine_set_init_continues(EmuMachine *machine, bool continues)
{
    machine->init_stops = !continues;
}

void emu_machine_set_port_hook(EmuMachine *machine, EmuPortHook hook, void *user)
{
    machine->core.port_hook = hook;
    machine->core.port_hook_user = user;
}

void emu_machine_request_stop(EmuMachine *machine)
{
    uc_core_attention(&machine->core, UC_ATTN_STOP);
}

void emu_machine_stop_soon(EmuMachine *machine)
{
    emu_machine_ask_stop(machine, EMU_STOP_REQUEST, 0, "a stop was asked for");
}

bool emu_machine_add_breakpoint(EmuMachine *machine, GVirt address, GError **error)
{
    g_assert(!machine->clock->in_guest);
    return uc_core_add_breakpoint(&machine->core, address, error);
}

bool emu_machine_remove_breakpoint(EmuMachine *machine, GVirt address)
{
    g_assert(!machine->clock->in_guest);
    return uc_core_remove_breakpoint(&machine->core, address);
}

void emu_machine_get_stats(EmuMachine *machine, EmuMachineStats *ret_stats)
{
    const UcCore *core = &machine->core;

    *ret_stats = (EmuMachineStats) {
        .guest_ns = emu_clock_now(machine->clock),
        .bytes_executed = machine->clock->bytes,
        .tlb_fills = core->n_fills,
        .tlb_flushes = core->n_flushes,
        .code_invalidations = core->n_code_invalidations,
        .interrupts = machine->n_interrupts,
        .exceptions = machine->n_exceptions,
        .steps = core->n_steps,
        .caught_reads = core->n_caught_reads,
        .caught_writes = core->n_caught_writes,
        .halts = machine->n_halts,
        .resets = machine->n_resets,
    };
}
