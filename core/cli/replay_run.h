/* replay_run.h - das replay --run FILE: does a recorded run decide the same once more? */
#ifndef DAS_CLI_REPLAY_RUN_H
#define DAS_CLI_REPLAY_RUN_H

#include "core/cli/cli.h"

/* tape: a file of das run --record; policy: the script, or NULL: where it was. After
 * das_common_finish(). Returns the exit code: 0 equal to the byte, 1 not. */
int das_replay_run(struct das_common *c, const char *tape, const char *policy);

#endif
