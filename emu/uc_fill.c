/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLB misses of the engine: guest-virtual to guest-physical by the guest's tables, guest-physical
 * to host page by the memory system, permissions from both. And the accesses that the memory system
 * wants to see each time.
 *
 * A refused access leaves the guest exactly before its instruction; the run loop then delivers #PF,
 * stops, or tries the instruction again as a single step (fetches that ran ahead; the processor's
 * own table accesses).
 */
#include "emu/uc_core.h"

#include "emu/x86/operand.h"

#include "memsys/access.h"
#include "memsys/watch.h"

#define EFER_LMA 0x400u

/* Refuses; the run loop acts on core->exit. */
static bool refuse(UcCore *core, UcExit why, GVirt va)
{
    core->exit = why;
    core->fault_address = va;
    return false;
}

static bool refuse_exception(UcCore *core, uint8_t vector, uint32_t error, GVirt va)
{
    core->vector = vector;
    core->has_error = true;
    core->error = error;
    return refuse(core, UC_EXIT_EXCEPTION, va);
}

/* Does the instruction make the processor read its tables by itself? */
static bool may_use_tables(UcCore *core)
{
    uint8_t code[15];
    unsigned n = uc_core_peek_code(core, code, sizeof(code));
    unsigned i = x86_n_prefixes(code, n);

    if (i >= n) {
        return false;
    }
    switch (code[i]) {
    case 0x07:
    case 0x17:
    case 0x1f: /* POP ES, SS, DS */
    case 0x8e: /* MOV Sreg */
    case 0x9a:
    case 0xea: /* CALL, JMP far */
    case 0xc4:
    case 0xc5: /* LES, LDS */
    case 0xca:
    case 0xcb:
    case 0xcf: /* RETF, IRET */
    case 0xe4:
    case 0xe5:
    case 0xe6:
    case 0xe7: /* IN, OUT: the TSS's I/O bitmap */
    case 0xec:
    case 0xed:
    case 0xee:
    case 0xef:
    case 0x6c:
    case 0x6d:
    case 0x6e:
    case 0x6f: /* INS, OUTS */
        return true;
    case 0xff: /* CALL, JMP far indirect: /3, /5 */
        return i + 1 < n && ((code[i + 1] >> 3 & 7) == 3 || (code[i + 1] >> 3 & 7) == 5);
    case 0x0f:
        if (i + 1 >= n) {
            return false;
        }
        switch (code[i + 1]) {
        case 0x00:
        case 0x02:
        case 0x03: /* VERR, VERW; LAR; LSL */
        case 0xa1:
        case 0xa9: /* POP FS, GS */
        case 0xb2:
        case 0xb4:
        case 0xb5: /* LSS, LFS, LGS */
            return true;
        default:
            return false;
        }
    default:
        return false;
    }
}

static bool within(GVirt va, uint64_t base, uint64_t limit)
{
    return va >= (base & MEM_PAGE_MASK) && va <= ((base + limit) | ~MEM_PAGE_MASK);
}

/* The engine reports the page of an access, so a page that holds part of a table counts. */
static bool is_table_page(UcCore *core, GVirt va)
{
    X86State state;

    uc_core_read_state(core, &state);
    return within(va, state.gdtr.base, state.gdtr.limit) ||
           within(va, state.ldtr.base, state.ldtr.limit) ||
           within(va, state.tr.base, state.tr.limit);
}

/* The engine names the page, CR2 is to name the byte. */
static GVirt operand_address(UcCore *core, GVirt page, MemAccess access)
{
    X86State state;
    uint8_t code[15];
    unsigned n = uc_core_peek_code(core, code, sizeof(code));

    uc_core_read_state(core, &state);
    return x86_operand_address(&state, code, n, page & MEM_PAGE_MASK, access);
}

static bool on_page_fault(UcCore *core, GVirt va, MemAccess access, const X86PagingRegs *regs,
                          const X86Walk *walk)
{
    GVirt pc = uc_core_linear_pc(core);

    if (access == MEM_ACCESS_EXEC && !core->stepping) {
        /* Translation runs ahead of execution. */
        return refuse(core, UC_EXIT_STEP_AGAIN, va);
    }
    if (access == MEM_ACCESS_EXEC && (va & MEM_PAGE_MASK) == (pc & MEM_PAGE_MASK)) {
        va = pc;
    }
    if (walk->result == X86_WALK_NON_CANONICAL) {
        return refuse_exception(core, 13, 0, va);
    }
    if (regs->cpl == 3 && access != MEM_ACCESS_EXEC && !core->grant && may_use_tables(core) &&
        is_table_page(core, va)) {
        return refuse(core, UC_EXIT_GRANT, va);
    }
    if (access != MEM_ACCESS_EXEC) {
        va = operand_address(core, va, access);
    }
    return refuse_exception(core, 14, walk->error_code, va);
}

/* Answers with a page of ours whatever is asked: descriptor loads, calibration, dropping of
 * translations. */
static void fill_scratch(uint64_t va, uc_tlb_entry *entry)
{
    entry->paddr = (va & UC_CORE_PAGE_NAME) != 0 && (va >> 63) == 0
                       ? (va & ~UC_CORE_PAGE_NAME) & MEM_PAGE_MASK
                       : UC_CORE_SCRATCH;
    entry->perms = UC_PROT_ALL;
}

/*
 * The engine asks again for every store to a page that holds translations. Code that was copied
 * away and is now overwritten as data would pay for each of its bytes: when stores come from
 * another page, the translations are dropped and the page takes stores freely until something is
 * fetched from it again. At once the first times; later, for a page that is code and data in turn,
 * only after a row of stores.
 */
static void note_tracked_store(UcCore *core, PageId id, GVirt va)
{
    const unsigned at_once = 4;
    const unsigned row = 32;
    UcTracked *tracked = &core->tracked[id % UC_CORE_TRACKED];

    if ((uc_core_linear_pc(core) & MEM_PAGE_MASK) == (va & MEM_PAGE_MASK)) {
        return;
    }
    if (tracked->id != id) {
        *tracked = (UcTracked) { .id = id };
    }
    tracked->n_stores++;
    if (tracked->n_stores <= at_once || tracked->n_stores % row == 0) {
        pgm_forget_executed_page(core->pgm, id);
    }
}

static bool is_code_page(UcCore *core, GPhys gpa)
{
    PgmPageInfo info;

    return pgm_page_query(core->pgm, gpa, &info) && info.executed;
}

/*
 * Execution on a watched page goes instruction by instruction: free running is refused, a step is
 * let through and told of when its block is announced; afterwards the TLB forgets the page.
 */
static bool answer_exec_watch(UcCore *core, const PgmFill *fill, GVirt va)
{
    if (!core->stepping) {
        return refuse(core, UC_EXIT_STEP_AGAIN, va);
    }
    if (fill->kind == PGM_FILL_DIRECT &&
        (va & MEM_PAGE_MASK) == (uc_core_linear_pc(core) & MEM_PAGE_MASK)) {
        core->exec_watched = true;
        core->exec_page = fill->gpa & MEM_PAGE_MASK;
    }
    return true;
}

/* The page is watched by virtual address: each access is to name the byte. */
static bool answer_watch(UcCore *core, const PgmFill *fill, GVirt va, MemAccess access,
                         unsigned perms, uc_tlb_entry *entry)
{
    if (access == MEM_ACCESS_WRITE && !core->stepping && is_code_page(core, fill->gpa)) {
        return refuse(core, UC_EXIT_STEP_AGAIN, va); /* as for caught stores below */
    }
    core->flush_after_catch = true;
    entry->paddr = UC_CORE_VIRTUAL + (va & MEM_PAGE_MASK & (UC_CORE_VIRTUAL_LEN - 1));
    entry->perms = (uc_prot)(((perms & MEM_ACCESS_READ) != 0 ? UC_PROT_READ : 0) |
                             ((perms & MEM_ACCESS_WRITE) != 0 ? UC_PROT_WRITE : 0));
    return true;
}

static bool answer(UcCore *core, const PgmFill *fill, GVirt va, MemAccess access, unsigned perms,
                   uc_tlb_entry *entry)
{
    if (access == MEM_ACCESS_EXEC) {
        if ((fill->exec_watched || pgm_watch_covers_virtual(core->cpu, va, MEM_ACCESS_EXEC)) &&
            !answer_exec_watch(core, fill, va)) {
            return false;
        }
    }
    if (pgm_watch_covers_virtual(core->cpu, va, MEM_ACCESS_READ | MEM_ACCESS_WRITE)) {
        if (access != MEM_ACCESS_EXEC) {
            return fill->kind == PGM_FILL_NO_MEMORY
                       ? refuse(core, UC_EXIT_NO_MEMORY, va)
                       : answer_watch(core, fill, va, access, perms, entry);
        }
        perms = MEM_ACCESS_EXEC; /* data on the page is asked for by itself */
    }
    switch (fill->kind) {
    case PGM_FILL_DIRECT:
        if (fill->flush) {
            uc_core_flush_tlb(core);
        }
        if (access == MEM_ACCESS_WRITE && (fill->perms & MEM_ACCESS_EXEC) != 0) {
            note_tracked_store(core, fill->id, va);
        }
        entry->paddr = (uint64_t)fill->id << MEM_PAGE_SHIFT;
        break;
    case PGM_FILL_NO_MEMORY:
        return refuse(core, UC_EXIT_NO_MEMORY, va);
    case PGM_FILL_CATCH:
    case PGM_FILL_UNASSIGNED:
        if (access == MEM_ACCESS_EXEC) {
            return refuse(core, core->stepping ? UC_EXIT_BAD_FETCH : UC_EXIT_STEP_AGAIN, va);
        }
        if (access == MEM_ACCESS_WRITE && !core->stepping && is_code_page(core, fill->gpa)) {
            /* The engine does not see what a caught store changes in the running block. */
            return refuse(core, UC_EXIT_STEP_AGAIN, va);
        }
        /* An access that runs code of ours needs the exact instruction: none may be cached, unless
         * that code says it does not matter. A trace tells the instruction of each. */
        core->flush_after_catch |=
            fill->kind == PGM_FILL_CATCH && (!fill->inert || core->trace_mmio != NULL);
        entry->paddr = UC_CORE_ALIAS + fill->gpa;
        break;
    }
    unsigned both = perms & fill->perms;

    entry->perms = (uc_prot)(((both & MEM_ACCESS_READ) != 0 ? UC_PROT_READ : 0) |
                             ((both & MEM_ACCESS_WRITE) != 0 ? UC_PROT_WRITE : 0) |
                             ((both & MEM_ACCESS_EXEC) != 0 ? UC_PROT_EXEC : 0));
    return true;
}

static bool fill(UcCore *core, uint64_t va, uc_mem_type type, uc_tlb_entry *entry)
{
    MemAccess access = type == UC_MEM_FETCH   ? MEM_ACCESS_EXEC
                       : type == UC_MEM_WRITE ? MEM_ACCESS_WRITE
                                              : MEM_ACCESS_READ;
    PgmFill page;

    if (core->scratch_fill) {
        fill_scratch(va, entry);
        return true;
    }
    core->n_fills++;
    if (access == MEM_ACCESS_EXEC) {
        uc_core_forget_loops(core); /* other code may show at that address */
    }
    uint64_t cr0 = uc_core_reg(core, UC_X86_REG_CR0);

    if ((cr0 >> 31) == 0) {
        va = (uint32_t)va; /* what crosses the end of 4 GiB goes on at 0 */
        pgm_cpu_fill(core->cpu, va, access, &page);
        return answer(core, &page, va, access, UINT_MAX, entry);
    }
    X86PagingRegs regs;
    X86Walk walk;
    bool grant = core->grant && access != MEM_ACCESS_EXEC && is_table_page(core, va);

    uc_core_paging_regs_with(core, cr0, &regs);
    if ((regs.efer & EFER_LMA) == 0) {
        va = (uint32_t)va;
    }
    x86_walk(&regs, core->cpu, va, access, grant ? X86_ACCESS_IMPLICIT_SUPERVISOR : 0, &walk);
    if (walk.result != X86_WALK_OK) {
        return on_page_fault(core, va, access, &regs, &walk);
    }
    pgm_cpu_fill(core->cpu, walk.gpa, access, &page);
    return answer(core, &page, va, access, walk.perms, entry);
}

static bool on_fill(uc_engine *uc, uint64_t va, uc_mem_type type, uc_tlb_entry *entry, void *user)
{
    UcCore *core = user;
    bool ok = fill(core, va, type, entry);

    (void)uc;
    core->tlb_used = true; /* after whatever flushed meanwhile */
    return ok;
}

static void after_catch(UcCore *core)
{
    if (core->flush_after_catch) {
        core->flush_after_catch = false;
        uc_core_flush_tlb(core);
    }
}

uint64_t uc_core_catch_read(uc_engine *uc, uint64_t offset, unsigned size, void *user)
{
    UcCore *core = user;
    uint64_t value;

    (void)uc;
    core->n_caught_reads++;
    /* A refused read has given all ones, as the bus does. */
    (void)!pgm_bus_read(core->pgm, offset, size, MEM_ORIGIN_CPU, &value);
    if (core->trace_mmio != NULL) {
        core->trace_mmio(core->trace_user, false, offset, size, value);
    }
    after_catch(core);
    return value;
}

void uc_core_catch_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    UcCore *core = user;

    (void)uc;
    core->n_caught_writes++;
    if (core->trace_mmio != NULL) {
        core->trace_mmio(core->trace_user, true, offset, size, value);
    }
    if (pgm_bus_write(core->pgm, offset, size, value, MEM_ORIGIN_CPU) == MEM_ERR_NO_MEMORY) {
        core->text = "a caught write found no page";
        uc_core_attention(core, UC_ATTN_EVENT);
    }
    after_catch(core);
}

/* What an offset in the alias of guest-virtual space is now: the guest may have remapped it since
 * the page was filled. */
static GPhys walk_watched(UcCore *core, uint64_t offset, GVirt *ret_va)
{
    GVirt va = (offset >> 47 & 1) != 0 ? offset | ~(UC_CORE_VIRTUAL_LEN - 1) : offset;
    X86PagingRegs regs;
    X86Walk walk;

    uc_core_paging_regs(core, &regs);
    *ret_va = va;
    if ((regs.cr0 >> 31) == 0) {
        return va;
    }
    x86_walk(&regs, core->cpu, va, MEM_ACCESS_READ, X86_ACCESS_PEEK, &walk);
    return walk.gpa;
}

uint64_t uc_core_watch_read(uc_engine *uc, uint64_t offset, unsigned size, void *user)
{
    UcCore *core = user;
    uint64_t value;
    GVirt va;
    GPhys gpa = walk_watched(core, offset, &va);

    (void)uc;
    core->n_caught_reads++;
    (void)!pgm_cpu_bus_read(core->cpu, va, gpa, size, &value);
    if (core->trace_mmio != NULL) {
        core->trace_mmio(core->trace_user, false, gpa, size, value);
    }
    after_catch(core);
    return value;
}

void uc_core_watch_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    UcCore *core = user;
    GVirt va;
    GPhys gpa = walk_watched(core, offset, &va);

    (void)uc;
    core->n_caught_writes++;
    if (core->trace_mmio != NULL) {
        core->trace_mmio(core->trace_user, true, gpa, size, value);
    }
    if (pgm_cpu_bus_write(core->cpu, va, gpa, size, value) == MEM_ERR_NO_MEMORY) {
        core->text = "a caught write found no page";
        uc_core_attention(core, UC_ATTN_EVENT);
    }
    after_catch(core);
}

bool uc_core_add_fill_hook(UcCore *core, GError **error)
{
    uc_hook hook;
    uc_err err = uc_hook_add(core->uc, &hook, UC_HOOK_TLB_FILL, UC_CALLBACK(on_fill), core, 1, 0);

    if (err != UC_ERR_OK) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_ENGINE,
                    "Unicorn refuses the TLB hook: %s (2.1.4 or later is needed)",
                    uc_strerror(err));
        return false;
    }
    return true;
}
