/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be done with a page: the rules of types, states, ROM protections and handlers in one
 * place, for the page-map TLB, bulk access and CPUs alike.
 *
 * Source: the order of tests is that of VirtualBox's pointer lookup for its recompiler, with
 * ballooned pages caught on writes and disabled handlers counted as armed for CPUs.
 */
#include "memsys/pgm-internal.h"

static void view_handlers(const PgmPlace *place, PgmHandlerState handler, PgmView *view)
{
    view->read_caught |= handler == PGM_HANDLER_ALL;
    view->write_caught |= handler >= PGM_HANDLER_WRITE;
    if (handler == PGM_HANDLER_DISABLED) {
        handler = pgm_handler_page_state(place->range, place->index, true);
    }
    view->cpu_read_caught |= handler == PGM_HANDLER_ALL;
    view->cpu_write_caught |= handler >= PGM_HANDLER_WRITE;
}

void pgm_view(const PgmPlace *place, PgmView *ret_view)
{
    PgmPage front = *pgm_range_page(place->range, place->index);
    PgmPage page = front;
    bool caught = false;

    if (pgm_page_type(front) == PGM_PAGE_MMIO) {
        *ret_view = (PgmView) { .read_caught = true,
                                .write_caught = true,
                                .cpu_read_caught = true,
                                .cpu_write_caught = true };
        return;
    }
    if (place->range->kind == PGM_RANGE_ROM) {
        PgmRecord written;
        PgmRecord read = pgm_rom_read_record(place->range, place->index);

        caught = !pgm_rom_write_record(place->range, place->index, &written) || written != read;
        if (read == PGM_RECORD_SHADOW) {
            page = *pgm_shadow_page(place->range, place->index);
        }
    }
    caught |= pgm_page_state(page) == PGM_PAGE_BALLOONED;
    *ret_view = (PgmView) { .has_memory = true,
                            .write_caught = caught,
                            .cpu_write_caught = caught,
                            .writable = pgm_page_state(page) == PGM_PAGE_ALLOCATED,
                            .read_id = pgm_page_id(page) };
    if (pgm_page_handler(front) != PGM_HANDLER_NONE) {
        view_handlers(place, pgm_page_handler(front), ret_view);
    }
}
