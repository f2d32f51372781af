/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of `quire run` about saved states.
 */
#include "run-options-internal.h"

static bool set_restore(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->restore = fe_run_options_path(target, value);
    return true;
}

static bool set_save(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->save = fe_run_options_path(target, value);
    return true;
}

static bool set_save_at(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;

    options->save_at = fe_moment_parse(value, error);
    return options->save_at != NULL;
}

static bool set_save_live(void *target, G_GNUC_UNUSED const char *value,
                          G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->save_live = true;
    return true;
}

const FeOption fe_state_options[] = {
    FE_ONE("restore", "FILE", "machine.state",
           "go on from a saved state instead of power-on; what the machine is\n"
           "made of comes from the file",
           "Saved states", set_restore),
    FE_ONE("save", "FILE", "machine.state", "save the machine's state, at the end or at --save-at",
           NULL, set_save),
    FE_ONE("save-at", "MOMENT",
           "text:login:", "save at this moment (as --until has them) and go on", NULL, set_save_at),
    FE_FLAG("save-live",
            "let the guest run on while its memory is written; the state is\n"
            "that of the moment the file is complete",
            NULL, set_save_live),
    { 0 },
};
