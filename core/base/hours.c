/* hours.c - see hours.h. */
#include "core/base/hours.h"

#include "core/base/calendar.h"

static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

#define EVERY_DAY 0x7fu
/* Days to look ahead: a week, and one more for a window that a jump of the clock swallowed. */
#define AHEAD 16

/* --- reading ---------------------------------------------------------------------------------------- */

static int day_of(struct das_text t, struct das_err *err)
{
    t = das_text_trim(t);
    for (int i = 0; i < 7; i++) {
        if (das_text_iis(t, day_names[i]))
            return i;
    }
    return das_fail(err, DAS_E_USAGE,
                    "days: expected mon, tue, wed, thu, fri, sat, sun or a range such as mon-fri, "
                    "got \"%.*s\"",
                    (int)(t.len < 40 ? t.len : 40), t.ptr);
}

static int add_range(struct das_text t, unsigned *days, struct das_err *err)
{
    const char *dash = memchr(t.ptr, '-', t.len);
    size_t n = dash ? (size_t)(dash - t.ptr) : t.len;
    int first = day_of(das_text(t.ptr, n), err), last = first;

    if (first >= 0 && dash)
        last = day_of(das_text(dash + 1, t.len - n - 1), err);
    if (first < 0 || last < 0)
        return -1;
    for (int d = first;; d = (d + 1) % 7) {
        *days |= 1u << d;
        if (d == last)
            return 0;
    }
}

int das_hours_days(struct das_text t, unsigned *days, struct das_err *err)
{
    for (;;) {
        const char *comma = memchr(t.ptr, ',', t.len);
        size_t n = comma ? (size_t)(comma - t.ptr) : t.len;
        if (add_range(das_text(t.ptr, n), days, err) < 0)
            return -1;
        if (!comma)
            return 0;
        t = das_text(comma + 1, t.len - n - 1);
    }
}

int das_hours_clock(struct das_text t, int *minutes, struct das_err *err)
{
    const char *p = t.ptr;
    bool good = t.len == 5 && p[2] == ':';

    for (int i = 0; good && i < 5; i++)
        good = i == 2 || das_is_digit((unsigned char)p[i]);
    if (good) {
        *minutes = ((p[0] - '0') * 10 + p[1] - '0') * 60 + (p[3] - '0') * 10 + p[4] - '0';
        good = p[3] < '6' && *minutes <= 24 * 60;
    }
    if (!good)
        return das_fail(err, DAS_E_USAGE, "expected a time of day as in \"22:00\", got \"%.*s\"",
                        (int)(t.len < 40 ? t.len : 40), t.ptr ? t.ptr : "");
    return 0;
}

/* --- asking ------------------------------------------------------------------------------------------- */

/* The window that begins on that local day; false when there is none, or a jump swallowed it. */
static bool window_of(const struct das_hours *h, int64_t day, int64_t *open, int64_t *close)
{
    int64_t midnight = day * DAS_DAY;

    if (!(h->days & 1u << das_weekday(day)))
        return false;
    *open = das_zone_instant(h->zone, midnight + h->from_min * 60, false);
    if (h->to_min <= h->from_min)
        midnight += DAS_DAY;
    *close = das_zone_instant(h->zone, midnight + h->to_min * 60, true);
    return *open < *close;
}

static int64_t local_day(const struct das_hours *h, int64_t unix_s)
{
    int64_t local = unix_s + das_zone_offset(h->zone, unix_s);

    return (local >= 0 ? local : local - DAS_DAY + 1) / DAS_DAY;
}

bool das_hours_contain(const struct das_hours *h, int64_t unix_s)
{
    int64_t day = local_day(h, unix_s), open, close;

    for (int64_t d = day - 2; d <= day + 1; d++) { /* two back: a clock may be set back by a day */
        if (window_of(h, d, &open, &close) && open <= unix_s && unix_s < close)
            return true;
    }
    return false;
}

bool das_hours_next(const struct das_hours *h, int64_t unix_s, bool want_close, int64_t *at)
{
    int64_t day = local_day(h, unix_s), open, close;
    bool found = false;

    for (int64_t d = day - 2; d <= day + AHEAD; d++) {
        int64_t t;
        if (!window_of(h, d, &open, &close))
            continue;
        t = want_close ? close : open;
        if (t > unix_s && (!found || t < *at) &&
            !das_hours_contain(h, want_close ? t : t - 1)) { /* not where two windows touch */
            *at = t;
            found = true;
        }
    }
    return found;
}

void das_hours_print(const struct das_hours *h, struct das_buf *b)
{
    if (h->days == EVERY_DAY)
        das_buf_str(b, "every day");
    for (int i = 0, n = 0; i < 7 && h->days != EVERY_DAY; i++) {
        int d = (i + 1) % 7; /* the week begins on Monday */
        if (h->days & 1u << d)
            das_buf_printf(b, "%s%s", n++ ? "," : "", day_names[d]);
    }
    das_buf_printf(b, " %02d:%02d-%02d:%02d %s", h->from_min / 60, h->from_min % 60, h->to_min / 60,
                   h->to_min % 60, das_zone_name(h->zone));
}
