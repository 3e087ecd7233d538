/*
 * clock.h - the two clocks: what time it is, and how much time went by.
 *
 * They are the machine's, unless a thread has entered a clock of its own: what is replayed or tested
 * lives there, with the same code as everything else.
 */
#ifndef DAS_BASE_CLOCK_H
#define DAS_BASE_CLOCK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

int64_t das_clock_unix_ms(void);      /* milliseconds since 1970, may jump */
int64_t das_clock_monotonic_ms(void); /* milliseconds since some start, never goes back */
int64_t das_clock_monotonic_us(void); /* the same in microseconds: for how long something took */

void das_clock_sleep_ms(int64_t ms);  /* at least so long; not at all below 1 */

/* "2026-11-24T03:17:05Z" for seconds since 1970; size >= 32. */
void das_clock_iso(int64_t unix_s, char *out, size_t size);

/* A clock that stands still but where somebody moves it, or waits on it. Threads may share one. */
struct das_clock {
    atomic_int_least64_t unix_ms;
};
void das_clock_init(struct das_clock *c, int64_t unix_ms);
void das_clock_move_to(struct das_clock *c, int64_t unix_ms); /* never back: then it stays */
int64_t das_clock_at_ms(const struct das_clock *c);

/* From here on the functions above are c's for this thread (NULL: the machine's): both tell its
 * time, and sleeping moves it. c must outlive that. */
void das_clock_enter(struct das_clock *c);
struct das_clock *das_clock_entered(void); /* or NULL */
/* As das_clock_monotonic_ms(), of the machine in any case: for who waits for other threads. */
int64_t das_clock_machine_ms(void);

#endif
