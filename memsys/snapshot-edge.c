/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edges: lists of entries in blocks of one host page. Blocks that are no longer needed are kept
 * while there are snapshots.
 */
#include "memsys/tracking-internal.h"

void pgm_entries_count(PgmTracking *tracking, int64_t delta)
{
    tracking->n_entries += (uint64_t)delta;
}

static PgmEntryBlock *new_block(Pgm *pgm)
{
    PgmTracking *tracking = pgm->tracking;
    PgmEntryBlock *block = tracking->spare_blocks;

    if (block) {
        tracking->spare_blocks = block->next;
    } else {
        block = pgm->os->try_alloc0(sizeof *block);
    }
    if (block) {
        block->next = NULL;
        block->n = 0;
    }
    return block;
}

static void spare_block(Pgm *pgm, PgmEntryBlock *block)
{
    block->next = pgm->tracking->spare_blocks;
    pgm->tracking->spare_blocks = block;
}

void pgm_edge_trim(Pgm *pgm)
{
    while (pgm->tracking->spare_blocks) {
        PgmEntryBlock *block = pgm->tracking->spare_blocks;

        pgm->tracking->spare_blocks = block->next;
        pgm->os->free(block);
    }
}

bool pgm_edge_make_spares(Pgm *pgm, const PgmEdge *edge, uint64_t n)
{
    uint64_t room = edge->last ? PGM_ENTRIES_PER_BLOCK - edge->last->n : 0;
    const PgmEntryBlock *spare = pgm->tracking->spare_blocks;

    for (; room < n && spare; spare = spare->next) {
        room += PGM_ENTRIES_PER_BLOCK;
    }
    for (; room < n; room += PGM_ENTRIES_PER_BLOCK) {
        PgmEntryBlock *block = pgm->os->try_alloc0(sizeof *block);

        if (!block) {
            return false;
        }
        spare_block(pgm, block);
    }
    return true;
}

static void add_block(PgmEdge *edge, PgmEntryBlock *block)
{
    if (edge->last) {
        edge->last->next = block;
    } else {
        edge->first = block;
    }
    edge->last = block;
}

bool pgm_edge_make_room(Pgm *pgm, PgmEdge *edge)
{
    if (edge->last && edge->last->n < PGM_ENTRIES_PER_BLOCK) {
        return true;
    }
    PgmEntryBlock *block = new_block(pgm);

    if (block) {
        add_block(edge, block);
    }
    return block != NULL;
}

PgmEntry *pgm_edge_append(PgmEdge *edge)
{
    g_assert(edge->last && edge->last->n < PGM_ENTRIES_PER_BLOCK);
    edge->n++;
    return &edge->last->entries[edge->last->n++];
}

void pgm_edge_move(PgmEdge *to, PgmEdge *from)
{
    if (from->first) {
        add_block(to, from->first);
        to->last = from->last;
    }
    to->n += from->n;
    *from = (PgmEdge) { 0 };
}

void pgm_edge_clear(Pgm *pgm, PgmEdge *edge)
{
    for (PgmEntryBlock *block = edge->first; block;) {
        PgmEntryBlock *next = block->next;

        spare_block(pgm, block);
        block = next;
    }
    *edge = (PgmEdge) { 0 };
}

void pgm_edge_filter(Pgm *pgm, PgmEdge *edge, PgmEntryFilter keep, void *user)
{
    PgmEdge kept = { 0 };
    PgmEntryBlock *next;

    for (PgmEntryBlock *block = edge->first; block; block = next) {
        uint64_t n = 0;

        next = block->next;
        block->next = NULL;
        for (uint64_t i = 0; i < block->n; i++) {
            if (keep(pgm, &block->entries[i], user)) {
                block->entries[n++] = block->entries[i];
            }
        }
        block->n = n;
        kept.n += n;
        if (n == 0) {
            spare_block(pgm, block);
        } else {
            add_block(&kept, block);
        }
    }
    *edge = kept;
}
