/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC board: i440FX with PAM and SMRAM, PIIX3 and PIIX4 functions, interrupt controllers, timer,
 * clock chip, keyboard controller, two serial ports, IDE, fw_cfg, debug ports, RAM and firmware,
 * put together.
 *
 * Consoles it creates: "serial0", "serial1", "debugcon".
 */
#pragma once

#include "devices/disk.h"
#include "devices/screen.h"
#include "devices/typist.h"
#include "emu/machine.h"

#pragma GCC visibility push(default)

#define DEV_PC_MAX_DRIVES 4

typedef struct DevPc DevPc;

typedef struct DevPcConfig {
    uint64_t ram_size;     /* bytes; 0 takes 128 MiB */
    uint64_t hole_size;    /* bytes; 0 takes MM's default */
    const void *bios;      /* firmware image: ends at 4 GiB, its last 128 KiB also below 1 MiB */
    size_t bios_len;       /* a multiple of 4 KiB up to 16 MiB */
    const char *bios_name; /* for messages and the map */
    int64_t rtc_seconds;   /* date and time at power-on, seconds since 1970 UTC */
    DevDisk *drives[DEV_PC_MAX_DRIVES]; /* primary master, slave, secondary master, slave; NULL:
                                           none. The board takes them over on success */
    bool vga;                           /* a standard VGA (devices/screen.h), PCI device 2 */
    const void *vga_rom;                /* its video BIOS, copied; NULL: none */
    size_t vga_rom_len;
    const char *vga_rom_name; /* for messages and the map; (nullable) */
    const char *nic;     /* model of a network card, PCI device 3; NULL: none. See dev_pc_nics() */
    const void *nic_rom; /* its option ROM, copied; NULL: none */
    size_t nic_rom_len;
    const char *nic_rom_name; /* likewise */
} DevPcConfig;

/**
 * dev_pc_new:
 *
 * Builds the board into @machine, which frees it. RAM and ROM ranges are registered, consoles
 * created; the machine still needs emu_machine_reset().
 *
 * Returns: (transfer none): the board, or %NULL with an error that names the option to change
 */
DevPc *dev_pc_new(EmuMachine *machine, const DevPcConfig *config, GError **error);

/**
 * dev_pc_add_fw_cfg_file:
 * @name: up to 55 bytes, e.g. "etc/sercon-port"
 * @data: copied
 *
 * Adds a file to fw_cfg's directory. Before the first emu_machine_reset().
 */
bool dev_pc_add_fw_cfg_file(DevPc *pc, const char *name, const void *data, size_t len,
                            GError **error);

/**
 * dev_pc_add_option_rom:
 * @name: for the firmware's list, e.g. "ipxe.rom"; up to 47 bytes, unique
 * @data: copied; begins with 55 AA and is as long as its third byte says, or longer
 *
 * Gives the firmware an option ROM that belongs to no card (fw_cfg file genroms/@name): it copies
 * it into shadow RAM below E0000 and runs it. Before the first emu_machine_reset().
 *
 * Returns: false with an error that says what is wrong with it
 */
bool dev_pc_add_option_rom(DevPc *pc, const char *name, const void *data, size_t len,
                           GError **error);

/* Models for DevPcConfig.nic, ended by NULL. */
const char *const *dev_pc_nics(void);

/* Returns: (transfer none): what the VGA shows, or %NULL if there is none */
DevScreen *dev_pc_screen(DevPc *pc);

/* Returns: (transfer none): somebody who types on the keyboard */
DevTypist *dev_pc_typist(DevPc *pc);

#pragma GCC visibility pop
