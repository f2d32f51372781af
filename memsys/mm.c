/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a machine's RAM lies, and what it has reserved for it.
 *
 * The reservation grows and shrinks with what is registered, so it needs no total computed
 * beforehand (which went below zero for a machine of less than 384 KiB in the model we follow).
 *
 * Source: VirtualBox's MM as restated in the project's notes.
 */
#include "memsys/mm-internal.h"

#define CONVENTIONAL_END (UINT64_C(640) << 10)
#define MIB_1 (UINT64_C(1) << 20)
#define MIB_2 (UINT64_C(2) << 20)
#define GIB_4 (UINT64_C(4) << 30)

/* ---- layout */
static bool check_ram_size(uint64_t ram_size, GError **error)
{
    if (ram_size < MEM_PAGE_SIZE || ram_size > MM_RAM_MAX) {
        g_set_error(error, MEM_ERROR, MEM_ERR_OUT_OF_RANGE,
                    "RAM size of %" G_GUINT64_FORMAT " bytes: 4 KiB to 16 TiB are allowed",
                    ram_size);
        return false;
    }
    if (ram_size % MEM_PAGE_SIZE != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "RAM size of %" G_GUINT64_FORMAT " bytes: must be a multiple of 4 KiB",
                    ram_size);
        return false;
    }
    return true;
}

static bool check_hole_size(uint64_t hole_size, GError **error)
{
    if (hole_size <= MM_HOLE_ABOVE) {
        g_set_error(error, MEM_ERROR, MEM_ERR_OUT_OF_RANGE,
                    "RAM hole of %" G_GUINT64_FORMAT " bytes is too small: it must be larger than "
                    "16 MiB",
                    hole_size);
        return false;
    }
    if (hole_size > MM_HOLE_MAX) {
        g_set_error(error, MEM_ERROR, MEM_ERR_OUT_OF_RANGE,
                    "RAM hole of %" G_GUINT64_FORMAT " bytes is too large: at most 4032 MiB are "
                    "allowed",
                    hole_size);
        return false;
    }
    if (hole_size % MM_HOLE_UNIT != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "RAM hole of %" G_GUINT64_FORMAT " bytes: must be a multiple of 4 MiB",
                    hole_size);
        return false;
    }
    return true;
}

unsigned mm_layout_x86(uint64_t ram_size, uint64_t hole_size, MmRegion *ret_regions, GError **error)
{
    uint64_t hole = hole_size != 0 ? hole_size : MM_HOLE_DEFAULT;

    if (!check_ram_size(ram_size, error) || !check_hole_size(hole, error)) {
        return 0;
    }

    uint64_t below_4g = MIN(ram_size, GIB_4 - hole);
    const struct {
        GPhys start, end;
        const char *description;
    } parts[MM_X86_MAX_REGIONS] = {
        { 0, MIN(below_4g, CONVENTIONAL_END), "Conventional RAM" },
        { MIB_1, MIN(below_4g, MIB_2), "Extended RAM, 1M to 2M" },
        /* Apart from the one before, so that the bulk of RAM starts where a chunk could. */
        { MIB_2, below_4g, "Extended RAM, above 2M" },
        { GIB_4, GIB_4 + (ram_size - below_4g), "RAM above 4G" },
    };
    unsigned n_regions = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (parts[i].end > parts[i].start) {
            ret_regions[n_regions++] = (MmRegion) { .start = parts[i].start,
                                                    .len = parts[i].end - parts[i].start,
                                                    .description = parts[i].description };
        }
    }
    return n_regions;
}

MemStatus mm_register_x86(Pgm *pgm, uint64_t ram_size, uint64_t hole_size, GError **error)
{
    Mm *mm = pgm_mm(pgm);
    MmRegion regions[MM_X86_MAX_REGIONS];
    g_autoptr(GError) why = NULL;

    if (mm->ram.size != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_WRONG_ORDER,
                    "machine %s has its %" G_GUINT64_FORMAT " MiB of RAM already", pgm_name(pgm),
                    mm->ram.size >> 20);
        return MEM_ERR_WRONG_ORDER;
    }

    unsigned n_regions = mm_layout_x86(ram_size, hole_size, regions, &why);
    if (n_regions == 0) {
        MemStatus status = (MemStatus)why->code;

        g_propagate_error(error, g_steal_pointer(&why));
        return status;
    }

    for (unsigned i = 0; i < n_regions; i++) {
        MemStatus status =
            pgm_ram_register(pgm, regions[i].start, regions[i].len, regions[i].description, error);
        if (status != MEM_OK) {
            while (i-- > 0) {
                pgm_ram_withdraw(pgm, regions[i].start);
            }
            return status;
        }
    }

    uint64_t hole = hole_size != 0 ? hole_size : MM_HOLE_DEFAULT;
    uint64_t below_4g = MIN(ram_size, GIB_4 - hole);

    mm->ram = (MmRam) {
        .size = ram_size, .hole = hole, .below_4g = below_4g, .above_4g = ram_size - below_4g
    };
    return MEM_OK;
}

void mm_get_ram(const Pgm *pgm, MmRam *ret_ram)
{
    *ret_ram = pgm_mm(pgm)->ram;
}

/* ---- reservations */
void mm_init(Mm *mm, Gmm *gmm, const char *name, GmmPolicy policy)
{
    *mm = (Mm) { .vm = gmm_vm_new(gmm, name), .policy = policy };
}

uint64_t mm_clear(Mm *mm)
{
    uint64_t n_left = gmm_vm_free(mm->vm);

    *mm = (Mm) { 0 };
    return n_left;
}

/* Adds @delta to what @account has; false if the result is no number of pages. */
static bool add_pages(uint64_t *n_pages, int64_t delta, uint64_t least)
{
    uint64_t change = delta < 0 ? -(uint64_t)delta : (uint64_t)delta;

    if (delta < 0) {
        if (change > *n_pages - least) {
            return false;
        }
        *n_pages -= change;
        return true;
    }
    if (change > MEM_GPHYS_LIMIT / MEM_PAGE_SIZE - *n_pages) {
        return false;
    }
    *n_pages += change;
    return true;
}

static const char *account_name(GmmAccount account)
{
    static const char *const names[GMM_N_ACCOUNTS] = {
        [GMM_ACCOUNT_BASE] = "RAM and ROM",
        [GMM_ACCOUNT_SHADOW] = "snapshots",
        [GMM_ACCOUNT_FIXED] = "device memory",
    };

    return names[account];
}

static void set_error(const Mm *mm, GmmAccount account, int64_t delta, const char *what,
                      MemStatus status, GError **error)
{
    g_set_error(error, MEM_ERROR, (gint)status,
                "cannot change the reservation for %s by %" G_GINT64_FORMAT
                " pages (%s; now %" G_GUINT64_FORMAT "): %s%s",
                account_name(account), delta, what, mm->reserved.n_pages[account],
                mem_status_name(status),
                status == MEM_ERR_DECLINED
                    ? ": it does not fit under the global limit; give the machine less memory, "
                      "raise the limit, or allow overcommitment"
                    : "");
}

MemStatus mm_adjust(Mm *mm, GmmAccount account, int64_t delta, const char *what, GError **error)
{
    GmmReservation want = mm->reserved;
    uint64_t least = account == GMM_ACCOUNT_BASE ? MM_HANDY_PAGES : 0;
    MemStatus status = MEM_ERR_OUT_OF_RANGE;

    if (!mm->initial_done) {
        want.n_pages[GMM_ACCOUNT_BASE] = MM_HANDY_PAGES;
    }
    if (add_pages(&want.n_pages[account], delta, least)) {
        status = mm->initial_done ? gmm_vm_update_reservation(mm->vm, &want)
                                  : gmm_vm_reserve(mm->vm, &want, mm->policy);
    }
    if (status != MEM_OK) {
        set_error(mm, account, delta, what, status, error);
        return status;
    }
    mm->reserved = want;
    mm->initial_done = true;
    return MEM_OK;
}

void mm_get_reserved(const Pgm *pgm, GmmReservation *ret_reserved)
{
    *ret_reserved = pgm_mm(pgm)->reserved;
}
