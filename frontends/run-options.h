/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `quire run` was asked to do: its options as values, checked one by one and against each
 * other. No file has been opened yet.
 */
#pragma once

#include "devices/pc.h"
#include "emu/machine.h"
#include "grammar.h"
#include "moments.h"
#include "options.h"

#include <glib.h>

/* Where a console goes. */
typedef enum FeSinkKind { FE_SINK_STDIO, FE_SINK_NULL, FE_SINK_FILE } FeSinkKind;

typedef struct FeSink {
    FeSinkKind kind;
    char *path; /* FILE alone */
    bool given; /* by an option, not by default */
} FeSink;

typedef struct FeDrive {
    char *path;
    bool writable;
} FeDrive;

typedef struct FeLoad {
    char *path;
    uint64_t address;
} FeLoad;

/* --rom: a ROM anywhere. */
typedef struct FeRom {
    char *path;
    uint64_t address; /* a multiple of 4 KiB */
    bool shadowed;    /* with RAM behind it */
} FeRom;

/* An image that a restored state was made with; see rom-files.h. */
typedef struct FeSavedRom {
    char *option; /* "bios" */
    char *path;   /* its name when the state was saved, by which the state knows it */
    char *sum;    /* fe_rom_sum() of it; NULL: the state does not say */
    bool given;   /* one is named for this run too */
} FeSavedRom;

typedef struct FeDump {
    char *path;
    FeRange range;
} FeDump;

/* --type TEXT, with the --type-at behind it. */
typedef struct FeTyped {
    char *text;   /* as given, see devices/typist.h */
    FeMoment *at; /* NULL: from the start */
} FeTyped;

/* --memory-film and --screen-record. */
typedef struct FeFilm {
    char *path;
    uint64_t every_ns; /* guest time between two pictures; 0: not said */
} FeFilm;

/* Instead of the file of a card's ROM. */
#define FE_NO_ROM "none"

typedef enum FeVga { FE_VGA_DEFAULT, FE_VGA_NONE, FE_VGA_STD } FeVga;

/* Questions that are answered instead of a run. */
typedef enum FeAsked {
    FE_ASKED_RUN,
    FE_ASKED_PRINT_MACHINE,
    FE_ASKED_HELP,
    FE_ASKED_VERSION,
    FE_ASKED_CPUS,
    FE_ASKED_MACHINES,
    FE_ASKED_INFO,
} FeAsked;

/* Options whose default is a value like any other: whether they were given. */
typedef enum FeGiven {
    FE_GIVEN_MEMORY = 1,
    FE_GIVEN_CLOCK = 2,
    FE_GIVEN_RTC = 4,
    FE_GIVEN_ON_RESET = 8,
    FE_GIVEN_BIOS = 16,
    FE_GIVEN_NIC = 32,
} FeGiven;

typedef struct FeRunOptions {
    FeAsked asked;
    unsigned given;    /* set of FeGiven */
    uint64_t memory;   /* bytes */
    uint64_t ram_hole; /* 0: the default */
    bool no_overcommit;
    char *cpu;  /* NULL: the default */
    char *bios; /* NULL: the distribution's */
    char *kernel;
    char *append;
    char *initrd;
    GArray *drives;         /* of FeDrive, at most DEV_PC_MAX_DRIVES */
    GArray *loads;          /* of FeLoad */
    GArray *roms;           /* of FeRom */
    GArray *saved_roms;     /* of FeSavedRom; of a restored run, once its file was read */
    FeVga vga;              /* DEFAULT: std if a screen is asked for (fe_run_options_has_vga()) */
    char *vga_rom;          /* file, or "none"; NULL: the distribution's */
    char *nic;              /* model; NULL: none */
    char *nic_rom;          /* file, or "none"; NULL: the distribution's */
    GPtrArray *option_roms; /* of char *: files */
    FeSink serial;
    FeSink debugcon;
    GArray *typed;              /* of FeTyped */
    GPtrArray *screens;         /* of char *: files for --screen, .png or .txt */
    uint64_t screen_every_ns;   /* guest; 0: none */
    char *screen_dir;           /* of --screen-every */
    char *screen_record;        /* as given: see fe_record_parse(); NULL: none */
    GPtrArray *memory_pictures; /* of char *: files, .png or .json */
    GPtrArray *memory_films;    /* likewise, as given: see fe_film_parse() */
    char *machine_file;         /* --machine FILE.ini; NULL: none */
    GPtrArray *file_settings;   /* of FeSetting: what of it is in effect; NULL: no file */
    char *folder; /* while a machine file's settings are set: where its file names begin */
    unsigned n_typed_in_file; /* of @typed, those of the machine file */
    unsigned n_loads_in_file; /* of @loads, likewise */
    GPtrArray *until;         /* of FeMoment */
    uint64_t timeout_ns;      /* wall; 0: none */
    uint64_t max_time_ns;     /* guest; EMU_CLOCK_NEVER: none */
    EmuClockMode clock;
    int64_t rtc_seconds;
    bool reset_continues;
    GArray *dumps; /* of FeDump */
    bool map;
    GPtrArray *info; /* of char *: requests of memsys/info.h */
    bool stats;
    char *stats_glob;       /* NULL: all */
    char *stats_path;       /* of JSON; NULL: none */
    unsigned trace_classes; /* 0: none */
    char *trace_path;       /* NULL: stderr */
    bool quiet;
    char *save;        /* file; NULL: none */
    FeMoment *save_at; /* NULL: at the end */
    bool save_live;
    char *restore; /* file; NULL: start at power-on */
} FeRunOptions;

/**
 * fe_run_options_new:
 * @argv: words behind `quire run`, ended by NULL
 *
 * Returns: (transfer full): or %NULL with one line that names the option and what to do
 */
FeRunOptions *fe_run_options_new(char *const *argv, GError **error);
void fe_run_options_free(FeRunOptions *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeRunOptions, fe_run_options_free)

/* The rules between options that are left when all are known: at the end of fe_run_options_new(),
 * for a restored run once those of its file were added (saved-options.h). */
bool fe_run_options_check(const FeRunOptions *options, GError **error);

/* The table, in parts; ended by NULL. */
const FeOption *const *fe_run_options_tables(void);

/* Whether the machine has a VGA: said so, or needed by what else was asked for. */
bool fe_run_options_has_vga(const FeRunOptions *options);

/* Returns: the first option given that looks at the screen, "--screen", or %NULL */
const char *fe_run_options_screen_option(const FeRunOptions *options);

/**
 * fe_film_parse:
 * @text: FILE.png or FILE.json, perhaps with `,every=SECONDS` behind it
 * @ret_film: its path is (transfer full)
 */
bool fe_film_parse(const char *text, FeFilm *ret_film, GError **error);

/* The same of --screen-record: FILE.png alone. */
bool fe_record_parse(const char *text, FeFilm *ret_film, GError **error);

/* In front of an error that begins with an option ("--drive: ..."), if a machine file gave it: the
 * file, the group and the key. Returns: whether one did */
bool fe_run_options_blame(const FeRunOptions *options, GError **error);

/* The options' table as text. */
void fe_run_options_print_help(GString *text);
