/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Groups of a machine file whose keys make one option together: ROMs, loads, drives, devices; see
 * machine-file.h.
 */
#include "fail.h"
#include "machine-file-internal.h"

#include <string.h>

/* ---- [rom], [load], [drive] */

static bool check_keys(const FeMachineReader *reader, char *const *keys, const char *const *known,
                       GError **error)
{
    for (; *keys != NULL; keys++) {
        if (!g_strv_contains(known, *keys)) {
            return fe_machine_refuse_key(reader, *keys, fe_machine_guess(known, *keys), error);
        }
    }
    return true;
}

static bool get_address(const FeMachineReader *reader, char **ret_text, GError **error)
{
    uint64_t address;

    *ret_text = fe_machine_get(reader, "address", "100000", error);
    if (*ret_text == NULL) {
        return false;
    }
    return fe_parse_address(*ret_text, &address, error) ||
           fe_machine_blame(reader, "address", error);
}

bool fe_machine_read_load(FeMachineReader *reader, char *const *keys, GError **error)
{
    static const char *const known[] = { "file", "address", NULL };
    g_autofree char *file = NULL;
    g_autofree char *address = NULL;

    if (!check_keys(reader, keys, known, error)) {
        return false;
    }
    file = fe_machine_get(reader, "file", "image.bin", error);
    if (file == NULL || !get_address(reader, &address, error)) {
        return false;
    }
    g_autofree char *value = g_strconcat(file, "@", address, NULL);

    fe_machine_add(reader, "load", value, NULL);
    return true;
}

static bool get_protection(const FeMachineReader *reader, char **ret_text, GError **error)
{
    if (!g_key_file_has_key(reader->file, reader->group, "protection", NULL)) {
        *ret_text = g_strdup("read-only");
        return true;
    }
    *ret_text = fe_machine_get(reader, "protection", "read-only", error);
    if (*ret_text == NULL) {
        return false;
    }
    if (strcmp(*ret_text, "read-only") != 0 && strcmp(*ret_text, "shadowed") != 0) {
        fe_fail(error, "'%s' is neither read-only nor shadowed", *ret_text);
        return fe_machine_blame(reader, "protection", error);
    }
    return true;
}

bool fe_machine_read_rom(FeMachineReader *reader, char *const *keys, GError **error)
{
    static const char *const known[] = { "file", "address", "protection", NULL };
    g_autofree char *file = NULL;
    g_autofree char *address = NULL;
    g_autofree char *protection = NULL;

    if (!check_keys(reader, keys, known, error)) {
        return false;
    }
    file = fe_machine_get(reader, "file", "boot.rom", error);
    address = file != NULL ? fe_machine_get(reader, "address", "D0000000", error) : NULL;
    if (address == NULL) {
        return false;
    }
    if (strcmp(address, "firmware") == 0) {
        if (g_key_file_has_key(reader->file, reader->group, "protection", NULL)) {
            fe_fail(error, "the firmware puts it into RAM: leave it away");
            return fe_machine_blame(reader, "protection", error);
        }
        fe_machine_add(reader, "option-rom", file, NULL);
        return true;
    }
    g_clear_pointer(&address, g_free);
    if (!get_address(reader, &address, error) || !get_protection(reader, &protection, error)) {
        return false;
    }
    g_autofree char *value = g_strconcat(file, "@", address, ",", protection, NULL);

    fe_machine_add(reader, "rom", value, NULL);
    return true;
}

/* Drives come in the order of their numbers, which have no gaps. */
bool fe_machine_read_drive(FeMachineReader *reader, char *const *keys, GError **error)
{
    static const char *const known[] = { "file", "writable", NULL };
    g_autofree char *file = NULL;
    g_autofree char *flag = NULL;
    bool writable = false;

    if (!check_keys(reader, keys, known, error)) {
        return false;
    }
    file = fe_machine_get(reader, "file", "disk.img", error);
    if (file == NULL) {
        return false;
    }
    if (g_key_file_has_key(reader->file, reader->group, "writable", NULL)) {
        flag = fe_machine_get(reader, "writable", "false", error);
        if (flag == NULL || !fe_machine_parse_flag(reader, "writable", flag, &writable, error)) {
            return false;
        }
    }
    if (!writable && g_str_has_suffix(file, ",rw")) {
        fe_fail(error, "say writable=true instead of ,rw");
        return fe_machine_blame(reader, "file", error);
    }
    g_autofree char *value = g_strconcat(file, writable ? ",rw" : "", NULL);

    fe_machine_add(reader, "drive", value, "file");
    return true;
}

/* ---- [device] */

/* A key that the board does not let choose may be said all the same. */
static bool check_fixed(const FeMachineReader *reader, const FeDevice *device, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(device->fixed) && device->fixed[i].key != NULL; i++) {
        const char *key = device->fixed[i].key;
        const char *value = device->fixed[i].value;

        if (!g_key_file_has_key(reader->file, reader->group, key, NULL)) {
            continue;
        }
        g_autofree char *said = fe_machine_get(reader, key, value, error);

        if (said == NULL) {
            return false;
        }
        if (g_ascii_strcasecmp(said, value) != 0) {
            fe_fail(error, "the board has it at %s: say that, or leave it away", value);
            return fe_machine_blame(reader, key, error);
        }
    }
    return true;
}

static bool check_device_keys(const FeMachineReader *reader, const FeDevice *device,
                              char *const *keys, GError **error)
{
    g_autoptr(GPtrArray) known = g_ptr_array_new();

    g_ptr_array_add(known, (void *)(uintptr_t) "type");
    for (unsigned i = 0; i < G_N_ELEMENTS(device->keys) && device->keys[i].key != NULL; i++) {
        g_ptr_array_add(known, (void *)(uintptr_t)device->keys[i].key);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(device->fixed) && device->fixed[i].key != NULL; i++) {
        g_ptr_array_add(known, (void *)(uintptr_t)device->fixed[i].key);
    }
    g_ptr_array_add(known, NULL);
    return check_keys(reader, keys, (const char *const *)known->pdata, error);
}

static const FeDevice *get_device(FeMachineReader *reader, GError **error)
{
    g_autofree char *type = fe_machine_get(reader, "type", "vga", error);

    if (type == NULL) {
        return NULL;
    }
    for (unsigned i = 0; fe_devices[i].type != NULL; i++) {
        if (strcmp(fe_devices[i].type, type) != 0) {
            continue;
        }
        if ((reader->devices & 1U << i) != 0) {
            fe_fail(error, "there is one %s already: the board has no room for another", type);
            fe_machine_blame(reader, NULL, error);
            return NULL;
        }
        reader->devices |= 1U << i;
        return &fe_devices[i];
    }
    fe_fail(error, "there is no device '%s': say vga, nic, serial or debugcon", type);
    fe_machine_blame(reader, "type", error);
    return NULL;
}

bool fe_machine_read_device(FeMachineReader *reader, char *const *keys, GError **error)
{
    const FeDevice *device = get_device(reader, error);

    if (device == NULL || !check_device_keys(reader, device, keys, error) ||
        !check_fixed(reader, device, error)) {
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(device->keys) && device->keys[i].key != NULL; i++) {
        const char *key = device->keys[i].key;
        const char *name = device->keys[i].option;
        const FeOption *option = fe_options_lookup(reader->tables, name, strlen(name));

        if (g_key_file_has_key(reader->file, reader->group, key, NULL)
                ? !fe_machine_add_option(reader, option, key, error)
                : device->keys[i].needed &&
                      fe_machine_get(reader, key, option->example, error) == NULL) {
            return false;
        }
    }
    return true;
}
