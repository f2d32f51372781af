/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's memory in the simplest possible way: byte arrays, a list of ranges searched from its
 * beginning, and the rules as the public headers say them, one `if` a rule. Slow on purpose.
 *
 * The real machine goes first and its callbacks are noted as events; then the naive one repeats the
 * operation and takes each event it expects. What is left over, missing or different is a failure.
 *
 * Pages' own states (which page is shared, which armed) are the real machine's to choose within
 * rules: real.c looks at its records, everything else here includes public headers alone.
 */
#pragma once

#include "memsys/access.h"
#include "memsys/balloon.h"
#include "memsys/cpu_port.h"
#include "memsys/dirty.h"
#include "memsys/handler.h"
#include "memsys/map.h"
#include "memsys/mm.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"
#include "memsys/rom.h"
#include "memsys/saved_state.h"
#include "memsys/snapshot.h"
#include "memsys/watch.h"

#define PAGE 4096u
#define NOWHERE UINT64_MAX
#define MAX_PAGES 192u /* of one range */
#define MAX_RANGES 24u
#define MAX_HANDLERS 12u
#define MAX_WATCHES 8u
#define MAX_CPUS 2u
#define N_HOT 6u
#define MAX_SNAPSHOTS 8u
#define MAX_CLIENTS 5u
#define MAX_LOCKS 12u
#define MAX_VIRTUAL 4u
#define N_SPARE 48u
#define SPARE_START (UINT64_C(8) << 30) /* RAM that only gives its pages away: no slot is there */

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
    bool by_gva;
    uint64_t gva;
    bool used;
} Event;

/* ---- the naive machine */

typedef struct Naive Naive;

/* What stands behind a page; the first also of device registers. */
typedef enum Backing { NOTHING, OWN, SHARED, BALLOONED } Backing;

/* The record that shows, and the one of the RAM behind a shadowed ROM page. */
enum { FRONT, SHADOW };

/* Who hears of writes, as bits: dirty clients by number. */
typedef uint32_t Listeners;

/* A range and, for a device, the device with it: object.user of all callbacks. */
typedef struct NaiveRange {
    Naive *machine;
    unsigned number;
    uint64_t uid; /* no other range ever had or has it */
    bool live;
    PgmRangeKind kind;
    struct PgmRange *real;
    uint64_t start; /* NOWHERE: not mapped */
    unsigned n_pages, n_shown;
    uint8_t *bytes;              /* what reads see: RAM, ROM, device memory, registers */
    uint8_t *shadow;             /* ROM: the RAM behind; NULL: none */
    uint8_t *image;              /* ROM: what a reset brings back */
    uint8_t there[2][MAX_PAGES]; /* RAM and ROM: Backing */
    bool monitored[MAX_PAGES];   /* MMIO2, by its own tracking */
    bool dirty[MAX_PAGES], maybe_dirty[MAX_PAGES];
    Listeners must[2][MAX_PAGES], may[2][MAX_PAGES]; /* whose dirty sets the page is in */
    unsigned n_write_locks[2][MAX_PAGES], n_read_locks[2][MAX_PAGES];
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
    unsigned region; /* MMIO2 */
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
    uint64_t uid;
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
    bool is_virtual;
    unsigned cpu; /* then by addresses of this one */
} NaiveWatch;

/* ---- whole copies */

typedef struct RangeCopy {
    NaiveRange *range;
    uint64_t uid;
    uint64_t start;
    unsigned n_shown;
    uint8_t *bytes, *shadow;
    uint8_t there[2][MAX_PAGES];
    PgmRomProt prot[MAX_PAGES];
    struct {
        NaiveRange *range; /* NULL: none */
        uint64_t uid;
        unsigned page;
    } alias[MAX_PAGES];
} RangeCopy;

typedef struct Copy {
    unsigned n;
    RangeCopy ranges[MAX_RANGES];
    struct {
        uint64_t uid, range_uid, offset; /* uid 0: none */
        bool off[MAX_PAGES];
    } handlers[MAX_HANDLERS];
} Copy;

typedef struct NaiveSnapshot {
    PgmSnapshot *snapshot; /* NULL: a free entry */
    Copy *copy;
    bool checked;
} NaiveSnapshot;

typedef struct NaiveLock {
    bool live;
    PgmMapping mapping;
    NaiveRange *range;
    unsigned page, which;
    bool zero_page; /* a reader of nothing: sees zeros for ever */
    bool wrote;     /* bytes the CPUs have not heard of */
} NaiveLock;

/* A saved state, on its way (save) or whole. */
typedef struct NaiveState {
    MemStateWriter *writer;
    PgmLiveSave *live;
    GBytes *file;
    Copy *copy;
    bool disturbed; /* ranges came or went meanwhile: the save may fail */
} NaiveState;

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
    bool plain;          /* no page is ever armed, shared or ballooned: states are exact */
    bool armed;          /* something has armed pages: ALLOCATED or WRITE_MONITORED is all one */
    bool preallocated, sharing, no_overcommit;
    bool keeps_pages;     /* gives none away for the moment */
    bool entries_limited; /* writes may find no entry for a snapshot */
    NaiveSnapshot snapshots[MAX_SNAPSHOTS];
    PgmDirty *clients[MAX_CLIENTS];
    NaiveLock locks[MAX_LOCKS];
    NaiveState state;
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
uint64_t naive_uid(void);
NaiveRange *naive_range_new(Naive *m, PgmRangeKind kind, unsigned n_pages);
void naive_range_free(NaiveRange *range);
void naive_reset(Naive *m);
void naive_clear(Naive *m);
void naive_may_be_written(Naive *m); /* any page; no bytes are others */

/* naive-page.c: one page and who stands before it */
uint8_t *naive_visible(Place place); /* the page's bytes; NULL for a device */
bool naive_write_reaches(Place place, uint8_t **ret_bytes);
MemStatus naive_make_writable(Naive *m, Place place, bool visible);
bool naive_has_page(Place place);
uint8_t *naive_record_bytes(NaiveRange *range, unsigned which, unsigned page);
Backing naive_backing(Place place); /* of what reads see */
/* A page is written now, or may have been; by restore, load and reset for whoever listens. */
void naive_written(NaiveRange *range, unsigned which, unsigned page, bool surely);
bool naive_locked(const NaiveRange *range, unsigned which, unsigned page);
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
void naive_virtual_hit(Naive *m, unsigned cpu, uint64_t gva, uint64_t gpa, uint64_t len,
                       uint64_t value, MemAccess access, bool before);
void naive_nothing_left(Naive *m);

/* naive-copy.c */
Copy *naive_copy_new(Naive *m);
void naive_copy_free(Copy *copy);
/* The same of another machine, whose ranges stand in @ranges in the order of the copy. */
Copy *naive_copy_for(const Copy *copy, NaiveRange *const *ranges);
void naive_copy_restore(Naive *m, const Copy *copy, bool is_load);
bool naive_copy_same_ranges(Naive *m, const Copy *copy);

/* real.c: the records as they are */
void real_find(NaiveRange *range);
PgmPageState real_state(const NaiveRange *range, unsigned which, unsigned page);
const uint8_t *real_page(const NaiveRange *range, unsigned which, unsigned page);
PageId real_id(const NaiveRange *range, unsigned which, unsigned page);
const char *real_name(const NaiveRange *range); /* the very string */
bool real_shows(Naive *m, PageId id);           /* some page of the machine */
void real_adopt(Naive *m);                      /* takes over what stands behind each page */
void real_check(Naive *m); /* bytes, states and locks of each page, covered or not */

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
