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
    DevPc *board;
    GString *serial;
    GString *debugcon;
    const char *until; /* stop when this text, escapes removed, is on the serial line */
    unsigned escape;   /* state of the escape remover */
} FirmwarePc;

typedef struct FirmwareOptions {
    const char *bios;  /* a path */
    uint64_t ram;      /* bytes; 0: the board's default */
    uint64_t hole;     /* bytes; 0: the default */
    const char *cpu;   /* NULL: the default */
    const char *drive; /* NULL: none; a path: primary master */
    bool drive_writable;
    const char *vga_rom; /* NULL: no VGA; a path: its video BIOS */
    Gmm *gmm;            /* NULL: one of its own */
} FirmwareOptions;

void firmware_pc_init_with(FirmwarePc *pc, const FirmwareOptions *options);

/* @bios: a path. @ram: bytes. */
void firmware_pc_init(FirmwarePc *pc, const char *bios, uint64_t ram);
void firmware_pc_clear(FirmwarePc *pc);

/* Runs up to guest time @seconds. */
EmuStop firmware_pc_run(FirmwarePc *pc, uint64_t seconds);

/* An ELF guest in place of the firmware, entered as --kernel does. */
void firmware_pc_load_elf(FirmwarePc *pc, const char *path);

/* What is on the debug console since a boot sector was entered; all if none was. */
const char *firmware_pc_guest_words(const FirmwarePc *pc);

/* Hash of all RAM the guest has. */
uint64_t firmware_pc_hash(FirmwarePc *pc);
