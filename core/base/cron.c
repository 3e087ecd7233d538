/* cron.c - see cron.h. */
#include "core/base/cron.h"

#include "core/base/calendar.h"

/* In 40 years every date has every day of the week once, also around a year such as 2100 that has
 * no 29 February. */
#define DAYS_AHEAD (366 * 41)
#define EVERY_HOUR ((1u << 24) - 1)

/* --- reading ---------------------------------------------------------------------------------- */

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct field {
    const char *name, *what;
    int least, most;
    const char *const *names; /* of least and what follows; NULL: numbers only */
    int name_count;
} fields[5] = {
    {"minute", "0 to 59", 0, 59, NULL, 0},
    {"hour", "0 to 23", 0, 23, NULL, 0},
    {"day of the month", "1 to 31", 1, 31, NULL, 0},
    {"month", "1 to 12 or jan to dec", 1, 12, month_names, 12},
    {"day of the week", "0 to 7 or sun to sat", 0, 7, day_names, 7},
};

static int expected(const struct field *f, struct das_text whole, struct das_err *err)
{
    return das_fail(err, DAS_E_USAGE,
                    "%s: expected \"*\", %s, a range, a list or a step such as \"*/5\", got "
                    "\"%.*s\"",
                    f->name, f->what, (int)(whole.len < 40 ? whole.len : 40), whole.ptr);
}

static bool number(struct das_text t, int64_t least, int64_t most, int64_t *out)
{
    return t.len && das_is_digit((unsigned char)t.ptr[0]) && t.len <= 4 && das_parse_int(t, out) &&
           *out >= least && *out <= most;
}

static bool value(const struct field *f, struct das_text t, int64_t *out)
{
    for (int i = 0; i < f->name_count; i++) {
        if (das_text_iis(t, f->names[i])) {
            *out = f->least + i;
            return true;
        }
    }
    return number(t, f->least, f->most, out);
}

/* Cuts t at the first c; false where there is none. */
static bool cut(struct das_text *t, char c, struct das_text *rest)
{
    const char *at = t->len ? memchr(t->ptr, c, t->len) : NULL;

    if (!at)
        return false;
    *rest = das_text(at + 1, t->len - (size_t)(at - t->ptr) - 1);
    t->len = (size_t)(at - t->ptr);
    return true;
}

/* "*", "5", "1-5", with "/2" or without. */
static bool add_item(const struct field *f, struct das_text t, uint64_t *bits)
{
    int64_t first, last, step = 1;
    struct das_text by, to;
    bool stepped = cut(&t, '/', &by);

    if (stepped && !number(by, 1, f->most, &step))
        return false;
    if (das_text_is(t, "*")) {
        first = f->least;
        last = f->most - (f->most == 7); /* 7 is Sunday once more: no step may hit it */
    } else if (cut(&t, '-', &to)) {
        if (!value(f, t, &first) || !value(f, to, &last))
            return false;
        if (f->most == 7 && last == 0 && first > 0) /* "fri-sun" */
            last = 7;
    } else if (value(f, t, &first)) {
        last = stepped ? f->most - (f->most == 7) : first;
    } else {
        return false;
    }
    if (first > last)
        return false;
    for (int64_t v = first; v <= last; v += step)
        *bits |= (uint64_t)1 << v;
    return true;
}

static int read_field(const struct field *f, struct das_text t, uint64_t *bits, struct das_err *err)
{
    struct das_text whole = t, rest;
    bool more;

    *bits = 0;
    do {
        more = cut(&t, ',', &rest);
        if (!add_item(f, t, bits))
            return expected(f, whole, err);
        t = rest;
    } while (more);
    return 0;
}

/* The next word of t; empty: there is none. */
static struct das_text word(struct das_text *t)
{
    struct das_text w;

    while (t->len && das_is_space((unsigned char)t->ptr[0])) {
        t->ptr++;
        t->len--;
    }
    w = das_text(t->ptr, 0);
    while (t->len && !das_is_space((unsigned char)t->ptr[0])) {
        t->ptr++;
        t->len--;
        w.len++;
    }
    return w;
}

int das_cron_parse(struct das_text t, struct das_cron *out, struct das_err *err)
{
    struct das_text words[5], rest = t;
    uint64_t bits[5];
    size_t n = 0;

    for (; n < 5 && (words[n] = word(&rest)).len; n++)
        ;
    if (n < 5 || word(&rest).len)
        return das_fail(err, DAS_E_USAGE,
                        "expected five fields (minute, hour, day of the month, month, day of the "
                        "week) such as \"*/5 * * * *\", got \"%.*s\"",
                        (int)(t.len < 80 ? t.len : 80), t.ptr ? t.ptr : "");
    for (size_t i = 0; i < 5; i++) {
        if (read_field(&fields[i], words[i], &bits[i], err) < 0)
            return -1;
    }
    *out = (struct das_cron){.minutes = bits[0],
                             .hours = (uint32_t)bits[1],
                             .days = (uint32_t)bits[2],
                             .months = (uint16_t)bits[3],
                             .weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7f),
                             .any_day = words[2].ptr[0] == '*',
                             .any_weekday = words[4].ptr[0] == '*'};
    return 0;
}

/* --- when ------------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool day_fits(const struct das_cron *c, int64_t days)
{
    bool in_month, in_week;
    int64_t year;
    int month, day;

    das_day_split(days, &year, &month, &day);
    in_month = c->days >> day & 1;
    in_week = c->weekdays >> das_weekday(days) & 1;
    if (!(c->months >> month & 1))
        return false;
    return c->any_day || c->any_weekday ? in_month && in_week : in_month || in_week;
}

/* Times of that day by the clock on the wall. Later times come at later moments, or at the same. */
static bool by_the_clock(const struct das_cron *c, const struct das_zone *z, int64_t day,
                         int64_t unix_s, int64_t *at)
{
    for (int minute = 0; minute < 24 * 60; minute++) {
        if (!(c->hours >> (minute / 60) & 1) || !(c->minutes >> (minute % 60) & 1))
            continue;
        *at = das_zone_instant(z, day * DAS_DAY + minute * 60, false);
        if (*at > unix_s)
            return true;
    }
    return false;
}

/* Minutes that really pass while the clock shows that day. */
static bool by_the_minute(const struct das_cron *c, const struct das_zone *z, int64_t day,
                          int64_t unix_s, int64_t *at)
{
    int64_t from = das_zone_instant(z, day * DAS_DAY, false);
    int64_t to = das_zone_instant(z, (day + 1) * DAS_DAY, false), local;

    if (from <= unix_s)
        from = unix_s + 1;
    for (*at = from; *at < to; *at += 60 - local % 60) {
        local = *at + das_zone_offset(z, *at);
        local -= floor_div(local, DAS_DAY) * DAS_DAY;
        if (local % 60 == 0 && c->minutes >> (local / 60 % 60) & 1)
            return true;
    }
    return false;
}

bool das_cron_next(const struct das_cron *c, const struct das_zone *z, int64_t unix_s, int64_t *at)
{
    int64_t today = floor_div(unix_s + das_zone_offset(z, unix_s), DAS_DAY);

    for (int64_t day = today; day < today + DAYS_AHEAD; day++) {
        if (!day_fits(c, day))
            continue;
        if (c->hours == EVERY_HOUR ? by_the_minute(c, z, day, unix_s, at)
                                   : by_the_clock(c, z, day, unix_s, at))
            return true;
    }
    return false;
}
