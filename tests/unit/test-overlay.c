/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Overlays at their edges, and overlays that go while somebody uses them.
 */
#include "tests/unit/pgm-fixture.h"

/* A device that remembers the furthest byte it was asked for. */
static uint64_t furthest;
static unsigned n_reads;

static MemStatus note_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    (void)user;
    n_reads++;
    furthest = MAX(furthest, offset + size);
    *ret_value = UINT64_C(0x1111111111111111);
    return MEM_OK;
}

static MemStatus note_write(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    (void)user;
    (void)value;
    furthest = MAX(furthest, offset + size);
    return MEM_OK;
}

static const PgmMmioOps ops = { .read = note_read, .write = note_write };

static PgmMmio *device_at(GPhys gpa, uint64_t len, const char *description)
{
    PgmMmio *mmio = pgm_mmio_new(pgm, len, &ops, NULL, "t", description, NULL);

    ck_assert_int_eq(pgm_mmio_map(mmio, gpa, NULL), MEM_OK);
    furthest = 0;
    n_reads = 0;
    return mmio;
}

/* On the first page of RAM, so that the RAM's page number goes on where the device's ends. */
START_TEST(access_leaves_a_device_at_its_last_byte)
{
    uint64_t value;

    store(HIGH + PAGE, 0x22222222);
    device_at(HIGH, PAGE, "chip");
    ck_assert_int_eq(pgm_bus_read(pgm, HIGH + PAGE - 4, 8, MEM_ORIGIN_DEVICE, &value), MEM_OK);
    ck_assert_uint_eq(value, UINT64_C(0x2222222211111111));
    ck_assert_uint_eq(furthest, PAGE);
    ck_assert_int_eq(pgm_bus_write(pgm, HIGH + PAGE - 4, 8, 0, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(furthest, PAGE);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + PAGE), 0);
}
END_TEST

START_TEST(access_within_a_device_is_one_across_its_pages)
{
    uint64_t value;

    device_at(HOLE, 2 * PAGE, "chip");
    ck_assert_int_eq(pgm_bus_read(pgm, HOLE + PAGE - 4, 4, MEM_ORIGIN_DEVICE, &value), MEM_OK);
    ck_assert_uint_eq(n_reads, 1);
    ck_assert_int_eq(pgm_bus_read(pgm, HOLE + PAGE - 2, 4, MEM_ORIGIN_DEVICE, &value), MEM_OK);
    ck_assert_uint_eq(value, 0x11111111);
    ck_assert_uint_eq(furthest, PAGE + 2);
}
END_TEST

START_TEST(conflict_names_the_overlay_not_the_ram_beneath)
{
    g_autoptr(GError) error = NULL;

    device_at(LOW + PAGE, PAGE, "first chip");
    PgmMmio *second = pgm_mmio_new(pgm, 2 * PAGE, &ops, NULL, "t", "second chip", NULL);

    ck_assert_int_eq(pgm_mmio_map(second, LOW, &error), MEM_ERR_CONFLICT);
    ck_assert_msg(strstr(error->message, "overlaps MMIO \"first chip\"") != NULL, "%s",
                  error->message);
}
END_TEST

START_TEST(conflict_names_ram_when_ram_is_in_the_way)
{
    g_autoptr(GError) error = NULL;
    PgmMmio *chip = pgm_mmio_new(pgm, 2 * PAGE, &ops, NULL, "t", "chip", NULL);

    ck_assert_int_eq(pgm_mmio_map(chip, LOW + LOW_LEN - PAGE, &error), MEM_ERR_CONFLICT);
    ck_assert_msg(strstr(error->message, "overlaps RAM \"low\"") != NULL, "%s", error->message);
}
END_TEST

/* ---- what a handler guards goes while the handler runs */

static PgmHandlerResult drop_rom(Pgm *of, const PgmHandlerAccess *access, void *user)
{
    (void)access;
    ck_assert_int_eq(pgm_rom_deregister(of, *(GPhys *)user), MEM_OK);
    return PGM_HANDLER_DO_DEFAULT;
}

static PgmHandler *guarded_rom(GPhys *gpa)
{
    ck_assert_int_eq(pgm_rom_register(pgm, *gpa, PAGE, NULL, 0, 0x77, 0, "t", "rom", NULL), MEM_OK);
    return pgm_handler_new(pgm, PGM_HANDLER_KIND_ALL, *gpa, PAGE, drop_rom, gpa, "guard", NULL);
}

START_TEST(read_of_a_range_that_goes_gives_ones)
{
    GPhys gpa = HOLE;
    PgmHandler *guard = guarded_rom(&gpa);
    uint64_t value = 0;

    ck_assert_int_eq(pgm_bus_read(pgm, gpa, 4, MEM_ORIGIN_DEVICE, &value), MEM_OK);
    ck_assert_uint_eq(value, 0xffffffff);
    pgm_handler_free(guard);
}
END_TEST

START_TEST(write_to_a_range_that_goes_vanishes)
{
    GPhys gpa = HOLE;
    PgmHandler *guard = guarded_rom(&gpa);

    ck_assert_int_eq(pgm_bus_write(pgm, gpa, 4, 1, MEM_ORIGIN_DEVICE), MEM_OK);
    pgm_handler_free(guard);
}
END_TEST

START_TEST(access_goes_on_in_the_ram_that_shows)
{
    GPhys gpa = HIGH;
    uint64_t value = 0;

    store(gpa, 0x12345678);
    PgmHandler *guard = guarded_rom(&gpa);

    ck_assert_int_eq(pgm_bus_read(pgm, gpa, 4, MEM_ORIGIN_DEVICE, &value), MEM_OK);
    ck_assert_uint_eq(value, 0x12345678);
    pgm_handler_free(guard);
    guard = guarded_rom(&gpa);
    ck_assert_int_eq(pgm_bus_write(pgm, gpa, 4, 0x9abcdef0, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, gpa), 0x9abcdef0);
    pgm_handler_free(guard);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("overlays");
    TCase *tcase = tcase_create("edges");

    tcase_add_checked_fixture(tcase, pgm_setup, pgm_teardown);
    tcase_add_test(tcase, access_leaves_a_device_at_its_last_byte);
    tcase_add_test(tcase, access_within_a_device_is_one_across_its_pages);
    tcase_add_test(tcase, conflict_names_the_overlay_not_the_ram_beneath);
    tcase_add_test(tcase, conflict_names_ram_when_ram_is_in_the_way);
    tcase_add_test(tcase, read_of_a_range_that_goes_gives_ones);
    tcase_add_test(tcase, write_to_a_range_that_goes_vanishes);
    tcase_add_test(tcase, access_goes_on_in_the_ram_that_shows);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
