/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UcCore: Unicorn driven from our own memory. Translated code runs out of the arena; every page it
 * touches is asked for once (uc_fill.c); it comes back only at block boundaries, at exceptions and
 * at refused accesses, always with exact registers.
 *
 *   uc_core.c       opening, running, stepping
 *   uc_hooks.c      what the engine calls while code runs: blocks, exceptions, ports, time
 *   uc_fill.c       TLB misses and the accesses that must be caught
 *   uc_state.c      registers out and in, hidden segment parts too
 *   uc_calibrate.c  where the engine's context keeps what its API does not show
 *   uc_registers.c  more of that, needed only to save a processor by the names of its registers
 *   uc_code.c       translated code follows memory
 *
 * Rules that the engine forces on us (each has a test in tests/unit/test-uc-traps.c):
 *   1. uc_emu_stop() only from the block, exception and one-address code hooks. From anywhere else
 * the engine repeats work that was done. All others raise an attention bit that the block hook
 * sees.
 *   2. X only for pages that were executed: stores to such pages are tracked, others run free.
 *   3. Its record of the last exception is cleared after each exception, or the next one is taken
 * for a double fault.
 *   4. Segments are loaded through a scratch descriptor table: a table that is not mapped would
 * kill the process.
 *   5. Code of a page that someone else changed is dropped through a private alias of the page.
 *   6. Chained blocks never look at the TLB again: invalidating an executed page also raises
 * attention.
 */
#pragma once

#include "emu/clock-internal.h"
#include "emu/machine.h"
#include "emu/x86/deliver.h"
#include "memsys/cpu_port.h"

#include <unicorn/unicorn.h>

/* The engine's "physical" addresses: the arena from 0, the catch-all alias of guest-physical space,
 * its like of guest-virtual space, the scratch page. */
#define UC_CORE_ALIAS (UINT64_C(1) << 56)
#define UC_CORE_ALIAS_LEN MEM_GPHYS_LIMIT
#define UC_CORE_SCRATCH (UINT64_C(1) << 58)
/* The same of guest-virtual space, for watches by virtual address: 48 bits, sign cut off. */
#define UC_CORE_VIRTUAL (UINT64_C(1) << 57)
#define UC_CORE_VIRTUAL_LEN (UINT64_C(1) << 48)
/* Guest-virtual names of host pages, for dropping their code: no guest can use this bit. */
#define UC_CORE_PAGE_NAME (UINT64_C(1) << 62)

/* The engine takes its callbacks as data pointers. */
#define UC_CALLBACK(function) (__extension__(void *)(function))

#define UC_CORE_LOOPS 64
#define UC_CORE_TRACKED 256
#define UC_CORE_CODE_CHANGES 1024

/* Why translated code was left. */
typedef enum UcExit {
    UC_EXIT_NONE,
    UC_EXIT_ATTENTION,  /* an attention bit, at a block boundary */
    UC_EXIT_LIMIT,      /* the next block would pass stop_at; step up to it */
    UC_EXIT_STEPPED,    /* one instruction (one iteration of REP) was executed */
    UC_EXIT_HALT,       /* HLT was executed; EIP is behind it */
    UC_EXIT_EXCEPTION,  /* vector, error: EIP at the instruction; behind it for INT n and traps */
    UC_EXIT_BREAKPOINT, /* before the instruction at fault_address */
    UC_EXIT_STEP_AGAIN, /* the refused access must be tried by a single step: a fetch that ran ahead
                         */
    UC_EXIT_GRANT,      /* the same, with the processor's own rights to its tables */
    UC_EXIT_BAD_FETCH,  /* no memory to fetch from at fault_address */
    UC_EXIT_NO_MEMORY,  /* no page to be had for fault_address */
    UC_EXIT_ENGINE,     /* the engine failed: text */
} UcExit;

/* Attention bits; any thread may raise STOP, the others belong to the machine's thread. */
enum {
    UC_ATTN_STOP = 1,  /* somebody wants the run to end */
    UC_ATTN_CODE = 2,  /* translations must go, or chained blocks be left */
    UC_ATTN_EVENT = 4, /* the run loop has something to look at */
    UC_ATTN_IF = 8,    /* an interrupt waits for IF: look at each block boundary */
    UC_ATTN_SYSENTER = 16,
    UC_ATTN_SOFT = 32, /* a device wants something: to be served where the guest jumps next */
    UC_ATTN_DEBT = 64, /* a port access took time: to be settled there too */
};

/* Where the engine's context blob keeps things; found by calibration. */
typedef struct UcLayout {
    size_t exception; /* int32: last exception or -1 */
    size_t error;     /* int32: its error code */
    size_t regs;      /* 16 x u64 */
    size_t segs;      /* 6 segment caches, then LDTR, TR, GDTR, IDTR */
} UcLayout;

/* More of that: offsets in the context, found by uc_registers.c. */
typedef struct UcRegisters {
    const char *missing; /* what was not found; NULL: all is known */
    size_t eip, cr0, cr2, cr3, cr4, xcr0;
    size_t efer;        /* 0: the model has none */
    size_t dr;          /* DR0 to DR7, 8 bytes each */
    size_t breakpoints; /* pointers to what DR7 switched on: 32 bytes */
    size_t modes;       /* a word of bits derived from other registers */
    size_t fpu_tags, fpu_regs, fpu_opcode, fpu_cs, fpu_ds, fpu_ip, fpu_dp;
    size_t xmm, xmm_stride;
    unsigned n_msrs;    /* of msrs[]: those that keep what is written */
    unsigned n_outside; /* the first of them: not in the context */
    uint32_t msrs[96];
} UcRegisters;

/* Of the CPU model, read by CPUID at start. */
typedef struct UcCpuid {
    uint32_t signature; /* leaf 1 EAX */
    uint32_t leaf1_ebx, leaf1_ecx, leaf1_edx;
    uint8_t maxphyaddr;
    bool has_nx, has_pse36, has_1g, has_long_mode, has_smap;
} UcCpuid;

typedef struct UcCodeChange {
    PageId id;
    uint32_t offset;
    uint32_t len;
} UcCodeChange;

typedef struct UcTracked {
    PageId id;
    unsigned n_stores; /* from other pages, that the engine asked for: see uc_fill.c */
} UcTracked;

typedef struct UcCore UcCore;

struct UcCore {
    /* Hot: the block hook touches these alone. */
    EmuClock *clock;
    uint64_t fast_limit; /* stop_at while nothing wants attention, else 0 */
    uint64_t stop_at;    /* clock->bytes that no block may pass */
    gint attention;      /* atomic: set of UC_ATTN_* */
    bool stepping;
    uint64_t block_address; /* linear, of the running block */
    uint64_t block_len;
    uint64_t rep_address; /* a block known to be (not) a REP string instruction, */
    bool rep_is_string;
    uint32_t rep_mask; /* the part of ECX it counts with, */
    uint32_t rep_left; /* and what is left of it; 0: not known */
    uint64_t rep_bytes,
        rep_empty_bytes; /* clock->bytes at its last pass, and at the last that found CX = 0 */
    uint64_t
        loops[UC_CORE_LOOPS]; /* blocks known to begin inside the one before and to be no REP */
    bool jumped; /* the present boundary follows a jump, an exception or HLT: the same however the
                    run is cut */

    bool cs_known; /* CS as it was last looked at, for the exact place in a block */
    bool cs_protected;
    uint16_t cs_selector;
    uint64_t cs_base, cs_mask;

    uc_engine *uc;
    uc_context *context;
    uint8_t *blob;             /* = context, as bytes */
    uc_context *reset_context; /* the registers of a fresh engine */
    UcLayout layout;
    UcRegisters registers;
    UcCpuid cpuid;

    Pgm *pgm;
    PgmCpu *cpu;
    uint8_t *scratch;  /* one page of our own */
    bool scratch_fill; /* the fill hook answers everything with the scratch page */
    bool grant;        /* ... with supervisor rights to descriptor tables and the TSS */
    bool tlb_used;     /* the fill hook answered since the last flush */
    UcTracked tracked[UC_CORE_TRACKED]; /* executed pages that were stored to, by page id */
    bool flush_after_catch; /* the access under way must be followed by a flush: the next needs an
                               exact EIP */
    UcCodeChange code_changes[UC_CORE_CODE_CHANGES]; /* to be dropped at the next boundary; */
    unsigned n_code_changes; /* UC_CORE_CODE_CHANGES: not all are here, everything is dropped */
    bool exec_watched;       /* the instruction being stepped lies on a page with an EXEC watch, */
    GPhys exec_page;         /* at this guest-physical address */

    /* What the last exit found. */
    UcExit exit;
    uint8_t vector;
    bool has_error;
    uint32_t error;
    bool software_int;
    uint8_t int_len; /* bytes of the INT n, INT3 or INTO */
    GVirt fault_address;
    const char *text;

    uint64_t breakpoint_skip;  /* linear address whose breakpoint was just reported */
    uint64_t breakpoint_bytes; /* clock->bytes then */
    GHashTable *breakpoints;   /* linear address -> UcBreakpoint */

    EmuPorts *ports;
    EmuPortHook port_hook;
    void *port_hook_user;
    bool ports_silent; /* the machine is going down: nothing reaches devices any more */

    /* For traces: NULL unless switched on. */
    void (*trace_mmio)(void *user, bool write, GPhys gpa, unsigned size, uint64_t value);
    void *trace_user;

    /* The engine's buffer of translations: uc_code.c. */
    uint64_t translated; /* bytes of it taken since it was last emptied, at most */
    uint64_t translated_limit;

    uint64_t n_fills, n_flushes, n_code_invalidations, n_steps, n_caught_reads, n_caught_writes;
};

typedef struct UcCoreConfig {
    int uc_model;
    EmuClock *clock;
    EmuPorts *ports;
    Pgm *pgm;
    uint32_t code_buffer_size; /* bytes for the engine's translations */
} UcCoreConfig;

/* Opens, calibrates, maps the arena. Returns: false with EMU_ERROR_ENGINE naming what the engine
 * refused. */
bool uc_core_init(UcCore *core, const UcCoreConfig *config, GError **error);
void uc_core_clear(UcCore *core);

/* Registers of a processor after RESET (Intel SDM volume 3A, table 9-1). */
void uc_core_reset(UcCore *core);

/* Runs free until something leaves translated code. */
UcExit uc_core_run(UcCore *core);

/* Executes one instruction, or one iteration of a REP. */
UcExit uc_core_step(UcCore *core);

/* Raises attention bits. STOP from any thread. */
static inline void uc_core_attention(UcCore *core, int bits)
{
    g_atomic_int_or((guint *)&core->attention, (guint)bits);
    __atomic_store_n(&core->fast_limit, 0, __ATOMIC_SEQ_CST);
}

static inline void uc_core_attention_clear(UcCore *core, int bits)
{
    g_atomic_int_and((guint *)&core->attention, ~(guint)bits);
}

/* uc_state.c */
uint64_t uc_core_reg(UcCore *core, int uc_reg);
void uc_core_set_reg(UcCore *core, int uc_reg, uint64_t value);
/* Linear address of the instruction: CS.base + EIP. Exact in port, time and fill hooks and between
 * instructions. */
GVirt uc_core_linear_pc(UcCore *core);
void uc_core_read_state(UcCore *core, X86State *state);
/* Writes what differs from @old, which must be the present state. */
void uc_core_write_state(UcCore *core, const X86State *old, const X86State *state);
/* Loads a segment register with hidden parts of our choosing. PE may be on or off. */
void uc_core_load_segment(UcCore *core, unsigned seg, const X86Seg *value);
/* What a walk depends on, as registers are now. */
void uc_core_paging_regs(UcCore *core, X86PagingRegs *regs);
/* The same for who has read CR0 already. */
void uc_core_paging_regs_with(UcCore *core, uint64_t cr0, X86PagingRegs *regs);
/* Up to @max bytes of code at the present instruction; returns how many are readable. */
unsigned uc_core_peek_code(UcCore *core, uint8_t *ret_bytes, unsigned max);
/* The two bytes before the present instruction. Returns: false if one is not readable */
bool uc_core_peek_before(UcCore *core, uint8_t *ret_bytes);

/* uc_calibrate.c */
bool uc_core_calibrate(UcCore *core, GError **error);

/* Runs @len bytes of code from the scratch page up to their HLT, with registers as they are. */
void uc_core_run_scratch(UcCore *core, const uint8_t *code, size_t len);

/* uc_registers.c; the caller restores the registers. */
void uc_core_find_registers(UcCore *core);
uint64_t uc_core_msr(UcCore *core, uint32_t number);
void uc_core_set_msr(UcCore *core, uint32_t number, uint64_t value);
/* By executing the instruction: the engine's breakpoints follow. All other registers are kept. */
void uc_core_set_dr7(UcCore *core, uint64_t value);
/* Other memory and registers: nothing remembered of code and addresses holds. */
void uc_core_forget_all(UcCore *core);

/* uc_hooks.c, uc_fill.c */
bool uc_core_add_hooks(UcCore *core, GError **error);
bool uc_core_add_fill_hook(UcCore *core, GError **error);
uint64_t uc_core_catch_read(uc_engine *uc, uint64_t offset, unsigned size, void *user);
void uc_core_catch_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *user);
uint64_t uc_core_watch_read(uc_engine *uc, uint64_t offset, unsigned size, void *user);
void uc_core_watch_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *user);
bool uc_core_add_breakpoint(UcCore *core, GVirt address, GError **error);
bool uc_core_remove_breakpoint(UcCore *core, GVirt address);
/* Other code may show at addresses that were looked at. */
void uc_core_forget_loops(UcCore *core);
/* Takes back from the clock what of the running block was not executed; the linear PC is exact. */
void uc_core_uncharge(UcCore *core);

/* uc_code.c */
extern const PgmCpuCallbacks uc_core_cpu_callbacks;
void uc_core_flush_tlb(UcCore *core);
/* Hook: the engine translated a block and is about to run it. */
void uc_core_count_translation(uc_engine *uc, uc_tb *block, uc_tb *previous, void *user);
/* Drops the translations that uc_core_cpu_callbacks queued. Between instructions only. */
void uc_core_apply_code_changes(UcCore *core);
