/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds by experiment where the engine's context keeps what its API does not show: the record of
 * the last exception, its error code, the hidden parts of segments, the general registers in full
 * width. Known values are put in, and the one place that shows them all is taken; if there is none,
 * or more than one, the engine is not one we know and is refused.
 *
 * Runs once at start, on the machine's own engine, in the scratch page; the caller restores the
 * registers.
 */
#include "emu/uc_core.h"

#include <string.h>

#define CACHE_LEN 24
#define CODE_AT 0x100 /* in the scratch page */

static bool fail(GError **error, const char *what)
{
    g_set_error(error, EMU_ERROR, EMU_ERROR_ENGINE,
                "this build of Unicorn (%s) keeps %s where we cannot find it", emu_engine_version(),
                what);
    return false;
}

static void save(UcCore *core, uint8_t *copy, size_t len)
{
    uc_context_save(core->uc, core->context);
    memcpy(copy, core->blob, len);
}

static bool find_regs(UcCore *core, size_t len)
{
    static const int regs[8] = { UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBX,
                                 UC_X86_REG_ESP, UC_X86_REG_EBP, UC_X86_REG_ESI, UC_X86_REG_EDI };
    uint64_t wanted[8];
    unsigned n = 0;

    for (unsigned i = 0; i < 8; i++) {
        wanted[i] = 0x5a3c0100u + i * 0x01010101u;
        uc_core_set_reg(core, regs[i], wanted[i]);
    }
    uc_context_save(core->uc, core->context);
    for (size_t at = 0; at + X86_N_GPR * 8 <= len; at += 8) {
        if (memcmp(core->blob + at, wanted, sizeof(wanted)) == 0) {
            core->layout.regs = at;
            n++;
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        uc_core_set_reg(core, regs[i], 0);
    }
    return n == 1;
}

static bool cache_holds(const UcCore *core, size_t at, uint64_t base, uint32_t limit)
{
    uint64_t got_base;
    uint32_t got_limit;

    memcpy(&got_base, core->blob + at + 8, 8);
    memcpy(&got_limit, core->blob + at + 16, 4);
    return got_base == base && got_limit == limit;
}

/* LDTR, TR, GDTR, IDTR are settable through the API and stand in a row behind the six segments. */
static bool find_segs(UcCore *core, size_t len)
{
    static const int regs[4] = { UC_X86_REG_LDTR, UC_X86_REG_TR, UC_X86_REG_GDTR, UC_X86_REG_IDTR };
    unsigned n = 0;

    for (unsigned i = 0; i < 4; i++) {
        uc_x86_mmr mmr = { .selector = (uint16_t)(0x28 + 8 * i),
                           .base = 0x71230000u + i * 0x1111,
                           .limit = 0x4321 + i,
                           .flags = 0x8200 };

        uc_reg_write(core->uc, regs[i], &mmr);
    }
    uc_context_save(core->uc, core->context);
    for (size_t at = 6 * CACHE_LEN; at + 4 * CACHE_LEN <= len; at += 8) {
        bool all = true;

        for (unsigned i = 0; i < 4 && all; i++) {
            all = cache_holds(core, at + i * CACHE_LEN, 0x71230000u + i * 0x1111, 0x4321 + i);
        }
        if (all) {
            core->layout.segs = at - 6 * CACHE_LEN;
            n++;
        }
    }
    return n == 1;
}

/* Proves the layout of the six: a load through the scratch table must show up in FS's place. */
static bool prove_segs(UcCore *core)
{
    X86Seg wanted = { .selector = 0x58, .base = 0x12345678, .limit = 0x7654, .attr = 0x0093 };
    X86State state;

    uc_core_load_segment(core, X86_FS, &wanted);
    uc_core_read_state(core, &state);

    const X86Seg *fs = &state.seg[X86_FS];

    return fs->selector == wanted.selector && fs->base == wanted.base &&
           fs->limit == wanted.limit && fs->attr == wanted.attr;
}

/* Runs @code in the scratch page until its exception. */
static bool run_to_exception(UcCore *core, const uint8_t *code, size_t len, uint32_t eax,
                             uint8_t vector)
{
    memcpy(core->scratch + CODE_AT, code, len);
    uc_core_set_reg(core, UC_X86_REG_EAX, eax);
    uc_core_set_reg(core, UC_X86_REG_ECX, 0);
    core->exit = UC_EXIT_NONE;
    core->stop_at = UINT64_MAX;
    core->scratch_fill = true;
    uc_ctl_flush_tb(core->uc);
    uc_emu_start(core->uc, CODE_AT, 0, 0, 0);
    core->scratch_fill = false;
    uc_core_set_reg(core, UC_X86_REG_EAX, 0);
    return core->exit == UC_EXIT_EXCEPTION && core->vector == vector;
}

static int32_t word_at(const uint8_t *blob, size_t at)
{
    int32_t value;

    memcpy(&value, blob + at, sizeof(value));
    return value;
}

/* Candidates that held these values in these saves; true if exactly one. */
static bool find_word(uint8_t *const *saves, const int32_t *values, unsigned n, size_t len,
                      size_t *ret_at)
{
    unsigned found = 0;

    for (size_t at = 0; at + 4 <= len; at += 4) {
        bool all = true;

        for (unsigned i = 0; i < n && all; i++) {
            all = word_at(saves[i], at) == values[i];
        }
        if (all) {
            *ret_at = at;
            found++;
        }
    }
    return found == 1;
}

static bool find_exception(UcCore *core, size_t len)
{
    static const uint8_t load_ds[] = { 0x8e, 0xd8 }; /* mov ds, ax: #GP(ax) with an empty GDT */
    static const uint8_t divide[] = { 0xf7, 0xf1 };  /* div ecx by zero: #DE */
    uint8_t *saves[4];
    bool ok = true;
    uc_x86_mmr empty = { .base = 0, .limit = 0 };

    for (unsigned i = 0; i < 4; i++) {
        saves[i] = g_malloc(len);
    }
    uc_reg_write(core->uc, UC_X86_REG_GDTR, &empty);
    save(core, saves[0], len);
    ok = ok && run_to_exception(core, load_ds, sizeof(load_ds), 0x50, 13);
    save(core, saves[1], len);
    /* Cleared, or the second one would come as a double fault: the very thing we look for. */
    uc_context_restore(core->uc, core->reset_context);
    uc_reg_write(core->uc, UC_X86_REG_GDTR, &empty);
    ok = ok && run_to_exception(core, load_ds, sizeof(load_ds), 0x68, 13);
    save(core, saves[2], len);
    uc_context_restore(core->uc, core->reset_context);
    ok = ok && run_to_exception(core, divide, sizeof(divide), 0, 0);
    save(core, saves[3], len);
    ok = ok &&
         find_word(saves, (const int32_t[]) { -1, 13, 13, 0 }, 4, len, &core->layout.exception);
    ok = ok && find_word(saves + 1, (const int32_t[]) { 0x50, 0x68 }, 2, len, &core->layout.error);
    for (unsigned i = 0; i < 4; i++) {
        g_free(saves[i]);
    }
    return ok;
}

/* The block hook must neither charge the clock nor end the run: it goes its fast way. */
void uc_core_run_scratch(UcCore *core, const uint8_t *code, size_t len)
{
    uint64_t bytes = core->clock->bytes;
    uint64_t block_address = core->block_address;
    uint64_t block_len = core->block_len;

    memcpy(core->scratch + CODE_AT, code, len);
    core->scratch_fill = true;
    core->block_len = 0;
    core->stop_at = UINT64_MAX;
    uc_ctl_flush_tb(core->uc);
    uc_core_flush_tlb(core);
    __atomic_store_n(&core->fast_limit, UINT64_MAX, __ATOMIC_SEQ_CST);
    uc_emu_start(core->uc, CODE_AT, 0, 0, 0);
    core->fast_limit = 0;
    core->scratch_fill = false;
    core->clock->bytes = bytes;
    core->block_address = block_address;
    core->block_len = block_len;
}

static void run_cpuid(UcCore *core, uint32_t leaf, uint32_t *ret)
{
    static const uint8_t code[] = { 0x0f, 0xa2, 0xf4 }; /* cpuid; hlt */
    static const int regs[4] = { UC_X86_REG_EAX, UC_X86_REG_EBX, UC_X86_REG_ECX, UC_X86_REG_EDX };

    uc_context_restore(core->uc, core->reset_context);
    uc_core_set_reg(core, UC_X86_REG_EAX, leaf);
    uc_core_set_reg(core, UC_X86_REG_ECX, 0);
    uc_core_run_scratch(core, code, sizeof(code));
    for (unsigned i = 0; i < 4; i++) {
        ret[i] = (uint32_t)uc_core_reg(core, regs[i]);
    }
}

static void read_cpuid(UcCore *core)
{
    UcCpuid *id = &core->cpuid;
    uint32_t r[4], max;

    run_cpuid(core, 1, r);
    id->signature = r[0];
    id->leaf1_ebx = r[1];
    id->leaf1_ecx = r[2];
    id->leaf1_edx = r[3];
    id->has_pse36 = (r[3] >> 17 & 1) != 0;
    id->maxphyaddr = id->has_pse36 || (r[3] >> 6 & 1) != 0 ? 36 : 32;
    run_cpuid(core, 0, r);
    if (r[0] >= 7) {
        run_cpuid(core, 7, r);
        id->has_smap = (r[1] >> 20 & 1) != 0;
    }
    run_cpuid(core, 0x80000000u, r);
    max = r[0];
    if (max >= 0x80000001u && max < 0x80000100u) {
        run_cpuid(core, 0x80000001u, r);
        id->has_nx = (r[3] >> 20 & 1) != 0;
        id->has_1g = (r[3] >> 26 & 1) != 0;
        id->has_long_mode = (r[3] >> 29 & 1) != 0;
        if (max >= 0x80000008u) {
            run_cpuid(core, 0x80000008u, r);
            id->maxphyaddr = (uint8_t)CLAMP(r[0] & 0xff, 32, MEM_GPHYS_BITS);
        }
    }
}

bool uc_core_calibrate(UcCore *core, GError **error)
{
    size_t len = uc_context_size(core->uc);

    if (!find_regs(core, len)) {
        return fail(error, "the general registers");
    }
    if (!find_segs(core, len)) {
        return fail(error, "its descriptor tables");
    }
    uc_context_restore(core->uc, core->reset_context);
    if (!prove_segs(core)) {
        return fail(error, "the hidden parts of segments");
    }
    uc_context_restore(core->uc, core->reset_context);
    if (!find_exception(core, len)) {
        return fail(error, "the last exception");
    }
    read_cpuid(core);
    uc_context_restore(core->uc, core->reset_context);
    uc_core_find_registers(core);
    uc_context_restore(core->uc, core->reset_context);
    uc_ctl_flush_tb(core->uc);
    return true;
}
