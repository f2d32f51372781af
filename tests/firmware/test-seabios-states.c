/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SeaBIOS on the whole board, taken aside at many moments of its boot (before and in POST, with PAM
 * open, timers pending, a disk being read), in memory and in files: it must go on as if nothing had
 * been. And what a snapshot of it costs.
 */
#include "firmware-fixture.h"

#include "emu/saved_state.h"
#include "emu/snapshot.h"
#include "memsys/access.h"
#include "memsys/snapshot.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEABIOS "/usr/share/seabios/bios-256k.bin"
#define RAM (UINT64_C(32) << 20)
#define LIMIT_S 20

static char *dir, *image, *state;

static void setup(void)
{
    g_autofree char *bytes = g_malloc0(1 << 20);

    dir = g_dir_make_tmp("quire-states-XXXXXX", NULL);
    ck_assert_ptr_nonnull(dir);
    image = g_build_filename(dir, "image", NULL);
    state = g_build_filename(dir, "state", NULL);
    /* A boot sector that reads four sectors by INT 13h, over and over, and halts. */
    static const uint8_t boot[] = {
        0x31, 0xc0,                                           /* xor ax, ax */
        0x8e, 0xd8, 0x8e, 0xc0,                               /* mov ds, ax; mov es, ax */
        0xb9, 0x40, 0x00,                                     /* mov cx, 64 */
        0x51,                                                 /* push cx */
        0xb8, 0x04, 0x02,                                     /* mov ax, 0204h: read 4 */
        0xbb, 0x00, 0x80,                                     /* mov bx, 8000h */
        0xb9, 0x02, 0x00,                                     /* mov cx, 2: sector 2 */
        0xba, 0x80, 0x00,                                     /* mov dx, 80h */
        0xcd, 0x13,                                           /* int 13h */
        0xfe, 0x06, 0x00, 0x80,                               /* inc byte [8000h] */
        0xb8, 0x04, 0x03,                                     /* mov ax, 0304h: write 4 */
        0xbb, 0x00, 0x80,                                     /* mov bx, 8000h */
        0xb9, 0x02, 0x00, 0xba, 0x80, 0x00, 0xcd, 0x13, 0x59, /* the same; pop cx */
        0xe2, 0xdc,                                           /* loop to push cx */
        0xa0, 0x00, 0x80,                                     /* mov al, [8000h]: what came back */
        0xe6, 0xf4,                                           /* out 0f4h, al: the end */
        0xfa, 0xf4,                                           /* cli; hlt */
    };

    memcpy(bytes, boot, sizeof(boot));
    bytes[510] = 0x55;
    bytes[511] = (char)0xaa;
    ck_assert(g_file_set_contents(image, bytes, 1 << 20, NULL));
}

static void teardown(void)
{
    g_unlink(state);
    g_unlink(image);
    g_rmdir(dir);
    g_free(state);
    g_free(image);
    g_free(dir);
}

static void start(FirmwarePc *pc)
{
    FirmwareOptions options = { .bios = SEABIOS, .ram = RAM, .drive = image };

    firmware_pc_init_with(pc, &options);
}

static uint64_t now(const FirmwarePc *pc)
{
    return emu_clock_now(emu_machine_clock(pc->machine));
}

static EmuStop run_to(FirmwarePc *pc, uint64_t ns)
{
    return emu_machine_run(pc->machine, ns);
}

typedef struct End {
    EmuStop stop;
    uint64_t ns, hash;
    char *serial;
    gsize serial_len;
} End;

static void run_to_end(FirmwarePc *pc, End *ret_end)
{
    g_string_truncate(pc->serial, 0);
    ret_end->stop = run_to(pc, UINT64_C(1000000000) * LIMIT_S);
    ret_end->ns = now(pc);
    ret_end->hash = firmware_pc_hash(pc);
    ret_end->serial_len = pc->serial->len;
    ret_end->serial = g_strdup(pc->serial->str);
}

static void check_end(const End *is, const End *was, gsize before, const char *what)
{
    ck_assert_msg(is->stop.reason == was->stop.reason && is->stop.code == was->stop.code,
                  "%s: ended by %s, not %s", what, is->stop.text, was->stop.text);
    ck_assert_msg(is->ns == was->ns, "%s: at %" G_GUINT64_FORMAT ", not %" G_GUINT64_FORMAT, what,
                  is->ns, was->ns);
    ck_assert_msg(is->hash == was->hash, "%s: RAM differs", what);
    ck_assert_msg(before + is->serial_len == was->serial_len &&
                      strcmp(is->serial, was->serial + before) == 0,
                  "%s: the console's rest differs", what);
}

#define N_MOMENTS 10

/* More of them late: the disk is read and written there. */
static uint64_t moment(unsigned k, uint64_t end)
{
    return k < 5 ? end / 2 * k / 5 + 1000 : end - end / 8 * (N_MOMENTS - k) / 6 + 77;
}

START_TEST(boot_goes_on_from_any_moment)
{
    FirmwarePc pc;
    End whole, part;
    EmuSnapshot *snapshots[N_MOMENTS];
    gsize before[N_MOMENTS];
    GString *report = g_string_new(NULL);

    start(&pc);
    run_to_end(&pc, &whole);
    ck_assert_msg(whole.stop.reason == EMU_STOP_DEBUG_EXIT && whole.stop.code == 64,
                  "the boot sector ended by %s", whole.stop.text);
    firmware_pc_clear(&pc);

    start(&pc);
    for (unsigned k = 0; k < N_MOMENTS; k++) {
        g_autofree char *what = g_strdup_printf("file of moment %u", k);
        GError *error = NULL;

        run_to(&pc, moment(k, whole.ns));
        before[k] = pc.serial->len;
        snapshots[k] = emu_snapshot_take(pc.machine, what, true, NULL);
        ck_assert_ptr_nonnull(snapshots[k]);
        ck_assert_msg(emu_save(pc.machine, state, NULL, &error), "%s",
                      error != NULL ? error->message : "");

        FirmwarePc other;
        MemStateReader *reader = mem_state_reader_new(state, &error);

        ck_assert_msg(reader != NULL, "%s", error != NULL ? error->message : "");
        start(&other);
        run_to(&other, moment(N_MOMENTS - 1 - k, whole.ns));
        ck_assert_msg(emu_restore(other.machine, reader, NULL, &error), "%s: %s", what,
                      error != NULL ? error->message : "");
        mem_state_reader_free(reader);
        run_to_end(&other, &part);
        check_end(&part, &whole, before[k], what);
        g_free(part.serial);
        firmware_pc_clear(&other);
    }
    for (unsigned i = 0; i < N_MOMENTS; i++) {
        unsigned k = (i * 7 + 2) % N_MOMENTS;
        g_autofree char *what = g_strdup_printf("snapshot of moment %u", k);

        emu_snapshot_restore(snapshots[k]);
        ck_assert_msg(emu_snapshot_check(snapshots[k], report) == 0, "%s: %s", what, report->str);
        run_to_end(&pc, &part);
        check_end(&part, &whole, before[k], what);
        g_free(part.serial);
        emu_snapshot_drop(snapshots[k]);
    }
    g_free(whole.serial);
    g_string_free(report, TRUE);
    firmware_pc_clear(&pc);
}
END_TEST

START_TEST(another_image_is_refused_by_name)
{
    FirmwarePc pc, other;
    GError *error = NULL;

    start(&pc);
    run_to(&pc, 1000000);
    ck_assert(emu_save(pc.machine, state, NULL, NULL));
    firmware_pc_clear(&pc);

    g_autofree char *bytes = g_malloc0(1 << 20);

    ck_assert(g_file_set_contents(image, bytes, 1 << 20, NULL));
    start(&other);

    EmuSnapshot *snapshot = emu_snapshot_take(other.machine, NULL, true, NULL);
    MemStateReader *reader = mem_state_reader_new(state, NULL);

    ck_assert(!emu_restore(other.machine, reader, NULL, &error));
    ck_assert_ptr_nonnull(strstr(error->message, image));
    ck_assert_uint_eq(emu_snapshot_check(snapshot, NULL), 0);
    g_error_free(error);
    mem_state_reader_free(reader);
    emu_snapshot_drop(snapshot);
    firmware_pc_clear(&other);
}
END_TEST

/* Not a limit, only numbers: hosts differ. */
START_TEST(cost_is_told)
{
    const unsigned rounds = 2000;
    const unsigned n_pages = 16;
    FirmwarePc pc;
    double took[2] = { 0 };

    start(&pc);
    run_to(&pc, UINT64_C(1000000000));

    EmuSnapshot *base = emu_snapshot_take(pc.machine, NULL, false, NULL);

    ck_assert_ptr_nonnull(base);
    for (unsigned whole = 0; whole < 2; whole++) {
        for (unsigned i = 0; i < rounds; i++) {
            for (unsigned p = 0; p < n_pages; p++) {
                ck_assert(pgm_write(emu_machine_pgm(pc.machine), 0x400000 + p * 0x1000, &i,
                                    sizeof(i), MEM_ORIGIN_LOADER) == MEM_OK);
            }
            gint64 from = g_get_monotonic_time();

            if (whole == 1) {
                emu_snapshot_restore(base);
            } else {
                pgm_snapshot_restore(pgm_snapshot_current(emu_machine_pgm(pc.machine)));
            }
            took[whole] += (double)(g_get_monotonic_time() - from);
        }
    }
    gint64 from = g_get_monotonic_time();

    for (unsigned i = 0; i < rounds; i++) {
        emu_snapshot_drop(emu_snapshot_take(pc.machine, NULL, false, NULL));
    }
    double pair = (double)(g_get_monotonic_time() - from) / rounds;

    printf(
        "restore with %u dirty pages: %.2f us, of which memory %.2f us; take and drop: %.2f us\n",
        n_pages, took[1] / rounds, took[0] / rounds, pair);
    emu_snapshot_restore(base);
    emu_snapshot_drop(base);
    firmware_pc_clear(&pc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seabios-states");
    TCase *all = tcase_create("all");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(all, 280);
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, boot_goes_on_from_any_moment);
    tcase_add_test(all, another_image_is_refused_by_name);
    tcase_add_test(all, cost_is_told);
    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
