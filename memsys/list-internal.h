/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PgmList: an array of pointers that grows through the host's table (memsys/os.h), where a
 * GPtrArray would end the process. Room is made first, by a call that may fail; adding and removing
 * cannot. g_ptr_array_index() reads it too.
 *
 * Invariant: len <= room, and pdata has room places.
 */
#pragma once

#include "memsys/os.h"

#include <glib.h>
#include <string.h>

typedef struct PgmList {
    void **pdata;
    unsigned len;
    unsigned room;
} PgmList;

/* Makes an array hold @n elements of @size bytes, by doubling. False: no memory, nothing changed.
 */
static inline bool mem_array_reserve(const MemOs *os, void **array, unsigned *room, uint64_t n,
                                     size_t size)
{
    uint64_t wanted = MAX(*room, 16u);

    if (n <= *room) {
        return true;
    }
    while (wanted < n) {
        wanted *= 2;
    }
    void *grown = wanted <= UINT_MAX ? os->try_realloc(*array, wanted * size) : NULL;

    if (!grown) {
        return false;
    }
    *array = grown;
    *room = (unsigned)wanted;
    return true;
}

/* Room for one more. */
static inline bool pgm_list_reserve(const MemOs *os, PgmList *list)
{
    void *array = list->pdata;
    bool ok = mem_array_reserve(os, &array, &list->room, (uint64_t)list->len + 1, sizeof(void *));

    list->pdata = array;
    return ok;
}

/* After pgm_list_reserve(). */
static inline void pgm_list_insert(PgmList *list, unsigned at, void *item)
{
    g_assert(list->len < list->room && at <= list->len);
    memmove(&list->pdata[at + 1], &list->pdata[at], (list->len - at) * sizeof(void *));
    list->pdata[at] = item;
    list->len++;
}

/* The others keep their order. No-op if it is not there. */
static inline void pgm_list_remove(PgmList *list, const void *item)
{
    for (unsigned i = list->len; i-- > 0;) {
        if (list->pdata[i] == item) {
            list->len--;
            memmove(&list->pdata[i], &list->pdata[i + 1], (list->len - i) * sizeof(void *));
            return;
        }
    }
}

static inline void pgm_list_clear(const MemOs *os, PgmList *list)
{
    os->free(list->pdata);
    *list = (PgmList) { 0 };
}
