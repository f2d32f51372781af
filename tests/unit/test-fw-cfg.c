/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/fw_cfg.h"

#include "chip-fixture.h"
#include "emu/error.h"

static DevFwCfg *fw_cfg;

static void setup(void)
{
    const DevFwCfgConfig config = { .ram_size = UINT64_C(0x123456789A), .n_cpus = 1 };

    fixture_setup();
    fw_cfg = dev_fw_cfg_new(ports, &config, NULL);
    ck_assert_ptr_nonnull(fw_cfg);
}

static void teardown(void)
{
    dev_fw_cfg_free(fw_cfg);
    fixture_teardown();
}

static void select_key(uint16_t key)
{
    emu_ports_write(ports, 0x510, 2, key);
}

static void read_bytes(uint8_t *ret_bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        ret_bytes[i] = in8(0x511);
    }
}

static uint64_t read_number(unsigned n)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < n; i++) {
        value |= (uint64_t)in8(0x511) << (8 * i);
    }
    return value;
}

static uint32_t read_be(unsigned n)
{
    uint32_t value = 0;

    while (n-- > 0) {
        value = value << 8 | in8(0x511);
    }
    return value;
}

START_TEST(signature_is_what_firmware_looks_for)
{
    uint8_t bytes[6];

    select_key(0);
    read_bytes(bytes, sizeof bytes);
    ck_assert_mem_eq(bytes, "QEMU\0", 6);
}
END_TEST

static const struct {
    uint16_t key;
    unsigned size;
    uint64_t value;
} items[] = {
    { 0x01, 4, 0x1 }, /* no DMA */
    { 0x03, 8, UINT64_C(0x123456789A) },
    { 0x05, 2, 1 },
    { 0x0D, 8, 0 },
    { 0x0E, 2, 0 }, /* no boot menu */
    { 0x0F, 2, 1 },
    { 0x08, 4, 0 }, /* no kernel, */
    { 0x0B, 4, 0 }, /* no initrd, */
    { 0x14, 4, 0 }, /* no command line */
    { 0x19, 4, 0 }, /* no files yet */
    { 0x8003, 4, 0 },
    { 0xFFFF, 4, 0 },
};

START_TEST(legacy_items_are_little_endian_and_end_in_zeros)
{
    select_key(items[_i].key);
    ck_assert_uint_eq(read_number(items[_i].size), items[_i].value);
    ck_assert_uint_eq(read_number(8), 0);
}
END_TEST

START_TEST(selecting_again_starts_anew_and_write_mode_is_dropped)
{
    select_key(0);
    in8(0x511);
    select_key(0x4000);
    ck_assert_uint_eq(in8(0x511), 'Q');
    ck_assert_uint_eq(in8(0x511), 'E');
}
END_TEST

START_TEST(only_words_select_and_only_bytes_read)
{
    select_key(0);
    in8(0x511);
    out8(0x510, 5);
    out8(0x511, 5);
    emu_ports_write(ports, 0x511, 2, 5);
    ck_assert_uint_eq(in8(0x510), 0xFF);
    ck_assert_uint_eq(emu_ports_read(ports, 0x510, 2), 0xFFFF);
    ck_assert_uint_eq(in8(0x511), 'E');
}
END_TEST

START_TEST(directory_lists_files_big_endian)
{
    uint8_t name[56];
    char longest[56];

    memset(longest, 'n', 55);
    longest[55] = '\0';
    ck_assert(dev_fw_cfg_add_file(fw_cfg, "etc/sercon-port", "\xF8\x03", 2, NULL));
    ck_assert(dev_fw_cfg_add_file(fw_cfg, longest, "abc", 3, NULL));
    ck_assert(dev_fw_cfg_add_file(fw_cfg, "empty", NULL, 0, NULL));
    select_key(0x19);
    ck_assert_uint_eq(read_be(4), 3);
    ck_assert_uint_eq(read_be(4), 2);
    ck_assert_uint_eq(read_be(2), 0x20);
    ck_assert_uint_eq(read_be(2), 0);
    read_bytes(name, 56);
    ck_assert_str_eq((const char *)name, "etc/sercon-port");
    ck_assert_uint_eq(name[55], 0);
    ck_assert_uint_eq(read_be(4), 3);
    ck_assert_uint_eq(read_be(2), 0x21);
    ck_assert_uint_eq(read_be(2), 0);
    read_bytes(name, 56);
    ck_assert_str_eq((const char *)name, longest);
    ck_assert_uint_eq(read_be(4), 0);
    ck_assert_uint_eq(read_be(2), 0x22);
    select_key(0x20);
    ck_assert_uint_eq(read_number(2), 0x3F8);
    ck_assert_uint_eq(read_number(2), 0);
    select_key(0x21);
    read_bytes(name, 4);
    ck_assert_mem_eq(name, "abc", 4);
    select_key(0x22);
    ck_assert_uint_eq(in8(0x511), 0);
}
END_TEST

START_TEST(bad_files_are_refused_by_name)
{
    char longer[57];
    g_autoptr(GError) error = NULL;

    memset(longer, 'n', 56);
    longer[56] = '\0';
    ck_assert(!dev_fw_cfg_add_file(fw_cfg, longer, "x", 1, &error));
    ck_assert(g_error_matches(error, EMU_ERROR, EMU_ERROR_INVALID));
    ck_assert_ptr_nonnull(strstr(error->message, longer));
    g_clear_error(&error);
    ck_assert(!dev_fw_cfg_add_file(fw_cfg, "", "x", 1, &error));
    g_clear_error(&error);
    ck_assert(dev_fw_cfg_add_file(fw_cfg, "a", "x", 1, NULL));
    ck_assert(!dev_fw_cfg_add_file(fw_cfg, "a", "y", 1, &error));
    ck_assert(g_error_matches(error, EMU_ERROR, EMU_ERROR_CONFLICT));
    select_key(0x19);
    ck_assert_uint_eq(read_be(4), 1);
}
END_TEST

START_TEST(the_directory_has_an_end)
{
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < DEV_FW_CFG_MAX_FILES; i++) {
        g_autofree char *name = g_strdup_printf("f%u", i);

        if (!dev_fw_cfg_add_file(fw_cfg, name, &i, 4, NULL)) {
            ck_abort_msg("file %u does not fit", i);
        }
    }
    ck_assert(!dev_fw_cfg_add_file(fw_cfg, "more", "x", 1, &error));
    ck_assert_ptr_nonnull(error);
    select_key(0x20 + 255);
    ck_assert_uint_eq(read_number(4), 255);
}
END_TEST

START_TEST(e820_is_a_table_of_20_byte_entries)
{
    static const DevE820Entry entries[] = {
        { 0, UINT64_C(0x8000000), DEV_E820_RAM },
        { UINT64_C(0xFFFC0000), 0x40000, DEV_E820_RESERVED },
        { UINT64_C(0x100000000), UINT64_C(0x40000000), DEV_E820_RAM },
    };

    ck_assert(dev_fw_cfg_add_e820(fw_cfg, entries, 3, NULL));
    select_key(0x19);
    ck_assert_uint_eq(read_be(4), 1);
    ck_assert_uint_eq(read_be(4), 60);
    select_key(0x20);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(read_number(8), entries[i].start);
        ck_assert_uint_eq(read_number(8), entries[i].len);
        ck_assert_uint_eq(read_number(4), entries[i].type);
    }
}
END_TEST

static void save(GByteArray *out)
{
    dev_fw_cfg_save(fw_cfg, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return dev_fw_cfg_load(fw_cfg, bytes, len, pos, error);
}

static void disturb(void)
{
    select_key(3);
    in8(0x511);
}

START_TEST(state_round_trip_keeps_the_place)
{
    select_key(0);
    in8(0x511);
    in8(0x511);
    check_round_trip(save, load, disturb);
    ck_assert_uint_eq(in8(0x511), 'M');
    check_truncated(save, load);
}
END_TEST

START_TEST(a_loaded_position_behind_the_end_reads_zeros)
{
    g_autoptr(GByteArray) state = saved_state(save);
    size_t pos = 0;

    memset(field_in(state, "fw_cfg", "position"), 0xFF, 4);
    ck_assert(load(state->data, state->len, &pos, NULL));
    ck_assert_uint_eq(read_number(8), 0);
}
END_TEST

static void fuzz_little(uint32_t seed)
{
    static const PortRange all_ports[] = { { 0x50F, 4 } };

    fuzz_ports(all_ports, 1, seed, 50);
}

START_TEST(damaged_states_do_no_harm)
{
    check_damaged(save, load, 1, 3000, fuzz_little);
}
END_TEST

START_TEST(random_port_accesses_do_no_harm)
{
    static const PortRange all_ports[] = { { 0x50E, 8 } };

    ck_assert(dev_fw_cfg_add_file(fw_cfg, "a", "xyz", 3, NULL));
    fuzz_ports(all_ports, 1, 510 + (uint32_t)_i, 100000);
    select_key(0);
    ck_assert_uint_eq(read_be(4), 0x51454D55);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("fw_cfg");
    Suite *suite = suite_create("devices/fw_cfg");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, signature_is_what_firmware_looks_for);
    tcase_add_loop_test(tc, legacy_items_are_little_endian_and_end_in_zeros, 0,
                        G_N_ELEMENTS(items));
    tcase_add_test(tc, selecting_again_starts_anew_and_write_mode_is_dropped);
    tcase_add_test(tc, only_words_select_and_only_bytes_read);
    tcase_add_test(tc, directory_lists_files_big_endian);
    tcase_add_test(tc, bad_files_are_refused_by_name);
    tcase_add_test(tc, the_directory_has_an_end);
    tcase_add_test(tc, e820_is_a_table_of_20_byte_entries);
    tcase_add_test(tc, state_round_trip_keeps_the_place);
    tcase_add_test(tc, a_loaded_position_behind_the_end_reads_zeros);
    tcase_add_test(tc, damaged_states_do_no_harm);
    tcase_add_loop_test(tc, random_port_accesses_do_no_harm, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
