/*
 * calendar.h - days and ISO 8601 by the Gregorian calendar, without the C library's time zone, which
 * belongs to the whole process. Local time is seconds since 1970 as a clock on the wall would count.
 */
#ifndef DAS_BASE_CALENDAR_H
#define DAS_BASE_CALENDAR_H

#include "core/base/buf.h"

#define DAS_DAY 86400 /* s */

/* Years that ISO 8601 can write: 0000 to 9999. */
#define DAS_UNIX_MIN (-62167219200)
#define DAS_UNIX_MAX 253402300799

/* Days since 1970-01-01; month 1 to 12, any year within a million of now. */
int64_t das_day_of(int64_t year, int month, int day);
void das_day_split(int64_t days, int64_t *year, int *month, int *day);
int das_weekday(int64_t days); /* 0 is Sunday */
int das_month_days(int64_t year, int month);

/* "2026-11-24T03:17:05Z", "2026-11-24 03:17+08:00", "20261124T031705.25Z" as Unix seconds, the
 * fraction cut off. The offset has to be there. DAS_E_DATA on anything else. */
int das_time_parse(struct das_text t, int64_t *unix_s, struct das_err *err);
/* offset: seconds east of UTC; "Z" for 0. unix_s within DAS_UNIX_MIN to DAS_UNIX_MAX. An offset with
 * seconds, as before there were time zones, is written without them and the clock set to match. */
void das_time_format(int64_t unix_s, int64_t offset, struct das_buf *b);

#endif
