/*
 * store_impl.h - the inside of a handle, for core/store only: the connection to SQLite, its
 * prepared statements, transactions, and what the files of this room ask of each other.
 */
#ifndef DAS_STORE_STORE_IMPL_H
#define DAS_STORE_STORE_IMPL_H

#include <sqlite3.h>
#include <stdbool.h>

#include "core/base/text.h"
#include "core/store/journal.h"
#include "core/store/store.h"

#define DAS_STORE_FORMAT 6             /* user_version of the database */
/* Which format first had what: one that is only read may be older. */
#define DAS_FORMAT_SERVE 2
#define DAS_FORMAT_OUTBOX 3
#define DAS_FORMAT_APPROVAL 4
#define DAS_FORMAT_RUNBOOKS 5
#define DAS_STORE_APPLICATION 0x646173 /* "das", application_id of the database */
#define DAS_STORE_BUSY_MS 10000        /* how long another process may hold the database */

/* Every statement, prepared when it is first needed. Their texts are in sql.c. */
enum das_query {
    DAS_Q_BEGIN_WRITE,
    DAS_Q_BEGIN_READ,
    DAS_Q_COMMIT,
    DAS_Q_ROLLBACK,

    DAS_Q_HEAD,
    DAS_Q_APPEND,
    DAS_Q_RECORDS,
    DAS_Q_OPEN_ADD,
    DAS_Q_OPEN_DROP,
    DAS_Q_OPEN_FIRST,
    DAS_Q_OPEN_ALL,
    DAS_Q_UNKNOWN_ADD,
    DAS_Q_UNKNOWN_DROP,
    DAS_Q_UNKNOWN_HAS,
    DAS_Q_UNKNOWN_ALL,
    DAS_Q_DOUBTFUL,
    DAS_Q_APPLIED_ADD,
    DAS_Q_APPLIED_HAS,
    DAS_Q_APPLIED_ALL,
    DAS_Q_OWING_RUNS,

    DAS_Q_RESERVE,
    DAS_Q_SPEND,
    DAS_Q_GIVE_BACK,
    DAS_Q_GIVE_BACK_RUN,
    DAS_Q_COUNT_RUN,
    DAS_Q_COUNT_ALL,
    DAS_Q_COUNT_INSTANCE,
    DAS_Q_COUNT_USER,
    DAS_Q_COUNT_RECENT,

    DAS_Q_BREAKER_GET,
    DAS_Q_BREAKER_PUT,
    DAS_Q_BREAKER_ALL,
    DAS_Q_MATCHES_COUNT,
    DAS_Q_MATCHES_LAST,
    DAS_Q_MATCHES_ADD,
    DAS_Q_MATCHES_TRIM,

    DAS_Q_CARRY_KILLS,
    DAS_Q_CARRY_KILL,
    DAS_Q_CARRY_BREAKERS,
    DAS_Q_CARRY_MATCHES,

    DAS_Q_TASK_ADD,
    DAS_Q_TASK_RUNNING,
    DAS_Q_TASK_RUNS,
    DAS_Q_TASK_FIRST,
    DAS_Q_TASK_DUE,
    DAS_Q_TASK_DUE_ANY,
    DAS_Q_TASK_STOP,
    DAS_Q_TASK_END,
    DAS_Q_TASKS,
    DAS_Q_TASKS_RUNNING,
    DAS_Q_TASKS_OF,
    DAS_Q_TASKS_OF_RUNNING,
    DAS_Q_SWITCH_GET,
    DAS_Q_SWITCH_PUT,

    DAS_Q_HISTORY_STANDS,
    DAS_Q_HISTORY_MOVE,
    DAS_Q_HISTORY_SLICE,
    DAS_Q_RECORD,
    DAS_Q_KILLED_PUT,
    DAS_Q_KILLED_COUNT,
    DAS_Q_KILLED_PAGE,

    DAS_Q_ACCESS_ADD,
    DAS_Q_ACCESS_HAS,
    DAS_Q_ACCESS_REVOKE,
    DAS_Q_ACCESS_ALL,
    DAS_Q_SEEN_PURGE,
    DAS_Q_SEEN_ADD,
    DAS_Q_VERSION,

    DAS_Q_OUTBOX_ADD,
    DAS_Q_OUTBOX_SAME,
    DAS_Q_OUTBOX_REPEAT,
    DAS_Q_OUTBOX_FULL,
    DAS_Q_OUTBOX_EXPIRE,
    DAS_Q_OUTBOX_NEXT,
    DAS_Q_OUTBOX_DUE,
    DAS_Q_OUTBOX_GROUP,
    DAS_Q_OUTBOX_LOOSE,
    DAS_Q_OUTBOX_CLAIM,
    DAS_Q_OUTBOX_SENT,
    DAS_Q_OUTBOX_LATER,
    DAS_Q_OUTBOX_FAILED,
    DAS_Q_OUTBOX_REF,
    DAS_Q_OUTBOX_MESSAGE,
    DAS_Q_OUTBOX_ALL,
    DAS_Q_OUTBOX_COUNT,
    DAS_Q_OUTBOX_PURGE,
    DAS_Q_PACE_GET,
    DAS_Q_PACE_PUT,
    DAS_Q_PACE_BLOCK,

    DAS_Q_DELIVERY_PURGE,
    DAS_Q_DELIVERY_HAS,
    DAS_Q_DELIVERY_ADD,
    DAS_Q_DELIVERY_AGAIN,
    DAS_Q_DELIVERY_DROP,

    DAS_Q_WORK_ADD,
    DAS_Q_WORK_BEGIN,
    DAS_Q_WORK_DROP,
    DAS_Q_WORK_RUNS,
    DAS_Q_WORK_OTHERS,
    DAS_Q_WORK_CLAIM,

    DAS_Q_APPROVAL_ADD,
    DAS_Q_APPROVAL_SAME,
    DAS_Q_APPROVAL_GET,
    DAS_Q_APPROVAL_VOTES,
    DAS_Q_APPROVAL_VOTE,
    DAS_Q_APPROVAL_STATE,
    DAS_Q_APPROVAL_CLAIM,
    DAS_Q_APPROVAL_NOTE,
    DAS_Q_APPROVAL_RESULT,
    DAS_Q_APPROVAL_DELIVERY,
    DAS_Q_APPROVAL_ALL,
    DAS_Q_APPROVAL_OPEN,
    DAS_Q_APPROVAL_SILENT,
    DAS_Q_APPROVAL_PENDING,
    DAS_Q_APPROVAL_COUNT,
    DAS_Q_RECORD_HASH,
    DAS_Q_APPLIED_SEQ,
    DAS_Q_OPEN_COUNT,
    DAS_Q_LINK_ADD,
    DAS_Q_LINK_GET,
    DAS_Q_LINK_USE,
    DAS_Q_FORM_ADD,
    DAS_Q_FORM_TRIM,
    DAS_Q_FORM_TAKE,

    DAS_Q_RUNBOOK_ADD,
    DAS_Q_RUNBOOK_GET,
    DAS_Q_RUNBOOK_ALL,
    DAS_Q_RUNBOOK_OPEN,
    DAS_Q_RUNBOOK_SAME_KEY,
    DAS_Q_RUNBOOK_CLAIM,
    DAS_Q_RUNBOOK_OWN,
    DAS_Q_RUNBOOK_SET,
    DAS_Q_RUNBOOK_WAIT,
    DAS_Q_RUNBOOK_WAKE,
    DAS_Q_RUNBOOK_SCRIPT,
    DAS_Q_RUNBOOK_CANCEL,
    DAS_Q_STRETCH_ADD,
    DAS_Q_STRETCH_END,
    DAS_Q_STRETCH_OF,
    DAS_Q_STRETCH_RUNBOOK,
    DAS_Q_STEP_PUT,
    DAS_Q_STEP_NEXT,
    DAS_Q_STEP_GET,
    DAS_Q_STEP_AT,
    DAS_Q_STEP_ALL,
    DAS_Q_STEP_ACTS,
    DAS_Q_NOTE_ADD,
    DAS_Q_NOTE_ALL,
    DAS_Q_QUESTION_DUE,
    DAS_Q_QUESTION_ASKED,
    DAS_Q_QUESTION_TOLD,
    DAS_Q_RUNBOOK_COUNT,
    DAS_Q_MODULE_GET,
    DAS_Q_MODULE_PUT,
    DAS_QUERIES
};
extern const char *const das_queries[DAS_QUERIES];
/* The n-th (from 0) makes a database of format n, empty for 0, one of format n + 1. Run inside a
 * transaction. */
extern const char *const das_store_steps[DAS_STORE_FORMAT];

struct das_store {
    sqlite3 *db;
    sqlite3_stmt *statements[DAS_QUERIES];
    char *dir, *path;
    char run[DAS_RUN_ID_SIZE];
    int lock; /* the locked file runs/RUN, or -1 */
    bool read_only;
    bool unsynced; /* how it commits just now */
    int64_t format; /* older than DAS_STORE_FORMAT only where it is read_only */
};

/* --- store.c ---------------------------------------------------------------------------------- */

/* "PATH: what SQLite says". Returns -1. */
int das_store_fail(const struct das_store *s, struct das_err *err);

/* A statement with its values: 'i' int64_t, 's' const char *, 't' struct das_text, 'b' the same as
 * plain bytes; no text counts as an empty one, but for 'n': bytes, or NULL. What they point to must
 * stay until the statement was stepped. NULL with err. */
sqlite3_stmt *das_ask(struct das_store *s, struct das_err *err, enum das_query q, const char *kinds,
                      ...);
/* 1: a row is there, and the caller resets the statement when it has read it; 0: no more; -1. */
int das_step(struct das_store *s, sqlite3_stmt *st, struct das_err *err);
/* A statement that gives no rows. The number of rows that it changed, or -1. */
int das_do(struct das_store *s, struct das_err *err, enum das_query q, const char *kinds, ...);
/* A statement that gives one number; 0 where it gives no row. -1 with err. */
int das_ask_int(struct das_store *s, int64_t *out, struct das_err *err, enum das_query q,
                const char *kinds, ...);
struct das_text das_column(sqlite3_stmt *st, int i); /* bytes, valid until the next step */
const char *das_column_str(sqlite3_stmt *st, int i); /* as long; NULL: out of memory */

int das_begin(struct das_store *s, struct das_err *err);      /* to write: nobody else can */
/* The same, but what is committed need not be on the disk before anything else is: it outlives the
 * process, and a power cut only together with a later commit of das_begin(), by whomever. */
int das_begin_unsynced(struct das_store *s, struct das_err *err);
int das_begin_read(struct das_store *s, struct das_err *err); /* one view of everything */
/* Commits when rc is 0, else undoes everything. Returns rc, or -1 when the commit failed. */
int das_end(struct das_store *s, int rc, struct das_err *err);

/* --- run.c: the lock files, and runs that died ------------------------------------------------ */

int das_run_name(char out[DAS_RUN_ID_SIZE], struct das_err *err); /* a new one */
int das_run_start(struct das_store *s, struct das_err *err);
void das_run_end(struct das_store *s);
/* 1: the run has died; 0: it lives, or it is this one; -1: it cannot be told. *held (if not NULL)
 * is then its lock file, to be closed by the caller, or -1: nobody else can take care of it while
 * it is held. */
int das_run_is_dead(struct das_store *s, const char *run, int *held, struct das_err *err);
int das_run_recover(struct das_store *s, struct das_err *err);

/* --- outbox.c --------------------------------------------------------------------------------- */

struct das_outbox_new;
/* das_outbox_add() inside a transaction of the caller's; id has DAS_DELIVERY_SIZE bytes. */
int das_outbox_put(struct das_store *s, const struct das_outbox_new *m, int64_t now_ms, char *id,
                   struct das_err *err);

/* --- journal.c -------------------------------------------------------------------------------- */

/* What is read from the bytes of a record. Borrows from the line. */
struct das_parts {
    int64_t seq, time_ms;
    struct das_text prev, run, kind;
    int64_t intent;       /* outcome and acknowledged: of which intent; else 0 */
    struct das_text outcome; /* outcome: its word; else NULL */
    bool unknown;            /* outcome: nobody knows */
    struct das_text plan; /* apply: its hash; else NULL */
};
/* False: these are not the bytes of a record. */
bool das_record_parse(struct das_text line, struct das_parts *out);

/* Inside a transaction of the caller's. */
int das_journal_append(struct das_store *s, struct das_record *r, struct das_err *err);

/* --- work.c ----------------------------------------------------------------------------------- */

/* Inside a transaction of the caller's; fresh: as struct das_work has it. */
struct das_work_new;
int das_work_put(struct das_store *s, struct das_work_new *w, struct das_text fresh,
                 struct das_err *err);

#endif
