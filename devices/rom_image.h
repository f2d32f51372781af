/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header that option ROMs begin with, those of PCI cards too.
 *
 *   0-1   55 AA
 *   2     length in units of 512 bytes
 *
 * Source: PCI Local Bus Specification 2.2, section 6.3.3 (PC-compatible header).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(default)

/**
 * dev_rom_image_check:
 * @image: @len bytes, of which the ROM may be the first
 * @name: for the message, which begins with it
 *
 * Returns: false with an error if it does not begin as an option ROM, has no length or is shorter
 * than it says
 */
bool dev_rom_image_check(const void *image, size_t len, const char *name, GError **error);

/* Bytes that the header of a good image says. */
size_t dev_rom_image_len(const void *image);

#pragma GCC visibility pop
