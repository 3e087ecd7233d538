/*
 * zone.c - see zone.h.
 *
 * A TZif file has a list of moments at which the offset changed, and at its end a rule (a POSIX TZ
 * string) for all time after the last of them. Every length is checked before it is believed.
 */
#include "core/base/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/calendar.h"
#include "core/base/mem.h"

#define FOLDER "/usr/share/zoneinfo/"
#define FILE_MAX ((size_t)1 << 17)
#define NAME_MAX_LEN 100
#define OFFSET_MAX (26 * 3600) /* s; RFC 8536 */

enum rule_kind { RULE_MONTH, RULE_JULIAN, RULE_DAY }; /* Mm.w.d, Jn, n */

struct rule {
    enum rule_kind kind;
    int month, week, day;
    int64_t time; /* s after that day's midnight, may be negative or beyond 24 h */
};

/* For all time after the last change. */
struct posix {
    bool given, summer;
    int64_t std, dst; /* s east */
    struct rule start, end;
};

struct das_zone {
    char name[NAME_MAX_LEN + 1];
    size_t count;
    int64_t *at;     /* when, ascending */
    int32_t *after;  /* s east, from then on */
    int32_t before;  /* s east, before the first */
    struct posix rest;
};

/* --- the rule for the time after ------------------------------------------------------------------- */

static bool eat(struct das_text *t, char c)
{
    if (!t->len || t->ptr[0] != c)
        return false;
    t->ptr++;
    t->len--;
    return true;
}

static bool number(struct das_text *t, int max, int *out)
{
    int v = 0, n = 0;

    for (; t->len && das_is_digit((unsigned char)t->ptr[0]) && n < 4; n++) {
        v = v * 10 + t->ptr[0] - '0';
        t->ptr++;
        t->len--;
    }
    *out = v;
    return n > 0 && v <= max;
}

/* "EST" or "<+08>" */
static bool skip_abbreviation(struct das_text *t)
{
    size_t n = 0;

    if (eat(t, '<')) {
        while (n < t->len && t->ptr[n] != '>')
            n++;
        if (n == t->len)
            return false;
        t->ptr += n + 1;
        t->len -= n + 1;
        return n > 0;
    }
    while (n < t->len && das_lower((unsigned char)t->ptr[n]) >= 'a' &&
           das_lower((unsigned char)t->ptr[n]) <= 'z')
        n++;
    t->ptr += n;
    t->len -= n;
    return n >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool hours(struct das_text *t, int max, int64_t *out)
{
    int h, m = 0, s = 0;
    bool minus = eat(t, '-');

    if (!minus)
        eat(t, '+');
    if (!number(t, max, &h) || (eat(t, ':') && (!number(t, 59, &m) ||
                                                (eat(t, ':') && !number(t, 59, &s)))))
        return false;
    *out = (h * 3600 + m * 60 + s) * (minus ? -1 : 1);
    return true;
}

static bool parse_rule(struct das_text *t, struct rule *r)
{
    if (!eat(t, ','))
        return false;
    r->time = 2 * 3600;
    if (eat(t, 'M')) {
        r->kind = RULE_MONTH;
        if (!number(t, 12, &r->month) || r->month < 1 || !eat(t, '.') || !number(t, 5, &r->week) ||
            r->week < 1 || !eat(t, '.') || !number(t, 6, &r->day))
            return false;
    } else {
        r->kind = eat(t, 'J') ? RULE_JULIAN : RULE_DAY;
        if (!number(t, 365, &r->day) || (r->kind == RULE_JULIAN && r->day < 1))
            return false;
    }
    return !eat(t, '/') || hours(t, 167, &r->time);
}

/* "CET-1CEST,M3.5.0,M10.5.0/3"; POSIX counts west of Greenwich. */
static bool parse_posix(struct das_text t, struct posix *p)
{
    if (!skip_abbreviation(&t) || !hours(&t, 25, &p->std))
        return false;
    p->std = -p->std;
    p->given = true;
    if (!t.len)
        return true;
    p->summer = true;
    p->dst = p->std + 3600;
    if (!skip_abbreviation(&t))
        return false;
    if (t.len && t.ptr[0] != ',') {
        if (!hours(&t, 25, &p->dst))
            return false;
        p->dst = -p->dst;
    }
    return parse_rule(&t, &p->start) && parse_rule(&t, &p->end) && t.len == 0;
}

/* Local seconds at which the rule strikes in that year. */
static int64_t rule_local(const struct rule *r, int64_t year)
{
    int64_t day;
    int first;

    if (r->kind == RULE_MONTH) {
        day = das_day_of(year, r->month, 1);
        first = (r->day - das_weekday(day) + 7) % 7 + (r->week - 1) * 7;
        if (first >= das_month_days(year, r->month)) /* week 5 is the last one */
            first -= 7;
        day += first;
    } else {
        day = das_day_of(year, 1, 1) + r->day;
        if (r->kind == RULE_JULIAN) /* 1 to 365; 29 February does not count */
            day -= !(r->day >= 60 && das_month_days(year, 2) == 29);
    }
    return day * DAS_DAY + r->time;
}

static int64_t posix_offset(const struct posix *p, int64_t unix_s)
{
    int64_t local = unix_s + p->std, year, start, end;
    int month, day;
    bool summer;

    if (!p->summer)
        return p->std;
    das_day_split((local >= 0 ? local : local - DAS_DAY + 1) / DAS_DAY, &year, &month, &day);
    start = rule_local(&p->start, year) - p->std;
    end = rule_local(&p->end, year) - p->dst;
    summer = start < end ? unix_s >= start && unix_s < end : unix_s < end || unix_s >= start;
    return summer ? p->dst : p->std;
}

/* --- the file ---------------------------------------------------------------------------------------- */

struct header {
    size_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
};

static int64_t big_endian(const char *p, size_t n)
{
    uint64_t v = (signed char)p[0] < 0 ? UINT64_MAX : 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return (int64_t)v;
}

static int damaged(const char *what, struct das_err *err)
{
    return das_fail(err, DAS_E_DATA, "damaged time zone file: %s", what);
}

/* Takes n bytes off t; NULL when there are fewer. */
static const char *take(struct das_text *t, size_t n)
{
    const char *p = t->ptr;

    if (t->len < n)
        return NULL;
    t->ptr += n;
    t->len -= n;
    return p;
}

static int read_header(struct das_text *t, char *version, struct header *h, struct das_err *err)
{
    size_t *const counts[] = {&h->isutcnt, &h->isstdcnt, &h->leapcnt,
                              &h->timecnt, &h->typecnt,  &h->charcnt};
    const char *p = take(t, 44);

    if (!p || memcmp(p, "TZif", 4) != 0)
        return damaged("it does not begin as one", err);
    *version = p[4];
    for (size_t i = 0; i < 6; i++) {
        int64_t n = big_endian(p + 20 + 4 * i, 4);
        if (n < 0 || (uint64_t)n > FILE_MAX)
            return damaged("a length", err);
        *counts[i] = (size_t)n;
    }
    return 0;
}

static size_t body_size(const struct header *h, size_t time_size)
{
    return h->timecnt * (time_size + 1) + h->typecnt * 6 + h->charcnt + h->leapcnt * (time_size + 4) +
           h->isstdcnt + h->isutcnt;
}

static int read_body(struct das_zone *z, struct das_text *t, const struct header *h,
                     size_t time_size, struct das_err *err)
{
    const char *body = take(t, body_size(h, time_size));
    const char *kinds, *types;

    if (!body)
        return damaged("it is cut short", err);
    if (!h->typecnt || h->typecnt > 256)
        return damaged("no kinds of local time", err);
    if (h->leapcnt)
        return das_fail(err, DAS_E_UNSUPPORTED, "a time zone file with leap seconds");
    kinds = body + h->timecnt * time_size;
    types = kinds + h->timecnt;
    for (size_t i = 0; i < h->typecnt; i++) {
        int64_t offset = big_endian(types + 6 * i, 4);
        if (offset < -OFFSET_MAX || offset > OFFSET_MAX)
            return damaged("an offset of more than a day", err);
    }
    z->at = das_grow(NULL, h->timecnt, sizeof *z->at);
    z->after = das_grow(NULL, h->timecnt, sizeof *z->after);
    if (!z->at || !z->after)
        return das_fail_nomem(err);
    z->before = (int32_t)big_endian(types, 4);
    for (size_t i = 0; i < h->timecnt; i++) {
        size_t kind = (unsigned char)kinds[i];
        z->at[i] = big_endian(body + i * time_size, time_size);
        if (kind >= h->typecnt || (i && z->at[i] <= z->at[i - 1]))
            return damaged("its changes are out of order", err);
        z->after[i] = (int32_t)big_endian(types + 6 * kind, 4);
    }
    z->count = h->timecnt;
    return 0;
}

static int read_footer(struct das_zone *z, struct das_text t, struct das_err *err)
{
    const char *end;

    if (!eat(&t, '\n') || !(end = memchr(t.ptr, '\n', t.len)))
        return damaged("its end is missing", err);
    t.len = (size_t)(end - t.ptr);
    if (t.len && !parse_posix(t, &z->rest))
        return damaged("the rule at its end", err);
    return 0;
}

static int read_all(struct das_zone *z, struct das_text t, struct das_err *err)
{
    struct header h;
    char version;

    if (read_header(&t, &version, &h, err) < 0)
        return -1;
    if (version == '\0')
        return read_body(z, &t, &h, 4, err);
    /* the same again with 8 bytes for each time; the first part is for old readers */
    if (!take(&t, body_size(&h, 4)))
        return damaged("it is cut short", err);
    if (read_header(&t, &version, &h, err) < 0 || read_body(z, &t, &h, 8, err) < 0)
        return -1;
    return read_footer(z, t, err);
}

struct das_zone *das_zone_parse(struct das_text bytes, const char *name, struct das_err *err)
{
    struct das_zone *z = das_calloc(1, sizeof *z);

    if (!z) {
        das_fail_nomem(err);
        return NULL;
    }
    memcpy(z->name, name, strnlen(name, NAME_MAX_LEN));
    if (read_all(z, bytes, err) < 0) {
        das_zone_free(z);
        return NULL;
    }
    return z;
}

/* Names stay inside the folder. */
static bool name_ok(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_LEN || name[0] == '/' || name[len - 1] == '/')
        return false;
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p, low = das_lower(c);
        if (!(low >= 'a' && low <= 'z') && !das_is_digit(c) && !strchr("_+/-", c))
            return false;
    }
    return true;
}

static int read_file(const char *name, struct das_buf *b, struct das_err *err)
{
    char path[sizeof FOLDER + NAME_MAX_LEN];
    ssize_t n = -1;
    int fd;

    snprintf(path, sizeof path, FOLDER "%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && access(FOLDER, F_OK) < 0)
        return das_fail(err, DAS_E_IO, "%s is not there; the package tzdata brings it", FOLDER);
    if (fd < 0)
        return das_fail(err, DAS_E_USAGE, "unknown time zone \"%s\"; expected one as in "
                                          "\"Europe/Berlin\"",
                        name);
    do {
        char *to = das_buf_reserve(b, 8192);
        n = to ? read(fd, to, 8192) : 0;
        if (n > 0)
            b->len += (size_t)n;
    } while (n > 0 && b->len <= FILE_MAX);
    close(fd);
    if (n < 0)
        return das_fail(err, DAS_E_USAGE, "unknown time zone \"%s\": %s", name, strerror(errno));
    return das_buf_ok(b, err);
}

struct das_zone *das_zone_load(const char *name, struct das_err *err)
{
    struct das_buf b = {0};
    struct das_zone *z = NULL;

    if (strcmp(name, "UTC") == 0) {
        z = das_calloc(1, sizeof *z);
        if (!z)
            das_fail_nomem(err);
        else
            memcpy(z->name, "UTC", 4);
        return z;
    }
    if (!name_ok(name))
        das_fail(err, DAS_E_USAGE, "\"%s\" is not the name of a time zone", name);
    else if (read_file(name, &b, err) == 0 &&
             !(z = das_zone_parse(das_buf_view(&b), name, err)))
        das_err_prefix(err, FOLDER "%s", name);
    das_buf_clear(&b);
    return z;
}

void das_zone_free(struct das_zone *z)
{
    if (!z)
        return;
    das_free(z->at);
    das_free(z->after);
    das_free(z);
}

const char *das_zone_name(const struct das_zone *z)
{
    return z->name;
}

/* --- asking ------------------------------------------------------------------------------------------- */

int64_t das_zone_offset(const struct das_zone *z, int64_t unix_s)
{
    size_t low = 0, high = z->count; /* the first change after unix_s */

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (z->at[mid] <= unix_s)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == z->count && z->rest.given)
        return posix_offset(&z->rest, unix_s);
    return low ? z->after[low - 1] : z->before;
}

int64_t das_zone_instant(const struct das_zone *z, int64_t local_s, bool last)
{
    /* No offset is larger, so the clock cannot show it outside of these. */
    int64_t from = local_s - OFFSET_MAX, to = local_s + OFFSET_MAX, found = 0;
    int64_t offsets[4];
    bool any = false;

    offsets[0] = das_zone_offset(z, from);
    offsets[1] = das_zone_offset(z, to);
    offsets[2] = das_zone_offset(z, local_s - offsets[0]);
    offsets[3] = das_zone_offset(z, local_s - offsets[1]);
    for (size_t i = 0; i < 4; i++) {
        int64_t at = local_s - offsets[i];
        if (das_zone_offset(z, at) != offsets[i])
            continue;
        if (!any || (last ? at > found : at < found))
            found = at;
        any = true;
    }
    if (any)
        return found;
    while (to - from > 1) { /* the clock shows less before the jump and more after it */
        int64_t mid = from + (to - from) / 2;
        if (mid + das_zone_offset(z, mid) < local_s)
            from = mid;
        else
            to = mid;
    }
    return to;
}
