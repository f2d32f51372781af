/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "screens.h"

#include <check.h>
#include <string.h>

const ScreenGuest screen_guests[] = {
    { "firmware", 0 }, /* the first */
    /* As test-screens-qemu prints them when a picture is that of QEMU. */
    { "text-80", UINT64_C(0x551b701ad92f629d) },
    { "text-bright", UINT64_C(0x3abf78939862f6cc) },
    { "text-no-cursor", UINT64_C(0xb40b4dffd7e3645d) },
    { "text-cursor-block", UINT64_C(0x890cd1f236b2946d) },
    { "text-fonts", UINT64_C(0x761ec9824892c610) },
    { "text-fonts-high", UINT64_C(0x579ba3a245f444ee) },
    { "text-40", UINT64_C(0x2040d9fd95e6e1c3) },
    { "text-mono", UINT64_C(0x34fba27ab36c1d3f) },
    { "text-split", UINT64_C(0xfba98cc6462acc53) },
    { "text-panned", UINT64_C(0xc8694c51029e1931) },
    { "planes-640", UINT64_C(0xf92a92645975fd05) },
    { "planes-480-split", UINT64_C(0x53d120944b8b5765) },
    { "planes-320", UINT64_C(0xebe34c544b146b59) },
    { "planes-350", UINT64_C(0x9f8fb769b2ad18a5) },
    { "planes-mono", UINT64_C(0xfac0225ffefefab6) },
    { "planes-palette", UINT64_C(0x0286621b326cb105) },
    { "planes-page", UINT64_C(0xf11298b2300663e5) },
    { "planes-masked", UINT64_C(0x36b272a0c59107ad) },
    { "planes-panned", UINT64_C(0x53741a4a39ab2771) },
    { "cga-4", UINT64_C(0x769113d5c0521ce5) },
    { "cga-2", UINT64_C(0x42d506a32daaa9e5) },
    { "bytes-320", UINT64_C(0x0592a69984845c45) },
    { "bytes-split", UINT64_C(0x640fab81480e71c3) },
    { "bytes-unchained", UINT64_C(0x33a3048b41ba8425) },
    { "banks-640", UINT64_C(0x243085d294c4f806) },
    { "banks-virtual", UINT64_C(0x243085d294c4f806) },
    { "banks-panned", UINT64_C(0x15228790312bcfc3) },
    { "vbe-8", UINT64_C(0x9f57572e6ebb1f4f) },
    { "vbe-8-dac8", UINT64_C(0xe144c87f7c085901) },
    { "vbe-15", UINT64_C(0x5a32dd88de306725) },
    { "vbe-16", UINT64_C(0x05ee1224ae01d625) },
    { "vbe-24", UINT64_C(0xa67e77d1958c4325) },
    { "vbe-32", UINT64_C(0x2b2275da45d7d4ed) },
    { "vbe-32-panned", UINT64_C(0x7773170b1f214645) },
    { "vbe-moved", UINT64_C(0x2b2275da45d7d4ed) },
};
const unsigned n_screen_guests = G_N_ELEMENTS(screen_guests);

char *screen_guest_path(const ScreenGuest *guest)
{
    return g_strdup_printf(SCREENS "/screen-%s.img", guest->name);
}

void screen_guest_draw(const ScreenGuest *guest, DevPicture *ret_picture, uint32_t **ret_pixels)
{
    g_autofree char *path = screen_guest_path(guest);
    FirmwareOptions options = { .bios = SCREENS_BIOS, .vga_rom = SCREENS_VGA_ROM, .drive = path };
    FirmwarePc pc;

    firmware_pc_init_with(&pc, &options);
    pc.until = "picture shown\n";

    EmuStop stop = firmware_pc_run(&pc, 20);

    ck_assert_msg(stop.reason == EMU_STOP_REQUEST, "%s: %s; its words: %s", guest->name, stop.text,
                  pc.serial->str);

    DevScreen *screen = dev_pc_screen(pc.board);

    dev_screen_update(screen, NULL);
    dev_screen_get_picture(screen, ret_picture);
    *ret_pixels = g_memdup2(ret_picture->pixels,
                            (size_t)ret_picture->width * ret_picture->height * sizeof(uint32_t));
    ret_picture->pixels = *ret_pixels;
    firmware_pc_clear(&pc);
}

uint64_t screen_hash(const DevPicture *picture)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ picture->width ^ (uint64_t)picture->height << 32;

    for (size_t i = 0; i < (size_t)picture->width * picture->height; i++) {
        hash = (hash ^ picture->pixels[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}
