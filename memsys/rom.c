/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ROM and its shadow RAM. A shadowed page has two records: the front one (the ROM's bytes,
 * handlers, "seen") and the shadow's. Which of them reads see and writes reach follows from the
 * page's protection alone:
 *
 *   protection            reads see   writes reach
 *   READ_ROM_WRITE_IGNORE   front       nothing
 *   READ_ROM_WRITE_RAM      front       shadow
 *   READ_RAM_WRITE_IGNORE   shadow      nothing
 *   READ_RAM_WRITE_RAM      shadow      shadow     (to TLBs: plain RAM)
 *
 * Handler bits stay on the front record whatever is shown, and a request that starts below the ROM
 * or spans a gap works (VirtualBox has trouble with both).
 */
#include "memsys/pgm-internal.h"

#include <inttypes.h>
#include <string.h>

#define ROM_MAX (UINT64_C(4) << 30) /* its bytes are kept twice: no room for absurd sizes */

static bool prot_reads_ram(PgmRomProt prot)
{
    return prot == PGM_ROM_READ_RAM_WRITE_IGNORE || prot == PGM_ROM_READ_RAM_WRITE_RAM;
}

static bool prot_writes_ram(PgmRomProt prot)
{
    return prot == PGM_ROM_READ_ROM_WRITE_RAM || prot == PGM_ROM_READ_RAM_WRITE_RAM;
}

PgmRecord pgm_rom_read_record(const PgmRange *range, uint64_t index)
{
    const PgmRom *rom = (const PgmRom *)range;

    return prot_reads_ram((PgmRomProt)rom->prot[index]) ? PGM_RECORD_SHADOW : PGM_RECORD_FRONT;
}

bool pgm_rom_write_record(const PgmRange *range, uint64_t index, PgmRecord *ret_which)
{
    const PgmRom *rom = (const PgmRom *)range;

    *ret_which = PGM_RECORD_SHADOW;
    return prot_writes_ram((PgmRomProt)rom->prot[index]);
}

/* ---- registering */

/* The pages of the image, shared with all who have equal ones, and the front records; all or
 * nothing. */
static MemStatus take_pages(PgmRom *rom, GError **error)
{
    PgmRange *range = &rom->range;
    Pgm *pgm = range->pgm;
    uint64_t done = 0;
    MemStatus status = MEM_OK;

    pgm_free_flush(pgm);
    while (done < range->n_pages && status == MEM_OK) {
        PageId id;

        status = gmm_vm_share_image(pgm->mm.vm, rom->image + (done << MEM_PAGE_SHIFT), &id);
        if (status == MEM_OK) {
            /* The id may have been ours before, with code that was other bytes. */
            pgm_code_written(pgm, id, 0, MEM_PAGE_SIZE);
            pgm_page_init(range, done++, PGM_RECORD_FRONT,
                          pgm_page_make(PGM_PAGE_ROM, PGM_PAGE_SHARED, id));
        }
    }
    for (uint64_t i = 0; status == MEM_OK && rom->shadow && i < range->n_pages; i++) {
        pgm_page_init(range, i, PGM_RECORD_SHADOW,
                      pgm_page_make(PGM_PAGE_ROM_SHADOW, PGM_PAGE_ZERO, MEM_ZERO_PAGE_ID));
    }
    if (status == MEM_OK) {
        return MEM_OK;
    }
    for (uint64_t i = 0; i < done; i++) {
        pgm_pages_count(pgm, range->pages[i], 1, -1);
        pgm_free_id(pgm, pgm_page_id(range->pages[i]));
    }
    pgm_free_flush(pgm);
    g_set_error(error, MEM_ERROR, MEM_ERR_NO_MEMORY,
                "ROM \"%s\": no memory for %" PRIu64 " pages: %s", range->description,
                range->n_pages, mem_status_name(status));
    return MEM_ERR_NO_MEMORY;
}

static void rom_clear(PgmRom *rom)
{
    const MemOs *os = rom->range.pgm->os;
    void *parts[] = { rom->shadow, rom->prot, rom->image };

    pgm_range_clear(&rom->range);
    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (parts[i]) {
            os->free(parts[i]);
        }
    }
    g_free(rom);
}

/* Everything but pages and place; NULL with @error. */
static PgmRom *rom_prepare(Pgm *pgm, uint64_t len, const void *image, uint64_t image_len,
                           uint8_t fill, PgmRomFlags flags, const char *owner,
                           const char *description, MemStatus *ret_status, GError **error)
{
    g_autofree PgmRom *rom = g_new0(PgmRom, 1);

    *ret_status =
        pgm_range_init(&rom->range, pgm, PGM_RANGE_ROM, len, true, owner, description, error);
    if (*ret_status != MEM_OK) {
        return NULL;
    }
    uint64_t n = rom->range.n_pages;

    rom->image = pgm->os->try_alloc0(len);
    rom->prot = pgm->os->try_alloc0(n);
    rom->shadow = (flags & PGM_ROM_FLAG_SHADOWED) ? pgm->os->try_alloc0(n * sizeof(PgmPage)) : NULL;
    if (!rom->image || !rom->prot || ((flags & PGM_ROM_FLAG_SHADOWED) && !rom->shadow)) {
        *ret_status = MEM_ERR_HOST_MEMORY;
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                    "ROM \"%s\": no host memory for 0x%" PRIx64 " bytes", rom->range.description,
                    len);
        rom_clear(g_steal_pointer(&rom));
        return NULL;
    }
    if (image_len > 0) {
        memcpy(rom->image, image, image_len);
    }
    memset(rom->image + image_len, fill, len - image_len);
    return g_steal_pointer(&rom);
}

MemStatus pgm_rom_register(Pgm *pgm, GPhys start, uint64_t len, const void *image,
                           uint64_t image_len, uint8_t fill, PgmRomFlags flags, const char *owner,
                           const char *description, GError **error)
{
    g_assert(image || image_len == 0);
    MemStatus status;

    if (len > ROM_MAX) {
        g_set_error(error, MEM_ERROR, MEM_ERR_OUT_OF_RANGE,
                    "ROM \"%s\": 0x%" PRIx64 " bytes are more than 4 GiB",
                    description ? description : "", len);
        return MEM_ERR_OUT_OF_RANGE;
    }
    if (image_len > len) {
        g_set_error(error, MEM_ERROR, MEM_ERR_OUT_OF_RANGE,
                    "ROM \"%s\": the image of 0x%" PRIx64 " bytes does not fit in 0x%" PRIx64,
                    description ? description : "", image_len, len);
        return MEM_ERR_OUT_OF_RANGE;
    }
    PgmRom *rom =
        rom_prepare(pgm, len, image, image_len, fill, flags, owner, description, &status, error);

    if (!rom) {
        return status;
    }
    PgmRange *range = &rom->range;
    int64_t n = (int64_t)range->n_pages * (rom->shadow ? 2 : 1);

    status = mm_adjust(&pgm->mm, GMM_ACCOUNT_BASE, n, range->description, error);
    if (status != MEM_OK) {
        rom_clear(rom);
        return status;
    }
    status = pgm_range_check(range, start, error);
    if (status == MEM_OK) {
        status = take_pages(rom, error);
    }
    if (status == MEM_OK) {
        status = pgm_range_map(range, start, error);
        g_assert(status == MEM_OK);
        return MEM_OK;
    }
    MemStatus undone = mm_adjust(&pgm->mm, GMM_ACCOUNT_BASE, -n, range->description, NULL);

    g_assert(undone == MEM_OK);
    rom_clear(rom);
    return status;
}

void pgm_rom_destroy(PgmRange *range)
{
    PgmRom *rom = pgm_rom_of(range);
    Pgm *pgm = range->pgm;
    int64_t n = (int64_t)range->n_pages * (rom->shadow ? 2 : 1);

    pgm_tracking_range_gone(range);
    pgm_range_unmap(range);
    for (uint64_t i = 0; i < range->n_pages; i++) {
        PageId id = pgm_page_id(range->pages[i]);

        if (rom->shadow) {
            pgm_page_set_locks(range, i, PGM_RECORD_SHADOW, 0, 0); /* "for good" ends here */
            pgm_page_to_zero(range, i, PGM_RECORD_SHADOW);
            pgm_pages_count(pgm, rom->shadow[i], 1, -1);
        }
        pgm_pages_count(pgm, range->pages[i], 1, -1);
        pgm_forget_code(pgm, id);
        pgm_free_id(pgm, id);
    }
    pgm_free_flush(pgm);
    MemStatus status = mm_adjust(&pgm->mm, GMM_ACCOUNT_BASE, -n, range->description, NULL);

    g_assert(status == MEM_OK);
    rom_clear(rom);
}

MemStatus pgm_rom_deregister(Pgm *pgm, GPhys start)
{
    const PgmSpan *span = pgm_span_lookup(pgm, start);

    if (!span || span->range->kind != PGM_RANGE_ROM || span->range->start != start) {
        return MEM_ERR_NOT_FOUND;
    }
    pgm_rom_destroy(span->range);
    return MEM_OK;
}

/* ---- protection */

static void set_prot(PgmRange *range, uint64_t index, PgmRomProt prot)
{
    PgmRom *rom = (PgmRom *)range;
    PgmRecord old_read = pgm_rom_read_record(range, index);
    PageId old_id =
        pgm_page_id(old_read == PGM_RECORD_SHADOW ? rom->shadow[index] : range->pages[index]);

    pgm_lock(range->pgm);
    pgm_layout_changed(range->pgm);
    rom->prot[index] = (uint8_t)prot;
    pgm_unlock(range->pgm);
    range->pgm->stats.rom_switched_pages++;
    /* Code of the page that was shown matters only if another is shown now. */
    pgm_page_view_changed(range, index,
                          pgm_rom_read_record(range, index) != old_read &&
                              pgm_id_executed(range->pgm, old_id));
}

/* Calls set_prot() for the pages of [first, last] that change, or only counts them. */
static uint64_t protect_pages(Pgm *pgm, GPhys first, GPhys last, PgmRomProt prot, bool count_only)
{
    uint64_t n_changed = 0;

    for (unsigned i = pgm_span_index_above(pgm, first);
         i < pgm->spans.n && pgm->spans.spans[i].first <= last; i++) {
        PgmSpan span = pgm->spans.spans[i];

        if (span.range->kind != PGM_RANGE_ROM || !pgm_rom_of(span.range)->shadow) {
            continue;
        }
        GPhys from = MAX(span.first, first);
        uint64_t index = (from - span.range->start) >> MEM_PAGE_SHIFT;
        uint64_t end = (MIN(span.last, last) - span.range->start) >> MEM_PAGE_SHIFT;

        for (; index <= end; index++) {
            if (pgm_rom_of(span.range)->prot[index] != prot) {
                n_changed++;
                if (!count_only) {
                    set_prot(span.range, index, prot);
                }
            }
        }
    }
    return n_changed;
}

MemStatus pgm_rom_protect(Pgm *pgm, GPhys start, uint64_t len, PgmRomProt prot)
{
    pgm->stats.rom_protect_calls++;
    if ((unsigned)prot >= PGM_N_ROM_PROTS) {
        return MEM_ERR_INVALID_PARAMETER;
    }
    if (((start | len) & ~MEM_PAGE_MASK) != 0) {
        return MEM_ERR_UNALIGNED;
    }
    if (len == 0) {
        return MEM_OK;
    }
    GPhys last = len - 1 > UINT64_MAX - start ? UINT64_MAX : start + (len - 1);

    uint64_t n_changed = protect_pages(pgm, start, last, prot, true);
    bool batch = n_changed > PGM_TELL_EACH_MAX;

    if (batch) {
        pgm_batch_begin(pgm);
    }
    (void)protect_pages(pgm, start, last, prot, false);
    if (batch) {
        pgm_batch_end(pgm);
    }
    if (pgm->rom_protect_hook) {
        pgm->rom_protect_hook(pgm, start, len, prot, n_changed, pgm->rom_protect_user);
    }
    return MEM_OK;
}

void pgm_rom_set_protect_hook(Pgm *pgm, PgmRomProtectHook hook, void *user)
{
    pgm->rom_protect_hook = hook;
    pgm->rom_protect_user = user;
}

bool pgm_rom_get_protection(const Pgm *pgm, GPhys gpa, PgmRomProt *ret_prot)
{
    const PgmSpan *span = pgm_span_at_or_above(pgm, gpa);

    if (!span || gpa < span->first || span->range->kind != PGM_RANGE_ROM) {
        return false;
    }
    *ret_prot =
        (PgmRomProt)pgm_rom_of(span->range)->prot[(gpa - span->range->start) >> MEM_PAGE_SHIFT];
    return true;
}

void pgm_rom_restore_prots(PgmRange *range, const uint8_t *prots)
{
    for (uint64_t i = 0; i < range->n_pages; i++) {
        if (pgm_rom_of(range)->prot[i] != prots[i]) {
            set_prot(range, i, (PgmRomProt)prots[i]);
        }
    }
}

void pgm_rom_protect_pages(PgmRange *range, uint64_t index, uint64_t n, PgmRomProt prot)
{
    if (range->start != MEM_GPHYS_NIL) {
        MemStatus status = pgm_rom_protect(range->pgm, range->start + (index << MEM_PAGE_SHIFT),
                                           n << MEM_PAGE_SHIFT, prot);

        g_assert(status == MEM_OK);
        return;
    }
    for (uint64_t i = index; i < index + n; i++) {
        if (pgm_rom_of(range)->prot[i] != prot) {
            set_prot(range, i, prot);
        }
    }
}

bool pgm_rom_is_patched(const PgmRange *range, uint64_t index)
{
    return memcmp(pgm_host(range->pgm, pgm_page_id(range->pages[index])),
                  ((const PgmRom *)range)->image + (index << MEM_PAGE_SHIFT), MEM_PAGE_SIZE) != 0;
}

/* What a debugger patched is the factory's again. */
static MemStatus heal(PgmRange *range, uint64_t index)
{
    MemStatus status = pgm_page_make_writable(range, index, PGM_RECORD_FRONT);

    if (status == MEM_OK) {
        PageId id = pgm_page_id(range->pages[index]);

        /* Other threads may be reading it. */
        pgm_host_copy(pgm_host(range->pgm, id),
                      pgm_rom_of(range)->image + (index << MEM_PAGE_SHIFT), MEM_PAGE_SIZE);
        pgm_code_written(range->pgm, id, 0, MEM_PAGE_SIZE);
    }
    return status;
}

MemStatus pgm_rom_reset(PgmRange *range)
{
    const PgmRom *rom = pgm_rom_of(range);
    MemStatus worst = MEM_OK;

    for (uint64_t i = 0; i < range->n_pages; i++) {
        MemStatus status = MEM_OK;

        if (rom->prot[i] != PGM_ROM_READ_ROM_WRITE_IGNORE) {
            set_prot(range, i, PGM_ROM_READ_ROM_WRITE_IGNORE);
        }
        if (rom->shadow) {
            status = pgm_page_reset(range, i, PGM_RECORD_SHADOW);
        }
        if (status == MEM_OK && pgm_rom_is_patched(range, i)) {
            status = heal(range, i);
        }
        worst = status != MEM_OK ? status : worst;
    }
    return worst;
}
