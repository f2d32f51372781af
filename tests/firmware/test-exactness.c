/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine that was saved goes on as if it had not been. Every guest is run once unbroken, then
 * again by a pilot that looks for moments of all kinds (exact-kinds.h) and for random ones. At each
 * the machine is saved to a file and restored in a fresh machine, at some in a fresh process, and
 * taken aside in memory and brought back; some saves are live. Each goes on to the end: clock, RAM,
 * consoles, and every port access with its time, must be those of the unbroken run.
 *
 * Usage: test-exactness [--saves N] [--seed N]. A kind that was never met is a failure. The seed is
 * printed; the same one does the same again.
 */
#include "exact-kinds.h"

#include "emu/saved_state.h"
#include "emu/snapshot.h"
#include "memsys/access.h"

#include <check.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLES 1500
#define STEPS 16
#define MAX_PASSES 40
#define MAX_BREAKS 16
#define MARGIN_NS 20000 /* no single steps nearer to the cut of a run */

static unsigned n_saves_wanted = 16;
static uint64_t seed;
static char *folder, *file;
static GRand *random_numbers;

/* ---- the unbroken run ---- */

typedef struct Whole {
    ExactEnd end;
    GString *out;
    GArray *trace;
    uint64_t booted_ns; /* when the boot sector was entered; 0: never */
    uint64_t search_ns; /* end of the time that is looked at */
    unsigned kinds;     /* met so far */
} Whole;

static void run_whole(Whole *whole, const ExactGuest *guest)
{
    ExactSubject subject;

    memset(whole, 0, sizeof(*whole));
    exact_subject_init(&subject, guest, folder);
    if (guest->how == EXACT_DISK) {
        ck_assert(emu_machine_add_breakpoint(subject.machine, 0x7c00, NULL));
        ck_assert_int_eq(exact_subject_run(&subject, guest->limit_us * UINT64_C(1000)).reason,
                         EMU_STOP_BREAKPOINT);
        ck_assert(emu_machine_remove_breakpoint(subject.machine, 0x7c00));
        whole->booted_ns = exact_subject_now(&subject);
    }
    exact_subject_finish(&subject, &whole->end);
    whole->search_ns = MIN(whole->end.ns, guest->limit_us * UINT64_C(1000));
    whole->out = g_string_new_len(subject.out->str, (gssize)subject.out->len);
    whole->trace = g_array_copy(subject.trace);
    exact_subject_clear(&subject);
}

static void whole_clear(Whole *whole)
{
    g_string_free(whole->out, TRUE);
    g_array_unref(whole->trace);
}

/* ---- a moment ---- */

typedef struct Pilot {
    ExactSubject subject;
    ExactTracking tracking;
    const Whole *whole;
    bool want_sector; /* stop within disk transfers, now and then */
} Pilot;

static struct {
    unsigned saves, processes, snapshots, live;
    unsigned kinds[EXACT_N_KINDS];
} count;

static void expect_rest(const char *is, const Whole *whole, size_t out_from, size_t trace_from,
                        const char *what)
{
    g_autofree char *was =
        exact_describe(&whole->end, whole->out, out_from, whole->trace, trace_from);

    ck_assert_msg(strcmp(is, was) == 0, "%s:\n  is  %s\n  was %s", what, is, was);
}

static void restore_file(ExactSubject *subject, const char *what)
{
    g_autoptr(GError) error = NULL;
    MemStateReader *reader = mem_state_reader_new(file, &error);

    ck_assert_msg(reader != NULL, "%s: %s", what, error != NULL ? error->message : "");
    ck_assert_msg(emu_restore(subject->machine, reader, NULL, &error), "%s: %s", what,
                  error != NULL ? error->message : "");
    mem_state_reader_free(reader);
}

static char *finish(ExactSubject *subject, size_t out_from, size_t trace_from)
{
    ExactEnd end;

    exact_subject_finish(subject, &end);
    return exact_describe(&end, subject->out, out_from, subject->trace, trace_from);
}

/* In a machine that has run other code, now and then. */
static char *finish_in_a_machine(const Pilot *pilot, const char *what)
{
    ExactSubject fresh;

    exact_subject_init(&fresh, pilot->subject.guest, folder);
    if (g_rand_int_range(random_numbers, 0, 3) == 0) {
        exact_subject_run(&fresh, pilot->whole->search_ns / 100 *
                                      (uint64_t)g_rand_int_range(random_numbers, 0, 90));
    }
    restore_file(&fresh, what);

    char *is = finish(&fresh, fresh.out->len, fresh.trace->len);

    exact_subject_clear(&fresh);
    return is;
}

static char *finish_in_a_process(const Pilot *pilot, const char *what)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    const char *argv[] = { self, "--go-on", pilot->subject.guest->name, folder, file, NULL };
    g_autoptr(GError) error = NULL;
    char *is = NULL;
    int status = -1;

    ck_assert_msg(g_spawn_sync(NULL, (char **)(uintptr_t)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL,
                               &is, NULL, &status, &error) &&
                      status == 0,
                  "%s: a process of its own ended with %d", what, status);
    count.processes++;
    return g_strstrip(is);
}

typedef struct Aside {
    EmuSnapshot *snapshot;
    ExactTracking tracking;
    size_t out_len, trace_len;
} Aside;

static void take_aside(Pilot *pilot, Aside *aside)
{
    aside->snapshot = emu_snapshot_take(pilot->subject.machine, "moment", true, NULL);
    ck_assert_ptr_nonnull(aside->snapshot);
    aside->tracking = pilot->tracking;
    aside->out_len = pilot->subject.out->len;
    aside->trace_len = pilot->subject.trace->len;
}

static void bring_back(Pilot *pilot, const Aside *aside, const char *what)
{
    g_autoptr(GString) report = g_string_new(NULL);

    emu_snapshot_restore(aside->snapshot);
    ck_assert_msg(emu_snapshot_check(aside->snapshot, report) == 0, "%s: %s", what, report->str);
    pilot->tracking = aside->tracking;
    g_string_truncate(pilot->subject.out, aside->out_len);
    g_array_set_size(pilot->subject.trace, (guint)aside->trace_len);
}

/* The guest runs on while it is saved; the file is of the end. Returns: false if the guest ended
 * before */
static bool save_live(Pilot *pilot)
{
    g_autoptr(GError) error = NULL;
    EmuLiveSave *save = emu_live_save_new(pilot->subject.machine, file, NULL, &error);
    PgmLiveProgress progress;

    ck_assert_msg(save != NULL, "%s", error != NULL ? error->message : "");
    for (unsigned i = 0; i < 6; i++) {
        uint64_t slice = (uint64_t)g_rand_int_range(random_numbers, 1, 3000);

        emu_live_save_step(save, (uint64_t)g_rand_int_range(random_numbers, 1, 200), &progress);
        if (exact_subject_run(&pilot->subject, exact_subject_now(&pilot->subject) + slice).reason !=
            EMU_STOP_TIME) {
            emu_live_save_free(save); /* the end has been told: there is no rest */
            return false;
        }
    }
    ck_assert_msg(emu_live_save_finish(save, &error), "%s", error != NULL ? error->message : "");
    emu_live_save_free(save);
    count.live++;
    return true;
}

static char *name_moment(const Pilot *pilot, unsigned kinds)
{
    GString *name = g_string_new(pilot->subject.guest->name);

    g_string_append_printf(name, " at %" PRIu64 " ns, seed %" PRIu64,
                           exact_subject_now(&pilot->subject), seed);
    for (unsigned k = 0; k < EXACT_N_KINDS; k++) {
        if ((kinds >> k & 1) != 0) {
            g_string_append_printf(name, ", %s", exact_kind_names[k]);
        }
    }
    return g_string_free(name, FALSE);
}

static void check_live(Pilot *pilot, const Aside *aside, const char *what)
{
    if (save_live(pilot)) {
        g_autofree char *live = finish_in_a_machine(pilot, what);

        expect_rest(live, pilot->whole, pilot->subject.out->len, pilot->subject.trace->len, what);
    }
    bring_back(pilot, aside, what);
}

static void check_moment(Pilot *pilot, unsigned kinds)
{
    g_autofree char *what = name_moment(pilot, kinds);
    g_autofree char *in_file = g_strdup_printf("file: %s", what);
    g_autofree char *in_process = g_strdup_printf("process: %s", what);
    g_autofree char *in_memory = g_strdup_printf("snapshot: %s", what);
    g_autofree char *is_live = g_strdup_printf("live: %s", what);
    g_autoptr(GError) error = NULL;
    size_t out_from = pilot->subject.out->len;
    size_t trace_from = pilot->subject.trace->len;
    Aside aside;

    ck_assert_msg(emu_save(pilot->subject.machine, file, NULL, &error), "%s: %s", what,
                  error != NULL ? error->message : "");
    take_aside(pilot, &aside);

    g_autofree char *fresh = finish_in_a_machine(pilot, in_file);

    expect_rest(fresh, pilot->whole, out_from, trace_from, in_file);
    if (count.saves % 5 == 0) {
        g_autofree char *other = finish_in_a_process(pilot, in_process);

        expect_rest(other, pilot->whole, out_from, trace_from, in_process);
    }
    /* Taking changed nothing; nor does coming back, in either direction of time. */
    for (unsigned i = 0; i < 2; i++) {
        g_autofree char *same = finish(&pilot->subject, out_from, trace_from);

        expect_rest(same, pilot->whole, out_from, trace_from, in_memory);
        bring_back(pilot, &aside, in_memory);
    }
    if (count.saves % 7 == 3) {
        check_live(pilot, &aside, is_live);
    }
    emu_snapshot_drop(aside.snapshot);
    count.saves++;
    count.snapshots++;
    for (unsigned k = 0; k < EXACT_N_KINDS; k++) {
        count.kinds[k] += kinds >> k & 1;
    }
}

/* ---- the search ---- */

static void on_pilot_port(void *user, bool write, uint16_t port, unsigned size, uint32_t value)
{
    Pilot *pilot = user;

    exact_track_port(&pilot->tracking, write, port, size, value);
    if (port == 0x1f0 && pilot->want_sector && g_rand_int_range(random_numbers, 0, 40) == 0) {
        emu_machine_request_stop(pilot->subject.machine);
    }
}

/* Kinds that are met too seldom yet. */
static unsigned wanted_kinds(void)
{
    unsigned wanted = 0;

    for (unsigned k = 0; k < EXACT_N_KINDS; k++) {
        wanted |= count.kinds[k] < MAX(n_saves_wanted / 20, 1) ? 1u << k : 0;
    }
    return wanted;
}

typedef struct Search {
    Pilot pilot;
    Whole *whole;
    unsigned wanted;
    GVirt breaks[MAX_BREAKS];
    unsigned n_breaks;
    uint64_t random_ns; /* when to save whatever the moment is; UINT64_MAX: done */
} Search;

static void consider(Search *search, uint64_t before, const uint8_t *code)
{
    unsigned kinds = exact_kinds_now(&search->pilot.subject, &search->pilot.tracking, before, code);
    bool at_random = exact_subject_now(&search->pilot.subject) >= search->random_ns;

    search->whole->kinds |= kinds;
    if ((kinds & search->wanted) != 0 || at_random) {
        search->pilot.want_sector = false;
        check_moment(&search->pilot, kinds);
        search->wanted &= ~kinds;
        search->pilot.want_sector = (search->wanted >> EXACT_IN_SECTOR & 1) != 0;
        search->random_ns = at_random ? UINT64_MAX : search->random_ns;
    }
}

/* Returns: TIME, or what ended the guest */
static EmuStop step_and_consider(Search *search)
{
    EmuStop stop = { .reason = EMU_STOP_TIME };
    ExactSubject *subject = &search->pilot.subject;

    for (unsigned i = 0; i < STEPS; i++) {
        UcCore *core = &subject->machine->core;
        uint8_t code[2] = { 0 };

        if (subject->machine->halted ||
            exact_subject_now(subject) + MARGIN_NS > search->whole->search_ns) {
            break;
        }
        uint64_t before = uc_core_linear_pc(core);

        uc_core_peek_code(core, code, sizeof(code));
        stop = exact_subject_step(subject);
        if (stop.reason != EMU_STOP_STEP) {
            return stop;
        }
        stop.reason = EMU_STOP_TIME;
        consider(search, before, code);
    }
    return stop;
}

/* Now and then right before a timer. */
static uint64_t next_stop(const Search *search, uint64_t slice)
{
    uint64_t now = exact_subject_now(&search->pilot.subject);
    const EmuClock *clock = search->pilot.subject.machine->clock;
    uint64_t next = now + 1 + (uint64_t)(g_rand_double(random_numbers) * (double)slice);
    uint64_t near = clock->next_deadline - (uint64_t)g_rand_int_range(random_numbers, 1, 900);

    if (clock->next_deadline != EMU_CLOCK_NEVER && near > now && near < now + 50 * slice &&
        g_rand_int_range(random_numbers, 0, 16) == 0) {
        next = near;
    }
    return MIN(next, search->whole->search_ns);
}

/* Where the boot sector's program changes between real and protected mode. */
static void set_mode_breakpoints(Search *search)
{
    static const uint8_t mov_cr0[] = { 0x0f, 0x22, 0xc0 };
    EmuMachine *machine = search->pilot.subject.machine;
    uint8_t code[0x800];

    ck_assert_int_eq(pgm_peek(emu_machine_pgm(machine), 0x7c00, code, sizeof(code)), MEM_OK);
    for (unsigned i = 0; i + sizeof(mov_cr0) <= sizeof(code); i++) {
        if (search->n_breaks < MAX_BREAKS && memcmp(code + i, mov_cr0, sizeof(mov_cr0)) == 0) {
            search->breaks[search->n_breaks++] = 0x7c00 + i;
            ck_assert(emu_machine_add_breakpoint(machine, 0x7c00 + i, NULL));
        }
    }
}

static void clear_mode_breakpoints(Search *search)
{
    for (unsigned i = 0; i < search->n_breaks; i++) {
        ck_assert(emu_machine_remove_breakpoint(search->pilot.subject.machine, search->breaks[i]));
    }
    search->n_breaks = 0;
}

static bool goes_on(const EmuStop *stop)
{
    return stop->reason == EMU_STOP_TIME || stop->reason == EMU_STOP_REQUEST ||
           stop->reason == EMU_STOP_BREAKPOINT;
}

static EmuStop search_from(Search *search, uint64_t start)
{
    ExactSubject *subject = &search->pilot.subject;
    uint64_t slice = MAX((search->whole->search_ns - start) / SAMPLES * 2, 4);
    bool once = subject->guest->no_steps;
    EmuStop stop = exact_subject_run(subject, once ? search->random_ns : start);

    if (once) {
        consider(search, EXACT_NO_PC, NULL);
        return stop;
    }
    while (goes_on(&stop) && exact_subject_now(subject) < search->whole->search_ns &&
           (search->wanted != 0 || search->random_ns != UINT64_MAX)) {
        consider(search, EXACT_NO_PC, NULL);
        stop = step_and_consider(search);
        if (goes_on(&stop)) {
            stop = exact_subject_run(subject, next_stop(search, slice));
        }
    }
    return stop;
}

/* Kinds that a guest showed never before are not looked for again, but in the first two passes. */
static void search_guest(const ExactGuest *guest, Whole *whole, unsigned pass)
{
    Search search = { .whole = whole, .wanted = wanted_kinds() };
    uint64_t start = 0, last = whole->search_ns;
    bool late = pass % 2 == 1 && whole->booted_ns != 0;

    search.wanted &= guest->no_steps ? 0 : pass < 2 ? ~0u : whole->kinds;
    if (pass != 0) {
        uint64_t from = late ? whole->booted_ns : 0;

        start = from + (uint64_t)(g_rand_double(random_numbers) * 0.8 * (double)(last - from));
        start = late && pass % 4 == 1 ? from : start;
    }
    search.random_ns =
        pass == 0 || count.saves >= n_saves_wanted
            ? UINT64_MAX
            : start + (uint64_t)(g_rand_double(random_numbers) * 0.99 * (double)(last - start));
    if (search.wanted == 0 && search.random_ns == UINT64_MAX) {
        return;
    }
    search.pilot.whole = whole;
    search.pilot.want_sector = (search.wanted >> EXACT_IN_SECTOR & 1) != 0;
    exact_subject_init(&search.pilot.subject, guest, folder);
    search.pilot.subject.on_port = on_pilot_port;
    search.pilot.subject.on_port_user = &search.pilot;
    if (late) {
        exact_subject_run(&search.pilot.subject, whole->booted_ns);
        set_mode_breakpoints(&search);
    }

    EmuStop stop = search_from(&search, start);

    clear_mode_breakpoints(&search);
    search.pilot.want_sector = false;

    g_autofree char *what = name_moment(&search.pilot, 0);
    ExactEnd end;

    if (goes_on(&stop)) {
        exact_subject_finish(&search.pilot.subject, &end);
    } else {
        exact_subject_end(&search.pilot.subject, &stop, &end);
    }
    g_autofree char *is =
        exact_describe(&end, search.pilot.subject.out, 0, search.pilot.subject.trace, 0);

    expect_rest(is, whole, 0, 0, what);
    exact_subject_clear(&search.pilot.subject);
}

static void shuffle(unsigned *order, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned k = (unsigned)g_rand_int_range(random_numbers, 0, (gint32)i + 1);

        order[i] = order[k];
        order[k] = i;
    }
}

static void print_counts(void)
{
    printf("%u saves (seed %" PRIu64 "), each restored and run to its end; %u in a process of "
           "their own, %u live; %u snapshots\n",
           count.saves, seed, count.processes, count.live, count.snapshots);
    for (unsigned k = 0; k < EXACT_N_KINDS; k++) {
        printf("  %-24s %u\n", exact_kind_names[k], count.kinds[k]);
    }
    fflush(stdout);
}

START_TEST(restored_machines_go_on_exactly)
{
    g_autofree Whole *wholes = g_new0(Whole, exact_n_guests);
    g_autofree unsigned *order = g_new0(unsigned, exact_n_guests);

    random_numbers = g_rand_new_with_seed((guint32)seed);
    exact_make_images(folder);
    for (unsigned i = 0; i < exact_n_guests; i++) {
        run_whole(&wholes[i], &exact_guests[i]);
    }
    for (unsigned pass = 0;
         pass < MAX_PASSES && (count.saves < n_saves_wanted || wanted_kinds() != 0); pass++) {
        shuffle(order, exact_n_guests);
        for (unsigned i = 0; i < exact_n_guests; i++) {
            search_guest(&exact_guests[order[i]], &wholes[order[i]], pass);
        }
    }
    print_counts();
    for (unsigned k = 0; k < EXACT_N_KINDS; k++) {
        ck_assert_msg(count.kinds[k] > 0, "no moment was met: %s", exact_kind_names[k]);
    }
    ck_assert_uint_ge(count.saves, n_saves_wanted);
    ck_assert_uint_gt(count.processes, 0);
    ck_assert_uint_gt(count.live, 0);
    for (unsigned i = 0; i < exact_n_guests; i++) {
        whole_clear(&wholes[i]);
    }
    exact_remove_images(folder);
    g_rand_free(random_numbers);
}
END_TEST

/* ---- the other process ---- */

static const char *child_guest; /* NULL: this is not it */

START_TEST(goes_on_here)
{
    for (unsigned i = 0; i < exact_n_guests; i++) {
        if (strcmp(exact_guests[i].name, child_guest) == 0) {
            ExactSubject subject;

            exact_subject_init(&subject, &exact_guests[i], folder);
            restore_file(&subject, child_guest);

            g_autofree char *is = finish(&subject, subject.out->len, subject.trace->len);

            puts(is);
            fflush(stdout);
            exact_subject_clear(&subject);
            return;
        }
    }
    ck_abort_msg("no guest '%s'", child_guest);
}
END_TEST

static int run_tests(void)
{
    Suite *suite = suite_create("exactness");
    TCase *tcase = tcase_create("exactness");

    tcase_set_timeout(tcase, 600);
    if (child_guest != NULL) {
        tcase_add_test(tcase, goes_on_here);
    } else {
        tcase_add_test(tcase, restored_machines_go_on_exactly);
    }
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, child_guest != NULL ? CK_SILENT : CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--go-on") == 0) {
        child_guest = argv[2];
        folder = argv[3];
        file = argv[4];
        return run_tests();
    }
    seed = (uint64_t)g_get_real_time() & 0xffffffff;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--saves") == 0) {
            n_saves_wanted = (unsigned)g_ascii_strtoull(argv[i + 1], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            seed = g_ascii_strtoull(argv[i + 1], NULL, 10);
        } else {
            fprintf(stderr, "usage: test-exactness [--saves N] [--seed N]\n");
            return EXIT_FAILURE;
        }
    }
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    folder = g_dir_make_tmp("quire-exact-XXXXXX", NULL);
    file = g_build_filename(folder, "state", NULL);

    int result = run_tests();

    g_unlink(file);
    exact_remove_images(folder);
    g_rmdir(folder);
    g_free(file);
    g_free(folder);
    return result;
}
