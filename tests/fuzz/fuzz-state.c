/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved states: bytes in memory, read by the container, checked and loaded into a small machine.
 *
 * Input: the file; the custom mutator puts its checksums right, so that what is behind them is met.
 *
 * Checked: a refused file has a message; after each load the machine is sound.
 */
#include "tests/fuzz/state-machine.h"

#include "tests/state-reseal.h"

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

static void load(MemStateReader *reader)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) report = g_string_new(NULL);
    Pgm *pgm = state_machine_new(gmm);

    if (!pgm_load_check(pgm, reader, &error)) {
        fuzz_check(error != NULL && error->message[0] != '\0', "no message");
    } else {
        fuzz_check(pgm_load_apply(pgm, reader, &error), "checked, but not loaded: %s",
                   error->message);
        PgmRomProt prot;

        for (unsigned i = 0; pgm_rom_get_protection(pgm, STATE_ROM + i * STATE_PAGE, &prot); i++) {
            fuzz_check(prot < PGM_N_ROM_PROTS, "protection %u", (unsigned)prot);
        }
        fuzz_check(pgm_verify(pgm, report) + gmm_verify(gmm, report) == 0, "%s", report->str);
    }
    pgm_free(pgm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    MemStateReader *reader;

    if (gmm == NULL) {
        gmm = gmm_new(UINT64_C(64) << 20, NULL);
        atexit(free_gmm);
    }
    reader = mem_state_reader_new_from_bytes(data, size, &error);
    if (reader == NULL) {
        fuzz_check(error != NULL && error->message[0] != '\0', "no message");
        return 0;
    }
    read_units(reader);
    load(reader);
    mem_state_reader_free(reader);
    return 0;
}

/* ---- mutating */

#define MAX_RAW 65536u

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

    unsigned chosen = (unsigned)g_rand_int_range(rand, 0, 4);

    for (unsigned i = 0; mem_state_reader_unit(reader, i, &unit); i++) {
        size_t len = (size_t)MIN(unit.raw_bytes, MAX_RAW);

        if (mem_state_open_unit(reader, unit.name, unit.instance, UINT32_MAX, NULL) != 0 &&
            mem_state_get(reader, raw, len, NULL)) {
            if (i == chosen || chosen > 1) {
                if (len > 0 && g_rand_boolean(rand)) {
                    /* Tags, counts and enumerations: small numbers, before any page's bytes. */
                    raw[(unsigned)g_rand_int_range(rand, 0, (gint32)MIN(len, 160))] =
                        (uint8_t)g_rand_int_range(rand, 0, 12);
                } else {
                    len = LLVMFuzzerMutate(raw, len, MIN(MAX_RAW, max_size));
                }
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
