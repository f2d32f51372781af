/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --type and --type-at; see typing.h.
 */
#include "typing.h"

#include "say.h"

static bool type(FeGuest *guest, const FeTyped *typed, GError **error)
{
    if (!dev_typist_type(dev_pc_typist(guest->pc), typed->text, error)) {
        g_prefix_error(error, "--type '%s': ", typed->text);
        return false;
    }
    return true;
}

/* A state has what its run was given to type up to then. Of moments it tells its own time alone. */
static bool is_in_state(const FeTyped *typed, uint64_t now_ns)
{
    return typed->at == NULL || (typed->at->kind == FE_MOMENT_TIME && typed->at->value <= now_ns);
}

void fe_typing_leave_out_restored(FeRunOptions *options, uint64_t now_ns)
{
    for (unsigned i = options->restore != NULL ? options->n_typed_in_file : 0; i-- > 0;) {
        if (is_in_state(&g_array_index(options->typed, FeTyped, i), now_ns)) {
            g_array_remove_index(options->typed, i);
            options->n_typed_in_file--;
        }
    }
}

bool fe_typing_start(FeGuest *guest, GError **error)
{
    const GArray *texts = guest->options->typed;

    for (unsigned i = 0; i < texts->len; i++) {
        const FeTyped *typed = &g_array_index(texts, FeTyped, i);

        if (typed->at == NULL && !type(guest, typed, error)) {
            return false;
        }
    }
    return true;
}

bool fe_typing_go_on(FeGuest *guest, FeMomentWatch *watch, bool *ret_typed, GError **error)
{
    const GArray *texts = guest->options->typed;
    const FeMoment *moment = NULL;

    *ret_typed = false;
    while ((moment = fe_moment_watch_take_typing(watch)) != NULL) {
        *ret_typed = true;
        for (unsigned i = 0; i < texts->len; i++) {
            const FeTyped *typed = &g_array_index(texts, FeTyped, i);

            if (typed->at == moment && !type(guest, typed, error)) {
                return false;
            }
        }
    }
    return true;
}

void fe_typing_tell(const FeGuest *guest, const FeMomentWatch *watch)
{
    const FeMoment *moment = fe_moment_watch_next_typing(watch);
    size_t n_waiting = dev_typist_waiting(dev_pc_typist(guest->pc));

    if (moment != NULL) {
        g_autofree char *text = fe_moment_format(moment);

        fe_say("--type-at %s was not seen: its text was not typed", text);
    }
    if (n_waiting > 0) {
        fe_say("--type: %zu key%s not typed yet: the guest took no more", n_waiting,
               n_waiting == 1 ? " is" : "s are");
    }
}
