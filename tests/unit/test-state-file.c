/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container of saved states: what is written is read back, every damaged byte is seen, and no
 * failure of the host leaves half a file.
 */
#include "memsys/state_file.h"
#include "tests/state-reseal.h"
#include "tests/unit/fake-os.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIG ((size_t)600000) /* three blocks */

static char *folder;
static char *path;
static uint8_t *big; /* half of it can be packed */

static void setup(void)
{
    g_autofree char *name = g_build_filename(g_get_tmp_dir(), "test-state-XXXXXX", NULL);

    folder = g_mkdtemp(g_steal_pointer(&name));
    ck_assert_ptr_nonnull(folder);
    path = g_build_filename(folder, "it.state", NULL);
    big = g_malloc(BIG);
    uint32_t seed = 1;

    for (size_t i = 0; i < BIG; i++) {
        seed = seed * 1664525 + 1013904223;
        big[i] = i < BIG / 2 ? (uint8_t)(seed >> 24) : (uint8_t)(i >> 12);
    }
    mem_os_set(fake_os_new(UINT64_C(1) << 30));
}

static unsigned count_files(void)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

static void teardown(void)
{
    fake_os_heal();
    ck_assert_int_eq(fake_os.n_files, 0);
    ck_assert_int_eq(fake_os.n_blocks, 0);
    mem_os_set(NULL);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *file = g_build_filename(folder, name, NULL);

        (void)g_remove(file);
    }
    g_dir_close(dir);
    ck_assert_int_eq(g_rmdir(folder), 0);
    g_clear_pointer(&folder, g_free);
    g_clear_pointer(&path, g_free);
    g_clear_pointer(&big, g_free);
}

/* Three units; the second has three blocks. */
static bool write_file(size_t big_len, GError **error)
{
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 0, error);

    if (!writer) {
        return false;
    }
    mem_state_begin_unit(writer, "cpu", 0, 7);
    mem_state_put_u8(writer, 0xa5);
    mem_state_put_u32(writer, 0x12345678);
    mem_state_put_u64(writer, UINT64_C(0x123456789abcdef0));
    mem_state_put_string(writer, "what it is called");
    mem_state_end_unit(writer);
    mem_state_begin_unit(writer, "big-one_2", 3, 1);
    mem_state_put(writer, big, big_len);
    mem_state_end_unit(writer);
    mem_state_begin_unit(writer, "cpu", 1, UINT32_MAX);
    mem_state_end_unit(writer);
    return mem_state_writer_commit(writer, error);
}

static void good_file(size_t big_len)
{
    g_autoptr(GError) error = NULL;

    ck_assert_msg(write_file(big_len, &error), "%s", error ? error->message : "?");
}

static void check_small(MemStateReader *reader)
{
    uint8_t u8;
    uint32_t u32;
    uint64_t u64;

    ck_assert_uint_eq(mem_state_open_unit(reader, "cpu", 0, 9, NULL), 7);
    ck_assert(mem_state_get_u8(reader, &u8, NULL));
    ck_assert(mem_state_get_u32(reader, &u32, NULL));
    ck_assert(mem_state_get_u64(reader, &u64, NULL));
    g_autofree char *text = mem_state_get_string(reader, 17, NULL);

    ck_assert_uint_eq(u8, 0xa5);
    ck_assert_uint_eq(u32, 0x12345678);
    ck_assert_uint_eq(u64, UINT64_C(0x123456789abcdef0));
    ck_assert_str_eq(text, "what it is called");
    ck_assert_uint_eq(mem_state_unit_left(reader), 0);
}

START_TEST(what_is_written_is_read_back_as_often_as_wanted)
{
    g_autofree uint8_t *got = g_malloc(BIG);
    MemStateUnit unit;

    good_file(BIG);
    g_autoptr(MemStateReader) reader = mem_state_reader_new(path, NULL);

    ck_assert_ptr_nonnull(reader);
    ck_assert_uint_eq(mem_state_reader_version(reader), MEM_STATE_VERSION);
    ck_assert_uint_eq(mem_state_reader_n_units(reader), 3);
    ck_assert(mem_state_reader_unit(reader, 1, &unit));
    ck_assert_str_eq(unit.name, "big-one_2");
    ck_assert_uint_eq(unit.instance, 3);
    ck_assert_uint_eq(unit.version, 1);
    ck_assert_uint_eq(unit.raw_bytes, BIG);
    ck_assert_uint_lt(unit.file_bytes, BIG);
    ck_assert(!mem_state_reader_unit(reader, 3, &unit));
    ck_assert(mem_state_reader_has(reader, "cpu", 1));
    ck_assert(!mem_state_reader_has(reader, "cpu", 2));
    for (unsigned round = 0; round < 2; round++) {
        check_small(reader);
        ck_assert_uint_eq(mem_state_open_unit(reader, "big-one_2", 3, 1, NULL), 1);
        for (size_t at = 0, n; at < BIG; at += n) {
            n = MIN(BIG - at, 77777 * (round + 1));
            ck_assert(mem_state_get(reader, got + at, n, NULL));
        }
        ck_assert_mem_eq(got, big, BIG);
        ck_assert_uint_eq(mem_state_open_unit(reader, "cpu", 1, UINT32_MAX, NULL), UINT32_MAX);
        ck_assert_uint_eq(mem_state_unit_left(reader), 0);
    }
}
END_TEST

START_TEST(short_writes_and_reads_and_interruptions_are_gone_on_after)
{
    fake_os.longest_io = 1000;
    good_file(BIG);
    g_autoptr(MemStateReader) reader = mem_state_reader_new(path, NULL);

    ck_assert_ptr_nonnull(reader);
    check_small(reader);
    fake_os.longest_io = 0;
    fake_os.file_error = EINTR;
    fake_os_fail(FAKE_WRITE, 2, 4);
    fake_os_fail(FAKE_FSYNC, 1, 3);
    fake_os_fail(FAKE_PREAD, 1, 5);
    good_file(BIG);
    g_autoptr(MemStateReader) again = mem_state_reader_new(path, NULL);

    ck_assert_ptr_nonnull(again);
    check_small(again);
}
END_TEST

START_TEST(a_file_built_by_hand_is_the_same_to_a_reader)
{
    StateBuilder builder;
    uint8_t byte = 9;

    state_builder_init(&builder);
    state_builder_add(&builder, "a", 0, 1, &byte, 1);
    state_builder_add(&builder, "b", 0, 1, big, BIG);
    g_autoptr(GByteArray) file = state_builder_finish(&builder);
    g_autoptr(MemStateReader) reader = mem_state_reader_new_from_bytes(file->data, file->len, NULL);

    ck_assert_ptr_nonnull(reader);
    ck_assert_uint_eq(mem_state_open_unit(reader, "b", 0, 1, NULL), 1);
    ck_assert_uint_eq(mem_state_unit_left(reader), BIG);
}
END_TEST

/* ---- asking for what is not there */

START_TEST(missing_and_newer_units_and_bytes_are_named)
{
    g_autoptr(GError) missing = NULL;
    g_autoptr(GError) newer = NULL;
    g_autoptr(GError) beyond = NULL;
    g_autoptr(GError) long_text = NULL;
    g_autoptr(GError) bad = NULL;
    uint8_t bytes[100];

    good_file(10);
    g_autoptr(MemStateReader) reader = mem_state_reader_new(path, NULL);

    ck_assert_uint_eq(mem_state_open_unit(reader, "disk", 0, 1, &missing), 0);
    ck_assert_ptr_nonnull(strstr(missing->message, "unit disk 0"));
    ck_assert_ptr_nonnull(strstr(missing->message, path));
    ck_assert_uint_eq(mem_state_open_unit(reader, "cpu", 0, 6, &newer), 0);
    ck_assert_ptr_nonnull(strstr(newer->message, "version 7, this one reads up to 6"));
    ck_assert_uint_eq(mem_state_open_unit(reader, "big-one_2", 3, 1, NULL), 1);
    ck_assert(mem_state_get(reader, bytes, 4, NULL));
    ck_assert(!mem_state_get(reader, bytes, 7, &beyond));
    ck_assert_ptr_nonnull(strstr(beyond->message, "big-one_2 3, at its byte 4"));
    ck_assert(mem_state_get(reader, bytes, 6, NULL)); /* nothing was lost */
    ck_assert_uint_eq(mem_state_open_unit(reader, "cpu", 0, 7, NULL), 7);
    ck_assert(mem_state_get(reader, bytes, 13, NULL));
    ck_assert_ptr_null(mem_state_get_string(reader, 16, &long_text));
    ck_assert_ptr_nonnull(strstr(long_text->message, "17 bytes; at most 16"));
    ck_assert(!mem_state_bad(reader, &bad, "register %d", 5));
    ck_assert_ptr_nonnull(strstr(bad->message, "register 5"));
}
END_TEST

START_TEST(a_text_with_a_zero_inside_is_refused)
{
    static const uint8_t text[] = { 3, 0, 0, 0, 'a', 0, 'b' };
    StateBuilder builder;

    state_builder_init(&builder);
    state_builder_add(&builder, "a", 0, 1, text, sizeof text);
    g_autoptr(GByteArray) file = state_builder_finish(&builder);
    g_autoptr(MemStateReader) reader = mem_state_reader_new_from_bytes(file->data, file->len, NULL);

    ck_assert_uint_eq(mem_state_open_unit(reader, "a", 0, 1, NULL), 1);
    ck_assert_ptr_null(mem_state_get_string(reader, 10, NULL));
}
END_TEST

/* ---- damage */

typedef struct Bytes {
    char *data;
    gsize len;
} Bytes;

static Bytes small_file(void)
{
    Bytes bytes;

    good_file(2000);
    ck_assert(g_file_get_contents(path, &bytes.data, &bytes.len, NULL));
    return bytes;
}

static bool is_good(const void *bytes, size_t len, GError **error)
{
    g_autoptr(MemStateReader) reader = mem_state_reader_new_from_bytes(bytes, len, error);

    return reader != NULL;
}

START_TEST(every_truncation_is_seen)
{
    Bytes bytes = small_file();
    unsigned n_missed = 0;

    for (size_t len = 0; len < bytes.len; len++) {
        /* A copy, so that a sanitizer sees a read beyond its end. */
        g_autofree uint8_t *cut = g_memdup2(bytes.data, len);
        g_autoptr(GError) error = NULL;

        n_missed += is_good(cut, len, &error) || !strstr(error->message, "at byte ");
    }
    ck_assert_uint_eq(n_missed, 0);
    ck_assert(is_good(bytes.data, bytes.len, NULL));
    g_free(bytes.data);
}
END_TEST

START_TEST(every_flipped_bit_is_seen)
{
    Bytes bytes = small_file();
    unsigned n_missed = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            g_autoptr(GError) error = NULL;

            bytes.data[i] = (char)(bytes.data[i] ^ 1 << bit);
            n_missed += is_good(bytes.data, bytes.len, &error) || !error;
            bytes.data[i] = (char)(bytes.data[i] ^ 1 << bit);
        }
    }
    ck_assert_uint_eq(n_missed, 0);
    g_free(bytes.data);
}
END_TEST

START_TEST(bytes_after_the_end_are_seen)
{
    Bytes bytes = small_file();
    g_autofree char *longer = g_malloc0(bytes.len + 40);

    memcpy(longer, bytes.data, bytes.len);
    for (size_t n = 1; n <= 40; n++) {
        ck_assert(!is_good(longer, bytes.len + n, NULL));
    }
    g_free(bytes.data);
}
END_TEST

/* One change, all checksums put right again: what refuses it then, and where. */
static const struct {
    const char *what;
    size_t at; /* from the end if from_end */
    bool from_end;
    uint8_t len;
    uint64_t value;
    const char *message;
} hostile[] = {
    { "version 0", 8, false, 4, 0, "no version 0" },
    { "newer", 8, false, 4, 2, "newer version 2; this one reads up to 1" },
    { "byte order", 12, false, 4, 0x04030201, "proof is 0x04030201, not 0x" },
    { "flags", 16, false, 4, 1, "unknown flags 0x00000001" },
    { "block size", 20, false, 4, 4096, "blocks of 4096" },
    { "no name", 32 + 4, false, 4, 0, "name" },
    { "long name", 32 + 4, false, 4, 32, "name" },
    { "name's letters", 32 + 8, false, 1, 'C', "name" },
    { "name's rest", 32 + 8 + 31, false, 1, 'x', "name" },
    { "unit version", 32 + 44, false, 4, 0, "version 0" },
    { "instance is not the table's", 32 + 40, false, 4, 5, "entry 0 of the table" },
    { "raw length 0", 88 + 4, false, 4, 0, "a block of 0 bytes" },
    { "raw length too long", 88 + 4, false, 4, 262145, "a block of 262145 bytes" },
    { "raw length", 88 + 4, false, 4, 33, "cannot be stored" },
    { "stored length", 88 + 8, false, 4, 33, "cannot be stored" },
    { "method", 88 + 12, false, 4, 2, "method 2" },
    { "zstd without packing", 88 + 12, false, 4, 1, "cannot be stored" },
    { "blocks of a unit", 88 + 24 + 34 + 4, false, 4, 2, "its end says 2" },
    { "bytes of a unit", 88 + 24 + 34 + 8, false, 8, 35, "its end says 1 and 35" },
    { "footer's tag", 32, true, 4, 0, "footer is expected" },
    { "footer's zero", 28, true, 4, 1, "footer is expected" },
    { "table in the header", 24, true, 8, 31, "cannot begin at 31" },
    { "table too late", 24, true, 8, UINT64_MAX, "cannot begin" },
    { "table earlier", 24, true, 8, 32, "table of 0 units" },
    { "table: offset", 32 + 8 + 192, true, 8, 33, "entry 0 of the table" },
    { "table: length", 32 + 8 + 184, true, 8, 33, "entry 0 of the table" },
    { "table: raw", 32 + 8 + 176, true, 8, 35, "entry 0 of the table" },
    { "table: version", 32 + 8 + 164, true, 4, 8, "entry 0 of the table" },
    { "table: name", 32 + 8 + 160, true, 1, 'd', "entry 0 of the table" },
    { "table's tag", 32 + 8 + 200, true, 4, 0, "the table of units is expected here" },
    { "table: units", 32 + 8 + 196, true, 4, 2, "the table says 2 units; there are 3" },
};

START_TEST(a_hostile_file_with_good_checksums_is_refused)
{
    Bytes bytes = small_file();
    g_autoptr(GError) error = NULL;
    uint8_t *data = (uint8_t *)bytes.data;
    uint8_t value[8];

    mem_state_put_le64(value, hostile[_i].value);
    memcpy(data + (hostile[_i].from_end ? bytes.len - hostile[_i].at : hostile[_i].at), value,
           hostile[_i].len);
    state_reseal(data, bytes.len);
    ck_assert_msg(!is_good(data, bytes.len, &error), "%s", hostile[_i].what);
    ck_assert_msg(strstr(error->message, hostile[_i].message) != NULL, "%s: %s", hostile[_i].what,
                  error->message);
    g_free(bytes.data);
}
END_TEST

/* A record's own checksum, with that of the whole file put right: last byte, from the end if not
 * positive. */
static const struct {
    int last;
    const char *message;
} seals[] = {
    { 31, "checksum of the header" },   { 32 + 55, "checksum of a unit's begin" },
    { 88 + 23, "checksum of a block" }, { 88 + 24 + 34 + 23, "checksum of a unit's end" },
    { -33, "checksum of the table" },
};

START_TEST(a_checksum_that_alone_is_wrong_is_seen)
{
    Bytes bytes = small_file();
    g_autoptr(GError) error = NULL;
    uint8_t *data = (uint8_t *)bytes.data;
    int last = seals[_i].last;

    data[last < 0 ? bytes.len - (size_t)-last : (size_t)last] ^= 0x40;
    state_seal(data, bytes.len);
    ck_assert_msg(!is_good(data, bytes.len, &error), "%s", seals[_i].message);
    ck_assert_msg(strstr(error->message, seals[_i].message) != NULL, "%s: %s", seals[_i].message,
                  error->message);
    g_free(bytes.data);
}
END_TEST

START_TEST(a_unit_that_is_there_twice_is_refused)
{
    StateBuilder builder;
    g_autoptr(GError) error = NULL;

    state_builder_init(&builder);
    state_builder_add(&builder, "a", 4, 1, big, 1);
    state_builder_add(&builder, "a", 4, 1, big, 1);
    g_autoptr(GByteArray) file = state_builder_finish(&builder);

    ck_assert(!is_good(file->data, file->len, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "unit a 4 is there twice"));
}
END_TEST

START_TEST(packed_bytes_that_are_no_frame_of_the_stated_length_are_refused)
{
    Bytes bytes = small_file();
    size_t block = 88 + 24 + 34 + 24 + 56; /* of the second unit */
    uint8_t *data = (uint8_t *)bytes.data;
    uint32_t stored;
    unsigned n_bad = 0;

    ck_assert_uint_eq(mem_state_le32(data + block), MEM_STATE_TAG_BLOCK);
    ck_assert_uint_eq(mem_state_le32(data + block + 12), MEM_STATE_RAW);
    g_free(bytes.data);
    good_file(262144 + 200000);
    ck_assert(g_file_get_contents(path, &bytes.data, &bytes.len, NULL));
    data = (uint8_t *)bytes.data;
    block += MEM_STATE_BLOCK_LEN + mem_state_le32(data + block + 8);
    ck_assert_uint_eq(mem_state_le32(data + block + 12), MEM_STATE_ZSTD);
    stored = mem_state_le32(data + block + 8);
    mem_state_put_le32(data + block + 4, 200001);
    state_reseal(data, bytes.len);
    ck_assert(!is_good(data, bytes.len, NULL));
    mem_state_put_le32(data + block + 4, 200000);
    state_reseal(data, bytes.len);
    ck_assert(is_good(data, bytes.len, NULL));
    for (uint32_t i = 0; i < MIN(stored, 16); i++) {
        uint8_t was = data[block + MEM_STATE_BLOCK_LEN + i];

        data[block + MEM_STATE_BLOCK_LEN + i] ^= 0xff;
        state_reseal(data, bytes.len);
        n_bad += !is_good(data, bytes.len, NULL);
        data[block + MEM_STATE_BLOCK_LEN + i] = was;
    }
    /* The magic, the lengths and the structure are zstd's to see; flipped literals are not. */
    ck_assert_uint_ge(n_bad, 9);
    g_free(bytes.data);
}
END_TEST

START_TEST(random_changes_with_good_checksums_never_harm)
{
    Bytes bytes = small_file();
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);

    for (unsigned round = 0; round < 3000; round++) {
        g_autofree uint8_t *data = g_memdup2(bytes.data, bytes.len);
        size_t len = bytes.len - (round % 3 == 0 ? (size_t)g_rand_int_range(rand, 0, 300) : 0);

        for (int i = g_rand_int_range(rand, 1, 5); i > 0; i--) {
            data[g_rand_int_range(rand, 0, (gint32)len)] = (uint8_t)g_rand_int(rand);
        }
        state_reseal(data, len);
        g_autoptr(MemStateReader) reader = mem_state_reader_new_from_bytes(data, len, NULL);
        uint8_t buf[64];

        for (unsigned u = 0; reader && u < mem_state_reader_n_units(reader); u++) {
            MemStateUnit unit;

            ck_assert(mem_state_reader_unit(reader, u, &unit));
            (void)mem_state_open_unit(reader, unit.name, unit.instance, UINT32_MAX, NULL);
            while (mem_state_unit_left(reader) >= sizeof buf) {
                if (!mem_state_get(reader, buf, sizeof buf, NULL)) {
                    ck_abort_msg("a checked file cannot be read");
                }
            }
        }
    }
    g_free(bytes.data);
}
END_TEST

/* ---- the host */

static const struct {
    FakeOsCall call;
    unsigned first;
    int why;
    const char *message;
} save_failures[] = {
    { FAKE_OPEN, 2, EACCES, "cannot create a file beside it: Permission denied" },
    { FAKE_OPEN, 3, EACCES, "cannot open its folder" },
    { FAKE_WRITE, 1, ENOSPC, "cannot write 32 bytes at 0: No space left on device" },
    { FAKE_WRITE, 4, ENOSPC, "No space left on device" },
    { FAKE_WRITE, 9, EIO, "cannot write" },
    { FAKE_FSYNC, 1, EIO, "cannot bring it to the disk" },
    { FAKE_CLOSE, 1, EIO, "cannot close it" },
    { FAKE_RENAME, 1, EXDEV, "cannot rename" },
    { FAKE_TRY_ALLOC0, 1, 0, "no host memory" },
    { FAKE_TRY_ALLOC0, 2, 0, "no host memory" },
};

START_TEST(a_save_that_fails_leaves_the_old_file_and_nothing_else)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    gsize len, len_after;

    good_file(100);
    ck_assert(g_file_get_contents(path, &before, &len, NULL));
    fake_os.file_error = save_failures[_i].why;
    /* With a file there already, the first descriptor closed is that of the look at it. */
    unsigned skip = save_failures[_i].call == FAKE_CLOSE ? 1 : 0;

    fake_os_fail(save_failures[_i].call, save_failures[_i].first + skip, 1000);
    ck_assert(!write_file(BIG, &error));
    fake_os_heal();
    ck_assert_msg(strstr(error->message, save_failures[_i].message) != NULL, "%s", error->message);
    ck_assert_ptr_nonnull(strstr(error->message, path));
    ck_assert_uint_eq(count_files(), 1);
    ck_assert(g_file_get_contents(path, &after, &len_after, NULL));
    ck_assert_uint_eq(len, len_after);
    ck_assert_mem_eq(before, after, len);
}
END_TEST

START_TEST(a_folder_that_cannot_be_synced_is_said_but_one_that_has_no_sync_is_fine)
{
    g_autoptr(GError) error = NULL;

    fake_os.file_error = EIO;
    fake_os_fail(FAKE_FSYNC, 2, 2);
    ck_assert(!write_file(100, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "power failure"));
    ck_assert_uint_eq(count_files(), 1);
    fake_os.file_error = EINVAL;
    fake_os_fail(FAKE_FSYNC, 2, 2);
    good_file(100);
}
END_TEST

START_TEST(without_a_commit_nothing_is_left)
{
    MemStateWriter *writer = mem_state_writer_new(path, 0, NULL);

    ck_assert_ptr_nonnull(writer);
    mem_state_begin_unit(writer, "a", 0, 1);
    mem_state_put(writer, big, BIG);
    ck_assert(mem_state_writer_ok(writer));
    ck_assert_uint_eq(mem_state_writer_raw_bytes(writer), BIG);
    ck_assert_uint_gt(mem_state_writer_file_bytes(writer), BIG / 3);
    ck_assert_uint_eq(count_files(), 1);
    mem_state_writer_free(writer);
    ck_assert_uint_eq(count_files(), 0);
}
END_TEST

START_TEST(leftovers_and_saves_beside_do_not_disturb)
{
    MemStateWriter *a = mem_state_writer_new(path, 1, NULL);
    MemStateWriter *b = mem_state_writer_new(path, 19, NULL);

    ck_assert_uint_eq(count_files(), 2);
    good_file(100);
    ck_assert(mem_state_writer_commit(b, NULL));
    ck_assert(mem_state_writer_commit(a, NULL));
    mem_state_writer_free(a);
    mem_state_writer_free(b);
    ck_assert_uint_eq(count_files(), 1);
    fake_os.file_error = EEXIST; /* every name that is tried is taken, 99 times */
    fake_os_fail(FAKE_OPEN, 2, 100);
    good_file(100);
}
END_TEST

START_TEST(the_file_has_the_rights_of_any_new_one)
{
    struct stat info;
    mode_t old = umask(027);

    good_file(100);
    (void)umask(old);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0640);
}
END_TEST

START_TEST(what_is_no_file_is_not_replaced_and_not_read)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) no_file = NULL;
    g_autoptr(GError) none = NULL;

    ck_assert_ptr_null(mem_state_writer_new(folder, 0, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "is no file"));
    ck_assert_ptr_null(mem_state_reader_new(folder, &no_file));
    ck_assert_ptr_nonnull(strstr(no_file->message, "not a regular file"));
    ck_assert_ptr_null(mem_state_reader_new(path, &none));
    ck_assert_ptr_nonnull(strstr(none->message, "No such file"));
    g_clear_error(&none);
    ck_assert(g_file_set_contents(path, "#!/bin/sh\n", -1, NULL));
    ck_assert_ptr_null(mem_state_reader_new(path, &none));
    ck_assert_ptr_nonnull(strstr(none->message, "not a saved state"));
}
END_TEST

static const struct {
    FakeOsCall call;
    unsigned first;
    const char *message;
} load_failures[] = {
    { FAKE_OPEN, 1, "cannot open" },           { FAKE_FSTAT, 1, "cannot open" },
    { FAKE_PREAD, 1, "cannot read" },          { FAKE_PREAD, 5, "cannot read" },
    { FAKE_TRY_ALLOC0, 1, "no host memory" },  { FAKE_TRY_ALLOC0, 2, "no host memory" },
    { FAKE_TRY_REALLOC, 1, "no host memory" },
};

START_TEST(a_read_that_fails_says_so)
{
    g_autoptr(GError) error = NULL;

    good_file(BIG);
    fake_os_fail(load_failures[_i].call, load_failures[_i].first, 1000);
    ck_assert_ptr_null(mem_state_reader_new(path, &error));
    fake_os_heal();
    ck_assert_msg(strstr(error->message, load_failures[_i].message) != NULL, "%s", error->message);
}
END_TEST

START_TEST(a_file_that_changes_after_the_check_is_still_read_with_care)
{
    g_autofree uint8_t *got = g_malloc(BIG);
    g_autoptr(GError) damaged = NULL;
    g_autoptr(GError) shorter = NULL;

    good_file(BIG);
    g_autoptr(MemStateReader) reader = mem_state_reader_new(path, NULL);
    g_autofree char *data = NULL;
    gsize len;

    ck_assert(g_file_get_contents(path, &data, &len, NULL));
    data[1000] ^= 1;
    FILE *file = g_fopen(path, "r+b"); /* the same file, not a new one */

    ck_assert_uint_eq(fwrite(data, 1, len, file), len);
    (void)fflush(file);
    ck_assert_uint_eq(mem_state_open_unit(reader, "big-one_2", 3, 1, NULL), 1);
    ck_assert(!mem_state_get(reader, got, BIG, &damaged));
    ck_assert_ptr_nonnull(strstr(damaged->message, "checksum"));
    ck_assert_int_eq(ftruncate(fileno(file), 500), 0);
    (void)fclose(file);
    ck_assert_uint_eq(mem_state_open_unit(reader, "big-one_2", 3, 1, NULL), 1);
    ck_assert(!mem_state_get(reader, got, BIG, &shorter));
    ck_assert_ptr_nonnull(strstr(shorter->message, "has become shorter"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state-file");
    TCase *tc = tcase_create("state-file");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_is_written_is_read_back_as_often_as_wanted);
    tcase_add_test(tc, short_writes_and_reads_and_interruptions_are_gone_on_after);
    tcase_add_test(tc, a_file_built_by_hand_is_the_same_to_a_reader);
    tcase_add_test(tc, missing_and_newer_units_and_bytes_are_named);
    tcase_add_test(tc, a_text_with_a_zero_inside_is_refused);
    tcase_add_test(tc, every_truncation_is_seen);
    tcase_add_test(tc, every_flipped_bit_is_seen);
    tcase_add_test(tc, bytes_after_the_end_are_seen);
    tcase_add_loop_test(tc, a_hostile_file_with_good_checksums_is_refused, 0,
                        G_N_ELEMENTS(hostile));
    tcase_add_loop_test(tc, a_checksum_that_alone_is_wrong_is_seen, 0, G_N_ELEMENTS(seals));
    tcase_add_test(tc, a_unit_that_is_there_twice_is_refused);
    tcase_add_test(tc, packed_bytes_that_are_no_frame_of_the_stated_length_are_refused);
    tcase_add_test(tc, random_changes_with_good_checksums_never_harm);
    tcase_add_loop_test(tc, a_save_that_fails_leaves_the_old_file_and_nothing_else, 0,
                        G_N_ELEMENTS(save_failures));
    tcase_add_test(tc, a_folder_that_cannot_be_synced_is_said_but_one_that_has_no_sync_is_fine);
    tcase_add_test(tc, without_a_commit_nothing_is_left);
    tcase_add_test(tc, leftovers_and_saves_beside_do_not_disturb);
    tcase_add_test(tc, the_file_has_the_rights_of_any_new_one);
    tcase_add_test(tc, what_is_no_file_is_not_replaced_and_not_read);
    tcase_add_loop_test(tc, a_read_that_fails_says_so, 0, G_N_ELEMENTS(load_failures));
    tcase_add_test(tc, a_file_that_changes_after_the_check_is_still_read_with_care);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
