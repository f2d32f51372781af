/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maps and films as JSON; see memory-json.h for their shape.
 */
#include "memory-json.h"

#include "whole-file.h"

#include <inttypes.h>
#include <json-glib/json-glib.h>
#include <string.h>

#define VERSION 1
#define PIECE 65536 /* bytes that wait at most */

typedef struct Writer {
    FeWholeFile *file;
    GString *text;
    Pgm *pgm;
    unsigned range_index; /* of the range that is open; UINT_MAX: none yet */
    bool first_run;
} Writer;

static void flush(Writer *writer)
{
    fe_whole_file_put(writer->file, writer->text->str, writer->text->len);
    g_string_truncate(writer->text, 0);
}

G_GNUC_PRINTF(2, 3)
static void put(Writer *writer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(writer->text, format, args);
    va_end(args);
    if (writer->text->len >= PIECE) {
        flush(writer);
    }
}

/* "name": "value" with what JSON wants escaped; names of files may be no UTF-8. */
static void put_string(Writer *writer, const char *name, const char *value)
{
    g_autofree char *valid = g_utf8_make_valid(value, -1);
    g_autoptr(JsonNode) node = json_node_alloc();

    json_node_init_string(node, valid);

    g_autofree char *json = json_to_string(node, FALSE);

    put(writer, "\"%s\": %s", name, json);
}

static void put_head(Writer *writer, const char *what, const FeMemoryTitle *title)
{
    put(writer, "{\n  ");
    put_string(writer, "quire", QUIRE_VERSION);
    put(writer, ",\n  \"what\": \"%s\",\n  \"version\": %d,\n  ", what, VERSION);
    put_string(writer, "title", title->what);
    put(writer, ",\n  \"guest_ns\": %" PRIu64 ",\n  \"page_size\": %" PRIu64 ",\n", title->guest_ns,
        (uint64_t)MEM_PAGE_SIZE);
}

static bool begin(Writer *writer, const char *path, GError **error)
{
    writer->file = fe_whole_file_new(path, error);
    writer->text = writer->file != NULL ? g_string_new(NULL) : NULL;
    return writer->file != NULL;
}

static bool end(Writer *writer, GError **error)
{
    put(writer, "}\n");
    flush(writer);

    bool done = fe_whole_file_commit(writer->file, error);

    fe_whole_file_free(writer->file);
    g_string_free(writer->text, TRUE);
    return done;
}

/* ---- the map */

static const char *handler_name(PgmHandlerState handler)
{
    static const char *const names[] = { "none", "off", "write", "all" };

    return names[handler];
}

static void open_range(Writer *writer, const FeMemorySegment *segment)
{
    const PgmRangeInfo *range = segment->range;

    put(writer, "%s\n    { \"kind\": \"%s\", ", writer->range_index == UINT_MAX ? "" : " ] },",
        fe_memory_kind_name(range->kind));
    put_string(writer, "name", range->description);
    put(writer, ", ");
    put_string(writer, "owner", range->owner);
    put(writer,
        ", \"start\": \"0x%" PRIx64 "\", \"size\": \"0x%" PRIx64
        "\", \"over_ram\": %s, \"shadowed\": %s,\n      \"runs\": [",
        range->start, range->len, range->over_ram ? "true" : "false",
        range->shadowed ? "true" : "false");
    writer->range_index = segment->range_index;
    writer->first_run = true;
}

static bool put_segment(const FeMemorySegment *segment, void *user)
{
    Writer *writer = user;
    const PgmPageRun *run = segment->run;

    if (run == NULL) {
        return true;
    }
    if (segment->range_index != writer->range_index) {
        open_range(writer, segment);
    }
    put(writer,
        "%s\n        { \"start\": \"0x%" PRIx64 "\", \"pages\": %" PRIu64
        ", \"type\": \"%s\", \"state\": \"%s\", \"handler\": \"%s\", \"executed\": %s }",
        writer->first_run ? "" : ",", run->start, run->n_pages, pgm_page_type_name(run->type),
        pgm_page_state_name(run->state), handler_name(run->handler),
        run->executed ? "true" : "false");
    writer->first_run = false;
    return !fe_whole_file_has_failed(writer->file);
}

static void put_counts(Writer *writer)
{
    FeMemoryCounts shown;
    PgmStats stats;

    pgm_get_stats(writer->pgm, &stats);
    fe_memory_map_count(writer->pgm, &shown);
    put(writer,
        "  \"counted\": { \"all\": %" PRIu64 ", \"private\": %" PRIu64 ", \"zero\": %" PRIu64
        ", \"shared\": %" PRIu64 ", \"mmio\": %" PRIu64 ", \"monitored\": %" PRIu64
        ", \"ballooned\": %" PRIu64 " },\n  \"shown\": { \"executed\": %" PRIu64,
        stats.pages.all, stats.pages.private_pages, stats.pages.zero, stats.pages.shared,
        stats.pages.pure_mmio, stats.pages.monitored, stats.pages.ballooned, shown.executed);
    for (unsigned i = FE_MEMORY_HOLE + 1; i < FE_MEMORY_N_CLASSES; i++) {
        put(writer, ", \"%s\": %" PRIu64, fe_memory_class_name((FeMemoryClass)i), shown.pages[i]);
    }
    put(writer, " },\n");
}

bool fe_memory_map_write_json(Pgm *pgm, const FeMemoryTitle *title, const char *path,
                              GError **error)
{
    Writer writer = { .pgm = pgm, .range_index = UINT_MAX };

    if (!begin(&writer, path, error)) {
        return false;
    }
    put_head(&writer, "memory-picture", title);
    put_counts(&writer);
    put(&writer, "  \"ranges\": [");
    (void)fe_memory_map_foreach(pgm, put_segment, &writer);
    put(&writer, "%s\n  ]\n", writer.range_index == UINT_MAX ? "" : " ] }");
    return end(&writer, error);
}

/* ---- the film */

static void put_slices(Writer *writer, const FeFilmFrame *frame, const FeFilmUnit *units,
                       unsigned n_units)
{
    put(writer, "  \"slices\": [");
    for (unsigned slice = 0; slice < frame->n_slices; slice++) {
        unsigned n = 0;

        for (unsigned i = 0; i < n_units; i++) {
            n += fe_film_unit_written(&units[i], slice);
        }
        put(writer, "%s%u", slice == 0 ? " " : ", ", n);
    }
    put(writer, " ],\n");
}

/* How many units from @units on, which are neighbours, were written in the same slices. */
static unsigned count_alike(const FeFilmUnit *units, unsigned n_units, uint64_t unit_pages)
{
    unsigned n = 1;

    while (n < n_units && units[n].space == units->space &&
           units[n].page == units->page + n * unit_pages &&
           memcmp(units[n].written, units->written, sizeof units->written) == 0) {
        n++;
    }
    return n;
}

static void put_written(Writer *writer, const FeFilmUnit *unit, unsigned n_slices)
{
    bool first = true;
    unsigned slice = 0;

    put(writer, "\"written\": [");
    while (slice < n_slices) {
        unsigned begin_slice = slice;

        while (slice < n_slices && fe_film_unit_written(unit, slice)) {
            slice++;
        }
        if (slice > begin_slice) {
            put(writer, "%s [%u, %u]", first ? "" : ",", begin_slice, slice - begin_slice);
            first = false;
        }
        slice++;
    }
    put(writer, " ] }");
}

static void put_units(Writer *writer, FeMemoryFilm *film, const FeFilmFrame *frame,
                      const FeFilmUnit *units, unsigned n_units)
{
    unsigned n = 0;

    put(writer, "  \"units\": [");
    for (unsigned i = 0; i < n_units && !fe_whole_file_has_failed(writer->file); i += n) {
        n = count_alike(units + i, n_units - i, frame->unit_pages);
        put(writer, "%s\n    { ", i == 0 ? "" : ",");
        if (units[i].space != 0) {
            put_string(writer, "unmapped", fe_memory_film_space_name(film, units[i].space));
            put(writer, ", ");
        }
        put(writer, "\"start\": \"0x%" PRIx64 "\", \"n\": %u, ", units[i].page << MEM_PAGE_SHIFT,
            n);
        put_written(writer, &units[i], frame->n_slices);
    }
    put(writer, "\n  ]\n");
}

bool fe_memory_film_write_json(FeMemoryFilm *film, const FeMemoryTitle *title, const char *path,
                               GError **error)
{
    Writer writer = { 0 };
    FeFilmFrame frame;
    unsigned n_units = 0;
    const FeFilmUnit *units = fe_memory_film_units(film, &n_units);

    if (!begin(&writer, path, error)) {
        return false;
    }
    fe_memory_film_get_frame(film, &frame);
    put_head(&writer, "memory-film", title);
    put(&writer,
        "  \"unit_pages\": %" PRIu64 ",\n  \"start_ns\": %" PRIu64 ",\n  \"end_ns\": %" PRIu64
        ",\n  \"slice_ns\": %" PRIu64 ",\n",
        frame.unit_pages, frame.start_ns, frame.end_ns, frame.slice_ns);
    put_slices(&writer, &frame, units, n_units);
    put_units(&writer, film, &frame, units, n_units);
    return end(&writer, error);
}
