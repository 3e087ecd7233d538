/*
 * columns.h - what the columns of a printed process list mean.
 *
 * Owns the mapping from the column names of SHOW PROCESSLIST, information_schema.processlist,
 * performance_schema.processlist and performance_schema.threads to the fields of a session, and
 * from printed values to theirs. Used by the readers of printed lists. It never reads a file.
 */
#ifndef DAS_SOURCE_COLUMNS_H
#define DAS_SOURCE_COLUMNS_H

#include "core/base/err.h"
#include "core/session/session.h"

enum das_role {
    DAS_R_NONE, /* a column that says nothing of interest */
    DAS_R_ID,
    DAS_R_USER,
    DAS_R_HOST,
    DAS_R_DB,
    DAS_R_COMMAND,
    DAS_R_STATE,
    DAS_R_INFO,
    DAS_R_TIME,
    DAS_R_TIME_MS,
    DAS_R_QUERY_ID,
    DAS_R_TRX_TIME,
    DAS_R_ROWS_MODIFIED,
    DAS_R_ROWS_EXAMINED,
    DAS_R_PROGRESS,
    DAS_R_TRX_ID,
    DAS_R_BLOCKED_BY,
    DAS_R_STAGE,
    DAS_R_MAX_STAGE,
    DAS_R_COUNT
};

#define DAS_COLUMNS_MAX 256

struct das_column {
    char *name;
    size_t name_len;
    enum das_role role; /* DAS_R_NONE as well for the second column with the same role */
    bool numeric;       /* its values never hold more than a number or NULL */
    size_t text_at;     /* where the text stands in struct das_session; 0: it is a number */
};

struct das_columns {
    struct das_column *items;
    size_t count, cap;
    bool has[DAS_R_COUNT];
    bool threads; /* spelled PROCESSLIST_ID: rows with a NULL there are no sessions */
};

/* What a name means, in any case; DAS_R_NONE for a name that means nothing here. */
enum das_role das_column_role(struct das_text name);

void das_columns_init(struct das_columns *c);
void das_columns_clear(struct das_columns *c); /* usable again */
int das_columns_add(struct das_columns *c, struct das_text name, struct das_err *err);
/* -1 and DAS_E_DATA naming the column when one is missing without which rows say too little. */
int das_columns_check(const struct das_columns *c, struct das_err *err);

/* Fills *out from one printed value per column; "NULL" is SQL NULL. out borrows the values.
 * 1: a session; 0: a server thread that is none; -1: err says which column, *bad is its number. */
int das_columns_session(const struct das_columns *c, const struct das_text *values,
                        struct das_session *out, size_t *bad, struct das_err *err);

/* The beginning of t for a message: one line, printable. */
#define DAS_EXCERPT 64
void das_excerpt(struct das_text t, char out[DAS_EXCERPT]);

/* "12.345" as 12345: a decimal number in thousandths, further digits dropped. Numbers too large
 * give INT64_MAX. False on anything else. */
bool das_parse_thousandths(struct das_text t, int64_t *out);

#endif
