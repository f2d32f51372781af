/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine files: a machine and a run of it, as a file of groups and keys.
 *
 *   [machine]      board=pc and the options memory, ram-hole, no-overcommit, cpu, clock, rtc, bios,
 *                  kernel, append, initrd under their names
 *   [rom NAME]     file, address (or the word firmware: an option ROM that the firmware places),
 *                  protection (read-only or shadowed)
 *   [load NAME]    file, address
 *   [device NAME]  type: vga (model, rom, address), nic (likewise), serial (port, irq, output) or
 *                  debugcon (port, output); what the board does not let choose is only checked
 *   [drive N]      file, writable; N counts from 1
 *   [run]          every other option of `quire run` under its name; what may be given more often
 *                  is numbered: until.1, until.2
 *
 * A value is what stands behind '=' on its line, as on the command line, where a shell would have
 * taken its quotes away; flags are true or false. A value that begins or ends with a space, begins
 * with '"' or holds a line's end stands in '"', with \\ \" \n \r \t and \xHH inside. Lines that
 * begin with '#' are comments. Relative file names begin in the file's folder.
 *
 * Source: ours; the form is that of GKeyFile.
 */
#pragma once

#include "options.h"
#include "run-options.h"

#define FE_MACHINE_FILE_MAX ((uint64_t)1 << 20) /* bytes */

/**
 * fe_machine_file_read:
 * @tables: of the options of `quire run`
 *
 * Values are not looked at, apart from those of groups that make one option of several keys.
 *
 * Returns: (transfer full): of FeSetting, freed with the array; or %NULL with one line that names
 *   file, group and key
 */
GPtrArray *fe_machine_file_read(const char *path, const FeOption *const *tables, GError **error);

/* The machine and the run as such a file: all that is in effect, defaults too, file names made
 * absolute. Of a restored run only what was given: the rest is in the state. */
void fe_machine_file_print(const FeRunOptions *options, GString *text);
