/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loader of Linux kernels against kernels made here: good ones, and ones whose every number is
 * wrong in turn. What a bad one must not do: see test-loader.c.
 */
#include "loader-fixture.h"

#include <elf.h>
#include <unistd.h>

#define SETUP_SECTS 2
#define KERNEL_LEN 4096
#define KERNEL_FILE_LEN ((SETUP_SECTS + 1) * 512 + KERNEL_LEN)
#define PARAMS 0x90000

static uint8_t kernel[KERNEL_FILE_LEN];

static void put(unsigned offset, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++) {
        kernel[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

/* Protocol 2.12, relocatable, wants to be at 2 MiB with 1 MiB to unpack in. */
static void make_kernel(void)
{
    memset(kernel, 0, sizeof kernel);
    memset(kernel + (SETUP_SECTS + 1) * 512, 0xCC, KERNEL_LEN);
    put(0x1F1, 1, SETUP_SECTS);
    put(0x1F4, 4, KERNEL_LEN / 16);
    put(0x1FE, 2, 0xAA55);
    put(0x200, 2, 0x66EB);
    memcpy(kernel + 0x202, "HdrS", 4);
    put(0x206, 2, 0x20C);
    put(0x211, 1, 0x01);
    put(0x214, 4, 0x100000);
    put(0x22C, 4, 0x7FFFFFFF);
    put(0x230, 4, 0x200000);
    put(0x234, 1, 1);
    put(0x238, 4, 255);
    put(0x258, 8, 0x200000);
    put(0x260, 4, 0x100000);
}

static bool load_kernel(const char *append, const char *initrd, GError **error)
{
    const EmuLinuxBoot boot = { .kernel = path, .append = append, .initrd = initrd };

    write_file(path, kernel, sizeof kernel);
    return emu_load_linux(machine, &boot, error);
}

START_TEST(a_kernel_gets_its_parameters)
{
    static const struct {
        uint64_t start;
        uint64_t len;
        uint32_t type;
    } map[] = {
        { 0, LOW_RAM, 1 },
        { 0xF0000, 0x10000, 2 },
        { MIB, HIGH_RAM_END - MIB, 1 },
    };
    uint64_t initrd_at;

    make_kernel();
    write_file(initrd_path, "initial disk", 12);
    ck_assert(load_kernel("console=ttyS0", initrd_path, NULL));
    ck_assert_uint_eq(guest(0x200000, 4), 0xCCCCCCCC);
    ck_assert_uint_eq(guest(0x200000 + KERNEL_LEN - 1, 2), 0x00CC);
    ck_assert_uint_eq(guest(PARAMS + 0x202, 4), 0x53726448);
    ck_assert_uint_eq(guest(PARAMS + 0x210, 1), 0xFF);
    ck_assert_uint_eq(guest(PARAMS + 0x211, 1), 0x01);
    ck_assert_uint_eq(guest(PARAMS + 0x214, 4), 0x200000);
    ck_assert_uint_eq(guest(guest(PARAMS + 0x228, 4), 8), UINT64_C(0x3D656C6F736E6F63));
    ck_assert_uint_eq(guest(guest(PARAMS + 0x228, 4) + 13, 1), 0);
    ck_assert_uint_eq(guest(PARAMS + 0x21C, 4), 12);
    initrd_at = guest(PARAMS + 0x218, 4);
    ck_assert_uint_eq(initrd_at, HIGH_RAM_END - 0x1000);
    ck_assert_uint_eq(guest(initrd_at, 4), 0x74696E69);
    ck_assert_uint_eq(guest(PARAMS + 0x1E8, 1), G_N_ELEMENTS(map));
    for (unsigned i = 0; i < G_N_ELEMENTS(map); i++) {
        GPhys entry = PARAMS + 0x2D0 + 20 * i;

        ck_assert_uint_eq(guest(entry, 8), map[i].start);
        ck_assert_uint_eq(guest(entry + 8, 8), map[i].len);
        ck_assert_uint_eq(guest(entry + 16, 4), map[i].type);
    }
    ck_assert_uint_eq(guest(PARAMS, 8), 0);
    ck_assert_uint_eq(guest(PARAMS + 0x290, 8), 0);
}
END_TEST

START_TEST(without_command_line_and_initrd_there_is_an_empty_line_and_none)
{
    make_kernel();
    ck_assert(load_kernel(NULL, NULL, NULL));
    ck_assert_uint_eq(guest(guest(PARAMS + 0x228, 4), 1), 0);
    ck_assert_uint_eq(guest(PARAMS + 0x218, 8), 0);
}
END_TEST

/* A kernel of 3 bytes at its entry: it shows that the processor is there, in the state Linux wants.
 */
START_TEST(the_kernel_is_entered_in_flat_protected_mode)
{
    static const uint8_t code[] = {
        0x89, 0x35, 0x00, 0x50, 0x00, 0x00,       /* mov [0x5000], esi */
        0x89, 0x25, 0x04, 0x50, 0x00, 0x00,       /* mov [0x5004], esp */
        0x8C, 0xCB,                               /* mov ebx, cs */
        0x89, 0x1D, 0x08, 0x50, 0x00, 0x00,       /* mov [0x5008], ebx */
        0x0F, 0x20, 0xC0,                         /* mov eax, cr0 */
        0xA3, 0x0C, 0x50, 0x00, 0x00,             /* mov [0x500c], eax */
        0x9C, 0x8F, 0x05, 0x10, 0x50, 0x00, 0x00, /* pushf; pop [0x5010] */
        0xF4,                                     /* hlt */
    };

    make_kernel();
    memcpy(kernel + (SETUP_SECTS + 1) * 512, code, sizeof code);
    ck_assert(load_kernel(NULL, NULL, NULL));

    EmuStop stop = emu_machine_run(machine, EMU_NS_PER_SECOND);

    ck_assert_msg(stop.reason == EMU_STOP_HALTED, "%s", stop.text);
    ck_assert_uint_eq(guest(0x5000, 4), PARAMS);
    ck_assert_uint_eq(guest(0x5004, 4), 0x90000);
    ck_assert_uint_eq(guest(0x5008, 2), 0x10);
    ck_assert_uint_eq(guest(0x500C, 4) & 0x80000001, 1);
    ck_assert_uint_eq(guest(0x5010, 4) & 0x200, 0);
}
END_TEST

/* Fields changed in the good kernel, and where it must then lie. */
static const struct {
    const char *what;
    unsigned offset;
    unsigned size;
    uint64_t value;
    uint64_t address;
} places[] = {
    { "as it is", 0x20E, 2, 0, 0x200000 },
    { "old protocol: 1 MiB", 0x206, 2, 0x204, 0x100000 },
    { "2.05: 1 MiB, but it asks for alignment", 0x206, 2, 0x205, 0x200000 },
    { "2.09: no wish of its own yet", 0x206, 2, 0x209, 0x200000 },
    { "wants to be outside RAM: first aligned place", 0x258, 8, 0x40000000, 0x200000 },
    { "wants to be above 4 GiB", 0x258, 8, UINT64_C(0x100000000), 0x200000 },
    { "wants to be at its last possible place", 0x258, 8, 0xE00000, 0xE00000 },
    { "not aligned as it asks itself", 0x258, 8, 0x300000, 0x200000 },
    { "a small alignment", 0x230, 4, 1, 0x200000 },
    { "a little memory is enough", 0x260, 4, 0, 0x200000 },
    { "all there is", 0x260, 4, HIGH_RAM_END - 0x200000, 0x200000 },
};

START_TEST(a_kernel_is_put_where_it_can_run)
{
    make_kernel();
    put(places[_i].offset, places[_i].size, places[_i].value);
    ck_assert_msg(load_kernel("x", NULL, NULL), "%s", places[_i].what);
    ck_assert_uint_eq(guest(places[_i].address, 4), 0xCCCCCCCC);
    ck_assert_uint_eq(guest(PARAMS + 0x214, 4), places[_i].address);
}
END_TEST

START_TEST(setup_sects_of_zero_means_four)
{
    make_kernel();
    put(0x1F1, 1, 0);
    put(0x1F4, 4, 0);
    kernel[5 * 512] = 0x77;
    ck_assert(load_kernel(NULL, NULL, NULL));
    ck_assert_uint_eq(guest(0x200000, 2), 0xCC77);
}
END_TEST

START_TEST(kernels_before_2_02_find_the_command_line_the_old_way)
{
    make_kernel();
    put(0x206, 2, 0x201);
    ck_assert(load_kernel("old", NULL, NULL));
    ck_assert_uint_eq(guest(PARAMS + 0x20, 2), 0xA33F);
    ck_assert_uint_eq(guest(PARAMS + guest(PARAMS + 0x22, 2), 4), 0x00646C6F);
}
END_TEST

START_TEST(the_initrd_stays_below_what_the_kernel_can_reach)
{
    make_kernel();
    put(0x22C, 4, 0x7FFFFF);
    write_file(initrd_path, "0123456789", 10);
    ck_assert(load_kernel(NULL, initrd_path, NULL));
    ck_assert_uint_eq(guest(PARAMS + 0x218, 4), 0x7FF000);
}
END_TEST

static const struct {
    const char *what;
    unsigned offset;
    unsigned size;
    uint64_t value;
    const char *words;
} bad_kernels[] = {
    { "no boot flag", 0x1FE, 2, 0, "boot protocol" },
    { "no magic", 0x202, 4, 0, "boot protocol" },
    { "version 1", 0x206, 2, 0x1FF, "version" },
    { "a zImage", 0x211, 1, 0, "zImage" },
    { "setup code past the end", 0x1F1, 1, 11, "setup" },
    { "setup code to the end", 0x1F1, 1, 10, "setup" },
    { "as much setup code as can be said", 0x1F1, 1, 255, "setup" },
    { "promises one unit more", 0x1F4, 4, KERNEL_LEN / 16 + 1, "cut off" },
    { "promises as much as can be said", 0x1F4, 4, 0xFFFFFFFF, "cut off" },
    { "alignment 0", 0x230, 4, 0, "alignment" },
    { "alignment 3", 0x230, 4, 3, "alignment" },
    { "alignment 2 GiB", 0x230, 4, 0x80000000, "alignment" },
    { "no place with that alignment", 0x230, 4, 0x40000000, "memory" },
    { "needs one byte too many", 0x260, 4, HIGH_RAM_END - 0x200000 + 1, "memory" },
    { "needs as much as can be said", 0x260, 4, 0xFFFFFFFF, "memory" },
    { "no command line allowed", 0x238, 4, 0, "command line" },
};

START_TEST(bad_kernels_are_refused_and_change_nothing)
{
    g_autoptr(GError) error = NULL;

    make_kernel();
    put(bad_kernels[_i].offset, bad_kernels[_i].size, bad_kernels[_i].value);

    bool ok = load_kernel("x", NULL, &error);

    check_refusal(ok, error, bad_kernels[_i].words, bad_kernels[_i].what);
    ck_assert_ptr_nonnull(strstr(error->message, path));
}
END_TEST

START_TEST(a_kernel_that_cannot_move_needs_its_place)
{
    g_autoptr(GError) error = NULL;

    make_kernel();
    put(0x234, 1, 0);
    put(0x258, 8, 0x40000000);

    bool ok = load_kernel(NULL, NULL, &error);

    check_refusal(ok, error, "0x40000000", "not relocatable");
    put(0x258, 8, 0x9F000); /* below 1 MiB */

    g_autoptr(GError) again = NULL;

    ok = load_kernel(NULL, NULL, &again);
    check_refusal(ok, again, "memory", "not relocatable, low");
}
END_TEST

START_TEST(the_command_line_has_a_limit)
{
    char line[257];
    g_autoptr(GError) error = NULL;

    make_kernel();
    memset(line, 'a', sizeof line);
    line[256] = '\0';

    bool ok = load_kernel(line, NULL, &error);

    check_refusal(ok, error, "command line", "256 bytes");
    line[255] = '\0';
    ck_assert(load_kernel(line, NULL, NULL));
    ck_assert_uint_eq(guest(guest(PARAMS + 0x228, 4) + 254, 2), 'a');
}
END_TEST

START_TEST(a_boundless_limit_is_still_bounded_by_our_room)
{
    g_autofree char *line = g_malloc(0x100000);
    g_autoptr(GError) error = NULL;

    make_kernel();
    put(0x238, 4, 0xFFFFFFFF);
    memset(line, 'a', 0x100000);
    line[0xFFFFF] = '\0';

    bool ok = load_kernel(line, NULL, &error);

    check_refusal(ok, error, "command line", "1 MiB");
}
END_TEST

START_TEST(the_size_field_grew_with_2_04)
{
    g_autoptr(GError) error = NULL;

    make_kernel();
    put(0x1F6, 2, 1); /* the upper half of the size, or of something older */
    put(0x206, 2, 0x204);

    bool ok = load_kernel(NULL, NULL, &error);

    check_refusal(ok, error, "cut off", "2.04");
    put(0x206, 2, 0x203);
    ck_assert(load_kernel(NULL, NULL, NULL));
}
END_TEST

START_TEST(the_initrd_may_lie_below_the_kernel)
{
    make_kernel();
    put(0x258, 8, 0xE00000);
    put(0x22C, 4, 0x7FFFFF);
    write_file(initrd_path, "0123456789", 10);
    ck_assert(load_kernel(NULL, initrd_path, NULL));
    ck_assert_uint_eq(guest(PARAMS + 0x214, 4), 0xE00000);
    ck_assert_uint_eq(guest(PARAMS + 0x218, 4), 0x7FF000);
}
END_TEST

/* Another machine, of one run of RAM. */
static void use_one_run(GPhys start, uint64_t len)
{
    emu_machine_free(machine);
    machine = emu_machine_new(NULL, NULL);
    ck_assert_ptr_nonnull(machine);
    ck_assert_int_eq(pgm_ram_register(emu_machine_pgm(machine), start, len, "RAM", NULL), MEM_OK);
    emu_machine_reset(machine);
}

START_TEST(the_initrd_goes_into_the_only_run_of_ram)
{
    use_one_run(0, HIGH_RAM_END);
    make_kernel();
    write_file(initrd_path, "0123456789", 10);
    ck_assert(load_kernel(NULL, initrd_path, NULL));
    ck_assert_uint_eq(guest(PARAMS + 0x218, 4), HIGH_RAM_END - 0x1000);
}
END_TEST

/* Its length is compared before it is read. */
START_TEST(an_initrd_longer_than_the_largest_run_below_4_gib_is_not_read)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) none = NULL;
    uint64_t most = HIGH_RAM_END - MIB;

    ck_assert_int_eq(
        pgm_ram_register(emu_machine_pgm(machine), UINT64_C(1) << 32, 64 * MIB, "above", NULL),
        MEM_OK);
    make_kernel();
    write_file(initrd_path, "x", 1);
    ck_assert_int_eq(truncate(initrd_path, (off_t)most + 1), 0);

    bool ok = load_kernel(NULL, initrd_path, &error);
    g_autofree char *words = g_strdup_printf("at most %" G_GUINT64_FORMAT " can", most);

    check_refusal(ok, error, words, "longer than RAM");
    use_one_run(UINT64_C(1) << 32, 64 * MIB);
    write_file(initrd_path, "x", 1);
    ok = load_kernel(NULL, initrd_path, &none);
    check_refusal(ok, none, "at most 0 can", "no RAM below 4 GiB");
}
END_TEST

static const struct {
    const char *what;
    uint64_t len;
    uint32_t last;
    bool fits;
} initrds[] = {
    { "fills what is left", HIGH_RAM_END - 0x300000, 0x7FFFFFFF, true },
    { "one byte more", HIGH_RAM_END - 0x300000 + 1, 0x7FFFFFFF, false },
    { "larger than RAM", 64 * MIB, 0x7FFFFFFF, false },
    { "may reach no RAM above the kernel", 0x1000, 0x2FFFFF, false },
    { "may reach a page of it", 0x1000, 0x300FFF, true },
    { "may reach nothing", 1, 0, false },
    { "may reach all", 1, 0xFFFFFFFF, true },
};

START_TEST(an_initrd_fits_beside_the_kernel_or_is_refused)
{
    g_autoptr(GError) error = NULL;

    make_kernel();
    put(0x22C, 4, initrds[_i].last);
    write_file(initrd_path, "x", 1);
    ck_assert_int_eq(truncate(initrd_path, (off_t)initrds[_i].len), 0);

    bool ok = load_kernel(NULL, initrd_path, &error);

    if (!initrds[_i].fits) {
        check_refusal(ok, error, initrd_path, initrds[_i].what);
        return;
    }
    ck_assert_msg(ok, "%s: %s", initrds[_i].what, error != NULL ? error->message : "");

    uint64_t at = guest(PARAMS + 0x218, 4);

    ck_assert_uint_ge(at, 0x300000); /* clear of the kernel's space */
    ck_assert_uint_le(at + initrds[_i].len - 1, initrds[_i].last);
    ck_assert_uint_eq(guest(at, 1), 'x');
}
END_TEST

START_TEST(a_missing_kernel_is_named)
{
    const EmuLinuxBoot boot = { .kernel = path };
    g_autoptr(GError) error = NULL;

    bool ok = emu_load_linux(machine, &boot, &error);

    check_refusal(ok, error, path, "missing kernel");
}
END_TEST

START_TEST(a_missing_initrd_is_named)
{
    g_autoptr(GError) error = NULL;

    make_kernel();

    bool ok = load_kernel(NULL, initrd_path, &error);

    check_refusal(ok, error, initrd_path, "missing initrd");
}
END_TEST

START_TEST(damaged_kernels_do_no_harm)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(2600);
    unsigned n_loaded = 0;

    write_file(initrd_path, "disk", 4);
    for (unsigned round = 0; round < 2000; round++) {
        make_kernel();
        for (int n = g_rand_int_range(rand, 1, 4); n > 0; n--) {
            kernel[g_rand_int_range(rand, 0x1F1, 0x270)] =
                (uint8_t)(g_rand_boolean(rand) ? g_rand_int(rand) : 0xFF);
        }
        n_loaded += load_kernel("x", initrd_path, NULL);
    }
    ck_assert_uint_gt(n_loaded, 0);
    ck_assert_uint_eq(guest(0xF0000, 1), 0xFF);
}
END_TEST

START_TEST(files_are_told_apart)
{
    const Elf32_Ehdr f = { .e_ident = ELFMAG };

    make_kernel();

    g_autoptr(GBytes) elf = g_bytes_new(&f, sizeof f);
    g_autoptr(GBytes) linux_file = g_bytes_new(kernel, sizeof kernel);
    g_autoptr(GBytes) cut = g_bytes_new(kernel, 0x206);
    g_autoptr(GBytes) tiny = g_bytes_new(&f, 3);
    g_autoptr(GBytes) nothing = g_bytes_new(NULL, 0);

    ck_assert(emu_is_elf(elf));
    ck_assert(!emu_is_linux(elf));
    ck_assert(emu_is_linux(linux_file));
    ck_assert(!emu_is_elf(linux_file));
    ck_assert(!emu_is_linux(cut));
    ck_assert(!emu_is_elf(tiny));
    ck_assert(!emu_is_elf(nothing));
    ck_assert(!emu_is_linux(nothing));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("loader-linux");
    Suite *suite = suite_create("emu/loader-linux");

    tcase_add_checked_fixture(tc, loader_setup, loader_teardown);
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, a_kernel_gets_its_parameters);
    tcase_add_test(tc, without_command_line_and_initrd_there_is_an_empty_line_and_none);
    tcase_add_test(tc, the_kernel_is_entered_in_flat_protected_mode);
    tcase_add_loop_test(tc, a_kernel_is_put_where_it_can_run, 0, G_N_ELEMENTS(places));
    tcase_add_test(tc, setup_sects_of_zero_means_four);
    tcase_add_test(tc, kernels_before_2_02_find_the_command_line_the_old_way);
    tcase_add_test(tc, the_initrd_stays_below_what_the_kernel_can_reach);
    tcase_add_loop_test(tc, bad_kernels_are_refused_and_change_nothing, 0,
                        G_N_ELEMENTS(bad_kernels));
    tcase_add_test(tc, a_kernel_that_cannot_move_needs_its_place);
    tcase_add_test(tc, the_command_line_has_a_limit);
    tcase_add_test(tc, a_boundless_limit_is_still_bounded_by_our_room);
    tcase_add_loop_test(tc, an_initrd_fits_beside_the_kernel_or_is_refused, 0,
                        G_N_ELEMENTS(initrds));
    tcase_add_test(tc, the_initrd_goes_into_the_only_run_of_ram);
    tcase_add_test(tc, an_initrd_longer_than_the_largest_run_below_4_gib_is_not_read);
    tcase_add_test(tc, a_missing_kernel_is_named);
    tcase_add_test(tc, a_missing_initrd_is_named);
    tcase_add_test(tc, the_size_field_grew_with_2_04);
    tcase_add_test(tc, the_initrd_may_lie_below_the_kernel);
    tcase_add_test(tc, damaged_kernels_do_no_harm);
    tcase_add_test(tc, files_are_told_apart);
    suite_add_tcase(suite, tc);
    return loader_run(suite);
}
