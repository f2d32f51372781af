/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots of whole machines, and machines in files: guests that check themselves are stopped at
 * many moments, taken aside, run on, brought back, and must go on as if nothing had been.
 */
#include "tests/machine-fixture.h"

#include "emu/cpu-state.h"
#include "emu/saved_state.h"
#include "emu/snapshot.h"
#include "memsys/access.h"

#include <check.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_NS UINT64_C(5000000)

static const struct {
    const char *guest;
    const char *cpu;
} guests[] = {
    { "rep.bin", NULL },         { "ring3.bin", NULL },         { "paging.bin", NULL },
    { "mmio.bin", NULL },        { "shadow.bin", NULL },        { "cpu.bin", NULL },
    { "smc.bin", NULL },         { "exceptions.bin", NULL },    { "flags.bin", NULL },
    { "determinism.bin", NULL }, { "registers.bin", "qemu64" },
};

static Fixture *new_guest(unsigned which)
{
    Fixture *fixture = fixture_new_cpu(4, guests[which].cpu);

    fixture_add_state(fixture);
    fixture_load_flat(fixture, guests[which].guest);
    return fixture;
}

/* The rest of a run, told from a length of log and of console on. */
static void assert_same_rest(const Fixture *fixture, const Fixture *plain, const char *what,
                             guint log_at, gsize console_at)
{
    ck_assert_msg(fixture->console->len - console_at <= plain->console->len &&
                      strcmp(fixture->console->str + console_at,
                             plain->console->str + plain->console->len -
                                 (fixture->console->len - console_at)) == 0,
                  "%s: the console's rest differs", what);

    guint n = fixture->log->len - log_at;

    ck_assert_msg(n <= plain->log->len, "%s: too many accesses", what);
    for (guint i = 0; i < n; i++) {
        const FixtureAccess *is = &g_array_index(fixture->log, FixtureAccess, log_at + i);
        const FixtureAccess *was =
            &g_array_index(plain->log, FixtureAccess, plain->log->len - n + i);

        if (is->time != was->time || is->value != was->value || is->address != was->address ||
            is->size != was->size || is->kind != was->kind) {
            ck_abort_msg("%s: access %u of %u is 0x%x value 0x%" PRIx64 " at %" PRIu64
                         ", was 0x%x value 0x%" PRIx64 " at %" PRIu64,
                         what, i, n, is->address, is->value, is->time, was->address, was->value,
                         was->time);
        }
    }
}

static void assert_same_end(Fixture *fixture, Fixture *plain, const EmuStop *stop,
                            const EmuStop *plain_stop, const char *what)
{
    ck_assert_msg(stop->reason == plain_stop->reason, "%s: ended by %s, not %s", what, stop->text,
                  plain_stop->text);
    ck_assert_msg(fixture->n_failed == 0, "%s: check at 0x%x", what, fixture->failed_at);
    ck_assert_msg(fixture->machine->clock->bytes == plain->machine->clock->bytes &&
                      fixture->machine->clock->skipped == plain->machine->clock->skipped,
                  "%s: the clock differs", what);
    ck_assert_msg(fixture_ram_hash(fixture) == fixture_ram_hash(plain), "%s: RAM differs", what);
}

/* Moments spread over a run of @end_ns. */
#define N_MOMENTS 12
static uint64_t moment(unsigned k, uint64_t end_ns)
{
    return 1 + end_ns * (2 * k + 1) / (2 * N_MOMENTS) + k * 3;
}

START_TEST(restored_guest_goes_on_as_it_would_have)
{
    Fixture *plain = new_guest((unsigned)_i);
    EmuStop plain_stop = emu_machine_run(plain->machine, LIMIT_NS);
    uint64_t end = emu_clock_now(plain->machine->clock);
    Fixture *fixture = new_guest((unsigned)_i);
    EmuSnapshot *snapshots[N_MOMENTS];
    guint log_at[N_MOMENTS];
    gsize console_at[N_MOMENTS];
    GString *report = g_string_new(NULL);

    for (unsigned k = 0; k < N_MOMENTS; k++) {
        emu_machine_run(fixture->machine, moment(k, end));
        snapshots[k] = emu_snapshot_take(fixture->machine, "moment", true, NULL);
        ck_assert_ptr_nonnull(snapshots[k]);
        log_at[k] = fixture->log->len;
        console_at[k] = fixture->console->len;
    }
    for (unsigned round = 0; round < 2 * N_MOMENTS; round++) {
        unsigned k = (round * 5 + 3) % N_MOMENTS;
        g_autofree char *what = g_strdup_printf("%s, moment %u", guests[_i].guest, k);

        emu_snapshot_restore(snapshots[k]);
        g_string_truncate(report, 0);
        ck_assert_msg(emu_snapshot_check(snapshots[k], report) == 0, "%s: %s", what, report->str);

        guint log_from = fixture->log->len;
        gsize console_from = fixture->console->len;
        EmuStop stop = emu_machine_run(fixture->machine, LIMIT_NS);

        assert_same_end(fixture, plain, &stop, &plain_stop, what);
        assert_same_rest(fixture, plain, what, log_from, console_from);
        ck_assert_uint_eq(fixture->log->len - log_from, plain->log->len - log_at[k]);
        ck_assert_uint_eq(fixture->console->len - console_from,
                          plain->console->len - console_at[k]);
    }
    for (unsigned k = 0; k < N_MOMENTS; k++) {
        emu_snapshot_drop(snapshots[(k * 7) % N_MOMENTS]);
    }
    g_string_free(report, TRUE);
    fixture_free(fixture);
    fixture_free(plain);
}
END_TEST

static char *state_path;

static void setup(void)
{
    state_path = g_strdup_printf("%s/quire-state-%d", g_get_tmp_dir(), (int)getpid());
}

static void teardown(void)
{
    g_unlink(state_path);
    g_clear_pointer(&state_path, g_free);
}

START_TEST(guest_from_a_file_goes_on_as_it_would_have)
{
    Fixture *plain = new_guest((unsigned)_i);
    EmuStop plain_stop = emu_machine_run(plain->machine, LIMIT_NS);
    uint64_t end = emu_clock_now(plain->machine->clock);
    Fixture *saved = new_guest((unsigned)_i);

    for (unsigned k = 0; k < N_MOMENTS; k += 2) {
        g_autofree char *what = g_strdup_printf("%s, moment %u", guests[_i].guest, k);
        GError *error = NULL;

        emu_machine_run(saved->machine, moment(k, end));
        ck_assert_msg(emu_save(saved->machine, state_path, NULL, &error), "%s: %s", what,
                      error != NULL ? error->message : "");

        /* Into a machine that has run other code. */
        Fixture *other = new_guest((unsigned)_i);
        MemStateReader *reader = mem_state_reader_new(state_path, &error);

        ck_assert_msg(reader != NULL, "%s", error != NULL ? error->message : "");
        emu_machine_run(other->machine, moment(N_MOMENTS - 1 - k, end));
        ck_assert_msg(emu_restore(other->machine, reader, NULL, &error), "%s: %s", what,
                      error != NULL ? error->message : "");
        mem_state_reader_free(reader);

        guint log_from = other->log->len;
        gsize console_from = other->console->len;
        EmuStop stop = emu_machine_run(other->machine, LIMIT_NS);

        assert_same_end(other, plain, &stop, &plain_stop, what);
        assert_same_rest(other, plain, what, log_from, console_from);
        fixture_free(other);
    }
    /* Saving changes nothing. */
    EmuStop stop = emu_machine_run(saved->machine, LIMIT_NS);

    assert_same_end(saved, plain, &stop, &plain_stop, "the saved one");
    fixture_free(saved);
    fixture_free(plain);
}
END_TEST

START_TEST(file_of_another_model_changes_nothing)
{
    Fixture *one = new_guest(0);
    Fixture *other = fixture_new_cpu(4, "qemu64");
    GError *error = NULL;

    fixture_add_state(other);
    ck_assert(emu_save(one->machine, state_path, NULL, NULL));

    EmuSnapshot *before = emu_snapshot_take(other->machine, NULL, true, NULL);
    MemStateReader *reader = mem_state_reader_new(state_path, NULL);

    ck_assert(!emu_restore(other->machine, reader, NULL, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "qemu32"));
    ck_assert_ptr_nonnull(strstr(error->message, "qemu64"));
    ck_assert_uint_eq(emu_snapshot_check(before, NULL), 0);
    g_error_free(error);
    mem_state_reader_free(reader);
    emu_snapshot_drop(before);
    fixture_free(one);
    fixture_free(other);
}
END_TEST

static void never_fires(G_GNUC_UNUSED void *user)
{
}

/* An older version's board, or another: with fewer timers too, which would say less. */
START_TEST(file_without_a_unit_says_so_and_changes_nothing)
{
    Fixture *one = fixture_new_cpu(4, "qemu32");
    Fixture *other = new_guest(0);
    GError *error = NULL;

    EmuTimer *timer = emu_timer_new(other->machine->clock, "newer", never_fires, NULL);

    ck_assert(emu_save(one->machine, state_path, NULL, NULL));

    EmuSnapshot *before = emu_snapshot_take(other->machine, NULL, true, NULL);
    MemStateReader *reader = mem_state_reader_new(state_path, NULL);

    ck_assert(!emu_restore(other->machine, reader, NULL, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "has no unit 'test' 0"));
    ck_assert_ptr_nonnull(strstr(error->message, "older version"));
    ck_assert_uint_eq(emu_snapshot_check(before, NULL), 0);
    g_error_free(error);
    mem_state_reader_free(reader);
    emu_snapshot_drop(before);
    emu_timer_free(timer);
    fixture_free(one);
    fixture_free(other);
}
END_TEST

START_TEST(options_come_back)
{
    static const char *const options[] = { "memory=4M", "cpu=qemu32", NULL };
    EmuSaveConfig config = { .options = options };
    Fixture *fixture = new_guest(0);

    ck_assert(emu_save(fixture->machine, state_path, &config, NULL));

    MemStateReader *reader = mem_state_reader_new(state_path, NULL);
    char **got = emu_state_options(reader, NULL);

    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(g_strv_length(got), 2);
    ck_assert_str_eq(got[1], "cpu=qemu32");
    g_strfreev(got);
    mem_state_reader_free(reader);
    fixture_free(fixture);
}
END_TEST

START_TEST(guest_time_is_in_the_file_and_too_many_options_are_not_read)
{
    char *options[24] = { NULL };
    EmuSaveConfig config = { .options = (const char *const *)options };
    Fixture *fixture = new_guest(0);
    GError *error = NULL;
    uint64_t ns = 0;

    for (unsigned i = 0; i < 20; i++) {
        options[i] = g_strnfill(60000, 'o');
    }
    emu_machine_run(fixture->machine, 1000);
    uint64_t now = emu_clock_now(fixture->machine->clock);

    ck_assert_uint_gt(now, 0);
    ck_assert(emu_save(fixture->machine, state_path, &config, NULL));
    MemStateReader *reader = mem_state_reader_new(state_path, NULL);

    ck_assert(emu_state_guest_ns(reader, &ns, NULL));
    ck_assert_uint_eq(ns, now);
    ck_assert_ptr_null(emu_state_options(reader, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "more than 1048576 bytes of options"));
    g_error_free(error);
    mem_state_reader_free(reader);
    fixture_free(fixture);
    for (unsigned i = 0; i < 20; i++) {
        g_free(options[i]);
    }
}
END_TEST

typedef struct Heard {
    unsigned n_calls;
    uint64_t last, total;
} Heard;

static void hear(uint64_t done, uint64_t total, void *user)
{
    Heard *heard = user;

    ck_assert_uint_ge(done, heard->last);
    ck_assert_uint_le(done, total);
    ck_assert(heard->n_calls == 0 || total == heard->total);
    heard->last = done;
    heard->total = total;
    heard->n_calls++;
}

START_TEST(restore_tells_how_far_it_is)
{
    Heard heard = { 0 };
    EmuSaveConfig config = { .progress = hear, .progress_user = &heard };
    Fixture *fixture = new_guest(0);
    Pgm *pgm = emu_machine_pgm(fixture->machine);

    /* A mebibyte that is no two pages alike. */
    for (uint32_t i = 0; i < 256; i++) {
        ck_assert_int_eq(pgm_write_u32(pgm, 0x200000 + i * 4096, i + 1), MEM_OK);
    }
    ck_assert(emu_save(fixture->machine, state_path, NULL, NULL));
    MemStateReader *reader = mem_state_reader_new(state_path, NULL);

    ck_assert(emu_restore(fixture->machine, reader, &config, NULL));
    ck_assert_uint_ge(heard.n_calls, 8); /* four blocks of memory and more, twice */
    ck_assert_uint_ge(heard.total, 512);
    ck_assert_uint_eq(heard.last, heard.total);
    mem_state_reader_free(reader);
    fixture_free(fixture);
}
END_TEST

START_TEST(live_save_is_of_its_end)
{
    Fixture *plain = new_guest(0);
    EmuStop plain_stop = emu_machine_run(plain->machine, LIMIT_NS);
    uint64_t end = emu_clock_now(plain->machine->clock);
    Fixture *fixture = new_guest(0);
    EmuLiveSave *save = emu_live_save_new(fixture->machine, state_path, NULL, NULL);
    PgmLiveProgress progress;

    ck_assert_ptr_nonnull(save);
    for (unsigned k = 0; k < N_MOMENTS; k++) {
        emu_machine_run(fixture->machine, moment(k, end));
        emu_live_save_step(save, 4, &progress);
    }
    ck_assert(emu_live_save_finish(save, NULL));
    emu_live_save_free(save);

    Fixture *other = new_guest(0);
    MemStateReader *reader = mem_state_reader_new(state_path, NULL);
    GError *error = NULL;

    ck_assert_msg(emu_restore(other->machine, reader, NULL, &error), "%s",
                  error != NULL ? error->message : "");
    mem_state_reader_free(reader);
    ck_assert_uint_ge(emu_clock_now(other->machine->clock), moment(N_MOMENTS - 1, end));

    EmuStop stop = emu_machine_run(other->machine, LIMIT_NS);

    assert_same_end(other, plain, &stop, &plain_stop, "live");
    fixture_free(other);
    fixture_free(fixture);
    fixture_free(plain);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu-snapshot");
    TCase *memory = tcase_create("in memory");
    TCase *file = tcase_create("in a file");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(memory, 120);
    tcase_add_loop_test(memory, restored_guest_goes_on_as_it_would_have, 0, G_N_ELEMENTS(guests));
    suite_add_tcase(suite, memory);
    tcase_set_timeout(file, 120);
    tcase_add_checked_fixture(file, setup, teardown);
    tcase_add_loop_test(file, guest_from_a_file_goes_on_as_it_would_have, 0, G_N_ELEMENTS(guests));
    tcase_add_test(file, file_of_another_model_changes_nothing);
    tcase_add_test(file, file_without_a_unit_says_so_and_changes_nothing);
    tcase_add_test(file, options_come_back);
    tcase_add_test(file, guest_time_is_in_the_file_and_too_many_options_are_not_read);
    tcase_add_test(file, restore_tells_how_far_it_is);
    tcase_add_test(file, live_save_is_of_its_end);
    suite_add_tcase(suite, file);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
