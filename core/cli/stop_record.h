/* stop_record.h - the off switch in the journal. */
#ifndef DAS_CLI_STOP_RECORD_H
#define DAS_CLI_STOP_RECORD_H

#include "core/base/err.h"

/* A record of kind "stop" or "resume" in the journal of state_dir. The switch works without it. */
int das_stop_record(const char *state_dir, const char *kind, const char *who, const char *reason,
                    struct das_err *err);

#endif
