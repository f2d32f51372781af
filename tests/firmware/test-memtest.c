/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memtest86+, unmodified, from the distribution: it finds nothing in sound memory and finds a stuck
 * bit where we stick one.
 */
#include "firmware-fixture.h"

#include "memsys/handler.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MEMTEST "/boot/memtest86+ia32.bin"
#define SEABIOS "/usr/share/seabios/bios-256k.bin"

static FirmwarePc pc;

static void setup(void)
{
    g_autoptr(GError) error = NULL;
    EmuLinuxBoot boot = { .kernel = MEMTEST, .append = "console=ttyS0,115200" };

    firmware_pc_init(&pc, SEABIOS, UINT64_C(24) << 20);
    ck_assert_msg(emu_load_linux(pc.machine, &boot, &error), "%s", error ? error->message : "");
}

static void teardown(void)
{
    firmware_pc_clear(&pc);
}

START_TEST(tests_0_to_9_pass)
{
    pc.until = "Bit fade"; /* test 10 sleeps for minutes */

    EmuStop stop = firmware_pc_run(&pc, 300);

    ck_assert_msg(stop.reason == EMU_STOP_REQUEST, "%s; its screen: %s", stop.text,
                  pc.serial->str + MAX(pc.serial->len, 400) - 400);
    /* Its screen is redrawn a few times a second: tests 1 to 3 are over before that. */
    static const char *const shown[] = { "#0 ", "#4 ", "#5 ", "#6 ", "#7 ", "#8 ", "#9 " };

    for (unsigned i = 0; i < G_N_ELEMENTS(shown); i++) {
        ck_assert_msg(strstr(pc.serial->str, shown[i]) != NULL, "no test %s", shown[i]);
    }
    ck_assert_ptr_nonnull(strstr(pc.serial->str, "Errors: 0"));
    for (unsigned i = 1; i < 10; i++) {
        g_autofree char *errors = g_strdup_printf("Errors: %u", i);

        ck_assert_msg(strstr(pc.serial->str, errors) == NULL, "%s", errors);
    }
}
END_TEST

#define STUCK_AT UINT64_C(0xa12344)
#define STUCK_BIT 0x20

/* Bit 5 of one byte cannot become 0. */
static PgmHandlerResult stick(Pgm *pgm, const PgmHandlerAccess *access, void *user)
{
    unsigned *n_writes = user;

    (void)pgm;
    ck_assert_int_eq(access->access, MEM_ACCESS_WRITE);
    memcpy(access->host, access->buf, access->len);
    access->host[0] |= STUCK_BIT;
    (*n_writes)++;
    return PGM_HANDLER_HANDLED;
}

START_TEST(finds_a_stuck_bit_at_its_address)
{
    g_autoptr(GError) error = NULL;
    unsigned n_writes = 0;
    PgmHandler *handler = pgm_handler_new(emu_machine_pgm(pc.machine), PGM_HANDLER_KIND_WRITE,
                                          STUCK_AT, 1, stick, &n_writes, "stuck bit", &error);

    ck_assert_msg(handler != NULL, "%s", error ? error->message : "");
    pc.until = "a12344";

    EmuStop stop = firmware_pc_run(&pc, 120);

    ck_assert_msg(stop.reason == EMU_STOP_REQUEST, "%s; its screen: %s", stop.text,
                  pc.serial->str + MAX(pc.serial->len, 400) - 400);
    ck_assert_uint_gt(n_writes, 0);
    pgm_handler_free(handler);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memtest86+");
    TCase *tcase = tcase_create("memtest86+");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 900);
    tcase_add_test(tcase, finds_a_stuck_bit_at_its_address);
    tcase_add_test(tcase, tests_0_to_9_pass);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
