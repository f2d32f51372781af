/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slips between two words; see slips.h.
 */
#include "slips.h"

#include <glib.h>
#include <limits.h>
#include <string.h>

unsigned fe_slips(const char *a, size_t a_len, const char *b)
{
    unsigned rows[3][FE_SLIPS_MAX_WORD + 1]; /* those of a's prefixes of i, i - 1, i - 2 letters */
    size_t b_len = strlen(b);

    g_assert(b_len <= FE_SLIPS_MAX_WORD);
    if (a_len > FE_SLIPS_MAX_WORD) {
        return UINT_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *above_that = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned exchanged = above[j - 1] + (a[i - 1] != b[j - 1]);

            row[j] = MIN(MIN(above[j], row[j - 1]) + 1, exchanged);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = MIN(row[j], above_that[j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}
