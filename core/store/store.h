/*
 * store.h - the state database: one SQLite file, das.db, in the state directory.
 *
 * Holds the journal (journal.h), the count of kills (budget.h), what is remembered of a policy
 * (memory of breakers and matches, habits.h), runbooks and their steps (runbook.h), and of das serve
 * its kill tasks, the history of kills (task.h), who may ask (access.h), messages that are to be
 * sent (outbox.h), what came to hooks (delivery.h), what of that is not done (work.h) and kills that
 * wait for a yes (approval.h). It decides nothing. A commit is on the disk when it returns (WAL,
 * synchronous=FULL); several processes may have it open. A handle is used by one thread at a time.
 *
 * Each handle is a run: it has an id, and a file with that name in the state directory's runs/ that
 * the kernel keeps locked while the process lives. That is how another process knows that a run
 * has died in the middle of a kill, and nothing else about a process is believed.
 */
#ifndef DAS_STORE_STORE_H
#define DAS_STORE_STORE_H

#include "core/base/err.h"

#define DAS_RUN_ID_SIZE 17 /* hex and NUL */

struct das_store;

/* Makes dir (0700) and the database where they are missing, brings one of an older das up to date,
 * and looks after runs that died: their intents without an outcome become unknown in the journal,
 * what they had reserved is free again. DAS_E_STORE names the path and what was wrong with it. */
int das_store_open(const char *dir, struct das_store **out, struct das_err *err);
/* For looking only (audit, status): makes nothing, recovers nothing; one of an older das is read as
 * it is, without what it has not yet. *out is NULL and 0 is returned where there is no database
 * yet. */
int das_store_open_to_read(const char *dir, struct das_store **out, struct das_err *err);
/* A database of its own that is nowhere but in memory, for what is replayed or tested: the same
 * journal, counts and breakers, and nothing on the disk. */
int das_store_open_in_memory(struct das_store **out, struct das_err *err);
/* The handle becomes another run: what the one before used up of limits.kill.run does not count for
 * it. For a handle in memory. */
int das_store_next_run(struct das_store *s, struct das_err *err);
void das_store_close(struct das_store *s); /* NULL is fine */

const char *das_store_run(const struct das_store *s);  /* this handle's run id */
const char *das_store_path(const struct das_store *s); /* of das.db */

#endif
