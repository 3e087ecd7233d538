/*
 * source.h - where sessions come from: a file, memory, a MariaDB or MySQL server, Huawei Cloud DAS.
 *
 * Every kind stands behind this one interface and gives the same session. This header can only
 * look; the way to kill is in source_kill.h, which core/plan alone includes.
 *
 * A source is used by one thread at a time.
 */
#ifndef DAS_SOURCE_SOURCE_H
#define DAS_SOURCE_SOURCE_H

#include "core/base/patience.h"
#include "core/session/filter.h"
#include "core/session/snapshot.h"

struct das_cloud;
struct das_source;

/* How to reach an instance. Strings are borrowed for the call. */
struct das_source_conf {
    const char *name;          /* what people call it; NULL: the spec itself */
    const char *id;            /* what das serve calls it: 32 hex digits, and "in01" or the like
                                  behind them; NULL: made from the name */
    const char *spec;          /* "file:PATH", "mem:PATH", "mysql://user@host:port/?socket=&ssl=",
                                  "das://REGION/PROJECT_ID/INSTANCE_ID" */
    const char *password_file; /* or NULL: first line is the password */
    const char *password_env;  /* or NULL: name of an environment variable */
    const char *cloud;         /* das: name of the account in the inventory; NULL: "default", else
                                  the SDK's environment variables */
    const char *db_user_id;    /* das: kills go through this registered database user; NULL: by
                                  session and user */
    struct das_cloud *account; /* das: the account itself; the source retains it. The inventory
                                  fills it in */
    const char *const *tags;   /* for grants; may be NULL */
    size_t tag_count;
};

/* Does text begin like a spec ("mem:", "mysql:")? Else it is a name. */
bool das_source_is_spec(const char *text);
/* Does that spec need an account at the cloud? */
bool das_source_needs_cloud(const char *spec);

/* Opens without touching the network: the first list connects. */
int das_source_open(const struct das_source_conf *conf, struct das_source **out,
                    struct das_err *err);
void das_source_close(struct das_source *s); /* NULL is fine */
/* Opens the same instance once more, for another thread: what one handle kills the other sees. conf
 * is that of s (for mem: it is not asked; the sessions are shared). */
int das_source_open_again(struct das_source *s, const struct das_source_conf *conf,
                          struct das_source **out, struct das_err *err);

const char *das_source_name(const struct das_source *s);

/* Hears of each list and each kill once it is over, on the thread that asked for it. It changes
 * nothing. */
struct das_kill_order;
struct das_source_listener {
    void *arg;
    void (*listed)(void *arg, struct das_source *s, struct das_snapshot *snap, /* NULL: it failed */
                   const struct das_err *err);
    void (*killed)(void *arg, struct das_source *s, const struct das_kill_order *order,
                   int result, /* enum das_kill_result */
                   const struct das_err *err);
};
void das_source_listen(struct das_source *s, const struct das_source_listener *l); /* NULL: nobody */

/* What is asked for. {0}: all sessions, as far as the source tells in one go. */
struct das_query {
    const struct das_filter *filter; /* only those that it could match, where the source can tell */
    bool exhaustive; /* where the source cuts its answers, ask on in parts, up to a bound */
    bool own_reading; /* none may be missing that das's reading of the filter selects, however the
                         source reads it; false: the source's own reading may decide */
};

/* The sessions now; q NULL: all. The caller owns one reference to *out. What was left out or could
 * not be seen is in the snapshot: complete, partial, total, disputed, warnings; which server
 * answered is in its identity. */
int das_source_list(struct das_source *s, const struct das_query *q, struct das_snapshot **out,
                    struct das_err *err);

/* How long lists and kills may wait for the world from now on, besides the source's own bounds; NULL:
 * as long as those say. Only das: asks. */
void das_source_set_patience(struct das_source *s, const struct das_patience *p);

/* Can the source find sessions by id? False: a list of some sessions should say who they are. */
bool das_source_finds_ids(const struct das_source *s);
/* Can this source kill at all? NULL, or the reason why not. */
const char *das_source_cannot_kill(const struct das_source *s);
/* Can it do DAS_KILL_STATEMENT_SOFT? NULL, or the reason why not. A server is known only after its
 * first list; before, NULL. */
const char *das_source_cannot_soft(const struct das_source *s);
/* Would it end a statement and leave the connection? NULL, or the reason why not. */
const char *das_source_cannot_statement(const struct das_source *s);
/* What a session may do between the last look at it and its kill without that being noticed; NULL:
 * nothing that matters. */
const char *das_source_kill_window(const struct das_source *s);
/* Milliseconds that should lie between two lists of the same thing; 0: none. */
int64_t das_source_pace_ms(const struct das_source *s);

#endif
