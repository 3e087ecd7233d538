/* runbook_question.c - which questions of runbooks people have been told of (see runbook.h). */
#include <stdio.h>

#include "core/base/fault.h"
#include "core/store/runbook_impl.h"

int das_question_due(struct das_store *s, const struct das_question *after,
                     struct das_question *out, size_t n, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_QUESTION_DUE, "iii", after ? after->runbook : 0,
                               after ? after->n : 0, (int64_t)n);
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

/* 1, or 0: it was posted before. */
static int ask(struct das_store *s, const struct das_question *q, const struct das_outbox_new *m,
               int64_t now_ms, struct das_err *err)
{
    char delivery[DAS_DELIVERY_SIZE];

    if (das_outbox_put(s, m, now_ms, delivery, err) < 0)
        return -1;
    return das_do(s, err, DAS_Q_QUESTION_ASKED, "iiis", q->runbook, q->n, now_ms, delivery);
}

/* 1, or 0: people have been told before. */
static int tell(struct das_store *s, const struct das_question *q, const struct das_outbox_new *m,
                int64_t now_ms, struct das_err *err)
{
    char delivery[DAS_DELIVERY_SIZE];
    int rc = das_do(s, err, DAS_Q_QUESTION_TOLD, "ii", q->runbook, q->n);

    return rc > 0 && das_outbox_put(s, m, now_ms, delivery, err) < 0 ? -1 : rc;
}

int das_question_post(struct das_store *s, const struct das_question *q,
                      const struct das_outbox_new *m, int64_t now_ms, struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = *q->delivery ? tell(s, q, m, now_ms, err) : ask(s, q, m, now_ms, err);
    if (rc > 0)
        DAS_FAULT(*q->delivery ? "question-before-told" : "question-before-asked");
    /* with 0 all is undone: a message that somebody else has queued is not queued again */
    if (das_end(s, rc > 0 ? 0 : -1, err) < 0 && rc > 0)
        rc = -1;
    if (rc > 0)
        DAS_FAULT(*q->delivery ? "question-told" : "question-asked");
    return rc;
}
