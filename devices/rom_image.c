/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headers of option ROMs; see rom_image.h.
 */
#include "devices/rom_image.h"

#include "emu/error.h"

#include <stdint.h>

#define LENGTH 2 /* where it is */
#define UNIT 512u

size_t dev_rom_image_len(const void *image)
{
    const uint8_t *bytes = image;

    return bytes[LENGTH] * (size_t)UNIT;
}

bool dev_rom_image_check(const void *image, size_t len, const char *name, GError **error)
{
    const uint8_t *bytes = image;

    if (len <= LENGTH || bytes[0] != 0x55 || bytes[1] != 0xAA) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s: does not begin with 55 AA: not an option ROM", name);
        return false;
    }

    size_t says = dev_rom_image_len(image);

    if (says == 0 || says > len) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s: its header says %zu bytes, there are %zu%s", name, says, len,
                    says > len ? ": cut short?" : "");
        return false;
    }
    return true;
}
