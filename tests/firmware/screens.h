/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests that draw (tests/guests/screens) and what our screen makes of them.
 */
#pragma once

#include "firmware-fixture.h"

#define SCREENS_BIOS "/usr/share/seabios/bios-256k.bin"
#define SCREENS_VGA_ROM "/usr/share/seabios/vgabios-stdvga.bin"

typedef struct ScreenGuest {
    const char *name; /* of an image */
    uint64_t hash;    /* screen_hash() of a picture that was compared with QEMU's, see
                         test-screens-qemu.c; 0, of the first alone: firmware's text, which
                         differs with its version; test-screens.c compares it cell by cell */
} ScreenGuest;

extern const ScreenGuest screen_guests[];
extern const unsigned n_screen_guests;

/* The image's path. Free it. */
char *screen_guest_path(const ScreenGuest *guest);

/* What the guest's last picture is; runs a machine until it says so. @ret_pixels: free it. */
void screen_guest_draw(const ScreenGuest *guest, DevPicture *ret_picture, uint32_t **ret_pixels);

/* Of a picture: its size and its pixels. */
uint64_t screen_hash(const DevPicture *picture);
