/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one grammar of everything people type: sizes, addresses, ranges, seconds, dates, FILE@ADDRESS
 * and the like. Each parser takes a whole string, refuses what it does not understand all of, and
 * leaves its output alone then. Each fe_format_x() writes what fe_parse_x() reads back as the same
 * value.
 *
 *   SIZE     DIGITS then K, M, G or T (1024 each), or 0xHEX bytes; a bare number is refused
 *   ADDRESS  HEX, with or without 0x
 *   RANGE    ADDRESS+SIZE, or ADDRESS-ADDRESS with the second one outside
 *   SECONDS  DIGITS, with up to nine more behind a point
 *   DATE     YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SS, both UTC; a Z at the end is welcome
 *
 * Errors are EMU_ERROR_INVALID and quote the text; the caller puts the option's name in front.
 *
 * Source: ours; suffixes and FILE@ADDRESS as users of emulators know them.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Bytes [start, start + len); len is never 0 and the end never past 2^64. */
typedef struct FeRange {
    uint64_t start;
    uint64_t len;
} FeRange;

/* The longest time that is understood: some thirty years. */
#define FE_SECONDS_MAX UINT64_C(1000000000)

bool fe_parse_size(const char *text, uint64_t *ret_bytes, GError **error);
bool fe_parse_address(const char *text, uint64_t *ret_address, GError **error);
bool fe_parse_range(const char *text, FeRange *ret_range, GError **error);

/* Nanoseconds; 0 is a time like any other. */
bool fe_parse_seconds(const char *text, uint64_t *ret_ns, GError **error);

/* Seconds since 1970 UTC; years 1980 to 2099, which is what a PC's clock chip and firmware agree
 * on. */
bool fe_parse_date(const char *text, int64_t *ret_seconds, GError **error);

/**
 * fe_parse_file_at_address, fe_parse_file_at_range:
 * @ret_path: (transfer full): what stands before the last '@', so that a path may hold one
 */
bool fe_parse_file_at_address(const char *text, char **ret_path, uint64_t *ret_address,
                              GError **error);
bool fe_parse_file_at_range(const char *text, char **ret_path, FeRange *ret_range, GError **error);

/**
 * fe_parse_drive:
 * @text: FILE or FILE,rw; another plain word behind the last comma is refused, so that a mistyped
 * one is not taken for a part of the name
 * @ret_path: (transfer full)
 */
bool fe_parse_drive(const char *text, char **ret_path, bool *ret_writable, GError **error);

/* (transfer full) */
char *fe_format_size(uint64_t bytes);
char *fe_format_address(uint64_t address);
char *fe_format_range(const FeRange *range);
char *fe_format_seconds(uint64_t ns);
/* @seconds: as fe_parse_date() has them */
char *fe_format_date(int64_t seconds);
