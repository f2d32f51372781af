/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches by virtual address on a running guest: who names the bytes hits, wherever they are
 * mapped, whatever CR3 holds; the guest notices nothing.
 */
#include "tests/machine-fixture.h"

#include "emu/loader.h"

#include <check.h>
#include <stdlib.h>

#define LIMIT_NS UINT64_C(5000000)

typedef struct Hits {
    unsigned n, n_before;
    GVirt first_gva, last_gva;
    GPhys last_gpa;
    uint64_t last_value;
    GVirt pc;
    EmuMachine *machine;
} Hits;

static void on_hit(Pgm *pgm, const PgmWatchHit *hit, void *user)
{
    Hits *hits = user;

    (void)pgm;
    ck_assert(hit->by_gva);
    if (hits->n++ == 0) {
        hits->first_gva = hit->gva;
        hits->pc = emu_machine_pc(hits->machine);
    }
    hits->last_gva = hit->gva;
    hits->last_gpa = hit->gpa;
    hits->last_value = hit->value;
}

/* Two page directories map 400000 to different pages; each is written and read through it. */
static const uint8_t program[] = {
    /* 10000 */ 0xb8,
    0x00,
    0x00,
    0x10,
    0x00,
    0x0f,
    0x22,
    0xd8, /* mov eax, 100000; mov cr3, eax */
    /* 10008 */ 0x0f,
    0x20,
    0xc0,
    0x0d,
    0x00,
    0x00,
    0x00,
    0x80, /* mov eax, cr0; or eax, PG */
    /* 10010 */ 0x0f,
    0x22,
    0xc0,
    0xeb,
    0x00, /* mov cr0, eax; jmp on */
    /* 10015 */ 0xc7,
    0x05,
    0x10,
    0x00,
    0x40,
    0x00,
    0x11,
    0x11,
    0x00,
    0x00, /* mov [400010], 1111 */
    /* 1001f */ 0xc7,
    0x05,
    0x00,
    0x10,
    0x10,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00, /* not watched */
    /* 10029 */ 0xb8,
    0x00,
    0x30,
    0x10,
    0x00,
    0x0f,
    0x22,
    0xd8, /* mov eax, 103000; mov cr3, eax */
    /* 10031 */ 0xc7,
    0x05,
    0x10,
    0x00,
    0x40,
    0x00,
    0x22,
    0x22,
    0x00,
    0x00, /* mov [400010], 2222 */
    /* 1003b */ 0x8b,
    0x1d,
    0x10,
    0x00,
    0x40,
    0x00, /* mov ebx, [400010] */
    /* 10041 */ 0x8b,
    0x0d,
    0x20,
    0x00,
    0x40,
    0x00, /* same page, other bytes */
    /* 10047 */ 0x8b,
    0x0d,
    0x10,
    0x00,
    0x12,
    0x00, /* the bytes by another name */
    /* 1004d */ 0xfa,
    0xf4, /* cli; hlt */
};

static Fixture *new_guest(void)
{
    Fixture *fixture = fixture_new(8);

    fixture_poke(fixture, FIXTURE_FLAT_ENTRY, program, sizeof(program));
    for (unsigned space = 0; space < 2; space++) {
        uint32_t dir = 0x100000 + space * 0x3000;
        uint32_t table = dir + 0x1000 + 7;
        uint32_t other = dir + 0x2000 + 7;

        fixture_poke(fixture, dir, &table, 4);
        fixture_poke(fixture, dir + 4, &other, 4);
        for (uint32_t page = 0; page < 1024; page++) {
            uint32_t entry = page << 12 | 7;

            fixture_poke(fixture, dir + 0x1000 + page * 4, &entry, 4);
        }
        /* 400000 is the page at 120000 or 130000. */
        uint32_t entry = (0x120000 + space * 0x10000) | 7;

        fixture_poke(fixture, dir + 0x2000, &entry, 4);
    }
    ck_assert(
        emu_machine_enter_flat32(fixture->machine, FIXTURE_FLAT_ENTRY, 0x80000, 0, 0x1000, NULL));
    return fixture;
}

static PgmWatch *watch(Fixture *fixture, GVirt start, uint64_t len, unsigned accesses, Hits *hits)
{
    PgmWatch *made = pgm_watch_new_virtual(emu_machine_cpu(fixture->machine), start, len, accesses,
                                           true, on_hit, hits, NULL);

    ck_assert_ptr_nonnull(made);
    hits->machine = fixture->machine;
    return made;
}

START_TEST(data_is_named_in_any_address_space)
{
    Fixture *plain = new_guest();
    Fixture *fixture = new_guest();
    Hits writes = { 0 }, reads = { 0 };
    EmuStop stop;

    PgmWatch *of_writes = watch(fixture, 0x400010, 4, MEM_ACCESS_WRITE, &writes);
    PgmWatch *of_reads = watch(fixture, 0x400012, 1, MEM_ACCESS_READ, &reads);

    emu_machine_run(plain->machine, LIMIT_NS);
    stop = emu_machine_run(fixture->machine, LIMIT_NS);
    ck_assert_int_eq(stop.reason, EMU_STOP_HALTED);
    ck_assert_uint_eq(writes.n, 2);
    ck_assert_uint_eq(writes.pc, 0x10015);
    ck_assert_uint_eq(writes.first_gva, 0x400010);
    ck_assert_uint_eq(writes.last_gpa, 0x130010);
    ck_assert_uint_eq(writes.last_value, 0x2222);
    ck_assert_uint_eq(reads.n, 1);
    ck_assert_uint_eq(reads.pc, 0x1003b);
    ck_assert_uint_eq(fixture_peek32(fixture, 0x120010), 0x1111);
    ck_assert_uint_eq(fixture_peek32(fixture, 0x130010), 0x2222);
    ck_assert_uint_eq(fixture_ram_hash(fixture), fixture_ram_hash(plain));
    ck_assert_uint_eq(fixture->machine->clock->bytes, plain->machine->clock->bytes);
    pgm_watch_free(of_writes);
    pgm_watch_free(of_reads);
    fixture_free(fixture);
    fixture_free(plain);
}
END_TEST

START_TEST(execution_is_told_before_each_instruction)
{
    Fixture *plain = new_guest();
    Fixture *fixture = new_guest();
    Hits one = { 0 }, some = { 0 };

    PgmWatch *of_one = watch(fixture, 0x10031, 1, MEM_ACCESS_EXEC, &one);
    PgmWatch *of_some = watch(fixture, 0x10029, 0x18, MEM_ACCESS_EXEC, &some);

    emu_machine_run(plain->machine, LIMIT_NS);
    emu_machine_run(fixture->machine, LIMIT_NS);
    ck_assert_uint_eq(one.n, 1);
    ck_assert_uint_eq(one.first_gva, 0x10031);
    ck_assert_uint_eq(some.n, 4);
    ck_assert_uint_eq(some.last_gva, 0x1003b);
    ck_assert_uint_eq(fixture_ram_hash(fixture), fixture_ram_hash(plain));
    ck_assert_uint_eq(fixture->machine->clock->bytes, plain->machine->clock->bytes);
    pgm_watch_free(of_one);
    pgm_watch_free(of_some);
    fixture_free(fixture);
    fixture_free(plain);
}
END_TEST

START_TEST(freed_watch_is_silent)
{
    Fixture *fixture = new_guest();
    Hits hits = { 0 };
    PgmWatch *made = watch(fixture, 0x400010, 4, MEM_ACCESS_READ | MEM_ACCESS_WRITE, &hits);

    while (hits.n == 0) {
        emu_machine_step(fixture->machine, 1);
    }
    pgm_watch_free(made);
    emu_machine_run(fixture->machine, LIMIT_NS);
    ck_assert_uint_eq(hits.n, 1);
    fixture_free(fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("virtual-watch");
    TCase *all = tcase_create("all");
    SRunner *runner;
    int n_failed;

    tcase_add_test(all, data_is_named_in_any_address_space);
    tcase_add_test(all, execution_is_told_before_each_instruction);
    tcase_add_test(all, freed_watch_is_silent);
    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
