/* calendar.c - see calendar.h. */
#include "core/base/calendar.h"

/* --- days --------------------------------------------------------------------------------------- */

/* The year is counted from March, so that the day that comes and goes is its last. 146097 days are
 * 400 years, and 719468 lie between 0000-03-01 and 1970-01-01. */
int64_t das_day_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void das_day_split(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097, d = z - era * 146097;
    int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t of_year = d - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

int das_weekday(int64_t days)
{
    int64_t w = (days + 4) % 7; /* 1970-01-01 was a Thursday */

    return (int)(w < 0 ? w + 7 : w);
}

int das_month_days(int64_t year, int month)
{
    return (int)(month == 12 ? 31 : das_day_of(year, month + 1, 1) - das_day_of(year, month, 1));
}

/* --- ISO 8601 ------------------------------------------------------------------------------------ */

/* n digits at *t; -1 when they are not. */
static int digits(struct das_text *t, size_t n)
{
    int v = 0;

    if (t->len < n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (!das_is_digit((unsigned char)t->ptr[i]))
            return -1;
        v = v * 10 + t->ptr[i] - '0';
    }
    t->ptr += n;
    t->len -= n;
    return v;
}

static bool skip(struct das_text *t, const char *any_of)
{
    if (!t->len || !t->ptr[0] || !strchr(any_of, t->ptr[0]))
        return false;
    t->ptr++;
    t->len--;
    return true;
}

struct clock_time {
    int hour, minute, second;
};

static bool parse_clock(struct das_text *t, bool dashes, struct clock_time *c)
{
    c->second = 0;
    c->hour = digits(t, 2);
    if (c->hour < 0 || (dashes && !skip(t, ":")))
        return false;
    c->minute = digits(t, 2);
    if (c->minute < 0)
        return false;
    if (dashes ? skip(t, ":") : t->len && das_is_digit((unsigned char)t->ptr[0])) {
        c->second = digits(t, 2);
        if (c->second < 0)
            return false;
        if (skip(t, ".,")) {
            if (digits(t, 1) < 0)
                return false;
            while (digits(t, 1) >= 0)
                ;
        }
    }
    return c->hour <= 23 && c->minute <= 59 && c->second <= 60; /* 60: a leap second */
}

/* "Z", "+08:00", "+0800" or "+08", the rest of t. */
static bool parse_offset(struct das_text *t, int64_t *offset)
{
    int hours, minutes = 0;
    bool west;

    *offset = 0;
    if (skip(t, "Zz"))
        return t->len == 0;
    west = t->len && t->ptr[0] == '-';
    if (!skip(t, "+-"))
        return false;
    hours = digits(t, 2);
    if (t->len) {
        skip(t, ":");
        minutes = digits(t, 2);
    }
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || t->len)
        return false;
    *offset = (hours * 60 + minutes) * (west ? -60 : 60);
    return true;
}

int das_time_parse(struct das_text t, int64_t *unix_s, struct das_err *err)
{
    static const char expected[] = "expected a time as in 2026-11-24T03:17:05Z or "
                                   "2026-11-24T11:17:05+08:00";
    int year, month, day;
    struct clock_time c;
    int64_t offset;
    bool dashes;

    year = digits(&t, 4);
    dashes = skip(&t, "-");
    month = digits(&t, 2);
    if (year < 0 || month < 0 || (dashes && !skip(&t, "-")))
        return das_fail(err, DAS_E_DATA, "%s", expected);
    day = digits(&t, 2);
    if (day < 0 || !skip(&t, "Tt ") || !parse_clock(&t, dashes, &c))
        return das_fail(err, DAS_E_DATA, "%s", expected);
    if (month < 1 || month > 12 || day < 1 || day > das_month_days(year, month))
        return das_fail(err, DAS_E_DATA, "there is no day %04d-%02d-%02d", year, month, day);
    if (!t.len)
        return das_fail(err, DAS_E_DATA, "a time without its offset from UTC; %s", expected);
    if (!parse_offset(&t, &offset))
        return das_fail(err, DAS_E_DATA, "%s", expected);
    *unix_s = das_day_of(year, month, day) * DAS_DAY + c.hour * 3600 + c.minute * 60 + c.second -
              offset;
    return 0;
}

void das_time_format(int64_t unix_s, int64_t offset, struct das_buf *b)
{
    int64_t minutes = offset / 60, local = unix_s + minutes * 60, days, second, year;
    int64_t west = minutes < 0 ? -minutes : minutes;
    int month, day;

    days = (local >= 0 ? local : local - DAS_DAY + 1) / DAS_DAY;
    second = local - days * DAS_DAY;
    das_day_split(days, &year, &month, &day);
    das_buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month, day, (int)(second / 3600),
                   (int)(second / 60 % 60), (int)(second % 60));
    if (minutes)
        das_buf_printf(b, "%c%02d:%02d", minutes < 0 ? '-' : '+', (int)(west / 60),
                       (int)(west % 60));
    else
        das_buf_char(b, 'Z');
}
