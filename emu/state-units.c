/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Units of state: registered once, then copied as pieces of memory for snapshots, or written field
 * by field for files. A file is read into the same kind of image that a snapshot keeps, so both
 * take one way back into the machine.
 */
#include "emu/units-internal.h"

#include "emu/error.h"
#include "emu/machine-internal.h"
#include "memsys/os.h"

#include <string.h>

/* Bytes of one chip in a file: far above the largest. */
#define MAX_UNIT_BYTES (1u << 20)

static void unit_free(gpointer data)
{
    EmuUnit *unit = data;

    g_array_unref(unit->runs);
    g_free(unit);
}

GPtrArray *emu_units_new(void)
{
    return g_ptr_array_new_with_free_func(unit_free);
}

static void add_runs(EmuUnit *unit, const EmuStatePart *part)
{
    for (unsigned i = 0; i < part->desc.n_fields; i++) {
        const EmuField *field = &part->desc.fields[i];
        uint8_t *at = (uint8_t *)part->state + field->offset;
        size_t len = (size_t)field->elem_size * field->n_elems;
        EmuUnitRun *last = unit->runs->len == 0
                               ? NULL
                               : &g_array_index(unit->runs, EmuUnitRun, unit->runs->len - 1);

        if (last != NULL && last->at + last->len == at) {
            last->len += len;
        } else {
            EmuUnitRun run = { .at = at, .len = len };

            g_array_append_val(unit->runs, run);
        }
        unit->len += len;
    }
}

void emu_machine_add_state(EmuMachine *machine, const EmuStateUnit *unit, void *user)
{
    static const char *const taken[] = { "options", "machine", "cpu", "timers", "mm", "pgm" };

    for (unsigned i = 0; i < G_N_ELEMENTS(taken); i++) {
        g_assert(strcmp(unit->name, taken[i]) != 0);
    }
    for (unsigned i = 0; i < machine->units->len; i++) {
        const EmuUnit *other = g_ptr_array_index(machine->units, i);

        g_assert(strcmp(other->unit->name, unit->name) != 0 ||
                 other->unit->instance != unit->instance);
    }
    g_assert((unit->take == NULL) == (unit->restore == NULL) &&
             (unit->take == NULL) == (unit->drop == NULL) &&
             (unit->put == NULL) == (unit->get == NULL));
    g_assert(unit->get == NULL || unit->take != NULL);

    EmuUnit *entry = g_new0(EmuUnit, 1);

    entry->unit = unit;
    entry->user = user;
    entry->runs = g_array_new(FALSE, FALSE, sizeof(EmuUnitRun));
    if (unit->parts != NULL) {
        entry->n_parts = unit->parts(user, entry->parts);
        g_assert(entry->n_parts <= EMU_STATE_UNIT_MAX_PARTS);
    }
    for (unsigned i = 0; i < entry->n_parts; i++) {
        add_runs(entry, &entry->parts[i]);
    }
    g_ptr_array_add(machine->units, entry);
}

/* ---- in memory */

static void copy_out(const EmuUnit *unit, uint8_t *bytes)
{
    for (unsigned i = 0; i < unit->runs->len; i++) {
        const EmuUnitRun *run = &g_array_index(unit->runs, EmuUnitRun, i);

        memcpy(bytes, run->at, run->len);
        bytes += run->len;
    }
}

static void copy_in(const EmuUnit *unit, const uint8_t *bytes)
{
    for (unsigned i = 0; i < unit->runs->len; i++) {
        const EmuUnitRun *run = &g_array_index(unit->runs, EmuUnitRun, i);

        memcpy(run->at, bytes, run->len);
        bytes += run->len;
    }
}

static bool equals(const EmuUnit *unit, const uint8_t *bytes)
{
    for (unsigned i = 0; i < unit->runs->len; i++) {
        const EmuUnitRun *run = &g_array_index(unit->runs, EmuUnitRun, i);

        if (memcmp(run->at, bytes, run->len) != 0) {
            return false;
        }
        bytes += run->len;
    }
    return true;
}

static void image_init(GPtrArray *units, EmuUnitsImage *image)
{
    size_t len = 0;

    for (unsigned i = 0; i < units->len; i++) {
        const EmuUnit *unit = g_ptr_array_index(units, i);

        len += unit->len;
    }
    image->n_units = units->len;
    image->taken = g_new0(void *, units->len + 1);
    image->bytes = g_malloc(len + 1); /* of the board's making */
}

void emu_units_drop(GPtrArray *units, EmuUnitsImage *image)
{
    for (unsigned i = 0; i < image->n_units; i++) {
        const EmuUnit *unit = g_ptr_array_index(units, i);

        if (image->taken[i] != NULL) {
            unit->unit->drop(unit->user, image->taken[i]);
        }
    }
    g_free(image->taken);
    g_free(image->bytes);
    *image = (EmuUnitsImage) { 0 };
}

bool emu_units_take(GPtrArray *units, EmuUnitsImage *ret_image, bool own, GError **error)
{
    EmuUnitsImage image;
    uint8_t *bytes;

    image_init(units, &image);
    bytes = image.bytes;
    for (unsigned i = 0; i < units->len; i++) {
        const EmuUnit *unit = g_ptr_array_index(units, i);

        copy_out(unit, bytes);
        bytes += unit->len;
        if (own && unit->unit->take != NULL) {
            image.taken[i] = unit->unit->take(unit->user, error);
            if (image.taken[i] == NULL) {
                emu_units_drop(units, &image);
                return false;
            }
        }
    }
    *ret_image = image;
    return true;
}

bool emu_units_restore(GPtrArray *units, const EmuUnitsImage *image)
{
    const uint8_t *bytes = image->bytes;
    bool told = false;
    uint64_t stale[4] = { 0 }; /* bit a unit */

    g_assert(image->n_units <= 256);
    for (unsigned i = 0; i < image->n_units; i++) {
        const EmuUnit *unit = g_ptr_array_index(units, i);

        if (!equals(unit, bytes)) {
            if (unit->unit->leave != NULL) {
                unit->unit->leave(unit->user);
            }
            copy_in(unit, bytes);
            stale[i / 64] |= UINT64_C(1) << (i % 64);
        }
        bytes += unit->len;
        if (image->taken[i] != NULL) {
            unit->unit->restore(unit->user, image->taken[i]);
        }
    }
    for (unsigned i = 0; i < image->n_units; i++) {
        const EmuUnit *unit = g_ptr_array_index(units, i);

        if ((stale[i / 64] >> (i % 64) & 1) != 0 && unit->unit->loaded != NULL) {
            unit->unit->loaded(unit->user);
            told = true;
        }
    }
    return told;
}

void emu_units_settle(GPtrArray *units, const EmuUnitsImage *image)
{
    const uint8_t *bytes = image->bytes;

    for (unsigned i = 0; i < image->n_units; i++) {
        const EmuUnit *unit = g_ptr_array_index(units, i);

        copy_in(unit, bytes);
        bytes += unit->len;
    }
}

void emu_units_resume(GPtrArray *units)
{
    for (unsigned i = 0; i < units->len; i++) {
        const EmuUnit *unit = g_ptr_array_index(units, i);

        if (unit->unit->resumed != NULL) {
            unit->unit->resumed(unit->user);
        }
    }
}

unsigned emu_units_compare(GPtrArray *units, const EmuUnitsImage *image, GString *report)
{
    const uint8_t *bytes = image->bytes;
    unsigned n = 0;

    for (unsigned i = 0; i < image->n_units; i++) {
        const EmuUnit *unit = g_ptr_array_index(units, i);

        if (!equals(unit, bytes)) {
            n++;
            if (report != NULL) {
                g_string_append_printf(report, "%s %u: its state differs\n", unit->unit->name,
                                       unit->unit->instance);
            }
        }
        bytes += unit->len;
    }
    return n;
}

/* ---- in a file */

void emu_units_put(GPtrArray *units, MemStateWriter *writer)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    for (unsigned i = 0; i < units->len; i++) {
        const EmuUnit *unit = g_ptr_array_index(units, i);

        if (unit->n_parts == 0 && unit->unit->put == NULL) {
            continue;
        }
        g_byte_array_set_size(bytes, 0);
        mem_state_begin_unit(writer, unit->unit->name, unit->unit->instance, unit->unit->version);
        for (unsigned k = 0; k < unit->n_parts; k++) {
            emu_state_save(&unit->parts[k].desc, unit->parts[k].state, bytes);
        }
        mem_state_put_u32(writer, bytes->len);
        mem_state_put(writer, bytes->data, bytes->len);
        if (unit->unit->put != NULL) {
            unit->unit->put(unit->user, writer);
        }
        mem_state_end_unit(writer);
    }
}

/* The fields of a copy of a part, as a snapshot keeps them. */
static uint8_t *fields_out(const EmuStatePart *part, const uint8_t *copy, uint8_t *bytes)
{
    for (unsigned i = 0; i < part->desc.n_fields; i++) {
        const EmuField *field = &part->desc.fields[i];
        size_t len = (size_t)field->elem_size * field->n_elems;

        memcpy(bytes, copy + field->offset, len);
        bytes += len;
    }
    return bytes;
}

static bool get_parts(const EmuUnit *unit, const uint8_t *file, size_t len, uint8_t *bytes,
                      GError **error)
{
    void *copies[EMU_STATE_UNIT_MAX_PARTS] = { NULL };
    size_t pos = 0;
    bool ok = true;

    for (unsigned i = 0; i < unit->n_parts && ok; i++) {
        const EmuStatePart *part = &unit->parts[i];

        copies[i] = g_memdup2(part->state, part->desc.size);
        if (part->ready != NULL) {
            part->ready(copies[i]);
        }
        ok = emu_state_load(&part->desc, copies[i], file, len, &pos, error);
        bytes = ok ? fields_out(part, copies[i], bytes) : bytes;
    }
    if (ok && pos != len) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_STATE,
                    "saved state of %s %u: %zu bytes follow its end", unit->unit->name,
                    unit->unit->instance, len - pos);
        ok = false;
    }
    ok = ok && (unit->unit->check == NULL || unit->unit->check(unit->user, copies, error));
    for (unsigned i = 0; i < unit->n_parts; i++) {
        g_free(copies[i]);
    }
    return ok;
}

uint8_t *emu_units_get_bytes(MemStateReader *reader, uint32_t *ret_len, GError **error)
{
    uint32_t len = 0;

    if (!mem_state_get_u32(reader, &len, error)) {
        return NULL;
    }
    if (len > MAX_UNIT_BYTES) {
        mem_state_bad(reader, error, "%u bytes of fields are too many", len);
        return NULL;
    }
    uint8_t *bytes = mem_os()->try_alloc0((size_t)len + 1);

    if (bytes == NULL) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                    "no host memory for %u bytes of saved fields", len);
        return NULL;
    }
    if (!mem_state_get(reader, bytes, len, error)) {
        mem_os()->free(bytes);
        return NULL;
    }
    *ret_len = len;
    return bytes;
}

static bool get_unit(const EmuUnit *unit, MemStateReader *reader, uint8_t *bytes, void **ret_taken,
                     GError **error)
{
    uint32_t version = mem_state_open_unit(reader, unit->unit->name, unit->unit->instance,
                                           unit->unit->version, error);
    uint32_t len = 0;

    uint8_t *file = version != 0 ? emu_units_get_bytes(reader, &len, error) : NULL;
    bool ok = file != NULL && get_parts(unit, file, len, bytes, error);

    mem_os()->free(file);
    if (!ok) {
        return false;
    }
    if (unit->unit->get != NULL) {
        *ret_taken = unit->unit->get(unit->user, reader, version, error);
        if (*ret_taken == NULL) {
            return false;
        }
    }
    return mem_state_unit_left(reader) == 0 ||
           mem_state_bad(reader, error, "bytes follow where its state ends");
}

bool emu_units_get(GPtrArray *units, MemStateReader *reader, EmuUnitsImage *ret_image,
                   GError **error)
{
    EmuUnitsImage image;
    uint8_t *bytes;

    image_init(units, &image);
    bytes = image.bytes;
    for (unsigned i = 0; i < units->len; i++) {
        const EmuUnit *unit = g_ptr_array_index(units, i);
        bool in_file = unit->n_parts != 0 || unit->unit->put != NULL;

        if (in_file && !get_unit(unit, reader, bytes, &image.taken[i], error)) {
            emu_units_drop(units, &image);
            return false;
        }
        bytes += unit->len;
    }
    *ret_image = image;
    return true;
}
