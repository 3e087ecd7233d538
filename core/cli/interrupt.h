/*
 * interrupt.h - Ctrl-C and its like: the first one asks for an end, so that no outcome is lost; the
 * second ends the program at once.
 */
#ifndef DAS_CLI_INTERRUPT_H
#define DAS_CLI_INTERRUPT_H

#include <stdatomic.h>

#include "core/plan/plan.h"

/* From here on; whatever came before is forgotten. The number of the signal that came, 0 while none
 * has, is in what it returns: for das_engine_opts.cancel, and to be looked at. */
const atomic_int *das_interrupt_catch(void);
/* For a plan that is applied after das_interrupt_catch(): no victim is begun when a signal came, and
 * no outcome waited for. */
extern const struct das_apply_watch das_interrupt_watch;
/* The signals mean again what they mean to any program. */
void das_interrupt_leave(void);

#endif
