/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of test-threads-model.c share: its header says what is tested and how.
 *   sees.c     a machine's thread compares; its callbacks
 *   does.c     a machine's thread changes things
 *   visitor.c  the threads from outside
 */
#pragma once

#include "memsys/access.h"
#include "memsys/balloon.h"
#include "memsys/dirty.h"
#include "memsys/external.h"
#include "memsys/handler.h"
#include "memsys/map.h"
#include "memsys/mmio.h"
#include "memsys/rom.h"
#include "memsys/snapshot.h"
#include "memsys/watch.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#define OPS_A_ROUND 500u /* of each thread, between quiet points */
#define PAGE MEM_PAGE_SIZE
#define N_MACHINES 2u
#define N_VISITORS 2u
#define N_THREADS (N_MACHINES + N_VISITORS)
#define N_SNAPSHOTS 3u

/* A machine's RAM, in pages. */
#define RAM_PAGES 1280u
#define STAMP 0u
#define N_STAMP 64u
#define WILD 64u
#define N_WILD 32u
#define GIVEN 96u
#define N_GIVEN 32u
#define N_MINE 128u /* all three */
#define YARD(visitor) (N_MINE + (visitor)*N_YARD)
#define N_YARD 12u
#define SPREAD 256u /* what lies between is never written */
#define N_SPREAD 1024u

#define ROM UINT64_C(0x800000)
#define VRAM UINT64_C(0x900000)
#define REGS UINT64_C(0xa00000)
#define NOWHERE UINT64_C(0xb00000)
#define N_AREA 4u /* pages of each of these */
#define AREA (N_AREA * PAGE)
#define STEP UINT64_C(0x10000) /* between the places of VRAM and REGS */
#define ROM_BYTE 0x5c
#define SHADOW_TAG 0x1000u
#define VRAM_TAG 0x2000u

/* What a snapshot keeps of a machine. */
typedef struct State {
    uint8_t ram[N_MINE * PAGE];
    bool ballooned[N_GIVEN];
    uint64_t spread[N_SPREAD]; /* the first words */
    uint8_t shadow[AREA], vram[AREA];
    PgmRomProt prots[N_AREA];
    GPhys vram_at, regs_at; /* MEM_GPHYS_NIL: not mapped */
} State;

/* A visitor's pages in a machine; all under the gate, or of the machine's thread for the visitor
 * that holds it. */
typedef struct Yard {
    pthread_mutex_t gate;
    uint64_t known; /* the epoch that bytes are of */
    uint8_t bytes[N_YARD * PAGE];
    bool is_mapped;
    unsigned mapped_page;
    PgmMapping mapping;
    uint64_t seen[N_STAMP], seen_in[N_STAMP]; /* first words of STAMP pages, and the epoch */
} Yard;

#define UNKNOWN UINT64_C(1) /* no epoch at rest is odd */

typedef struct Taken {
    PgmSnapshot *snapshot;
    State state;
    bool agreed; /* the yards too: */
    uint8_t yards[N_VISITORS][N_YARD * PAGE];
} Taken;

typedef struct Machine {
    unsigned number;
    pthread_t thread;
    Pgm *pgm;
    PgmMmio2 *vram;
    PgmMmio *regs;
    PgmHandler *handler;
    PgmWatch *watch;
    PgmDirty *dirty;
    uint8_t clean[N_MINE * PAGE]; /* RAM when the dirty client was last reset */
    State now;
    Taken taken[N_SNAPSHOTS];
    Yard yards[N_VISITORS];
    uint64_t version; /* atomic: the latest that any word may have */
    uint64_t epoch;   /* atomic: odd while a restore or a reset runs */
} Machine;

/* The thread that runs. */
typedef struct Self {
    const char *name;
    unsigned number;
    uint64_t op, random;
} Self;

extern _Thread_local Self self;
extern uint64_t seed, n_rounds;
extern Gmm *gmm;
extern Machine machines[N_MACHINES];
extern pthread_barrier_t quiet;
extern uint64_t n_arrived; /* atomic: visitors at quiet points so far */
extern uint64_t n_done;    /* atomic: operations, and what became of them: */
extern uint64_t n_exact_reads, n_asked, n_agreed_restores, n_announced_restores, n_handled, n_hits;

void count(uint64_t *counter);
void fail(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;
void must(MemStatus status, const char *what);
uint64_t rng(void);
uint32_t draw(uint32_t n);
void random_bytes(uint8_t *bytes, size_t len);

/* The upper half of every word in a page. */
uint64_t tag(const Machine *m, unsigned page);
void compare(const uint8_t *want, const uint8_t *got, size_t len, GPhys gpa, const char *what);
uint64_t epoch_of(Machine *m);

/* ---- sees.c, of the machine's thread */
extern const PgmMmioOps regs_ops;
void on_own_thread(Pgm *pgm, const void *user);
PgmHandlerResult handled(Pgm *pgm, const PgmHandlerAccess *access, void *user);
void hit(Pgm *pgm, const PgmWatchHit *info, void *user);
uint64_t regs_value(const Machine *m, uint64_t offset);
void check_piece(Machine *m, GPhys gpa, size_t len);
void check_spread(Machine *m, unsigned first, unsigned n);
void check_areas(Machine *m);
void op_check(Machine *m);

/* Bytes that differ from those at the last reset are in the client's set. */
void check_dirty(Machine *m);

/* With the gates shut, or while their visitor waits. */
void check_yard(Machine *m, unsigned v);

/* ---- does.c */
void one_operation(Machine *m);

/* ---- visitor.c */
void *visitor_main(void *user);
