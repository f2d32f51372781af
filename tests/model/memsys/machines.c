/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machines as they come, go and are compared.
 */
#include "tests/model/memsys/model.h"
#include "tests/model/memsys/transitions.h"

#include <inttypes.h>
#include <string.h>

#define PLENTY (UINT64_C(1) << 30)

static void note_ram(Naive *m, uint64_t start, unsigned n_pages)
{
    NaiveRange *range = naive_range_new(m, PGM_RANGE_RAM, n_pages);

    range->start = start;
    real_find(range);
}

static void begin(Naive *m, unsigned number, const PgmConfig *config)
{
    *m = (Naive) { .number = number,
                   .no_overcommit = config->policy == GMM_NO_OVERCOMMIT,
                   .events = g_array_new(FALSE, FALSE, sizeof(Event)) };
    m->pgm = pgm_new(model_gmm, config, NULL);
    if (m->pgm == NULL || mm_register_x86(m->pgm, (uint64_t)(256 + 64) * PAGE, 0, NULL) != MEM_OK ||
        pgm_ram_register(m->pgm, HIGH_START + 4 * PAGE, 16 * PAGE, "high", NULL) != MEM_OK ||
        pgm_ram_register(m->pgm, SPARE_START, N_SPARE * PAGE, "spare", NULL) != MEM_OK) {
        model_fail("no machine");
    }
    note_ram(m, 0, 160);
    note_ram(m, 256 * PAGE, 64);
    note_ram(m, HIGH_START + 4 * PAGE, 16);
    note_ram(m, SPARE_START, N_SPARE);
    pgm_set_unassigned_hook(m->pgm, model_unassigned, m);
    cpu_attach(m, 0);
}

void machine_begin(Naive *m, unsigned number)
{
    g_autofree char *name = g_strdup_printf("machine %u", number);
    PgmConfig config = { .name = name,
                         .tlb_slots = 1u << below(10),
                         .large_runs = one_in(3),
                         .policy = one_in(4) ? GMM_NO_OVERCOMMIT : GMM_OVERCOMMIT };

    gmm_set_limit(model_gmm, PLENTY);
    model_limited = false;
    begin(m, number, &config);
    m->plain = one_in(4);
    m->entries_limited = m->no_overcommit;
    m->sharing = !m->plain && !one_in(4);
    pgm_set_sharing(m->pgm, m->sharing);
    if (!m->plain && !one_in(3)) {
        gmm_vm_set_priority(pgm_gmm_vm(m->pgm), (GmmPriority)below(3));
        gmm_vm_set_balloon_func(pgm_gmm_vm(m->pgm), model_give_pages, m);
    }
}

static NaiveRange *copy_range(Naive *twin, const NaiveRange *like)
{
    uint64_t len = (uint64_t)like->n_pages * PAGE;
    NaiveRange *range = naive_range_new(twin, like->kind, like->n_pages);
    const char *name = real_name(like);
    MemStatus status = MEM_OK;

    if (range == NULL) {
        model_fail("no room for a twin's range");
    }
    switch (like->kind) {
    case PGM_RANGE_RAM:
        range->start = like->start;
        status = pgm_ram_register(twin->pgm, like->start, len, name, NULL);
        break;
    case PGM_RANGE_ROM:
        range->start = like->start;
        range->image = g_memdup2(like->image, len);
        memcpy(range->bytes, like->image, len);
        range->shadow = like->shadow != NULL ? g_malloc0(len) : NULL;
        status =
            pgm_rom_register(twin->pgm, like->start, len, like->image, len, 0,
                             like->shadow != NULL ? PGM_ROM_FLAG_SHADOWED : 0, "board", name, NULL);
        break;
    case PGM_RANGE_MMIO:
        range->ops = like->ops;
        memcpy(range->homes, like->homes, sizeof range->homes);
        memcpy(range->bytes, like->bytes, len);
        range->registers = g_memdup2(like->registers, len);
        range->refuses = like->refuses;
        range->wanders = like->wanders;
        range->dies = like->dies;
        range->mmio = pgm_mmio_new(twin->pgm, len, &range->ops, range, "chip", name, NULL);
        status = range->mmio != NULL ? MEM_OK : MEM_ERR_HOST_MEMORY;
        break;
    case PGM_RANGE_MMIO2:
        range->can_track = like->can_track;
        range->region = like->region;
        range->mmio2 = pgm_mmio2_new(twin->pgm, "vga", like->region, len, like->can_track,
                                     "frame buffer", NULL);
        status = range->mmio2 != NULL ? MEM_OK : MEM_ERR_HOST_MEMORY;
        break;
    }
    if (status != MEM_OK) {
        model_fail("a twin gets no range of kind %d: %s", like->kind, mem_status_name(status));
    }
    real_find(range);
    return range;
}

/* In other order now and then. */
Copy *machine_begin_like(Naive *twin, unsigned number, const Copy *copy)
{
    NaiveRange *ranges[MAX_RANGES];
    PgmConfig config = { .name = "twin", .large_runs = one_in(2) };

    gmm_set_limit(model_gmm, PLENTY);
    model_limited = false;
    begin(twin, number, &config);
    twin->sharing = one_in(2);
    pgm_set_sharing(twin->pgm, twin->sharing);
    unsigned first = below(copy->n);

    for (unsigned i = 0; i < 2 * copy->n; i++) {
        unsigned at = (first + i) % copy->n;
        const NaiveRange *like = copy->ranges[at].range;
        bool basic = like->number < 4; /* which every machine has */

        /* RAM first: the others lie over it. */
        if ((like->kind == PGM_RANGE_RAM) == (i < copy->n)) {
            ranges[at] = basic ? &twin->ranges[like->number] : copy_range(twin, like);
        }
    }
    return naive_copy_for(copy, ranges);
}

static void drop_tracking(Naive *m)
{
    for (unsigned i = 0; i < MAX_SNAPSHOTS; i++) {
        if (m->snapshots[i].snapshot != NULL && one_in(2)) {
            pgm_snapshot_drop(g_steal_pointer(&m->snapshots[i].snapshot));
        }
    }
    bool after = one_in(2); /* clients may outlive the machine */

    for (unsigned i = 0; i < MAX_CLIENTS && !after; i++) {
        g_clear_pointer(&m->clients[i], pgm_dirty_free);
    }
}

void machine_end(Naive *m)
{
    state_drop(m);
    unlock_range(m, NULL);
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        if (m->handlers[i].live) {
            pgm_handler_free(m->handlers[i].handler);
        }
    }
    for (unsigned i = 0; i < MAX_WATCHES; i++) {
        if (m->watches[i].live) {
            pgm_watch_free(m->watches[i].watch);
        }
    }
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        if (m->cpus[i] != NULL) {
            cpu_detach(m, i);
        }
    }
    drop_tracking(m);
    pgm_free(g_steal_pointer(&m->pgm));
    for (unsigned i = 0; i < MAX_CLIENTS; i++) {
        g_clear_pointer(&m->clients[i], pgm_dirty_free);
    }
    naive_clear(m);
}

static void check_counts(Naive *m)
{
    PgmPageCounts expected;
    PgmStats stats;

    pgm_get_stats(m->pgm, &stats);
    naive_counts(m, &expected);
    if (stats.pages.all != expected.all || stats.pages.zero != expected.zero ||
        stats.pages.private_pages != expected.private_pages ||
        stats.pages.pure_mmio != expected.pure_mmio ||
        (!m->armed && stats.pages.monitored != expected.monitored) ||
        stats.pages.shared != expected.shared || stats.pages.ballooned != expected.ballooned ||
        stats.pages.write_locked != expected.write_locked ||
        stats.pages.read_locked != expected.read_locked) {
        model_fail("page counts differ: %" PRIu64 " private, expected %" PRIu64 ", %" PRIu64
                   " ballooned, expected %" PRIu64,
                   stats.pages.private_pages, expected.private_pages, stats.pages.ballooned,
                   expected.ballooned);
    }
}

void machine_check(Naive *m)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (pgm_verify(m->pgm, text) != 0 || gmm_verify(model_gmm, text) != 0) {
        model_fail("unsound: %s", text->str);
    }
    real_check(m);
    for (unsigned slot = 0; slot < N_SLOTS; slot++) {
        naive_check_page(m, slot);
    }
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        const NaiveRange *dev = &m->ranges[i];

        if (dev->live && dev->registers != NULL &&
            memcmp(dev->registers, dev->bytes, (size_t)dev->n_pages * PAGE) != 0) {
            model_fail("registers of device %u differ", i);
        }
    }
    check_counts(m);
    cpu_check(m);
}

/* ---- operations */

static int op_machine_new(Naive *m)
{
    unsigned number = (unsigned)(m - model_machines);

    if (m->pgm != NULL) {
        machine_check(m);
        machine_end(m);
    }
    machine_begin(m, number);
    script(m, "begins: plain %d, everything reserved %d, sharing %d", m->plain, m->no_overcommit,
           m->sharing);
    return MEM_OK;
}

static int op_machine_end(Naive *m)
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_MACHINES; i++) {
        n += model_machines[i].pgm != NULL;
    }
    if (n < 2) {
        return OP_SKIPPED;
    }
    script(m, "ends");
    machine_check(m);
    machine_end(m);
    return MEM_OK;
}

const Op machine_ops[] = {
    { "machine new", op_machine_new, 1, OP_NO_MACHINE },
    { "machine end", op_machine_end, 1, 0 },
};
const unsigned n_machine_ops = G_N_ELEMENTS(machine_ops);
