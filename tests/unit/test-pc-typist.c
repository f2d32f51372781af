/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/saved_state.h"
#include "emu/snapshot.h"
#include "pc-fixture.h"

#include <unistd.h>

#define PACE UINT64_C(10000000)

/* Keyboard on, interrupt allowed, no translation. */
static void switch_on(void)
{
    out8(0x64, 0x60);
    out8(0x60, 0x21);
}

static void drain(GString *text)
{
    while ((in8(0x64) & 1) != 0) {
        g_string_append_printf(text, "%s%02x", text->len > 0 ? " " : "", in8(0x60));
    }
}

/* What comes while a guest reads all that waits, for a second. */
static char *listen(void)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < 1000; i++) {
        pass(1000000);
        drain(text);
    }
    return g_string_free(text, FALSE);
}

static void type(const char *text)
{
    ck_assert(dev_typist_type(dev_pc_typist(pc), text, NULL));
}

/* Shift is held, Q to come. */
static void type_half(void)
{
    g_autoptr(GString) first = g_string_new(NULL);

    switch_on();
    type("Quire");
    pass(PACE);
    drain(first);
    ck_assert_str_eq(first->str, "12");
}

static void check_rest(void)
{
    g_autofree char *rest = listen();

    ck_assert_str_eq(rest, "15 f0 15 f0 12 3c f0 3c 43 f0 43 2d f0 2d 24 f0 24");
    ck_assert_uint_eq(dev_typist_waiting(dev_pc_typist(pc)), 0);
}

START_TEST(a_snapshot_keeps_what_is_typed)
{
    build_plain();
    type_half();

    EmuSnapshot *snapshot = emu_snapshot_take(machine, NULL, true, NULL);

    ck_assert_ptr_nonnull(snapshot);
    check_rest();
    emu_snapshot_restore(snapshot);
    ck_assert_uint_eq(emu_snapshot_check(snapshot, NULL), 0);
    type("other");
    emu_snapshot_restore(snapshot);
    check_rest();
    emu_snapshot_drop(snapshot);
}
END_TEST

static char *save(void)
{
    char *path = NULL;
    int fd = g_file_open_tmp("quire-pc-typist-XXXXXX", &path, NULL);

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert(emu_save(machine, path, NULL, NULL));
    return path;
}

/* Into a machine that was just switched on; the file goes. */
static void restore_anew(char *path)
{
    g_autoptr(GError) error = NULL;
    MemStateReader *reader = mem_state_reader_new(path, NULL);

    ck_assert_ptr_nonnull(reader);
    teardown();
    setup();
    build_plain();
    ck_assert_msg(emu_restore(machine, reader, NULL, &error), "%s",
                  error != NULL ? error->message : "no message");
    mem_state_reader_free(reader);
    g_unlink(path);
    g_free(path);
}

START_TEST(a_saved_state_keeps_what_is_typed)
{
    build_plain();
    type_half();
    restore_anew(save());
    check_rest();
}
END_TEST

static void stop_typing(void)
{
    EmuClock *clock = emu_machine_clock(machine);
    unsigned n = 0;
    uint32_t instance;

    while (strcmp(emu_clock_timer_name(clock, n, &instance), "typist") != 0) {
        n++;
    }
    emu_timer_cancel(g_ptr_array_index(clock->all, n));
    pass(100 * PACE);
    ck_assert_uint_eq(dev_typist_waiting(dev_pc_typist(pc)), 5);
}

/* As no machine is, but a file can say so. */
START_TEST(keys_that_wait_with_no_timer_set_are_typed)
{
    build_plain();
    type_half();
    stop_typing();
    restore_anew(save());
    check_rest();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pc-typist");
    TCase *tcase = tcase_create("pc-typist");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_snapshot_keeps_what_is_typed);
    tcase_add_test(tcase, a_saved_state_keeps_what_is_typed);
    tcase_add_test(tcase, keys_that_wait_with_no_timer_set_are_typed);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
