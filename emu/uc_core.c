/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening the engine, running translated code, and executing single instructions.
 *
 * A single step sets the trap flag and takes the #DB that follows. The guest must not see that:
 * instructions that store or load flags are told apart before, and what they stored is mended
 * after.
 *
 * Source: Unicorn's public API; Intel SDM volume 3A table 9-1 (registers after reset),
 * section 17.3.1.4 (single step).
 */
#include "emu/uc_core.h"

#include "emu/x86/operand.h"
#include "memsys/access.h"
#include "memsys/os.h"

#include <inttypes.h>
#include <string.h>

#define EFLAGS_TF 0x100u
#define DR6_BREAKPOINTS 0xfu
#define DR6_BS 0x4000u

static bool engine_error(GError **error, const char *what, uc_err err)
{
    g_set_error(error, EMU_ERROR, EMU_ERROR_ENGINE, "Unicorn cannot %s: %s", what,
                uc_strerror(err));
    return false;
}

static bool map_memory(UcCore *core, GError **error)
{
    Gmm *gmm = pgm_gmm(core->pgm);
    uc_err err = uc_mem_map_ptr(core->uc, 0, gmm_arena_size(gmm), UC_PROT_ALL, gmm_arena(gmm));

    if (err != UC_ERR_OK) {
        return engine_error(error, "map the arena", err);
    }
    core->scratch = mem_os()->map_zeros(MEM_PAGE_SIZE);
    if (core->scratch == NULL) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_ENGINE, "no memory for the engine's scratch page");
        return false;
    }
    err = uc_mem_map_ptr(core->uc, UC_CORE_SCRATCH, MEM_PAGE_SIZE, UC_PROT_ALL, core->scratch);
    if (err != UC_ERR_OK) {
        return engine_error(error, "map its scratch page", err);
    }
    err = uc_mmio_map(core->uc, UC_CORE_ALIAS, UC_CORE_ALIAS_LEN, uc_core_catch_read, core,
                      uc_core_catch_write, core);
    if (err != UC_ERR_OK) {
        return engine_error(error, "map the alias of guest-physical memory", err);
    }
    err = uc_mmio_map(core->uc, UC_CORE_VIRTUAL, UC_CORE_VIRTUAL_LEN, uc_core_watch_read, core,
                      uc_core_watch_write, core);
    if (err != UC_ERR_OK) {
        return engine_error(error, "map the alias of guest-virtual memory", err);
    }
    return true;
}

static bool open_engine(UcCore *core, const UcCoreConfig *config, GError **error)
{
    unsigned major, minor, version = uc_version(&major, &minor);
    uc_err err;

    if (version >> 8 < 0x020104) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_ENGINE,
                    "Unicorn %s is too old: 2.1.4 or later is needed", emu_engine_version());
        return false;
    }
    err = uc_open(UC_ARCH_X86, UC_MODE_32, &core->uc);
    if (err != UC_ERR_OK) {
        return engine_error(error, "open an x86 engine", err);
    }
    err = uc_ctl_set_tcg_buffer_size(core->uc, config->code_buffer_size);
    if (err != UC_ERR_OK) {
        return engine_error(error, "bound its buffer of translations", err);
    }
    err = uc_ctl_set_cpu_model(core->uc, config->uc_model);
    if (err != UC_ERR_OK) {
        return engine_error(error, "be that CPU model", err);
    }
    err = uc_ctl_tlb_mode(core->uc, UC_TLB_VIRTUAL);
    if (err != UC_ERR_OK) {
        return engine_error(error, "leave paging to us", err);
    }
    err = uc_ctl_exits_enable(core->uc);
    if (err == UC_ERR_OK) {
        err = uc_context_alloc(core->uc, &core->context);
    }
    if (err == UC_ERR_OK) {
        err = uc_context_alloc(core->uc, &core->reset_context);
    }
    return err == UC_ERR_OK || engine_error(error, "allocate a context", err);
}

bool uc_core_init(UcCore *core, const UcCoreConfig *config, GError **error)
{
    memset(core, 0, sizeof(*core));
    core->clock = config->clock;
    core->ports = config->ports;
    core->pgm = config->pgm;
    core->translated_limit = config->code_buffer_size - config->code_buffer_size / 8;
    uc_core_forget_loops(core);
    core->breakpoint_skip = UINT64_MAX;
    core->breakpoints = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    core->cpu = pgm_cpu_attach(core->pgm, &uc_core_cpu_callbacks, core);
    if (!open_engine(core, config, error)) {
        return false;
    }
    core->blob = (uint8_t *)core->context;
    if (!map_memory(core, error) || !uc_core_add_fill_hook(core, error) ||
        !uc_core_add_hooks(core, error)) {
        return false;
    }
    uc_context_save(core->uc, core->reset_context);
    if (!uc_core_calibrate(core, error)) {
        return false;
    }
    core->n_flushes = 0;
    core->clock->bytes = 0;
    uc_core_reset(core);
    return true;
}

void uc_core_clear(UcCore *core)
{
    if (core->context != NULL) {
        uc_context_free(core->context);
    }
    if (core->reset_context != NULL) {
        uc_context_free(core->reset_context);
    }
    if (core->uc != NULL) {
        uc_close(core->uc);
    }
    if (core->scratch != NULL) {
        mem_os()->unmap(core->scratch, MEM_PAGE_SIZE);
    }
    if (core->cpu != NULL) {
        pgm_cpu_detach(core->cpu);
    }
    if (core->breakpoints != NULL) {
        g_hash_table_unref(core->breakpoints);
    }
    memset(core, 0, sizeof(*core));
}

void uc_core_reset(UcCore *core)
{
    static const uint8_t data_segs[] = { X86_ES, X86_SS, X86_DS, X86_FS, X86_GS };
    static const int gprs[] = { UC_X86_REG_EAX, UC_X86_REG_EBX, UC_X86_REG_ECX, UC_X86_REG_ESP,
                                UC_X86_REG_EBP, UC_X86_REG_ESI, UC_X86_REG_EDI };
    const X86Seg code = { .selector = 0xf000, .base = 0xffff0000, .limit = 0xffff, .attr = 0x9b };
    const X86Seg data = { .selector = 0, .base = 0, .limit = 0xffff, .attr = 0x93 };
    uc_x86_mmr table = { .base = 0, .limit = 0xffff };
    uc_x86_mmr system = { .selector = 0, .base = 0, .limit = 0xffff, .flags = 0x8200 };

    uc_context_restore(core->uc, core->reset_context);
    uc_core_set_reg(core, UC_X86_REG_CR0, 0x60000010);
    for (unsigned i = 0; i < G_N_ELEMENTS(data_segs); i++) {
        uc_core_load_segment(core, data_segs[i], &data);
    }
    uc_core_load_segment(core, X86_CS, &code);
    uc_reg_write(core->uc, UC_X86_REG_GDTR, &table);
    uc_reg_write(core->uc, UC_X86_REG_IDTR, &table);
    uc_reg_write(core->uc, UC_X86_REG_LDTR, &system);
    system.flags = 0x8b00;
    uc_reg_write(core->uc, UC_X86_REG_TR, &system);
    for (unsigned i = 0; i < G_N_ELEMENTS(gprs); i++) {
        uc_core_set_reg(core, gprs[i], 0);
    }
    uc_core_set_reg(core, UC_X86_REG_EDX, core->cpuid.signature);
    uc_core_set_reg(core, UC_X86_REG_EFLAGS, 2);
    uc_core_set_reg(core, UC_X86_REG_EIP, 0xfff0);
    core->block_len = 0;
    uc_core_forget_loops(core);
    core->breakpoint_skip = UINT64_MAX;
    core->text = NULL;
    uc_core_attention_clear(core, UC_ATTN_SYSENTER);
    uc_core_flush_tlb(core);
}

/* Rule 3: forget the exception, so that the next is taken for what it is. Fetches its error code
 * first. */
static void clear_exception_record(UcCore *core)
{
    const int32_t none = -1;
    int32_t code;

    uc_context_save(core->uc, core->context);
    memcpy(&code, core->blob + core->layout.error, sizeof(code));
    memcpy(core->blob + core->layout.exception, &none, sizeof(none));
    uc_context_restore(core->uc, core->context);
    core->error = (uint32_t)code;
}

/* Length of the INT n, INT3 or INTO before the present instruction that raises @vector; 0 if there
 * is none. */
static uint8_t software_int_len(UcCore *core, uint8_t vector)
{
    uint8_t before[2];

    if (!uc_core_peek_before(core, before)) {
        return 0;
    }
    if (before[0] == 0xcd && before[1] == vector) {
        return 2;
    }
    return (vector == 3 && before[1] == 0xcc) || (vector == 4 && before[1] == 0xce) ? 1 : 0;
}

static bool has_error_code(uint8_t vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

static void after_exception(UcCore *core)
{
    bool traps = core->vector == 1; /* #DB: EIP may be anywhere, nothing is taken back */

    clear_exception_record(core);
    core->has_error = has_error_code(core->vector);
    core->software_int = false;
    if (!traps) {
        /* EIP is behind INT n, which ends its block, and behind INTO; a fault leaves it at the
         * instruction. */
        GVirt pc = uc_core_linear_pc(core);
        bool at_end = core->block_len != 0 && pc == core->block_address + core->block_len;

        if (at_end || core->vector == 4) {
            core->int_len = software_int_len(core, core->vector);
            core->software_int = core->int_len != 0;
        }
        uc_core_uncharge(core);
    }
    if (core->software_int) {
        core->has_error = false;
    }
}

/* What the engine's return and our hooks say together. */
static void judge(UcCore *core, uc_err err)
{
    switch (core->exit) {
    case UC_EXIT_EXCEPTION:
        if (err == UC_ERR_OK) {
            after_exception(core);
        } else {
            core->software_int = false; /* refused in the fill hook: vector and error are set */
            uc_core_uncharge(core);
        }
        return;
    case UC_EXIT_STEP_AGAIN:
    case UC_EXIT_GRANT:
    case UC_EXIT_BAD_FETCH:
    case UC_EXIT_NO_MEMORY:
    case UC_EXIT_BREAKPOINT:
        uc_core_uncharge(core);
        return;
    case UC_EXIT_NONE:
        if (err == UC_ERR_OK) {
            core->exit = UC_EXIT_HALT;
        } else {
            core->exit = UC_EXIT_ENGINE;
            core->text = uc_strerror(err);
            uc_core_uncharge(core);
        }
        return;
    case UC_EXIT_ATTENTION:
    case UC_EXIT_LIMIT:
    case UC_EXIT_STEPPED:
    case UC_EXIT_HALT:
    case UC_EXIT_ENGINE:
        return;
    }
}

static void start(UcCore *core)
{
    uint64_t eip = uc_core_reg(core, UC_X86_REG_EIP);

    core->exit = UC_EXIT_NONE;
    core->has_error = false;
    if (core->breakpoint_skip != UINT64_MAX && core->breakpoint_skip != uc_core_linear_pc(core)) {
        core->breakpoint_skip = UINT64_MAX;
    }
    core->rep_left = 0;
    core->fast_limit = 0; /* the first block looks around */
    core->rep_empty_bytes = UINT64_MAX;
    core->clock->in_guest = true;

    uc_err err = uc_emu_start(core->uc, eip, 0, 0, 0);

    core->clock->in_guest = false;
    judge(core, err);
}

UcExit uc_core_run(UcCore *core)
{
    core->stepping = false;
    core->block_len = 0;
    start(core);
    return core->exit;
}

/* What a stepped instruction does with flags. */
typedef enum FlagUse { FLAGS_UNUSED, FLAGS_STORED, FLAGS_LOADED } FlagUse;

static FlagUse flag_use(const uint8_t *code, unsigned n)
{
    unsigned i = x86_n_prefixes(code, n);

    if (i >= n) {
        return FLAGS_UNUSED;
    }
    return code[i] == 0x9c                      ? FLAGS_STORED
           : code[i] == 0x9d || code[i] == 0xcf ? FLAGS_LOADED
                                                : FLAGS_UNUSED;
}

/* PUSHF showed the guest our trap flag: take it out of the word on top of the stack. */
static void mend_pushed_flags(UcCore *core)
{
    X86State state;
    X86Walk walk;
    uint8_t byte;

    uc_core_read_state(core, &state);

    const X86Seg *ss = &state.seg[X86_SS];
    uint64_t sp = state.gpr[X86_RSP] & ((ss->attr & X86_SEG_DB) != 0 ? 0xffffffffu : 0xffffu);
    GVirt place = (uint32_t)(ss->base + sp + 1);

    x86_walk(&state.paging, core->cpu, place, MEM_ACCESS_READ, X86_ACCESS_PEEK, &walk);

    GPhys gpa = pgm_cpu_mask(core->cpu, walk.gpa);

    if (walk.result == X86_WALK_OK && pgm_peek(core->pgm, gpa, &byte, 1) == MEM_OK) {
        byte &= (uint8_t) ~(EFLAGS_TF >> 8);
        (void)!pgm_poke(core->pgm, gpa, &byte, 1);
    }
}

/* INT 1 and INT1 (ICEBP): their #DB is the guest's own. */
static bool raises_db(const uint8_t *code, unsigned n)
{
    unsigned i = x86_n_prefixes(code, n);

    return (i < n && code[i] == 0xf1) || (i + 1 < n && code[i] == 0xcd && code[i + 1] == 1);
}

/* A breakpoint of the guest's own, in DR0 to DR3, came before the instruction and its trap. */
static bool breakpoint_met(UcCore *core)
{
    uint64_t dr6 = uc_core_reg(core, UC_X86_REG_DR6);

    return (dr6 & DR6_BS) == 0 && (dr6 & DR6_BREAKPOINTS) != 0;
}

/* Our trap set DR6.BS and took the bits of breakpoints away: the guest keeps them as they were, or
 * as its MOV to DR6 left them. */
static void mend_dr6(UcCore *core, const uint8_t *code, unsigned n, uint64_t before)
{
    bool loaded = n >= 3 && code[0] == 0x0f && code[1] == 0x23 && (code[2] >> 3 & 7) == 6;

    if (loaded) {
        X86State state;

        uc_core_read_state(core, &state);
        before = state.gpr[code[2] & 7];
    }
    uint64_t now = uc_core_reg(core, UC_X86_REG_DR6) & ~(uint64_t)DR6_BS;
    uint64_t kept = (now & DR6_BREAKPOINTS) != 0 ? DR6_BS : DR6_BS | DR6_BREAKPOINTS;

    uc_core_set_reg(core, UC_X86_REG_DR6, now | (before & kept));
}

UcExit uc_core_step(UcCore *core)
{
    uint64_t flags = uc_core_reg(core, UC_X86_REG_EFLAGS);
    uint64_t dr6 = uc_core_reg(core, UC_X86_REG_DR6);
    bool guest_tf = (flags & EFLAGS_TF) != 0;
    uint8_t code[15];
    unsigned n_code = uc_core_peek_code(core, code, sizeof(code));
    FlagUse use = flag_use(code, n_code);

    core->n_steps++;
    /* Afterwards DR6.BS says whether it was our trap, unless the guest reads DR6 right now. */
    bool hide_bs = (dr6 & DR6_BS) != 0 && !(n_code >= 2 && code[0] == 0x0f && code[1] == 0x21);

    if (hide_bs) {
        uc_core_set_reg(core, UC_X86_REG_DR6, dr6 & ~(uint64_t)DR6_BS);
    }
    uc_core_set_reg(core, UC_X86_REG_EFLAGS, flags | EFLAGS_TF);
    core->stepping = true;
    core->block_len = 0;
    start(core);
    core->stepping = false;
    if (core->exec_watched) {
        /* The next instruction on that page is to be asked for again. */
        core->exec_watched = false;
        uc_core_flush_tlb(core);
    }
    /* Nothing executed, nothing jumped: a refused step has no block left. */
    core->jumped =
        core->block_len != 0 && uc_core_linear_pc(core) != core->block_address + core->block_len;
    /* The next free block must not look like one that follows inside this. */
    core->block_len = 0;

    bool traps = core->exit == UC_EXIT_EXCEPTION && core->vector == 1;
    bool guest_db = traps && (raises_db(code, n_code) || breakpoint_met(core));
    bool stepped = core->exit == UC_EXIT_STEPPED || (traps && !guest_db);

    if (hide_bs && (!stepped || guest_tf)) {
        uc_core_set_reg(core, UC_X86_REG_DR6, uc_core_reg(core, UC_X86_REG_DR6) | DR6_BS);
    }
    if (stepped && !guest_tf) {
        core->exit = UC_EXIT_STEPPED;
        mend_dr6(core, code, n_code, dr6);
        if (use == FLAGS_STORED) {
            mend_pushed_flags(core);
        }
    }
    if (!guest_tf && !(stepped && use == FLAGS_LOADED)) {
        flags = uc_core_reg(core, UC_X86_REG_EFLAGS);
        uc_core_set_reg(core, UC_X86_REG_EFLAGS, flags & ~(uint64_t)EFLAGS_TF);
    }
    return core->exit;
}
