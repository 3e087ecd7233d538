/*
 * hours.h - a window of the week: "mon-fri 22:00 to 06:00 in Asia/Shanghai".
 *
 * A window that runs over midnight belongs to the day on which it begins. It lasts from the first
 * moment at which a clock there shows `from` to the last at which it shows `to`: where the clock is
 * set back, no time within the window is ever outside; where it jumps over an end, the window begins
 * or ends with the jump.
 */
#ifndef DAS_BASE_HOURS_H
#define DAS_BASE_HOURS_H

#include "core/base/zone.h"

struct das_hours {
    unsigned days;         /* bit 0 is Sunday; 0x7f every day */
    int from_min, to_min;  /* minutes after midnight; from 0 to 1439, to 0 to 1440 */
    struct das_zone *zone; /* the caller's */
};

/* "mon", "fri-mon", "sat,sun", any case; DAS_E_USAGE names what is wrong. Adds to *days. */
int das_hours_days(struct das_text t, unsigned *days, struct das_err *err);
int das_hours_clock(struct das_text t, int *minutes, struct das_err *err); /* "22:00" to "24:00" */

/* The moments must lie within DAS_UNIX_MIN and DAS_UNIX_MAX. */
bool das_hours_contain(const struct das_hours *h, int64_t unix_s);
/* The next moment after unix_s at which it opens (closes), windows that touch being one. False: it
 * never does. */
bool das_hours_next(const struct das_hours *h, int64_t unix_s, bool close, int64_t *at);
void das_hours_print(const struct das_hours *h, struct das_buf *b);

#endif
