/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same guest here and in QEMU: both pictures, pixel by pixel. QEMU's cursor blinks with the
 * host's time and ours does not: one of several pictures taken over more than a period must be
 * equal in every pixel.
 */
#include "qemu-screen.h"
#include "screens.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define N_DUMPS 12
#define DUMP_PAUSE 90000 /* us; the cursor's period is 532 ms */

/* NULL if they are equal; else what the first difference is. Free it. */
static char *first_difference(const DevPicture *ours, const DevPicture *theirs)
{
    if (ours->width != theirs->width || ours->height != theirs->height) {
        return g_strdup_printf("ours has %ux%u pixels, QEMU's %ux%u", ours->width, ours->height,
                               theirs->width, theirs->height);
    }
    size_t n = (size_t)ours->width * ours->height;
    size_t n_others = 0;
    size_t first = n;

    for (size_t i = n; i-- > 0;) {
        if (ours->pixels[i] != theirs->pixels[i]) {
            n_others++;
            first = i;
        }
    }
    return n_others == 0
               ? NULL
               : g_strdup_printf("%zu pixels differ, the first at x %zu, y %zu: ours %06" PRIx32
                                 ", QEMU's %06" PRIx32,
                                 n_others, first % ours->width, first / ours->width,
                                 ours->pixels[first], theirs->pixels[first]);
}

START_TEST(picture_is_that_of_qemu)
{
    const ScreenGuest *guest = &screen_guests[_i];
    g_autofree char *path = screen_guest_path(guest);
    g_autofree uint32_t *pixels = NULL;
    g_autofree char *difference = NULL;
    g_autoptr(GError) error = NULL;
    DevPicture ours;

    screen_guest_draw(guest, &ours, &pixels);

    QemuScreen *qemu = qemu_screen_new(path, &error);

    ck_assert_msg(qemu != NULL, "%s", error ? error->message : "");
    ck_assert_msg(qemu_screen_wait(qemu, "picture shown\n", 60), "%s: not shown in QEMU",
                  guest->name);
    for (unsigned i = 0; i < N_DUMPS && (i == 0 || difference != NULL); i++) {
        g_autofree uint32_t *their_pixels = NULL;
        DevPicture theirs = { 0 };

        g_clear_pointer(&difference, g_free);
        ck_assert_msg(qemu_screen_dump(qemu, &theirs.width, &theirs.height, &their_pixels, &error),
                      "%s", error ? error->message : "");
        theirs.pixels = their_pixels;
        difference = first_difference(&ours, &theirs);
        g_usleep(difference != NULL ? DUMP_PAUSE : 0);
    }
    qemu_screen_free(qemu);
    ck_assert_msg(difference == NULL, "%s: %s", guest->name, difference);
    g_print("equal: { \"%s\", UINT64_C(0x%016" PRIx64 ") }, %ux%u\n", guest->name,
            screen_hash(&ours), ours.width, ours.height);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screens like QEMU's");
    TCase *tcase = tcase_create("screens like QEMU's");

    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, picture_is_that_of_qemu, 0, (int)n_screen_guests);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
