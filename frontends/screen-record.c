/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --screen-record FILE.png[,every=SECONDS]: the run as an animated PNG.
 *
 * Guest time is virtual: a firmware is through in a hundredth of a second, a system boots for a
 * minute. So unless it is said how often, the screen is looked at ever more rarely, each time after
 * 1/64 of the record's length so far, from 1/4000 s until it is 25 times a second. As short records
 * are played slowly and no picture is shown for less than 1/25 s (apng.h), all of it can be seen.
 */
#include "apng.h"
#include "screen-internal.h"

#define EVERY_MIN_NS (EMU_NS_PER_SECOND / 4000)
#define EVERY_MAX_NS (EMU_NS_PER_SECOND / 25)
#define EVERY_PART 64
#define OPTION "--screen-record"

struct FeScreenRecord {
    FeTick tick;
    FeScreenView *view;
    uint64_t start_ns;
    FeFilm film;
    FeApng *apng;
    uint64_t seen; /* generation of the last picture */
    bool lit;      /* the screen has been on */
    bool failed;   /* and said so */
};

static bool add_picture(FeScreenRecord *record, uint64_t now_ns, bool is_end, GError **error)
{
    static const uint32_t black = 0;
    DevPicture picture;

    if (!fe_screen_view_look(record->view, &picture, error)) {
        return false;
    }
    if (record->seen == record->view->generation && !(is_end && !record->lit)) {
        return true;
    }
    record->seen = record->view->generation;
    if (dev_screen_mode(record->view->screen) != DEV_SCREEN_BLANK) {
        record->lit = true;
    } else if (!is_end || record->lit) {
        /* Black, however large the canvas is for other pictures. */
        picture = (DevPicture) { 1, 1, &black };
    }
    return fe_apng_add(record->apng, picture.width, picture.height, picture.pixels, now_ns, error);
}

static bool sample(FeScreenRecord *record, uint64_t now_ns, bool is_end, GError **error)
{
    record->failed = !add_picture(record, now_ns, is_end, error);
    if (record->failed) {
        g_prefix_error(error, OPTION ": ");
    }
    return !record->failed;
}

static uint64_t next_due(const FeScreenRecord *record, uint64_t now_ns)
{
    uint64_t every_ns = record->film.every_ns;

    if (every_ns == 0) {
        every_ns = CLAMP((now_ns - record->start_ns) / EVERY_PART, EVERY_MIN_NS, EVERY_MAX_NS);
    }
    return every_ns < EMU_CLOCK_NEVER - now_ns ? now_ns + every_ns : EMU_CLOCK_NEVER;
}

static bool call(void *user, uint64_t now_ns, GError **error)
{
    FeScreenRecord *record = user;

    record->tick.due_ns = next_due(record, now_ns);
    return sample(record, now_ns, false, error);
}

FeScreenRecord *fe_screen_record_new(const FeRunOptions *options, FeScreenView *view,
                                     uint64_t now_ns, FeFiles *files, GError **error)
{
    FeScreenRecord *record = g_new0(FeScreenRecord, 1);

    record->view = view;
    record->start_ns = now_ns;
    record->tick = (FeTick) { now_ns, call, record };
    if (fe_record_parse(options->screen_record, &record->film, error) &&
        fe_files_add_replaced(files, OPTION, record->film.path, error)) {
        record->apng = fe_apng_new(record->film.path, error);
        if (record->apng != NULL) {
            return record;
        }
        g_prefix_error(error, OPTION ": ");
    }
    fe_screen_record_free(record);
    return NULL;
}

void fe_screen_record_free(FeScreenRecord *record)
{
    if (record != NULL) {
        fe_apng_free(record->apng);
        g_free(record->film.path);
        g_free(record);
    }
}

FeTick *fe_screen_record_tick(FeScreenRecord *record)
{
    return &record->tick;
}

bool fe_screen_record_finish(FeScreenRecord *record, uint64_t now_ns, GError **error)
{
    if (record->failed) {
        return true;
    }
    if (!sample(record, now_ns, true, error)) {
        return false;
    }
    if (!fe_apng_finish(record->apng, error)) {
        g_prefix_error(error, OPTION ": ");
        return false;
    }
    return true;
}
