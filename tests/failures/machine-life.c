/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a whole PC: it runs a firmware of ours that fills memory and writes to a disk
 * (tests/failures/bios.asm), is taken aside, brought back, saved, saved while it runs, loaded,
 * reset, and runs to its end.
 */
#include "devices/disk.h"
#include "devices/pc.h"
#include "emu/machine.h"
#include "emu/saved_state.h"
#include "emu/snapshot.h"
#include "memsys/access.h"
#include "memsys/snapshot.h"
#include "tests/failures/failing-host.h"
#include "tests/failures/life.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define RAM (4 * MIB)
#define PAGE MEM_PAGE_SIZE
#define DISK_LEN ((size_t)96 * 5 * 512 + 700) /* its last sector is a partial one */
#define END_NS UINT64_C(300000000)            /* far more than the firmware takes */

typedef struct World {
    LifeWorld common;
    EmuMachine *machine;
    DevPc *pc;
    EmuSnapshot *snapshots[2];
} World;

static bool write_image(void *world, GError **error)
{
    g_autofree char *path = life_path(world, "disk");
    g_autofree char *bytes = g_malloc(DISK_LEN);

    for (size_t i = 0; i < DISK_LEN; i++) {
        bytes[i] = (char)(i * 5 + i / 512);
    }
    return g_file_set_contents(path, bytes, (gssize)DISK_LEN, error);
}

static bool build(void *world, GError **error)
{
    World *w = world;
    g_autofree char *path = life_path(world, "disk");
    g_autofree char *bios = NULL;
    size_t bios_len;
    DevPcConfig config = { .ram_size = RAM };

    w->machine = emu_machine_new(NULL, error);
    if (w->machine == NULL || !g_file_get_contents(BIOS, &bios, &bios_len, error)) {
        return false;
    }
    config.bios = bios;
    config.bios_len = bios_len;
    config.drives[0] = dev_disk_open(path, false, error);
    w->pc = config.drives[0] != NULL ? dev_pc_new(w->machine, &config, error) : NULL;
    if (w->pc == NULL) {
        dev_disk_free(config.drives[0]);
        emu_machine_free(w->machine);
        w->machine = NULL;
    }
    return w->pc != NULL;
}

static bool add_file(void *world, GError **error)
{
    return dev_pc_add_fw_cfg_file(((World *)world)->pc, "opt/life", "bytes", 5, error);
}

static bool reset(void *world, GError **error)
{
    (void)error;
    emu_machine_reset(((World *)world)->machine);
    return true;
}

/* To the guest's end, or some further. A machine without memory stops, and can go on. */
static bool run_until(World *w, uint64_t until_ns, bool *ret_halted, GError **error)
{
    for (;;) {
        EmuStop stop = emu_machine_run(w->machine, until_ns);

        *ret_halted = stop.reason == EMU_STOP_HALTED;
        switch ((int)stop.reason) {
        case EMU_STOP_TIME:
        case EMU_STOP_HALTED:
            return true;
        case EMU_STOP_NO_MEMORY:
            g_set_error(error, MEM_ERROR, MEM_ERR_NO_MEMORY, "stopped: %s", stop.text);
            return false;
        default:
            g_error("the guest stopped by itself: %s", stop.text);
        }
    }
}

static bool run_for(World *w, uint64_t ns, GError **error)
{
    EmuMachineStats stats;
    bool halted;

    emu_machine_get_stats(w->machine, &stats);
    return run_until(w, stats.guest_ns + ns, &halted, error);
}

static bool run_some(void *world, GError **error)
{
    return run_for(world, 150000, error);
}

static bool run_on(void *world, GError **error)
{
    return run_for(world, 90000, error);
}

/* A disk that always fails makes the firmware try for ever. */
static bool run_to_end(void *world, GError **error)
{
    World *w = world;
    EmuMachineStats stats;
    bool halted;

    emu_machine_get_stats(w->machine, &stats);
    if (!run_until(w, stats.guest_ns + END_NS, &halted, error)) {
        return false;
    }
    if (!halted) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "the firmware does not come to its end");
        return false;
    }
    return true;
}

static bool take(World *w, unsigned which, GError **error)
{
    w->snapshots[which] = emu_snapshot_take(w->machine, "one", true, error);
    return w->snapshots[which] != NULL;
}

static bool take_0(void *world, GError **error)
{
    return take(world, 0, error);
}

static bool take_1(void *world, GError **error)
{
    return take(world, 1, error);
}

static bool restore_to(World *w, unsigned which)
{
    g_autoptr(GString) report = g_string_new(NULL);

    emu_snapshot_restore(w->snapshots[which]);
    if (emu_snapshot_check(w->snapshots[which], report) != 0) {
        g_error("a restore left differences: %s", report->str);
    }
    return true;
}

static bool restore_0(void *world, GError **error)
{
    (void)error;
    return restore_to(world, 0);
}

static bool restore_1(void *world, GError **error)
{
    (void)error;
    return restore_to(world, 1);
}

static bool drop_0(void *world, GError **error)
{
    World *w = world;

    (void)error;
    emu_snapshot_drop(w->snapshots[0]);
    w->snapshots[0] = NULL;
    return true;
}

static bool save(void *world, GError **error)
{
    static const char *const options[] = { "memory=4M", NULL };
    World *w = world;
    g_autofree char *path = life_path(world, "state");
    EmuSaveConfig config = { .level = 1, .options = options };

    return emu_save(w->machine, path, &config, error);
}

/* A restore that is refused changes nothing: CPU, chips, disk and clock neither. */
static bool load_file(World *w, const char *name, GError **error)
{
    g_autofree char *path = life_path(w, name);
    g_autoptr(GString) report = g_string_new(NULL);
    EmuSnapshot *before = emu_snapshot_take(w->machine, "before", true, error);
    MemStateReader *reader = before != NULL ? mem_state_reader_new(path, error) : NULL;
    char **options = reader != NULL ? emu_state_options(reader, error) : NULL;
    bool ok = options != NULL && emu_restore(w->machine, reader, NULL, error);

    if (!ok && before != NULL) {
        failing_host.paused = true;
        if (emu_snapshot_check(before, report) != 0) {
            g_error("a failed restore changed the machine: %s", report->str);
        }
        failing_host.paused = false;
    }
    g_strfreev(options);
    mem_state_reader_free(reader);
    emu_snapshot_drop(before);
    return ok;
}

static bool load(void *world, GError **error)
{
    return load_file(world, "state", error);
}

static bool load_live(void *world, GError **error)
{
    return load_file(world, "live", error);
}

static bool save_live(void *world, GError **error)
{
    World *w = world;
    g_autofree char *path = life_path(world, "live");
    EmuLiveSave *live = emu_live_save_new(w->machine, path, NULL, error);
    PgmLiveProgress progress;
    bool ok = live != NULL;

    for (unsigned i = 0; i < 12 && ok && !emu_live_save_step(live, 60, &progress); i++) {
        ok = run_for(w, 20000, error);
    }
    ok = ok && emu_live_save_finish(live, error);
    emu_live_save_free(live);
    return ok;
}

static const LifeStep steps[] = {
    { "write the image", write_image, false },
    { "build the machine", build, false },
    { "add a file for the firmware", add_file, true },
    { "reset", reset, true },
    { "run", run_some, false },
    { "take snapshot 0", take_0, true },
    { "run on", run_on, false },
    { "take snapshot 1", take_1, true },
    { "run after it", run_on, false },
    { "restore snapshot 0", restore_0, true },
    { "run again", run_some, false },
    { "restore snapshot 1", restore_1, true },
    { "run from there", run_on, false },
    { "save", save, true },
    { "run after the save", run_on, false },
    { "load", load, true },
    { "drop snapshot 0", drop_0, true },
    { "save live", save_live, false },
    { "run after the live save", run_on, false },
    { "load the live save", load_live, true },
    { "run to the end", run_to_end, false },
    { "reset at the end", reset, true },
    { "run once more", run_some, false },
    { "restore once more", restore_1, true },
    { "run to the end again", run_to_end, false },
};

static unsigned verify(void *world, GString *report)
{
    World *w = world;

    if (w->machine == NULL) {
        return 0;
    }
    Pgm *pgm = emu_machine_pgm(w->machine);

    return pgm_verify(pgm, report) + gmm_verify(pgm_gmm(pgm), report);
}

static uint64_t hash(void *world)
{
    static uint64_t words[MEM_PAGE_SIZE / 8];
    World *w = world;
    uint64_t hash = 1;

    for (GPhys gpa = 0; gpa < RAM && w->machine != NULL; gpa += PAGE) {
        if (gpa == 0x6000 ||
            pgm_peek(emu_machine_pgm(w->machine), gpa, words, sizeof words) != MEM_OK) {
            continue; /* 0x6000: the guest's stack */
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
            hash = (hash ^ words[i]) * 0x100000001b3;
            hash ^= hash >> 29;
        }
    }
    return hash;
}

static void end(void *world)
{
    World *w = world;

    emu_snapshot_drop(w->snapshots[0]);
    emu_snapshot_drop(w->snapshots[1]);
    emu_machine_free(w->machine);
}

int main(int argc, char **argv)
{
    static const Life life = { .name = "machine",
                               .steps = steps,
                               .n_steps = G_N_ELEMENTS(steps),
                               .world_size = sizeof(World),
                               .verify = verify,
                               .hash = hash,
                               .end = end };

    return life_main(&life, argc, argv);
}
