/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of the state table that must be seen. Single pages brought into every state, each with
 * every event, have a test of their own: tests/model/test-page-events-model.c.
 */
#include "tests/model/memsys/transitions.h"

#include <inttypes.h>

typedef enum Look {
    NONE, /* nothing is registered there */
    RAM_ZERO,
    RAM_ALLOCATED,
    RAM_MONITORED,
    RAM_SHARED,
    RAM_BALLOONED,
    ROM_FRONT,
    SHADOW_ZERO,
    SHADOW_ALLOCATED,
    SHADOW_MONITORED,
    MMIO2_ALLOCATED,
    MMIO2_MONITORED,
    DEVICE,
    N_LOOKS
} Look;

typedef enum Outcome { DONE, NO_MEMORY, ANY_OTHER, N_OUTCOMES } Outcome;

typedef struct Row {
    const char *name;
    PageEvent event;
    Look from, to;
    Outcome outcome;
} Row;

static const Row rows[] = {
    { "read: RAM stays ZERO", ON_READ, RAM_ZERO, RAM_ZERO, DONE },
    { "read: RAM stays ALLOCATED", ON_READ, RAM_ALLOCATED, RAM_ALLOCATED, DONE },
    { "read: ROM", ON_READ, ROM_FRONT, ROM_FRONT, DONE },
    { "read: shadow stays ZERO", ON_READ, SHADOW_ZERO, SHADOW_ZERO, DONE },
    { "read: MMIO2 stays MONITORED", ON_READ, MMIO2_MONITORED, MMIO2_MONITORED, DONE },
    { "read: MMIO", ON_READ, DEVICE, DEVICE, DONE },
    { "read: nothing", ON_READ, NONE, NONE, DONE },
    { "write: RAM ZERO to ALLOCATED", ON_WRITE, RAM_ZERO, RAM_ALLOCATED, DONE },
    { "write: zeros leave RAM ZERO", ON_WRITE, RAM_ZERO, RAM_ZERO, DONE },
    { "write: RAM stays ALLOCATED", ON_WRITE, RAM_ALLOCATED, RAM_ALLOCATED, DONE },
    { "write: no memory, RAM stays ZERO", ON_WRITE, RAM_ZERO, RAM_ZERO, NO_MEMORY },
    { "write: shadow ZERO to ALLOCATED", ON_WRITE, SHADOW_ZERO, SHADOW_ALLOCATED, DONE },
    { "write: shadow stays ALLOCATED", ON_WRITE, SHADOW_ALLOCATED, SHADOW_ALLOCATED, DONE },
    { "write: no memory, shadow stays ZERO", ON_WRITE, SHADOW_ZERO, SHADOW_ZERO, NO_MEMORY },
    { "write: ROM stays", ON_WRITE, ROM_FRONT, ROM_FRONT, DONE },
    { "write: MMIO2 MONITORED to ALLOCATED", ON_WRITE, MMIO2_MONITORED, MMIO2_ALLOCATED, DONE },
    { "write: MMIO stays", ON_WRITE, DEVICE, DEVICE, DONE },
    { "write: MMIO refuses", ON_WRITE, DEVICE, DEVICE, ANY_OTHER },
    { "write: nothing stays", ON_WRITE, NONE, NONE, DONE },
    { "CPU: RAM ZERO to ALLOCATED", ON_CPU_STORE, RAM_ZERO, RAM_ALLOCATED, DONE },
    { "CPU: RAM stays ALLOCATED", ON_CPU_STORE, RAM_ALLOCATED, RAM_ALLOCATED, DONE },
    { "CPU: no memory, RAM stays ZERO", ON_CPU_STORE, RAM_ZERO, RAM_ZERO, NO_MEMORY },
    { "CPU: shadow ZERO to ALLOCATED", ON_CPU_STORE, SHADOW_ZERO, SHADOW_ALLOCATED, DONE },
    { "CPU: MMIO2 MONITORED to ALLOCATED", ON_CPU_STORE, MMIO2_MONITORED, MMIO2_ALLOCATED, DONE },
    { "poke: RAM ZERO to ALLOCATED", ON_POKE, RAM_ZERO, RAM_ALLOCATED, DONE },
    { "poke: shadow ZERO to ALLOCATED", ON_POKE, SHADOW_ZERO, SHADOW_ALLOCATED, DONE },
    { "poke: MMIO2 MONITORED to ALLOCATED", ON_POKE, MMIO2_MONITORED, MMIO2_ALLOCATED, DONE },
    { "track: MMIO2 ALLOCATED to MONITORED", ON_TRACK, MMIO2_ALLOCATED, MMIO2_MONITORED, DONE },
    { "mark: MMIO2 MONITORED to ALLOCATED", ON_MARK, MMIO2_MONITORED, MMIO2_ALLOCATED, DONE },
    { "reset: RAM ALLOCATED to ZERO", ON_RESET, RAM_ALLOCATED, RAM_ZERO, DONE },
    { "reset: RAM stays ZERO", ON_RESET, RAM_ZERO, RAM_ZERO, DONE },
    { "reset: shadow ALLOCATED to ROM", ON_RESET, SHADOW_ALLOCATED, ROM_FRONT, DONE },
    { "reset: MMIO2 stays MONITORED", ON_RESET, MMIO2_MONITORED, MMIO2_MONITORED, DONE },
    { "reset: MMIO2 stays ALLOCATED", ON_RESET, MMIO2_ALLOCATED, MMIO2_ALLOCATED, DONE },
    { "map: RAM on nothing", ON_MAP, NONE, RAM_ZERO, DONE },
    { "map: MMIO on nothing", ON_MAP, NONE, DEVICE, DONE },
    { "map: MMIO over ZERO", ON_MAP, RAM_ZERO, DEVICE, DONE },
    { "map: MMIO over ALLOCATED", ON_MAP, RAM_ALLOCATED, DEVICE, DONE },
    { "map: MMIO2 on nothing", ON_MAP, NONE, MMIO2_ALLOCATED, DONE },
    { "map: MMIO2 over ZERO", ON_MAP, RAM_ZERO, MMIO2_ALLOCATED, DONE },
    { "map: MMIO2 over ALLOCATED", ON_MAP, RAM_ALLOCATED, MMIO2_ALLOCATED, DONE },
    { "map: ROM on nothing", ON_MAP, NONE, ROM_FRONT, DONE },
    { "map: ROM over ZERO", ON_MAP, RAM_ZERO, ROM_FRONT, DONE },
    { "map: ROM over ALLOCATED", ON_MAP, RAM_ALLOCATED, ROM_FRONT, DONE },
    { "map: refused, RAM stays", ON_MAP, RAM_ALLOCATED, RAM_ALLOCATED, ANY_OTHER },
    { "unmap: MMIO to nothing", ON_UNMAP, DEVICE, NONE, DONE },
    { "unmap: MMIO shows ZERO", ON_UNMAP, DEVICE, RAM_ZERO, DONE },
    { "unmap: MMIO shows ALLOCATED", ON_UNMAP, DEVICE, RAM_ALLOCATED, DONE },
    { "unmap: MMIO2 to nothing", ON_UNMAP, MMIO2_ALLOCATED, NONE, DONE },
    { "unmap: MMIO2 shows ZERO", ON_UNMAP, MMIO2_ALLOCATED, RAM_ZERO, DONE },
    { "unmap: MMIO2 shows ALLOCATED", ON_UNMAP, MMIO2_ALLOCATED, RAM_ALLOCATED, DONE },
    { "unmap: ROM to nothing", ON_UNMAP, ROM_FRONT, NONE, DONE },
    { "unmap: ROM shows ZERO", ON_UNMAP, ROM_FRONT, RAM_ZERO, DONE },
    { "unmap: ROM shows ALLOCATED", ON_UNMAP, ROM_FRONT, RAM_ALLOCATED, DONE },
    { "unmap: shadow shows ALLOCATED", ON_UNMAP, SHADOW_ALLOCATED, RAM_ALLOCATED, DONE },
    { "alias: MMIO to MMIO2", ON_ALIAS, DEVICE, MMIO2_ALLOCATED, DONE },
    { "unalias: MMIO2 to MMIO", ON_UNALIAS, MMIO2_ALLOCATED, DEVICE, DONE },
    { "protect: ROM to shadow ZERO", ON_PROTECT, ROM_FRONT, SHADOW_ZERO, DONE },
    { "protect: ROM to shadow ALLOCATED", ON_PROTECT, ROM_FRONT, SHADOW_ALLOCATED, DONE },
    { "protect: shadow ZERO to ROM", ON_PROTECT, SHADOW_ZERO, ROM_FRONT, DONE },
    { "protect: shadow ALLOCATED to ROM", ON_PROTECT, SHADOW_ALLOCATED, ROM_FRONT, DONE },
    { "read: RAM stays MONITORED", ON_READ, RAM_MONITORED, RAM_MONITORED, DONE },
    { "read: RAM stays SHARED", ON_READ, RAM_SHARED, RAM_SHARED, DONE },
    { "read: RAM stays BALLOONED", ON_READ, RAM_BALLOONED, RAM_BALLOONED, DONE },
    { "write: RAM MONITORED to ALLOCATED", ON_WRITE, RAM_MONITORED, RAM_ALLOCATED, DONE },
    { "write: RAM SHARED to ALLOCATED", ON_WRITE, RAM_SHARED, RAM_ALLOCATED, DONE },
    { "write: shadow MONITORED to ALLOCATED", ON_WRITE, SHADOW_MONITORED, SHADOW_ALLOCATED, DONE },
    { "write: dropped, RAM stays BALLOONED", ON_WRITE, RAM_BALLOONED, RAM_BALLOONED, DONE },
    { "write: refused, RAM stays BALLOONED", ON_WRITE, RAM_BALLOONED, RAM_BALLOONED, ANY_OTHER },
    { "write: no memory, RAM stays MONITORED", ON_WRITE, RAM_MONITORED, RAM_MONITORED, NO_MEMORY },
    { "write: no memory, RAM stays SHARED", ON_WRITE, RAM_SHARED, RAM_SHARED, NO_MEMORY },
    { "CPU: RAM MONITORED to ALLOCATED", ON_CPU_STORE, RAM_MONITORED, RAM_ALLOCATED, DONE },
    { "CPU: RAM SHARED to ALLOCATED", ON_CPU_STORE, RAM_SHARED, RAM_ALLOCATED, DONE },
    { "CPU: refused, RAM stays BALLOONED", ON_CPU_STORE, RAM_BALLOONED, RAM_BALLOONED, ANY_OTHER },
    { "CPU: no memory, RAM stays MONITORED", ON_CPU_STORE, RAM_MONITORED, RAM_MONITORED,
      NO_MEMORY },
    { "CPU: no memory, RAM stays SHARED", ON_CPU_STORE, RAM_SHARED, RAM_SHARED, NO_MEMORY },
    { "poke: RAM MONITORED to ALLOCATED", ON_POKE, RAM_MONITORED, RAM_ALLOCATED, DONE },
    { "poke: RAM SHARED to ALLOCATED", ON_POKE, RAM_SHARED, RAM_ALLOCATED, DONE },
    { "poke: refused, RAM stays BALLOONED", ON_POKE, RAM_BALLOONED, RAM_BALLOONED, ANY_OTHER },
    { "reset: RAM MONITORED to ZERO", ON_RESET, RAM_MONITORED, RAM_ZERO, DONE },
    { "reset: RAM SHARED to ZERO", ON_RESET, RAM_SHARED, RAM_ZERO, DONE },
    { "reset: RAM BALLOONED to ZERO", ON_RESET, RAM_BALLOONED, RAM_ZERO, DONE },
    { "reset: cleared in place, RAM stays ALLOCATED", ON_RESET, RAM_ALLOCATED, RAM_ALLOCATED,
      DONE },
    { "map: MMIO over MONITORED", ON_MAP, RAM_MONITORED, DEVICE, DONE },
    { "map: MMIO over SHARED", ON_MAP, RAM_SHARED, DEVICE, DONE },
    { "map: MMIO over BALLOONED", ON_MAP, RAM_BALLOONED, DEVICE, DONE },
    { "unmap: MMIO shows MONITORED", ON_UNMAP, DEVICE, RAM_MONITORED, DONE },
    { "snapshot: RAM ALLOCATED to MONITORED", ON_SNAPSHOT, RAM_ALLOCATED, RAM_MONITORED, DONE },
    { "snapshot: RAM stays ALLOCATED (locked)", ON_SNAPSHOT, RAM_ALLOCATED, RAM_ALLOCATED, DONE },
    { "snapshot: RAM stays ZERO", ON_SNAPSHOT, RAM_ZERO, RAM_ZERO, DONE },
    { "snapshot: RAM stays SHARED", ON_SNAPSHOT, RAM_SHARED, RAM_SHARED, DONE },
    { "snapshot: RAM stays BALLOONED", ON_SNAPSHOT, RAM_BALLOONED, RAM_BALLOONED, DONE },
    { "snapshot: shadow ALLOCATED to MONITORED", ON_SNAPSHOT, SHADOW_ALLOCATED, SHADOW_MONITORED,
      DONE },
    { "snapshot: MMIO2 ALLOCATED to MONITORED", ON_SNAPSHOT, MMIO2_ALLOCATED, MMIO2_MONITORED,
      DONE },
    { "restore: RAM ALLOCATED to ZERO", ON_RESTORE, RAM_ALLOCATED, RAM_ZERO, DONE },
    { "restore: RAM ALLOCATED to MONITORED", ON_RESTORE, RAM_ALLOCATED, RAM_MONITORED, DONE },
    { "restore: RAM ALLOCATED to SHARED", ON_RESTORE, RAM_ALLOCATED, RAM_SHARED, DONE },
    { "restore: RAM stays MONITORED", ON_RESTORE, RAM_MONITORED, RAM_MONITORED, DONE },
    { "restore: RAM MONITORED to ZERO", ON_RESTORE, RAM_MONITORED, RAM_ZERO, DONE },
    { "restore: RAM ZERO to MONITORED", ON_RESTORE, RAM_ZERO, RAM_MONITORED, DONE },
    { "restore: RAM ZERO to SHARED", ON_RESTORE, RAM_ZERO, RAM_SHARED, DONE },
    { "restore: RAM SHARED to ZERO", ON_RESTORE, RAM_SHARED, RAM_ZERO, DONE },
    { "restore: RAM BALLOONED to MONITORED", ON_RESTORE, RAM_BALLOONED, RAM_MONITORED, DONE },
    { "restore: RAM BALLOONED to ZERO", ON_RESTORE, RAM_BALLOONED, RAM_ZERO, DONE },
    { "restore: RAM MONITORED to BALLOONED", ON_RESTORE, RAM_MONITORED, RAM_BALLOONED, DONE },
    { "restore: RAM ZERO to BALLOONED", ON_RESTORE, RAM_ZERO, RAM_BALLOONED, DONE },
    { "restore: MMIO2 ALLOCATED to MONITORED", ON_RESTORE, MMIO2_ALLOCATED, MMIO2_MONITORED, DONE },
    { "restore: an overlay goes, RAM shows", ON_RESTORE, DEVICE, RAM_ZERO, DONE },
    { "restore: an overlay comes back", ON_RESTORE, RAM_ZERO, DEVICE, DONE },
    { "client: RAM ALLOCATED to MONITORED", ON_DIRTY, RAM_ALLOCATED, RAM_MONITORED, DONE },
    { "client: RAM stays ALLOCATED (locked)", ON_DIRTY, RAM_ALLOCATED, RAM_ALLOCATED, DONE },
    { "client: MMIO2 ALLOCATED to MONITORED", ON_DIRTY, MMIO2_ALLOCATED, MMIO2_MONITORED, DONE },
    { "lock: RAM ZERO to ALLOCATED", ON_LOCK, RAM_ZERO, RAM_ALLOCATED, DONE },
    { "lock: RAM MONITORED to ALLOCATED", ON_LOCK, RAM_MONITORED, RAM_ALLOCATED, DONE },
    { "lock: RAM SHARED to ALLOCATED", ON_LOCK, RAM_SHARED, RAM_ALLOCATED, DONE },
    { "lock: no memory, RAM stays ZERO", ON_LOCK, RAM_ZERO, RAM_ZERO, NO_MEMORY },
    { "lock: refused, RAM stays BALLOONED", ON_LOCK, RAM_BALLOONED, RAM_BALLOONED, ANY_OTHER },
    { "lock: refused by a device", ON_LOCK, DEVICE, DEVICE, ANY_OTHER },
    { "lock to read: RAM stays ZERO", ON_LOCK_RO, RAM_ZERO, RAM_ZERO, DONE },
    { "lock to read: RAM stays ALLOCATED", ON_LOCK_RO, RAM_ALLOCATED, RAM_ALLOCATED, DONE },
    { "lock to read: RAM stays MONITORED", ON_LOCK_RO, RAM_MONITORED, RAM_MONITORED, DONE },
    { "lock to read: RAM SHARED to ALLOCATED", ON_LOCK_RO, RAM_SHARED, RAM_ALLOCATED, DONE },
    { "inflate: RAM ZERO to BALLOONED", ON_INFLATE, RAM_ZERO, RAM_BALLOONED, DONE },
    { "inflate: RAM ALLOCATED to BALLOONED", ON_INFLATE, RAM_ALLOCATED, RAM_BALLOONED, DONE },
    { "inflate: RAM MONITORED to BALLOONED", ON_INFLATE, RAM_MONITORED, RAM_BALLOONED, DONE },
    { "inflate: RAM SHARED to BALLOONED", ON_INFLATE, RAM_SHARED, RAM_BALLOONED, DONE },
    { "inflate: refused, stays BALLOONED", ON_INFLATE, RAM_BALLOONED, RAM_BALLOONED, ANY_OTHER },
    { "inflate: refused, RAM stays ALLOCATED", ON_INFLATE, RAM_ALLOCATED, RAM_ALLOCATED,
      ANY_OTHER },
    { "deflate: RAM BALLOONED to ZERO", ON_DEFLATE, RAM_BALLOONED, RAM_ZERO, DONE },
    { "deflate: refused, RAM stays ALLOCATED", ON_DEFLATE, RAM_ALLOCATED, RAM_ALLOCATED,
      ANY_OTHER },
    { "scan: RAM ALLOCATED to MONITORED", ON_SCAN, RAM_ALLOCATED, RAM_MONITORED, DONE },
    { "scan: RAM MONITORED to SHARED", ON_SCAN, RAM_MONITORED, RAM_SHARED, DONE },
    { "scan: RAM MONITORED to ZERO", ON_SCAN, RAM_MONITORED, RAM_ZERO, DONE },
    { "scan: RAM stays MONITORED", ON_SCAN, RAM_MONITORED, RAM_MONITORED, DONE },
    { "scan: RAM stays ALLOCATED (locked)", ON_SCAN, RAM_ALLOCATED, RAM_ALLOCATED, DONE },
    { "scan: RAM stays BALLOONED", ON_SCAN, RAM_BALLOONED, RAM_BALLOONED, DONE },
    { "compact: RAM stays ALLOCATED", ON_COMPACT, RAM_ALLOCATED, RAM_ALLOCATED, DONE },
    { "compact: RAM stays MONITORED", ON_COMPACT, RAM_MONITORED, RAM_MONITORED, DONE },
    { "compact: RAM stays SHARED", ON_COMPACT, RAM_SHARED, RAM_SHARED, DONE },
    { "preallocate: RAM ZERO to ALLOCATED", ON_PREALLOCATE, RAM_ZERO, RAM_ALLOCATED, DONE },
    { "preallocate: RAM SHARED to ALLOCATED", ON_PREALLOCATE, RAM_SHARED, RAM_ALLOCATED, DONE },
    { "preallocate: RAM stays MONITORED", ON_PREALLOCATE, RAM_MONITORED, RAM_MONITORED, DONE },
    { "preallocate: no memory, RAM stays ZERO", ON_PREALLOCATE, RAM_ZERO, RAM_ZERO, NO_MEMORY },
    { "image: RAM ZERO to SHARED", ON_IMAGE, RAM_ZERO, RAM_SHARED, DONE },
    { "image: RAM stays ALLOCATED", ON_IMAGE, RAM_ALLOCATED, RAM_ALLOCATED, DONE },
    { "load: RAM ALLOCATED to ZERO", ON_LOAD, RAM_ALLOCATED, RAM_ZERO, DONE },
    { "load: RAM ZERO to ALLOCATED", ON_LOAD, RAM_ZERO, RAM_ALLOCATED, DONE },
    { "load: RAM BALLOONED to ALLOCATED", ON_LOAD, RAM_BALLOONED, RAM_ALLOCATED, DONE },
    { "load: RAM ZERO to BALLOONED", ON_LOAD, RAM_ZERO, RAM_BALLOONED, DONE },
    { "load: RAM SHARED to ALLOCATED", ON_LOAD, RAM_SHARED, RAM_ALLOCATED, DONE },
};

static uint64_t seen[N_PAGE_EVENTS][N_LOOKS][N_LOOKS][N_OUTCOMES];

static struct {
    Naive *machine; /* NULL: nothing is looked at */
    PageEvent event;
    uint64_t gpa;
    Look from;
} now;

static Look look(Naive *m, uint64_t gpa)
{
    static const Look ram[] = { [PGM_PAGE_ZERO] = RAM_ZERO,
                                [PGM_PAGE_ALLOCATED] = RAM_ALLOCATED,
                                [PGM_PAGE_WRITE_MONITORED] = RAM_MONITORED,
                                [PGM_PAGE_SHARED] = RAM_SHARED,
                                [PGM_PAGE_BALLOONED] = RAM_BALLOONED };
    PgmPageInfo info;

    if (gpa == NOWHERE || !pgm_page_query(m->pgm, gpa, &info)) {
        return NONE;
    }
    switch (info.type) {
    case PGM_PAGE_RAM:
        return ram[info.state];
    case PGM_PAGE_ROM:
        return ROM_FRONT;
    case PGM_PAGE_ROM_SHADOW:
        return info.state == PGM_PAGE_ZERO              ? SHADOW_ZERO
               : info.state == PGM_PAGE_WRITE_MONITORED ? SHADOW_MONITORED
                                                        : SHADOW_ALLOCATED;
    case PGM_PAGE_MMIO:
        return DEVICE;
    case PGM_PAGE_MMIO2:
    case PGM_PAGE_MMIO2_ALIAS:
    case PGM_N_PAGE_TYPES:
        break;
    }
    return info.state == PGM_PAGE_WRITE_MONITORED ? MMIO2_MONITORED : MMIO2_ALLOCATED;
}

void transitions_begin(Naive *m, PageEvent event, uint64_t gpa)
{
    now.machine = m;
    now.event = event;
    now.gpa = gpa;
    now.from = look(m, gpa);
}

void transitions_end(MemStatus status)
{
    Outcome outcome = status == MEM_OK ? DONE : status == MEM_ERR_NO_MEMORY ? NO_MEMORY : ANY_OTHER;

    if (now.machine == NULL || now.machine->pgm == NULL) {
        now.machine = NULL;
        return;
    }
    Look to = look(now.machine, now.gpa);

    if (now.event == ON_READ && to != now.from) {
        model_fail("a read of %#" PRIx64 " changed the page", now.gpa);
    }
    seen[now.event][now.from][to][outcome]++;
    now.machine = NULL;
}

void transitions_forget(void)
{
    now.machine = NULL;
}

unsigned transitions_print(FILE *out)
{
    unsigned n_missing = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Row *row = &rows[i];
        uint64_t n = seen[row->event][row->from][row->to][row->outcome];

        fprintf(out, "  %10" PRIu64 "  %s\n", n, row->name);
        n_missing += n == 0;
    }
    return n_missing;
}
