/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MmHeap: a machine's tagged heap. Every block carries a tag that says what it is for; counts and
 * bytes are kept by tag, and everything still allocated is freed with the heap. For devices and
 * embedders that want to see where a machine's memory goes.
 *
 * Any thread; the heap has a lock of its own. Built on the host's allocator (memsys/os.h).
 *
 * Source: VirtualBox's MMHeap as restated in the project's notes; a reallocation counts its true
 * difference here.
 */
#pragma once

#include "memsys/pgm.h"

#pragma GCC visibility push(default)

typedef struct MmHeap MmHeap;

typedef struct MmHeapStats {
    uint64_t n_allocations;
    uint64_t n_reallocations;
    uint64_t n_frees;
    uint64_t n_failures;
    uint64_t bytes_allocated; /* so far */
    uint64_t bytes_freed;     /* so far */
    uint64_t bytes_current;   /* headers included */
} MmHeapStats;

/* Returns: (transfer full): an empty heap, never %NULL. A machine has its own: pgm_heap(). */
MmHeap *mm_heap_new(void);
/* Frees every block, and the heap. @heap: (nullable). @leaks: (nullable): one line a tag that still
 * had blocks is appended. Returns the number of blocks that were left. */
uint64_t mm_heap_free_all(MmHeap *heap, GString *leaks);

/* The heap of a machine; freed with it. Any thread. */
MmHeap *pgm_heap(Pgm *pgm);

/* @tag: a string that lives as long as the heap ("vga", "ide"). NULL if @size is 0 (counted as a
 * failure) or the host has no memory. */
void *mm_heap_alloc(MmHeap *heap, const char *tag, size_t size);
void *mm_heap_alloc0(MmHeap *heap, const char *tag, size_t size);
/* NULL allocates, size 0 frees; on failure the old block stays. A block keeps the tag it was
 * allocated with. @zero: what is added is cleared. */
void *mm_heap_realloc(MmHeap *heap, void *block, const char *tag, size_t size, bool zero);
char *mm_heap_strdup(MmHeap *heap, const char *tag, const char *text); /* NULL gives NULL */
char *mm_heap_printf(MmHeap *heap, const char *tag, const char *format, ...) G_GNUC_PRINTF(3, 4);
void mm_heap_free(MmHeap *heap, void *block); /* NULL does nothing; the block is wiped */

/* @tag: (nullable): of all tags together. False if nothing was ever allocated under it. */
bool mm_heap_get_stats(MmHeap *heap, const char *tag, MmHeapStats *ret_stats);
typedef void (*MmHeapVisitor)(const char *tag, const MmHeapStats *stats, void *user);
void mm_heap_foreach_tag(MmHeap *heap, MmHeapVisitor visit, void *user);

/* Recomputes lists and sums; each violation is appended as one line. Returns their number. */
unsigned mm_heap_verify(MmHeap *heap, GString *report);

#pragma GCC visibility pop
