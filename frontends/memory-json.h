/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures of memory for programs: the same data as JSON, written as it is found, so that no more
 * of it is in memory than a piece. Addresses and sizes in bytes are strings in hexadecimal, as
 * "0xfffc0000"; times are integers of guest nanoseconds.
 *
 * A map:
 *   { "quire": "0.1.0", "what": "memory-picture", "version": 1, "title": "bios.bin, 128M of RAM",
 *     "guest_ns": 17000000, "page_size": 4096,
 *     "counted": { "all": 32896, "private": 268, ... },   as in the summary: all pages there are
 *     "shown": { "executed": 58, "RAM, zero": 32500, ... }, those in the address space
 *     "ranges": [
 *       { "kind": "RAM", "name": "Conventional RAM", "owner": "", "start": "0x0",
 *         "size": "0xa0000", "over_ram": false, "shadowed": false,
 *         "runs": [
 *           { "start": "0x0", "pages": 1, "type": "RAM", "state": "allocated",
 *             "handler": "none", "executed": false }, ... ] }, ... ] }
 *
 * A film:
 *   { "quire": ..., "what": "memory-film", "version": 1, "title": ..., "guest_ns": ...,
 *     "page_size": 4096, "unit_pages": 1,
 *     "start_ns": 0, "end_ns": 17000000, "slice_ns": 40000,
 *     "slices": [ 3, 0, 12, ... ],                        units written in each
 *     "units": [
 *       { "start": "0x6000", "n": 2, "written": [ [ 0, 3 ], [ 17, 1 ] ] }, ... ] }
 * of which "n" neighbouring units of "unit_pages" pages each were written in the same slices: in 3
 * slices from slice 0 on, in 1 from 17 on. A unit of memory that was mapped nowhere also has
 * "unmapped": its name, and starts within it; past 127 such memories it is "(more)" for all others
 * together.
 *
 * Members may be added; "version" changes if one changes its meaning.
 */
#pragma once

#include "memory-film.h"
#include "memory-picture.h"

/* Both: returns false with an error that names @path, and what was there before is still there. */
bool fe_memory_map_write_json(Pgm *pgm, const FeMemoryTitle *title, const char *path,
                              GError **error);
bool fe_memory_film_write_json(FeMemoryFilm *film, const FeMemoryTitle *title, const char *path,
                               GError **error);
