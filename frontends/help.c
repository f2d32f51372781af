/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Help texts. Options print themselves from their table (run-options.c).
 */
#include "help.h"

#include "emu/machine.h"
#include "memsys/info.h"
#include "run-options.h"

void fe_help_quire(GString *text)
{
    g_string_append(
        text, "quire runs firmware and kernels on an emulated PC, without a window.\n"
              "\n"
              "  quire run [OPTION...]   boot; without options: SeaBIOS with nothing to boot\n"
              "  quire run --help        all options, with examples\n"
              "  quire state FILE        what is in a saved state, and whether it is whole\n"
              "  quire --version         versions of quire and of Unicorn\n"
              "\n"
              "Examples:\n"
              "  quire run --drive disk.img\n"
              "  quire run --screen screen.png --max-time 5\n"
              "  quire run --kernel vmlinuz --append console=ttyS0 --until login:\n"
              "  quire run --drive disk.img --save login.state --save-at login:\n"
              "  quire run --restore login.state\n");
}

void fe_help_run(GString *text)
{
    g_string_append(
        text, "Usage: quire run [OPTION...]\n"
              "Boots a PC. Its consoles are on stdout, our words on stderr; the last line of them\n"
              "is \"quire: stopped: REASON\".\n");
    fe_run_options_print_help(text);
    g_string_append(
        text,
        "\n"
        "How things are spelled:\n"
        "  SIZE      a number with K, M, G or T, or 0x and bytes: 128M, 0x200\n"
        "  ADDRESS   hexadecimal, with or without 0x: F0000\n"
        "  RANGE     START+SIZE or START-END, END outside: F0000+64K, F0000-100000\n"
        "  SECONDS   may have a fraction: 0.5\n"
        "  MOMENT    text:TEXT time:SECONDS addr:ADDRESS sym:NAME port:PORT[=VALUE], or a text\n"
        "  TEXT      of --type: \\n Enter, \\t Tab, \\b Backspace, \\e Escape, \\\\ a backslash, "
        "{{ a\n"
        "            brace; {F12} {Up} {Ctrl-Alt-Del} keys, {Wait 0.5} a rest\n"
        "  GLOB      a counter's name, '*' for any run of letters and '?' for one: '/PGM/*'\n"
        "\n"
        "Machine files:\n"
        "  --machine FILE.ini reads a machine and its run from a file: groups [machine] [rom "
        "NAME]\n"
        "  [load NAME] [device NAME] [drive N], and [run] for every other option under its name,\n"
        "  until.1 and until.2 for what repeats. Relative file names begin in the file's folder.\n"
        "  The command line wins where there can be one value (a --vga or --nic with its ROM), "
        "and\n"
        "  adds, behind the file's, to what repeats. --print-machine prints such a file.\n"
        "  With --restore the file's loads and texts to type are in the state and do not come "
        "again,\n"
        "  nor do texts at a time: that is over; other moments of type-at are waited for anew.\n"
        "\n"
        "Exit status:\n"
        "  0    as asked: power-off, a reset (unless --on-reset continue), --until seen\n"
        "  2    an option or a file is wrong, or output or a state could not be written\n"
        "  4    the guest failed: triple fault, halted for good, fetch from nowhere,\n"
        "       or it ended before --until or --save-at was seen; registers and page walk\n"
        "       are printed\n"
        "  6    a limit: --timeout, --max-time, no memory left for the guest\n"
        "  odd  the guest's own: isa-debug-exit gives (value << 1) | 1\n"
        "  130  Ctrl-C;  143  SIGTERM;  129  SIGHUP\n"
        "\n"
        "Examples:\n"
        "  quire run\n"
        "      SeaBIOS to its end, then a summary\n"
        "  quire run --drive disk.img --until login: --timeout 60\n"
        "      boot a disk; good if \"login:\" comes within a minute\n"
        "  quire run --kernel test.elf --until sym:done --dump ram.bin@100000+1M\n"
        "      run an ELF file to a symbol, then look at its memory\n"
        "  quire run --serial null --debugcon stdio --stats-json stats.json\n"
        "      SeaBIOS's messages, and all counters as JSON\n"
        "  quire run --clock host --rtc $(date -u +%FT%T) --drive disk.img,rw\n"
        "      time of day, and changes that stay\n"
        "  quire run --drive disk.img --save login.state --save-at login: --until done\n"
        "  quire run --restore login.state --until done\n"
        "      save at a moment and go on; then only the rest, as often as wanted\n"
        "      (a state saved where the guest resets the machine goes on behind the reset)\n"
        "  quire run --drive disk.img --screen screen.png --screen screen.txt --max-time 5\n"
        "      what the screen shows after five seconds of guest time, as pixels and as text\n"
        "  quire run --drive disk.img --type 'root\\n' --type-at login: --until '# '\n"
        "      somebody at the keyboard\n"
        "  quire run --memory 64M --drive disk.img --print-machine >small.ini\n"
        "  quire run --machine small.ini --screen screen.png --max-time 5\n"
        "      a machine kept as a file, and a run of it with a screenshot\n"
        "  quire run --info phys --info 'page FFFC0' --stats='/PGM/ROM/*'\n"
        "      the memory map, everything about one page, and some counters\n");
}

void fe_help_version(GString *text)
{
    g_string_append_printf(text, "quire %s (Unicorn %s)\n", QUIRE_VERSION, emu_engine_version());
}

void fe_help_cpus(GString *text)
{
    for (const EmuCpuModel *model = emu_cpu_models(); model->name != NULL; model++) {
        g_string_append_printf(text, "%-16s %s\n", model->name, model->description);
    }
}

void fe_help_machines(GString *text)
{
    g_string_append(text,
                    "pc               i440FX and PIIX3, as most PC firmware expects (default)\n"
                    "FILE.ini         a machine file; --print-machine prints one\n");
}

void fe_help_info(GString *text)
{
    for (const PgmInfoItem *item = pgm_info_items(); item->name != NULL; item++) {
        g_autofree char *left =
            g_strconcat(item->name, item->argument != NULL ? " " : "", item->argument, NULL);

        g_string_append_printf(text, "%-16s %s\n", left, item->description);
    }
}
