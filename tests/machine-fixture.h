/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small machine for tests of the CPU core: RAM, a device on ports that records what it is told,
 * an MMIO page that does the same, a timer that raises INTR, a console. Guests are flat binaries
 * made from tests/guests/.
 *
 * The guest's side of the test device, all sizes unless said:
 *   0xE0 OUT (dword) period of the timer in ns, 0 stops it      IN: ticks so far
 *   0xE1 OUT raises INTR; the acknowledge gives vector 0x20 and lowers it
 *   0xE2 OUT calls the test's hook with the value                IN: the next scripted value
 *   0xE6 IN (dword): guest time in ns, low half
 *   0xEA OUT lowers INTR
 *   0xF0 OUT the guest is done: number of checks it made
 *   0xF1 OUT a check of the guest failed: its address, see the listing (nasm -l)
 *   0xF2 OUT, 0xF4 OUT: recorded only
 *   0xF8 OUT (byte) to the console
 * MMIO_BASE: 64 bytes of registers that keep what is written (byte addressed); a read at offset
 * 0x40 and above gives guest time. All accesses to ports and MMIO are recorded with guest time.
 */
#pragma once

#include "emu/machine-internal.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"
#include "memsys/watch.h"

#define FIXTURE_MMIO_BASE 0xa0000u
#define FIXTURE_FLAT_ENTRY 0x10000u
#define FIXTURE_MAX_LOG 400000

typedef enum FixtureKind {
    FIXTURE_IN,
    FIXTURE_OUT,
    FIXTURE_MMIO_READ,
    FIXTURE_MMIO_WRITE
} FixtureKind;

typedef struct FixtureAccess {
    uint64_t time;
    uint64_t value;
    uint32_t address;
    uint8_t size;
    uint8_t kind; /* FixtureKind */
} FixtureAccess;

typedef struct Fixture Fixture;
typedef void (*FixtureHook)(Fixture *fixture, uint32_t value);

struct Fixture {
    EmuMachine *machine;
    Pgm *pgm;
    uint64_t ram_size;
    PgmMmio *mmio;
    PgmMmio2 *mmio2; /* of remap.bin alone */
    uint8_t registers[64];
    EmuTimer *timer;
    uint32_t period_ns;
    uint64_t deadline;
    uint32_t n_ticks;
    EmuLine intr;
    FixtureHook hook;
    void *hook_user;
    const uint32_t *script; /* what port 0xE2 reads; zeros past its end */
    unsigned n_script, script_at;
    GArray *log; /* of FixtureAccess */
    GString *console;
    uint32_t n_done;   /* times 0xF0 was written */
    uint32_t n_checks; /* its value */
    uint32_t n_failed;
    uint32_t failed_at; /* the first */
    uint64_t n_watch_hits;
};

/* How a guest is run; the result must not depend on it. */
typedef enum FixtureMode {
    FIXTURE_FREE,
    FIXTURE_STEP_1,
    FIXTURE_STEP_1000,
    FIXTURE_SLICES,
    FIXTURE_PAUSES,
    FIXTURE_BREAKPOINTS,
    FIXTURE_WATCH_DATA,
    FIXTURE_WATCH_ALL,
    FIXTURE_THREAD,
    FIXTURE_N_MODES
} FixtureMode;
const char *fixture_mode_name(FixtureMode mode);

/* What must be equal however the guest was run. */
typedef struct FixtureOutcome {
    EmuStop stop;
    uint64_t ns, bytes, ram_hash, interrupts, exceptions, halts;
    char *console;
    GArray *log;
} FixtureOutcome;

/* A machine with @ram_mib MiB; ROM at the reset vector that jumps to 0:7C00. After reset. */
Fixture *fixture_new(unsigned ram_mib);
/* The same with a CPU model of choice. */
Fixture *fixture_new_cpu(unsigned ram_mib, const char *cpu);
Fixture *fixture_new_config(unsigned ram_mib, const EmuMachineConfig *config);
void fixture_free(Fixture *fixture);

/* Loads a guest from the build folder and sets the CPU to run it: flat 32-bit at 0x10000, ESP
 * 0x80000; or as the processor wakes up, the guest at 0:7C00. */
void fixture_load_flat(Fixture *fixture, const char *guest);
void fixture_load_real(Fixture *fixture, const char *guest);
/* remap.bin with what it needs around it: a ROM, memory of a device, the host's changes. */
void fixture_load_remap(Fixture *fixture);
/* The test device is saved, restored and snapshotted with the machine. */
void fixture_add_state(Fixture *fixture);
void fixture_poke(Fixture *fixture, GPhys gpa, const void *bytes, size_t len);
uint32_t fixture_peek32(Fixture *fixture, GPhys gpa);

/* Runs to an end that is not of the mode's own making, or to @until_ns. */
EmuStop fixture_run(Fixture *fixture, FixtureMode mode, uint64_t until_ns);
uint64_t fixture_ram_hash(Fixture *fixture);

void fixture_outcome_init(FixtureOutcome *outcome, Fixture *fixture, const EmuStop *stop);
void fixture_outcome_clear(FixtureOutcome *outcome);
/* Returns: (transfer full) (nullable): what differs, as text */
char *fixture_outcome_diff(const FixtureOutcome *a, const FixtureOutcome *b);
