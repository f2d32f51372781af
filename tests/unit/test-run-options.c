/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the words of `quire run` become: defaults, both ways to give a value, what repeats. What is
 * refused is in tests/cli/bad-input.sh.
 */
#include "emu/trace.h"
#include "frontends/run-options.h"
#include "frontends/saved-options.h"

#include <check.h>
#include <stdlib.h>

/* @line is split at spaces, as a shell would. */
static FeRunOptions *parse(const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    GError *error = NULL;
    FeRunOptions *options = fe_run_options_new(words, &error);

    ck_assert_msg(options != NULL, "%s: %s", line, error ? error->message : "");
    return options;
}

START_TEST(defaults_are_as_documented)
{
    g_autoptr(FeRunOptions) options = parse("");

    ck_assert_int_eq(options->asked, FE_ASKED_RUN);
    ck_assert_uint_eq(options->memory, UINT64_C(128) << 20);
    ck_assert_uint_eq(options->ram_hole, 0);
    ck_assert(!options->no_overcommit);
    ck_assert_ptr_null(options->cpu);
    ck_assert_ptr_null(options->bios);
    ck_assert_ptr_null(options->kernel);
    ck_assert_uint_eq(options->drives->len + options->loads->len + options->dumps->len, 0);
    ck_assert_uint_eq(options->until->len, 0);
    ck_assert_int_eq(options->serial.kind, FE_SINK_STDIO);
    ck_assert_int_eq(options->debugcon.kind, FE_SINK_NULL);
    ck_assert_uint_eq(options->timeout_ns, 0);
    ck_assert_uint_eq(options->max_time_ns, EMU_CLOCK_NEVER);
    ck_assert_int_eq(options->clock, EMU_CLOCK_VIRTUAL);
    ck_assert_int_eq(options->rtc_seconds, 946684800);
    ck_assert(!options->reset_continues);
    ck_assert(!options->map && !options->stats && !options->quiet);
    ck_assert_uint_eq(options->trace_classes, 0);
}
END_TEST

static const char *const spellings[] = {
    "--memory 64M --ram-hole 1G --bios b --clock host --timeout 1.5 --max-time 2 --on-reset "
    "continue",
    "--memory=64M --ram-hole=1G --bios=b --clock=host --timeout=1.5 --max-time=2 "
    "--on-reset=continue",
    "--on-reset continue --max-time=2 --timeout 1.5 --clock=host --bios b --ram-hole=1G --memory "
    "64M",
};

START_TEST(values_come_behind_space_or_equals_in_any_order)
{
    g_autoptr(FeRunOptions) options = parse(spellings[_i]);

    ck_assert_uint_eq(options->memory, UINT64_C(64) << 20);
    ck_assert_uint_eq(options->ram_hole, UINT64_C(1) << 30);
    ck_assert_str_eq(options->bios, "b");
    ck_assert_int_eq(options->clock, EMU_CLOCK_HOST);
    ck_assert_uint_eq(options->timeout_ns, UINT64_C(1500000000));
    ck_assert_uint_eq(options->max_time_ns, UINT64_C(2000000000));
    ck_assert(options->reset_continues);
}
END_TEST

START_TEST(what_repeats_keeps_its_order)
{
    g_autoptr(FeRunOptions) options =
        parse("--drive a --drive b,rw --load c@1000 --load d@0x2000 --dump e@0+4K --dump f@10-20 "
              "--until one --until time:2");

    ck_assert_uint_eq(options->drives->len, 2);
    ck_assert_str_eq(g_array_index(options->drives, FeDrive, 0).path, "a");
    ck_assert(!g_array_index(options->drives, FeDrive, 0).writable);
    ck_assert_str_eq(g_array_index(options->drives, FeDrive, 1).path, "b");
    ck_assert(g_array_index(options->drives, FeDrive, 1).writable);
    ck_assert_uint_eq(g_array_index(options->loads, FeLoad, 0).address, 0x1000);
    ck_assert_str_eq(g_array_index(options->loads, FeLoad, 1).path, "d");
    ck_assert_uint_eq(g_array_index(options->loads, FeLoad, 1).address, 0x2000);
    ck_assert_uint_eq(g_array_index(options->dumps, FeDump, 0).range.len, 4096);
    ck_assert_uint_eq(g_array_index(options->dumps, FeDump, 1).range.start, 0x10);
    ck_assert_uint_eq(g_array_index(options->dumps, FeDump, 1).range.len, 0x10);
    ck_assert_uint_eq(options->until->len, 2);
    ck_assert_int_eq(((FeMoment *)g_ptr_array_index(options->until, 0))->kind, FE_MOMENT_TEXT);
    ck_assert_int_eq(((FeMoment *)g_ptr_array_index(options->until, 1))->kind, FE_MOMENT_TIME);
}
END_TEST

/* Words apart by '|', for those with spaces. */
static FeRunOptions *parse_words(const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, "|", -1);
    GError *error = NULL;
    FeRunOptions *options = fe_run_options_new(words, &error);

    ck_assert_msg(options != NULL, "%s: %s", line, error ? error->message : "");
    return options;
}

static const char *const two_words[] = {
    "--screen-every|0.1|shots of it|--quiet",
    "--screen-every|0.1 shots of it|--quiet",
    "--screen-every=0.1|shots of it|--quiet",
    "--screen-every=0.1 shots of it|--quiet",
};

START_TEST(two_words_come_apart_or_in_one)
{
    g_autoptr(FeRunOptions) options = parse_words(two_words[_i]);

    ck_assert_uint_eq(options->screen_every_ns, 100000000);
    ck_assert_str_eq(options->screen_dir, "shots of it");
    ck_assert(options->quiet);
}
END_TEST

static const struct {
    const char *line;
    bool vga;
} vgas[] = {
    { "--quiet", false },
    { "--vga none", false },
    { "--vga std", true },
    { "--vga std --vga-rom none", true },
    { "--screen a.txt", true },
    { "--screen-every 1 d", true },
    { "--screen-record a.png", true },
    { "--memory-picture a.png --memory-film b.json,every=2 --type a", false },
};

START_TEST(whoever_looks_at_a_screen_gets_a_vga)
{
    g_autoptr(FeRunOptions) options = parse(vgas[_i].line);

    ck_assert(fe_run_options_has_vga(options) == vgas[_i].vga);
}
END_TEST

START_TEST(a_moment_belongs_to_the_text_before_it)
{
    g_autoptr(FeRunOptions) options =
        parse("--type a --type b --type-at time:2 --type c --type-at x");

    ck_assert_uint_eq(options->typed->len, 3);
    const FeTyped *typed = &g_array_index(options->typed, FeTyped, 0);

    ck_assert_str_eq(typed[0].text, "a");
    ck_assert_ptr_null(typed[0].at);
    ck_assert_str_eq(typed[1].text, "b");
    ck_assert_int_eq(typed[1].at->kind, FE_MOMENT_TIME);
    ck_assert_str_eq(typed[2].text, "c");
    ck_assert_str_eq(typed[2].at->text, "x");
}
END_TEST

START_TEST(cards_and_pictures)
{
    g_autoptr(FeRunOptions) options =
        parse("--vga std --vga-rom v --nic e1000 --nic-rom none --option-rom a --option-rom b "
              "--screen a.png --screen b.txt --screen-record c.png --memory-picture d.json "
              "--memory-picture e.png --memory-film f.png,every=0.5 --memory-film g.json");
    FeFilm film = { NULL, 0 };

    ck_assert_int_eq(options->vga, FE_VGA_STD);
    ck_assert_str_eq(options->vga_rom, "v");
    ck_assert_str_eq(options->nic, "e1000");
    ck_assert_str_eq(options->nic_rom, "none");
    ck_assert_uint_eq(options->option_roms->len, 2);
    ck_assert_str_eq(g_ptr_array_index(options->option_roms, 1), "b");
    ck_assert_uint_eq(options->screens->len, 2);
    ck_assert_str_eq(g_ptr_array_index(options->screens, 1), "b.txt");
    ck_assert_str_eq(options->screen_record, "c.png");
    ck_assert_uint_eq(options->memory_pictures->len, 2);
    ck_assert_str_eq(g_ptr_array_index(options->memory_pictures, 0), "d.json");
    ck_assert_uint_eq(options->memory_films->len, 2);
    ck_assert(fe_film_parse(g_ptr_array_index(options->memory_films, 0), &film, NULL));
    ck_assert_str_eq(film.path, "f.png");
    ck_assert_uint_eq(film.every_ns, 500000000);
    g_free(film.path);
    ck_assert(fe_film_parse(g_ptr_array_index(options->memory_films, 1), &film, NULL));
    ck_assert_str_eq(film.path, "g.json");
    ck_assert_uint_eq(film.every_ns, 0);
    g_free(film.path);
}
END_TEST

START_TEST(stats_takes_a_glob_or_a_json_file)
{
    g_autoptr(FeRunOptions) text = parse("--stats --map");
    g_autoptr(FeRunOptions) some = parse("--stats=/PGM/* --stats-json x");
    g_autoptr(FeRunOptions) file = parse("--stats=a.json");

    ck_assert(text->stats && text->map);
    ck_assert_ptr_null(text->stats_path);
    ck_assert_ptr_null(text->stats_glob);
    ck_assert(some->stats);
    ck_assert_str_eq(some->stats_glob, "/PGM/*");
    ck_assert_str_eq(some->stats_path, "x");
    ck_assert(!file->stats && !file->map);
    ck_assert_str_eq(file->stats_path, "a.json");
}
END_TEST

START_TEST(states_and_info_items)
{
    g_autoptr(FeRunOptions) options = parse("--save a --save-at time:1 --save-live --restore b "
                                            "--info phys --info tlb");

    ck_assert_str_eq(options->save, "a");
    ck_assert_int_eq(options->save_at->kind, FE_MOMENT_TIME);
    ck_assert(options->save_live);
    ck_assert_str_eq(options->restore, "b");
    ck_assert_uint_eq(options->info->len, 2);
    ck_assert_str_eq(g_ptr_array_index(options->info, 1), "tlb");
}
END_TEST

static void saved_and_applied(const char *made_with, const char *given, FeRunOptions **ret_options)
{
    g_autoptr(FeRunOptions) first = parse(made_with);
    g_auto(GStrv) strings = fe_saved_options_new(first, "fw.bin");
    g_autoptr(GError) error = NULL;

    *ret_options = parse(given);
    ck_assert_msg(fe_saved_options_apply(strings, *ret_options, &error), "%s",
                  error ? error->message : "");
}

START_TEST(saved_options_come_back)
{
    g_autoptr(FeRunOptions) options = NULL;
    g_autofree char *drive = g_canonicalize_filename("d.img", NULL);
    g_autofree char *bios = g_canonicalize_filename("fw.bin", NULL);

    saved_and_applied(
        "--memory 96M --ram-hole 1G --cpu qemu64 --clock host --rtc 2020-02-03 "
        "--on-reset continue --drive c.img --drive d.img,rw --kernel k --append a=b,c "
        "--initrd i --load l@x@1000",
        "--restore s", &options);
    ck_assert_uint_eq(options->memory, UINT64_C(96) << 20);
    ck_assert_uint_eq(options->ram_hole, UINT64_C(1) << 30);
    ck_assert_str_eq(options->cpu, "qemu64");
    ck_assert_int_eq(options->clock, EMU_CLOCK_HOST);
    ck_assert_int_eq(options->rtc_seconds, INT64_C(1580688000));
    ck_assert(options->reset_continues);
    ck_assert_str_eq(options->bios, bios);
    ck_assert_uint_eq(options->drives->len, 2);
    ck_assert_str_eq(g_array_index(options->drives, FeDrive, 1).path, drive);
    ck_assert(g_array_index(options->drives, FeDrive, 1).writable);
    ck_assert(!g_array_index(options->drives, FeDrive, 0).writable);
    ck_assert_str_eq(options->append, "a=b,c");
    ck_assert_uint_eq(options->loads->len, 1);
    ck_assert_uint_eq(g_array_index(options->loads, FeLoad, 0).address, 0x1000);
}
END_TEST

#define SUM "65536-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER_SUM "65536-1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(cards_and_roms_come_back)
{
    g_autoptr(FeRunOptions) first =
        parse("--vga std --nic e1000 --nic-rom none --rom /a@D0000000,shadowed --rom /b@D0100000 "
              "--option-rom /c --option-rom /d");
    g_autoptr(FeRunOptions) options = parse("--restore s --option-rom e --option-rom f");
    char **strings = fe_saved_options_new(first, "fw.bin");
    FeRomFile vga = { FE_ROM_VGA, (char *)"/v", NULL, (char *)"/v", (char *)SUM };
    FeRomFile one = { FE_ROM_OPTION, (char *)"/c", NULL, (char *)"/c", (char *)SUM };
    FeRomFile two = { FE_ROM_OPTION, (char *)"/d", NULL, (char *)"/d", (char *)OTHER_SUM };
    GError *error = NULL;

    strings = fe_saved_options_add_rom(strings, &vga);
    strings = fe_saved_options_add_rom(strings, &one);
    strings = fe_saved_options_add_rom(strings, &two);
    ck_assert_msg(fe_saved_options_apply(strings, options, &error), "%s",
                  error != NULL ? error->message : "");
    g_strfreev(strings);
    ck_assert_int_eq(options->vga, FE_VGA_STD);
    ck_assert_str_eq(options->vga_rom, "/v");
    ck_assert_str_eq(options->nic, "e1000");
    ck_assert_str_eq(options->nic_rom, "none");
    ck_assert_uint_eq(options->roms->len, 2);
    ck_assert(g_array_index(options->roms, FeRom, 0).shadowed);
    ck_assert(!g_array_index(options->roms, FeRom, 1).shadowed);
    ck_assert_uint_eq(options->option_roms->len, 2);
    ck_assert_str_eq(g_ptr_array_index(options->option_roms, 1), "f");

    /* bios, vga-rom, two of option-rom, two of rom; the sums of those that have one. */
    ck_assert_uint_eq(options->saved_roms->len, 6);
    const FeSavedRom *saved = &g_array_index(options->saved_roms, FeSavedRom, 0);

    ck_assert_str_eq(saved[0].option, "bios");
    ck_assert(saved[0].sum == NULL && !saved[0].given);
    ck_assert_str_eq(saved[1].option, "vga-rom");
    ck_assert_str_eq(saved[1].sum, SUM);
    ck_assert(!saved[1].given);
    ck_assert_str_eq(saved[3].path, "/d");
    ck_assert_str_eq(saved[3].sum, OTHER_SUM);
    ck_assert(saved[3].given);
}
END_TEST

/* A run with the first, and what --restore refuses beside it. */
static const struct {
    const char *saved;
    const char *given;
    const char *error;
} other_machines[] = {
    { "--vga std", "--vga none", "--vga: 'none' here, but 'std' in the state" },
    { "--quiet", "--vga std", "--vga: 'std' here, but 'none' in the state" },
    { "--quiet", "--screen a.png", "--screen: the machine in the state 's' has no VGA" },
    { "--quiet", "--screen-every 1 d", "--screen-every: the machine in the state" },
    { "--quiet", "--nic e1000", "--nic: 'e1000' here, but 'none' in the state" },
    { "--nic e1000", "--nic none", "--nic: 'none' here, but 'e1000' in the state" },
    { "--nic e1000 --nic-rom none", "--nic e1000 --nic-rom x", "--nic-rom: 'x' here, but 'none'" },
    { "--vga std --vga-rom none", "--vga-rom x", "--vga-rom: 'x' here, but 'none' in the state" },
    { "--quiet", "--option-rom x", "--option-rom: 1 of them here, but 0 in the state" },
    { "--rom a@1000", "--rom a@1000 --rom b@2000", "--rom: 2 of them here, but 1 in the state" },
    { "--rom a@1000", "--rom a@2000", "--rom: 'a' is at another address" },
    { "--rom a@1000", "--rom a@1000,shadowed", "--rom: 'a' is at another address, or protected" },
    { "--quiet", "--nic-rom x", "--nic-rom needs --nic MODEL" },
};

START_TEST(another_machine_is_refused)
{
    g_autoptr(FeRunOptions) first = parse(other_machines[_i].saved);
    g_autofree char *line = g_strconcat("--restore s ", other_machines[_i].given, NULL);
    g_autoptr(FeRunOptions) options = parse(line);
    g_auto(GStrv) strings = fe_saved_options_new(first, "fw.bin");
    g_autoptr(GError) error = NULL;

    ck_assert(!fe_saved_options_apply(strings, options, &error));
    ck_assert_msg(g_str_has_prefix(error->message, other_machines[_i].error), "%s", error->message);
}
END_TEST

/* What was saved before there were cards. */
START_TEST(an_old_state_has_no_cards)
{
    char *strings[] = { (char *)"machine=pc", (char *)"memory=128M", (char *)"bios=/b", NULL };
    g_autoptr(FeRunOptions) options = parse("--restore s");

    ck_assert(fe_saved_options_apply(strings, options, NULL));
    ck_assert_int_eq(options->vga, FE_VGA_NONE);
    ck_assert(!fe_run_options_has_vga(options));
    ck_assert_ptr_null(options->nic);
}
END_TEST

START_TEST(given_files_replace_saved_ones)
{
    g_autoptr(FeRunOptions) options = NULL;

    saved_and_applied("--drive c.img,rw",
                      "--restore s --drive other,rw --bios b --on-reset continue", &options);
    ck_assert_str_eq(options->bios, "b");
    ck_assert_str_eq(g_array_index(options->drives, FeDrive, 0).path, "other");
    ck_assert(g_array_index(options->drives, FeDrive, 0).writable);
    ck_assert(options->reset_continues);
}
END_TEST

START_TEST(a_disk_is_written_or_not_as_it_was)
{
    g_autoptr(FeRunOptions) first = parse("--drive c.img,rw");
    g_autoptr(FeRunOptions) options = parse("--restore s --drive c.img");
    g_auto(GStrv) strings = fe_saved_options_new(first, "fw.bin");
    g_autoptr(GError) error = NULL;

    ck_assert(!fe_saved_options_apply(strings, options, &error));
    ck_assert_msg(strstr(error->message, "with rw as there") != NULL, "%s", error->message);
}
END_TEST

START_TEST(files_that_are_gone_are_not_missed)
{
    g_autoptr(FeRunOptions) options = NULL;

    saved_and_applied("--kernel /no/such --append x --initrd y", "--restore s", &options);
    ck_assert_ptr_null(options->kernel);
    ck_assert_ptr_null(options->append);
    ck_assert_ptr_null(options->initrd);
}
END_TEST

/* What a hostile file may say. */
static const char *const bad_strings[][2] = {
    { "memory=128M", "restore=x" },
    { "memory=128M", "serial=file:x" },
    { "memory=128M", "save=x" },
    { "memory=128M", "dump=x@0+4K" },
    { "memory=128M", "help" },
    { "memory=128M", "" },
    { "memory=128M", "=" },
    { "memory=128M", "memory=128M" },
    { "memory=128", "machine=pc" },
    { "machine=help", "memory=128M" },
    { "machine=pc", "cpu=qemu32" },
    { "memory=128M", "drive" },
    { "memory=128M", "drive=a,b,ro" },
    { "memory=128M", "rtc=yesterday" },
    { "memory=128M", "machine=/etc/passwd" },
    { "memory=128M", "machine=m.ini" },
    { "memory=128M", "print-machine" },
    { "memory=128M", "screen=a.png" },
    { "memory=128M", "vga=cga" },
    { "memory=128M", "vga-rom=/x" },
    { "memory=128M", "nic=x" },
    { "memory=128M", "rom=x@1" },
    { "memory=128M", "bios-sum=" SUM },
    { "memory=128M", "option-rom-sum=" SUM },
    { "memory=128M", "load-sum=" SUM },
    { "memory=128M", "vga-rom-sum=1" },
};

START_TEST(strange_saved_options_are_refused)
{
    g_auto(GStrv) strings = g_new0(char *, 3);
    g_autoptr(FeRunOptions) options = parse("--restore s");
    g_autoptr(GError) error = NULL;

    strings[0] = g_strdup(bad_strings[_i][0]);
    strings[1] = g_strdup(bad_strings[_i][1]);
    ck_assert_msg(!fe_saved_options_apply(strings, options, &error), "%s %s", strings[0],
                  strings[1]);
    ck_assert_msg(g_str_has_prefix(error->message, "--restore: 's'"), "%s", error->message);
    ck_assert_uint_eq(options->given, 0);
}
END_TEST

START_TEST(trace_has_classes_and_perhaps_a_file)
{
    g_autoptr(FeRunOptions) plain = parse("--trace mmio,irq");
    g_autoptr(FeRunOptions) file = parse("--trace=rom:dir/a:b");

    ck_assert_uint_eq(plain->trace_classes, EMU_TRACE_MMIO | EMU_TRACE_IRQ);
    ck_assert_ptr_null(plain->trace_path);
    ck_assert_uint_eq(file->trace_classes, EMU_TRACE_ROM);
    ck_assert_str_eq(file->trace_path, "dir/a:b");
}
END_TEST

START_TEST(consoles_go_where_they_are_told)
{
    g_autoptr(FeRunOptions) swapped = parse("--serial file:a:b --debugcon stdio");
    g_autoptr(FeRunOptions) silent = parse("--serial null --debugcon null");

    ck_assert_int_eq(swapped->serial.kind, FE_SINK_FILE);
    ck_assert_str_eq(swapped->serial.path, "a:b");
    ck_assert_int_eq(swapped->debugcon.kind, FE_SINK_STDIO);
    ck_assert_int_eq(silent->serial.kind, FE_SINK_NULL);
    ck_assert_int_eq(silent->debugcon.kind, FE_SINK_NULL);
}
END_TEST

static const struct {
    const char *line;
    FeAsked asked;
} questions[] = {
    { "--help", FE_ASKED_HELP },
    { "--memory 1M --help", FE_ASKED_HELP },
    { "--version", FE_ASKED_VERSION },
    { "--cpu help", FE_ASKED_CPUS },
    { "--machine help", FE_ASKED_MACHINES },
    { "--machine pc", FE_ASKED_RUN },
};

START_TEST(questions_are_told_from_runs)
{
    g_autoptr(FeRunOptions) options = parse(questions[_i].line);

    ck_assert_int_eq(options->asked, questions[_i].asked);
}
END_TEST

START_TEST(append_may_hold_anything_behind_equals)
{
    char *words[] = { (char *)"--kernel", (char *)"k", (char *)"--append=--x a=b", NULL };
    g_autoptr(FeRunOptions) options = fe_run_options_new(words, NULL);

    ck_assert_ptr_nonnull(options);
    ck_assert_str_eq(options->append, "--x a=b");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run-options");
    TCase *all = tcase_create("all");

    tcase_add_test(all, defaults_are_as_documented);
    tcase_add_loop_test(all, values_come_behind_space_or_equals_in_any_order, 0,
                        G_N_ELEMENTS(spellings));
    tcase_add_test(all, what_repeats_keeps_its_order);
    tcase_add_loop_test(all, two_words_come_apart_or_in_one, 0, G_N_ELEMENTS(two_words));
    tcase_add_loop_test(all, whoever_looks_at_a_screen_gets_a_vga, 0, G_N_ELEMENTS(vgas));
    tcase_add_test(all, a_moment_belongs_to_the_text_before_it);
    tcase_add_test(all, cards_and_pictures);
    tcase_add_test(all, stats_takes_a_glob_or_a_json_file);
    tcase_add_test(all, states_and_info_items);
    tcase_add_test(all, saved_options_come_back);
    tcase_add_test(all, cards_and_roms_come_back);
    tcase_add_loop_test(all, another_machine_is_refused, 0, G_N_ELEMENTS(other_machines));
    tcase_add_test(all, an_old_state_has_no_cards);
    tcase_add_test(all, given_files_replace_saved_ones);
    tcase_add_test(all, a_disk_is_written_or_not_as_it_was);
    tcase_add_test(all, files_that_are_gone_are_not_missed);
    tcase_add_loop_test(all, strange_saved_options_are_refused, 0, G_N_ELEMENTS(bad_strings));
    tcase_add_test(all, trace_has_classes_and_perhaps_a_file);
    tcase_add_test(all, consoles_go_where_they_are_told);
    tcase_add_loop_test(all, questions_are_told_from_runs, 0, G_N_ELEMENTS(questions));
    tcase_add_test(all, append_may_hold_anything_behind_equals);
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
