/* tape_impl.h - the words on a tape, for who writes and who reads it. Private to tape*.c. */
#ifndef DAS_SOURCE_TAPE_IMPL_H
#define DAS_SOURCE_TAPE_IMPL_H

#include "core/source/source_impl.h"
#include "core/source/tape.h"

extern const char *const das_tape_whats[4];   /* by enum das_kill_what */
extern const char *const das_tape_results[5]; /* by enum das_kill_result */

#endif
