/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a machine's thread sees: it compares with the model; and the callbacks. */
#include "tests/model/threads/threads.h"

void on_own_thread(Pgm *pgm, const void *user)
{
    const Machine *m = user;

    if (m->pgm != pgm || !pthread_equal(pthread_self(), m->thread)) {
        fail("a callback of machine %u ran elsewhere", m->number);
    }
}

PgmHandlerResult handled(Pgm *pgm, const PgmHandlerAccess *access, void *user)
{
    on_own_thread(pgm, user);
    if (access->gpa < WILD * PAGE || access->gpa >= (WILD + N_WILD) * PAGE) {
        fail("the handler was called for 0x%" PRIx64, access->gpa);
    }
    count(&n_handled);
    return PGM_HANDLER_DO_DEFAULT;
}

void hit(Pgm *pgm, const PgmWatchHit *info, void *user)
{
    on_own_thread(pgm, user);
    if (info->gpa >= N_MINE * PAGE) {
        fail("the watch was hit at 0x%" PRIx64, info->gpa);
    }
    count(&n_hits);
}

uint64_t regs_value(const Machine *m, uint64_t offset)
{
    return 0xa5000000u | m->number << 16 | offset;
}

static MemStatus regs_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    const Machine *m = user;

    (void)size;
    on_own_thread(m->pgm, m);
    *ret_value = regs_value(m, offset);
    return MEM_OK;
}

const PgmMmioOps regs_ops = { .read = regs_read, .min_size = 4, .max_size = 4 };

void check_piece(Machine *m, GPhys gpa, size_t len)
{
    static _Thread_local uint8_t got[N_MINE * PAGE];

    must(pgm_read(m->pgm, gpa, got, len, MEM_ORIGIN_DEVICE), "reading RAM");
    compare(m->now.ram + gpa, got, len, gpa, "RAM");
}

static void check_rom_page(Machine *m, unsigned i)
{
    uint8_t got[PAGE], image[PAGE];
    PgmRomProt prot;

    memset(image, ROM_BYTE, sizeof image);
    if (!pgm_rom_get_protection(m->pgm, ROM + i * PAGE, &prot) || prot != m->now.prots[i]) {
        fail("ROM page %u has another protection than %d", i, m->now.prots[i]);
    }
    must(pgm_read(m->pgm, ROM + i * PAGE, got, PAGE, MEM_ORIGIN_DEVICE), "reading ROM");
    bool reads_ram = prot == PGM_ROM_READ_RAM_WRITE_IGNORE || prot == PGM_ROM_READ_RAM_WRITE_RAM;

    compare(reads_ram ? m->now.shadow + i * PAGE : image, got, PAGE, ROM + i * PAGE, "ROM");
}

void check_areas(Machine *m)
{
    uint8_t got[AREA];

    if (pgm_mmio2_address(m->vram) != m->now.vram_at ||
        pgm_mmio_address(m->regs) != m->now.regs_at) {
        fail("VRAM or REGS is mapped elsewhere");
    }
    if (m->now.vram_at != MEM_GPHYS_NIL) {
        must(pgm_read(m->pgm, m->now.vram_at, got, AREA, MEM_ORIGIN_DEVICE), "reading VRAM");
        compare(m->now.vram, got, AREA, m->now.vram_at, "VRAM");
    }
    if (m->now.regs_at != MEM_GPHYS_NIL &&
        pgm_read_u32(m->pgm, m->now.regs_at + 8) != regs_value(m, 8)) {
        fail("REGS do not answer");
    }
    for (unsigned i = 0; i < N_AREA; i++) {
        check_rom_page(m, i);
    }
}

void check_spread(Machine *m, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++) {
        uint64_t got = pgm_read_u64(m->pgm, (SPREAD + i) * PAGE);

        if (got != m->now.spread[i]) {
            fail("page %u shows 0x%016" PRIx64 " instead of 0x%016" PRIx64, SPREAD + i, got,
                 m->now.spread[i]);
        }
    }
}

void op_check(Machine *m)
{
    GPhys gpa = draw(N_MINE * PAGE), len = draw(4 * PAGE) + 1;

    check_piece(m, gpa, MIN(len, N_MINE * PAGE - gpa));
    check_spread(m, draw(N_SPREAD - 8), 8);
    if (draw(8) == 0) {
        check_areas(m);
    }
}

void check_dirty(Machine *m)
{
    for (unsigned i = 0; m->dirty != NULL && i < N_MINE; i++) {
        if (memcmp(m->clean + i * PAGE, m->now.ram + i * PAGE, PAGE) != 0 &&
            !pgm_dirty_contains(m->dirty, i * PAGE)) {
            fail("page %u was written, and the dirty client does not know", i);
        }
    }
}

void check_yard(Machine *m, unsigned v)
{
    uint8_t got[N_YARD * PAGE];
    Yard *yard = &m->yards[v];

    must(pgm_read(m->pgm, YARD(v) * PAGE, got, sizeof got, MEM_ORIGIN_DEVICE), "reading a yard");
    if (yard->known == epoch_of(m)) {
        compare(yard->bytes, got, sizeof got, YARD(v) * PAGE, "a yard");
    }
    memcpy(yard->bytes, got, sizeof got);
    yard->known = epoch_of(m);
}
