/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving and loading the state of a chip as named fields. A chip lists its fields once, in a table;
 * saving and loading follow the table. Loading checks everything (name, size, order, the chip's own
 * rules) against a copy and commits only a whole, valid state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)

typedef struct EmuField {
    const char *name;
    uint32_t offset;    /* of the field, or of its first element, in the chip's state struct */
    uint16_t elem_size; /* 1, 2, 4 or 8: integers, stored little-endian */
    uint16_t n_elems;
    uint64_t max; /* largest value allowed in a loaded file; 0: any that fits */
} EmuField;

/* 1 for a bool, which holds nothing else; 0 (any that fits) for other types. */
#define EMU_FIELD_TYPE_MAX(expr) _Generic((expr), bool : 1, default : 0)

/* A scalar, with or without a largest allowed value; an array likewise. A bool is a byte with
 * max 1. */
#define EMU_FIELD(type, member)                                          \
    {                                                                    \
#member, offsetof(type, member), sizeof(((type *)0)->member), 1, \
            EMU_FIELD_TYPE_MAX(((type *)0)->member)                      \
    }
#define EMU_FIELD_MAX(type, member, limit)                                       \
    {                                                                            \
#member, offsetof(type, member), sizeof(((type *)0)->member), 1, (limit) \
    }
#define EMU_FIELD_ARRAY_MAX(type, member, limit)                                  \
    {                                                                             \
#member, offsetof(type, member), sizeof(((type *)0)->member[0]),          \
            sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]), (limit) \
    }
#define EMU_FIELD_ARRAY(type, member) \
    EMU_FIELD_ARRAY_MAX(type, member, EMU_FIELD_TYPE_MAX(((type *)0)->member[0]))

typedef struct EmuStateDesc {
    const char *name; /* of the chip: "i8254" */
    uint32_t version;
    uint32_t size; /* of the state struct */
    const EmuField *fields;
    unsigned n_fields;
    /* Rules between fields; sees the loaded copy. NULL: none. */
    bool (*is_valid)(const void *state);
} EmuStateDesc;

/* Appends the fields of @state to @out. */
void emu_state_save(const EmuStateDesc *desc, const void *state, GByteArray *out);

/**
 * emu_state_load:
 * @state: overwritten only on success; fields that the table does not name keep their values
 * @pos: (inout): where to read in @bytes; moved behind what was read on success
 *
 * Returns: false with EMU_ERROR naming chip, field and offset for anything wrong
 */
bool emu_state_load(const EmuStateDesc *desc, void *state, const uint8_t *bytes, size_t len,
                    size_t *pos, GError **error);

#pragma GCC visibility pop
