/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg: files of the user's, then port accesses of the guest's, against a list of items.
 *
 * Input: number of files; each: length of the name, name, length of the data, data; then records of
 * 6 bytes: what to do, port, value.
 */
#include "tests/fuzz/fuzz.h"

#include "devices/fw_cfg.h"
#include "emu/ports-internal.h"

#define MAX_FILES 4
#define FIRST_KEY 0x20u

typedef struct Item {
    uint8_t bytes[256];
    size_t len;
} Item;

typedef struct Model {
    Item files[MAX_FILES + 1]; /* as they got keys */
    unsigned n_files;
    bool has_e820; /* behind the files */
    bool known;    /* key and position are */
    uint16_t key;
    size_t position;
} Model;

static void add_files(DevFwCfg *fw_cfg, FuzzInput *input, Model *model)
{
    unsigned n = fuzz_u8(input) % (MAX_FILES + 1);

    for (unsigned i = 0; i < n; i++) {
        char name[80] = { 0 };
        size_t name_len;
        size_t len;
        const uint8_t *name_bytes = fuzz_take(input, fuzz_u8(input) % sizeof name, &name_len);

        if (name_len > 0) {
            memcpy(name, name_bytes, MIN(name_len, sizeof name - 1));
        }

        const uint8_t *bytes = fuzz_take(input, fuzz_u8(input), &len);
        Item *item = &model->files[model->n_files];
        g_autoptr(GError) error = NULL;

        if (dev_fw_cfg_add_file(fw_cfg, name, bytes, len, &error)) {
            fuzz_check(name[0] != '\0' && strlen(name) <= DEV_FW_CFG_MAX_NAME, "took \"%s\"", name);
            if (len > 0) {
                memcpy(item->bytes, bytes, len);
            }
            item->len = len;
            model->n_files++;
        } else {
            fuzz_check(error != NULL && error->message[0] != '\0', "no message");
        }
    }
}

static uint8_t expected(Model *model)
{
    unsigned file = model->key - FIRST_KEY;

    if (file >= model->n_files || model->position >= model->files[file].len) {
        return 0;
    }
    return model->files[file].bytes[model->position++];
}

/* Other items have bytes of the device's own. */
static bool is_ours(const Model *model)
{
    return model->known && model->key >= FIRST_KEY &&
           !(model->has_e820 && model->key == FIRST_KEY + model->n_files);
}

static void access_port(EmuPorts *ports, FuzzInput *input, Model *model)
{
    unsigned what = fuzz_u8(input);
    uint16_t port = (uint16_t)(0x50E + fuzz_u8(input) % 6);
    uint32_t value = fuzz_u32(input);
    unsigned size = 1u << (what >> 2) % 3;

    if ((what & 1) != 0) {
        emu_ports_write(ports, port, size, value);
        model->known = port == 0x510 && size == 2;
        model->key = (uint16_t)(value & ~0x4000u);
        model->position = 0;
    } else {
        uint32_t got = emu_ports_read(ports, port, size);

        if (port == 0x511 && size == 1 && is_ours(model)) {
            uint8_t want = expected(model);

            fuzz_check(got == want, "key %#x: read %#x for %#x", model->key, got, want);
        } else if (port != 0x511) {
            model->known = model->known && port + size <= 0x511;
        }
    }
}

/* Reads the present item in one go, as firmware does. */
static void read_run(EmuPorts *ports, FuzzInput *input, Model *model)
{
    for (unsigned n = fuzz_u8(input); n > 0; n--) {
        uint8_t got = (uint8_t)emu_ports_read(ports, 0x511, 1);

        if (is_ours(model)) {
            fuzz_check(got == expected(model), "key %#x at %zu", model->key, model->position);
        }
    }
}

static void save_and_load(DevFwCfg *fw_cfg, FuzzInput *input, Model *model)
{
    g_autoptr(GByteArray) state = g_byte_array_new();
    unsigned at = fuzz_u16(input);
    uint8_t flip = fuzz_u8(input);
    size_t pos = 0;

    dev_fw_cfg_save(fw_cfg, state);
    state->data[at % state->len] ^= flip;
    if (!dev_fw_cfg_load(fw_cfg, state->data, state->len, &pos, NULL)) {
        fuzz_check(flip != 0, "its own state is refused");
    } else if (flip != 0) {
        model->known = false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const DevFwCfgConfig config = { .ram_size = 1 << 24, .n_cpus = 1 };
    static const DevE820Entry entries[] = { { 0, 0x9FC00, DEV_E820_RAM },
                                            { 0xF0000, 0x10000, DEV_E820_RESERVED } };
    FuzzInput input = { data, size };
    Model model = { 0 };
    EmuPorts *ports = emu_ports_new();
    DevFwCfg *fw_cfg = dev_fw_cfg_new(ports, &config, NULL);

    fuzz_check(dev_fw_cfg_new(ports, &config, NULL) == NULL, "two devices at one port");
    add_files(fw_cfg, &input, &model);
    if ((fuzz_u8(&input) & 1) != 0) {
        model.has_e820 = dev_fw_cfg_add_e820(fw_cfg, entries, G_N_ELEMENTS(entries), NULL);
    }
    model.known = true; /* key 0, position 0 */
    while (input.left > 0) {
        switch (fuzz_u8(&input) % 8) {
        case 0:
            dev_fw_cfg_reset(fw_cfg);
            model.known = true;
            model.key = 0;
            break;
        case 1:
            save_and_load(fw_cfg, &input, &model);
            break;
        case 2:
        case 3:
            read_run(ports, &input, &model);
            break;
        default:
            access_port(ports, &input, &model);
            break;
        }
    }
    dev_fw_cfg_free(fw_cfg);
    emu_ports_free(ports);
    return 0;
}
