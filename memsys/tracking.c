/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens before a page's bytes change, and as ranges come and go: the current snapshot keeps
 * what it needs, dirty clients hear of it.
 */
#include "memsys/pgm-internal.h"

MemStatus pgm_page_before_change(PgmRange *range, uint64_t index, PgmRecord which)
{
    (void)index;
    (void)which;
    g_assert(!range->pgm->tracking);
    return MEM_OK;
}
