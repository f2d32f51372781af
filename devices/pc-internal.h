/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the files of the PC board: its chips, and who does what.
 */
#pragma once

#include "devices/debug_exit.h"
#include "devices/debugcon.h"
#include "devices/fw_cfg.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/i8237.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/ide.h"
#include "devices/mc146818.h"
#include "devices/nic_e1000.h"
#include "devices/pc.h"
#include "devices/pci.h"
#include "devices/piix3.h"
#include "devices/piix3_ide.h"
#include "devices/piix4_pm.h"
#include "devices/port92.h"
#include "devices/typist-internal.h"
#include "devices/uart16550.h"
#include "devices/vga.h"

struct DevPc {
    EmuMachine *machine;
    DevPciBus *pci;
    DevI440fx *bridge;
    DevI8259 *pic;
    DevPiix3 *isa;
    DevI8254 *pit;
    DevMc146818 *rtc;
    DevI8237 *dma;
    DevPiix4Pm *pm;
    DevI8042 *kbc;
    DevPort92 *port92;
    DevUart *uart[2];
    DevDebugcon *debugcon;
    DevDebugExit *debug_exit;
    DevFwCfg *fw_cfg;
    DevIde *ide;
    DevPiix3Ide *ide_function;
    DevTypist *typist;
    DevVga *vga;                        /* NULL: none */
    DevNicE1000 *nic;                   /* NULL: none */
    DevDisk *drives[DEV_PC_MAX_DRIVES]; /* owned once dev_pc_new() succeeds */
};

/* ---- pc-firmware.c: what firmware runs from and is told */

/* RAM, and the firmware image in its two places. */
bool pc_add_memory(Pgm *pgm, const DevPcConfig *config, GError **error);

/* Sizes of RAM and order of booting, in the clock chip. */
void pc_fill_nvram(DevPc *pc);

/* The firmware configuration device with its files. */
bool pc_add_fw_cfg(DevPc *pc, const DevPcConfig *config, GError **error);

/* ---- pc-states.c: what the machine is told of the chips */

void pc_add_states(DevPc *pc);
void pc_add_resets(DevPc *pc);
