/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevMc146818: the clock chip at ports 0x70 and 0x71 with 128 bytes of battery-backed memory, in
 * which firmware finds memory sizes and its own notes.
 *
 * Date and time start at a given moment at power-on and follow guest time.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/clock.h"
#include "emu/lines.h"
#include "emu/ports.h"
#include "emu/state-units.h"
#include "emu/state.h"

/* 1970 to the end of 9999. */
#define DEV_MC146818_MAX_SECONDS INT64_C(253402300799)

typedef struct DevMc146818 DevMc146818;

extern const EmuStateDesc dev_mc146818_state_desc;

/**
 * dev_mc146818_new:
 * @irq8: level, high while an enabled interrupt is pending
 * @start_seconds: date at guest time 0, seconds since 1970; 0 to DEV_MC146818_MAX_SECONDS
 *
 * Returns: (transfer full): the chip, or %NULL if a port is taken
 */
DevMc146818 *dev_mc146818_new(EmuPorts *ports, EmuClock *clock, EmuLine irq8, int64_t start_seconds,
                              GError **error);
void dev_mc146818_free(DevMc146818 *rtc);

/* @rtc: a DevMc146818. Date, time and memory live on the battery and stay. */
void dev_mc146818_reset(void *rtc);

/* Configuration by the board. @index: 0x0E to 0x7F, not the century. */
void dev_mc146818_set_nvram(DevMc146818 *rtc, unsigned index, uint8_t value);

void dev_mc146818_save(const DevMc146818 *rtc, GByteArray *out);
bool dev_mc146818_load(DevMc146818 *rtc, const uint8_t *bytes, size_t len, size_t *pos,
                       GError **error);

/* Of an EmuStateUnit. */
unsigned dev_mc146818_parts(void *user, EmuStatePart *ret_parts);
