/*
 * fuzz_tzif.c - any bytes as a time zone file. What is accepted must answer for all times, and agree
 * with itself: the moment at which a clock shows a local time shows that time, or there is none.
 */
#include <stdlib.h>

#include "core/base/calendar.h"
#include "core/base/hours.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct das_zone *z, int64_t s)
{
    struct das_hours h = {.days = 0x2a, .from_min = 22 * 60, .to_min = 6 * 60, .zone = z};
    int64_t offset = das_zone_offset(z, s), first, last, next;

    if (offset < -26 * 3600 || offset > 26 * 3600)
        abort();
    first = das_zone_instant(z, s + offset, false);
    last = das_zone_instant(z, s + offset, true);
    if (first > last || first + das_zone_offset(z, first) != s + offset)
        abort(); /* s itself shows it, so it is not jumped over */
    das_hours_contain(&h, s);
    if (das_hours_next(&h, s, true, &next) && next <= s)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t moments[] = {
        DAS_UNIX_MIN + DAS_DAY, -2208988800, -1, 0, 1, 951782400, 1774746000, 1792890000, 4102444800,
        DAS_UNIX_MAX - DAS_DAY,
    };
    struct das_err err = {DAS_OK, ""};
    struct das_zone *z = das_zone_parse(das_text((const char *)data, size), "fuzz", &err);

    if (!z && (err.code == DAS_OK || !err.msg[0]))
        abort();
    for (size_t i = 0; z && i < sizeof moments / sizeof *moments; i++)
        ask(z, moments[i]);
    das_zone_free(z);
    return 0;
}
