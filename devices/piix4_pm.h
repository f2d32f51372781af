/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevPiix4Pm: power management, PCI function 00:01.3: the ACPI registers with the 3.58 MHz timer
 * and soft-off, an SMBus host that finds no devices, and the APM ports 0xB2 and 0xB3.
 *
 * Thread: the machine's.
 */
#pragma once

#include "devices/pci.h"
#include "emu/clock.h"
#include "emu/lines.h"
#include "emu/state-units.h"

#define DEV_PM_TIMER_HZ UINT64_C(3579545)

typedef struct DevPiix4Pm DevPiix4Pm;

extern const EmuStateDesc dev_piix4_pm_state_desc;

typedef struct DevPiix4PmLines {
    EmuLine sci;       /* level */
    EmuLine power_off; /* pulsed: the guest asked for soft-off */
} DevPiix4PmLines;

/* Returns: (transfer full): the chip in its reset state, or %NULL if a port is taken */
DevPiix4Pm *dev_piix4_pm_new(DevPciBus *bus, EmuPorts *ports, EmuClock *clock,
                             const DevPiix4PmLines *lines, GError **error);
void dev_piix4_pm_free(DevPiix4Pm *pm);
void dev_piix4_pm_reset(void *pm); /* a DevPiix4Pm */

void dev_piix4_pm_save(const DevPiix4Pm *pm, GByteArray *out);
bool dev_piix4_pm_load(DevPiix4Pm *pm, const uint8_t *bytes, size_t len, size_t *pos,
                       GError **error);

/* Of an EmuStateUnit. */
unsigned dev_piix4_pm_parts(void *user, EmuStatePart *ret_parts);
void dev_piix4_pm_leave(void *user);
void dev_piix4_pm_loaded(void *user);
