/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine files: read as the options they stand for, printed from options, and both again without
 * a difference; what is wrong is named by file, group and key.
 */
#include "frontends/machine-file.h"
#include "frontends/run-options.h"
#include "frontends/saved-options.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_ROUNDS 400

static char *folder;
static char *file;

static void set_up(void)
{
    folder = g_dir_make_tmp("quire-machine-XXXXXX", NULL);
    file = g_build_filename(folder, "m.ini", NULL);
}

static void tear_down(void)
{
    g_unlink(file);
    g_rmdir(folder);
    g_free(file);
    g_free(folder);
}

/* @len: -1 for all of it. Not g_file_set_contents(): it waits for the disk. */
static void write_file(const char *text, ssize_t len)
{
    size_t whole = len < 0 ? strlen(text) : (size_t)len;
    FILE *stream = fopen(file, "w");

    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(text, 1, whole, stream), whole);
    ck_assert_int_eq(fclose(stream), 0);
}

/* `quire run --machine FILE` and @more, words apart by '|', NULL for none. */
static FeRunOptions *read_with(const char *more, GError **error)
{
    g_autofree char *line = g_strconcat("--machine|", file, more != NULL ? "|" : NULL, more, NULL);
    g_auto(GStrv) words = g_strsplit(line, "|", -1);

    return fe_run_options_new(words, error);
}

static FeRunOptions *read_text(const char *text, const char *more)
{
    GError *error = NULL;

    write_file(text, -1);

    FeRunOptions *options = read_with(more, &error);

    ck_assert_msg(options != NULL, "%s: %s", text, error != NULL ? error->message : "");
    return options;
}

static char *print(const FeRunOptions *options)
{
    GString *text = g_string_new(NULL);

    fe_machine_file_print(options, text);
    return g_string_free(text, FALSE);
}

/* Printed, read, and printed again: the same bytes. */
static void check_round_trip(const char *const *words)
{
    g_autofree char *line = g_strjoinv("|", (char **)(uintptr_t)words);
    GError *error = NULL;
    g_autoptr(FeRunOptions) first = fe_run_options_new((char *const *)(uintptr_t)words, &error);

    ck_assert_msg(first != NULL, "%s: %s", line, error != NULL ? error->message : "");
    g_autofree char *printed = print(first);

    write_file(printed, -1);
    g_autoptr(FeRunOptions) second = read_with(NULL, &error);

    ck_assert_msg(second != NULL, "%s: %s\n%s", line, error != NULL ? error->message : "", printed);
    g_autofree char *again = print(second);

    ck_assert_str_eq(printed, again);

    /* The other text that is made from options says that they are the same. */
    g_auto(GStrv) before = fe_saved_options_new(first, "fw");
    g_auto(GStrv) after = fe_saved_options_new(second, "fw");
    g_autofree char *one = g_strjoinv("\n", before);
    g_autofree char *other = g_strjoinv("\n", after);

    ck_assert_str_eq(one, other);
}

/* ---- reading */

static const char everything[] = "# a comment\n"
                                 "[machine]\n"
                                 "board = pc\n"
                                 "memory=64M\n"
                                 "no-overcommit=false\n"
                                 "cpu=qemu64\n"
                                 "clock=host\n"
                                 "rtc=2020-02-03\n"
                                 "bios=fw.bin\n"
                                 "kernel=/boot/k\n"
                                 "append=a=b ; c [d] # e\n"
                                 "\n"
                                 "[rom boot]\n"
                                 "file=boot.rom\n"
                                 "address=D0000000\n"
                                 "protection=shadowed\n"
                                 "[rom hello]\n"
                                 "file=hello.rom\n"
                                 "address=firmware\n"
                                 "[load the tables]\n"
                                 "file=a;b c.bin\n"
                                 "address=0x2000\n"
                                 "[device screen]\n"
                                 "type=vga\n"
                                 "model=std\n"
                                 "address=00:02.0\n"
                                 "rom=none\n"
                                 "[device com1]\n"
                                 "type=serial\n"
                                 "port=3f8\n"
                                 "output=file:log.txt\n"
                                 "[drive 2]\n"
                                 "file=two.img\n"
                                 "[drive 1]\n"
                                 "file=one.img\n"
                                 "writable=true\n"
                                 "[run]\n"
                                 "until.10=ten\n"
                                 "until.2=time:2\n"
                                 "until=login:\n"
                                 "quiet=true\n"
                                 "map=false\n"
                                 "stats=true\n"
                                 "screen-every=0.5 shots of it\n"
                                 "type.1=a\\n\n"
                                 "type.2=\" b\\\\n \"\n"
                                 "type-at.2=time:3\n"
                                 "memory-film=film.png,every=0.1\n"
                                 "trace=mmio,irq:t.txt\r\n";

START_TEST(a_file_says_all_that_options_can)
{
    g_autoptr(FeRunOptions) options = read_text(everything, NULL);
    g_autofree char *bios = g_build_filename(folder, "fw.bin", NULL);
    g_autofree char *tables = g_build_filename(folder, "a;b c.bin", NULL);
    g_autofree char *log = g_build_filename(folder, "log.txt", NULL);
    g_autofree char *one = g_build_filename(folder, "one.img", NULL);
    g_autofree char *shots = g_build_filename(folder, "shots of it", NULL);
    g_autofree char *trace = g_build_filename(folder, "t.txt", NULL);
    g_autofree char *film = g_build_filename(folder, "film.png,every=0.1", NULL);

    ck_assert_str_eq(options->machine_file, file);
    ck_assert_uint_eq(options->memory, UINT64_C(64) << 20);
    ck_assert(!options->no_overcommit && options->quiet && !options->map && options->stats);
    ck_assert_str_eq(options->cpu, "qemu64");
    ck_assert_int_eq(options->clock, EMU_CLOCK_HOST);
    ck_assert_int_eq(options->rtc_seconds, INT64_C(1580688000));
    ck_assert_str_eq(options->bios, bios);
    ck_assert_str_eq(options->kernel, "/boot/k");
    ck_assert_str_eq(options->append, "a=b ; c [d] # e");
    ck_assert_uint_eq(options->roms->len, 1);
    ck_assert_uint_eq(g_array_index(options->roms, FeRom, 0).address, 0xD0000000);
    ck_assert(g_array_index(options->roms, FeRom, 0).shadowed);
    ck_assert_uint_eq(options->option_roms->len, 1);
    ck_assert_str_eq(g_array_index(options->loads, FeLoad, 0).path, tables);
    ck_assert_uint_eq(g_array_index(options->loads, FeLoad, 0).address, 0x2000);
    ck_assert_int_eq(options->vga, FE_VGA_STD);
    ck_assert_str_eq(options->vga_rom, "none");
    ck_assert_str_eq(options->serial.path, log);
    ck_assert_uint_eq(options->drives->len, 2);
    ck_assert_str_eq(g_array_index(options->drives, FeDrive, 0).path, one);
    ck_assert(g_array_index(options->drives, FeDrive, 0).writable);
    ck_assert(!g_array_index(options->drives, FeDrive, 1).writable);
    ck_assert_uint_eq(options->until->len, 3);
    ck_assert_str_eq(((FeMoment *)g_ptr_array_index(options->until, 0))->text, "login:");
    ck_assert_int_eq(((FeMoment *)g_ptr_array_index(options->until, 1))->kind, FE_MOMENT_TIME);
    ck_assert_str_eq(((FeMoment *)g_ptr_array_index(options->until, 2))->text, "ten");
    ck_assert_uint_eq(options->screen_every_ns, 500000000);
    ck_assert_str_eq(options->screen_dir, shots);
    ck_assert_str_eq(g_array_index(options->typed, FeTyped, 0).text, "a\\n");
    ck_assert_ptr_null(g_array_index(options->typed, FeTyped, 0).at);
    ck_assert_str_eq(g_array_index(options->typed, FeTyped, 1).text, " b\\n ");
    ck_assert_ptr_nonnull(g_array_index(options->typed, FeTyped, 1).at);
    ck_assert_str_eq(g_ptr_array_index(options->memory_films, 0), film);
    ck_assert_str_eq(options->trace_path, trace);
}
END_TEST

START_TEST(the_command_line_wins_or_adds)
{
    g_autoptr(FeRunOptions) options = read_text(
        "[machine]\nmemory=64M\nbios=fw\n[device v]\ntype=vga\nmodel=std\nrom=v.rom\n[device "
        "n]\ntype=nic\nmodel=e1000\nrom=n.rom\n"
        "[drive 1]\nfile=a\n[run]\ntimeout=3\nuntil=x\ntype=a\n",
        "--memory|32M|--vga|none|--nic|none|--drive|b|--until|y|--type|b|--type-at|z|--timeout=4");

    ck_assert_uint_eq(options->memory, UINT64_C(32) << 20);
    ck_assert_int_eq(options->vga, FE_VGA_NONE);
    ck_assert_ptr_null(options->vga_rom); /* it belongs to the card of the file */
    ck_assert_ptr_null(options->nic);
    ck_assert_ptr_null(options->nic_rom);
    ck_assert_uint_eq(options->timeout_ns, UINT64_C(4000000000));
    ck_assert_uint_eq(options->drives->len, 2);
    ck_assert_str_eq(g_array_index(options->drives, FeDrive, 1).path, "b");
    ck_assert_uint_eq(options->until->len, 2);
    ck_assert_uint_eq(options->typed->len, 2);
    ck_assert_ptr_null(g_array_index(options->typed, FeTyped, 0).at);
    ck_assert_ptr_nonnull(g_array_index(options->typed, FeTyped, 1).at);
}
END_TEST

START_TEST(a_moment_of_the_command_line_is_not_for_the_files_text)
{
    g_autoptr(GError) error = NULL;

    write_file("[run]\ntype=a\n", -1);
    ck_assert_ptr_null(read_with("--type-at|x", &error));
    ck_assert_msg(g_str_has_prefix(error->message, "--type-at: say what to type first"), "%s",
                  error->message);
}
END_TEST

/* ---- what is wrong: the text, and what the message says behind the file's name */
static const char *const wrong[][2] = {
    { "memory=1M\n", ": line 1: no group yet*[machine]" },
    { "[machine]\nmemory\n", ": line 2: neither [group] nor key=value" },
    { "[machine]\n=1\n", ": line 2: neither" },
    { "[machine\n", ": line 1: a group stands alone" },
    { "[]\n", ": line 1: a group stands alone" },
    { "[run] x\n", ": line 1: a group stands alone" },
    { "[run]\n\n[run]\n", ": line 3: [run] is there already" },
    { "[run]\nuntil=a\nuntil=b\n",
      ": [run] until: it is there twice (line 3)*until.1 and until.2" },
    { "[run]\nuntil[de]=a\n", ": line 2: a key has no brackets" },
    { "[run]\nquiet=\001\n", ": line 2: it holds bytes of no text" },
    { "[run]\nqui\xF0=true\n", ": line 2: it holds bytes of no text" },
    { "[ru\xF0]\n", ": line 1: it holds bytes of no text" },
    { "\177ELF\001\n", ": line 1: it holds bytes of no text" },
    { "[machin]\n", ": [machin]: there is no such group; did you mean [machine]" },
    { "[frobnicate]\n", ": [frobnicate]: there is no such group; there are machine, rom" },
    { "[drive]\nfile=x\n", ": [drive]: say which one*[drive 1]" },
    { "[run 2]\n", ": [run 2]: there is one [run]" },
    { "[machine]\nmemroy=1M\n", ": [machine] memroy: there is no such key; did you mean memory?" },
    { "[machine]\nuntil=x\n", ": [machine] until: that stands in [run]" },
    { "[machine]\nboard=q35\n", ": [machine] board: there is no board 'q35'" },
    { "[machine]\nboard=other.ini\n", ": [machine] board: there is no board" },
    { "[machine]\nmemory=128\n", ": [machine] memory: '128' has no unit" },
    { "[machine]\nappend=x\n", ": [machine] append: --append needs --kernel FILE" },
    { "[run]\nsave-at=x\n", ": [run] save-at: --save-at needs --save FILE" },
    { "[machine]\nmemory=\n", ": [machine] memory: the value is empty*memory=128M" },
    { "[machine]\ncpu=help\n", ": a machine file asks for no help" },
    { "[machine]\nno-overcommit=yes\n", ": [machine] no-overcommit: 'yes' is neither true nor" },
    { "[run]\ntimeuot=1\n", ": [run] timeuot: there is no such key; did you mean timeout?" },
    { "[run]\nxyzzy=1\n", ": [run] xyzzy: there is no such key; 'quire run --print-machine'" },
    { "[run]\ntimeout=soon\n", ": [run] timeout: 'soon' is no time" },
    { "[run]\ntimeout.1=1\n", ": [run] timeout.1: timeout is given once: leave .1 away" },
    { "[run]\nuntil.0=1\n", ": [run] until.0: '0' is no number from 1" },
    { "[run]\nuntil.01=1\n", ": [run] until.01: '01' is no number from 1" },
    { "[run]\nuntil.x=1\n", ": [run] until.x: 'x' is no number from 1" },
    { "[run]\nuntil.=1\n", ": [run] until.: '' is no number from 1" },
    { "[run]\nuntil.2=tmie:1\n", ": [run] until.2: moment 'tmie:1': did you mean" },
    { "[run]\nhelp=true\n", ": [run] help: that is for the command line alone" },
    { "[run]\nversion=true\n", ": [run] version: that is for the command line alone" },
    { "[run]\nprint-machine=true\n", ": [run] print-machine: that is for the command line" },
    { "[run]\nmachine=pc\n", ": [run] machine: that stands in [machine], as board" },
    { "[run]\nmemory=1M\n", ": [run] memory: that stands in [machine]" },
    { "[run]\ndrive=x\n", ": [run] drive: that stands in a group of its own, [drive 1]" },
    { "[run]\nvga=std\n", ": [run] vga: that stands in a group of its own, [device 1]" },
    { "[run]\ninfo=help\n", ": a machine file asks for no help" },
    { "[run]\nscreen-every=1\n", ": [run] screen-every: it needs two words*0.1 shots" },
    { "[run]\nscreen-every=\"1  \"\n", ": [run] screen-every: say a folder too" },
    { "[run]\nscreen=a.gif\n", ": [run] screen: '*a.gif' does not say what to write" },
    { "[run]\ntype-at=x\n", ": [run] type-at: there is no type that" },
    { "[run]\ntype.1=a\ntype-at.2=x\n", ": [run] type-at.2: there is no type.2 that" },
    { "[run]\nquiet=1\n", ": [run] quiet: '1' is neither true nor false" },
    { "[run]\nuntil=\"a\n", ": [run] until: a value that begins with \"" },
    { "[run]\nuntil=\"a\" b\n", ": [run] until: a value that begins with \"" },
    { "[run]\nuntil=\"a\\q\"\n", ": [run] until: behind a backslash" },
    { "[run]\nuntil=\"a\\x0\"\n", ": [run] until: behind a backslash" },
    { "[run]\nuntil=\"a\\x00\"\n", ": [run] until: behind a backslash" },
    { "[run]\nuntil=\"\"\n", ": [run] until: the value is empty" },
    { "[load a]\nfile=x\n", ": [load a]: address is missing*address=100000" },
    { "[load a]\naddress=0\n", ": [load a]: file is missing*file=image.bin" },
    { "[load a]\nfile=x\naddress=zz\n", ": [load a] address: 'zz' is no address" },
    { "[load a]\nflie=x\n", ": [load a] flie: there is no such key; did you mean file?" },
    { "[rom a]\nfile=x\naddress=1\n", ": [rom a]: 'x@1,read-only' does not begin at a page" },
    { "[rom a]\nfile=x\naddress=firmwear\n", ": [rom a] address: 'firmwear' is no address" },
    { "[rom a]\nfile=x\naddress=1000\nprotection=rw\n", ": [rom a] protection: 'rw' is neither" },
    { "[rom a]\nfile=x\naddress=firmware\nprotection=shadowed\n", ": [rom a] protection: the fi" },
    { "[drive 0]\nfile=x\n", ": [drive 0]: there is room for [drive 1] to [drive 4]" },
    { "[drive 5]\nfile=x\n", ": [drive 5]: there is room for" },
    { "[drive a]\nfile=x\n", ": [drive a]: there is room for" },
    { "[drive 1x]\nfile=x\n", ": [drive 1x]: there is room for" },
    { "[drive 2]\nfile=x\n", ": [drive 2]: there is no [drive 1]" },
    { "[drive 1]\nfile=x\nwritable=rw\n", ": [drive 1] writable: 'rw' is neither" },
    { "[drive 1]\nfile=x,rw\n", ": [drive 1] file: say writable=true" },
    { "[drive 1]\nfile=x,ro\n", ": [drive 1] file: 'x,ro': unknown word 'ro'" },
    { "[device a]\nmodel=std\n", ": [device a]: type is missing" },
    { "[device a]\ntype=vag\n", ": [device a] type: there is no device 'vag'" },
    { "[device a]\ntype=vga\n", ": [device a]: model is missing" },
    { "[device a]\ntype=vga\nmodel=cirrus\n", ": [device a] model: there is no VGA 'cirrus'" },
    { "[device a]\ntype=vga\nmodel=std\naddress=00:03.0\n",
      ": [device a] address: the board has it at 00:02.0" },
    { "[device a]\ntype=serial\nport=2F8\n", ": [device a] port: the board has it at 3F8" },
    { "[device a]\ntype=serial\nirq=3\n", ": [device a] irq: the board has it at 4" },
    { "[device a]\ntype=serial\nmodel=x\n", ": [device a] model: there is no such key" },
    { "[device a]\ntype=serial\noutput=pty\n", ": [device a] output: 'pty' is no place" },
    { "[device a]\ntype=nic\nmodel=none\n[device b]\ntype=nic\nmodel=none\n",
      ": [device b]: there is one nic already" },
};

START_TEST(what_is_wrong_is_named)
{
    GError *error = NULL;
    g_autofree char *pattern = g_strconcat(file, wrong[_i][1], "*", NULL);
    g_autofree char *bare = g_strdelimit(g_strdup(pattern), "[]?", '?');

    write_file(wrong[_i][0], -1);
    ck_assert_msg(read_with(NULL, &error) == NULL, "%s", wrong[_i][0]);
    ck_assert_msg(g_pattern_match_simple(bare, error->message), "%s\n  is not %s", error->message,
                  pattern);
    ck_assert_ptr_null(strchr(error->message, '\n'));
    g_error_free(error);
}
END_TEST

START_TEST(files_that_are_none_are_refused)
{
    static const char zeros[64] = { 0 };
    g_autofree char *huge = g_malloc0(FE_MACHINE_FILE_MAX + 2);
    GError *error = NULL;

    ck_assert_ptr_null(read_with(NULL, &error)); /* not there */
    ck_assert_msg(g_str_has_prefix(error->message, "--machine: "), "%s", error->message);
    g_clear_error(&error);
    write_file("", 0);
    ck_assert_ptr_null(read_with(NULL, &error));
    g_clear_error(&error);
    write_file(zeros, sizeof(zeros));
    ck_assert_ptr_null(read_with(NULL, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "bytes of no text"));
    g_clear_error(&error);
    memset(huge, '#', FE_MACHINE_FILE_MAX + 1);
    write_file(huge, FE_MACHINE_FILE_MAX + 1);
    ck_assert_ptr_null(read_with(NULL, &error));
    g_clear_error(&error);
    write_file(huge, FE_MACHINE_FILE_MAX);
    fe_run_options_free(read_with(NULL, &error));
    ck_assert_ptr_null(error);
}
END_TEST

/* Any bytes give options or an error, never both and never a crash. */
START_TEST(damaged_files_give_errors)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);

    for (unsigned round = 0; round < 2000; round++) {
        g_autofree char *text = g_strdup(everything);
        GError *error = NULL;

        for (unsigned n = (unsigned)g_rand_int_range(rand, 1, 4); n > 0; n--) {
            text[g_rand_int_range(rand, 0, sizeof(everything) - 1)] =
                (char)g_rand_int_range(rand, 0, 256);
        }
        write_file(text, sizeof(everything) - 1);

        g_autoptr(FeRunOptions) options = read_with(NULL, &error);

        if ((options == NULL) != (error != NULL)) {
            ck_abort_msg("%s", text);
        }
        g_clear_error(&error);
    }
}
END_TEST

/* ---- printing */

/* Every option once, with what must stand in the file. */
static const struct {
    const char *words; /* apart by '|' */
    const char *line;  /* of the file */
} samples[] = {
    { "--memory|96M", "\nmemory=96M\n" },
    { "--ram-hole|1G", "\nram-hole=1G\n" },
    { "--no-overcommit", "\nno-overcommit=true\n" },
    { "--cpu|qemu64", "\ncpu=qemu64\n" },
    { "--clock|host", "\nclock=host\n" },
    { "--rtc|2020-02-03", "\nrtc=2020-02-03T00:00:00\n" },
    { "--vga|std|--vga-rom|/v", "\nmodel=std\nrom=/v\n" },
    { "--vga-rom|none|--vga|std", "\nmodel=std\nrom=none\n" },
    { "--vga|none", "\naddress=00:02.0\nmodel=none\n" },
    { "--nic|e1000|--nic-rom|/n",
      "[device nic]\ntype=nic\naddress=00:03.0\nmodel=e1000\nrom=/n\n" },
    { "--nic-rom|none|--nic|e1000", "\nmodel=e1000\nrom=none\n" },
    { "--bios|/b", "\nbios=/b\n" },
    { "--option-rom|/o", "\nfile=/o\naddress=firmware\n" },
    { "--rom|/r@D0000000", "\nfile=/r\naddress=D0000000\nprotection=read-only\n" },
    { "--kernel|/k", "\nkernel=/k\n" },
    { "--append|  x|--kernel|/k", "\nappend=\"  x\"\n" },
    { "--initrd|/i|--kernel|/k", "\ninitrd=/i\n" },
    { "--drive|/a;b c,rw|--drive|/d", "[drive 1]\nfile=/a;b c\nwritable=true\n" },
    { "--load|/l@x@1000", "[load 1]\nfile=/l@x\naddress=00001000\n" },
    { "--restore|/s", "\nrestore=/s\n" },
    { "--save|/t", "\nsave=/t\n" },
    { "--save-at|time:0.5|--save|/t", "\nsave-at=time:0.5\n" },
    { "--save-live|--save|/t|--save-at|x", "\nsave-live=true\n" },
    { "--serial|file:/x", "\noutput=file:/x\n" },
    { "--debugcon|stdio|--serial|null",
      "[device debugcon]\ntype=debugcon\nport=402\noutput=stdio" },
    { "--type|dir\\n", "\ntype=dir\\n\n" },
    { "--type|a|--type|b|--type-at|y", "\ntype.2=b\ntype-at.2=text:y\n" },
    { "--screen|/a.png|--screen|/b.txt", "\nscreen.2=/b.txt\n" },
    { "--screen-every|0.25|/d e", "\nscreen-every=0.25 /d e\n" },
    { "--screen-record|/r.png", "\nscreen-record=/r.png\n" },
    { "--memory-picture|/m.json", "\nmemory-picture=/m.json\n" },
    { "--memory-film|/f.png,every=2", "\nmemory-film=/f.png,every=2\n" },
    { "--until|\"x\"", "\nuntil=text:\"x\"\n" },
    { "--timeout|1.5", "\ntimeout=1.5\n" },
    { "--max-time|3", "\nmax-time=3\n" },
    { "--on-reset|continue", "\non-reset=continue\n" },
    { "--dump|/d@F0000+64K", "\ndump=/d@000F0000+64K\n" },
    { "--map", "\nmap=true\n" },
    { "--info|phys|--info|page 1", "\ninfo.2=page 1\n" },
    { "--stats", "\nstats=true\n" },
    { "--stats=/PGM/*", "\nstats=/PGM/*\n" },
    { "--stats-json|/s.json", "\nstats-json=/s.json\n" },
    { "--trace|all:/t", "\ntrace=mmio,pio,rom,fault,irq:/t\n" },
    { "--quiet", "\nquiet=true\n" },
};

START_TEST(what_is_given_is_printed_and_read_back)
{
    g_auto(GStrv) words = g_strsplit(samples[_i].words, "|", -1);
    g_autoptr(FeRunOptions) options = NULL;

    options = fe_run_options_new(words, NULL);
    ck_assert_msg(options != NULL, "%s", samples[_i].words);
    g_autofree char *text = print(options);

    ck_assert_msg(strstr(text, samples[_i].line) != NULL, "%s:\n%s", samples[_i].words, text);
    check_round_trip((const char *const *)words);
}
END_TEST

/* An option that is added to the table is to be added to machine files too. */
START_TEST(each_option_has_a_sample)
{
    /* Those that no machine file has, and one that must stand behind another. */
    static const char *const exempt[] = { "machine", "print-machine", "help",
                                          "version", "type-at",       NULL };

    for (const FeOption *const *part = fe_run_options_tables(); *part != NULL; part++) {
        for (const FeOption *option = *part; option->name != NULL; option++) {
            g_autofree char *word = g_strconcat("--", option->name, NULL);
            bool found = g_strv_contains(exempt, option->name);

            for (unsigned i = 0; i < G_N_ELEMENTS(samples); i++) {
                size_t len = strlen(word);

                found = found || (g_str_has_prefix(samples[i].words, word) &&
                                  strchr("|=", samples[i].words[len]) != NULL);
            }
            ck_assert_msg(found, "%s", word);
        }
    }
}
END_TEST

START_TEST(defaults_are_printed)
{
    g_autoptr(FeRunOptions) options = fe_run_options_new((char *[]) { NULL }, NULL);
    g_autofree char *text = print(options);

    ck_assert_ptr_nonnull(strstr(text, "[machine]\nboard=pc\nmemory=128M\nram-hole=512M\n"
                                       "cpu=qemu32\nclock=virtual\nrtc=2000-01-01T00:00:00\n"));
    ck_assert_ptr_nonnull(strstr(text, "[device serial0]\ntype=serial\nport=3F8\nirq=4\n"
                                       "output=stdio\n"));
    ck_assert_ptr_nonnull(strstr(text, "output=null\n"));
    ck_assert_ptr_nonnull(strstr(text, "[run]\non-reset=stop\n"));
}
END_TEST

START_TEST(a_restored_run_says_only_what_was_given)
{
    char *words[] = { (char *)"--restore", (char *)"/s", NULL };
    g_autoptr(FeRunOptions) options = fe_run_options_new(words, NULL);
    g_autofree char *text = print(options);

    ck_assert_str_eq(text, "[machine]\nboard=pc\n\n[run]\nrestore=/s\n");
}
END_TEST

START_TEST(relative_names_are_made_absolute)
{
    char *words[] = { (char *)"--bios", (char *)"x/../b", NULL };
    g_autoptr(FeRunOptions) options = fe_run_options_new(words, NULL);
    g_autofree char *text = print(options);
    g_autofree char *here = g_get_current_dir();
    g_autofree char *line = g_strconcat("\nbios=", here, "/x/../b\n", NULL);

    ck_assert_msg(strstr(text, line) != NULL, "%s", text);
}
END_TEST

/* ---- any options */

static const char *const texts[] = { "a",     "x y",      ";",         "#c",  "[g]",  "k=v",
                                     "\"q\"", "tab\t",    "line\nend", "\\",  " s",   "e ",
                                     "\\n",   "\xC3\xA4", "\xFF",      "a\r", "%s%n", "text:z" };

static const char *pick_text(GRand *rand)
{
    return texts[g_rand_int_range(rand, 0, G_N_ELEMENTS(texts))];
}

static bool coin(GRand *rand)
{
    return g_rand_int_range(rand, 0, 3) == 0;
}

static void add(GPtrArray *words, const char *option, char *value)
{
    g_ptr_array_add(words, g_strconcat(option, "=", value, NULL));
    g_free(value);
}

/* As often as @max says. */
static void maybe_files(GRand *rand, GPtrArray *words, const char *option, unsigned max,
                        const char *suffix)
{
    for (unsigned i = 0; i < max && coin(rand); i++) {
        add(words, option, g_strconcat("/", pick_text(rand), pick_text(rand), suffix, NULL));
    }
}

static void maybe(GRand *rand, GPtrArray *words, const char *word)
{
    if (coin(rand)) {
        g_ptr_array_add(words, g_strdup(word));
    }
}

static void choose_machine(GRand *rand, GPtrArray *words)
{
    maybe(rand, words, "--memory=8196K");
    maybe(rand, words, "--ram-hole=3G");
    maybe(rand, words, "--no-overcommit");
    maybe(rand, words, "--cpu=qemu64");
    maybe(rand, words, "--clock=host");
    maybe(rand, words, "--rtc=1999-12-31T23:59:59");
    maybe_files(rand, words, "--bios", 1, "");
    maybe_files(rand, words, "--option-rom", 3, "");
    maybe_files(rand, words, "--rom", 2, "@D0000000,shadowed");
    maybe_files(rand, words, "--drive", 4, g_rand_boolean(rand) ? ",rw" : ".img");
    maybe_files(rand, words, "--load", 3, "@7C00");
    if (coin(rand)) {
        g_ptr_array_add(words, g_strdup("--kernel=/k"));
        add(words, "--append", g_strconcat(pick_text(rand), pick_text(rand), NULL));
        maybe_files(rand, words, "--initrd", 1, "");
    }
    if (coin(rand)) {
        g_ptr_array_add(words, g_strdup("--vga=std"));
        maybe_files(rand, words, "--vga-rom", 1, "");
    }
}

static void choose_run(GRand *rand, GPtrArray *words)
{
    maybe_files(rand, words, "--screen", 3, ".png");
    maybe_files(rand, words, "--screen-record", 1, ".png");
    maybe_files(rand, words, "--memory-picture", 3, ".json");
    maybe_files(rand, words, "--memory-film", 3, ".png,every=0.000000001");
    if (coin(rand)) {
        add(words, "--serial", g_strconcat("file:/", pick_text(rand), NULL));
    }
    maybe_files(rand, words, "--dump", 3, "@0-FFFFF");
    maybe_files(rand, words, "--save", 1, "");
    for (unsigned i = 0; i < 3 && coin(rand); i++) {
        add(words, "--type", g_strdup(g_rand_boolean(rand) ? "a b\\n{F12}" : "{Wait 1}"));
        if (coin(rand)) {
            add(words, "--type-at", g_strconcat("text:", pick_text(rand), NULL));
        }
    }
    for (unsigned i = 0; i < 4 && coin(rand); i++) {
        add(words, "--until", g_strconcat("text:", pick_text(rand), NULL));
    }
    maybe(rand, words, "--until=port:80=7");
    maybe(rand, words, "--info=page 1000");
    maybe(rand, words, "--info=phys");
    maybe(rand, words, "--timeout=0.25");
    maybe(rand, words, "--max-time=999");
    maybe(rand, words, "--on-reset=continue");
    maybe(rand, words, "--map");
    maybe(rand, words, "--stats=/PGM/*");
    maybe_files(rand, words, "--stats-json", 1, "");
    if (coin(rand)) {
        add(words, "--trace", g_strconcat("irq,pio:/", pick_text(rand), NULL));
    }
    maybe(rand, words, "--quiet");
    maybe(rand, words, "--screen-every=0.5 /some folder");
}

START_TEST(any_options_come_back_the_same)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261122);

    for (unsigned round = 0; round < N_ROUNDS; round++) {
        g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

        choose_machine(rand, words);
        choose_run(rand, words);
        g_ptr_array_add(words, NULL);
        check_round_trip((const char *const *)words->pdata);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("machine-file");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, a_file_says_all_that_options_can);
    tcase_add_test(all, the_command_line_wins_or_adds);
    tcase_add_test(all, a_moment_of_the_command_line_is_not_for_the_files_text);
    tcase_add_loop_test(all, what_is_wrong_is_named, 0, G_N_ELEMENTS(wrong));
    tcase_add_test(all, files_that_are_none_are_refused);
    tcase_add_test(all, damaged_files_give_errors);
    tcase_add_loop_test(all, what_is_given_is_printed_and_read_back, 0, G_N_ELEMENTS(samples));
    tcase_add_test(all, each_option_has_a_sample);
    tcase_add_test(all, defaults_are_printed);
    tcase_add_test(all, a_restored_run_says_only_what_was_given);
    tcase_add_test(all, relative_names_are_made_absolute);
    tcase_add_test(all, any_options_come_back_the_same);
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
