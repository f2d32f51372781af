/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests that set modes by the distribution's video BIOS and draw: their pictures are those that
 * test-screens-qemu.c found equal to QEMU's, pixel by pixel.
 */
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
    ck_assert_msg(guest->hash == 0 || screen_hash(&picture) == guest->hash,
                  "{ \"%s\", UINT64_C(0x%016" PRIx64 ") }: %ux%u is not what was compared",
                  guest->name, screen_hash(&picture), picture.width, picture.height);
}
END_TEST

/* Firmware's own text, read off the screen. */
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
    firmware_pc_run(&pc, 12);
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

    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, picture_is_the_one_compared_with_qemu, 0, (int)n_screen_guests);
    tcase_add_test(tcase, text_of_seabios_is_on_the_screen);
    tcase_add_test(tcase, memtest_shows_its_progress);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
