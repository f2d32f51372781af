/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's options and our answers; see qemu-words.h.
 */
#include "qemu-words.h"

#include <glib.h>
#include <string.h>

#define NOT_YET(what) what " is not there yet"

static const struct {
    const char *name;
    const char *answer;
} words[] = {
    { "m", "spelled --memory SIZE here, for example --memory 128M" },
    { "M", "spelled --machine NAME here, for example --machine pc" },
    { "h", "spelled --help here" },
    { "hda", "spelled --drive FILE here; FILE,rw keeps what the guest writes" },
    { "hdb", "a second --drive FILE is the second disk here" },
    { "hdc", "a third --drive FILE is the third disk here" },
    { "hdd", "a fourth --drive FILE is the fourth disk here" },
    { "cdrom", NOT_YET("a CD-ROM drive") "; a raw disk image goes in with --drive FILE" },
    { "fda", NOT_YET("a floppy drive") "; a raw disk image goes in with --drive FILE" },
    { "fdb", NOT_YET("a floppy drive") "; a raw disk image goes in with --drive FILE" },
    { "pflash", NOT_YET("flash memory") "; a firmware image goes in with --bios FILE" },
    { "L", "say the whole path: --bios FILE" },
    { "nographic", "leave it away: there is no window, the serial port is on stdio (--serial)" },
    { "display",
      "leave it away: there is no window; --screen FILE.png keeps what the screen shows" },
    { "curses", "leave it away: there is no window; --screen FILE.txt keeps a screen of text" },
    { "vnc", "leave it away: there is no window; --screen FILE.png keeps what the screen shows" },
    { "sdl", "leave it away: there is no window; --screen FILE.png keeps what the screen shows" },
    { "spice", "leave it away: there is no window; --screen FILE.png keeps what the screen shows" },
    { "g", "a guest chooses its resolution; --screen FILE.png shows it" },
    { "k", "the keyboard is a US one; --type TEXT types on it" },
    { "screendump", "spelled --screen FILE.png here, at the end, or --screen-every SECONDS DIR" },
    { "sendkey", "spelled --type '{Ctrl-Alt-Del}' here, with --type-at MOMENT for when" },
    { "nodefaults", "leave it away: the machine has only what --machine names" },
    { "no-reboot", "leave it away: a reset ends the run, that is --on-reset stop" },
    { "no-shutdown", "leave it away: a power-off ends the run" },
    { "action", "resets go by --on-reset stop or --on-reset continue" },
    { "d", "spelled --trace=LIST[:FILE] here, for example --trace=mmio,irq" },
    { "D", "the file goes behind the list here: --trace=LIST:FILE" },
    { "icount", "spelled --clock virtual here, which is the default" },
    { "accel", "leave it away: there is one way to run, Unicorn" },
    { "enable-kvm", "leave it away: there is one way to run, Unicorn" },
    { "boot", "there is no boot menu: the disks are tried in order of --drive" },
    { "device", "cards are --vga std and --nic MODEL here; a file goes into memory with --load "
                "FILE@ADDRESS" },
    { "blockdev", "spelled --drive FILE here; FILE,rw keeps what the guest writes" },
    { "snapshot", "leave it away: what the guest writes is dropped unless --drive FILE,rw" },
    { "chardev", "say it with the port: --serial or --debugcon with stdio, null or file:PATH" },
    { "parallel", NOT_YET("a parallel port") "; there are --serial and --debugcon" },
    { "gdb", NOT_YET("the port for gdb") "; --until addr:ADDRESS shows the state at a place" },
    { "S", NOT_YET("a start held by a debugger") "; --until addr:ADDRESS ends at a place" },
    { "s", NOT_YET("the port for gdb") "; --until addr:ADDRESS shows the state at a place" },
    { "monitor",
      NOT_YET("a monitor") "; --info, --stats and --dump tell how things stand at the end" },
    { "qmp", NOT_YET("a monitor") "; --info, --stats and --dump tell how things stand at the end" },
    { "mon", NOT_YET("a monitor") "; --info, --stats and --dump tell how things stand at the end" },
    { "loadvm", "spelled --restore FILE here; such files come from --save FILE" },
    { "incoming", "spelled --restore FILE here; such files come from --save FILE" },
    { "savevm", "spelled --save FILE here, with --save-at MOMENT to go on after it" },
    { "smp", "there is one CPU; more are not there yet" },
    { "numa", "there is one node; leave it away" },
    { "fw_cfg", NOT_YET("adding files to fw_cfg from here") "; embedders call "
                                                            "dev_pc_add_fw_cfg_file()" },
    { "dtb", "a PC takes no device tree; other machines come later" },
    { "net", "a network card is --nic MODEL here; there is no network behind it" },
    { "netdev", "leave it away: there is no network; a network card is --nic MODEL" },
    { "readconfig", "spelled --machine FILE.ini here; see --print-machine for such a file" },
    { "writeconfig", "spelled --print-machine here, which writes to stdout" },
    { "usb", NOT_YET("USB") },
    { "plugin", "there are no plugins; embedders write against libquire" },
    { "name", "leave it away: a run has no name" },
    { "uuid", "leave it away: a run has no UUID" },
    { "daemonize", "leave it away and let your shell do it: quire run ... &" },
    { "pidfile", "leave it away and let your shell do it: quire run ... & echo $!" },
};

const char *fe_qemu_word_lookup(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        if (strcmp(words[i].name, name) == 0) {
            return words[i].answer;
        }
    }
    return NULL;
}
