/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved chip states. Little-endian, without padding:
 *
 *   name of the chip | version u32 | number of fields u32 | fields
 *   field: name | size of an element u16 | number of elements u16 | elements
 *   name: length u8 | bytes
 *
 * A state is loaded into a copy, field by field as the table says, and taken over only when all of
 * it is right.
 *
 * Source: ours.
 */
#include "emu/state.h"

#include "emu/error.h"

#include <string.h>

typedef struct Reader {
    const char *chip;
    const uint8_t *bytes;
    size_t len;
    size_t pos;
} Reader;

static void put_uint(GByteArray *out, uint64_t value, unsigned size)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    g_byte_array_append(out, bytes, size);
}

static void put_name(GByteArray *out, const char *name)
{
    size_t len = strlen(name);

    g_assert(len <= UINT8_MAX);
    put_uint(out, len, 1);
    g_byte_array_append(out, (const uint8_t *)name, (guint)len);
}

static uint64_t get_elem(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;

    switch (size) {
    case 1:
        return *at;
    case 2: {
        uint16_t v;
        memcpy(&v, at, sizeof(v));
        return v;
    }
    case 4: {
        uint32_t v;
        memcpy(&v, at, sizeof(v));
        return v;
    }
    default:
        g_assert(size == 8);
        memcpy(&value, at, sizeof(value));
        return value;
    }
}

static void set_elem(uint8_t *at, unsigned size, uint64_t value)
{
    uint8_t v8 = (uint8_t)value;
    uint16_t v16 = (uint16_t)value;
    uint32_t v32 = (uint32_t)value;

    switch (size) {
    case 1:
        memcpy(at, &v8, sizeof(v8));
        break;
    case 2:
        memcpy(at, &v16, sizeof(v16));
        break;
    case 4:
        memcpy(at, &v32, sizeof(v32));
        break;
    default:
        g_assert(size == 8);
        memcpy(at, &value, sizeof(value));
        break;
    }
}

static void check_field(const EmuStateDesc *desc, const EmuField *field)
{
    g_assert(field->elem_size == 1 || field->elem_size == 2 || field->elem_size == 4 ||
             field->elem_size == 8);
    g_assert((uint64_t)field->offset + (uint64_t)field->elem_size * field->n_elems <= desc->size);
}

void emu_state_save(const EmuStateDesc *desc, const void *state, GByteArray *out)
{
    put_name(out, desc->name);
    put_uint(out, desc->version, 4);
    put_uint(out, desc->n_fields, 4);
    for (unsigned i = 0; i < desc->n_fields; i++) {
        const EmuField *field = &desc->fields[i];
        const uint8_t *at = (const uint8_t *)state + field->offset;

        check_field(desc, field);
        put_name(out, field->name);
        put_uint(out, field->elem_size, 2);
        put_uint(out, field->n_elems, 2);
        for (unsigned n = 0; n < field->n_elems; n++) {
            put_uint(out, get_elem(at + (size_t)n * field->elem_size, field->elem_size),
                     field->elem_size);
        }
    }
}

G_GNUC_PRINTF(3, 4)
static bool fail(const Reader *reader, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);

    g_autofree char *what = g_strdup_vprintf(format, args);

    va_end(args);
    g_set_error(error, EMU_ERROR, EMU_ERROR_STATE, "saved state of %s, offset %zu: %s",
                reader->chip, reader->pos, what);
    return false;
}

static bool get_uint(Reader *reader, unsigned size, uint64_t *ret_value, GError **error)
{
    if (reader->len - reader->pos < size) {
        return fail(reader, error, "the data ends too early");
    }

    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)reader->bytes[reader->pos + i] << (8 * i);
    }
    reader->pos += size;
    *ret_value = value;
    return true;
}

static bool expect_uint(Reader *reader, unsigned size, uint64_t want, const char *what,
                        GError **error)
{
    uint64_t value = 0;

    if (!get_uint(reader, size, &value, error)) {
        return false;
    }
    if (value != want) {
        return fail(reader, error, "%s is %" G_GUINT64_FORMAT ", not %" G_GUINT64_FORMAT, what,
                    value, want);
    }
    return true;
}

static bool expect_name(Reader *reader, const char *want, GError **error)
{
    uint64_t len = 0;

    if (!get_uint(reader, 1, &len, error)) {
        return false;
    }
    if (len > reader->len - reader->pos) {
        return fail(reader, error, "the data ends within a name");
    }
    if (len != strlen(want) || memcmp(reader->bytes + reader->pos, want, len) != 0) {
        return fail(reader, error, "expected the name \"%s\"", want);
    }
    reader->pos += len;
    return true;
}

static bool load_field(Reader *reader, const EmuField *field, uint8_t *state, GError **error)
{
    if (!expect_name(reader, field->name, error) ||
        !expect_uint(reader, 2, field->elem_size, "an element's size", error) ||
        !expect_uint(reader, 2, field->n_elems, "the number of elements", error)) {
        return false;
    }
    for (unsigned n = 0; n < field->n_elems; n++) {
        uint64_t value = 0;

        if (!get_uint(reader, field->elem_size, &value, error)) {
            return false;
        }
        if (field->max != 0 && value > field->max) {
            return fail(reader, error,
                        "%s is %#" G_GINT64_MODIFIER "x, more than %#" G_GINT64_MODIFIER "x",
                        field->name, value, field->max);
        }
        set_elem(state + field->offset + (size_t)n * field->elem_size, field->elem_size, value);
    }
    return true;
}

bool emu_state_load(const EmuStateDesc *desc, void *state, const uint8_t *bytes, size_t len,
                    size_t *pos, GError **error)
{
    g_assert(*pos <= len);

    Reader reader = { .chip = desc->name, .bytes = bytes, .len = len, .pos = *pos };
    g_autofree uint8_t *copy = g_memdup2(state, desc->size);

    if (!expect_name(&reader, desc->name, error) ||
        !expect_uint(&reader, 4, desc->version, "the version", error) ||
        !expect_uint(&reader, 4, desc->n_fields, "the number of fields", error)) {
        return false;
    }
    for (unsigned i = 0; i < desc->n_fields; i++) {
        check_field(desc, &desc->fields[i]);
        if (!load_field(&reader, &desc->fields[i], copy, error)) {
            return false;
        }
    }
    if (desc->is_valid != NULL && !desc->is_valid(copy)) {
        return fail(&reader, error, "the fields contradict each other");
    }
    memcpy(state, copy, desc->size);
    *pos = reader.pos;
    return true;
}
