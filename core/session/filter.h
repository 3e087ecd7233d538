/*
 * filter.h - which sessions: a table is a conjunction, and tables compose with & | ~.
 *
 * A filter is built, checked and then shared: it is immutable and counted by reference, safe to
 * read from any thread.
 *
 * Truth has three values. A number that the source could not tell (a TIME that is NULL, a
 * transaction age without the privilege to see it) makes a criterion unsure; unsure stays unsure
 * under ~, and only a sure yes selects. So ~{time=60} does not hit a session whose time nobody
 * knows. A NULL text (no db, no SQL) is known: it equals nothing, and ~{db="x"} hits it. An empty
 * table is unsure of everything: neither {} nor ~{} selects a session.
 */
#ifndef DAS_SESSION_FILTER_H
#define DAS_SESSION_FILTER_H

#include "core/base/buf.h"
#include "core/session/snapshot.h"

struct das_filter;

enum das_truth { DAS_NO, DAS_YES, DAS_UNSURE };

enum das_key {
    DAS_K_USER,
    DAS_K_HOST,
    DAS_K_DB,
    DAS_K_COMMAND,
    DAS_K_TIME,
    DAS_K_INFO,
    DAS_K_STATE,
    DAS_K_ID,
    DAS_K_TRX_TIME,
    DAS_K_ROWS_MODIFIED,
    DAS_K_TASK_DURATION, /* filters nothing; 10 to 31535999 s */
    DAS_K_TASK_TYPE,     /* filters nothing; "auto" or "manual" */
    DAS_K_ALL,           /* all = true: every session, when nothing else is said */
    DAS_K_COUNT
};

#define DAS_TIME_MAX 2147483646 /* s: the largest TIME that is not "unknown" */
#define DAS_TASK_DURATION_MIN 10
#define DAS_TASK_DURATION_MAX 31535999
#define DAS_IDS_MAX 100000
#define DAS_FILTER_TEXT_MAX 65536 /* bytes of one text criterion */
#define DAS_FILTER_DEPTH_MAX 500
#define DAS_FILTER_PARTS_MAX 10000

/* A value as a caller has it; das_filter_set() checks its type. */
struct das_value {
    enum { DAS_V_BOOL, DAS_V_INT, DAS_V_NUMBER, DAS_V_TEXT, DAS_V_INTS, DAS_V_OTHER } kind;
    bool boolean;
    int64_t integer;
    double number;         /* a float: refused unless it is whole */
    struct das_text text;
    const int64_t *ints;
    size_t count;
    const char *type_name; /* of DAS_V_OTHER, for the message: "function" */
};

/* --- building ------------------------------------------------------------------------------ */

struct das_filter *das_filter_new(struct das_err *err); /* {}: selects nothing */
/* Sets one key of a table that is not shared yet. Text "" unsets. Numbers may be given as text
 * ("60", "5m"). Unknown keys, wrong types and bad ranges are DAS_E_USAGE, naming the key; on any
 * failure the key keeps the value it had. */
int das_filter_set(struct das_filter *f, const char *key, const struct das_value *v,
                   struct das_err *err);
int das_filter_set_text(struct das_filter *f, const char *key, const char *text,
                        struct das_err *err);
/* A user, host or db that equals t, however many % and \ are in it; nothing for NULL and "". */
int das_filter_set_exactly(struct das_filter *f, const char *key, struct das_text t,
                           struct das_err *err);

struct das_filter *das_filter_and(struct das_filter *a, struct das_filter *b, struct das_err *err);
struct das_filter *das_filter_or(struct das_filter *a, struct das_filter *b, struct das_err *err);
struct das_filter *das_filter_not(struct das_filter *a, struct das_err *err);
/* The three above retain what they compose. */
/* f with the bounds of time, trx_time and rows_modified lower by so many per cent (rounded up to
 * whole numbers): it also selects who only just is not selected. Below a "not" a lower bound selects
 * fewer, so nothing changes there. *changed: any bound did; else the same filter comes back. */
struct das_filter *das_filter_relax(struct das_filter *f, int percent, bool *changed,
                                    struct das_err *err);
struct das_filter *das_filter_retain(struct das_filter *f);
void das_filter_release(struct das_filter *f); /* NULL is fine */

/* --- reading ------------------------------------------------------------------------------- */

const char *das_key_name(enum das_key k);
extern const char *const das_key_names[DAS_K_COUNT];

/* As one would write it in Lua: {command="Query", time=60} & ~{user="app%"} */
void das_filter_print(const struct das_filter *f, struct das_buf *b);

/* False when no session could ever match: an empty table, alone or where it decides. */
bool das_filter_can_match(const struct das_filter *f);

enum das_filter_op { DAS_FILTER_TABLE, DAS_FILTER_AND, DAS_FILTER_OR, DAS_FILTER_NOT };
enum das_filter_op das_filter_op(const struct das_filter *f);
const struct das_filter *das_filter_left(const struct das_filter *f);  /* AND, OR, NOT */
const struct das_filter *das_filter_right(const struct das_filter *f); /* AND, OR */

/* One criterion of a table; false when that key is not set. */
struct das_criterion {
    struct das_text text;  /* user, host, db, command, info, state, task_type: as given */
    int64_t number;        /* time, trx_time, rows_modified, task_duration; all: 1 */
    const int64_t *ids;    /* id: sorted, without doubles */
    size_t count;
};
bool das_filter_get(const struct das_filter *f, enum das_key k, struct das_criterion *out);
/* Memory held by the filter itself, without those that it composes. */
size_t das_filter_bytes(const struct das_filter *f);
bool das_filter_is_empty(const struct das_filter *f); /* a table with no criterion that filters */

/* --- matching ------------------------------------------------------------------------------ */

/* A filter bound to one snapshot: each distinct user, host part, db, command and state is matched
 * here, once. Borrows both. */
struct das_matcher;
struct das_matcher *das_matcher_new(const struct das_filter *f, const struct das_snapshot *s,
                                    struct das_err *err);
void das_matcher_free(struct das_matcher *m);
enum das_truth das_matcher_test(const struct das_matcher *m, uint32_t row);

/* One session that is in no snapshot, or when only one is asked about. Same answer. */
enum das_truth das_filter_test(const struct das_filter *f, const struct das_session *s);

#endif
