/* rerun_impl.h - what recording a run and having it again share. Private to rerun*.c. */
#ifndef DAS_REPLAY_RERUN_IMPL_H
#define DAS_REPLAY_RERUN_IMPL_H

#include "core/http/client.h"
#include "core/replay/rerun.h"

/* "https://host:port" alone: what follows in a URL may be a secret. */
struct das_text das_rerun_origin(const char *url);
void das_rerun_watch(struct das_engine_watch *w, struct das_decisions *d);
/* d for the text of the script at opts->path. */
int das_rerun_policy(const struct das_engine_opts *opts, struct das_decisions *d,
                     void (*line)(void *arg, struct das_text line), void *arg,
                     struct das_err *err);

#endif
