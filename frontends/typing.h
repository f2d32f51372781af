/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of --type, given to the machine's typist: at once, or when the moment of their
 * --type-at was seen.
 */
#pragma once

#include "guest.h"
#include "moment-watch.h"

/**
 * fe_typing_leave_out_restored:
 * @options: of a run at whose beginning the guest's time is @now_ns
 *
 * For a run that goes on from a state, with a machine file that may be the one of the run that
 * saved: takes away those texts of the file that the state has, typed or waiting in the typist.
 * They are the ones without a moment, and those of a time up to @now_ns. Whether another moment was
 * seen before, a state does not tell: it is waited for anew. Texts of the command line stay.
 */
void fe_typing_leave_out_restored(FeRunOptions *options, uint64_t now_ns);

/**
 * fe_typing_start:
 *
 * Types what has no moment, in the order of the options.
 *
 * Returns: false with an error that names the option
 */
bool fe_typing_start(FeGuest *guest, GError **error);

/**
 * fe_typing_go_on:
 * @ret_typed: whether a moment had come
 *
 * Types what belongs to moments that have come.
 */
bool fe_typing_go_on(FeGuest *guest, FeMomentWatch *watch, bool *ret_typed, GError **error);

/* Tells of what was not typed when the run ended. */
void fe_typing_tell(const FeGuest *guest, const FeMomentWatch *watch);
