/*
 * test_time.c - calendar, ISO 8601, time zones and windows of the week: known dates and transitions,
 * every zone of the system against the C library, damaged files, and windows against a clock.
 */
#include "core/base/calendar.h"
#include "core/base/hours.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "tests/unit/kit.h"

static struct das_err err;

/* --- calendar -------------------------------------------------------------------------------------- */

static int64_t at(const char *text)
{
    int64_t s = -1;

    if (das_time_parse(das_text_of(text), &s, &err) < 0)
        tap_diag("%s: %s", text, err.msg);
    return s;
}

static void no_time(const char *text, const char *why)
{
    int64_t s;

    err.msg[0] = '\0';
    ok(das_time_parse(das_text_of(text), &s, &err) < 0 && err.code == DAS_E_DATA,
       "\"%s\" is refused", text);
    has_str(err.msg, why, "because");
}

static const char *show(int64_t s, int64_t offset)
{
    static struct das_buf b;

    das_buf_reset(&b);
    das_time_format(s, offset, &b);
    return b.ptr;
}

static void calendar(void)
{
    int bad = 0;
    int64_t previous = das_day_of(-1, 12, 31);

    for (int64_t y = 0; y <= 3000; y++) {
        for (int m = 1; m <= 12; m++) {
            for (int d = 1; d <= das_month_days(y, m); d++) {
                int64_t day = das_day_of(y, m, d), y2;
                int m2, d2;
                das_day_split(day, &y2, &m2, &d2);
                bad += day != previous + 1 || y2 != y || m2 != m || d2 != d;
                previous = day;
            }
        }
    }
    ok(!bad, "3001 years, day by day");
    is_int(das_day_of(1970, 1, 1), 0, "the first day");
    is_int(das_weekday(0), 4, "a Thursday");
    is_int(das_weekday(-1), 3, "after a Wednesday");
    is_int(das_month_days(2000, 2), 29, "2000 was a leap year");
    is_int(das_month_days(1900, 2), 28, "1900 was not");

    is_int(at("1970-01-01T00:00:00Z"), 0, "ISO 8601");
    is_int(at("2026-11-24T03:17:05Z"), 1795490225, "a time");
    is_int(at("2026-11-24T11:17:05+08:00"), 1795490225, "with an offset");
    is_int(at("2026-11-24 11:17:05.999+0800"), 1795490225, "a fraction");
    is_int(at("20261124T031705Z"), 1795490225, "the basic form");
    is_int(at("20261124T0317-0230"), 1795490220 + 9000, "to the west");
    is_int(at("2026-11-24t03:17z"), 1795490220, "without seconds");
    is_int(at("2026-11-24T03:17+08"), 1795490220 - 8 * 3600, "a short offset");
    is_int(at("2016-12-31T23:59:60Z"), 1483228800, "a leap second is the next one");
    is_int(at("1969-12-31T23:59:59.9Z"), -1, "before 1970 a fraction is cut off too");
    is_int(at("0000-01-01T00:00:00Z"), DAS_UNIX_MIN, "the first year");
    is_int(at("9999-12-31T23:59:59Z"), DAS_UNIX_MAX, "the last");
    no_time("", "expected a time");
    no_time("2026-11-24", "expected a time");
    no_time("2026-11-24T03:17:05", "without its offset");
    no_time("2026-02-29T00:00Z", "no day 2026-02-29");
    no_time("2026-13-01T00:00Z", "no day");
    no_time("2026-00-01T00:00Z", "no day");
    no_time("2026-01-01T24:00Z", "expected a time");
    no_time("2026-01-01T00:60Z", "expected a time");
    no_time("2026-01-01T00:00:61Z", "expected a time");
    no_time("2026-01-01T00:00:00.Z", "expected a time");
    no_time("2026-01-01T00:00Zx", "expected a time");
    no_time("2026-01-01T00:00+8", "expected a time");
    no_time("2026-01-01T00:00+24:00", "expected a time");
    no_time("2026-01-01T00:00+08:60", "expected a time");
    no_time("2026-0101T00:00Z", "expected a time");
    no_time(" 2026-01-01T00:00Z", "expected a time");
    no_time("+2026-01-01T00:00Z", "expected a time");
    is_str(show(0, 0), "1970-01-01T00:00:00Z", "back");
    is_str(show(1795490225, 8 * 3600), "2026-11-24T11:17:05+08:00", "to the east");
    is_str(show(1795490225, -12600), "2026-11-23T23:47:05-03:30", "to the west");
    is_str(show(-1, 0), "1969-12-31T23:59:59Z", "before 1970");
    is_str(show(0, 29143), "1970-01-01T08:05:00+08:05", "no seconds in an offset");
    is_str(show(DAS_UNIX_MIN, 0), "0000-01-01T00:00:00Z", "the first year");
    for (int i = 0; i < 20000; i++) {
        int64_t s = (int64_t)(kit_random() % (uint64_t)(DAS_UNIX_MAX - DAS_UNIX_MIN)) + DAS_UNIX_MIN;
        int64_t offset = ((int64_t)kit_below(2 * 1439) - 1439) * 60;
        if (s + offset >= DAS_UNIX_MIN && s + offset <= DAS_UNIX_MAX)
            bad += at(show(s, offset)) != s;
    }
    ok(!bad, "20000 random times come back");
}

/* --- zones ------------------------------------------------------------------------------------------ */

static struct das_zone *zone(const char *name)
{
    struct das_zone *z = das_zone_load(name, &err);

    if (!z) {
        tap_diag("%s: %s", name, err.msg);
        exit(1);
    }
    return z;
}

static void shows(const char *name, const char *utc, const char *want)
{
    struct das_zone *z = zone(name);
    int64_t s = at(utc);

    is_str(show(s, das_zone_offset(z, s)), want, "%s at %s", name, utc);
    das_zone_free(z);
}

/* The moment at which a clock in the zone shows a local time, written as if that were UTC. */
static void instant(const char *name, const char *local, const char *first, const char *last)
{
    struct das_zone *z = zone(name);
    int64_t s = at(local);

    is_str(show(das_zone_instant(z, s, false), 0), first, "%s shows %.16s first", name, local);
    is_str(show(das_zone_instant(z, s, true), 0), last, "and last");
    das_zone_free(z);
}

static void transitions(void)
{
    shows("UTC", "2026-11-24T03:17:05Z", "2026-11-24T03:17:05Z");
    shows("Asia/Shanghai", "2026-11-24T03:17:05Z", "2026-11-24T11:17:05+08:00");
    shows("Asia/Shanghai", "1988-07-01T00:00:00Z", "1988-07-01T09:00:00+09:00");
    shows("Asia/Shanghai", "1991-09-14T16:59:59Z", "1991-09-15T01:59:59+09:00");
    shows("Asia/Shanghai", "1991-09-14T17:00:00Z", "1991-09-15T01:00:00+08:00");
    shows("Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59+01:00");
    shows("Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00");
    shows("Europe/Berlin", "2026-10-25T00:59:59Z", "2026-10-25T02:59:59+02:00");
    shows("Europe/Berlin", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00+01:00");
    shows("Europe/Berlin", "2126-07-01T00:00:00Z", "2126-07-01T02:00:00+02:00");
    shows("America/New_York", "2026-03-08T06:59:59Z", "2026-03-08T01:59:59-05:00");
    shows("America/New_York", "2026-03-08T07:00:00Z", "2026-03-08T03:00:00-04:00");
    shows("America/New_York", "2026-11-01T05:59:59Z", "2026-11-01T01:59:59-04:00");
    shows("America/New_York", "2026-11-01T06:00:00Z", "2026-11-01T01:00:00-05:00");
    shows("America/New_York", "2087-12-31T23:00:00Z", "2087-12-31T18:00:00-05:00");
    shows("Australia/Lord_Howe", "2026-10-03T15:29:59Z", "2026-10-04T01:59:59+10:30");
    shows("Australia/Lord_Howe", "2026-10-03T15:30:00Z", "2026-10-04T02:30:00+11:00");
    shows("Australia/Lord_Howe", "2026-04-04T14:59:59Z", "2026-04-05T01:59:59+11:00");
    shows("Australia/Lord_Howe", "2026-04-04T15:00:00Z", "2026-04-05T01:30:00+10:30");
    shows("Australia/Lord_Howe", "2101-01-01T00:00:00Z", "2101-01-01T11:00:00+11:00");
    shows("Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T05:45:00+05:45");
    shows("Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T23:59:59-10:00");
    shows("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T00:00:00+14:00");

    instant("Europe/Berlin", "2026-07-01T12:00Z", "2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z");
    instant("Europe/Berlin", "2026-10-25T02:30Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z");
    instant("Europe/Berlin", "2026-03-29T02:30Z", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z");
    instant("Europe/Berlin", "2126-10-27T02:30Z", "2126-10-27T00:30:00Z", "2126-10-27T01:30:00Z");
    instant("America/New_York", "2026-11-01T01:00Z", "2026-11-01T05:00:00Z",
            "2026-11-01T06:00:00Z");
    instant("Australia/Lord_Howe", "2026-04-05T01:45Z", "2026-04-04T14:45:00Z",
            "2026-04-04T15:15:00Z");
    instant("Australia/Lord_Howe", "2026-10-04T02:15Z", "2026-10-03T15:30:00Z",
            "2026-10-03T15:30:00Z");
    instant("Pacific/Apia", "2011-12-30T12:00Z", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z");
    instant("UTC", "2026-01-01T00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
}

static size_t zones_seen, zones_bad;

/* Both in this process: the test has one thread, so TZ may be changed here. */
static void against_libc(const char *name)
{
    struct das_zone *z = das_zone_load(name, &err);
    char tz[310];

    if (!z) {
        if (!zones_bad++)
            tap_diag("%s: %s", name, err.msg);
        return;
    }
    snprintf(tz, sizeof tz, ":%s", name);
    setenv("TZ", tz, 1);
    tzset();
    zones_seen++;
    for (int i = 0; i < 300; i++) {
        /* 1850 to 2200 */
        time_t t = (time_t)(kit_random() % 11045000000u) - 3786912000;
        struct tm tm;
        if (!localtime_r(&t, &tm) || tm.tm_gmtoff != das_zone_offset(z, t)) {
            if (!zones_bad++)
                tap_diag("%s at %lld: %ld, we say %lld", name, (long long)t, tm.tm_gmtoff,
                         (long long)das_zone_offset(z, t));
        }
    }
    das_zone_free(z);
}

static void walk(const char *folder, const char *prefix)
{
    DIR *d = opendir(folder);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        char path[600], name[300], magic[4] = "";
        struct stat st;
        FILE *f;
        if (e->d_name[0] == '.' || strcmp(e->d_name, "right") == 0 ||
            strcmp(e->d_name, "posix") == 0 || strchr(e->d_name, '.'))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        snprintf(name, sizeof name, "%s%s", prefix, e->d_name);
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            strcat(name, "/");
            walk(path, name);
            continue;
        }
        f = fopen(path, "r");
        if (f && fread(magic, 1, 4, f) == 4 && memcmp(magic, "TZif", 4) == 0)
            against_libc(name);
        if (f)
            fclose(f);
    }
    if (d)
        closedir(d);
}

static void all_zones(void)
{
    walk("/usr/share/zoneinfo", "");
    unsetenv("TZ");
    ok(zones_seen > 300 && !zones_bad, "%zu zones say what the C library says", zones_seen);
}

static void no_zone(const char *name, const char *why)
{
    err.msg[0] = '\0';
    ok(!das_zone_load(name, &err) && err.code == DAS_E_USAGE, "no zone \"%.30s\"", name);
    has_str(err.msg, why, "because");
}

/* --- files ------------------------------------------------------------------------------------------ */

static char file[8192];
static size_t file_size;

static void read_zone_file(const char *path)
{
    FILE *f = fopen(path, "rb");

    must(f, "%s is there", path);
    file_size = fread(file, 1, sizeof file, f);
    fclose(f);
}

static void damaged_files(void)
{
    int accepted = 0;

    read_zone_file("/usr/share/zoneinfo/Europe/Berlin");
    for (size_t n = 0; n < file_size; n++) {
        char *copy = malloc(n ? n : 1); /* so that a sanitizer sees what is read behind the end */
        struct das_zone *z;
        memcpy(copy, file, n);
        z = das_zone_parse(das_text(copy, n), "cut", &err);
        accepted += z != NULL;
        das_zone_free(z);
        free(copy);
    }
    ok(!accepted, "no file that was cut short is taken");
    for (int i = 0; i < 20000; i++) {
        char *copy = malloc(file_size);
        struct das_zone *z;
        memcpy(copy, file, file_size);
        for (size_t k = kit_below(4); k <= 4; k++)
            copy[kit_below(kit_below(2) ? 200 : file_size)] = (char)kit_random();
        z = das_zone_parse(das_text(copy, file_size), "changed", &err);
        for (int k = 0; z && k < 10; k++) {
            int64_t s = (int64_t)(kit_random() % (uint64_t)(DAS_UNIX_MAX - DAS_UNIX_MIN)) +
                        DAS_UNIX_MIN;
            int64_t offset = das_zone_offset(z, s);
            accepted += offset < -26 * 3600 || offset > 26 * 3600;
            das_zone_instant(z, s, false);
        }
        das_zone_free(z);
        free(copy);
    }
    ok(!accepted, "20000 changed files do no harm");
    for (long n = 1; n < 10; n++) {
        struct das_zone *z;
        bool failed;
        das_alloc_fail_at(n);
        z = das_zone_load("Europe/Berlin", &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        ok(failed ? !z && err.code == DAS_E_NOMEM : z != NULL, "failing allocation %ld", n);
        das_zone_free(z);
        if (!failed)
            break;
    }
}

/* A file of version 2 with one kind of local time and a rule. */
static void rule(const char *posix, const char *local, int64_t want)
{
    struct das_buf b = {0};
    struct das_zone *z;
    static const char head[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1";

    for (int i = 0; i < 2; i++) {
        das_buf_add(&b, head, 44);
        das_buf_add(&b, "\0\0\0\0\0\0\0", 7);
    }
    das_buf_printf(&b, "\n%s\n", posix);
    z = das_zone_parse(das_buf_view(&b), "made", &err);
    if (!local)
        ok(!z && strstr(err.msg, "rule at its end"), "no rule: %s", posix);
    else if (ok(z != NULL, "%s is a rule", posix))
        is_int(das_zone_offset(z, at(local)), want, "and says so at %s", local);
    else
        tap_diag("%s", err.msg);
    das_zone_free(z);
    das_buf_clear(&b);
}

static void rules(void)
{
    rule("", "2026-01-01T00:00Z", 0);
    rule("UTC0", "2026-01-01T00:00Z", 0);
    rule("<+0330>-3:30", "2026-01-01T00:00Z", 12600);
    rule("<-03>3", "2026-01-01T00:00Z", -10800);
    rule("IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-26T23:59:59Z", 7200); /* Friday 02:00 */
    rule("IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00Z", 10800);
    rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7200);
    rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00Z", -3600);
    rule("EST5EDT,0/0,J365/25", "2026-01-01T04:59:59Z", -14400); /* summer all year */
    rule("EST5EDT,0/0,J365/25", "2024-12-31T23:30Z", -14400);
    rule("XXX0YYY,J60/0,J61/0", "2024-02-29T12:00Z", 0); /* J60 is 1 March in any year */
    rule("XXX0YYY,J60/0,J61/0", "2024-03-01T12:00Z", 3600);
    rule("XXX0YYY,59/0,60/0", "2024-02-29T12:00Z", 3600); /* 59 is 29 February in a leap year */
    rule("XXX0YYY,59/0,60/0", "2023-03-01T12:00Z", 3600);
    rule("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00Z", 0); /* Dublin's winter */
    rule("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00Z", 3600);
    rule("XXX0YYY-1:30,M2.5.0/0,M3.1.0/0", "2024-02-27T00:00Z", 5400); /* the 5th is the 4th */
    rule("AB1", NULL, 0);
    rule("<AB", NULL, 0);
    rule("EST", NULL, 0);
    rule("EST99", NULL, 0);
    rule("EST5EDT", NULL, 0);
    rule("EST5EDT,M3.2.0", NULL, 0);
    rule("EST5EDT,M13.2.0,M11.1.0", NULL, 0);
    rule("EST5EDT,M3.6.0,M11.1.0", NULL, 0);
    rule("EST5EDT,M3.2.7,M11.1.0", NULL, 0);
    rule("EST5EDT,J0,M11.1.0", NULL, 0);
    rule("EST5EDT,M3.2.0/168,M11.1.0", NULL, 0);
    rule("EST5EDT,M3.2.0,M11.1.0x", NULL, 0);
}

/* --- windows ------------------------------------------------------------------------------------------ */

static struct das_hours hours(const char *days, const char *from, const char *to,
                              struct das_zone *z)
{
    struct das_hours h = {.zone = z};

    if (das_hours_days(das_text_of(days), &h.days, &err) < 0 ||
        das_hours_clock(das_text_of(from), &h.from_min, &err) < 0 ||
        das_hours_clock(das_text_of(to), &h.to_min, &err) < 0) {
        tap_diag("%s", err.msg);
        exit(1);
    }
    return h;
}

static const char *next(const struct das_hours *h, const char *from, bool close)
{
    int64_t t;

    return das_hours_next(h, at(from), close, &t) ? show(t, das_zone_offset(h->zone, t)) : "never";
}

static void windows(void)
{
    struct das_zone *shanghai = zone("Asia/Shanghai"), *berlin = zone("Europe/Berlin");
    struct das_zone *howe = zone("Australia/Lord_Howe"), *apia = zone("Pacific/Apia");
    struct das_hours h = hours("mon-fri", "22:00", "06:00", shanghai);
    struct das_buf b = {0};

    /* 2026-11-23 is a Monday */
    ok(!das_hours_contain(&h, at("2026-11-23T21:59:59+08:00")), "before it begins");
    ok(das_hours_contain(&h, at("2026-11-23T22:00:00+08:00")), "it begins");
    ok(das_hours_contain(&h, at("2026-11-24T05:59:59+08:00")), "over midnight");
    ok(!das_hours_contain(&h, at("2026-11-24T06:00:00+08:00")), "it ends");
    ok(das_hours_contain(&h, at("2026-11-28T05:00:00+08:00")), "Saturday morning is Friday's");
    ok(!das_hours_contain(&h, at("2026-11-28T23:00:00+08:00")), "Saturday has none");
    ok(!das_hours_contain(&h, at("2026-11-23T05:00:00+08:00")), "nor has Sunday");
    is_str(next(&h, "2026-11-27T23:00:00+08:00", false), "2026-11-30T22:00:00+08:00",
           "the next one is on Monday");
    is_str(next(&h, "2026-11-27T23:00:00+08:00", true), "2026-11-28T06:00:00+08:00",
           "this one ends on Saturday");
    is_str(next(&h, "2026-11-30T22:00:00+08:00", false), "2026-12-01T22:00:00+08:00",
           "next is after now");
    das_hours_print(&h, &b);
    is_str(b.ptr, "mon,tue,wed,thu,fri 22:00-06:00 Asia/Shanghai", "it prints");
    das_buf_reset(&b);

    /* set forward at 02:00 to 03:00 on Sunday 2026-03-29, back at 03:00 to 02:00 on 2026-10-25 */
    h = hours("sun", "02:00", "03:00", berlin);
    ok(!das_hours_contain(&h, at("2026-03-29T03:00:00+02:00")), "an hour that does not exist");
    is_str(next(&h, "2026-03-28T00:00:00+01:00", false), "2026-04-05T02:00:00+02:00",
           "is left out");
    is_str(next(&h, "2026-10-25T00:00:00+02:00", false), "2026-10-25T02:00:00+02:00",
           "one that exists twice");
    is_str(next(&h, "2026-10-25T00:00:00+02:00", true), "2026-10-25T03:00:00+01:00",
           "is there twice");
    h = hours("sat", "22:00", "02:30", berlin);
    is_str(next(&h, "2026-03-28T23:00:00+01:00", true), "2026-03-29T03:00:00+02:00",
           "an end that is jumped over is the jump");
    is_str(next(&h, "2026-10-24T23:00:00+02:00", true), "2026-10-25T02:30:00+01:00",
           "of two the second");
    h = hours("sun", "02:30", "05:00", berlin);
    is_str(next(&h, "2026-03-29T00:00:00+01:00", false), "2026-03-29T03:00:00+02:00",
           "a beginning that is jumped over is the jump");
    is_str(next(&h, "2026-10-25T00:00:00+02:00", false), "2026-10-25T02:30:00+02:00",
           "of two the first");
    h = hours("sun", "02:00", "02:30", howe);
    ok(!das_hours_contain(&h, at("2026-10-04T02:30:00+11:00")), "half an hour that does not exist");
    h = hours("sun", "01:30", "02:00", howe);
    is_str(next(&h, "2026-04-04T20:00:00+11:00", true), "2026-04-05T02:00:00+10:30",
           "half an hour twice");
    h = hours("fri", "00:00", "24:00", apia);
    is_str(next(&h, "2011-12-29T00:00:00-10:00", false), "2012-01-06T00:00:00+14:00",
           "a Friday that was left out");

    h = hours("mon-sun", "00:00", "24:00", berlin);
    ok(das_hours_contain(&h, at("2026-03-29T03:00:00+02:00")), "always is always");
    is_str(next(&h, "2026-03-29T03:00:00+02:00", true), "never", "and never ends");
    is_str(next(&h, "2026-03-29T03:00:00+02:00", false), "never", "nor begins");
    das_hours_print(&h, &b);
    is_str(b.ptr, "every day 00:00-24:00 Europe/Berlin", "it prints");
    h = hours("fri,sat", "00:00", "24:00", berlin);
    is_str(next(&h, "2026-11-27T12:00:00+01:00", true), "2026-11-29T00:00:00+01:00",
           "days that touch are one window");
    is_str(next(&h, "2026-11-27T12:00:00+01:00", false), "2026-12-04T00:00:00+01:00",
           "which begins once");

    das_zone_free(shanghai);
    das_zone_free(berlin);
    das_zone_free(howe);
    das_zone_free(apia);
    das_buf_clear(&b);
}

/* Minute by minute over two years: inside whenever the clock reads so, and what opens and closes is
 * what changes. */
static void against_a_clock(const char *name, const char *from, const char *to)
{
    struct das_zone *z = zone(name);
    struct das_hours h = hours("tue,sat-sun", from, to, z);
    int64_t open = -1, close = -1, start = at("2025-01-01T00:00Z"), length = 2 * 366 * DAS_DAY;
    bool over = h.to_min <= h.from_min, before = das_hours_contain(&h, start);
    int bad = 0;

    for (int64_t s = start; s < start + length; s += 60) {
        int64_t local = s + das_zone_offset(z, s), day = local / DAS_DAY;
        int64_t minute = local % DAS_DAY / 60;
        bool today = h.days >> das_weekday(day) & 1, inside = das_hours_contain(&h, s);
        bool yesterday = h.days >> das_weekday(day - 1) & 1;
        bool reads = over ? (today && minute >= h.from_min) || (yesterday && minute < h.to_min)
                          : today && minute >= h.from_min && minute < h.to_min;
        bad += reads && !inside;
        if (inside != before)
            bad += (inside ? open : close) != s;
        if (inside != before || s == start) {
            das_hours_next(&h, s, false, &open);
            das_hours_next(&h, s, true, &close);
        }
        before = inside;
    }
    ok(!bad, "%s %s to %s, minute by minute", name, from, to);
    das_zone_free(z);
}

static void words(void)
{
    unsigned days = 0;
    int minutes;

    ok(das_hours_days(das_text_of("Fri - mon"), &days, &err) == 0 && days == 0x63, "fri-mon");
    days = 0;
    ok(das_hours_days(das_text_of("tue,thu"), &days, &err) == 0 && days == 0x14, "tue,thu");
    ok(das_hours_days(das_text_of("monday"), &days, &err) < 0 && strstr(err.msg, "\"monday\""),
       "%s", err.msg);
    ok(das_hours_days(das_text_of(""), &days, &err) < 0, "no day");
    ok(das_hours_days(das_text_of("mon-"), &days, &err) < 0, "half a range");
    ok(das_hours_days(das_text_of("mon-tue-wed"), &days, &err) < 0, "three ends");
    ok(das_hours_clock(das_text_of("24:00"), &minutes, &err) == 0 && minutes == 1440, "24:00");
    ok(das_hours_clock(das_text_of("24:01"), &minutes, &err) < 0, "not 24:01");
    ok(das_hours_clock(das_text_of("12:60"), &minutes, &err) < 0, "not 12:60");
    ok(das_hours_clock(das_text_of("9:00"), &minutes, &err) < 0, "not 9:00");
    ok(das_hours_clock(DAS_TEXT_NULL, &minutes, &err) < 0 && err.code == DAS_E_USAGE, "%s",
       err.msg);
}

int main(void)
{
    kit_seed(20261124);
    calendar();
    transitions();
    all_zones();
    no_zone("Mars/Base", "unknown time zone \"Mars/Base\"");
    no_zone("../../../etc/passwd", "is not the name");
    no_zone("Europe/../UTC", "is not the name");
    no_zone("/etc/localtime", "is not the name");
    no_zone("", "is not the name");
    no_zone("Europe", "Europe");
    ok(!das_zone_load("leapseconds", &err) && err.code == DAS_E_DATA, "no zone file: %s", err.msg);
    damaged_files();
    rules();
    words();
    windows();
    against_a_clock("Europe/Berlin", "22:00", "02:30");
    against_a_clock("Europe/Berlin", "02:15", "02:45");
    against_a_clock("America/New_York", "01:30", "01:00");
    against_a_clock("Australia/Lord_Howe", "01:45", "02:15");
    against_a_clock("UTC", "00:00", "24:00");
    return tap_done();
}
