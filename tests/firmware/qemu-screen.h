/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What QEMU shows of a guest: its monitor's screendump.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct QemuScreen QemuScreen;

/* @drive: an image. NULL with an error. */
QemuScreen *qemu_screen_new(const char *drive, GError **error);
void qemu_screen_free(QemuScreen *qemu);

/* Waits up to @seconds until @text is on the serial line. */
bool qemu_screen_wait(QemuScreen *qemu, const char *text, unsigned seconds);

/* @ret_pixels: 0x00RRGGBB; free it. False with an error. */
bool qemu_screen_dump(QemuScreen *qemu, unsigned *ret_width, unsigned *ret_height,
                      uint32_t **ret_pixels, GError **error);
