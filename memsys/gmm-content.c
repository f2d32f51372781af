/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Published pages: shared ones that can be found by their bytes.
 *
 *   heads[hash & mask] -> page id -> next[page id] -> ... -> 0
 *
 * The low 29 bits of a page's hash stand in its record, so the tables hold nothing but links. They
 * are address ranges of fixed length, touched where pages are published. Hashes are no secret, and
 * a guest can make as many pages as it likes fall into one bucket: a chain has at most
 * GMM_CHAIN_MAX pages, and what would come after is not published.
 */
#include "memsys/gmm-internal.h"

#include <string.h>
#include <xxhash.h>

#define BUCKETS_MOST (UINT64_C(1) << 18)
#define HINTS_MOST (UINT64_C(1) << 20)
#define TABLE_LEAST UINT64_C(1024)

G_STATIC_ASSERT(BUCKETS_MOST <= UINT64_C(1) << GMM_REC_HASH_BITS);

/* A power of two: @wanted or more, within bounds. */
static uint64_t table_size(uint64_t wanted, uint64_t most)
{
    uint64_t n = TABLE_LEAST;

    while (n < wanted && n < most) {
        n *= 2;
    }
    return n;
}

void gmm_content_clear(Gmm *gmm)
{
    GmmContent *content = &gmm->content;

    if (content->heads != NULL) {
        gmm->os->unmap(content->heads, content->heads_len);
    }
    if (content->next != NULL) {
        gmm->os->unmap(content->next, content->next_len);
    }
    if (content->hints != NULL) {
        gmm->os->unmap(content->hints, content->hints_len);
    }
    *content = (GmmContent) { 0 };
}

bool gmm_content_ready(Gmm *gmm)
{
    GmmContent *content = &gmm->content;
    uint64_t n_pages = (uint64_t)gmm->n_arena_chunks * MEM_CHUNK_PAGES;
    uint64_t n_buckets = table_size(n_pages / 8, BUCKETS_MOST);
    uint64_t n_hints = table_size(n_pages / 4, HINTS_MOST);

    if (content->hints != NULL) {
        return true;
    }
    content->bucket_mask = (uint32_t)(n_buckets - 1);
    content->hint_mask = (uint32_t)(n_hints - 1);
    content->heads_len = n_buckets * sizeof(PageId);
    content->next_len = n_pages * sizeof(PageId);
    content->hints_len = n_hints * sizeof(GmmHint);
    content->heads = gmm->os->map_zeros(content->heads_len);
    content->next = content->heads != NULL ? gmm->os->map_zeros(content->next_len) : NULL;
    content->hints = content->next != NULL ? gmm->os->map_zeros(content->hints_len) : NULL;
    if (content->hints == NULL) {
        gmm_content_clear(gmm);
        return false;
    }
    return true;
}

static PageId *bucket_of(const Gmm *gmm, uint64_t hash)
{
    return &gmm->content.heads[hash & gmm->content.bucket_mask];
}

PageId gmm_content_find(const Gmm *gmm, uint64_t hash, const void *bytes)
{
    uint32_t low = gmm_rec_hash(gmm_rec_publish(0, hash));

    for (PageId id = *bucket_of(gmm, hash); id != 0; id = gmm->content.next[id]) {
        if (gmm_rec_hash(gmm->records[id]) == low && gmm_rec_refs(gmm->records[id]) < UINT32_MAX &&
            memcmp(gmm_page_bytes(gmm, id), bytes, MEM_PAGE_SIZE) == 0) {
            return id;
        }
    }
    return MEM_ZERO_PAGE_ID;
}

bool gmm_content_has_room(const Gmm *gmm, uint64_t hash)
{
    unsigned n = 0;

    for (PageId id = *bucket_of(gmm, hash); id != 0; id = gmm->content.next[id]) {
        n++;
    }
    return n < GMM_CHAIN_MAX;
}

void gmm_content_add(Gmm *gmm, PageId id, uint64_t hash)
{
    PageId *head = bucket_of(gmm, hash);

    gmm->records[id] = gmm_rec_publish(gmm->records[id], hash);
    gmm->content.next[id] = *head;
    *head = id;
    gmm->content.n_pages++;
}

void gmm_content_remove(Gmm *gmm, PageId id)
{
    uint64_t rec = gmm->records[id];

    if (!gmm_rec_is_published(rec)) {
        return;
    }

    PageId *link = bucket_of(gmm, gmm_rec_hash(rec));

    while (*link != id) {
        g_assert(*link != 0);
        link = &gmm->content.next[*link];
    }
    *link = gmm->content.next[id];
    gmm->content.next[id] = 0;
    gmm->content.n_pages--;
    gmm->records[id] = gmm_rec_shared(gmm_rec_refs(rec));
}

/* ---- checker */
static bool is_sound(Gmm *gmm, PageId id, uint32_t bucket)
{
    uint64_t rec = gmm_chunk_lookup(gmm, id) != NULL ? gmm->records[id] : 0;

    return gmm_rec_is_published(rec) && (gmm_rec_hash(rec) & gmm->content.bucket_mask) == bucket &&
           gmm_rec_hash(rec) ==
               gmm_rec_hash(
                   gmm_rec_publish(0, XXH3_64bits(gmm_page_bytes(gmm, id), (size_t)MEM_PAGE_SIZE)));
}

unsigned gmm_content_verify(Gmm *gmm, uint64_t n_published, GString *report)
{
    const GmmContent *content = &gmm->content;
    uint64_t n_found = 0;
    unsigned n_bad = 0;

    for (uint32_t i = 0; content->heads != NULL && i <= content->bucket_mask; i++) {
        unsigned n = 0;

        for (PageId id = content->heads[i]; id != 0 && n <= GMM_CHAIN_MAX; n++) {
            if (n == GMM_CHAIN_MAX || !is_sound(gmm, id, i)) {
                n_bad++;
                if (report != NULL) {
                    g_string_append_printf(report,
                                           "gmm: page %u: in chain %u of the content table, but "
                                           "not published with that hash, or twice\n",
                                           id, i);
                }
                break;
            }
            n_found++;
            id = content->next[id];
        }
    }
    if (n_found != n_published || content->n_pages != n_published) {
        n_bad++;
        if (report != NULL) {
            g_string_append_printf(report,
                                   "gmm: %" G_GUINT64_FORMAT
                                   " pages are published, %" G_GUINT64_FORMAT
                                   " counted, %" G_GUINT64_FORMAT " found\n",
                                   n_published, content->n_pages, n_found);
        }
    }
    return n_bad;
}
