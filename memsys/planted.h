/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bugs on purpose. A fuzz target that finds nothing proves nothing unless it would find something:
 * a build with -Dplanted_bugs=true has one bug a target, and tests/fuzz/run.sh demands that each is
 * found. Every other build has none.
 *
 * A macro and nothing else, for memsys/, emu/ and devices/ alike, which is why its name has no
 * "-internal"; it is not installed, for users of the libraries have no use for it.
 */
#pragma once

#ifdef QUIRE_PLANTED_BUGS
#define QUIRE_PLANTED(target, good, bad) (bad)
#else
/* @target: the fuzz target that must find it. @bad is compiled into planted builds alone. */
#define QUIRE_PLANTED(target, good, bad) (good)
#endif
