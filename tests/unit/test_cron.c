/* test_cron.c - cron expressions: what they mean, what is refused, and when they strike next, also
 * where the clock jumps. */
#include "core/base/cron.h"

#include "core/base/calendar.h"
#include "tests/unit/kit.h"

static struct das_err err;
static struct das_zone *utc, *berlin, *new_york, *lord_howe, *apia;

static struct das_zone *zone(const char *name)
{
    struct das_zone *z = das_zone_load(name, &err);

    if (!z) {
        tap_diag("%s", err.msg);
        exit(1);
    }
    return z;
}

static int64_t moment(const char *text)
{
    int64_t at = 0;

    if (das_time_parse(das_text_of(text), &at, &err) < 0) {
        tap_diag("%s: %s", text, err.msg);
        exit(1);
    }
    return at;
}

/* The next count moments after from, as a clock of z shows them, with its offset. */
static const char *strikes(const char *text, const struct das_zone *z, const char *from, int count)
{
    static char out[4000];
    struct das_buf b = {0};
    struct das_cron c;
    int64_t at = moment(from);

    if (das_cron_parse(das_text_of(text), &c, &err) < 0)
        return err.msg;
    for (int i = 0; i < count; i++) {
        if (!das_cron_next(&c, z, at, &at)) {
            das_buf_str(&b, i ? " never" : "never");
            break;
        }
        if (i)
            das_buf_char(&b, ' ');
        das_time_format(at, das_zone_offset(z, at), &b);
    }
    snprintf(out, sizeof out, "%s", b.ptr ? b.ptr : "");
    das_buf_clear(&b);
    return out;
}

#define STRIKES(text, z, from, count, want) \
    is_str(strikes(text, z, from, count), want, "%s after %s", text, from)

static void test_fields(void)
{
    STRIKES("* * * * *", utc, "2026-11-24T03:17:05Z", 2,
            "2026-11-24T03:18:00Z 2026-11-24T03:19:00Z");
    STRIKES("* * * * *", utc, "2026-11-24T03:17:00Z", 1, "2026-11-24T03:18:00Z");
    STRIKES("*/5 * * * *", utc, "2026-11-24T03:57:05Z", 2,
            "2026-11-24T04:00:00Z 2026-11-24T04:05:00Z");
    STRIKES("0,30 9-17/4 * * *", utc, "2026-11-24T09:30:00Z", 3,
            "2026-11-24T13:00:00Z 2026-11-24T13:30:00Z 2026-11-24T17:00:00Z");
    STRIKES("5/20 0 * * *", utc, "2026-11-24T00:00:00Z", 3,
            "2026-11-24T00:05:00Z 2026-11-24T00:25:00Z 2026-11-24T00:45:00Z");
    STRIKES("59 23 31 12 *", utc, "2026-11-24T00:00:00Z", 2,
            "2026-12-31T23:59:00Z 2027-12-31T23:59:00Z");
    STRIKES("0 0 1 JAN,jul *", utc, "2026-11-24T00:00:00Z", 2,
            "2027-01-01T00:00:00Z 2027-07-01T00:00:00Z");
    STRIKES("0 22 * * Mon-Fri", utc, "2026-11-27T22:00:00Z", 1, "2026-11-30T22:00:00Z");
    STRIKES("0 0 * * 0", utc, "2026-11-24T00:00:00Z", 1, "2026-11-29T00:00:00Z");
    STRIKES("0 0 * * 7", utc, "2026-11-24T00:00:00Z", 1, "2026-11-29T00:00:00Z");
    STRIKES("0 0 * * fri-sun", utc, "2026-11-24T00:00:00Z", 4,
            "2026-11-27T00:00:00Z 2026-11-28T00:00:00Z 2026-11-29T00:00:00Z "
            "2026-12-04T00:00:00Z");
    STRIKES("0 0 * * */2", utc, "2026-11-29T00:00:00Z", 4,
            "2026-12-01T00:00:00Z 2026-12-03T00:00:00Z 2026-12-05T00:00:00Z "
            "2026-12-06T00:00:00Z");
    STRIKES("  0\t0 1   * * ", utc, "2026-11-24T00:00:00Z", 1, "2026-12-01T00:00:00Z");
}

static void test_days(void)
{
    STRIKES("0 0 13 * fri", utc, "2026-11-01T00:00:00Z", 4,
            "2026-11-06T00:00:00Z 2026-11-13T00:00:00Z 2026-11-20T00:00:00Z "
            "2026-11-27T00:00:00Z");
    STRIKES("0 0 15 * mon", utc, "2026-11-10T00:00:00Z", 3,
            "2026-11-15T00:00:00Z 2026-11-16T00:00:00Z 2026-11-23T00:00:00Z");
    STRIKES("0 0 */10 * mon", utc, "2026-11-01T00:00:00Z", 2,
            "2026-12-21T00:00:00Z 2027-01-11T00:00:00Z"); /* a star: both have to fit */
    STRIKES("0 0 29 2 *", utc, "2026-11-24T00:00:00Z", 2,
            "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z");
    STRIKES("0 0 29 2 *", utc, "2096-03-01T00:00:00Z", 1, "2104-02-29T00:00:00Z");
    STRIKES("0 0 31 * *", utc, "2027-01-31T00:00:00Z", 2,
            "2027-03-31T00:00:00Z 2027-05-31T00:00:00Z");
    STRIKES("0 0 30 2 *", utc, "2026-11-24T00:00:00Z", 1, "never");
    STRIKES("* * 31 4,6,9,11 *", utc, "2026-11-24T00:00:00Z", 1, "never");
}

/* Europe/Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00. */
static void test_jumps(void)
{
    STRIKES("30 2 * * *", berlin, "2026-03-27T12:00:00Z", 3,
            "2026-03-28T02:30:00+01:00 2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00");
    STRIKES("0,20,40 2,3 29 3 *", berlin, "2026-03-28T12:00:00Z", 4,
            "2026-03-29T03:00:00+02:00 2026-03-29T03:20:00+02:00 2026-03-29T03:40:00+02:00 "
            "2027-03-29T02:00:00+02:00"); /* three times that were skipped, one run */
    STRIKES("30 2 * * *", berlin, "2026-10-24T12:00:00Z", 2,
            "2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00");
    STRIKES("30 2 * * *", berlin, "2026-10-25T01:10:00Z", 1, /* in the second hour */
            "2026-10-26T02:30:00+01:00");
    STRIKES("0 3 * * *", berlin, "2026-10-25T00:59:00Z", 1, "2026-10-25T03:00:00+01:00");
    STRIKES("*/30 * * * *", berlin, "2026-03-29T00:15:00Z", 3,
            "2026-03-29T01:30:00+01:00 2026-03-29T03:00:00+02:00 2026-03-29T03:30:00+02:00");
    STRIKES("*/30 * * * *", berlin, "2026-10-25T00:15:00Z", 4,
            "2026-10-25T02:30:00+02:00 2026-10-25T02:00:00+01:00 2026-10-25T02:30:00+01:00 "
            "2026-10-25T03:00:00+01:00");
    STRIKES("30 1 * * *", new_york, "2026-11-01T04:00:00Z", 2,
            "2026-11-01T01:30:00-04:00 2026-11-02T01:30:00-05:00");
    /* half an hour of summer time: at 02:00 it is 01:30 again, or 02:30 */
    STRIKES("45 1 * * *", lord_howe, "2026-04-04T12:00:00Z", 2,
            "2026-04-05T01:45:00+11:00 2026-04-06T01:45:00+10:30");
    STRIKES("15 2 * * *", lord_howe, "2026-10-03T12:00:00Z", 1, "2026-10-04T02:30:00+11:00");
    /* a day that there was not: 2011-12-30 in Samoa */
    STRIKES("0 12 30 12 *", apia, "2011-12-28T00:00:00Z", 2,
            "2011-12-31T00:00:00+14:00 2012-12-30T12:00:00+14:00");
}

static void refuse(const char *text, const char *why)
{
    struct das_cron c;

    ok(das_cron_parse(das_text_of(text), &c, &err) < 0 && err.code == DAS_E_USAGE &&
           strstr(err.msg, why),
       "\"%s\" is refused: %s", text, err.msg);
}

static void test_refused(void)
{
    refuse("", "five fields");
    refuse("* * * *", "five fields");
    refuse("* * * * * *", "five fields");
    refuse("@daily", "five fields");
    refuse("60 * * * *", "minute: expected");
    refuse("* 24 * * *", "hour: expected");
    refuse("* * 0 * *", "day of the month: expected");
    refuse("* * 32 * *", "day of the month: expected");
    refuse("* * * 13 *", "month: expected");
    refuse("* * * foo *", "month: expected");
    refuse("* * * 0 *", "month: expected");
    refuse("* * * * 8", "day of the week: expected");
    refuse("* * * * monday", "day of the week: expected");
    refuse("mon * * * *", "minute: expected");
    refuse("*/0 * * * *", "minute: expected");
    refuse("*/60 * * * *", "minute: expected");
    refuse("5-1 * * * *", "minute: expected");
    refuse("1- * * * *", "minute: expected");
    refuse("-1 * * * *", "minute: expected");
    refuse("+1 * * * *", "minute: expected");
    refuse("1,,2 * * * *", "minute: expected");
    refuse(",1 * * * *", "minute: expected");
    refuse("1, * * * *", "minute: expected");
    refuse("1/ * * * *", "minute: expected");
    refuse("*/5/2 * * * *", "minute: expected");
    refuse("1-5-7 * * * *", "minute: expected");
    refuse("** * * * *", "minute: expected");
    refuse("99999999999999999999 * * * *", "minute: expected");
    refuse("? * * * *", "minute: expected");
}

/* --- the same, found by trying every minute -----------------------------------------------------
 */

static bool shows(const struct das_cron *c, const struct das_zone *z, int64_t at)
{
    int64_t local = at + das_zone_offset(z, at), day = local / DAS_DAY, year;
    int month, mday, minute = (int)(local % DAS_DAY / 60);
    bool in_month, in_week;

    das_day_split(day, &year, &month, &mday);
    in_month = c->days >> mday & 1;
    in_week = c->weekdays >> das_weekday(day) & 1;
    return c->months >> month & 1 && c->hours >> (minute / 60) & 1 &&
           c->minutes >> (minute % 60) & 1 &&
           (c->any_day || c->any_weekday ? in_month && in_week : in_month || in_week);
}

static void random_field(struct das_buf *b, int least, int most)
{
    int first = least + (int)kit_below((size_t)(most - least + 1));
    int last = first + (int)kit_below((size_t)(most - first + 1));

    switch (kit_below(5)) {
    case 0:
        das_buf_str(b, "* ");
        return;
    case 1:
        das_buf_printf(b, "*/%d ", 1 + (int)kit_below(7));
        return;
    case 2:
        das_buf_printf(b, "%d-%d/%d ", first, last, 1 + (int)kit_below(7));
        return;
    case 3:
        das_buf_printf(b, "%d,%d ", first, last);
        return;
    default:
        das_buf_printf(b, "%d-%d ", first, last);
    }
}

/* Away from jumps of the clock the meaning is simple: the next minute that shows it. */
static void test_all_minutes(void)
{
    int wrong = 0, found = 0;

    for (int i = 0; i < 400; i++) {
        int64_t from = moment("2026-05-01T00:00:00Z") + (int64_t)kit_below(100 * DAS_DAY);
        int64_t end = from + 20 * DAS_DAY, at = from - from % 60 + 60, got;
        const struct das_zone *z = i % 2 ? berlin : utc;
        struct das_buf b = {0};
        struct das_cron c;
        bool good;
        random_field(&b, 0, 59);
        random_field(&b, 0, 23);
        random_field(&b, 1, 31);
        random_field(&b, 5, 12);
        random_field(&b, 0, 7);
        if (das_cron_parse(das_buf_view(&b), &c, &err) < 0) {
            tap_diag("%s: %s", b.ptr, err.msg);
            exit(1);
        }
        while (at <= end && !shows(&c, z, at))
            at += 60;
        good = das_cron_next(&c, z, from, &got);
        found += at <= end;
        if (at <= end ? !good || got != at : good && got <= end) {
            wrong++;
            tap_diag("%s after %lld: %lld, expected %lld", b.ptr, (long long)from, (long long)got,
                     (long long)at);
        }
        das_buf_clear(&b);
    }
    ok(found > 100, "%d expressions strike within 20 days", found);
    is_int(wrong, 0, "each when a search through all minutes says");
}

int main(void)
{
    kit_seed(8);
    utc = zone("UTC");
    berlin = zone("Europe/Berlin");
    new_york = zone("America/New_York");
    lord_howe = zone("Australia/Lord_Howe");
    apia = zone("Pacific/Apia");
    test_fields();
    test_days();
    test_jumps();
    test_refused();
    test_all_minutes();
    das_zone_free(utc);
    das_zone_free(berlin);
    das_zone_free(new_york);
    das_zone_free(lord_howe);
    das_zone_free(apia);
    return tap_done();
}
