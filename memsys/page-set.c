/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of PgmPageSet (memsys/page-set-internal.h).
 */
#include "memsys/page-set-internal.h"

#define HEAP_MAX (UINT64_C(128) << 10) /* bytes; larger sets get a mapping */

static uint64_t words_for(uint64_t n_bits)
{
    return n_bits / 64 + (n_bits % 64 != 0);
}

bool pgm_page_set_init(PgmPageSet *set, const MemOs *os, uint64_t n_pages)
{
    uint64_t first[PGM_PAGE_SET_LEVELS];
    uint64_t n_words = 0;

    *set = (PgmPageSet) { .n_pages = n_pages };
    for (uint64_t n = n_pages; set->n_levels == 0 || n > 1; set->n_levels++) {
        first[set->n_levels] = n_words;
        n = words_for(n);
        n_words += n;
    }
    set->bytes = n_words * sizeof(uint64_t);
    set->mapped = set->bytes > HEAP_MAX;
    if (set->mapped) {
        set->bytes = (set->bytes + MEM_PAGE_SIZE - 1) & MEM_PAGE_MASK;
    }
    uint64_t *words = set->mapped ? os->map_zeros(set->bytes) : os->try_alloc0(set->bytes);

    if (!words) {
        *set = (PgmPageSet) { 0 };
        return false;
    }
    for (unsigned i = 0; i < set->n_levels; i++) {
        set->levels[i] = words + first[i];
    }
    return true;
}

void pgm_page_set_clear(PgmPageSet *set, const MemOs *os)
{
    if (set->mapped) {
        os->unmap(set->levels[0], set->bytes);
    } else if (set->levels[0]) {
        os->free(set->levels[0]);
    }
    *set = (PgmPageSet) { 0 };
}

bool pgm_page_set_add(PgmPageSet *set, uint64_t index)
{
    if (pgm_page_set_test(set, index)) {
        return false;
    }
    set->n_set++;
    for (unsigned i = 0; i < set->n_levels; i++, index >>= 6) {
        uint64_t *word = &set->levels[i][index >> 6];
        bool was_empty = *word == 0;

        *word |= UINT64_C(1) << (index & 63);
        if (!was_empty) {
            break;
        }
    }
    return true;
}

bool pgm_page_set_remove(PgmPageSet *set, uint64_t index)
{
    if (!pgm_page_set_test(set, index)) {
        return false;
    }
    set->n_set--;
    for (unsigned i = 0; i < set->n_levels; i++, index >>= 6) {
        uint64_t *word = &set->levels[i][index >> 6];

        *word &= ~(UINT64_C(1) << (index & 63));
        if (*word != 0) {
            break;
        }
    }
    return true;
}

uint64_t pgm_page_set_next(const PgmPageSet *set, uint64_t from)
{
    unsigned level = 0;
    uint64_t bit = from;
    uint64_t n_bits = set->n_pages;

    /* Up until a word has something at or after the bit, then down along the first bits. */
    for (;; level++, bit = (bit >> 6) + 1, n_bits = words_for(n_bits)) {
        if (level == set->n_levels || bit >= n_bits) {
            return set->n_pages;
        }
        uint64_t word = set->levels[level][bit >> 6] >> (bit & 63);

        if (word != 0) {
            bit += (uint64_t)__builtin_ctzll(word);
            break;
        }
    }
    for (; level > 0; level--) {
        bit = bit << 6 | (uint64_t)__builtin_ctzll(set->levels[level - 1][bit]);
    }
    return bit;
}

unsigned pgm_page_set_verify(const PgmPageSet *set)
{
    unsigned n_bad = 0;
    uint64_t n_bits = set->n_pages;
    uint64_t n_set = 0;

    for (unsigned level = 0; level < set->n_levels; level++, n_bits = words_for(n_bits)) {
        for (uint64_t w = 0; w < words_for(n_bits); w++) {
            uint64_t word = set->levels[level][w];
            bool tail = w == n_bits / 64 && word >> (n_bits % 64) != 0;

            n_set += level == 0 ? (uint64_t)__builtin_popcountll(word) : 0;
            n_bad += tail;
            if (level + 1 < set->n_levels) {
                n_bad += (word != 0) != (set->levels[level + 1][w >> 6] >> (w & 63) & 1);
            }
        }
    }
    return n_bad + (n_set != set->n_set);
}
