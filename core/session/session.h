/*
 * session.h - one database session, as every source tells it and every policy sees it.
 *
 * Names are those of the DAS kill-session API, in Lua, in JSON and here. A struct das_session
 * borrows its bytes from the snapshot (or the reader) that filled it.
 */
#ifndef DAS_SESSION_SESSION_H
#define DAS_SESSION_SESSION_H

#include "core/base/text.h"

/* A number that the source could not tell: it matches no criterion, and no negated one. */
#define DAS_UNKNOWN INT64_MIN
/* A number that the source looked for and the session does not have (no open transaction). */
#define DAS_ABSENT (INT64_MIN + 1)

static inline bool das_known(int64_t v)
{
    return v > DAS_ABSENT;
}

struct das_session {
    int64_t id;
    struct das_text user;
    struct das_text host; /* "ip:port", "name:port", "localhost", as the server prints it */
    struct das_text db;
    struct das_text command;
    struct das_text state;
    struct das_text sql_info;
    bool disputed;          /* the source selected it, das's own reading of the filter would not */
    int64_t state_duration; /* s in the current state; >= 0 or DAS_UNKNOWN */
    int64_t time_ms;        /* the same in ms */
    int64_t query_id;       /* MariaDB's number of the statement */
    int64_t trx_time;       /* s since the transaction began; DAS_ABSENT outside one */
    int64_t rows_modified;  /* by the open transaction; DAS_ABSENT outside one. While it is rolled
                               back (command "Killed"), what is left to undo */
    int64_t rows_examined;  /* by the statement */
    int64_t progress;       /* thousandths of a per cent */
    int64_t trx_id;         /* InnoDB's number of the open transaction; DAS_ABSENT outside one,
                               DAS_UNKNOWN as long as it has none (MariaDB: nothing written yet) */
    int64_t blocked_by;     /* id of the session whose InnoDB lock this one waits for: of several
                               the one with the oldest transaction. DAS_ABSENT: waits for none;
                               DAS_UNKNOWN as well where it waits and nobody can tell for whom.
                               Metadata locks are not told */
};

/* No text and no number: what a source fills in from. */
void das_session_unknown(struct das_session *s);

/* The columns, in the order in which they are printed. */
enum das_field {
    DAS_F_ID,
    DAS_F_USER,
    DAS_F_HOST,
    DAS_F_DB,
    DAS_F_COMMAND,
    DAS_F_STATE,
    DAS_F_SQL_INFO,
    DAS_F_STATE_DURATION,
    DAS_F_TIME_MS,
    DAS_F_QUERY_ID,
    DAS_F_TRX_TIME,
    DAS_F_ROWS_MODIFIED,
    DAS_F_ROWS_EXAMINED,
    DAS_F_PROGRESS,
    DAS_F_TRX_ID,
    DAS_F_BLOCKED_BY,
    DAS_F_COUNT
};

const char *das_field_name(enum das_field f); /* "state_duration" */
int das_field_find(struct das_text name);     /* a das_field, or -1 */
bool das_field_is_text(enum das_field f);
struct das_text das_session_text(const struct das_session *s, enum das_field f);
int64_t das_session_int(const struct das_session *s, enum das_field f);
/* Where it stands; NULL: it is of the other kind. */
struct das_text *das_session_text_at(struct das_session *s, enum das_field f);
int64_t *das_session_int_at(struct das_session *s, enum das_field f);

/* A TIME as a server prints it: NULL, negative or >= 2^31-1 is unknown (DAS_UNKNOWN). */
int64_t das_session_clean_time(int64_t seconds);

/* The part of host before the last ':' (an IPv6 address in brackets keeps them); the whole when
 * there is no port. */
struct das_text das_host_part(struct das_text host);

/* Command names that some source reports, for checking a filter. */
extern const char *const das_command_names[];
extern const size_t das_command_count;

#endif
