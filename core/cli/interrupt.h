/*
 * interrupt.h - Ctrl-C and its like: the first one asks for an end, so that no outcome is lost; the
 * second ends the program at once.
 */
#ifndef DAS_CLI_INTERRUPT_H
#define DAS_CLI_INTERRUPT_H

#include <stdatomic.h>

/* From here on; whatever came before is forgotten. The number of the signal that came, 0 while none
 * has, is in what it returns: for das_engine_opts.cancel, and to be looked at. */
const atomic_int *das_interrupt_catch(void);
/* The signals mean again what they mean to any program. */
void das_interrupt_leave(void);

#endif
