/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/rtc_calendar.h"

#include <check.h>
#include <glib.h>
#include <stdlib.h>

static const struct {
    int64_t seconds;
    RtcDate date;
} known[] = {
    { 0, { 1970, 1, 1, 0, 0, 0, 5 } },
    { 86399, { 1970, 1, 1, 23, 59, 59, 5 } },
    { 951782400, { 2000, 2, 29, 0, 0, 0, 3 } },
    { 978307199, { 2000, 12, 31, 23, 59, 59, 1 } },
    { 1700000000, { 2023, 11, 14, 22, 13, 20, 3 } },
    { 4107542400, { 2100, 3, 1, 0, 0, 0, 2 } }, /* 2100 is no leap year */
    { 253402300799, { 9999, 12, 31, 23, 59, 59, 6 } },
};

START_TEST(known_dates)
{
    RtcDate date;

    rtc_date_of_seconds(known[_i].seconds, &date);
    ck_assert_int_eq(date.year, known[_i].date.year);
    ck_assert_uint_eq(date.month, known[_i].date.month);
    ck_assert_uint_eq(date.day, known[_i].date.day);
    ck_assert_uint_eq(date.hour, known[_i].date.hour);
    ck_assert_uint_eq(date.minute, known[_i].date.minute);
    ck_assert_uint_eq(date.second, known[_i].date.second);
    ck_assert_uint_eq(date.weekday, known[_i].date.weekday);
    ck_assert_int_eq(rtc_seconds_of_date(&date), known[_i].seconds);
}
END_TEST

/* GLib has a calendar of its own. */
START_TEST(every_day_of_400_years_agrees_with_another_calendar)
{
    unsigned n_wrong = 0;

    for (int64_t day = 0; day < 146097; day++) {
        int64_t seconds = day * 86400 + day * 7919 % 86400;
        g_autoptr(GDateTime) other = g_date_time_new_from_unix_utc(seconds);
        RtcDate date;

        rtc_date_of_seconds(seconds, &date);
        n_wrong += date.year != g_date_time_get_year(other) ||
                   (int)date.month != g_date_time_get_month(other) ||
                   (int)date.day != g_date_time_get_day_of_month(other) ||
                   (int)date.hour != g_date_time_get_hour(other) ||
                   (int)date.minute != g_date_time_get_minute(other) ||
                   (int)date.second != g_date_time_get_second(other) ||
                   (int)date.weekday != g_date_time_get_day_of_week(other) % 7 + 1 ||
                   rtc_seconds_of_date(&date) != seconds;
    }
    ck_assert_uint_eq(n_wrong, 0);
}
END_TEST

START_TEST(parts_out_of_range_carry_over)
{
    RtcDate day_31 = {
        .year = 2023, .month = 4, .day = 31, .hour = 25, .minute = 61, .second = 61
    };
    RtcDate month_14 = { .year = 2022, .month = 14, .day = 1 };
    RtcDate zeros = { .year = 1970, .month = 0, .day = 0 };
    RtcDate date;

    rtc_date_of_seconds(rtc_seconds_of_date(&day_31), &date);
    ck_assert_uint_eq(date.month, 5);
    ck_assert_uint_eq(date.day, 2);
    ck_assert_uint_eq(date.hour, 2);
    ck_assert_uint_eq(date.minute, 2);
    ck_assert_uint_eq(date.second, 1);
    rtc_date_of_seconds(rtc_seconds_of_date(&month_14), &date);
    ck_assert_int_eq(date.year, 2023);
    ck_assert_uint_eq(date.month, 2);
    ck_assert_int_eq(rtc_seconds_of_date(&zeros), -86400);
    rtc_date_of_seconds(-86400, &date);
    ck_assert_int_eq(date.year, 1970);
}
END_TEST

static bool matches(const RtcAlarm *alarm, int64_t at)
{
    return (alarm->hour == RTC_ANY || alarm->hour == at / 3600 % 24) &&
           (alarm->minute == RTC_ANY || alarm->minute == at / 60 % 60) &&
           (alarm->second == RTC_ANY || alarm->second == at % 60);
}

START_TEST(alarms_agree_with_trying_every_second)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    unsigned n_wrong = 0;

    for (unsigned round = 0; round < 2000; round++) {
        RtcAlarm alarm = {
            .hour = g_rand_boolean(rand) ? RTC_ANY : (unsigned)g_rand_int_range(rand, 0, 24),
            .minute = g_rand_boolean(rand) ? RTC_ANY : (unsigned)g_rand_int_range(rand, 0, 60),
            .second = g_rand_boolean(rand) ? RTC_ANY : (unsigned)g_rand_int_range(rand, 0, 60),
        };
        int64_t from = g_rand_int_range(rand, 0, 3 * 86400);
        int64_t at = from;

        while (!matches(&alarm, at)) {
            at++;
        }
        n_wrong += rtc_next_alarm(&alarm, from) != at;
    }
    ck_assert_uint_eq(n_wrong, 0);
}
END_TEST

START_TEST(impossible_alarms_never_come)
{
    RtcAlarm hour = { 24, RTC_ANY, RTC_ANY };
    RtcAlarm minute = { RTC_ANY, 60, RTC_ANY };
    RtcAlarm second = { RTC_ANY, RTC_ANY, 60 };

    ck_assert_int_eq(rtc_next_alarm(&hour, 0), -1);
    ck_assert_int_eq(rtc_next_alarm(&minute, 0), -1);
    ck_assert_int_eq(rtc_next_alarm(&second, 0), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rtc-calendar");
    TCase *tcase = tcase_create("rtc-calendar");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, known_dates, 0, G_N_ELEMENTS(known));
    tcase_add_test(tcase, every_day_of_400_years_agrees_with_another_calendar);
    tcase_add_test(tcase, parts_out_of_range_carry_over);
    tcase_add_test(tcase, alarms_agree_with_trying_every_second);
    tcase_add_test(tcase, impossible_alarms_never_come);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
