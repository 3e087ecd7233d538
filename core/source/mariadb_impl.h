/*
 * mariadb_impl.h - the parts of the MariaDB source, seen by each other and by nobody else.
 *
 *   mariadb.c          the source's operations: open, list, close
 *   mariadb_kill.c     the statements that end a session or its statement
 *   mariadb_connect.c  one connection: TLS, login, what the server is
 *   mariadb_error.c    what the client library and the server report, in das's words
 *   mariadb_trx.c      open transactions, and who waits for whose lock
 *   mariadb_list.c     rows of the process list and what is known of transactions into a snapshot
 */
#ifndef DAS_SOURCE_MARIADB_IMPL_H
#define DAS_SOURCE_MARIADB_IMPL_H

#include <mysql.h>

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/source/mysql_url.h"
#include "core/source/source_impl.h"

#define DAS_MYSQL_COLUMNS 16

/* One column of the process list and where it goes. */
struct das_mysql_column {
    const char *sql;
    enum das_field field;
};

/* What a connection found out about its server. Valid while the connection is. */
struct das_mysql_server {
    bool mariadb;              /* else MySQL or something that speaks like it */
    unsigned version;          /* 101119 for 10.11.19 */
    int64_t own_id;
    char account[400];         /* CURRENT_USER(): user@host, for GRANT */
    char user[400];            /* of USER(): as the process list shows our sessions */
    char check_sql[160];       /* SQL that tells which connection to which server answers ... */
    char check[400];           /* ... and what it gave when we connected */
    const char *table;         /* the process list to read */
    struct das_mysql_column columns[DAS_MYSQL_COLUMNS];
    size_t column_count;
    size_t sql_limit;          /* SQL text of this many bytes may have been cut */
    bool sees_all;             /* false: no PROCESS privilege */
    bool sees_trx;             /* false: open transactions cannot be read */
    char trx_problem[300];     /* why, when it is not the privilege */
    char wait_problem[300];    /* why it cannot be read who waits for whom; "": it can */
};

struct das_mariadb {
    struct das_source base;
    struct das_mysql_url url;
    char *password_file, *password_env;
    MYSQL *my;                    /* NULL: not connected */
    struct das_mysql_server server;
    struct das_identity identity; /* of the connection, or of the last one; server "": none yet */
    bool own;                     /* the connection is listed as our own (own.h) */
    bool lost;                    /* the last failure was a connection that the server ended */
};

/* --- mariadb_connect.c --------------------------------------------------------------------- */

int das_mariadb_connect(struct das_mariadb *m, struct das_err *err);
void das_mariadb_disconnect(struct das_mariadb *m);

/* Sends one statement. After a failure that leaves the connection useless it is closed; m->lost
 * says whether another one may help. */
int das_mariadb_query(struct das_mariadb *m, const char *sql, size_t len, struct das_err *err);
/* The next row of a streamed result: 1, 0 at the end, -1. start_ms is when the query was sent.
 * das_mariadb_finish() follows in any case. */
int das_mariadb_fetch(struct das_mariadb *m, MYSQL_RES *res, int64_t start_ms, MYSQL_ROW *row,
                      unsigned long **lengths, struct das_err *err);
/* Ends a streamed result. One that failed before its end takes the connection with it, unless it
 * was the server that ended it. */
void das_mariadb_finish(struct das_mariadb *m, MYSQL_RES *res, bool failed);

/* --- mariadb_error.c ----------------------------------------------------------------------- */

/* Does this error number say that the connection is of no more use? */
bool das_mariadb_is_lost(unsigned number);
/* Fills err from the handle's error. waited_ms is how long the call took, limit_s the timeout that
 * may have struck. Returns -1. */
int das_mariadb_fail(struct das_mariadb *m, MYSQL *my, const char *doing, int64_t waited_ms,
                     unsigned limit_s, struct das_err *err);
/* 'user'@'host' of CURRENT_USER(), quoted for a GRANT. */
void das_mariadb_account(const struct das_mariadb *m, char *out, size_t size);
/* The privilege that KILL needs on this server. */
const char *das_mariadb_kill_privilege(const struct das_mariadb *m);

/* --- mariadb_kill.c ------------------------------------------------------------------------ */

enum das_kill_result das_mariadb_kill(struct das_source *s, const struct das_kill_order *order,
                                      struct das_err *err);
const char *das_mariadb_cannot_soft(const struct das_source *s);

/* --- mariadb_trx.c ------------------------------------------------------------------------- */

struct das_mysql_trx {
    int64_t id;                /* of its session */
    int64_t age;               /* s */
    int64_t rows;              /* modified */
    int64_t trx_id;            /* DAS_UNKNOWN: it has no number yet */
    int64_t locks;             /* how many structures its locks take; 0: it has none */
    int64_t blocked_by;        /* as in struct das_session */
    struct das_text waits_for; /* a lock's id; NULL: waits for none */
};

/* Zeroed before it is read into, cleared after. */
struct das_trx_list {
    struct das_mysql_trx *list; /* by session */
    size_t count, cap;
    size_t waiting;             /* how many wait for a lock */
    int64_t now;                /* the server's clock */
    bool checked;               /* the same connection to the same server answered */
    struct das_arena arena;
    struct das_waits *waits;    /* used while reading */
};

int das_mariadb_read_trx(struct das_mariadb *m, struct das_trx_list *t, struct das_err *err);
/* The session's oldest; NULL: it has none. */
const struct das_mysql_trx *das_mariadb_find_trx(const struct das_trx_list *t, int64_t id);
void das_mariadb_clear_trx(struct das_trx_list *t);

/* --- mariadb_list.c ------------------------------------------------------------------------ */

/* Picks table and columns for this server. */
int das_mariadb_choose_columns(struct das_mariadb *m, struct das_err *err);
/* where may be empty. */
int das_mariadb_read_list(struct das_mariadb *m, const struct das_buf *where,
                          struct das_snapshot **out, struct das_err *err);

#endif
