/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The curves of snapshots and machines: restore time by RAM size and by dirty pages, creation time
 * by RAM size, and a fuzz loop after the guest once touched 65,536 pages: the engine's own TLB has
 * grown then, and whatever flushes it pays.
 */
#include "curves.h"

#include "sides.h"

#include "emu/snapshot.h"
#include "memsys/access.h"
#include "memsys/mm.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB (UINT64_C(1) << 20)
#define MAX_POINTS 16
#define ROUNDS 5

BENCH_GUEST_SYMBOLS(touch)

static const BenchGuestRow touch = { BENCH_GUEST(touch), 0, 0, 1, NO_STOCK };

typedef struct Curve {
    const char *name;
    const char *title;
    const char *x_label;
    const char *y_label;
    uint64_t xs[MAX_POINTS];
    unsigned n;
    double (*measure)(uint64_t x, bool quick);
} Curve;

/* One pass over @n pages, restored; us, median of rounds. A history of @n_before pages comes first.
 */
static double loop_us(uint64_t ram, uint32_t n, uint32_t n_before, bool quick)
{
    BenchSides sides = { .row = &touch, .count = MAX(n_before, 1) };
    EmuSnapshot *snapshot = NULL;
    unsigned n_loops = quick ? 2 : MAX(8192 / n, 8);
    double best = -1;

    if (!bench_ours_open(&sides, ram, NULL) || bench_ours_pass(&sides) < 0 ||
        pgm_write_u32(sides.pgm, BENCH_COUNT, n) != MEM_OK || bench_ours_pass(&sides) < 0) {
        bench_sides_clear(&sides);
        return -1;
    }
    snapshot = emu_snapshot_take(sides.machine, "curve", false, NULL);
    for (unsigned round = 0; snapshot != NULL && round < (quick ? 1 : ROUNDS); round++) {
        uint64_t start = bench_cpu_ns();

        for (unsigned i = 0; i < n_loops; i++) {
            if (bench_ours_pass(&sides) < 0) {
                n_loops = 0;
                break;
            }
            emu_snapshot_restore(snapshot);
        }
        double us = (double)(bench_cpu_ns() - start) / n_loops / 1000;

        best = best < 0 || us < best ? us : best;
    }
    emu_snapshot_drop(snapshot);
    bench_sides_clear(&sides);
    return n_loops == 0 ? -1 : best;
}

static double by_ram(uint64_t mib, bool quick)
{
    return loop_us(mib * MIB, 64, 0, quick);
}

static double by_dirty(uint64_t n, bool quick)
{
    return loop_us(512 * MIB, (uint32_t)n, 0, quick);
}

static double by_dirty_after_history(uint64_t n, bool quick)
{
    return loop_us(512 * MIB, (uint32_t)n, quick ? 1024 : 65536, quick);
}

static double creation(uint64_t mib, bool quick)
{
    double best = -1;

    for (unsigned i = 0; i < (quick ? 1 : ROUNDS); i++) {
        uint64_t start = bench_cpu_ns();
        EmuMachine *machine = emu_machine_new(NULL, NULL);

        if (machine == NULL ||
            mm_register_x86(emu_machine_pgm(machine), mib * MIB, 0, NULL) != MEM_OK) {
            emu_machine_free(machine);
            return -1;
        }
        emu_machine_reset(machine);

        double us = (double)(bench_cpu_ns() - start) / 1000;

        emu_machine_free(machine);
        best = best < 0 || us < best ? us : best;
    }
    return best;
}

static const Curve curves[] = {
    { .name = "restore-by-ram",
      .title = "Run and restore, 64 dirty pages",
      .x_label = "RAM (MiB)",
      .y_label = "us",
      .xs = { 16, 64, 256, 1024, 4096, 16384, 65536, 1048576 },
      .n = 8,
      .measure = by_ram },
    { .name = "restore-by-dirty",
      .title = "Run and restore, 512 MiB of RAM",
      .x_label = "dirty pages",
      .y_label = "us",
      .xs = { 1, 4, 16, 64, 256, 1024, 4096, 16384 },
      .n = 8,
      .measure = by_dirty },
    { .name = "restore-after-history",
      .title = "The same after the guest touched 65,536 pages once",
      .x_label = "dirty pages",
      .y_label = "us",
      .xs = { 1, 4, 16, 64, 256, 1024, 4096, 16384 },
      .n = 8,
      .measure = by_dirty_after_history },
    { .name = "creation-by-ram",
      .title = "Creating a machine",
      .x_label = "RAM (MiB)",
      .y_label = "us",
      .xs = { 16, 64, 256, 1024, 4096, 16384, 65536, 1048576 },
      .n = 8,
      .measure = creation },
};

static void add_text(JsonBuilder *builder, const char *name, const char *text)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, text);
}

static bool add_curve(JsonBuilder *builder, const Curve *curve, bool quick, GError **error)
{
    json_builder_begin_object(builder);
    add_text(builder, "name", curve->name);
    add_text(builder, "title", curve->title);
    add_text(builder, "x", curve->x_label);
    add_text(builder, "y", curve->y_label);
    json_builder_set_member_name(builder, "points");
    json_builder_begin_array(builder);
    for (unsigned i = 0; i < (quick ? 2 : curve->n); i++) {
        double y = curve->measure(curve->xs[i], quick);

        if (y < 0) {
            g_set_error(error, BENCH_ERROR, 0,
                        "curve %s: the point at %" G_GUINT64_FORMAT " could not be measured",
                        curve->name, curve->xs[i]);
            return false;
        }
        printf("%-24s %10" G_GUINT64_FORMAT " %-12s %12.2f %s\n", curve->name, curve->xs[i],
               curve->x_label, y, curve->y_label);
        fflush(stdout);
        json_builder_begin_array(builder);
        json_builder_add_int_value(builder, (gint64)curve->xs[i]);
        json_builder_add_double_value(builder, y);
        json_builder_end_array(builder);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
    return true;
}

bool bench_curves(const char *path, bool quick, GError **error)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "curves");
    json_builder_begin_array(builder);
    for (unsigned i = 0; i < G_N_ELEMENTS(curves); i++) {
        if (!add_curve(builder, &curves[i], quick, error)) {
            return false;
        }
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);

    g_autoptr(JsonNode) root = json_builder_get_root(builder);

    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    return json_generator_to_file(generator, path, error);
}
