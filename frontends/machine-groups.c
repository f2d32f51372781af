/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which options stand in which group of a machine file; see machine-groups.h.
 */
#include "machine-groups.h"

#include <glib.h>
#include <string.h>

const char *const fe_machine_keys[] = { "board",  "memory", "ram-hole", "no-overcommit",
                                        "cpu",    "clock",  "rtc",      "bios",
                                        "kernel", "append", "initrd",   NULL };

const FeDevice fe_devices[] = {
    { "vga",
      { { "model", "vga", true }, { "rom", "vga-rom", false } },
      { { "address", "00:02.0" } } },
    { "nic",
      { { "model", "nic", true }, { "rom", "nic-rom", false } },
      { { "address", "00:03.0" } } },
    { "serial", { { "output", "serial", false } }, { { "port", "3F8" }, { "irq", "4" } } },
    { "debugcon", { { "output", "debugcon", false } }, { { "port", "402" } } },
    { 0 },
};

/* Options with a group of their own, and those of the command line alone. */
static const struct {
    const char *option;
    const char *group;
} elsewhere[] = {
    { "machine", "[machine], as board" },
    { "drive", "a group of its own, [drive 1] with file and writable" },
    { "load", "a group of its own, [load 1] with file and address" },
    { "rom", "a group of its own, [rom 1] with file, address and protection" },
    { "option-rom", "a group of its own, [rom 1] with file and address=firmware" },
    { "vga", "a group of its own, [device 1] with type=vga and model" },
    { "vga-rom", "a group of its own, [device 1] with type=vga, model and rom" },
    { "nic", "a group of its own, [device 1] with type=nic and model" },
    { "nic-rom", "a group of its own, [device 1] with type=nic, model and rom" },
    { "serial", "a group of its own, [device 1] with type=serial and output" },
    { "debugcon", "a group of its own, [device 1] with type=debugcon and output" },
    { "help", NULL },
    { "version", NULL },
    { "print-machine", NULL },
};

const char *fe_group_of_option(const char *option)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(elsewhere); i++) {
        if (strcmp(elsewhere[i].option, option) == 0) {
            return elsewhere[i].group;
        }
    }
    return g_strv_contains(fe_machine_keys, option) ? "[machine]" : "[run]";
}
