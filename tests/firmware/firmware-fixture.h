/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PC with consoles kept in memory, for tests that run firmware. Files come from the
 * distribution's packages; one that is missing fails the test that needs it.
 */
#pragma once

#include "devices/pc.h"
#include "emu/loader.h"

typedef struct FirmwarePc {
    EmuMachine *machine;
    GString *serial;
    GString *debugcon;
    const char *until; /* stop when this text, escapes removed, is on the serial line */
    unsigned escape;   /* state of the escape remover */
} FirmwarePc;

/* @bios: a path. @ram: bytes. */
void firmware_pc_init(FirmwarePc *pc, const char *bios, uint64_t ram);
void firmware_pc_clear(FirmwarePc *pc);

/* Runs up to @seconds of guest time, resets performed when @resets. */
EmuStop firmware_pc_run(FirmwarePc *pc, uint64_t seconds);

/* Hash of all RAM the guest has. */
uint64_t firmware_pc_hash(FirmwarePc *pc);
