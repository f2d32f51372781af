/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dates for the clock chip: seconds since 1970 to year, month, day and back, in the Gregorian
 * calendar; and the next time an alarm matches.
 *
 * Source: ours; the calendar's rules are common knowledge.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct RtcDate {
    int64_t year;     /* 1970 or later */
    unsigned month;   /* 1 to 12 */
    unsigned day;     /* 1 to 31 */
    unsigned hour;    /* 0 to 23 */
    unsigned minute;  /* 0 to 59 */
    unsigned second;  /* 0 to 59 */
    unsigned weekday; /* 1 to 7, 1 is Sunday */
} RtcDate;

/* Negative @seconds count as 0. */
void rtc_date_of_seconds(int64_t seconds, RtcDate *ret_date);

/* Out-of-range parts carry over (day 31 of April is 1 May); the weekday is ignored. */
int64_t rtc_seconds_of_date(const RtcDate *date);

/* An alarm: each part a number or anything. */
#define RTC_ANY 255u

typedef struct RtcAlarm {
    unsigned hour, minute, second;
} RtcAlarm;

/* The first matching second at or after @from (not negative), or -1 if there never is one. */
int64_t rtc_next_alarm(const RtcAlarm *alarm, int64_t from);
