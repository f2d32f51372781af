/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For chips with a public state table: every limit in it holds. Goes with chip-fixture.h. */
#pragma once

#include "chip-fixture.h"
#include "emu/state.h"

/* Each field with a limit, set one above it, is refused. Fails if the table has no limit at all. */
static inline void check_limits(const EmuStateDesc *desc, SaveFunc save, LoadFunc load)
{
    unsigned n_checked = 0;

    for (unsigned i = 0; i < desc->n_fields; i++) {
        const EmuField *field = &desc->fields[i];
        uint64_t fits = UINT64_MAX >> (64 - 8 * field->elem_size);

        if (field->max == 0 || field->max == fits) {
            continue;
        }
        check_refused(save, load, desc->name, field->name, field->elem_size, field->max + 1);
        check_refused(save, load, desc->name, field->name, field->elem_size, fits);
        n_checked++;
    }
    ck_assert_uint_gt(n_checked, 0);
}
