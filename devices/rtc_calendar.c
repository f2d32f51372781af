/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dates and alarms of the clock chip. Source: ours. */
#include "devices/rtc_calendar.h"

#define SECONDS_PER_DAY 86400

/* Days before 1 January of @year, counted from 1 January of year 1. */
static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1;

    return y * 365 + y / 4 - y / 100 + y / 400;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_in_month(int64_t year, unsigned month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

void rtc_date_of_seconds(int64_t seconds, RtcDate *ret_date)
{
    int64_t clamped = seconds < 0 ? 0 : seconds;
    int64_t day = clamped / SECONDS_PER_DAY + days_before_year(1970);
    unsigned in_day = (unsigned)(clamped % SECONDS_PER_DAY);
    int64_t year = day * 400 / 146097 + 1; /* 146097 days in 400 years; off by one at most */

    while (days_before_year(year) > day) {
        year--;
    }
    while (days_before_year(year + 1) <= day) {
        year++;
    }

    unsigned rest = (unsigned)(day - days_before_year(year));
    unsigned month = 1;

    while (rest >= days_in_month(year, month)) {
        rest -= days_in_month(year, month);
        month++;
    }
    *ret_date = (RtcDate) {
        .year = year,
        .month = month,
        .day = rest + 1,
        .hour = in_day / 3600,
        .minute = in_day / 60 % 60,
        .second = in_day % 60,
        .weekday = (unsigned)((day + 1) % 7) + 1, /* 1 January of year 1 was a Monday */
    };
}

int64_t rtc_seconds_of_date(const RtcDate *date)
{
    /* Twelve months a year; month 0 is taken as January. */
    unsigned months = date->month == 0 ? 0 : date->month - 1;
    int64_t year = date->year + months / 12;
    int64_t days = days_before_year(year) - days_before_year(1970);

    for (unsigned month = 1; month <= months % 12; month++) {
        days += days_in_month(year, month);
    }
    days += (int64_t)date->day - 1;
    return days * SECONDS_PER_DAY + (int64_t)date->hour * 3600 + (int64_t)date->minute * 60 +
           date->second;
}

static bool part_matches(unsigned part, unsigned value)
{
    return part == RTC_ANY || part == value;
}

/* Within one day, at or after @from; -1 if there is none. */
static int64_t alarm_in_day(const RtcAlarm *alarm, unsigned from)
{
    for (unsigned minute = from / 60; minute < 24 * 60; minute++) {
        unsigned first_second = minute == from / 60 ? from % 60 : 0;

        if (!part_matches(alarm->hour, minute / 60)) {
            minute = (minute / 60 + 1) * 60 - 1; /* to the next hour */
        } else if (!part_matches(alarm->minute, minute % 60)) {
            continue;
        } else if (alarm->second == RTC_ANY) {
            return (int64_t)minute * 60 + first_second;
        } else if (alarm->second >= first_second) {
            return (int64_t)minute * 60 + alarm->second;
        }
    }
    return -1;
}

static bool part_is_possible(unsigned part, unsigned limit)
{
    return part == RTC_ANY || part < limit;
}

int64_t rtc_next_alarm(const RtcAlarm *alarm, int64_t from)
{
    if (!part_is_possible(alarm->hour, 24) || !part_is_possible(alarm->minute, 60) ||
        !part_is_possible(alarm->second, 60)) {
        return -1;
    }

    int64_t day = from / SECONDS_PER_DAY;
    int64_t found = alarm_in_day(alarm, (unsigned)(from % SECONDS_PER_DAY));

    if (found < 0) {
        day++;
        found = alarm_in_day(alarm, 0);
    }
    return day * SECONDS_PER_DAY + found;
}
