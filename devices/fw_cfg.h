/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevFwCfg: QEMU's firmware configuration device at ports 0x510 and 0x511. The guest selects an
 * item by key and reads its bytes one after the other; behind the end of an item are zeros. Writing
 * and DMA are not offered.
 *
 * Items are configuration and stay as they are through resets; the state is the key and the
 * position in its item.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/ports.h"
#include "emu/state-units.h"

typedef struct DevFwCfg DevFwCfg;

typedef struct DevFwCfgConfig {
    uint64_t ram_size; /* bytes */
    uint16_t n_cpus;
} DevFwCfgConfig;

typedef enum DevE820Type {
    DEV_E820_RAM = 1,
    DEV_E820_RESERVED = 2,
} DevE820Type;

typedef struct DevE820Entry {
    uint64_t start;
    uint64_t len;
    DevE820Type type;
} DevE820Entry;

#define DEV_FW_CFG_MAX_NAME 55
#define DEV_FW_CFG_MAX_FILES 256

/* Returns: (transfer full): the device with its fixed items and no files, or %NULL if a port is
 * taken */
DevFwCfg *dev_fw_cfg_new(EmuPorts *ports, const DevFwCfgConfig *config, GError **error);
void dev_fw_cfg_free(DevFwCfg *fw_cfg);
void dev_fw_cfg_reset(void *fw_cfg); /* a DevFwCfg */

/**
 * dev_fw_cfg_add_file:
 * @name: 1 to 55 bytes, not there yet, e.g. "etc/sercon-port"
 * @data: copied; at most 4 GiB - 1
 *
 * Returns: false with an error that names the file
 */
bool dev_fw_cfg_add_file(DevFwCfg *fw_cfg, const char *name, const void *data, size_t len,
                         GError **error);

/* The file "etc/e820", 20 bytes an entry. */
bool dev_fw_cfg_add_e820(DevFwCfg *fw_cfg, const DevE820Entry *entries, unsigned n_entries,
                         GError **error);

void dev_fw_cfg_save(const DevFwCfg *fw_cfg, GByteArray *out);
bool dev_fw_cfg_load(DevFwCfg *fw_cfg, const uint8_t *bytes, size_t len, size_t *pos,
                     GError **error);

/* Of an EmuStateUnit. */
unsigned dev_fw_cfg_parts(void *user, EmuStatePart *ret_parts);
