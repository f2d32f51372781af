/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU's side of a machine's memory. A CPU with a TLB of its own (Unicorn's) asks for each page
 * once and is told when an answer no longer holds.
 *
 * What a CPU may rely on: an answer stays right until a callback says otherwise; every callback
 * comes on the machine's thread, and may come from inside pgm_cpu_fill() and from inside any
 * access.
 *
 * Source: the TLB-fill contract VirtualBox's PGM had with its recompiler; executed pages as bits of
 * host pages are ours.
 */
#pragma once

#include "memsys/pgm.h"

#pragma GCC visibility push(default)

typedef struct PgmCpu PgmCpu;

typedef struct PgmCpuCallbacks {
    /* What was answered for the guest page at @gpa (after A20) no longer holds. @executed: code of
     * the host page it showed was run, so chained translations must be left too. */
    void (*invalidate_page)(void *user, GPhys gpa, bool executed);
    /* Nothing answered so far holds. */
    void (*invalidate_all)(void *user, bool executed);
    /* Bytes of an executed host page were changed by someone other than translated code. */
    void (*code_changed)(void *user, PageId id, uint32_t offset, uint32_t len);
} PgmCpuCallbacks;

typedef enum PgmFillKind {
    PGM_FILL_DIRECT,     /* cache page @id with @perms */
    PGM_FILL_CATCH,      /* every access in @perms comes to pgm_bus_read()/pgm_bus_write() */
    PGM_FILL_UNASSIGNED, /* as CATCH; a fetch is a machine check */
    PGM_FILL_NO_MEMORY,  /* a page was needed and none was to be had: stop, resumable */
} PgmFillKind;

typedef struct PgmFill {
    PgmFillKind kind;
    unsigned perms; /* set of MemAccess the CPU may cache */
    PageId id;      /* DIRECT only */
    GPhys gpa;      /* the page after A20 */
    bool flush;   /* the host page just became executed: drop all entries first, some may lack X */
    bool watched; /* caught only because of a watch: the CPU should be able to name the instruction
                   */
    bool inert;   /* caught for a device that does not care which instruction it is (PgmMmioOps) */
    bool exec_watched; /* a watch wants to hear of execution on this page */
} PgmFill;

/**
 * pgm_cpu_attach:
 * @callbacks: must outlive the CPU; each may be %NULL
 *
 * Returns: (transfer full): a CPU with A20 enabled. Detach with pgm_cpu_detach().
 */
PgmCpu *pgm_cpu_attach(Pgm *pgm, const PgmCpuCallbacks *callbacks, void *user);
void pgm_cpu_detach(PgmCpu *cpu);
Pgm *pgm_cpu_pgm(const PgmCpu *cpu);

/**
 * pgm_cpu_fill:
 * @gpa: any byte of the page
 * @access: one of READ, WRITE, EXEC
 *
 * What the CPU may do with the page. WRITE makes it writable (allocates, copies a shared page,
 * leaves monitoring) unless it must be caught. EXEC marks the host page executed; X is granted for
 * executed pages only, and with it whatever else is right now. READ of a page never executed gives
 * R, or RW if it may be written without asking.
 */
void pgm_cpu_fill(PgmCpu *cpu, GPhys gpa, MemAccess access, PgmFill *ret_fill);

/* A20: masks bit 20 of everything this CPU does. Changing it invalidates all. */
void pgm_cpu_set_a20(PgmCpu *cpu, bool enabled);
bool pgm_cpu_a20(const PgmCpu *cpu);

/* @gpa as this CPU's pins would show it. */
GPhys pgm_cpu_mask(const PgmCpu *cpu, GPhys gpa);

/* A page-table walker's accesses: through the page-map TLB, A20 applied, origin CPU. */
uint32_t pgm_cpu_read_u32(PgmCpu *cpu, GPhys gpa);
uint64_t pgm_cpu_read_u64(PgmCpu *cpu, GPhys gpa);
MemStatus pgm_cpu_write_u32(PgmCpu *cpu, GPhys gpa, uint32_t value);
MemStatus pgm_cpu_write_u64(PgmCpu *cpu, GPhys gpa, uint64_t value);

/**
 * pgm_page_executed:
 *
 * Whether translated code of host page @id may exist.
 */
bool pgm_page_executed(const Pgm *pgm, PageId id);

/* The CPU dropped all translations (its engine was recycled): no page is executed any more. */
void pgm_forget_executed(Pgm *pgm);

/**
 * pgm_forget_executed_page:
 *
 * Data now lies where code was: CPUs are told to drop the page's translations, and it takes stores
 * without tracking until something is fetched from it again.
 */
void pgm_forget_executed_page(Pgm *pgm, PageId id);

/* The CPU is about to run the instruction at @gpa: tells the EXEC watches that cover it. */
void pgm_cpu_report_exec(PgmCpu *cpu, GPhys gpa, uint32_t len);

#pragma GCC visibility pop
