/* clock.h - the two clocks: what time it is, and how much time went by. */
#ifndef DAS_BASE_CLOCK_H
#define DAS_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t das_clock_unix_ms(void);      /* milliseconds since 1970, may jump */
int64_t das_clock_monotonic_ms(void); /* milliseconds since some start, never goes back */
int64_t das_clock_monotonic_us(void); /* the same in microseconds: for how long something took */

void das_clock_sleep_ms(int64_t ms);  /* at least so long; not at all below 1 */

/* "2026-11-24T03:17:05Z" for seconds since 1970; size >= 32. */
void das_clock_iso(int64_t unix_s, char *out, size_t size);

#endif
