/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loaders against files made here: good ones, and ones whose every number is wrong in turn. A
 * bad file must be refused with a message that names it, and must not have changed a byte of the
 * guest.
 */
#include "emu/loader.h"

#include "memsys/access.h"
#include "memsys/rom.h"

#include <check.h>
#include <elf.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define LOW_RAM UINT64_C(0xA0000)
#define HIGH_RAM_END (16 * MIB) /* RAM: 0 to 640K and 1M to 16M */

static EmuMachine *machine;
static char *dir;
static char *path;
static char *initrd_path;

static void setup(void)
{
    g_autoptr(GError) error = NULL;

    machine = emu_machine_new(NULL, &error);
    ck_assert_msg(machine != NULL, "%s", error != NULL ? error->message : "");

    Pgm *pgm = emu_machine_pgm(machine);

    ck_assert_int_eq(pgm_ram_register(pgm, 0, LOW_RAM, "low RAM", NULL), MEM_OK);
    ck_assert_int_eq(pgm_ram_register(pgm, MIB, MIB, "RAM", NULL), MEM_OK); /* two neighbours */
    ck_assert_int_eq(pgm_ram_register(pgm, 2 * MIB, HIGH_RAM_END - 2 * MIB, "RAM", NULL), MEM_OK);
    ck_assert_int_eq(pgm_rom_register(pgm, 0xF0000, 0x10000, NULL, 0, 0xFF, 0, "test", "ROM", NULL),
                     MEM_OK);
    emu_machine_reset(machine);
    dir = g_dir_make_tmp("quire-loader-XXXXXX", NULL);
    path = g_build_filename(dir, "program", NULL);
    initrd_path = g_build_filename(dir, "initrd", NULL);
}

static void teardown(void)
{
    g_unlink(path);
    g_unlink(initrd_path);
    g_rmdir(dir);
    g_free(path);
    g_free(initrd_path);
    g_free(dir);
    emu_machine_free(machine);
}

static void write_file(const char *to, const void *bytes, size_t len)
{
    /* Without the flags that make it safe against power cuts, and slow. */
    ck_assert(
        g_file_set_contents_full(to, bytes, (gssize)len, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static uint64_t guest(GPhys address, unsigned size)
{
    uint64_t value = 0;

    ck_assert_int_eq(pgm_read(emu_machine_pgm(machine), address, &value, size, MEM_ORIGIN_DEBUGGER),
                     MEM_OK);
    return value;
}

/* Whether the guest's RAM is untouched: no page has been given to it. */
static bool guest_is_untouched(void)
{
    PgmStats stats;

    pgm_get_stats(emu_machine_pgm(machine), &stats);
    return stats.pages.written == 0 && stats.bulk_write_bytes == 0;
}

/* The message of a refusal: it names the file, has @words, and nothing has been written. */
static void check_refusal(bool loaded, const GError *error, const char *words, const char *what)
{
    ck_assert_msg(!loaded, "%s: was loaded", what);
    ck_assert_msg(error != NULL && error->domain == EMU_ERROR, "%s: no error", what);
    ck_assert_msg(strstr(error->message, words) != NULL, "%s: \"%s\" lacks \"%s\"", what,
                  error->message, words);
    ck_assert_msg(guest_is_untouched(), "%s: the guest was changed", what);
}

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

/* ---- Linux ---- */

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
    Elf32File f;

    make_elf32(&f);
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

static void add_linux_tests(TCase *tc)
{
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
    tcase_add_test(tc, a_missing_initrd_is_named);
    tcase_add_test(tc, the_size_field_grew_with_2_04);
    tcase_add_test(tc, the_initrd_may_lie_below_the_kernel);
    tcase_add_test(tc, damaged_kernels_do_no_harm);
}

int main(void)
{
    TCase *tc = tcase_create("loader");
    Suite *suite = suite_create("emu/loader");

    tcase_add_checked_fixture(tc, setup, teardown);
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
    tcase_add_test(tc, files_are_told_apart);
    add_linux_tests(tc);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
