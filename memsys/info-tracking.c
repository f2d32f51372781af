/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Info items of what watches pages change: snapshots and dirty clients; and of the tagged heap.
 */
#include "memsys/info-internal.h"

#include "memsys/mm_heap.h"
#include "memsys/tracking-internal.h"

#include <inttypes.h>

static unsigned depth_of(const PgmSnapshot *snapshot)
{
    unsigned depth = 0;

    for (; snapshot->parent != NULL; snapshot = snapshot->parent) {
        depth++;
    }
    return depth;
}

void pgm_info_snapshots(Pgm *pgm, GString *text)
{
    PgmSnapshotStats stats;
    PgmInfoLines lines = { .text = text };
    const PgmTracking *tracking = pgm->tracking;

    pgm_snapshot_get_stats(pgm, &stats);
    if (stats.n_snapshots == 0) {
        g_string_append(text, "no snapshots\n");
        return;
    }
    g_string_append_printf(
        text,
        "%" PRIu64 " snapshots; %" PRIu64 " pages written since the current one; entries %" PRIu64
        ", saved pages %" PRIu64 ", %" PRIu64 " in stock\n",
        stats.n_snapshots, stats.n_live, stats.n_entries, stats.n_saved, stats.n_stock);
    for (const PgmSnapshot *at = tracking->root; at != NULL; at = pgm_snapshot_next(at)) {
        if (!pgm_info_line(&lines)) {
            continue;
        }
        g_string_append_printf(text, "%*s", (int)(2 * MIN(depth_of(at), 40)), "");
        if (at->hidden) {
            g_string_append(text, "(dropped)");
        } else {
            g_string_append_printf(text, "\"%s\"", at->name);
        }
        if (at->parent != NULL) {
            g_string_append_printf(text, ", %" PRIu64 " pages from its parent", at->edge.n);
        }
        g_string_append(text, at == tracking->current ? "; the machine runs from here\n" : "\n");
    }
    pgm_info_lines_end(&lines, "snapshots");
}

static const PgmDirty *client_at(const Pgm *pgm, unsigned slot)
{
    return pgm->tracking != NULL ? pgm->tracking->clients[slot] : NULL;
}

void pgm_info_dirty(Pgm *pgm, GString *text)
{
    size_t before = text->len;

    for (unsigned slot = 0; slot < PGM_DIRTY_MAX_CLIENTS; slot++) {
        const PgmDirty *client = client_at(pgm, slot);

        if (client != NULL) {
            g_string_append_printf(text, "\"%s\": %" PRIu64 " pages written since it asked\n",
                                   client->name, client->n_pages);
        }
    }
    if (text->len == before) {
        g_string_append(text, "no dirty clients\n");
    }
}

void pgm_info_dirty_page(Pgm *pgm, GPhys gpa, GString *text)
{
    size_t before = text->len;

    for (unsigned slot = 0; slot < PGM_DIRTY_MAX_CLIENTS; slot++) {
        PgmDirty *client = pgm->tracking != NULL ? pgm->tracking->clients[slot] : NULL;

        if (client != NULL && pgm_dirty_contains(client, gpa)) {
            g_string_append_printf(text, "%s\"%s\"", text->len == before ? "dirty for " : ", ",
                                   client->name);
        }
    }
    if (text->len != before) {
        g_string_append_c(text, '\n');
    }
}

/* ---- heap */

static void print_tag(const char *tag, const MmHeapStats *stats, void *user)
{
    g_string_append_printf(user, "%-20s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "\n",
                           tag, stats->bytes_current, stats->n_allocations, stats->n_frees,
                           stats->n_failures);
}

void pgm_info_heap(Pgm *pgm, GString *text)
{
    MmHeap *heap = g_atomic_pointer_get(&pgm->heap);
    MmHeapStats all = { 0 };

    g_string_append_printf(text, "%-20s %12s %12s %12s %12s\n", "tag", "bytes now", "allocations",
                           "frees", "failures");
    if (heap != NULL) {
        mm_heap_foreach_tag(heap, print_tag, text);
        (void)mm_heap_get_stats(heap, NULL, &all);
    }
    print_tag("all", &all, text);
}
