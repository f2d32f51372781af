/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's memory in the simplest possible way: byte arrays, a list of ranges searched from its
 * beginning, and the rules as the public headers say them, one `if` a rule. Slow on purpose.
 *
 * The real machine goes first and its callbacks are noted as events; then the naive one repeats the
 * operation and takes each event it expects. What is left over, missing or different is a failure.
 *
 * Includes public headers alone.
 */
#pragma once

#include "memsys/access.h"
#include "memsys/cpu_port.h"
#include "memsys/handler.h"
#include "memsys/mm.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"
#include "memsys/rom.h"
#include "memsys/watch.h"

#define PAGE 4096u
#define NOWHERE UINT64_MAX
#define MAX_PAGES 192u /* of one range */
#define MAX_RANGES 24u
#define MAX_HANDLERS 12u
#define MAX_WATCHES 8u
#define MAX_CPUS 2u
#define N_HOT 6u

/*
 * Ranges lie in three windows: 2 MiB from 0, so that bit 20 matters, 32 pages from 4 GiB, and the
 * last four pages of all. None begins so near the end of a window that it could leave it.
 */
#define LOW_PAGES 512u
#define HIGH_PAGES 32u
#define TOP_PAGES 4u
#define ROOM_PAGES 12u
#define HIGH_START (UINT64_C(4) << 30)
#define TOP_START (MEM_GPHYS_LIMIT - TOP_PAGES * PAGE)
#define N_SLOTS (LOW_PAGES + HIGH_PAGES + TOP_PAGES)

/* ---- events: what the real machine's callbacks noted */

typedef enum EventKind { EVENT_HANDLER, EVENT_DEVICE, EVENT_WATCH } EventKind;

typedef struct Event {
    EventKind kind;
    unsigned who;
    uint64_t at; /* address, or offset within the device */
    uint64_t len;
    uint64_t value;
    MemAccess access;
    MemOrigin origin;
    bool before;
    bool used;
} Event;

/* ---- the naive machine */

typedef struct Naive Naive;

/* A range and, for a device, the device with it: object.user of all callbacks. */
typedef struct NaiveRange {
    Naive *machine;
    unsigned number;
    bool live;
    PgmRangeKind kind;
    uint64_t start; /* NOWHERE: not mapped */
    unsigned n_pages, n_shown;
    uint8_t *bytes;               /* what reads see: RAM, ROM, device memory, registers */
    uint8_t *shadow;              /* ROM: the RAM behind; NULL: none */
    uint8_t *image;               /* ROM: what a reset brings back */
    bool there[MAX_PAGES];        /* RAM and ROM: has a page of its own */
    bool shadow_there[MAX_PAGES]; /* ROM */
    bool monitored[MAX_PAGES], dirty[MAX_PAGES];
    bool can_track, tracking;
    PgmRomProt prot[MAX_PAGES];
    struct NaiveRange *alias[MAX_PAGES]; /* MMIO: the device memory shown instead */
    unsigned alias_page[MAX_PAGES];
    PgmMmioOps ops;
    bool refuses, wanders, dies; /* the last two when offset 0 is written */
    uint64_t homes[2];           /* of a device that wanders */
    uint8_t *registers;          /* of the real device */
    PgmMmio *mmio;
    PgmMmio2 *mmio2;
} NaiveRange;

typedef enum Behaviour {
    DO_DEFAULT,
    SWALLOW,  /* handled: writes vanish, reads give a pattern */
    SCRAMBLE, /* handled: memory is accessed through the host pointer, every byte changed */
    REFUSE,
    FREE_SELF,  /* then the default */
    SWITCH_OFF, /* itself for this page, then the default */
    N_BEHAVIOURS
} Behaviour;

typedef struct NaiveHandler {
    Naive *machine;
    unsigned number;
    bool live;
    NaiveRange *range; /* NULL: the range is gone */
    uint64_t offset, len;
    PgmHandlerKind kind;
    Behaviour behaviour;
    bool off[MAX_PAGES];
    PgmHandler *handler;
} NaiveHandler;

typedef struct NaiveWatch {
    Naive *machine;
    unsigned number;
    bool live;
    uint64_t first, last;
    unsigned accesses;
    bool before, once;
    PgmWatch *watch;
    bool real_live; /* the real one frees itself during the operation, the naive one after */
} NaiveWatch;

struct Naive {
    unsigned number;
    Pgm *pgm;
    NaiveRange ranges[MAX_RANGES];
    NaiveHandler handlers[MAX_HANDLERS];
    NaiveWatch watches[MAX_WATCHES];
    GArray *events;                             /* of Event */
    uint64_t unassigned[2], real_unassigned[2]; /* bytes read and written where nothing is */
    uint64_t budget; /* pages the real machine took during this operation and we have not yet */
    struct Cpu *cpus[MAX_CPUS];
    uint64_t hot[N_HOT]; /* pages that are used again and again */
};

/* Where an address lies; range NULL: nowhere. Aliases are followed. */
typedef struct Place {
    NaiveRange *range;
    unsigned page;
    uint64_t offset; /* of the byte within the range */
    bool alias;      /* device memory seen through an MMIO range */
} Place;

static inline uint64_t slot_address(unsigned slot)
{
    if (slot < LOW_PAGES) {
        return (uint64_t)slot * PAGE;
    }
    if (slot < LOW_PAGES + HIGH_PAGES) {
        return HIGH_START + (uint64_t)(slot - LOW_PAGES) * PAGE;
    }
    return TOP_START + (uint64_t)(slot - LOW_PAGES - HIGH_PAGES) * PAGE;
}

/* N_SLOTS: an address outside the windows. */
unsigned address_slot(uint64_t gpa);

/* Prints why, the operations that led here and how to repeat them; does not return. */
void model_fail(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

/* naive-map.c */
Place naive_at(Naive *m, uint64_t gpa);
MemStatus naive_check_place(Naive *m, const NaiveRange *range, uint64_t start, bool is_ram);
MemStatus naive_map(NaiveRange *range, uint64_t start);
void naive_unmap(NaiveRange *range);
NaiveRange *naive_range_new(Naive *m, PgmRangeKind kind, unsigned n_pages);
void naive_range_free(NaiveRange *range);
void naive_reset(Naive *m);
void naive_clear(Naive *m);

/* naive-page.c: one page and who stands before it */
uint8_t *naive_visible(Place place); /* the page's bytes; NULL for a device */
bool naive_write_reaches(Place place, uint8_t **ret_bytes);
MemStatus naive_make_writable(Naive *m, Place place, bool visible);
bool naive_has_page(Place place);
PgmHandlerState naive_handler_state(Naive *m, Place place, bool armed);
NaiveHandler *naive_handler_at(Naive *m, Place place, uint64_t *ret_run);
bool naive_watched(Naive *m, uint64_t gpa, unsigned accesses);
unsigned naive_cpu_caught(Naive *m, uint64_t gpa);
bool naive_plainly_writable(Naive *m, Place place);
void naive_counts(Naive *m, PgmPageCounts *ret_counts);
void naive_check_page(Naive *m, unsigned slot);

/* naive-access.c: what an access does */
MemStatus naive_bus_read(Naive *m, uint64_t gpa, unsigned size, MemOrigin origin, uint64_t *value);
MemStatus naive_bus_write(Naive *m, uint64_t gpa, unsigned size, uint64_t value, MemOrigin origin);
MemStatus naive_read(Naive *m, uint64_t gpa, uint8_t *buf, uint64_t len, MemOrigin origin);
MemStatus naive_write(Naive *m, uint64_t gpa, const uint8_t *buf, uint64_t len, MemOrigin origin);
MemStatus naive_copy(Naive *m, uint64_t to, uint64_t from, uint64_t len, MemOrigin origin);
MemStatus naive_peek(Naive *m, uint64_t gpa, uint8_t *buf, uint64_t len);
MemStatus naive_poke(Naive *m, uint64_t gpa, const uint8_t *buf, uint64_t len);
void naive_watch_hit(Naive *m, uint64_t gpa, uint64_t len, uint64_t value, MemAccess access,
                     MemOrigin origin, bool before);
void naive_nothing_left(Naive *m);

/* callbacks.c: what the real machine calls */
extern const PgmMmioOps model_ops;
PgmHandlerResult model_handler(Pgm *pgm, const PgmHandlerAccess *access, void *user);
void model_watch(Pgm *pgm, const PgmWatchHit *hit, void *user);
void model_unassigned(Pgm *pgm, GPhys gpa, uint64_t len, MemAccess access, MemOrigin origin,
                      void *user);

static inline uint8_t swallow_byte(uint64_t gpa, unsigned number)
{
    return (uint8_t)(gpa * 7 + number);
}
