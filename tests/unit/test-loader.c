/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loaders of raw and ELF files against files made here: good ones, and ones whose every number
 * is wrong in turn. A bad file must be refused with a message that names it, and must not have
 * changed a byte of the guest. Kernels are in test-loader-linux.c.
 */
#include "loader-fixture.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files and raw ---- */

START_TEST(a_raw_file_lands_where_it_is_told)
{
    write_file(path, "abcdefgh", 8);
    ck_assert(guest_is_untouched());
    ck_assert(emu_load_raw(machine, path, 0x7C00, NULL));
    ck_assert(!guest_is_untouched()); /* so the refusals below mean something */
    ck_assert_mem_eq(&(uint64_t) { guest(0x7C00, 8) }, "abcdefgh", 8);
    ck_assert_uint_eq(guest(0x7C08, 1), 0);
    ck_assert(emu_load_raw(machine, path, 2 * MIB - 4, NULL)); /* across neighbours */
    ck_assert_uint_eq(guest(2 * MIB, 1), 'e');
    ck_assert(emu_load_raw(machine, path, LOW_RAM - 8, NULL)); /* to the last byte */
}
END_TEST

static const GPhys bad_places[] = {
    LOW_RAM - 7,  LOW_RAM,    0xF0000,        0xFFFF8,           HIGH_RAM_END - 1,
    HIGH_RAM_END, UINT64_MAX, UINT64_MAX - 7, UINT64_C(1) << 52,
};

START_TEST(a_raw_file_must_lie_in_ram)
{
    g_autoptr(GError) error = NULL;

    write_file(path, "abcdefgh", 8);

    bool ok = emu_load_raw(machine, path, bad_places[_i], &error);

    check_refusal(ok, error, path, "raw");
}
END_TEST

START_TEST(what_is_no_file_is_refused_by_name)
{
    g_autofree char *pipe_path = g_build_filename(dir, "pipe", NULL);
    const struct {
        const char *path;
        const char *words;
    } files[] = {
        { dir, "directory" },     { path, "No such file" }, { "/dev/zero", "regular" },
        { pipe_path, "regular" }, { initrd_path, "empty" },
    };

    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    write_file(initrd_path, "", 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(emu_file_read(files[i].path, 1000, &error));
        ck_assert(g_error_matches(error, EMU_ERROR, EMU_ERROR_FILE));
        ck_assert_ptr_nonnull(strstr(error->message, files[i].path));
        ck_assert_msg(strstr(error->message, files[i].words) != NULL, "%s", error->message);
    }
    g_unlink(pipe_path);
}
END_TEST

START_TEST(a_file_is_read_up_to_the_limit_and_not_beyond)
{
    g_autoptr(GError) error = NULL;

    write_file(path, "abcdefgh", 8);

    g_autoptr(GBytes) bytes = emu_file_read(path, 8, NULL);

    ck_assert_uint_eq(g_bytes_get_size(bytes), 8);
    ck_assert_ptr_null(emu_file_read(path, 7, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "8 bytes"));
}
END_TEST

START_TEST(a_huge_sparse_file_is_refused_without_being_read)
{
    g_autoptr(GError) error = NULL;

    write_file(path, "x", 1);
    ck_assert_int_eq(truncate(path, (off_t)1 << 42), 0);

    bool ok = emu_load_raw(machine, path, MIB, &error);

    check_refusal(ok, error, path, "raw");
}
END_TEST

/* ---- ELF ---- */

/* A 32-bit program: two segments, three symbols (two global, one local) and a section that is not
 * one. */
typedef struct Elf32File {
    Elf32_Ehdr header;
    Elf32_Phdr segments[3];
    Elf32_Shdr sections[4];
    Elf32_Sym symbols[5];
    char strings[32];
    uint8_t text[64];
    uint8_t data[16];
} Elf32File;

#define NAME_LOCAL 1
#define NAME_MAIN 7
#define NAME_TABLE 12

static void make_elf32(Elf32File *f)
{
    *f = (Elf32File) {
        .header = {
            .e_ident = { 0x7F, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
            .e_type = ET_EXEC,
            .e_machine = EM_386,
            .e_version = EV_CURRENT,
            .e_entry = 0x100010,
            .e_phoff = offsetof(Elf32File, segments),
            .e_shoff = offsetof(Elf32File, sections),
            .e_ehsize = sizeof(Elf32_Ehdr),
            .e_phentsize = sizeof(Elf32_Phdr),
            .e_phnum = 3,
            .e_shentsize = sizeof(Elf32_Shdr),
            .e_shnum = 4,
            .e_shstrndx = 1,
        },
        .segments = {
            { PT_LOAD, offsetof(Elf32File, text), 0xC0100000, 0x100000, 64, 64, PF_R | PF_X, 0 },
            { PT_NOTE, 0xFFFFFFF0, 0, 0xFFFFFFF0, 0xFFFF, 0xFFFF, PF_R, 0 }, /* not our business */
            { PT_LOAD, offsetof(Elf32File, data), 0xC0200000, 0x200000, 16, 0x1800, PF_R | PF_W, 0 },
        },
        .sections = {
            [1] = { .sh_type = SHT_STRTAB, .sh_offset = offsetof(Elf32File, strings),
                    .sh_size = sizeof f->strings },
            [2] = { .sh_type = SHT_SYMTAB, .sh_offset = offsetof(Elf32File, symbols),
                    .sh_size = sizeof f->symbols, .sh_link = 1, .sh_info = 2,
                    .sh_entsize = sizeof(Elf32_Sym) },
            [3] = { .sh_type = SHT_NOBITS, .sh_offset = 0xFFFFFF00, .sh_size = 0x100000 },
        },
        .symbols = {
            [1] = { NAME_LOCAL, 0x100000, 0, ELF32_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, 3 },
            [2] = { NAME_MAIN, 0x100010, 0x20, ELF32_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 3 },
            [3] = { NAME_TABLE, 0x200000, 0x10, ELF32_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 3 },
            [4] = { NAME_MAIN, 0x999999, 0, ELF32_ST_INFO(STB_GLOBAL, STT_FUNC), 0, SHN_UNDEF },
        },
        .strings = "\0local\0main\0table",
    };
    memset(f->text, 0x90, sizeof f->text);
    memset(f->data, 0xDA, sizeof f->data);
}

START_TEST(elf32_segments_go_to_their_physical_addresses)
{
    Elf32File f;
    GVirt entry = 0;
    uint8_t ones[0x1800];

    memset(ones, 0xFF, sizeof ones); /* what the program's zeros must replace */
    ck_assert_int_eq(
        pgm_write(emu_machine_pgm(machine), 0x200000, ones, sizeof ones, MEM_ORIGIN_LOADER),
        MEM_OK);
    make_elf32(&f);
    write_file(path, &f, sizeof f);
    ck_assert(emu_load_elf(machine, path, NULL, &entry, NULL));
    ck_assert_uint_eq(entry, 0x100010);
    ck_assert_uint_eq(guest(0x100000, 8), UINT64_C(0x9090909090909090));
    ck_assert_uint_eq(guest(0x10003F, 2), 0x0090);
    ck_assert_uint_eq(guest(0x20000F, 2), 0x00DA);
    ck_assert_uint_eq(guest(0x2017F8, 8), 0);
}
END_TEST

START_TEST(elf_symbols_are_found_by_name_and_by_address)
{
    Elf32File f;
    GVirt address = 0;
    uint64_t offset = 99;
    EmuSymbols *symbols = emu_symbols_new();

    make_elf32(&f);
    write_file(path, &f, sizeof f);
    ck_assert(emu_load_elf(machine, path, symbols, &address, NULL));
    ck_assert_uint_eq(emu_symbols_count(symbols), 3);
    ck_assert(emu_symbols_lookup(symbols, "main", &address));
    ck_assert_uint_eq(address, 0x100010);
    ck_assert(emu_symbols_lookup(symbols, "local", &address));
    ck_assert(!emu_symbols_lookup(symbols, "mai", &address));
    ck_assert_str_eq(emu_symbols_find(symbols, 0x100010, &offset), "main");
    ck_assert_uint_eq(offset, 0);
    ck_assert_str_eq(emu_symbols_find(symbols, 0x10002F, &offset), "main");
    ck_assert_uint_eq(offset, 0x1F);
    ck_assert_str_eq(emu_symbols_find(symbols, 0x100030, &offset), "local"); /* it has no size */
    ck_assert_str_eq(emu_symbols_find(symbols, 0x10FFFF, &offset), "local");
    ck_assert_ptr_null(emu_symbols_find(symbols, 0x110000, &offset));
    ck_assert_ptr_null(emu_symbols_find(symbols, 0xFFFFF, &offset));
    ck_assert_str_eq(emu_symbols_find(symbols, 0x20000F, &offset), "table");
    ck_assert_ptr_null(emu_symbols_find(symbols, 0x200010, &offset));
    emu_symbols_free(symbols);
}
END_TEST

/* Names inside of names: 20000 symbols in 4 MiB of one string would be 40 GiB of copies. */
START_TEST(names_inside_of_names_take_bounded_memory)
{
    const size_t string_len = 4u << 20;
    const uint32_t n_symbols = 20000;
    size_t symbols_at = sizeof(Elf32File) + string_len;
    size_t len = symbols_at + n_symbols * sizeof(Elf32_Sym);
    g_autofree uint8_t *file = g_malloc0(len);
    Elf32File f;
    GVirt entry = 0;
    EmuSymbols *symbols = emu_symbols_new();

    make_elf32(&f);
    f.sections[1].sh_offset = sizeof(Elf32File);
    f.sections[1].sh_size = (Elf32_Word)string_len;
    f.sections[2].sh_offset = (Elf32_Off)symbols_at;
    f.sections[2].sh_size = n_symbols * (Elf32_Word)sizeof(Elf32_Sym);
    memcpy(file, &f, sizeof f);
    memset(file + sizeof f + 1, 'a', string_len - 2);
    for (uint32_t i = 0; i < n_symbols; i++) {
        Elf32_Sym symbol = { .st_name = 1 + i, .st_value = i, .st_shndx = 3 };

        if (i == n_symbols - 1) {
            symbol.st_name = (Elf32_Word)string_len - 4; /* "aaa" */
        }
        memcpy(file + symbols_at + i * sizeof symbol, &symbol, sizeof symbol);
    }
    write_file(path, file, len);
    ck_assert(emu_load_elf(machine, path, symbols, &entry, NULL));
    ck_assert_uint_eq(emu_symbols_count(symbols), 1);
    ck_assert(emu_symbols_lookup(symbols, "aaa", &entry));
    emu_symbols_free(symbols);
}
END_TEST

START_TEST(elf64_is_loaded_too)
{
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segment;
        uint8_t text[16];
    } f = {
        .header = {
            .e_ident = { 0x7F, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
            .e_type = ET_EXEC,
            .e_machine = EM_X86_64,
            .e_version = EV_CURRENT,
            .e_entry = UINT64_C(0xFFFFFFFF80000000),
            .e_phoff = sizeof(Elf64_Ehdr),
            .e_ehsize = sizeof(Elf64_Ehdr),
            .e_phentsize = sizeof(Elf64_Phdr),
            .e_phnum = 1,
        },
        .segment = { PT_LOAD, PF_R, sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
                     UINT64_C(0xFFFFFFFF80000000), 0x300000, 16, 16, 0 },
        .text = "sixty-four bits",
    };
    GVirt entry = 0;

    write_file(path, &f, sizeof f);
    ck_assert(emu_load_elf(machine, path, NULL, &entry, NULL));
    ck_assert_uint_eq(entry, UINT64_C(0xFFFFFFFF80000000));
    ck_assert_uint_eq(guest(0x300000, 4), 0x74786973);
}
END_TEST

/* One value changed in a good file, and a word of the refusal. */
#define F32(member) offsetof(Elf32File, member), sizeof(((Elf32File *)0)->member)
static const struct {
    const char *what;
    size_t offset;
    size_t size;
    uint32_t value;
    const char *words;
} bad_elves[] = {
    { "magic", F32(header.e_ident[1]), 'X', "ELF" },
    { "big-endian", F32(header.e_ident[EI_DATA]), ELFDATA2MSB, "program" },
    { "class", F32(header.e_ident[EI_CLASS]), 7, "ELF" },
    { "machine", F32(header.e_machine), EM_ARM, "x86" },
    { "relocatable file", F32(header.e_type), ET_REL, "link" },
    { "core file", F32(header.e_type), ET_CORE, "ELF" },
    { "no program headers", F32(header.e_phnum), 0, "program" },
    { "far program headers", F32(header.e_phoff), 0xFFFFFFF0, "program" },
    { "too many program headers", F32(header.e_phnum), 0xFFFE, "program" },
    { "offset past the end", F32(segments[0].p_offset), 0x10000, "segment 0" },
    { "offset that wraps", F32(segments[0].p_offset), 0xFFFFFFF0, "segment 0" },
    { "file size past the end", F32(segments[2].p_filesz), 0x1000, "segment 2" },
    { "file size that wraps", F32(segments[2].p_filesz), 0xFFFFFFFF, "segment 2" },
    { "more in the file than in memory", F32(segments[0].p_memsz), 63, "segment 0" },
    { "bytes in the file, none in memory", F32(segments[0].p_memsz), 0, "segment 0" },
    { "huge memory size", F32(segments[2].p_memsz), 0xFFFFFFFF, "segment 2" },
    { "memory size one byte past RAM", F32(segments[2].p_memsz), 0xE00001, "segment 2" },
    { "address that wraps", F32(segments[2].p_paddr), 0xFFFFFFF8, "segment 2" },
    { "address in a hole", F32(segments[0].p_paddr), 0xB0000, "segment 0" },
    { "address in ROM", F32(segments[0].p_paddr), 0xF0000, "segment 0" },
    { "end in a hole", F32(segments[0].p_paddr), 0x9FFF0, "segment 0" },
    { "overlap at the start", F32(segments[0].p_paddr), 0x1FFFC1, "overlap" },
    { "overlap at the end", F32(segments[0].p_paddr), 0x2017FF, "overlap" },
    { "overlap inside", F32(segments[0].p_paddr), 0x200100, "overlap" },
};

START_TEST(bad_elf_files_are_refused_and_change_nothing)
{
    Elf32File f;
    GVirt entry = 0x1234;
    g_autoptr(GError) error = NULL;

    make_elf32(&f);
    memcpy((uint8_t *)&f + bad_elves[_i].offset, &bad_elves[_i].value, bad_elves[_i].size);
    write_file(path, &f, sizeof f);

    bool ok = emu_load_elf(machine, path, NULL, &entry, &error);

    check_refusal(ok, error, bad_elves[_i].words, bad_elves[_i].what);
    ck_assert_ptr_nonnull(strstr(error->message, path));
    ck_assert_uint_eq(entry, 0x1234);
}
END_TEST

static const struct {
    uint32_t address;
} good_neighbours[] = { { 0x1FFFC0 }, { 0x201800 } };

START_TEST(segments_may_touch)
{
    Elf32File f;
    GVirt entry;

    make_elf32(&f);
    f.segments[0].p_paddr = good_neighbours[_i].address;
    write_file(path, &f, sizeof f);
    ck_assert(emu_load_elf(machine, path, NULL, &entry, NULL));
    ck_assert_uint_eq(guest(0x200000, 1), 0xDA);
    ck_assert_uint_eq(guest(good_neighbours[_i].address + 63, 1), 0x90);
}
END_TEST

START_TEST(an_elf_file_cut_anywhere_is_refused_or_whole)
{
    Elf32File f;
    size_t needed = offsetof(Elf32File, data) + sizeof f.data; /* the last byte that is loaded */

    make_elf32(&f);
    for (size_t len = 1; len < needed; len++) {
        g_autoptr(GError) error = NULL;
        GVirt entry;

        write_file(path, &f, len);
        if (emu_load_elf(machine, path, NULL, &entry, &error) || error == NULL ||
            !guest_is_untouched()) {
            ck_abort_msg("cut at %zu of %zu bytes", len, needed);
        }
    }
}
END_TEST

/* Random damage must neither crash nor write outside of RAM; with symbols, where most of libelf's
 * work is. */
START_TEST(damaged_elf_files_do_no_harm)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(386);
    unsigned n_loaded = 0;

    for (unsigned round = 0; round < 3000; round++) {
        Elf32File f;
        uint8_t *bytes = (uint8_t *)&f;
        GVirt entry;
        EmuSymbols *symbols = emu_symbols_new();

        make_elf32(&f);
        for (int n = g_rand_int_range(rand, 1, 4); n > 0; n--) {
            size_t at = (size_t)g_rand_int_range(rand, 4, offsetof(Elf32File, text));

            bytes[at] = (uint8_t)(g_rand_boolean(rand) ? g_rand_int(rand) : 0xFF);
        }
        write_file(path, &f, sizeof f);
        n_loaded += emu_load_elf(machine, path, symbols, &entry, NULL);
        emu_symbols_free(symbols);
    }
    ck_assert_uint_gt(n_loaded, 0);
    ck_assert_uint_eq(guest(0xF0000, 1), 0xFF);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("loader");
    Suite *suite = suite_create("emu/loader");

    tcase_add_checked_fixture(tc, loader_setup, loader_teardown);
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, a_raw_file_lands_where_it_is_told);
    tcase_add_loop_test(tc, a_raw_file_must_lie_in_ram, 0, G_N_ELEMENTS(bad_places));
    tcase_add_test(tc, what_is_no_file_is_refused_by_name);
    tcase_add_test(tc, a_file_is_read_up_to_the_limit_and_not_beyond);
    tcase_add_test(tc, a_huge_sparse_file_is_refused_without_being_read);
    tcase_add_test(tc, elf32_segments_go_to_their_physical_addresses);
    tcase_add_test(tc, elf_symbols_are_found_by_name_and_by_address);
    tcase_add_test(tc, names_inside_of_names_take_bounded_memory);
    tcase_add_test(tc, elf64_is_loaded_too);
    tcase_add_loop_test(tc, bad_elf_files_are_refused_and_change_nothing, 0,
                        G_N_ELEMENTS(bad_elves));
    tcase_add_loop_test(tc, segments_may_touch, 0, G_N_ELEMENTS(good_neighbours));
    tcase_add_test(tc, an_elf_file_cut_anywhere_is_refused_or_whole);
    tcase_add_test(tc, damaged_elf_files_do_no_harm);
    suite_add_tcase(suite, tc);
    return loader_run(suite);
}
