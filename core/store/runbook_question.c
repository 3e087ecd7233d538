/* runbook_question.c - which questions of runbooks people have been told of (see runbook.h). */
#include <stdio.h>

#include "core/store/runbook_impl.h"

int das_question_due(struct das_store *s, struct das_question *out, size_t n, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_QUESTION_DUE, "i", (int64_t)n);
    int rc = st ? 0 : -1;
    size_t count = 0;

    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        struct das_question *q = &out[count++];
        const char *delivery = das_column_str(st, 2);
        q->runbook = sqlite3_column_int64(st, 0);
        q->n = sqlite3_column_int64(st, 1);
        snprintf(q->delivery, sizeof q->delivery, "%s", das_or_empty(delivery));
        rc = 0;
        if (count == n) {
            sqlite3_reset(st);
            break;
        }
    }
    return rc < 0 ? -1 : (int)count;
}

int das_question_asked(struct das_store *s, const struct das_question *q, int64_t now_ms,
                       struct das_err *err)
{
    return das_do(s, err, DAS_Q_QUESTION_ASKED, "iiis", q->runbook, q->n, now_ms, q->delivery) < 0
               ? -1
               : 0;
}

int das_question_told(struct das_store *s, const struct das_question *q, struct das_err *err)
{
    return das_do(s, err, DAS_Q_QUESTION_TOLD, "ii", q->runbook, q->n) < 0 ? -1 : 0;
}
