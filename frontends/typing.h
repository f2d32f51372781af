/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of --type, given to the machine's typist: at once, or when the moment of their
 * --type-at was seen.
 */
#pragma once

#include "guest.h"
#include "moment-watch.h"

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
