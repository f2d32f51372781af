/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests that set modes by the distribution's video BIOS and draw: their pictures are those that
 * test-screens-qemu.c found equal to QEMU's, pixel by pixel. What SeaBIOS itself leaves on the
 * screen is compared with characters and font in the guest's video memory.
 */
#include "memsys/access.h"
#include "screens.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

START_TEST(picture_is_the_one_compared_with_qemu)
{
    const ScreenGuest *guest = &screen_guests[_i];
    g_autofree uint32_t *pixels = NULL;
    DevPicture picture;

    screen_guest_draw(guest, &picture, &pixels);
    ck_assert_uint_ne(guest->hash, 0);
    ck_assert_msg(screen_hash(&picture) == guest->hash,
                  "{ \"%s\", UINT64_C(0x%016" PRIx64 ") }: %ux%u is not what was compared",
                  guest->name, screen_hash(&picture), picture.width, picture.height);
}
END_TEST

/* ---- firmware's own text: it differs with the version, so nothing of it is kept here */

#define COLUMNS 80
#define ROWS 25
#define CELL_WIDTH 9
#define CELL_HEIGHT 16

typedef struct Cells {
    uint8_t text[ROWS * COLUMNS * 2]; /* character, attribute */
    uint8_t font[256 * 32];           /* from plane 2 */
    unsigned cursor;                  /* its cell */
} Cells;

static void set_register(EmuPorts *ports, uint16_t port, unsigned index, unsigned value)
{
    emu_ports_write(ports, port, 1, index);
    emu_ports_write(ports, port + 1, 1, value);
}

static unsigned get_register(EmuPorts *ports, uint16_t port, unsigned index)
{
    emu_ports_write(ports, port, 1, index);
    return emu_ports_read(ports, port + 1, 1);
}

/* As a guest would read them; plane 2 is not reached without setting the mode another way. */
static void read_cells(const FirmwarePc *pc, Cells *ret_cells)
{
    EmuPorts *ports = emu_machine_ports(pc->machine);
    Pgm *pgm = emu_machine_pgm(pc->machine);

    ret_cells->cursor = get_register(ports, 0x3D4, 14) << 8 | get_register(ports, 0x3D4, 15);
    ck_assert_int_eq(
        pgm_read(pgm, 0xB8000, ret_cells->text, sizeof ret_cells->text, MEM_ORIGIN_DEVICE), MEM_OK);
    set_register(ports, 0x3C4, 4, 6); /* planes one by one */
    set_register(ports, 0x3CE, 4, 2); /* the third */
    set_register(ports, 0x3CE, 5, 0);
    set_register(ports, 0x3CE, 6, 4); /* at A0000 */
    ck_assert_int_eq(
        pgm_read(pgm, 0xA0000, ret_cells->font, sizeof ret_cells->font, MEM_ORIGIN_DEVICE), MEM_OK);
}

/* Light grey on black, as firmware writes; the ninth column repeats the eighth of line drawings. */
static uint32_t cell_pixel(const Cells *cells, unsigned cell, unsigned x, unsigned y)
{
    uint8_t character = cells->text[2 * cell];
    uint8_t row = cells->font[32 * character + y];
    bool ninth = (character & 0xE0) == 0xC0 && (row & 1) != 0;

    return (x == 8 ? ninth : (row >> (7 - x) & 1) != 0) ? 0xA8A8A8 : 0;
}

static unsigned count_wrong(const Cells *cells, const DevPicture *picture)
{
    unsigned n = 0;

    for (unsigned cell = 0; cell < ROWS * COLUMNS; cell++) {
        for (unsigned i = 0; i < CELL_WIDTH * CELL_HEIGHT; i++) {
            unsigned x = i % CELL_WIDTH;
            unsigned y = i / CELL_WIDTH;
            size_t at = (size_t)(cell / COLUMNS * CELL_HEIGHT + y) * picture->width +
                        cell % COLUMNS * CELL_WIDTH + x;

            n += cell != cells->cursor && picture->pixels[at] != cell_pixel(cells, cell, x, y);
        }
    }
    return n;
}

START_TEST(text_of_seabios_is_drawn_with_its_font)
{
    FirmwareOptions options = { .bios = SCREENS_BIOS,
                                .vga_rom = SCREENS_VGA_ROM,
                                .drive = SCREENS "/screen-firmware.img" };
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree Cells *cells = g_new0(Cells, 1);
    DevPicture picture;
    FirmwarePc pc;

    firmware_pc_init_with(&pc, &options);
    pc.until = "picture shown\n";
    ck_assert_int_eq(firmware_pc_run(&pc, 20).reason, EMU_STOP_REQUEST);
    dev_screen_update(dev_pc_screen(pc.board), NULL);
    dev_screen_get_picture(dev_pc_screen(pc.board), &picture);
    ck_assert(dev_screen_print_text(dev_pc_screen(pc.board), text));
    ck_assert_uint_eq(picture.width, COLUMNS * CELL_WIDTH);
    ck_assert_uint_eq(picture.height, ROWS * CELL_HEIGHT);
    read_cells(&pc, cells);
    for (unsigned i = 0; i < ROWS * COLUMNS; i++) {
        ck_assert_uint_eq(cells->text[2 * i + 1], 7);
    }
    /* There is a font, and what is compared is the text. */
    ck_assert(cells->font[32 * 'S' + 8] != 0 && cells->font[32 * ' ' + 8] == 0);
    for (unsigned i = 0; text->str[i] != '\n'; i++) {
        ck_assert_int_eq(text->str[i], cells->text[2 * i]);
    }
    ck_assert_uint_eq(count_wrong(cells, &picture), 0);
    firmware_pc_clear(&pc);
}
END_TEST

/* Read off the screen. */
START_TEST(text_of_seabios_is_on_the_screen)
{
    FirmwareOptions options = { .bios = SCREENS_BIOS,
                                .vga_rom = SCREENS_VGA_ROM,
                                .drive = SCREENS "/screen-firmware.img" };
    g_autoptr(GString) text = g_string_new(NULL);
    FirmwarePc pc;

    firmware_pc_init_with(&pc, &options);
    pc.until = "picture shown\n";
    ck_assert_int_eq(firmware_pc_run(&pc, 20).reason, EMU_STOP_REQUEST);
    ck_assert_int_eq(dev_screen_mode(dev_pc_screen(pc.board)), DEV_SCREEN_TEXT);
    ck_assert(dev_screen_print_text(dev_pc_screen(pc.board), text));
    ck_assert_msg(g_str_has_prefix(text->str, "SeaBIOS (version "), "%s", text->str);
    ck_assert_ptr_nonnull(strstr(text->str, "\nBooting from Hard Disk...\n"));
    firmware_pc_clear(&pc);
}
END_TEST

#define MEMTEST "/boot/memtest86+ia32.bin"

/* Without a serial console: the screen is its only voice. It sets no mode: firmware has to have
 * been there first. */
START_TEST(memtest_shows_its_progress)
{
    static const char *const shown[] = { "Memtest86+ v", "CLK/Temp",  "Memory",
                                         "Pass ",        "Test ",     "Testing:",
                                         "Pattern:",     "Errors: 0", "<ESC> Exit" };
    FirmwareOptions options = { .bios = SCREENS_BIOS,
                                .vga_rom = SCREENS_VGA_ROM,
                                .drive = SCREENS "/screen-firmware.img",
                                .ram = UINT64_C(24) << 20 };
    EmuLinuxBoot boot = { .kernel = MEMTEST, .append = "" };
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    FirmwarePc pc;

    firmware_pc_init_with(&pc, &options);
    pc.until = "picture shown\n";
    ck_assert_int_eq(firmware_pc_run(&pc, 20).reason, EMU_STOP_REQUEST);
    ck_assert_msg(emu_load_linux(pc.machine, &boot, &error), "%s", error ? error->message : "");
    firmware_pc_run(&pc, 6);
    ck_assert(dev_screen_print_text(dev_pc_screen(pc.board), text));
    for (unsigned i = 0; i < G_N_ELEMENTS(shown); i++) {
        ck_assert_msg(strstr(text->str, shown[i]) != NULL, "no \"%s\":\n%s", shown[i], text->str);
    }
    firmware_pc_clear(&pc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screens");
    TCase *tcase = tcase_create("screens");
    TCase *firmware = tcase_create("firmware");

    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, picture_is_the_one_compared_with_qemu, 1, (int)n_screen_guests);
    tcase_add_test(firmware, text_of_seabios_is_drawn_with_its_font);
    tcase_add_test(firmware, text_of_seabios_is_on_the_screen);
    tcase_add_test(tcase, memtest_shows_its_progress);
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(firmware, 300);
    suite_add_tcase(suite, firmware);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
