/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memsys/access.h"
#include "pc-fixture.h"

#include <unistd.h>

static char *image_path;

static void remove_image(void)
{
    teardown();
    if (image_path != NULL) {
        g_unlink(image_path);
        g_clear_pointer(&image_path, g_free);
    }
}

static DevDisk *disk(void)
{
    int fd = g_file_open_tmp("quire-pc-XXXXXX", &image_path, NULL);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, 1024 * 1024), 0);
    close(fd);

    DevDisk *opened = dev_disk_open(image_path, false, NULL);

    ck_assert_ptr_nonnull(opened);
    return opened;
}

static uint8_t cmos(uint8_t index)
{
    out8(0x70, index);
    return in8(0x71);
}

static uint8_t mem(GPhys gpa)
{
    return pgm_read_u8_as(emu_machine_pgm(machine), gpa, MEM_ORIGIN_CPU);
}

static const size_t bios_lens[] = { 4096,       12 * 1024,  64 * 1024,       96 * 1024,
                                    128 * 1024, 256 * 1024, 2 * 1024 * 1024, 16 * 1024 * 1024 };

START_TEST(firmware_ends_at_4_gib_and_at_1_mib)
{
    size_t len = bios_lens[_i];
    size_t low_len = MIN(len, 128 * KIB);
    DevPcConfig config = config_with(len);
    unsigned n_wrong = 0;

    build(&config);
    for (size_t i = 0; i < len; i += 251) {
        n_wrong += mem(4 * GIB - len + i) != bios_byte(i, len);
    }
    for (size_t i = 0; i < low_len; i += 251) {
        n_wrong += mem(MIB - low_len + i) != bios_byte(len - low_len + i, len);
    }
    for (GPhys gpa = 0xC0000; gpa < MIB - low_len; gpa += 251) {
        n_wrong += mem(gpa) != 0xFF;
    }
    ck_assert_uint_eq(n_wrong, 0);
    ck_assert_uint_eq(mem(4 * GIB - 1), bios_byte(len - 1, len));
    ck_assert_uint_eq(mem(MIB - 1), bios_byte(len - 1, len));
    ck_assert_uint_eq(mem(4 * GIB - len - 1), 0xFF);
    ck_assert_uint_eq(mem(0xA0000), 0xFF);
    ck_assert_uint_eq(mem(0), 0);
}
END_TEST

static const struct {
    size_t bios_len;
    uint64_t ram_size, hole_size;
    int64_t rtc_seconds;
    const char *names; /* must be in the message */
} bad_configs[] = {
    { 0, 0, 0, 0, "--bios test.bin" },
    { 4097, 0, 0, 0, "--bios test.bin" },
    { 16 * 1024 * 1024 + 4096, 0, 0, 0, "--bios test.bin" },
    { 65536, 4097, 0, 0, "--memory" },
    { 65536, UINT64_C(1) << 60, 0, 0, "--memory" },
    { 65536, 0, 4096, 0, "--ram-hole" },
    { 65536, 0, UINT64_C(1) << 40, 0, "--ram-hole" },
    { 65536, 0, 0, -1, "--rtc" },
    { 65536, 0, 0, INT64_MAX, "--rtc" },
};

START_TEST(bad_configurations_name_the_option)
{
    DevPcConfig config = config_with(MAX(bad_configs[_i].bios_len, 1));
    g_autoptr(GError) error = NULL;

    config.bios_len = bad_configs[_i].bios_len;
    config.ram_size = bad_configs[_i].ram_size;
    config.hole_size = bad_configs[_i].hole_size;
    config.rtc_seconds = bad_configs[_i].rtc_seconds;
    ck_assert_ptr_null(dev_pc_new(machine, &config, &error));
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(strstr(error->message, bad_configs[_i].names) != NULL, "%s", error->message);
    ck_assert_ptr_null(strchr(error->message, '\n'));
}
END_TEST

START_TEST(a_second_board_does_not_fit)
{
    DevPcConfig config = config_with(64 * KIB);
    g_autoptr(GError) error = NULL;

    build(&config);
    ck_assert_ptr_null(dev_pc_new(machine, &config, &error));
    ck_assert_ptr_nonnull(error);
}
END_TEST

static const struct {
    uint64_t ram_size, hole_size;
    uint16_t base, above_1m, above_16m;
    uint32_t above_4g;
} sizes[] = {
    { 0, 0, 640, 0xFFFF, 112 * 16, 0 },
    { 512 * 1024, 0, 512, 0, 0, 0 },
    { 1024 * 1024, 0, 640, 0, 0, 0 },
    { 8 * 1024 * 1024, 0, 640, 7 * 1024, 0, 0 },
    { 16 * 1024 * 1024, 0, 640, 15 * 1024, 0, 0 },
    { UINT64_C(5) << 30, 0, 640, 0xFFFF, (3584 - 16) * 16, (1024 + 512) * 16 },
    { UINT64_C(5) << 30, UINT64_C(1) << 30, 640, 0xFFFF, (3072 - 16) * 16, 2048 * 16 },
};

START_TEST(memory_sizes_are_in_cmos)
{
    DevPcConfig config = config_with(64 * KIB);

    config.ram_size = sizes[_i].ram_size;
    config.hole_size = sizes[_i].hole_size;
    build(&config);
    ck_assert_uint_eq(cmos(0x15) | cmos(0x16) << 8, sizes[_i].base);
    ck_assert_uint_eq(cmos(0x17) | cmos(0x18) << 8, sizes[_i].above_1m);
    ck_assert_uint_eq(cmos(0x30) | cmos(0x31) << 8, sizes[_i].above_1m);
    ck_assert_uint_eq(cmos(0x34) | cmos(0x35) << 8, sizes[_i].above_16m);
    ck_assert_uint_eq(cmos(0x5B) | cmos(0x5C) << 8 | cmos(0x5D) << 16, sizes[_i].above_4g);
}
END_TEST

START_TEST(the_clock_starts_at_the_configured_date)
{
    DevPcConfig config = config_with(64 * KIB);

    config.rtc_seconds = 951782400; /* 29 February 2000 */
    build(&config);
    ck_assert_uint_eq(cmos(7), 0x29);
    ck_assert_uint_eq(cmos(8), 0x02);
    ck_assert_uint_eq(cmos(9), 0x00);
    ck_assert_uint_eq(cmos(0x32), 0x20);
}
END_TEST

START_TEST(the_pci_functions_are_there)
{
    static const struct {
        unsigned devfn;
        uint32_t id;
    } functions[] = {
        { 0x00, 0x12378086 }, { 0x08, 0x70008086 }, { 0x09, 0x70108086 }, { 0x0B, 0x71138086 }
    };
    unsigned n_found = 0;

    build_plain();
    for (unsigned i = 0; i < G_N_ELEMENTS(functions); i++) {
        ck_assert_uint_eq(pci_read(functions[i].devfn, 0), functions[i].id);
    }
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        n_found += pci_read(devfn, 0) != 0xFFFFFFFF;
    }
    ck_assert_uint_eq(n_found, G_N_ELEMENTS(functions));
}
END_TEST

START_TEST(reset_shows_the_firmware_again)
{
    build_plain();
    pci_write(0, 0x59, 1, 0x30);
    ck_assert_int_eq(pgm_write_u8_as(emu_machine_pgm(machine), 0xFFFF0, 0x12, MEM_ORIGIN_CPU),
                     MEM_OK);
    ck_assert_uint_eq(mem(0xFFFF0), 0x12);
    emu_machine_reset(machine);
    ck_assert_uint_eq(mem(0xFFFF0), 0xEB);
    ck_assert_uint_eq(pci_read(0, 0x58) >> 8 & 0xFF, 0);
}
END_TEST

/* ---- interrupts: what each device raises, found by polling the controllers ---- */

static void raise_timer(void)
{
    out8(0x43, 0x30);
    out8(0x40, 0x10);
    out8(0x40, 0x00);
    pass(1000000);
}

static void raise_keyboard(void)
{
    out8(0x64, 0x60);
    out8(0x60, 0x61);
    out8(0x64, 0xD2);
    out8(0x60, 0x1C);
}

static void raise_mouse(void)
{
    out8(0x64, 0x60);
    out8(0x60, 0x02);
    out8(0x64, 0xD3);
    out8(0x60, 0x1C);
}

static void raise_uart0(void)
{
    out8(0x3FC, 0x08);
    out8(0x3F9, 0x02);
}

static void raise_uart1(void)
{
    out8(0x2FC, 0x08);
    out8(0x2F9, 0x02);
}

static void raise_rtc(void)
{
    out8(0x70, 0x0B);
    out8(0x71, 0x12);
    pass(UINT64_C(1100000000));
}

static void raise_sci(void)
{
    pci_write(0x0B, 0x40, 4, 0xB001);
    pci_write(0x0B, 0x80, 1, 1);
    out8(0xB002, 1);
    out8(0xB004, 1);
    pass(UINT64_C(2400000000));
}

static void raise_ide(void)
{
    out8(0x1F6, 0xA0);
    out8(0x1F7, 0xEC); /* IDENTIFY DEVICE */
    pass(10000000);
}

static const struct {
    unsigned irq;
    void (*raise)(void);
} sources[] = {
    { 0, raise_timer }, { 1, raise_keyboard }, { 3, raise_uart1 },  { 4, raise_uart0 },
    { 8, raise_rtc },   { 9, raise_sci },      { 12, raise_mouse }, { 14, raise_ide },
};

START_TEST(interrupts_are_wired)
{
    DevPcConfig config = config_with(64 * KIB);
    unsigned irq = sources[_i].irq;
    uint16_t port = irq < 8 ? 0x20 : 0xA0;

    config.drives[0] = disk();
    build(&config);
    out8(0x20, 0x11);
    out8(0x21, 0x08);
    out8(0x21, 0x04);
    out8(0x21, 0x01);
    out8(0xA0, 0x11);
    out8(0xA1, 0x70);
    out8(0xA1, 0x02);
    out8(0xA1, 0x01);
    out8(port, 0x0C);
    ck_assert_uint_eq(in8(port), 0);
    sources[_i].raise();
    out8(port, 0x0C);
    ck_assert_uint_eq(in8(port), 0x80 | (irq & 7));
    out8(port, 0x0C);
    ck_assert_uint_eq(in8(port), 0);
}
END_TEST

/* ---- fw_cfg ---- */

static void fw_select(uint16_t key)
{
    emu_ports_write(emu_machine_ports(machine), 0x510, 2, key);
}

static uint32_t fw_big(unsigned n)
{
    uint32_t value = 0;

    while (n-- > 0) {
        value = value << 8 | in8(0x511);
    }
    return value;
}

/* Contents of a file as bytes, or NULL. */
static GBytes *fw_file(const char *want)
{
    fw_select(0x19);

    uint32_t n_files = fw_big(4);

    for (uint32_t i = 0; i < n_files; i++) {
        uint32_t len = fw_big(4);
        uint16_t key = (uint16_t)fw_big(2);
        char name[56];

        (void)fw_big(2);
        for (unsigned n = 0; n < sizeof(name); n++) {
            name[n] = (char)in8(0x511);
        }
        if (strcmp(name, want) == 0) {
            uint8_t *bytes = g_malloc(len + 1);

            fw_select(key);
            for (uint32_t n = 0; n < len; n++) {
                bytes[n] = in8(0x511);
            }
            return g_bytes_new_take(bytes, len);
        }
    }
    return NULL;
}

static void check_file(const char *name, const void *want, size_t len)
{
    g_autoptr(GBytes) bytes = fw_file(name);

    ck_assert_msg(bytes != NULL, "no %s", name);
    ck_assert_uint_eq(g_bytes_get_size(bytes), len);
    ck_assert_mem_eq(g_bytes_get_data(bytes, NULL), want, len);
}

START_TEST(firmware_finds_its_configuration)
{
    DevPcConfig config = config_with(64 * KIB);
    static const uint64_t ranges[][2] = { { 0, 0xA0000 },
                                          { 0x100000, 0xDFF00000 },
                                          { UINT64_C(0x100000000), UINT64_C(0x60000000) } };

    config.ram_size = 5 * GIB;
    config.drives[0] = disk();
    build(&config);
    ck_assert(dev_pc_add_fw_cfg_file(pc, "opt/test", "abc", 3, NULL));
    ck_assert(!dev_pc_add_fw_cfg_file(pc, "opt/test", "abc", 3, NULL));
    check_file("opt/test", "abc", 3);
    check_file("etc/sercon-port", "\xF8\x03", 2);
    check_file("etc/boot-fail-wait", "\0\0\0\0", 4);
    check_file("bootorder", "/pci@i0cf8/ide@1,1/drive@0/disk@0\n", 35);

    g_autoptr(GBytes) e820 = fw_file("etc/e820");
    const uint8_t *entry = g_bytes_get_data(e820, NULL);

    ck_assert_uint_eq(g_bytes_get_size(e820), 60);
    for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++, entry += 20) {
        ck_assert_mem_eq(entry, ranges[i], 16); /* little-endian, as this host is */
        ck_assert_mem_eq(entry + 16, "\1\0\0\0", 4);
    }
}
END_TEST

START_TEST(without_drives_there_is_no_boot_order)
{
    build_plain();
    ck_assert_ptr_null(fw_file("bootorder"));
    ck_assert_uint_eq(cmos(0x3D), 0x12);
}
END_TEST

/* ---- cards and option ROMs ---- */

#define ROM_LEN ((size_t)1024)

/* An option ROM for card @vendor:@device whose bytes add up to 0. */
static uint8_t *option_rom(unsigned vendor, unsigned device)
{
    uint8_t *rom = g_malloc(ROM_LEN);
    uint8_t sum = 0;

    for (size_t i = 0; i < ROM_LEN; i++) {
        rom[i] = (uint8_t)(i * 11);
    }
    memcpy(rom, "\x55\xAA\x02", 3);
    memcpy(rom + 24, "\x1C\0\0\0PCIR", 8);
    rom[32] = (uint8_t)vendor;
    rom[33] = (uint8_t)(vendor >> 8);
    rom[34] = (uint8_t)device;
    rom[35] = (uint8_t)(device >> 8);
    rom[0x1C + 21] = 0x80;
    for (size_t i = 0; i + 1 < ROM_LEN; i++) {
        sum = (uint8_t)(sum + rom[i]);
    }
    rom[ROM_LEN - 1] = (uint8_t)-sum;
    return rom;
}

/* Of a function's ROM BAR, shown at E0000000 while @check runs. */
static void check_rom_bar(unsigned devfn, const uint8_t *rom)
{
    unsigned n_wrong = 0;

    pci_write(devfn, 0x30, 4, 0xE0000001);
    pci_write(devfn, 4, 2, 2);
    for (size_t i = 0; i < ROM_LEN; i++) {
        n_wrong += mem(0xE0000000 + i) != rom[i];
    }
    ck_assert_uint_eq(n_wrong, 0);
    pci_write(devfn, 4, 2, 0);
    ck_assert_uint_eq(mem(0xE0000000), 0xFF);
}

START_TEST(cards_are_there_when_asked_for)
{
    g_autofree uint8_t *vga_rom = option_rom(0x1234, 0x1111);
    g_autofree uint8_t *nic_rom = option_rom(0x8086, 0x100E);
    DevPcConfig config = config_with(64 * KIB);

    config.vga = true;
    config.vga_rom = vga_rom;
    config.vga_rom_len = ROM_LEN;
    config.nic = dev_pc_nics()[0];
    config.nic_rom = nic_rom;
    config.nic_rom_len = ROM_LEN;
    build(&config);
    ck_assert_ptr_nonnull(dev_pc_screen(pc));
    ck_assert_uint_eq(pci_read(0x10, 0), 0x11111234);
    ck_assert_uint_eq(pci_read(0x18, 0), 0x100E8086);
    check_rom_bar(0x10, vga_rom);
    check_rom_bar(0x18, nic_rom);
}
END_TEST

START_TEST(without_cards_there_is_no_screen)
{
    build_plain();
    ck_assert_ptr_null(dev_pc_screen(pc));
    ck_assert_uint_eq(pci_read(0x10, 0), 0xFFFFFFFF);
    ck_assert_uint_eq(pci_read(0x18, 0), 0xFFFFFFFF);
    ck_assert_uint_eq(mem(0xA0000), 0xFF);
}
END_TEST

START_TEST(nics_are_listed_and_others_refused)
{
    DevPcConfig config = config_with(64 * KIB);
    g_autoptr(GError) error = NULL;

    ck_assert_str_eq(dev_pc_nics()[0], "e1000");
    ck_assert_ptr_null(dev_pc_nics()[1]);
    config.nic = "ne2000";
    ck_assert_ptr_null(dev_pc_new(machine, &config, &error));
    ck_assert_str_eq(error->message, "--nic ne2000: no such network card; there are: e1000");
}
END_TEST

START_TEST(roms_of_other_cards_are_refused)
{
    g_autofree uint8_t *rom = option_rom(0x8086, 0x100F);
    DevPcConfig config = config_with(64 * KIB);
    g_autoptr(GError) error = NULL;

    config.vga = _i == 0;
    config.vga_rom = config.nic_rom = rom;
    config.vga_rom_len = config.nic_rom_len = ROM_LEN;
    config.vga_rom_name = config.nic_rom_name = "card.rom";
    config.nic = _i == 1 ? "e1000" : NULL;
    ck_assert_ptr_null(dev_pc_new(machine, &config, &error));
    ck_assert_msg(
        strstr(error->message, _i == 0 ? "--vga-rom: card.rom: " : "--nic-rom: card.rom: ") != NULL,
        "%s", error->message);
}
END_TEST

/* SMRAM opens in front of the VGA's window, and the window comes back. */
START_TEST(smram_and_the_window_take_turns)
{
    DevPcConfig config = config_with(64 * KIB);
    Pgm *pgm = emu_machine_pgm(machine);
    PgmPageInfo info;

    config.vga = true;
    build(&config);
    ck_assert(pgm_page_query(pgm, 0xA0000, &info));
    ck_assert_str_eq(info.range.owner, "vga");
    pci_write(0, 0x72, 1, 0x4A);
    ck_assert(pgm_page_query(pgm, 0xA0000, &info));
    ck_assert_str_eq(info.range.owner, "i440fx");
    ck_assert_int_eq(pgm_write_u8_as(pgm, 0xB8000, 0x55, MEM_ORIGIN_CPU), MEM_OK);
    ck_assert_uint_eq(mem(0xB8000), 0x55);
    pci_write(0, 0x72, 1, 0x0A);
    ck_assert(pgm_page_query(pgm, 0xA0000, &info));
    ck_assert_str_eq(info.range.owner, "vga");
    pci_write(0, 0x72, 1, 0x4A);
    emu_machine_reset(machine);
    ck_assert(pgm_page_query(pgm, 0xA0000, &info));
    ck_assert_str_eq(info.range.owner, "vga");
}
END_TEST

START_TEST(option_roms_are_files_for_the_firmware)
{
    g_autofree uint8_t *rom = option_rom(0, 0);

    build_plain();
    ck_assert(dev_pc_add_option_rom(pc, "some.rom", rom, ROM_LEN, NULL));
    ck_assert(!dev_pc_add_option_rom(pc, "some.rom", rom, ROM_LEN, NULL));
    check_file("genroms/some.rom", rom, ROM_LEN);
}
END_TEST

static const struct {
    const char *name;
    size_t len;
    size_t at; /* byte that is changed */
    uint8_t to;
    const char *says;
} bad_roms[] = {
    { "a.rom", ROM_LEN, 0, 0xAA, "'a.rom': does not begin with 55 AA" },
    { "a.rom", ROM_LEN, 1, 0x55, "55 AA" },
    { "a.rom", 2, 3, 0, "55 AA" },
    { "a.rom", ROM_LEN, 2, 0, "its header says 0 bytes, there are 1024" },
    { "a.rom", ROM_LEN, 2, 3, "its header says 1536 bytes, there are 1024: cut short?" },
    { "a.rom", ROM_LEN - 1, 3, 0, "its header says 1024 bytes, there are 1023: cut short?" },
    { "a.rom", ROM_LEN, 700, 0xFE, "its 1024 bytes add up to" },
    { "", ROM_LEN, 3, 33, "a name of 0 bytes" },
    { "a-name-of-forty-eight-letters-is-one-too-long.rm", ROM_LEN, 3, 33, "a name of 48 bytes" },
};

START_TEST(what_is_no_option_rom_is_refused)
{
    g_autofree uint8_t *rom = option_rom(0, 0);
    g_autofree uint8_t *copy = NULL;
    g_autoptr(GError) error = NULL;

    build_plain();
    rom[bad_roms[_i].at] = bad_roms[_i].to;
    copy = g_memdup2(rom, bad_roms[_i].len); /* ASan sees reads behind it */
    ck_assert(!dev_pc_add_option_rom(pc, bad_roms[_i].name, copy, bad_roms[_i].len, &error));
    ck_assert_msg(strstr(error->message, bad_roms[_i].says) != NULL, "%s", error->message);
    ck_assert_ptr_null(fw_file("genroms/a.rom"));
}
END_TEST

START_TEST(what_is_typed_reaches_the_controller)
{
    build_plain();
    ck_assert(dev_typist_type(dev_pc_typist(pc), "q", NULL));
    pass(100000000);
    ck_assert_uint_eq(in8(0x64) & 1, 0);
    out8(0x64, 0x60);
    out8(0x60, 0x41);
    pass(20000000);
    ck_assert_uint_eq(in8(0x64) & 1, 1);
    ck_assert_uint_eq(in8(0x60), 0x10);
    /* A reset of the machine does not silence who types. */
    ck_assert(dev_typist_type(dev_pc_typist(pc), "w", NULL));
    emu_machine_reset(machine);
    ck_assert_uint_eq(dev_typist_waiting(dev_pc_typist(pc)), 1);
}
END_TEST

/* ---- running ---- */

START_TEST(consoles_are_there_and_joined)
{
    build_plain();
    ck_assert_str_eq(emu_console_name(emu_machine_console_at(machine, 0)), "serial0");
    ck_assert_str_eq(emu_console_name(emu_machine_console_at(machine, 1)), "serial1");
    ck_assert_str_eq(emu_console_name(emu_machine_console_at(machine, 2)), "debugcon");
    ck_assert_ptr_null(emu_machine_console_at(machine, 3));
    ck_assert_uint_eq(in8(0x402), 0xE9);
}
END_TEST

static const struct {
    const char *code; /* at the reset vector, at most 16 bytes */
    size_t len;
    EmuStopReason reason;
    uint32_t value;
} guests[] = {
    /* mov al, 15h; out 0F4h, al; hlt */
    { "\xB0\x15\xE6\xF4\xF4", 5, EMU_STOP_DEBUG_EXIT, 0x15 },
    /* mov dx, 0CF9h; mov al, 6; out dx, al; hlt */
    { "\xBA\xF9\x0C\xB0\x06\xEE\xF4", 7, EMU_STOP_RESET, 0 },
    /* jmp $ */
    { "\xEB\xFE", 2, EMU_STOP_TIME, 0 },
};

START_TEST(small_guests_run)
{
    DevPcConfig config = config_with(64 * KIB);

    memcpy(bios + 64 * KIB - 16, guests[_i].code, guests[_i].len);
    build(&config);

    EmuStop stop = emu_machine_run(machine, 1000000);

    ck_assert_msg(stop.reason == guests[_i].reason, "%d: %s", stop.reason, stop.text);
    if (stop.reason == EMU_STOP_DEBUG_EXIT) {
        ck_assert_uint_eq(stop.code, guests[_i].value);
    }
}
END_TEST

START_TEST(soft_off_switches_off)
{
    build_plain();
    pci_write(0x0B, 0x40, 4, 0xB001);
    pci_write(0x0B, 0x80, 1, 1);
    emu_ports_write(emu_machine_ports(machine), 0xB004, 2, 0x2000);

    EmuStop stop = emu_machine_run(machine, 1000000);

    ck_assert_msg(stop.reason == EMU_STOP_POWER_OFF, "%d: %s", stop.reason, stop.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pc");
    TCase *tcase = tcase_create("pc");

    tcase_add_checked_fixture(tcase, setup, remove_image);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, firmware_ends_at_4_gib_and_at_1_mib, 0, G_N_ELEMENTS(bios_lens));
    tcase_add_loop_test(tcase, bad_configurations_name_the_option, 0, G_N_ELEMENTS(bad_configs));
    tcase_add_test(tcase, a_second_board_does_not_fit);
    tcase_add_loop_test(tcase, memory_sizes_are_in_cmos, 0, G_N_ELEMENTS(sizes));
    tcase_add_test(tcase, the_clock_starts_at_the_configured_date);
    tcase_add_test(tcase, the_pci_functions_are_there);
    tcase_add_test(tcase, reset_shows_the_firmware_again);
    tcase_add_loop_test(tcase, interrupts_are_wired, 0, G_N_ELEMENTS(sources));
    tcase_add_test(tcase, firmware_finds_its_configuration);
    tcase_add_test(tcase, without_drives_there_is_no_boot_order);
    tcase_add_test(tcase, cards_are_there_when_asked_for);
    tcase_add_test(tcase, without_cards_there_is_no_screen);
    tcase_add_test(tcase, nics_are_listed_and_others_refused);
    tcase_add_loop_test(tcase, roms_of_other_cards_are_refused, 0, 2);
    tcase_add_test(tcase, smram_and_the_window_take_turns);
    tcase_add_test(tcase, option_roms_are_files_for_the_firmware);
    tcase_add_loop_test(tcase, what_is_no_option_rom_is_refused, 0, G_N_ELEMENTS(bad_roms));
    tcase_add_test(tcase, what_is_typed_reaches_the_controller);
    tcase_add_test(tcase, consoles_are_there_and_joined);
    tcase_add_loop_test(tcase, small_guests_run, 0, G_N_ELEMENTS(guests));
    tcase_add_test(tcase, soft_off_switches_off);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
