/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kinds of moments at which saving is hardest, and how to tell that a machine is at one. */
#pragma once

#include "exact-subject.h"

typedef enum ExactKind {
    EXACT_AFTER_STI,
    EXACT_AFTER_MOV_SS,
    EXACT_IN_REP_MOVS, /* some passes done, some left */
    EXACT_IN_REP_STOS,
    EXACT_IN_REP_INS,
    EXACT_PAM_OPEN,
    EXACT_TIMER_SOON, /* within a microsecond */
    EXACT_IN_SECTOR,  /* a disk's sector is half transferred */
    EXACT_UNREAL,
    EXACT_FIRMWARE_32,
    EXACT_HELD_INTERRUPT, /* one waits, IF is 0 */
    EXACT_HALTED,
    EXACT_N_KINDS
} ExactKind;

extern const char *const exact_kind_names[EXACT_N_KINDS];

/* What the ports told so far. */
typedef struct ExactTracking {
    uint32_t config_address;
    uint8_t pam[8];  /* 58h to 5Fh of the host bridge */
    uint64_t n_data; /* bytes through 1F0h since the last command */
} ExactTracking;

void exact_track_port(ExactTracking *tracking, bool write, uint16_t port, unsigned size,
                      uint32_t value);

#define EXACT_NO_PC UINT64_MAX

/* Set of 1 << ExactKind. @before: the linear PC before a single step that led here, EXACT_NO_PC if
 * there was none; @code: 2 bytes that were there. */
unsigned exact_kinds_now(const ExactSubject *subject, const ExactTracking *tracking,
                         uint64_t before, const uint8_t *code);
