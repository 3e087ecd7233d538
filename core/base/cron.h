/*
 * cron.h - the five fields of a cron expression, and when they strike next.
 *
 *   minute 0-59, hour 0-23, day of the month 1-31, month 1-12 or jan-dec, day of the week 0-7 or
 *   sun-sat (0 and 7 are Sunday); each a list of numbers, ranges and "*", any of them with a step:
 *   "5", "1-5", "mon-fri", "8-18/2", "0,30", a star with "/10" behind it
 *
 * Where neither day field begins with "*", a day fits that fits one of them, as Vixie cron has it;
 * else it has to fit both. Where the clock jumps over a time, that time is the moment of the jump;
 * times that the clock shows twice count once, the first time. Where every hour fits, the minutes
 * are those of the time that really passes: none is left out for an hour, and none is made up.
 */
#ifndef DAS_BASE_CRON_H
#define DAS_BASE_CRON_H

#include "core/base/zone.h"

struct das_cron {
    uint64_t minutes;          /* bit 0: the full hour */
    uint32_t hours, days;      /* days: bit 1 to 31 */
    uint16_t months;           /* bit 1 to 12 */
    uint8_t weekdays;          /* bit 0: Sunday */
    bool any_day, any_weekday; /* the field begins with "*" */
};

/* DAS_E_USAGE names the field and what it expects. */
int das_cron_parse(struct das_text t, struct das_cron *out, struct das_err *err);

/* The first moment after unix_s (Unix seconds within DAS_UNIX_MIN and DAS_UNIX_MAX) at which it
 * strikes by a clock of z. False: it never does ("0 0 30 2 *"). */
bool das_cron_next(const struct das_cron *c, const struct das_zone *z, int64_t unix_s, int64_t *at);

#endif
