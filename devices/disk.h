/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk's contents: a raw image file of 512-byte sectors. Unless opened for writing, what the
 * guest writes goes to an overlay in memory that is dropped at the end; the image file never
 * changes.
 */
#pragma once

#include "memsys/state_file.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(default)

#define DEV_SECTOR_SIZE 512

typedef struct DevDisk DevDisk;

/**
 * dev_disk_open:
 * @path: a regular file or block device, not empty; a last partial sector reads zeros behind its
 * end
 * @writable: writes go to the file itself
 *
 * Returns: (transfer full): the disk, or %NULL with an error that names the file
 */
DevDisk *dev_disk_open(const char *path, bool writable, GError **error);
void dev_disk_free(DevDisk *disk);

uint64_t dev_disk_sectors(const DevDisk *disk);

/* One sector. False past the end or if the host fails. */
bool dev_disk_read(DevDisk *disk, uint64_t lba, uint8_t *ret_sector);
bool dev_disk_write(DevDisk *disk, uint64_t lba, const uint8_t *sector);
bool dev_disk_flush(DevDisk *disk);

/* Of an EmuStateUnit: what the guest wrote. A disk open for writing has no snapshots; in a file it
 * is only identified. */
void *dev_disk_take(void *user, GError **error);
void dev_disk_restore(void *user, void *taken);
void dev_disk_drop(void *user, void *taken);
void dev_disk_put(void *user, MemStateWriter *writer);
void *dev_disk_get(void *user, MemStateReader *reader, uint32_t version, GError **error);

#pragma GCC visibility pop
