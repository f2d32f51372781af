/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The images in a machine's ROMs: firmware, video BIOS, option ROMs. Where the distribution has
 * them, how they are read, and whether they are those that a saved state was made with.
 *
 * Source: ours; 55 AA and the length behind it are those of the PC's option ROMs (PCI Firmware
 * Specification 3.0, section 5.1).
 */
#pragma once

#include "files.h"
#include "run-options.h"

typedef enum FeRomKind {
    FE_ROM_BIOS,
    FE_ROM_VGA,
    FE_ROM_NIC,
    FE_ROM_OPTION, /* of no card */
    FE_ROM_PLAIN,  /* --rom: any bytes */
    FE_N_ROM_KINDS
} FeRomKind;

typedef struct FeRomFile {
    FeRomKind kind;
    char *path;
    GBytes *bytes;
    char *label; /* its name in the machine: absolute; of a restored run as it was when saved */
    char *sum;   /* fe_rom_sum() of what is in ROM; NULL: not known */
} FeRomFile;

/* Returns: (transfer none): the option that names such a file, without dashes */
const char *fe_rom_option(FeRomKind kind);

/**
 * fe_rom_find:
 * @kind: one that has a default: FE_ROM_BIOS, FE_ROM_VGA, FE_ROM_NIC
 * @model: of the network card
 *
 * Returns: (transfer full): the distribution's file, or %NULL with an error that names the package
 */
char *fe_rom_find(FeRomKind kind, const char *model, GError **error);

/**
 * fe_rom_file_new:
 * @index: which one of its kind it is; what a saved state knows is looked up by it
 * @files: told of it
 *
 * Returns: (transfer full): or %NULL with one line that names option and file
 */
FeRomFile *fe_rom_file_new(const FeRunOptions *options, FeRomKind kind, unsigned index,
                           const char *path, FeFiles *files, GError **error);
void fe_rom_file_free(FeRomFile *rom);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeRomFile, fe_rom_file_free)

/* What tells one image from another in a state: "BYTES-SHA256". Returns: (transfer full) */
char *fe_rom_sum(GBytes *image);

/* The bytes that @sum speaks of, and its digest in hexadecimal (ret_digest is nullable), if it is
 * one. Returns: whether it is */
bool fe_rom_sum_parse(const char *sum, uint64_t *ret_size, const char **ret_digest);
