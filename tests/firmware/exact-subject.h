/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machines for the test of exactness: every guest there is, with all that leaves it written down.
 * A run is told in one line, so that two of them, in one process or two, can be compared.
 */
#pragma once

#include "firmware-fixture.h"
#include "helper-device.h"
#include "tests/machine-fixture.h"

typedef enum ExactHow {
    EXACT_TRAP,     /* flat, on the small machine of tests/machine-fixture.h */
    EXACT_FIRMWARE, /* in place of SeaBIOS */
    EXACT_ELF,      /* as --kernel does */
    EXACT_DISK,     /* SeaBIOS boots it */
    EXACT_LINUX,    /* by the Linux boot protocol */
} ExactHow;

typedef struct ExactGuest {
    const char *name;
    ExactHow how;
    const char *file;
    const char *cpu;
    unsigned ram_mib;
    unsigned limit_us; /* of guest time: then the run is cut */
    bool drive;        /* has a disk without being booted from it */
    bool resets;       /* goes on after a reset */
    bool helper;       /* needs the helper device */
    /* Takes away the code it runs: a cut right behind the access that does it fetches the next
     * instruction anew, so such a run is cut once only. */
    bool no_steps;
    bool in_firmware; /* 32-bit code is SeaBIOS's own */
    const char *line; /* fed to the serial line at limit_us; then it runs on */
} ExactGuest;

extern const ExactGuest exact_guests[];
extern const unsigned exact_n_guests;

/* An access to a port. */
typedef struct ExactAccess {
    uint64_t ns;
    uint64_t what; /* direction, port, size, value */
} ExactAccess;

typedef struct ExactSubject {
    const ExactGuest *guest;
    EmuMachine *machine;
    Fixture *fixture;
    FirmwarePc pc;
    HelperDevice helper;
    GString *out;  /* bytes of all consoles */
    GArray *trace; /* of ExactAccess */
    EmuPortHook on_port;
    void *on_port_user;
} ExactSubject;

/* Where a run ended, or was cut. */
typedef struct ExactEnd {
    EmuStopReason reason;
    uint32_t code;
    uint64_t ns, bytes, hash;
} ExactEnd;

/* Disk images of all guests that have one, as NAME.img in @folder. */
void exact_make_images(const char *folder);
void exact_remove_images(const char *folder);

void exact_subject_init(ExactSubject *subject, const ExactGuest *guest, const char *folder);
void exact_subject_clear(ExactSubject *subject);

uint64_t exact_subject_now(const ExactSubject *subject);

/* Resets and the helper device's stops are served. */
EmuStop exact_subject_run(ExactSubject *subject, uint64_t until_ns);
EmuStop exact_subject_step(ExactSubject *subject);

/* Runs it to its end, or to where it is cut. */
void exact_subject_finish(ExactSubject *subject, ExactEnd *ret_end);
/* @stop: has just ended it */
void exact_subject_end(ExactSubject *subject, const EmuStop *stop, ExactEnd *ret_end);

/* The end, and what was printed and accessed from @out_from and @trace_from on. */
char *exact_describe(const ExactEnd *end, const GString *out, size_t out_from, const GArray *trace,
                     size_t trace_from);
