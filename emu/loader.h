/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loaders: from files to guest memory. Every size and offset in a file is checked before the first
 * byte is written to the guest; a bad file changes nothing and the error names file, offset and
 * what is wrong.
 */
#pragma once

#include "emu/machine.h"

#pragma GCC visibility push(default)

/* Where symbols of loaded ELF files are looked up. */
typedef struct EmuSymbols EmuSymbols;
EmuSymbols *emu_symbols_new(void);
void emu_symbols_free(EmuSymbols *symbols);
bool emu_symbols_lookup(const EmuSymbols *symbols, const char *name, GVirt *ret_address);
/* Nearest symbol at or below @address and within its size (64 KiB if it has none), or NULL. */
const char *emu_symbols_find(const EmuSymbols *symbols, GVirt address, uint64_t *ret_offset);
unsigned emu_symbols_count(const EmuSymbols *symbols);

/**
 * emu_file_read:
 * @max_len: refuse anything longer, in bytes
 *
 * Reads a regular file whole. Directories, empty and over-long files are refused by name.
 */
GBytes *emu_file_read(const char *path, uint64_t max_len, GError **error);

/* A raw file at a guest-physical address; all of it must lie in RAM. */
bool emu_load_raw(EmuMachine *machine, const char *path, GPhys address, GError **error);

/**
 * emu_load_elf:
 * @symbols: (nullable): symbols are added
 * @ret_entry: entry point
 *
 * ELF32 or ELF64 little-endian x86, PT_LOAD segments at their physical addresses, all in RAM.
 */
bool emu_load_elf(EmuMachine *machine, const char *path, EmuSymbols *symbols, GVirt *ret_entry,
                  GError **error);

/* Whether the file starts like an ELF file; like a Linux kernel of the x86 boot protocol. */
bool emu_is_elf(GBytes *file);
bool emu_is_linux(GBytes *file);

typedef struct EmuLinuxBoot {
    const char *kernel;
    const char *append; /* (nullable) command line */
    const char *initrd; /* (nullable) file */
} EmuLinuxBoot;

/**
 * emu_load_linux:
 *
 * Linux/x86 boot protocol 2.00 and later, 32-bit entry: kernel at 1 MiB or where it asks, zero page
 * with command line, initrd and e820 map made from the machine's RAM ranges. The CPU is left in
 * flat 32-bit protected mode at the entry (emu_machine_enter_flat32()).
 *
 * Source: the kernel's Documentation/arch/x86/boot.rst.
 */
bool emu_load_linux(EmuMachine *machine, const EmuLinuxBoot *boot, GError **error);

/**
 * emu_machine_enter_flat32:
 * @esi: value for ESI (boot_params for Linux), all other general registers zero, ESP @esp
 *
 * After emu_machine_reset(): protected mode, paging off, flat code and data segments (selectors
 * 0x10 and 0x18) from a GDT written at guest-physical @gdt_address, interrupts off, at @entry.
 */
bool emu_machine_enter_flat32(EmuMachine *machine, uint32_t entry, uint32_t esp, uint32_t esi,
                              GPhys gdt_address, GError **error);

#pragma GCC visibility pop
