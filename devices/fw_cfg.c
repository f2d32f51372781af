/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg over two ports. An item is a GBytes under its key; the file directory is rebuilt when a
 * file is added.
 *
 *   0x510  word, write: key; the position goes to 0
 *   0x511  byte, read: next byte of the item, 0 behind its end and for keys without an item
 *
 *   key bit 15  an architecture's own item (none here)
 *   key bit 14  the item is to be written: not offered, the bit is dropped
 *
 * Invariants:
 *   1. File number i has key FIRST_FILE_KEY + i and entry i in the directory.
 *   2. The position stops at the item's end, so it cannot overflow.
 *
 * Source: QEMU's docs/specs/fw_cfg.
 */
#include "devices/fw_cfg.h"

#include "emu/error.h"
#include "emu/state.h"
#include "memsys/os.h"
#include "memsys/planted.h"

#include <string.h>

#define SELECT_PORT 0x510
#define DATA_PORT 0x511
#define KEY_WRITE 0x4000

#define ID_TRADITIONAL 0x1 /* bit 1, DMA, stays clear */
#define FIRST_FILE_KEY 0x20
#define DIR_ENTRY_SIZE 64
#define DIR_NAME_SIZE 56
#define E820_ENTRY_SIZE 20

typedef enum FwCfgKey {
    KEY_SIGNATURE = 0x00,
    KEY_ID = 0x01,
    KEY_RAM_SIZE = 0x03,
    KEY_NOGRAPHIC = 0x04,
    KEY_NB_CPUS = 0x05,
    KEY_NUMA = 0x0D,
    KEY_BOOT_MENU = 0x0E,
    KEY_MAX_CPUS = 0x0F,
    KEY_FILE_DIR = 0x19,
} FwCfgKey;

/* Items a guest may ask for and must find absent (kernel, initrd, command line) have no entry: they
 * read zeros. */
static const struct {
    uint16_t key;
    uint8_t size; /* of a little-endian integer */
    enum { FROM_VALUE, FROM_RAM_SIZE, FROM_N_CPUS } from;
    uint32_t value;
} fixed_items[] = {
    { KEY_SIGNATURE, 4, FROM_VALUE, 0x554D4551 /* "QEMU" */ },
    { KEY_ID, 4, FROM_VALUE, ID_TRADITIONAL },
    { KEY_RAM_SIZE, 8, FROM_RAM_SIZE, 0 },
    { KEY_NOGRAPHIC, 2, FROM_VALUE, 1 },
    { KEY_NB_CPUS, 2, FROM_N_CPUS, 0 },
    { KEY_NUMA, 16, FROM_VALUE, 0 },
    { KEY_BOOT_MENU, 2, FROM_VALUE, 0 },
    { KEY_MAX_CPUS, 2, FROM_N_CPUS, 0 },
};

typedef struct FwCfgState {
    uint16_t key;
    uint32_t position;
} FwCfgState;

struct DevFwCfg {
    EmuPorts *ports;
    GHashTable *items;     /* key -> GBytes */
    GHashTable *names;     /* set of file names */
    GByteArray *directory; /* the item KEY_FILE_DIR */
    unsigned n_files;
    unsigned handle;
    FwCfgState state;
};

static const EmuField fields[] = {
    EMU_FIELD(FwCfgState, key),
    EMU_FIELD(FwCfgState, position),
};
static const EmuStateDesc desc = {
    .name = "fw_cfg",
    .version = 1,
    .size = sizeof(FwCfgState),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
};

static uint8_t next_byte(DevFwCfg *fw_cfg)
{
    GBytes *item = g_hash_table_lookup(fw_cfg->items, GUINT_TO_POINTER(fw_cfg->state.key));

    if (item == NULL || fw_cfg->state.position >= g_bytes_get_size(item)) {
        return 0;
    }
    return ((const uint8_t *)g_bytes_get_data(item, NULL))[fw_cfg->state.position++];
}

static uint32_t read_port(void *user, uint16_t port, unsigned size)
{
    return port == DATA_PORT && size == 1 ? next_byte(user) : UINT32_MAX;
}

static void write_port(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevFwCfg *fw_cfg = user;

    if (port == SELECT_PORT && size == 2) {
        fw_cfg->state = (FwCfgState) { .key = (uint16_t)(value & ~(uint32_t)KEY_WRITE) };
    }
}

static const EmuPortOps port_ops = { .read = read_port, .write = write_port, .sizes = 1 | 2 };

/* Takes @bytes. */
static void set_item(DevFwCfg *fw_cfg, unsigned key, GBytes *bytes)
{
    g_hash_table_replace(fw_cfg->items, GUINT_TO_POINTER(key), bytes);
}

static void publish_directory(DevFwCfg *fw_cfg)
{
    uint32_t count = GUINT32_TO_BE(fw_cfg->n_files);

    memcpy(fw_cfg->directory->data, &count, sizeof count);
    set_item(fw_cfg, KEY_FILE_DIR, g_bytes_new(fw_cfg->directory->data, fw_cfg->directory->len));
}

static void add_fixed_items(DevFwCfg *fw_cfg, const DevFwCfgConfig *config)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(fixed_items); i++) {
        uint64_t value = fixed_items[i].value;
        uint8_t bytes[16] = { 0 };

        if (fixed_items[i].from == FROM_RAM_SIZE) {
            value = config->ram_size;
        } else if (fixed_items[i].from == FROM_N_CPUS) {
            value = config->n_cpus;
        }
        value = GUINT64_TO_LE(value);
        memcpy(bytes, &value, sizeof value);
        set_item(fw_cfg, fixed_items[i].key, g_bytes_new(bytes, fixed_items[i].size));
    }
}

DevFwCfg *dev_fw_cfg_new(EmuPorts *ports, const DevFwCfgConfig *config, GError **error)
{
    static const uint8_t no_files[4] = { 0 };
    DevFwCfg *fw_cfg = g_new0(DevFwCfg, 1);

    fw_cfg->ports = ports;
    fw_cfg->items = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_bytes_unref);
    fw_cfg->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    fw_cfg->directory = g_byte_array_append(g_byte_array_new(), no_files, sizeof no_files);
    add_fixed_items(fw_cfg, config);
    publish_directory(fw_cfg);
    fw_cfg->handle = emu_ports_add(ports, SELECT_PORT, 2, &port_ops, fw_cfg, "fw_cfg", error);
    if (fw_cfg->handle == 0) {
        dev_fw_cfg_free(fw_cfg);
        return NULL;
    }
    return fw_cfg;
}

void dev_fw_cfg_free(DevFwCfg *fw_cfg)
{
    if (fw_cfg == NULL) {
        return;
    }
    if (fw_cfg->handle != 0) {
        emu_ports_remove(fw_cfg->ports, fw_cfg->handle);
    }
    g_byte_array_unref(fw_cfg->directory);
    g_hash_table_unref(fw_cfg->names);
    g_hash_table_unref(fw_cfg->items);
    g_free(fw_cfg);
}

void dev_fw_cfg_reset(void *fw_cfg)
{
    ((DevFwCfg *)fw_cfg)->state = (FwCfgState) { 0 };
}

static bool check_file(const DevFwCfg *fw_cfg, const char *name, size_t len, GError **error)
{
    size_t name_len = strlen(name);

    if (name_len == 0 ||
        name_len > QUIRE_PLANTED(fw_cfg, DEV_FW_CFG_MAX_NAME, 2 * DEV_FW_CFG_MAX_NAME)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "fw_cfg file name \"%s\" has %zu bytes; 1 to %d are allowed", name, name_len,
                    DEV_FW_CFG_MAX_NAME);
        return false;
    }
    if (len > UINT32_MAX) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "fw_cfg file \"%s\" has %zu bytes; it must be shorter than 4 GiB", name, len);
        return false;
    }
    if (g_hash_table_contains(fw_cfg->names, name)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_CONFLICT,
                    "fw_cfg has a file \"%s\" already; leave one of the two out", name);
        return false;
    }
    if (fw_cfg->n_files == DEV_FW_CFG_MAX_FILES) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "fw_cfg file \"%s\" is one too many; %d fit", name, DEV_FW_CFG_MAX_FILES);
        return false;
    }
    return true;
}

bool dev_fw_cfg_add_file(DevFwCfg *fw_cfg, const char *name, const void *data, size_t len,
                         GError **error)
{
    if (!check_file(fw_cfg, name, len, error)) {
        return false;
    }

    const MemOs *os = mem_os();
    void *copy = os->try_alloc0(MAX(len, 1));

    if (copy == NULL) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "fw_cfg file \"%s\": the host has no memory for its %zu bytes", name, len);
        return false;
    }
    if (len > 0) {
        memcpy(copy, data, len);
    }

    uint16_t key = (uint16_t)(FIRST_FILE_KEY + fw_cfg->n_files);
    uint32_t size_be = GUINT32_TO_BE((uint32_t)len);
    uint16_t key_be = GUINT16_TO_BE(key);
    uint8_t entry[DIR_ENTRY_SIZE] = { 0 };

    memcpy(entry, &size_be, sizeof size_be);
    memcpy(entry + 4, &key_be, sizeof key_be);
    memcpy(entry + DIR_ENTRY_SIZE - DIR_NAME_SIZE, name, strlen(name));
    set_item(fw_cfg, key, g_bytes_new_with_free_func(copy, len, os->free, copy));
    g_hash_table_add(fw_cfg->names, g_strdup(name));
    g_byte_array_append(fw_cfg->directory, entry, sizeof entry);
    fw_cfg->n_files++;
    publish_directory(fw_cfg);
    return true;
}

bool dev_fw_cfg_add_e820(DevFwCfg *fw_cfg, const DevE820Entry *entries, unsigned n_entries,
                         GError **error)
{
    g_autoptr(GByteArray) table = g_byte_array_new();

    for (unsigned i = 0; i < n_entries; i++) {
        uint64_t start = GUINT64_TO_LE(entries[i].start);
        uint64_t len = GUINT64_TO_LE(entries[i].len);
        uint32_t type = GUINT32_TO_LE((uint32_t)entries[i].type);
        uint8_t bytes[E820_ENTRY_SIZE];

        memcpy(bytes, &start, sizeof start);
        memcpy(bytes + 8, &len, sizeof len);
        memcpy(bytes + 16, &type, sizeof type);
        g_byte_array_append(table, bytes, sizeof bytes);
    }
    return dev_fw_cfg_add_file(fw_cfg, "etc/e820", table->data, table->len, error);
}

void dev_fw_cfg_save(const DevFwCfg *fw_cfg, GByteArray *out)
{
    emu_state_save(&desc, &fw_cfg->state, out);
}

bool dev_fw_cfg_load(DevFwCfg *fw_cfg, const uint8_t *bytes, size_t len, size_t *pos,
                     GError **error)
{
    return emu_state_load(&desc, &fw_cfg->state, bytes, len, pos, error);
}

unsigned dev_fw_cfg_parts(void *user, EmuStatePart *ret_parts)
{
    DevFwCfg *fw_cfg = user;

    ret_parts[0] = (EmuStatePart) { .desc = desc, .state = &fw_cfg->state };
    return 1;
}
