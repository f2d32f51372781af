/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EmuMachine: a CPU (Unicorn), its memory (Pgm), ports, lines, clock and consoles. A board
 * (devices/pc.h) puts chips into it; a front end runs it. Embedders use the same functions as the
 * `quire` program does.
 *
 * A machine belongs to one thread at a time. Several machines may run in parallel on different
 * threads and share one Gmm.
 *
 * Life: emu_machine_new(), a board, loaders, emu_machine_reset(), emu_machine_run() as often as
 * wanted, emu_machine_free().
 */
#pragma once

#include "emu/clock.h"
#include "emu/console.h"
#include "emu/error.h"
#include "emu/lines.h"
#include "emu/ports.h"
#include "memsys/cpu_port.h"
#include "memsys/pgm.h"

#include <glib.h>

#pragma GCC visibility push(default)

typedef struct EmuMachine EmuMachine;

typedef enum EmuClockMode { EMU_CLOCK_VIRTUAL, EMU_CLOCK_HOST } EmuClockMode;

#define EMU_CPU_DEFAULT "qemu32" /* the model of a machine that names none */

#define EMU_CODE_BUFFER_DEFAULT (UINT64_C(64) << 20)
#define EMU_CODE_BUFFER_MIN (UINT64_C(4) << 20)
#define EMU_CODE_BUFFER_MAX (UINT64_C(1) << 30)

typedef struct EmuMachineConfig {
    Gmm *gmm;        /* (nullable): one for this machine alone */
    const char *cpu; /* (nullable): model name, see emu_cpu_models(); EMU_CPU_DEFAULT */
    EmuClockMode clock;
    GmmPolicy policy;
    /* Bytes of host memory the engine's translations may take at most; 0: EMU_CODE_BUFFER_DEFAULT.
     * When it is full, code is translated anew: that costs time, and nothing a guest sees depends
     * on it. What lies outside EMU_CODE_BUFFER_MIN to EMU_CODE_BUFFER_MAX is taken as the nearest
     * of them. */
    uint64_t code_buffer_size;
} EmuMachineConfig;

/* Why emu_machine_run() and its like came back. */
typedef enum EmuStopReason {
    EMU_STOP_NONE,
    EMU_STOP_REQUEST,    /* emu_machine_request_stop(): a moment was reached, a signal came */
    EMU_STOP_TIME,       /* guest time reached the limit of the call */
    EMU_STOP_PAUSE,      /* guest time reached the pause of emu_machine_run_until() */
    EMU_STOP_STEP,       /* the asked number of instructions was executed */
    EMU_STOP_BREAKPOINT, /* before the instruction at `address` */
    EMU_STOP_POWER_OFF,
    EMU_STOP_RESET,      /* the guest asked for a reset; not yet performed */
    EMU_STOP_DEBUG_EXIT, /* isa-debug-exit; value in `code` */
    EMU_STOP_TRIPLE_FAULT,
    EMU_STOP_HALTED,        /* HLT with interrupts off or nothing that could ever wake it */
    EMU_STOP_BAD_FETCH,     /* code fetch from where there is no memory */
    EMU_STOP_NO_MEMORY,     /* a page was needed and the host or a limit has none; resumable */
    EMU_STOP_NOT_SUPPORTED, /* V86 mode, task gate, ...: `text` says what */
    EMU_STOP_ENGINE,        /* Unicorn failed: `text` has its words */
} EmuStopReason;

typedef struct EmuStop {
    EmuStopReason reason;
    GPhys address;  /* guest-virtual (linear) address that belongs to the reason, if any */
    uint32_t code;  /* debug-exit value */
    char text[160]; /* one line for people; never empty unless EMU_STOP_NONE */
} EmuStop;

typedef struct EmuMachineStats {
    uint64_t guest_ns;
    uint64_t bytes_executed;
    uint64_t tlb_fills; /* Unicorn TLB misses that came to us */
    uint64_t tlb_flushes;
    uint64_t code_invalidations;
    uint64_t interrupts;   /* external, delivered */
    uint64_t exceptions;   /* delivered, software interrupts too */
    uint64_t steps;        /* single steps the machine made for itself */
    uint64_t caught_reads; /* accesses of the CPU that went over the bus */
    uint64_t caught_writes;
    uint64_t halts;
    uint64_t resets;
} EmuMachineStats;

/**
 * emu_machine_new:
 * @config: (nullable): defaults for all
 *
 * Opens and calibrates the engine (emu/uc_core.h).
 *
 * Returns: (transfer full): a machine without memory or devices, or %NULL
 */
EmuMachine *emu_machine_new(const EmuMachineConfig *config, GError **error);
/* @machine: (nullable). Drop its EmuSnapshots before (emu/snapshot.h). */
void emu_machine_free(EmuMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EmuMachine, emu_machine_free)

Pgm *emu_machine_pgm(EmuMachine *machine);
PgmCpu *emu_machine_cpu(EmuMachine *machine); /* its side of memory: virtual watches, A20 */
EmuPorts *emu_machine_ports(EmuMachine *machine);
EmuClock *emu_machine_clock(EmuMachine *machine);

/* Creates it if there is none of that name yet. Never freed before the machine. */
EmuConsole *emu_machine_console(EmuMachine *machine, const char *name);
/* In order of creation; NULL past the end. */
EmuConsole *emu_machine_console_at(EmuMachine *machine, unsigned index);

/**
 * emu_machine_on_reset:
 *
 * A device's reset function; called in order of registration at each hard reset and at the first
 * emu_machine_reset(), before the CPU starts.
 */
typedef void (*EmuResetFunc)(void *user);
void emu_machine_on_reset(EmuMachine *machine, EmuResetFunc func, void *user);

/* Called when the machine is freed, last registered first. */
void emu_machine_on_free(EmuMachine *machine, GDestroyNotify func, void *user);

/* The CPU's pins. INTR: level, from the interrupt controller. A20: true = bit 20 passes. INIT: soft
 * reset (8042, port 92). RESET: hard reset of the whole machine. POWER: soft-off was requested. All
 * take effect between instructions. */
EmuLine emu_machine_pin_intr(EmuMachine *machine);
EmuLine emu_machine_pin_a20(EmuMachine *machine);
EmuLine emu_machine_pin_init(EmuMachine *machine);
EmuLine emu_machine_pin_reset(EmuMachine *machine);
EmuLine emu_machine_pin_power_off(EmuMachine *machine);

/* Interrupt acknowledge: asks the interrupt controller for the vector, 0 to 255. */
typedef uint8_t (*EmuIntAckFunc)(void *user);
void emu_machine_set_int_ack(EmuMachine *machine, EmuIntAckFunc func, void *user);

/* isa-debug-exit was written. */
void emu_machine_debug_exit(EmuMachine *machine, uint32_t value);

/**
 * emu_machine_reset:
 *
 * Hard reset: memory, devices, CPU, as at power-on, except that time goes on.
 *
 * Returns: MEM_OK; MEM_ERR_NO_MEMORY with nothing changed if a snapshot has no room for what memory
 *   gives up (pgm_reset()): free some and call it again. Without snapshots it cannot fail.
 */
MemStatus emu_machine_reset(EmuMachine *machine);

/**
 * emu_machine_run:
 * @until_ns: guest time to stop at, or EMU_CLOCK_NEVER
 *
 * Runs until something ends it. A reset the guest asked for stops with EMU_STOP_RESET: call
 * emu_machine_reset() and run on to perform it. A soft reset (INIT) is performed without stopping,
 * as on real machines, if emu_machine_set_init_continues(); else it stops likewise.
 *
 * A guest that halts with no timer set waits for @until_ns, as something from outside may come
 * then; it is halted for good if that is EMU_CLOCK_NEVER.
 */
EmuStop emu_machine_run(EmuMachine *machine, uint64_t until_ns);

/**
 * emu_machine_run_until:
 * @pause_ns: guest time to come back at with EMU_STOP_PAUSE, or EMU_CLOCK_NEVER; at or past
 *   @limit_ns: no pause
 * @limit_ns: as for emu_machine_run()
 *
 * emu_machine_run() up to @limit_ns, with a pause for something that the guest does not notice (to
 * look at it, to save it). Unlike a limit, a pause is nothing to wait for: a guest that halts for
 * good does so at the guest time it would without pauses, at once even with host time.
 */
EmuStop emu_machine_run_until(EmuMachine *machine, uint64_t pause_ns, uint64_t limit_ns);

/* Executes @n instructions (REP: iterations), following interrupts. A halted processor waits for
 * its interrupt however long that takes: emu_machine_request_stop() ends it. */
EmuStop emu_machine_step(EmuMachine *machine, uint64_t n);

/* Told of every port access of the CPU, after a read and before a write; NULL: none. It may request
 * a stop. */
typedef void (*EmuPortHook)(void *user, bool write, uint16_t port, unsigned size, uint32_t value);
void emu_machine_set_port_hook(EmuMachine *machine, EmuPortHook hook, void *user);

/* Ends a run at the next block boundary. From any thread or signal handler. */
void emu_machine_request_stop(EmuMachine *machine);

/* The same from callbacks on the machine's own thread (console sinks, port hooks, timers), at an
 * instruction that does not depend on how the run was cut: where the guest jumps next. */
void emu_machine_stop_soon(EmuMachine *machine);

/* Whether an INIT (8042 pulse, port 92) is performed in place (default) or stops the run. */
void emu_machine_set_init_continues(EmuMachine *machine, bool continues);

/* Breakpoints at linear addresses; several at one address count. */
bool emu_machine_add_breakpoint(EmuMachine *machine, GVirt address, GError **error);
bool emu_machine_remove_breakpoint(EmuMachine *machine, GVirt address);

void emu_machine_get_stats(EmuMachine *machine, EmuMachineStats *ret_stats);

/* Linear address of the instruction that runs next. */
GVirt emu_machine_pc(EmuMachine *machine);

/* Registers and what surrounds them as text: for reports. */
void emu_machine_print_state(EmuMachine *machine, GString *text);

/* The walk of a linear address through the guest's tables, one line a level, and what lies at its
 * end. */
void emu_machine_print_walk(EmuMachine *machine, GVirt address, GString *text);

/* "2.1.4", of the library in use. */
const char *emu_engine_version(void);

typedef struct EmuCpuModel {
    const char *name;
    const char *description;
} EmuCpuModel;
/* Returns: (transfer none): models, ended by a NULL name */
const EmuCpuModel *emu_cpu_models(void);

#pragma GCC visibility pop
