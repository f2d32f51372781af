/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tagged heap: each block has a header that links it into the heap and names its tag.
 *
 *   | links, tag, length, mark | what the caller sees ... to a multiple of 16 |
 *
 * Invariants (mm_heap_verify() checks them):
 * 1. Every block is in the list once, with its mark and a tag of this heap.
 * 2. A tag's bytes_current is the sum of its blocks' lengths; it has n_allocations - n_frees of
 *    them; the numbers of all tags add up to the heap's (failures without a tag record aside).
 * 3. Tags never go, and the list of tags only grows at its head.
 *
 * Everything but the bytes of a block is guarded by the heap's lock.
 *
 * Source: VirtualBox's MMHeap as restated in the project's notes.
 */
#include "memsys/mm_heap.h"
#include "memsys/os.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LIVE UINT64_C(0x51756972654d4d48)
#define ALIGNMENT 16u

typedef struct Tag {
    struct Tag *next;
    const char *name;
    MmHeapStats stats;
} Tag;

typedef struct Block {
    struct Block *prev, *next;
    Tag *tag;
    size_t len; /* header included */
    uint64_t mark;
    size_t size; /* as asked for */
} Block;

G_STATIC_ASSERT(sizeof(Block) % ALIGNMENT == 0);

struct MmHeap {
    pthread_mutex_t lock;
    const MemOs *os;
    Block *blocks;
    Tag *tags;
    MmHeapStats total;
};

/* ---- tags; the lock is held */
static Tag *lookup_tag(const MmHeap *heap, const char *name)
{
    for (Tag *tag = heap->tags; tag != NULL; tag = tag->next) {
        if (tag->name == name || strcmp(tag->name, name) == 0) {
            return tag;
        }
    }
    return NULL;
}

/* NULL if the host has no memory. */
static Tag *get_tag(MmHeap *heap, const char *name)
{
    Tag *tag = lookup_tag(heap, name);

    if (tag == NULL) {
        tag = heap->os->try_alloc0(sizeof(*tag));
        if (tag != NULL) {
            tag->name = name;
            tag->next = heap->tags;
            heap->tags = tag;
        }
    }
    return tag;
}

static uint64_t n_blocks_of(const MmHeapStats *stats)
{
    return stats->n_allocations - stats->n_frees;
}

static void count_alloc(MmHeapStats *stats, size_t len)
{
    stats->n_allocations++;
    stats->bytes_allocated += len;
    stats->bytes_current += len;
}

static void count_free(MmHeapStats *stats, size_t len)
{
    stats->n_frees++;
    stats->bytes_freed += len;
    stats->bytes_current -= len;
}

static void count_realloc(MmHeapStats *stats, size_t from, size_t to)
{
    stats->n_reallocations++;
    stats->bytes_allocated += to > from ? to - from : 0;
    stats->bytes_freed += from > to ? from - to : 0;
    stats->bytes_current += to;
    stats->bytes_current -= from;
}

static void count_failure(MmHeap *heap, Tag *tag)
{
    heap->total.n_failures++;
    if (tag != NULL) {
        tag->stats.n_failures++;
    }
}

/* ---- blocks; the lock is held */
static Block *block_of(void *bytes)
{
    Block *block = (Block *)bytes - 1;

    g_assert(block->mark == LIVE);
    return block;
}

/* In no list, all zeros; NULL for no bytes, too many, or without memory. */
static Block *new_block(MmHeap *heap, Tag *tag, size_t size)
{
    if (tag == NULL || size == 0 || size > SIZE_MAX - sizeof(Block) - ALIGNMENT) {
        return NULL;
    }

    size_t len = sizeof(Block) + (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    Block *block = heap->os->try_alloc0(len);

    if (block != NULL) {
        block->tag = tag;
        block->len = len;
        block->mark = LIVE;
        block->size = size;
    }
    return block;
}

static void link_block(MmHeap *heap, Block *block)
{
    block->next = heap->blocks;
    if (heap->blocks != NULL) {
        heap->blocks->prev = block;
    }
    heap->blocks = block;
}

/* Out of the list, wiped, back to the host. */
static void drop_block(MmHeap *heap, Block *block)
{
    if (block->prev != NULL) {
        block->prev->next = block->next;
    } else {
        heap->blocks = block->next;
    }
    if (block->next != NULL) {
        block->next->prev = block->prev;
    }
    explicit_bzero(block, block->len);
    heap->os->free(block);
}

static void *alloc_locked(MmHeap *heap, const char *name, size_t size)
{
    Tag *tag = get_tag(heap, name);
    Block *block = new_block(heap, tag, size);

    if (block == NULL) {
        count_failure(heap, tag);
        return NULL;
    }
    link_block(heap, block);
    count_alloc(&tag->stats, block->len);
    count_alloc(&heap->total, block->len);
    return block + 1;
}

static void free_locked(MmHeap *heap, void *bytes)
{
    Block *block = block_of(bytes);

    count_free(&block->tag->stats, block->len);
    count_free(&heap->total, block->len);
    drop_block(heap, block);
}

static void *realloc_locked(MmHeap *heap, void *bytes, size_t size)
{
    Block *old = block_of(bytes);
    Tag *tag = old->tag;
    /* Never in place: the host's realloc might leave the old bytes behind unwiped. */
    Block *block = new_block(heap, tag, size);

    if (block == NULL) {
        count_failure(heap, tag);
        return NULL;
    }
    memcpy(block + 1, bytes, MIN(old->size, size));
    count_realloc(&tag->stats, old->len, block->len);
    count_realloc(&heap->total, old->len, block->len);
    drop_block(heap, old);
    link_block(heap, block);
    return block + 1;
}

/* ---- public */
MmHeap *mm_heap_new(void)
{
    MmHeap *heap = g_new0(MmHeap, 1);

    heap->os = mem_os();
    pthread_mutex_init(&heap->lock, NULL);
    return heap;
}

uint64_t mm_heap_free_all(MmHeap *heap, GString *leaks)
{
    if (heap == NULL) {
        return 0;
    }

    uint64_t n_left = n_blocks_of(&heap->total);

    while (heap->blocks != NULL) {
        drop_block(heap, heap->blocks);
    }
    while (heap->tags != NULL) {
        Tag *tag = heap->tags;

        if (leaks != NULL && n_blocks_of(&tag->stats) > 0) {
            g_string_append_printf(
                leaks, "%s: %" G_GUINT64_FORMAT " blocks, %" G_GUINT64_FORMAT " bytes\n", tag->name,
                n_blocks_of(&tag->stats), tag->stats.bytes_current);
        }
        heap->tags = tag->next;
        heap->os->free(tag);
    }
    pthread_mutex_destroy(&heap->lock);
    g_free(heap);
    return n_left;
}

void *mm_heap_alloc0(MmHeap *heap, const char *tag, size_t size)
{
    pthread_mutex_lock(&heap->lock);
    void *bytes = alloc_locked(heap, tag, size);

    pthread_mutex_unlock(&heap->lock);
    return bytes;
}

void *mm_heap_alloc(MmHeap *heap, const char *tag, size_t size)
{
    return mm_heap_alloc0(heap, tag, size);
}

void mm_heap_free(MmHeap *heap, void *block)
{
    if (block != NULL) {
        pthread_mutex_lock(&heap->lock);
        free_locked(heap, block);
        pthread_mutex_unlock(&heap->lock);
    }
}

void *mm_heap_realloc(MmHeap *heap, void *block, const char *tag, size_t size, bool zero)
{
    (void)zero; /* a new block comes cleared from the host */
    if (block == NULL) {
        return mm_heap_alloc0(heap, tag, size);
    }
    if (size == 0) {
        mm_heap_free(heap, block);
        return NULL;
    }
    pthread_mutex_lock(&heap->lock);
    void *bytes = realloc_locked(heap, block, size);

    pthread_mutex_unlock(&heap->lock);
    return bytes;
}

char *mm_heap_strdup(MmHeap *heap, const char *tag, const char *text)
{
    size_t size = text != NULL ? strlen(text) + 1 : 0;
    char *copy = text != NULL ? mm_heap_alloc(heap, tag, size) : NULL;

    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

char *mm_heap_printf(MmHeap *heap, const char *tag, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *text = len >= 0 ? mm_heap_alloc(heap, tag, (size_t)len + 1) : NULL;

    if (text != NULL) {
        vsnprintf(text, (size_t)len + 1, format, again);
    }
    va_end(again);
    va_end(args);
    return text;
}

/* ---- statistics and checker */
bool mm_heap_get_stats(MmHeap *heap, const char *tag, MmHeapStats *ret_stats)
{
    pthread_mutex_lock(&heap->lock);
    const Tag *found = tag != NULL ? lookup_tag(heap, tag) : NULL;

    *ret_stats = (MmHeapStats) { 0 };
    if (tag == NULL) {
        *ret_stats = heap->total;
    } else if (found != NULL) {
        *ret_stats = found->stats;
    }
    pthread_mutex_unlock(&heap->lock);
    return ret_stats->n_allocations > 0;
}

void mm_heap_foreach_tag(MmHeap *heap, MmHeapVisitor visit, void *user)
{
    pthread_mutex_lock(&heap->lock);
    const Tag *tag = heap->tags;

    pthread_mutex_unlock(&heap->lock);
    /* The visitor may use the heap: new tags come before the first one here. */
    for (; tag != NULL; tag = tag->next) {
        pthread_mutex_lock(&heap->lock);
        MmHeapStats stats = tag->stats;

        pthread_mutex_unlock(&heap->lock);
        visit(tag->name, &stats, user);
    }
}

typedef struct Sum {
    uint64_t n_blocks, bytes;
} Sum;

static unsigned complain(GString *report, const char *what, const char *tag, uint64_t says,
                         uint64_t found)
{
    if (says == found) {
        return 0;
    }
    if (report != NULL) {
        g_string_append_printf(
            report, "heap: %s of %s: says %" G_GUINT64_FORMAT ", recounted %" G_GUINT64_FORMAT "\n",
            what, tag, says, found);
    }
    return 1;
}

/* Blocks of one tag, or of all; *@ret_broken counts what cannot be a block here. */
static Sum sum_blocks(const MmHeap *heap, const Tag *tag, uint64_t *ret_broken)
{
    const Block *before = NULL;
    Sum sum = { 0 };

    for (const Block *block = heap->blocks; block != NULL; block = block->next) {
        if (block->prev != before || block->mark != LIVE ||
            block->tag != lookup_tag(heap, block->tag->name) || block->len <= sizeof(Block)) {
            (*ret_broken)++;
            break;
        }
        before = block;
        if (tag == NULL || block->tag == tag) {
            sum.n_blocks++;
            sum.bytes += block->len;
        }
    }
    return sum;
}

static unsigned verify_sums(const MmHeap *heap, const Tag *tag, GString *report)
{
    const MmHeapStats *stats = tag != NULL ? &tag->stats : &heap->total;
    const char *name = tag != NULL ? tag->name : "all tags";
    uint64_t n_broken = 0;
    Sum sum = sum_blocks(heap, tag, &n_broken);

    return complain(report, "blocks", name, n_blocks_of(stats), sum.n_blocks) +
           complain(report, "bytes", name, stats->bytes_current, sum.bytes) +
           complain(report, "bytes so far", name, stats->bytes_allocated - stats->bytes_freed,
                    stats->bytes_current) +
           (tag == NULL ? complain(report, "broken links", name, 0, n_broken) : 0);
}

unsigned mm_heap_verify(MmHeap *heap, GString *report)
{
    MmHeapStats sum = { 0 };

    pthread_mutex_lock(&heap->lock);
    unsigned n_bad = verify_sums(heap, NULL, report);

    for (const Tag *tag = heap->tags; tag != NULL; tag = tag->next) {
        n_bad += verify_sums(heap, tag, report);
        sum.n_allocations += tag->stats.n_allocations;
        sum.n_reallocations += tag->stats.n_reallocations;
        sum.n_frees += tag->stats.n_frees;
        sum.bytes_current += tag->stats.bytes_current;
    }
    n_bad +=
        complain(report, "allocations", "all tags", heap->total.n_allocations, sum.n_allocations);
    n_bad += complain(report, "reallocations", "all tags", heap->total.n_reallocations,
                      sum.n_reallocations);
    n_bad += complain(report, "frees", "all tags", heap->total.n_frees, sum.n_frees);
    n_bad += complain(report, "bytes", "all tags", heap->total.bytes_current, sum.bytes_current);
    pthread_mutex_unlock(&heap->lock);
    return n_bad;
}
