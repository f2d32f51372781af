/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translated code follows memory: what the memory system tells a CPU becomes flushes of the
 * engine's TLB and drops of translations.
 *
 * Translations are keyed by host page, so a remap needs only a flush; changed bytes need their
 * blocks dropped, which the engine does by virtual address: each host page has a private name for
 * that (UC_CORE_PAGE_NAME), which the fill hook maps one to one.
 */
#include "emu/uc_core.h"

void uc_core_flush_tlb(UcCore *core)
{
    if (!core->tlb_used) {
        return; /* a flush costs what a dozen pages do */
    }
    core->tlb_used = false;
    core->n_flushes++;
    uc_ctl_flush_tlb(core->uc);
}

static void invalidate(UcCore *core, bool executed)
{
    uc_core_flush_tlb(core);
    if (executed) {
        /* Chained blocks would go on in the old page. */
        uc_core_attention(core, UC_ATTN_CODE);
    }
}

static void on_invalidate_page(void *user, GPhys gpa, bool executed)
{
    (void)gpa; /* the engine's TLB is keyed by virtual address, so a single page cannot be named */
    invalidate(user, executed);
}

static void on_invalidate_all(void *user, bool executed)
{
    invalidate(user, executed);
}

static void on_code_changed(void *user, PageId id, uint32_t offset, uint32_t len)
{
    UcCore *core = user;
    UcCodeChange change = { .id = id, .offset = offset, .len = len };

    if (core->n_code_changes < UC_CORE_CODE_CHANGES) {
        core->code_changes[core->n_code_changes++] = change;
    }
    uc_core_attention(core, UC_ATTN_CODE);
}

const PgmCpuCallbacks uc_core_cpu_callbacks = {
    .invalidate_page = on_invalidate_page,
    .invalidate_all = on_invalidate_all,
    .code_changed = on_code_changed,
};

/*
 * The engine's buffer of translations only grows: a block translated anew goes behind all others.
 * Full, the engine empties it itself, also between a block that changed its own code and the rest
 * of that block. So it is emptied here before, between instructions, where nothing can depend on
 * it. How much a block takes the engine does not say: this is what is measured, and half as much
 * again. Where it is too little after all, the engine's own way comes.
 */
#define TRANSLATED_BLOCK 384
#define TRANSLATED_INSN 96

void uc_core_count_translation(uc_engine *uc, uc_tb *block, uc_tb *previous, void *user)
{
    UcCore *core = user;

    (void)uc;
    (void)previous;
    core->translated += TRANSLATED_BLOCK + (uint64_t)block->icount * TRANSLATED_INSN;
    if (core->translated > core->translated_limit) {
        uc_core_attention(core, UC_ATTN_CODE);
    }
}

static void empty_buffer(UcCore *core)
{
    uc_ctl_flush_tb(core->uc);
    core->translated = 0;
}

/* Nobody counts a guest's changes for us: where the list is full, all code is translated anew. */
static void drop_changed(UcCore *core)
{
    if (core->n_code_changes == UC_CORE_CODE_CHANGES) {
        empty_buffer(core);
        core->n_code_invalidations++;
        return;
    }
    core->scratch_fill = true;
    for (unsigned i = 0; i < core->n_code_changes; i++) {
        const UcCodeChange *change = &core->code_changes[i];
        uint64_t name = UC_CORE_PAGE_NAME | (uint64_t)change->id << MEM_PAGE_SHIFT;

        uc_ctl_remove_cache(core->uc, name + change->offset, name + change->offset + change->len);
        core->n_code_invalidations++;
    }
    core->scratch_fill = false;
}

void uc_core_apply_code_changes(UcCore *core)
{
    uc_core_attention_clear(core, UC_ATTN_CODE);
    if (core->translated > core->translated_limit) {
        empty_buffer(core);
    }
    if (core->n_code_changes == 0) {
        return;
    }
    drop_changed(core);
    core->n_code_changes = 0;
    uc_core_forget_loops(core);
    uc_core_flush_tlb(core);
}
