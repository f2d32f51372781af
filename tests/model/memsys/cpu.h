/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A CPU with a TLB of its own that believes every answer until it is told otherwise, and with
 * "translations": copies of code bytes, kept by host page as an engine keeps them. Each direct load
 * must find the naive machine's bytes, each kept translation must still be what is there.
 */
#pragma once

#include "tests/model/memsys/naive.h"

#define N_TRANSLATIONS 64u
#define CODE_BYTES 16u

typedef struct CpuEntry {
    bool valid;
    PgmFillKind kind;
    unsigned perms;
    PageId id;
} CpuEntry;

typedef struct Translation {
    bool valid;
    bool excused; /* changed through a mapping: the CPU hears of it at the end */
    PageId id;
    uint32_t offset, len;
    uint8_t bytes[CODE_BYTES];
} Translation;

typedef struct CpuCounts {
    uint64_t direct_loads, direct_stores, cached, caught, unassigned, no_memory, told_pages,
        told_all, told_code, reused_code, flushes;
} CpuCounts;

typedef struct Cpu {
    Naive *machine;
    PgmCpu *cpu;
    CpuEntry entries[N_SLOTS];
    Translation code[N_TRANSLATIONS];
} Cpu;

extern CpuCounts cpu_counts;

void cpu_attach(Naive *m, unsigned number);
void cpu_detach(Naive *m, unsigned number);

/*
 * The CPU makes sure it holds an answer for @access at @gpa. MEM_OK and @ret_host: its place in
 * host memory; MEM_OK and NULL: the access must go to the bus; MEM_ERR_NO_MEMORY. @took: pages that
 * the machine takes meanwhile are added to the naive machine's budget.
 */
MemStatus cpu_ask(Cpu *cpu, uint64_t gpa, MemAccess access, uint8_t **ret_host);

/* Direct accesses of bytes within a page, checked or done on both sides. */
void cpu_load(Cpu *cpu, uint64_t gpa, unsigned size, const uint8_t *host);
void cpu_store(Cpu *cpu, uint64_t gpa, unsigned size, uint64_t value, uint8_t *host);
void cpu_run(Cpu *cpu, uint64_t gpa, const uint8_t *host);

/* The engine was recycled: all CPUs of the machine start afresh. */
void cpu_forget_all(Naive *m);
void cpu_drop_id(Naive *m, PageId id);
void cpu_check(Naive *m);
