/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine calls while translated code runs: the block hook, which is the clock's heart and
 * the only place where a run is ended on request, and the hooks of exceptions, ports and time.
 *
 * The clock is charged a whole block when it is announced. What was charged and not executed is
 * taken back where the exact place is known (faults, breakpoints), so at every stop it counts the
 * bytes executed.
 *
 * Source: Unicorn's public API; behaviour as measured on 2.1.4.
 */
#include "emu/uc_core.h"

#include "emu/ports-internal.h"
#include "emu/x86/operand.h"
#include "memsys/watch.h"

#include <string.h>

typedef struct UcBreakpoint {
    uc_hook hook;
    unsigned count;
} UcBreakpoint;

/* What REP does to the present instruction. */
typedef struct RepInsn {
    bool is_string;
    bool address_prefix;
} RepInsn;

static RepInsn decode_rep(UcCore *core)
{
    uint8_t code[6];
    unsigned n = uc_core_peek_code(core, code, sizeof(code));
    unsigned n_prefixes = x86_n_prefixes(code, n);
    RepInsn insn = { 0 };
    bool rep = false;

    for (unsigned i = 0; i < n_prefixes; i++) {
        rep |= code[i] == 0xf2 || code[i] == 0xf3;
        insn.address_prefix |= code[i] == 0x67;
    }
    if (rep && n_prefixes < n) {
        uint8_t opcode = code[n_prefixes];

        /* INS OUTS MOVS CMPS STOS LODS SCAS */
        insn.is_string = (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xa7) ||
                         (opcode >= 0xaa && opcode <= 0xaf);
    }
    return insn;
}

/* A block that begins inside the last one, at an address not looked at since code may have changed.
 */
static void learn_rep(UcCore *core, uint64_t address)
{
    RepInsn insn = decode_rep(core);
    X86State state;

    core->rep_address = address;
    core->rep_is_string = insn.is_string;
    core->rep_left = 0;
    if (insn.is_string) {
        uc_core_read_state(core, &state);

        bool wide = (state.seg[X86_CS].attr & (X86_SEG_DB | X86_SEG_L)) != 0;

        core->rep_mask = wide != insn.address_prefix ? UINT32_MAX : 0xffff;
    }
}

/*
 * A block that begins inside the one before it: a loop to itself, an iteration of REP, or the rest
 * of a block that changed its own code. Returns true if the announcement charges nothing and cannot
 * be stopped at: a free-running REP makes one more pass that only finds CX = 0, a stepped one does
 * not.
 */
static bool is_empty_rep_pass(UcCore *core, uint64_t address, uint32_t size)
{
    uint64_t end = core->block_address + core->block_len;

    if (address + size < end) {
        /* The engine threw the running block away and starts again at the store that changed it: no
         * jump led here. (A jump into the middle of one of the block's own instructions looks the
         * same and is taken for that.) */
        core->clock->bytes -= end - address;
        core->block_len -= end - address;
        return false;
    }
    if (address + size > end) {
        return false;
    }
    if (address != core->rep_address) {
        learn_rep(core, address);
    }
    if (!core->rep_is_string) {
        return false;
    }
    /* Each iteration counts CX down by one: it is read when it should be zero, or when not known.
     * Known is it if nothing but the last iteration was charged since the pass before. */
    bool follows = core->clock->bytes == core->rep_bytes + size;

    core->rep_bytes = core->clock->bytes;
    if (follows && core->rep_left > 1) {
        core->rep_left--;
        return false;
    }
    core->rep_left = (uint32_t)uc_core_reg(core, UC_X86_REG_ECX) & core->rep_mask;
    if (core->rep_left != 0) {
        return false;
    }
    /* Twice in a row is no REP: the guest put other code there. It must not loop where nothing
     * stops it. */
    if (core->rep_empty_bytes == core->clock->bytes) {
        core->rep_address = UINT64_MAX;
        return false;
    }
    core->rep_empty_bytes = core->clock->bytes;
    return true;
}

/* A boundary at which something may be wanted. Returns: NONE to go on */
static UcExit look_around(UcCore *core, uint64_t address, uint64_t bytes)
{
    const int hard = UC_ATTN_STOP | UC_ATTN_CODE | UC_ATTN_EVENT | UC_ATTN_SYSENTER;
    int attention = g_atomic_int_get(&core->attention);

    core->jumped = core->block_len != 0 && address != core->block_address + core->block_len;
    if (core->jumped && (attention & UC_ATTN_DEBT) != 0) {
        uc_core_attention_clear(core, UC_ATTN_DEBT);
        core->stop_at -= MIN(core->clock->debt, core->stop_at);
        emu_clock_settle(core->clock);
    }
    if ((attention & hard) != 0 || (core->jumped && (attention & UC_ATTN_SOFT) != 0) ||
        ((attention & UC_ATTN_IF) != 0 && (uc_core_reg(core, UC_X86_REG_EFLAGS) & 0x200) != 0)) {
        return UC_EXIT_ATTENTION;
    }
    return bytes > core->stop_at ? UC_EXIT_LIMIT : UC_EXIT_NONE;
}

static void charge_block(UcCore *core, uint64_t address, uint32_t size)
{
    core->clock->bytes += size;
    core->block_address = address;
    core->block_len = size;
}

void uc_core_forget_loops(UcCore *core)
{
    core->rep_address = UINT64_MAX;
    memset(core->loops, 0xff, sizeof(core->loops));
}

/* Lets the fast path go up to the limit, if nothing wants attention. */
static void rearm_fast_path(UcCore *core)
{
    __atomic_store_n(&core->fast_limit, core->stop_at, __ATOMIC_SEQ_CST);
    if (g_atomic_int_get(&core->attention) != 0) {
        core->fast_limit = 0;
    }
}

static void on_stepped_block(UcCore *core, uint64_t address, uint32_t size)
{
    if (core->block_len != 0 && address != core->block_address) {
        /* MOV SS and STI hold our trap off too: one instruction was executed all the same. */
        core->exit = UC_EXIT_STEPPED;
        uc_emu_stop(core->uc);
        return;
    }
    if (core->exec_watched && core->block_len == 0 && !core->grant) {
        pgm_cpu_report_exec_at(core->cpu, address, core->exec_page | (address & ~MEM_PAGE_MASK),
                               size);
    }
    core->clock->bytes -= core->block_len; /* announced again: the instruction changed itself */
    charge_block(core, address, size);
}

/* One more iteration of a REP that is under way, with room up to fast_limit and more to come after
 * it. */
static inline bool is_next_iteration(const UcCore *core, uint64_t address, uint32_t size)
{
    uint64_t bytes = core->clock->bytes;

    return address == core->rep_address && address == core->block_address && core->rep_left > 1 &&
           core->rep_is_string && bytes == core->rep_bytes + size &&
           bytes + size <= core->fast_limit;
}

/* Out of line, so that the fast path needs no stack. */
static G_NO_INLINE void on_unusual_block(UcCore *core, uint64_t address, uint32_t size)
{
    if (core->stepping) {
        on_stepped_block(core, address, size);
        return;
    }
    if (is_next_iteration(core, address, size)) {
        core->rep_left--;
        core->rep_bytes = core->clock->bytes;
        core->clock->bytes += size;
        return;
    }
    bool within = address - core->block_address < core->block_len;

    if (within && is_empty_rep_pass(core, address, size)) {
        return;
    }
    core->exit = look_around(core, address, core->clock->bytes + size);
    if (core->exit != UC_EXIT_NONE) {
        core->block_len = 0;
        uc_emu_stop(core->uc);
        return;
    }
    charge_block(core, address, size);
    if (within && address == core->rep_address && !core->rep_is_string) {
        core->loops[address % UC_CORE_LOOPS] = address;
    }
    rearm_fast_path(core);
}

/*
 * Announces a block before it runs. Every block of the guest comes here, so the usual cases are
 * told by few comparisons: a block behind or before the last one, or a known loop to itself, with
 * room up to fast_limit.
 */
static void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *user)
{
    UcCore *core = user;
    uint64_t bytes = core->clock->bytes + size;
    uint64_t into = address - core->block_address;
    bool within = into < core->block_len;
    bool loop = address == core->loops[address % UC_CORE_LOOPS] && into + size == core->block_len;

    (void)uc;
    if (G_UNLIKELY(bytes > core->fast_limit || (within && !loop))) {
        on_unusual_block(core, address, size);
        return;
    }
    core->clock->bytes = bytes;
    core->block_address = address;
    core->block_len = size;
}

/* Charged bytes up to the instruction that executes now. */
static uint64_t exact_bytes(void *user)
{
    UcCore *core = user;
    uint64_t into = uc_core_linear_pc(core) - core->block_address;

    return core->clock->bytes - core->block_len + MIN(into, core->block_len);
}

void uc_core_uncharge(UcCore *core)
{
    core->clock->bytes = exact_bytes(core);
    core->block_len = 0;
    core->jumped = false; /* the boundary inside the block, not the one it began at */
}

static void on_exception(uc_engine *uc, uint32_t vector, void *user)
{
    UcCore *core = user;

    core->exit = UC_EXIT_EXCEPTION;
    core->vector = (uint8_t)vector;
    uc_emu_stop(uc);
}

static bool on_invalid(uc_engine *uc, void *user)
{
    on_exception(uc, 6, user);
    return true;
}

/*
 * What leaving the processor takes: a port access on an ISA bus, a time-stamp read as virtual
 * machines that trap it have it. Guests wait in loops around these; were they free, such a wait
 * would take far more host time than guest time.
 */
#define OUTSIDE_NS 1000

static void charge_outside(UcCore *core)
{
    core->clock->debt += OUTSIDE_NS;
    uc_core_attention(core, UC_ATTN_DEBT);
}

static uint32_t on_in(uc_engine *uc, uint32_t port, int size, void *user)
{
    UcCore *core = user;

    (void)uc;
    if (core->ports_silent) {
        return UINT32_MAX;
    }
    uint32_t value = emu_ports_read(core->ports, (uint16_t)port, (unsigned)size);

    if (core->port_hook != NULL) {
        core->port_hook(core->port_hook_user, false, (uint16_t)port, (unsigned)size, value);
    }
    charge_outside(core);
    return value;
}

static void on_out(uc_engine *uc, uint32_t port, int size, uint32_t value, void *user)
{
    UcCore *core = user;

    (void)uc;
    if (core->ports_silent) {
        return;
    }
    if (core->port_hook != NULL) {
        core->port_hook(core->port_hook_user, true, (uint16_t)port, (unsigned)size, value);
    }
    emu_ports_write(core->ports, (uint16_t)port, (unsigned)size, value);
    charge_outside(core);
}

/* The time-stamp counter runs at 1 GHz: it is guest time. */
static int on_rdtsc(uc_engine *uc, void *user)
{
    UcCore *core = user;
    uint64_t now = emu_clock_now(core->clock);
    uint64_t low = (uint32_t)now;
    uint64_t high = now >> 32;

    uc_reg_write(uc, UC_X86_REG_EAX, &low);
    uc_reg_write(uc, UC_X86_REG_EDX, &high);
    charge_outside(core);
    return 1;
}

static int on_rdtscp(uc_engine *uc, void *user)
{
    uint64_t aux = 0; /* TSC_AUX is not kept: one processor, number 0 */

    on_rdtsc(uc, user);
    uc_reg_write(uc, UC_X86_REG_ECX, &aux);
    return 1;
}

/* Leaf 1 without what the machine does not have: APIC, x2APIC, TSC deadline, MONITOR, RDRAND. */
static int on_cpuid(uc_engine *uc, void *user)
{
    UcCore *core = user;
    const UcCpuid *id = &core->cpuid;

    if ((uint32_t)uc_core_reg(core, UC_X86_REG_EAX) != 1 || id->signature == 0) {
        return 0; /* the engine's own answer; at calibration for leaf 1 too */
    }
    uint64_t osxsave = (uc_core_reg(core, UC_X86_REG_CR4) >> 18 & 1) << 27;
    uint64_t absent_ecx = 1u << 3 | 1u << 21 | 1u << 24 | 1u << 30 | 1u << 27;
    uint64_t eax = id->signature;
    uint64_t ebx = id->leaf1_ebx;
    uint64_t ecx = (id->leaf1_ecx & ~absent_ecx) | osxsave;
    uint64_t edx = id->leaf1_edx & ~(1u << 9);

    uc_reg_write(uc, UC_X86_REG_EAX, &eax);
    uc_reg_write(uc, UC_X86_REG_EBX, &ebx);
    uc_reg_write(uc, UC_X86_REG_ECX, &ecx);
    uc_reg_write(uc, UC_X86_REG_EDX, &edx);
    return 1;
}

/* Neither does anything in the engine: performed between instructions. */
static void on_sysenter(uc_engine *uc, void *user)
{
    (void)uc;
    uc_core_attention(user, UC_ATTN_SYSENTER);
}

static void on_syscall(uc_engine *uc, void *user)
{
    UcCore *core = user;

    (void)uc;
    core->text = "SYSCALL";
    uc_core_attention(core, UC_ATTN_EVENT);
}

static void on_deadline(void *user)
{
    UcCore *core = user;
    uint64_t deadline = core->clock->next_deadline;
    uint64_t bytes = deadline > core->clock->skipped ? deadline - core->clock->skipped : 0;

    core->stop_at = MIN(core->stop_at, bytes);
    /* The next block looks around. Not lowered from what it is: attention may come from a thread
     * just now. */
    __atomic_store_n(&core->fast_limit, 0, __ATOMIC_SEQ_CST);
}

bool uc_core_add_hooks(UcCore *core, GError **error)
{
    const struct {
        const char *name;
        int type;
        void *callback;
        int insn;
    } hooks[] = {
        { "new block", UC_HOOK_EDGE_GENERATED, UC_CALLBACK(uc_core_count_translation), 0 },
        { "block", UC_HOOK_BLOCK, UC_CALLBACK(on_block), 0 },
        { "exception", UC_HOOK_INTR, UC_CALLBACK(on_exception), 0 },
        { "invalid instruction", UC_HOOK_INSN_INVALID, UC_CALLBACK(on_invalid), 0 },
        { "IN", UC_HOOK_INSN, UC_CALLBACK(on_in), UC_X86_INS_IN },
        { "OUT", UC_HOOK_INSN, UC_CALLBACK(on_out), UC_X86_INS_OUT },
        { "RDTSC", UC_HOOK_INSN, UC_CALLBACK(on_rdtsc), UC_X86_INS_RDTSC },
        { "RDTSCP", UC_HOOK_INSN, UC_CALLBACK(on_rdtscp), UC_X86_INS_RDTSCP },
        { "CPUID", UC_HOOK_INSN, UC_CALLBACK(on_cpuid), UC_X86_INS_CPUID },
        { "SYSENTER", UC_HOOK_INSN, UC_CALLBACK(on_sysenter), UC_X86_INS_SYSENTER },
        { "SYSCALL", UC_HOOK_INSN, UC_CALLBACK(on_syscall), UC_X86_INS_SYSCALL },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++) {
        uc_hook hook;
        uc_err err = uc_hook_add(core->uc, &hook, hooks[i].type, hooks[i].callback, core, 1, 0,
                                 hooks[i].insn);

        if (err != UC_ERR_OK) {
            g_set_error(error, EMU_ERROR, EMU_ERROR_ENGINE, "Unicorn refuses the %s hook: %s",
                        hooks[i].name, uc_strerror(err));
            return false;
        }
    }
    core->clock->exact_bytes = exact_bytes;
    core->clock->exact_user = core;
    core->clock->deadline_changed = on_deadline;
    core->clock->deadline_user = core;
    return true;
}

static void on_breakpoint(uc_engine *uc, uint64_t address, uint32_t size, void *user)
{
    UcCore *core = user;

    (void)size;
    /* The instruction a run goes on at is not reported again, also when it changes its own block
     * and starts anew, or in the pass that finds REP's CX = 0: the clock tells that nothing else
     * was executed. */
    if (core->breakpoint_skip == address && core->breakpoint_bytes == exact_bytes(core)) {
        return;
    }
    core->breakpoint_skip = UINT64_MAX;
    core->exit = UC_EXIT_BREAKPOINT;
    core->fault_address = address;
    uc_emu_stop(uc);
}

/* Each is a hook that the engine looks at for every block it translates. */
#define MAX_BREAKPOINTS 65536u

bool uc_core_add_breakpoint(UcCore *core, GVirt address, GError **error)
{
    UcBreakpoint *breakpoint = g_hash_table_lookup(core->breakpoints, &address);

    if (breakpoint != NULL) {
        breakpoint->count++;
        return true;
    }
    if (g_hash_table_size(core->breakpoints) >= MAX_BREAKPOINTS) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "no breakpoint at 0x%" PRIx64 ": there are %u already; remove one first",
                    address, MAX_BREAKPOINTS);
        return false;
    }
    breakpoint = g_new0(UcBreakpoint, 1);
    breakpoint->count = 1;

    uc_err err = uc_hook_add(core->uc, &breakpoint->hook, UC_HOOK_CODE, UC_CALLBACK(on_breakpoint),
                             core, address, address);

    if (err != UC_ERR_OK) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_ENGINE, "no breakpoint at 0x%" PRIx64 ": %s",
                    address, uc_strerror(err));
        g_free(breakpoint);
        return false;
    }
    g_hash_table_insert(core->breakpoints, g_memdup2(&address, sizeof(address)), breakpoint);
    /* Blocks translated before know nothing of the hook. */
    uc_ctl_flush_tb(core->uc);
    return true;
}

bool uc_core_remove_breakpoint(UcCore *core, GVirt address)
{
    UcBreakpoint *breakpoint = g_hash_table_lookup(core->breakpoints, &address);

    if (breakpoint == NULL) {
        return false;
    }
    if (--breakpoint->count == 0) {
        uc_hook_del(core->uc, breakpoint->hook);
        uc_ctl_flush_tb(core->uc);
        g_hash_table_remove(core->breakpoints, &address);
    }
    return true;
}
