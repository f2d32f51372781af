/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The units of a machine (emu/state-units.h) and what snapshots and saved states do with all of
 * them.
 */
#pragma once

#include "emu/state-units.h"

/* Neighbouring fields of a part, as one piece of memory. */
typedef struct EmuUnitRun {
    uint8_t *at;
    size_t len;
} EmuUnitRun;

typedef struct EmuUnit {
    const EmuStateUnit *unit;
    void *user;
    EmuStatePart parts[EMU_STATE_UNIT_MAX_PARTS];
    unsigned n_parts;
    GArray *runs; /* of EmuUnitRun */
    size_t len;   /* bytes of all of them */
} EmuUnit;

GPtrArray *emu_units_new(void);

/* ---- in memory */

/* What take() made, one place a unit; and the bytes of all parts in one piece. */
typedef struct EmuUnitsImage {
    unsigned n_units;
    void **taken;
    uint8_t *bytes;
} EmuUnitsImage;

/* @own: also what has functions of its own. Returns: false with an error and nothing taken */
bool emu_units_take(GPtrArray *units, EmuUnitsImage *ret_image, bool own, GError **error);
void emu_units_drop(GPtrArray *units, EmuUnitsImage *image);
/* Chips whose fields change leave what the guest moved; fields; then those chips are told. Units
 * that were registered since stay as they are. Returns: whether any was told: then
 * emu_units_settle() must follow */
bool emu_units_restore(GPtrArray *units, const EmuUnitsImage *image);
/* The fields once more: what chips changed in each other while they were told does not last. */
void emu_units_settle(GPtrArray *units, const EmuUnitsImage *image);
/* Last of all: the chips are told that timers are back. */
void emu_units_resume(GPtrArray *units);
/* One line in @report for each unit that differs. Returns: how many */
unsigned emu_units_compare(GPtrArray *units, const EmuUnitsImage *image, GString *report);

/* ---- in a file */

void emu_units_put(GPtrArray *units, MemStateWriter *writer);
/* A length and so many bytes of fields, in checked memory: mem_os()->free(). NULL with an error. */
uint8_t *emu_units_get_bytes(MemStateReader *reader, uint32_t *ret_len, GError **error);
/* Reads all units into an image, to be restored; the machine is not touched. */
bool emu_units_get(GPtrArray *units, MemStateReader *reader, EmuUnitsImage *ret_image,
                   GError **error);
