/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "screens.h"

#include <check.h>
#include <string.h>

const ScreenGuest screen_guests[] = {
    { "firmware", 0 },
#include "screen-hashes.h"
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
