/*
 * snapshot.h - all sessions of one instance at one moment: columns over one arena.
 *
 * A source builds a snapshot row by row and then shares it; from then on it is immutable and may
 * be read by any thread. Text that repeats (user, host part, db, command, state) is kept once, as
 * a number into a dictionary, so that a filter looks at each distinct value once.
 */
#ifndef DAS_SESSION_SNAPSHOT_H
#define DAS_SESSION_SNAPSHOT_H

#include "core/base/err.h"
#include "core/session/session.h"

struct das_snapshot;

/* The texts that are kept once. */
enum das_dict { DAS_D_USER, DAS_D_HOST_PART, DAS_D_DB, DAS_D_COMMAND, DAS_D_STATE, DAS_D_COUNT };

/* Which server a snapshot is from. Two are the same server only when das_identity_same() says so: a
 * restart begins new session ids, so the start time belongs to it. Without a name it is never the
 * same. */
struct das_identity {
    char server[300];     /* kind, uuid or host:port and id; file; generation */
    int64_t start_unix_s; /* when the server started; DAS_UNKNOWN where it has no meaning */
};
bool das_identity_same(const struct das_identity *a, const struct das_identity *b);

#define DAS_SNAPSHOT_MAX_ROWS ((uint32_t)1 << 30)

struct das_snapshot *das_snapshot_new(struct das_err *err); /* one reference */
struct das_snapshot *das_snapshot_retain(struct das_snapshot *s);
void das_snapshot_release(struct das_snapshot *s); /* NULL is fine */

/* --- building, before the snapshot is shared ---------------------------------------------- */

/* Copies one session in. A state_duration, time_ms or trx_time out of range and a negative count
 * become DAS_UNKNOWN. */
int das_snapshot_add(struct das_snapshot *s, const struct das_session *row, struct das_err *err);
void das_snapshot_set_time(struct das_snapshot *s, int64_t unix_s); /* data_sync_time */
void das_snapshot_set_identity(struct das_snapshot *s, const struct das_identity *id);
void das_snapshot_set_complete(struct das_snapshot *s, bool complete);
/* The source left rows out on purpose because they could not match (push-down). */
void das_snapshot_set_partial(struct das_snapshot *s, bool partial);
/* The source could not give them all at once: a session that is not in the list may be there. */
void das_snapshot_set_cut(struct das_snapshot *s, bool cut);
/* How old the list was already when the source gave it, in seconds. */
void das_snapshot_set_lag(struct das_snapshot *s, int64_t seconds);
/* The list was put together from several: its rows are from up to so many seconds after its time. */
void das_snapshot_set_spread(struct das_snapshot *s, int64_t seconds);
/* How many sessions match at the source, where it says so and cut the list. */
void das_snapshot_set_total(struct das_snapshot *s, int64_t total);
int das_snapshot_warn(struct das_snapshot *s, struct das_err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Marks a session as das's own connection; protected from every kill. */
int das_snapshot_add_own(struct das_snapshot *s, int64_t id, struct das_err *err);
/* The database user that das is here: all sessions of it count as das's own. NULL or "": none. */
int das_snapshot_set_own_user(struct das_snapshot *s, struct das_text user, struct das_err *err);

/* A new snapshot with the given rows of parent. It shares parent's text; with rows NULL (and n all
 * its rows) it also shares the columns until they change. */
struct das_snapshot *das_snapshot_derive(struct das_snapshot *parent, const uint32_t *rows,
                                         size_t n, struct das_err *err);
/* A new snapshot with the sessions of s, but row in place of the one of that id, at the end where
 * there is none; row NULL: without that one. It shares nothing with s. */
struct das_snapshot *das_snapshot_replace(const struct das_snapshot *s, int64_t id,
                                          const struct das_session *row, struct das_err *err);
/* On a derived snapshot: all sessions grow older by so many seconds. */
int das_snapshot_age(struct das_snapshot *s, int64_t seconds, struct das_err *err);
/* On a snapshot derived with a row list: the statement of this row has ended (Sleep, no SQL,
 * duration as given). Needs das_snapshot_prepare_idle() on the parent. */
void das_snapshot_set_idle(struct das_snapshot *s, uint32_t row, int64_t duration);
int das_snapshot_prepare_idle(struct das_snapshot *s, struct das_err *err);

/* --- many snapshots over the same text ------------------------------------------------------ */

/* For a reader that has the texts of many snapshots at once. They are put into a snapshot without
 * rows, once; those over it share them, and their rows are written by column. */

/* The number of a text in the dictionary d of texts. */
int das_snapshot_intern(struct das_snapshot *texts, enum das_dict d, struct das_text t,
                        uint32_t *number, struct das_err *err);
/* Uninitialised bytes that live as long as texts, for hosts and statements. NULL: no memory. */
char *das_snapshot_bytes_for(struct das_snapshot *texts, size_t n, struct das_err *err);

/* The columns of a snapshot while it is filled. Of numbers only those stand here that were asked
 * for. The writer keeps to what das_snapshot_add() would have made of the values. */
struct das_snapshot_columns {
    int64_t *ids;
    int32_t *durations; /* -1: unknown */
    uint32_t *dicts[DAS_D_COUNT];
    struct das_text *hosts, *sql;
    int64_t *numbers[DAS_F_COUNT]; /* by field */
    bool *disputed;                /* or NULL */
};
/* A snapshot of so many rows, none of them written yet; numbers has a bit for each das_field whose
 * column it shall have. The caller owns one reference; it keeps one of texts. */
struct das_snapshot *das_snapshot_over(struct das_snapshot *texts, uint32_t rows, uint64_t numbers,
                                       bool disputed, struct das_snapshot_columns *to,
                                       struct das_err *err);
/* What das_snapshot_add() makes of a number. */
int64_t das_snapshot_clean(enum das_field f, int64_t v);

/* --- reading ------------------------------------------------------------------------------- */

uint32_t das_snapshot_rows(const struct das_snapshot *s);
int64_t das_snapshot_time(const struct das_snapshot *s); /* Unix seconds; 0 when unknown */
const struct das_identity *das_snapshot_identity(const struct das_snapshot *s);
bool das_snapshot_complete(const struct das_snapshot *s);
bool das_snapshot_partial(const struct das_snapshot *s);
bool das_snapshot_cut(const struct das_snapshot *s);
int64_t das_snapshot_lag(const struct das_snapshot *s); /* s; 0 unless the source said so */
int64_t das_snapshot_spread(const struct das_snapshot *s); /* s; 0 unless the source said so */
bool das_snapshot_disputed(const struct das_snapshot *s, uint32_t row);
int64_t das_snapshot_total(const struct das_snapshot *s); /* DAS_UNKNOWN: not told */
size_t das_snapshot_warnings(const struct das_snapshot *s);
const char *das_snapshot_warning(const struct das_snapshot *s, size_t i);
bool das_snapshot_is_own(const struct das_snapshot *s, int64_t id);
size_t das_snapshot_own_count(const struct das_snapshot *s);
int64_t das_snapshot_own(const struct das_snapshot *s, size_t i); /* a session id */
struct das_text das_snapshot_own_user(const struct das_snapshot *s); /* NULL: there is none */
size_t das_snapshot_bytes(const struct das_snapshot *s); /* memory held, for benches */

/* Fills out with row (< rows); the bytes live as long as the snapshot. */
void das_snapshot_get(const struct das_snapshot *s, uint32_t row, struct das_session *out);
/* The row of a session id, or -1. Linear. */
int64_t das_snapshot_find(const struct das_snapshot *s, int64_t id);
/* How many sessions that user has. Linear. */
int64_t das_snapshot_sessions_of(const struct das_snapshot *s, struct das_text user);

/* --- columns, for the matcher -------------------------------------------------------------- */

uint32_t das_snapshot_dict_size(const struct das_snapshot *s, enum das_dict d);
struct das_text das_snapshot_dict_text(const struct das_snapshot *s, enum das_dict d, uint32_t i);
const uint32_t *das_snapshot_dict_column(const struct das_snapshot *s, enum das_dict d);
const int64_t *das_snapshot_ids(const struct das_snapshot *s);
const struct das_text *das_snapshot_sql(const struct das_snapshot *s);
const int32_t *das_snapshot_durations(const struct das_snapshot *s); /* -1: unknown */
/* A whole numeric column, or NULL when no row has a value (all DAS_UNKNOWN). */
const int64_t *das_snapshot_numbers(const struct das_snapshot *s, enum das_field f);

#endif
