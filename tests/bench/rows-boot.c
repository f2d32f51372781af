/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole boot: the distribution's SeaBIOS up to "Booting from Hard Disk", in this process, the
 * board's construction included. The comparison with QEMU takes whole processes:
 * tests/bench/runs-vs-qemu.sh.
 */
#include "bench.h"

#include "devices/pc.h"
#include "emu/loader.h"

#include <string.h>

#define FIRMWARE "/usr/share/seabios/bios-256k.bin"
#define LINE "Booting from Hard Disk"
#define GUEST_SECONDS 20 /* give up then */

typedef struct Boot {
    GBytes *firmware;
    EmuMachine *machine;
    GString *text;
    bool seen;
} Boot;

static void boot_teardown(void *user)
{
    Boot *boot = user;

    g_bytes_unref(boot->firmware);
    g_string_free(boot->text, TRUE);
    g_free(boot);
}

static void *boot_setup(const BenchRow *row, bool quick, GError **error)
{
    GBytes *firmware = emu_file_read(FIRMWARE, 16 << 20, error);

    (void)row;
    (void)quick;
    if (firmware == NULL) {
        return NULL;
    }
    Boot *boot = g_new0(Boot, 1);

    boot->firmware = firmware;
    boot->text = g_string_new(NULL);
    return boot;
}

static void on_debugcon(void *user, const uint8_t *bytes, size_t len)
{
    Boot *boot = user;

    g_string_append_len(boot->text, (const char *)bytes, (gssize)len);
    if (!boot->seen && strstr(boot->text->str, LINE) != NULL) {
        boot->seen = true;
        emu_machine_stop_soon(boot->machine);
    }
}

static double run_boot(void *user)
{
    Boot *boot = user;
    uint64_t start = bench_cpu_ns();
    g_autoptr(EmuMachine) machine = emu_machine_new(NULL, NULL);
    DevPcConfig config = { .ram_size = UINT64_C(128) << 20,
                           .bios = g_bytes_get_data(boot->firmware, NULL),
                           .bios_len = g_bytes_get_size(boot->firmware),
                           .bios_name = FIRMWARE,
                           .rtc_seconds = 1700000000 };

    if (machine == NULL || dev_pc_new(machine, &config, NULL) == NULL) {
        return -1;
    }
    boot->machine = machine;
    boot->seen = false;
    g_string_truncate(boot->text, 0);
    emu_console_add_sink(emu_machine_console(machine, "debugcon"), on_debugcon, boot);
    emu_machine_reset(machine);
    emu_machine_run(machine, GUEST_SECONDS * EMU_NS_PER_SECOND);
    return boot->seen ? (double)(bench_cpu_ns() - start) / 1e6 : -1;
}

const BenchRow bench_boot_rows[] = {
    { .name = "boot",
      .ours = "SeaBIOS from nothing to \"" LINE "\"",
      .unit = "ms",
      .rounds = 5,
      .setup = boot_setup,
      .run_ours = run_boot,
      .teardown = boot_teardown },
    { .name = NULL },
};
