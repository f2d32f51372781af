/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a restored run's options fit those that its state was made with; see saved-options.h.
 * What is in files is compared when they are read (rom-files.c).
 */
#include "fail.h"
#include "memsys/mm.h"
#include "saved-options-internal.h"

#include <string.h>

const char *fe_saved_clock(EmuClockMode clock)
{
    return clock == EMU_CLOCK_HOST ? "host" : "virtual";
}

uint64_t fe_saved_hole(const FeRunOptions *options)
{
    return options->ram_hole != 0 ? options->ram_hole : MM_HOLE_DEFAULT;
}

const char *fe_saved_cpu(const FeRunOptions *options)
{
    return options->cpu != NULL ? options->cpu : EMU_CPU_DEFAULT;
}

static bool differ(GError **error, const FeRunOptions *options, const char *name, const char *here,
                   const char *there)
{
    return fe_fail(error, "--%s: '%s' here, but '%s' in the state '%s': leave it away", name, here,
                   there, options->restore);
}

static bool compare_sizes(const FeRunOptions *options, const FeRunOptions *saved, GError **error)
{
    g_autofree char *here = NULL;
    g_autofree char *there = NULL;

    if ((options->given & FE_GIVEN_MEMORY) != 0 && options->memory != saved->memory) {
        here = fe_format_size(options->memory);
        there = fe_format_size(saved->memory);
        return differ(error, options, "memory", here, there);
    }
    if (options->ram_hole != 0 && fe_saved_hole(options) != fe_saved_hole(saved)) {
        here = fe_format_size(fe_saved_hole(options));
        there = fe_format_size(fe_saved_hole(saved));
        return differ(error, options, "ram-hole", here, there);
    }
    return true;
}

static bool compare_times(const FeRunOptions *options, const FeRunOptions *saved, GError **error)
{
    if ((options->given & FE_GIVEN_CLOCK) != 0 && options->clock != saved->clock) {
        return differ(error, options, "clock", fe_saved_clock(options->clock),
                      fe_saved_clock(saved->clock));
    }
    if ((options->given & FE_GIVEN_RTC) != 0 && options->rtc_seconds != saved->rtc_seconds) {
        g_autofree char *here = fe_format_date(options->rtc_seconds);
        g_autofree char *there = fe_format_date(saved->rtc_seconds);

        return differ(error, options, "rtc", here, there);
    }
    return true;
}

static bool compare_counts(const FeRunOptions *options, const char *name, unsigned here,
                           unsigned there, GError **error)
{
    return here == 0 || here == there ||
           fe_fail(error,
                   "--%s: %u of them here, but %u in the state '%s': name as many, in the same "
                   "order, or leave all away",
                   name, here, there, options->restore);
}

static bool compare_drives(const FeRunOptions *options, const FeRunOptions *saved, GError **error)
{
    if (options->drives->len == 0) {
        return true;
    }
    if (!compare_counts(options, "drive", options->drives->len, saved->drives->len, error)) {
        return false;
    }
    for (unsigned i = 0; i < options->drives->len; i++) {
        const FeDrive *here = &g_array_index(options->drives, FeDrive, i);
        const FeDrive *there = &g_array_index(saved->drives, FeDrive, i);

        /* What the guest wrote is in the state or in the file: one cannot become the other. */
        if (here->writable != there->writable) {
            return fe_fail(error,
                           "--drive: '%s%s' here, but '%s%s' in the state '%s': give it %s rw as "
                           "there, or leave all away",
                           here->path, here->writable ? ",rw" : "", there->path,
                           there->writable ? ",rw" : "", options->restore,
                           there->writable ? "with" : "without");
        }
    }
    return true;
}

static const char *or_none(const char *text)
{
    return text != NULL ? text : FE_NO_ROM;
}

/* Whether both have a ROM, or none; which one is compared when it is read. */
static bool compare_card_rom(const FeRunOptions *options, const char *name, const char *here,
                             const char *there, GError **error)
{
    return here == NULL || there == NULL ||
           (strcmp(here, FE_NO_ROM) == 0) == (strcmp(there, FE_NO_ROM) == 0) ||
           differ(error, options, name, here, there);
}

static bool compare_cards(const FeRunOptions *options, const FeRunOptions *saved, GError **error)
{
    const char *vga_there = saved->vga == FE_VGA_STD ? "std" : "none";

    if (options->vga != FE_VGA_DEFAULT && options->vga != saved->vga) {
        return differ(error, options, "vga", options->vga == FE_VGA_STD ? "std" : "none",
                      vga_there);
    }
    if (fe_run_options_screen_option(options) != NULL && saved->vga != FE_VGA_STD) {
        return fe_fail(error,
                       "%s: the machine in the state '%s' has no VGA: save one with --vga std",
                       fe_run_options_screen_option(options), options->restore);
    }
    if ((options->given & FE_GIVEN_NIC) != 0 && g_strcmp0(options->nic, saved->nic) != 0) {
        return differ(error, options, "nic", or_none(options->nic), or_none(saved->nic));
    }
    return compare_card_rom(options, "vga-rom", options->vga_rom, saved->vga_rom, error) &&
           compare_card_rom(options, "nic-rom", options->nic_rom, saved->nic_rom, error);
}

static bool compare_roms(const FeRunOptions *options, const FeRunOptions *saved, GError **error)
{
    if (!compare_counts(options, "option-rom", options->option_roms->len, saved->option_roms->len,
                        error) ||
        !compare_counts(options, "rom", options->roms->len, saved->roms->len, error)) {
        return false;
    }
    for (unsigned i = 0; i < options->roms->len; i++) {
        const FeRom *here = &g_array_index(options->roms, FeRom, i);
        const FeRom *there = &g_array_index(saved->roms, FeRom, i);

        if (here->address != there->address || here->shadowed != there->shadowed) {
            return fe_fail(error,
                           "--rom: '%s' is at another address, or protected in another way, in the "
                           "state '%s': leave it away",
                           here->path, options->restore);
        }
    }
    return true;
}

/* Those of a machine file: what they were is in RAM. */
static bool compare_loads(const FeRunOptions *options, const FeRunOptions *saved, GError **error)
{
    if (!compare_counts(options, "load", options->loads->len, saved->loads->len, error)) {
        return false;
    }
    for (unsigned i = 0; i < options->loads->len; i++) {
        const FeLoad *here = &g_array_index(options->loads, FeLoad, i);

        if (here->address != g_array_index(saved->loads, FeLoad, i).address) {
            return fe_fail(error,
                           "--load: '%s' is at another address in the state '%s': leave it away",
                           here->path, options->restore);
        }
    }
    return true;
}

bool fe_saved_compare(const FeRunOptions *options, const FeRunOptions *saved, GError **error)
{
    if (!compare_sizes(options, saved, error) || !compare_times(options, saved, error) ||
        !compare_drives(options, saved, error) || !compare_cards(options, saved, error) ||
        !compare_roms(options, saved, error) || !compare_loads(options, saved, error)) {
        return false;
    }
    if (options->cpu != NULL && strcmp(options->cpu, fe_saved_cpu(saved)) != 0) {
        return differ(error, options, "cpu", options->cpu, fe_saved_cpu(saved));
    }
    if (options->append != NULL && g_strcmp0(options->append, saved->append) != 0) {
        return differ(error, options, "append", options->append,
                      saved->append != NULL ? saved->append : "");
    }
    return true;
}
