/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's memory in a saved state: random machines come back byte by byte, into machines that
 * were doing something else; machines that differ are refused by name; a save beside a running
 * guest ends with the memory of its end. Hostile files are in test-saved-hostile.c.
 */
#include "tests/unit/saved-fixture.h"

START_TEST(a_random_machine_comes_back_whole)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)_i);

    for (unsigned round = 0; round < 5; round++) {
        scramble(&a, rand, 40 << round);
        save(&a);
        scramble(&b, rand, 200);
        load(&b);
        ck_assert_uint_eq(compare(&a, &b), 0);
        /* Saving changed nothing, and the copy saves to the same. */
        save(&b);
        load(&a);
        ck_assert_uint_eq(compare(&a, &b), 0);
    }
    GmmVmStats sa, sb;

    gmm_vm_get_stats(a.pgm->mm.vm, &sa);
    gmm_vm_get_stats(b.pgm->mm.vm, &sb);
    ck_assert_uint_eq(sa.ballooned_pages, sb.ballooned_pages);
    ck_assert_uint_eq(sa.ballooned_pages, a.pgm->stats.pages.ballooned);
}
END_TEST

START_TEST(a_fresh_machine_is_small_and_loads_over_a_used_one)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);

    save(&a);
    GStatBuf info;

    ck_assert_int_eq(g_stat(path, &info), 0);
    ck_assert_int_lt(info.st_size, 8192);
    scramble(&b, rand, 1000);
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
    ck_assert_uint_eq(b.pgm->stats.pages.ballooned, 0);
}
END_TEST

START_TEST(equal_pages_are_written_once)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    uint32_t noise[PAGE / 4];

    for (unsigned i = 0; i < G_N_ELEMENTS(noise); i++) {
        noise[i] = g_rand_int(rand);
    }
    for (unsigned i = 0; i < 256; i++) {
        ck_assert_int_eq(pgm_write(a.pgm, MIB + i * PAGE, noise, PAGE, MEM_ORIGIN_CPU), MEM_OK);
    }
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);

    pgm_save(a.pgm, writer);
    ck_assert_uint_lt(mem_state_writer_raw_bytes(writer), 100000);
    ck_assert(mem_state_writer_commit(writer, NULL));
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
}
END_TEST

START_TEST(another_bios_goes_on_with_the_saved_bytes_until_a_reset)
{
    Plan plan = usual;
    uint8_t saved, loaded, own;

    plan.bios = 99;
    machine_free(&b);
    b = machine_new(&plan);
    ck_assert_int_eq(pgm_peek(b.pgm, BIOS + PAGE, &own, 1), MEM_OK);
    save(&a);
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
    ck_assert_int_eq(pgm_peek(a.pgm, BIOS + PAGE, &saved, 1), MEM_OK);
    ck_assert_int_eq(pgm_peek(b.pgm, BIOS + PAGE, &loaded, 1), MEM_OK);
    ck_assert_uint_eq(saved, loaded);
    pgm_reset(b.pgm);
    ck_assert_int_eq(pgm_peek(b.pgm, BIOS + PAGE, &loaded, 1), MEM_OK);
    ck_assert_uint_eq(own, loaded);
    ck_assert_uint_ne(own, saved);
}
END_TEST

/* ---- machines that differ */

static const struct {
    Plan plan;
    const char *message;
} others[] = {
    { { .ram = RAM_SIZE + 4096, .hole = 512 * MIB, .vram_pages = VRAM_PAGES },
      "RAM of 0x400000 bytes (4 MiB) was saved, this machine has 0x401000 (4 MiB)" },
    { { .ram = RAM_SIZE, .hole = 1024 * MIB, .vram_pages = VRAM_PAGES },
      "hole of 0x20000000 bytes (512 MiB) was saved, this machine has 0x40000000 (1024 MiB)" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES, .no_shadow = true },
      "\"bios\" of \"board\" (region 0, 0x10000 bytes, shadowed) was saved" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES + 1 },
      "\"vram\" of \"vga\" (region 0, 0x10000 bytes) was saved" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES, .no_bar = true },
      "\"bar\" of \"net\"" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES, .one_more = true },
      "this machine has MMIO \"regs\" of \"sound\"" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES, .other_owner = true },
      "\"vram\" of \"vga\"" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES, .region = 2 },
      "\"vram\" of \"vga\" (region 0" },
};

START_TEST(a_machine_that_differs_is_refused_with_both_sides_named)
{
    g_autoptr(GError) error = NULL;
    Machine other = machine_new(&others[_i].plan);

    save(&a);
    g_autoptr(MemStateReader) reader = reader_of_file();

    ck_assert(!pgm_load_check(other.pgm, reader, &error));
    ck_assert_msg(strstr(error->message, others[_i].message) != NULL, "%s", error->message);
    ck_assert_ptr_nonnull(strstr(error->message, path));
    machine_free(&other);
}
END_TEST

START_TEST(a_check_changes_nothing)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(8);

    scramble(&a, rand, 300);
    save(&a);
    g_autoptr(MemStateReader) reader = reader_of_file();
    scramble(&b, rand, 300);
    Machine twin = machine_new(&usual);
    char *of_a = g_steal_pointer(&path);

    path = g_strconcat(of_a, ".b", NULL);
    save(&b);
    load(&twin);
    ck_assert(pgm_load_check(b.pgm, reader, NULL));
    ck_assert_uint_eq(compare(&b, &twin), 0);
    ck_assert_uint_ne(compare(&a, &b), 0);
    machine_free(&twin);
    (void)g_unlink(path);
    g_free(path);
    path = of_a;
}
END_TEST

START_TEST(without_memory_a_load_says_so_and_a_snapshot_undoes_it)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(9);
    g_autoptr(GError) error = NULL;
    Machine twin = machine_new(&usual);
    GmmStats now;

    scramble(&b, rand, 300);
    save(&b);
    load(&twin);
    for (unsigned i = 0; i < 512; i++) {
        ck_assert_int_eq(pgm_write_u32(a.pgm, 2 * MIB + i * PAGE, i + 1), MEM_OK);
    }
    save(&a);
    PgmSnapshot *before = pgm_snapshot_take(b.pgm, NULL, PGM_SNAPSHOT_DEFAULT, NULL);
    g_autoptr(MemStateReader) reader = reader_of_file();

    ck_assert_ptr_nonnull(before);
    ck_assert(pgm_load_check(b.pgm, reader, NULL));
    gmm_get_stats(gmm, &now);
    gmm_set_limit(gmm, now.allocated + 100);
    ck_assert(!pgm_load_apply(b.pgm, reader, &error));
    ck_assert_int_eq(error->code, MEM_ERR_NO_MEMORY);
    gmm_set_limit(gmm, MIB);
    check_sound(&b);
    pgm_snapshot_restore(before);
    ck_assert_uint_eq(compare(&b, &twin), 0);
    ck_assert(pgm_load_apply(b.pgm, reader, NULL));
    ck_assert_uint_eq(compare(&a, &b), 0);
    pgm_snapshot_restore(before);
    ck_assert_uint_eq(compare(&b, &twin), 0);
    pgm_snapshot_drop(before);
    machine_free(&twin);
}
END_TEST

static unsigned n_told_all;

static void note_all(void *user, bool executed)
{
    (void)user;
    n_told_all += executed;
}

START_TEST(cpus_hear_that_nothing_holds)
{
    static const PgmCpuCallbacks callbacks = { .invalidate_all = note_all };
    PgmCpu *cpu = pgm_cpu_attach(b.pgm, &callbacks, NULL);
    PgmFill fill;

    save(&a);
    pgm_cpu_fill(cpu, 0x3000, MEM_ACCESS_EXEC, &fill);
    n_told_all = 0;
    load(&b);
    ck_assert_uint_ge(n_told_all, 1);
    pgm_cpu_detach(cpu);
}
END_TEST

START_TEST(failures_of_the_host_while_saving_and_loading_are_told)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);

    ck_assert_int_eq(pgm_write_u32(a.pgm, 0x5000, 5), MEM_OK);
    fake_os_fail(FAKE_MAP_ZEROS, 1, 1); /* the table of twins: it does without */
    pgm_save(a.pgm, writer);
    fake_os_heal();
    ck_assert(mem_state_writer_commit(writer, NULL));
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
    g_autoptr(MemStateWriter) second = mem_state_writer_new(path, 1, NULL);

    fake_os_fail(FAKE_TRY_ALLOC0, 1, 1);
    pgm_save(a.pgm, second);
    fake_os_heal();
    ck_assert(!mem_state_writer_commit(second, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "no host memory"));
    g_autoptr(MemStateReader) reader = reader_of_file();

    for (unsigned n = 1; n <= 5; n++) {
        g_autoptr(GError) why = NULL;

        fake_os_fail(FAKE_TRY_ALLOC0, n, n);
        ck_assert(!pgm_load_check(b.pgm, reader, &why));
        fake_os_heal();
        ck_assert_int_eq(why->code, MEM_ERR_HOST_MEMORY);
    }
    ck_assert(pgm_load_check(b.pgm, reader, NULL));
}
END_TEST

/* ---- live */

START_TEST(a_live_save_is_the_memory_of_its_end)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)_i + 1000);
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);
    g_autoptr(GError) error = NULL;
    PgmLiveProgress progress = { 0 };
    unsigned last_pass = 0;

    scramble(&a, rand, 300);
    PgmLiveSave *live = pgm_live_save_new(a.pgm, writer, NULL);

    ck_assert_ptr_nonnull(live);
    for (unsigned step = 0; step < 40 && !progress.converged; step++) {
        pgm_live_save_step(live, 1 + g_rand_int(rand) % 60, &progress);
        ck_assert_uint_ge(progress.pass, last_pass);
        last_pass = progress.pass;
        if (step < 20 || _i % 2 == 0) {
            scramble(&a, rand, 1 + g_rand_int(rand) % 40);
        }
    }
    scramble(&a, rand, _i % 3 == 0 ? 200 : 0);
    pgm_live_save_finish(live);
    pgm_live_save_free(live);
    check_sound(&a);
    ck_assert_msg(mem_state_writer_commit(writer, &error), "%s", error ? error->message : "?");
    scramble(&b, rand, 200);
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
}
END_TEST

static void take_value(const PgmStat *stat, void *user)
{
    *(uint64_t *)user = stat->value;
}

static uint64_t counter(const char *name)
{
    uint64_t value = 0;

    ck_assert_uint_eq(pgm_stats_foreach(a.pgm, name, take_value, &value), 1);
    return value;
}

START_TEST(a_quiet_guest_converges_and_a_busy_one_is_given_up_on)
{
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);
    PgmLiveProgress progress = { 0 };
    PgmLiveSave *live = pgm_live_save_new(a.pgm, writer, NULL);

    for (unsigned i = 0; i < 400; i++) {
        ck_assert_int_eq(pgm_write_u32(a.pgm, 2 * MIB + i * PAGE, 1 + i), MEM_OK);
    }
    while (!progress.converged) {
        pgm_live_save_step(live, 100000, &progress);
        ck_assert_uint_lt(progress.pass, 20);
        for (unsigned i = 0; i < 400; i++) {
            ck_assert_int_eq(pgm_write_u32(a.pgm, 2 * MIB + i * PAGE, progress.pass + i), MEM_OK);
        }
    }
    ck_assert_uint_ge(progress.pass, 4);
    ck_assert_uint_ge(progress.n_left, 400);
    ck_assert_uint_eq(counter("/PGM/LiveSave/fActive"), 1);
    ck_assert_uint_eq(counter("/PGM/LiveSave/Passes"), progress.pass + 1);
    ck_assert_uint_eq(counter("/PGM/LiveSave/cSavedPages"), progress.n_written);
    pgm_live_save_finish(live);
    pgm_live_save_free(live);
    ck_assert_uint_eq(counter("/PGM/LiveSave/fActive"), 0);
    ck_assert_uint_eq(counter("/PGM/LiveSave/Saves"), 1);
    ck_assert_uint_gt(counter("/PGM/LiveSave/cPutOffPages"), 0);
    ck_assert_uint_eq(counter("/PGM/LiveSave/Passes"), progress.pass + 2);
    ck_assert(mem_state_writer_commit(writer, NULL));
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
    g_autoptr(MemStateWriter) second = mem_state_writer_new(path, 1, NULL);

    live = pgm_live_save_new(a.pgm, second, NULL);
    for (progress.converged = false; !progress.converged;) {
        pgm_live_save_step(live, 100, &progress);
    }
    ck_assert_uint_le(progress.pass, 1);
    ck_assert_uint_eq(progress.n_left, 0);
    pgm_live_save_finish(live);
    pgm_live_save_free(live);
    ck_assert(mem_state_writer_commit(second, NULL));
}
END_TEST

START_TEST(a_live_save_given_up_or_with_other_ranges_leaves_the_old_file)
{
    g_autoptr(GError) given_up = NULL;
    g_autoptr(GError) changed = NULL;
    PgmLiveProgress progress;
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);
    PgmLiveSave *live = pgm_live_save_new(a.pgm, writer, NULL);

    pgm_live_save_step(live, 3, &progress);
    pgm_live_save_free(live);
    ck_assert(!mem_state_writer_commit(writer, &given_up));
    ck_assert_ptr_nonnull(strstr(given_up->message, "given up"));
    g_autoptr(MemStateWriter) second = mem_state_writer_new(path, 1, NULL);

    live = pgm_live_save_new(a.pgm, second, NULL);
    ck_assert_int_eq(pgm_ram_register(a.pgm, UINT64_C(1) << 40, PAGE, "hot", NULL), MEM_OK);
    pgm_live_save_step(live, 3, &progress);
    ck_assert(progress.converged);
    pgm_live_save_finish(live);
    pgm_live_save_free(live);
    ck_assert(!mem_state_writer_commit(second, &changed));
    ck_assert_ptr_nonnull(strstr(changed->message, "added or removed"));
}
END_TEST

START_TEST(pages_locked_for_writing_are_saved_last_and_loaded_in_place)
{
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);
    PgmLiveProgress progress = { 0 };
    PgmMapping early, late, there;

    ck_assert_int_eq(pgm_map_page(a.pgm, 0x5000, &early), MEM_OK);
    ck_assert_int_eq(pgm_write_u32(a.pgm, 0x6000, 6), MEM_OK);
    PgmLiveSave *live = pgm_live_save_new(a.pgm, writer, NULL);

    pgm_live_save_step(live, 1000, &progress);
    ck_assert_int_eq(pgm_map_page(a.pgm, 0x6000, &late), MEM_OK);
    early.host[7] = 1;
    for (unsigned i = 0; i < 3; i++) {
        pgm_live_save_step(live, 1000, &progress);
        early.host[0] = late.host[0] = (uint8_t)(i + 10); /* nobody sees it */
    }
    pgm_unmap_page(a.pgm, &late);
    pgm_live_save_step(live, 1000, &progress);
    early.host[1] = 77;
    pgm_live_save_finish(live);
    pgm_live_save_free(live);
    ck_assert(mem_state_writer_commit(writer, NULL));
    ck_assert_int_eq(pgm_map_page(b.pgm, 0x7000, &there), MEM_OK);
    there.host[0] = 9;
    load(&b);
    ck_assert_uint_eq(there.host[0], 0); /* the same host page, with the bytes of the state */
    there.host[0] = 3;
    ck_assert_uint_eq(pgm_read_u8(b.pgm, 0x7000), 3);
    there.host[0] = 0;
    pgm_unmap_page(b.pgm, &there);
    ck_assert_uint_eq(compare(&a, &b), 0);
    ck_assert_uint_eq(pgm_read_u8(b.pgm, 0x5001), 77);
    ck_assert_uint_eq(pgm_read_u8(b.pgm, 0x6000), 12);
    pgm_unmap_page(a.pgm, &early);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("saved-state");
    TCase *tc = tcase_create("saved-state");

    tcase_add_checked_fixture(tc, saved_setup, saved_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_random_machine_comes_back_whole, 0, 12);
    tcase_add_test(tc, a_fresh_machine_is_small_and_loads_over_a_used_one);
    tcase_add_test(tc, equal_pages_are_written_once);
    tcase_add_test(tc, another_bios_goes_on_with_the_saved_bytes_until_a_reset);
    tcase_add_loop_test(tc, a_machine_that_differs_is_refused_with_both_sides_named, 0,
                        G_N_ELEMENTS(others));
    tcase_add_test(tc, a_check_changes_nothing);
    tcase_add_test(tc, without_memory_a_load_says_so_and_a_snapshot_undoes_it);
    tcase_add_test(tc, cpus_hear_that_nothing_holds);
    tcase_add_test(tc, failures_of_the_host_while_saving_and_loading_are_told);
    tcase_add_loop_test(tc, a_live_save_is_the_memory_of_its_end, 0, 12);
    tcase_add_test(tc, a_quiet_guest_converges_and_a_busy_one_is_given_up_on);
    tcase_add_test(tc, pages_locked_for_writing_are_saved_last_and_loaded_in_place);
    tcase_add_test(tc, a_live_save_given_up_or_with_other_ranges_leaves_the_old_file);
    suite_add_tcase(suite, tc);
    return saved_run(suite);
}
