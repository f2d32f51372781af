/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved states: bytes in memory, read by the container, checked and loaded into a small machine.
 *
 * Input: the file; the custom mutator knows the records and puts checksums right, so that what is
 * behind them is met.
 *
 * Checked: a refused file has a message, and the machine is what it was; a machine that loaded one
 * is sound, and what it then saves makes another machine equal to it, which saves the same file.
 */
#include "tests/fuzz/memory-files.h"
#include "tests/fuzz/state-machine.h"

#include "memsys/access.h"
#include "memsys/balloon.h"
#include "tests/state-reseal.h"

#define FILE_ROOM (512u * 1024)

static Gmm *gmm;

static void free_gmm(void)
{
    gmm_free(gmm);
}

/* Every unit to its end, in pieces. */
static void read_units(MemStateReader *reader)
{
    MemStateUnit unit;

    for (unsigned i = 0; mem_state_reader_unit(reader, i, &unit); i++) {
        uint8_t piece[64];
        uint64_t left;

        fuzz_check(mem_state_reader_has(reader, unit.name, unit.instance), "a unit is not found");
        if (mem_state_open_unit(reader, unit.name, unit.instance, UINT32_MAX, NULL) == 0) {
            continue;
        }
        for (unsigned n = 0; n < 256 && (left = mem_state_unit_left(reader)) > 0; n++) {
            (void)mem_state_get(reader, piece, (size_t)MIN(left, sizeof piece), NULL);
        }
        fuzz_check(!mem_state_get(reader, piece, sizeof piece, NULL) ||
                       mem_state_unit_left(reader) > 0 || unit.raw_bytes >= sizeof piece,
                   "more bytes than there are");
    }
}

/* ---- machines */

/* Of all that a guest can tell apart, and of which pages are given away. */
static uint64_t hash_machine(const StateMachine *m)
{
    const uint64_t places[] = { pgm_mmio_address(m->mmio), pgm_mmio2_address(m->mmio2),
                                pgm_mmio2_len(m->mmio2) };
    uint64_t hash = XXH3_64bits_withSeed(
        places, sizeof places,
        XXH3_64bits(pgm_mmio2_host(m->mmio2), STATE_DEVICE_PAGES * STATE_PAGE));
    uint8_t page[STATE_PAGE];

    for (GPhys at = 0; at < STATE_END; at += STATE_PAGE) {
        PgmPageInfo info = { 0 };
        PgmRomProt prot = PGM_N_ROM_PROTS;

        (void)pgm_rom_get_protection(m->pgm, at, &prot);
        if (!pgm_page_query(m->pgm, at, &info)) {
            continue;
        }
        const uint32_t facts[] = { info.type, info.state == PGM_PAGE_BALLOONED, info.handler,
                                   prot };

        (void)pgm_peek(m->pgm, at, page, sizeof page);
        hash = XXH3_64bits_withSeed(facts, sizeof facts, hash);
        hash = XXH3_64bits_withSeed(page, sizeof page, hash);
    }
    return hash;
}

/* Something of everything that a load has to undo. */
static void make_lived_in(const StateMachine *m)
{
    const GPhys gpas[] = { 5 * STATE_PAGE, 6 * STATE_PAGE };

    (void)pgm_fill(m->pgm, 0x800, 0xA5, 2 * STATE_PAGE, MEM_ORIGIN_DEVICE);
    (void)pgm_balloon_inflate(m->pgm, gpas, G_N_ELEMENTS(gpas));
    (void)pgm_rom_protect(m->pgm, STATE_ROM, 2 * STATE_PAGE, PGM_ROM_READ_RAM_WRITE_RAM);
    (void)pgm_write_u32(m->pgm, STATE_ROM + 4, 0x1234);
    (void)pgm_mmio2_map(m->mmio2, 7 * STATE_PAGE, NULL);
    (void)pgm_mmio_map(m->mmio, STATE_ROM + 10 * STATE_PAGE, NULL);
    (void)pgm_mmio_alias(m->mmio, 0, m->mmio2, 0);
    (void)pgm_write_u32(m->pgm, 8 * STATE_PAGE, 77);
    (void)pgm_handler_page_off(m->handler, STATE_HANDLER + STATE_PAGE);
}

static void verify(const StateMachine *m)
{
    g_autoptr(GString) report = g_string_new(NULL);
    PgmRomProt prot;

    fuzz_check(pgm_verify(m->pgm, report) + gmm_verify(gmm, report) == 0, "%s", report->str);
    for (unsigned i = 0; pgm_rom_get_protection(m->pgm, STATE_ROM + i * STATE_PAGE, &prot); i++) {
        fuzz_check(prot < PGM_N_ROM_PROTS, "protection %u", (unsigned)prot);
    }
}

static void load(const StateMachine *m, MemStateReader *reader)
{
    g_autoptr(GError) error = NULL;

    fuzz_check(pgm_load_apply(m->pgm, reader, &error), "checked, but not loaded: %s",
               error->message);
    verify(m);
}

/* Into file @n. */
static void save(const StateMachine *m, unsigned n)
{
    const char path[] = { 'm', 'e', 'm', ':', (char)('0' + n), 0 };
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);
    g_autoptr(GError) error = NULL;

    fuzz_check(writer != NULL, "no writer");
    pgm_save(m->pgm, writer);
    fuzz_check(mem_state_writer_commit(writer, &error), "not saved: %s", error->message);
}

/* What @m saves makes a new machine equal to it. */
static void check_saved(const StateMachine *m)
{
    StateMachine twin;
    g_autoptr(GError) error = NULL;

    save(m, 0);
    g_autoptr(MemStateReader) reader =
        mem_state_reader_new_from_bytes(memory_files[0].bytes, memory_files[0].len, &error);

    fuzz_check(reader != NULL, "saved, but not read: %s", error->message);
    state_machine_init(&twin, gmm);
    fuzz_check(pgm_load_check(twin.pgm, reader, &error), "saved, but refused: %s", error->message);
    load(&twin, reader);
    fuzz_check(hash_machine(&twin) == hash_machine(m), "another machine was saved than is there");
    save(&twin, 1);
    fuzz_check(memory_files[0].len == memory_files[1].len &&
                   memcmp(memory_files[0].bytes, memory_files[1].bytes, memory_files[0].len) == 0,
               "the same machine saves other bytes");
    state_machine_clear(&twin);
}

static void check_and_load(MemStateReader *reader)
{
    g_autoptr(GError) error = NULL;
    StateMachine m;

    state_machine_init(&m, gmm);
    make_lived_in(&m);

    uint64_t before = hash_machine(&m);
    bool good = pgm_load_check(m.pgm, reader, &error);

    fuzz_check(hash_machine(&m) == before, "a check changed the machine");
    fuzz_check(good || (error != NULL && error->message[0] != '\0'), "no message");
    if (good) {
        load(&m, reader);
        check_saved(&m);
    } else {
        verify(&m);
    }
    state_machine_clear(&m);
}

static void start(void)
{
    static uint8_t files[2][FILE_ROOM];

    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        memory_files[i] = (MemoryFile) { files[i], 0, FILE_ROOM, 0 };
    }
    memory_files_use();
    gmm = gmm_new(UINT64_C(64) << 20, NULL);
    atexit(free_gmm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MemStateReader) reader = NULL;

    if (gmm == NULL) {
        start();
    }
    reader = mem_state_reader_new_from_bytes(data, size, &error);
    if (reader == NULL) {
        fuzz_check(error != NULL && error->message[0] != '\0', "no message");
        return 0;
    }
    read_units(reader);
    check_and_load(reader);
    return 0;
}

/* ---- mutating */

#define MAX_RAW 65536u
#define MAX_RECORDS 64u

/* Length of the record of this type (memsys/saved-internal.h); 0: there is none. */
static size_t record_len(uint8_t type)
{
    static const uint16_t lens[] = { 1, 14, 9, 1 + STATE_PAGE, 14, 9, 22, 21, 33, 29 };

    return type < G_N_ELEMENTS(lens) ? lens[type] : 0;
}

static size_t skip_text(const uint8_t *raw, size_t len, size_t at)
{
    return at + 4 <= len ? at + 4 + mem_state_le32(raw + at) : len;
}

/* Where the records of a unit "pgm" begin, behind the table of ranges. */
static size_t skip_table(const uint8_t *raw, size_t len)
{
    uint32_t n = len >= 4 ? mem_state_le32(raw) : 0;
    size_t at = 4;

    for (uint32_t i = 0; i < MIN(n, 8) && at < len; i++) {
        at = skip_text(raw, len, skip_text(raw, len, at + 6)) + 24;
    }
    return MIN(at, len);
}

/* A byte of a record worth changing: mostly the type or the low byte of a number, because numbers
 * of ranges, pages and protections are small. */
static size_t pick_byte(uint8_t type, size_t len, GRand *rand)
{
    static const uint8_t low[][6] = {
        { 0, 0, 0, 0, 0, 0 },    { 0, 1, 5, 6, 6, 1 },   { 0, 1, 1, 1, 1, 1 },
        { 0, 1, 1, 1, 1, 1 },    { 0, 1, 5, 6, 6, 1 },   { 0, 1, 1, 1, 1, 1 },
        { 0, 1, 5, 13, 13, 21 }, { 0, 1, 5, 6, 13, 13 }, { 0, 1, 5, 13, 17, 25 },
        { 0, 1, 5, 13, 13, 21 },
    };

    if (type < G_N_ELEMENTS(low) && g_rand_int_range(rand, 0, 4) != 0) {
        return low[type][g_rand_int_range(rand, 0, 6)];
    }
    return (size_t)g_rand_int_range(rand, 0, (gint32)MIN(len, 40));
}

/* One record is changed, goes, comes twice or changes places with the next. */
static size_t mutate_records(uint8_t *raw, size_t len, size_t max_len, GRand *rand)
{
    size_t starts[MAX_RECORDS + 1];
    size_t at = skip_table(raw, len);
    unsigned n = 0;

    for (size_t step;
         n < MAX_RECORDS && at < len && (step = record_len(raw[at])) > 0 && step <= len - at;) {
        starts[n++] = at;
        at += step;
    }
    if (n == 0) {
        return LLVMFuzzerMutate(raw, len, max_len);
    }
    starts[n] = at;
    unsigned i = (unsigned)g_rand_int_range(rand, 0, (gint32)n);
    size_t start = starts[i];
    size_t step = starts[i + 1] - start;
    int what = g_rand_int_range(rand, 0, 8);

    if (what == 0) {
        memmove(raw + start, raw + start + step, len - start - step);
        return len - step;
    }
    if (what == 1 && len + step <= max_len) {
        memmove(raw + start + step, raw + start, len - start);
        return len + step;
    }
    if (what == 2 && i + 1 < n) {
        g_autofree uint8_t *first = g_memdup2(raw + start, step);
        size_t second = starts[i + 2] - starts[i + 1];

        memmove(raw + start, raw + start + step, second);
        memcpy(raw + start + second, first, step);
        return len;
    }
    raw[start + pick_byte(raw[start], step, rand)] = g_rand_int_range(rand, 0, 4) == 0
                                                         ? (uint8_t)g_rand_int(rand)
                                                         : (uint8_t)g_rand_int_range(rand, 0, 20);
    return len;
}

/* The file with the raw bytes of one unit changed and nothing packed; 0 if it cannot be read or
 * does not fit. */
static size_t mutate_unit(uint8_t *data, size_t size, size_t max_size, GRand *rand)
{
    MemStateReader *reader = mem_state_reader_new_from_bytes(data, size, NULL);
    g_autofree uint8_t *raw = g_malloc(MAX_RAW);
    StateBuilder builder;
    MemStateUnit unit;

    if (reader == NULL) {
        return 0;
    }
    state_builder_init(&builder);

    unsigned chosen = (unsigned)g_rand_int_range(rand, 0, 8);

    for (unsigned i = 0; mem_state_reader_unit(reader, i, &unit); i++) {
        size_t len = (size_t)MIN(unit.raw_bytes, MAX_RAW);

        if (mem_state_open_unit(reader, unit.name, unit.instance, UINT32_MAX, NULL) != 0 &&
            mem_state_get(reader, raw, len, NULL)) {
            if (chosen > 1 && strcmp(unit.name, "pgm") == 0) {
                len = mutate_records(raw, len, MIN(MAX_RAW, max_size), rand);
            } else if (chosen == i) {
                len = LLVMFuzzerMutate(raw, len, MIN(MAX_RAW, max_size));
            }
            state_builder_add(&builder, unit.name, unit.instance, unit.version, raw, len);
        }
    }
    mem_state_reader_free(reader);

    g_autoptr(GByteArray) file = state_builder_finish(&builder);

    if (file->len > max_size) {
        return 0;
    }
    memcpy(data, file->data, file->len);
    return file->len;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

    if (g_rand_int_range(rand, 0, 4) != 0) {
        size_t len = mutate_unit(data, size, max_size, rand);

        if (len > 0) {
            return len;
        }
    }
    size = LLVMFuzzerMutate(data, size, max_size);
    if (g_rand_int_range(rand, 0, 8) != 0) {
        state_reseal(data, size);
    }
    return size;
}
