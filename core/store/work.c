/* work.c - see work.h. */
#include "core/store/work.h"

#include <stdio.h>
#include <string.h>

#include "core/base/fault.h"
#include "core/base/mem.h"
#include "core/store/store_impl.h"

/* --- keeping ---------------------------------------------------------------------------------- */

int das_work_put(struct das_store *s, struct das_work_new *w, struct das_text fresh,
                 struct das_err *err)
{
    if (!w->hook || !*w->hook || !w->work.len)
        return das_fail(err, DAS_E_INTERNAL, "work of a hook that is not filled");
    if (das_do(s, err, DAS_Q_WORK_ADD, "sstiib", w->hook, s->run, fresh, w->at_ms, w->until_ms,
               w->work) < 0)
        return -1;
    w->n = sqlite3_last_insert_rowid(s->db);
    return 0;
}

int das_work_add(struct das_store *s, struct das_work_new *w, struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = das_end(s, das_work_put(s, w, DAS_TEXT_NULL, err), err);
    if (rc == 0)
        DAS_FAULT("work-kept");
    return rc;
}

int das_work_begin(struct das_store *s, int64_t n, const char *run, struct das_err *err)
{
    int rc;

    if (das_begin_unsynced(s, err) < 0)
        return -1;
    rc = das_do(s, err, DAS_Q_WORK_BEGIN, "iss", n, s->run, run);
    if (rc == 0)
        rc = das_fail(err, DAS_E_STORE, "%s: work %lld is not there any more", s->path,
                      (long long)n);
    rc = das_end(s, rc < 0 ? -1 : 0, err);
    if (rc == 0)
        DAS_FAULT("work-begun");
    return rc;
}

int das_work_end(struct das_store *s, int64_t n, struct das_err *err)
{
    int rc;

    if (das_begin_unsynced(s, err) < 0)
        return -1;
    rc = das_do(s, err, DAS_Q_WORK_DROP, "is", n, s->run) < 0 ? -1 : 0;
    rc = das_end(s, rc, err);
    if (rc == 0)
        DAS_FAULT("work-ended");
    return rc;
}

/* --- taking over ------------------------------------------------------------------------------ */

static void clear_one(struct das_work *w)
{
    das_free(w->hook);
    das_free(w->work);
    das_free(w->fresh);
    *w = (struct das_work){.n = 0};
}

void das_work_list_clear(struct das_work_list *l)
{
    while (l->count)
        clear_one(&l->items[--l->count]);
}

static char *copy(struct das_text t)
{
    return das_strndup(t.ptr ? t.ptr : "", t.len);
}

/* 1: it is what the caller wants; 0: it is not; -1. */
static int read_row(const struct das_store *s, sqlite3_stmt *st, das_work_wants *wants, void *arg,
                    struct das_work *w, struct das_err *err)
{
    struct das_text begun = das_column(st, 5);
    int rc = 0;

    *w = (struct das_work){.n = sqlite3_column_int64(st, 0),
                           .at_ms = sqlite3_column_int64(st, 3),
                           .until_ms = sqlite3_column_int64(st, 4),
                           .hook = copy(das_column(st, 2)),
                           .fresh = copy(das_column(st, 6))};
    if (!w->hook || !w->fresh)
        rc = das_fail_nomem(err);
    else if (begun.len >= sizeof w->begun)
        rc = das_fail(err, DAS_E_STORE, "%s: work %lld is none of das", s->path, (long long)w->n);
    else
        memcpy(w->begun, begun.ptr, begun.len);
    if (rc == 0 && wants(arg, w)) {
        struct das_text work = das_column(st, 7);
        w->work = copy(work);
        w->work_len = work.len;
        rc = w->work ? 1 : das_fail_nomem(err);
    }
    if (rc <= 0)
        clear_one(w);
    return rc;
}

/* Whether the run of a row has died; it is asked for once where many rows have the same. */
static int is_dead(struct das_store *s, const char *run, char last[64], int *dead,
                   struct das_err *err)
{
    if (!run)
        return das_fail_nomem(err);
    if (strcmp(run, last) != 0) {
        *dead = das_run_is_dead(s, run, NULL, err);
        snprintf(last, 64, "%s", run);
    }
    return *dead;
}

static int find(struct das_store *s, das_work_wants *wants, void *arg, struct das_work_list *out,
                struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_WORK_OTHERS, "s", s->run);
    char last[64] = "";
    int dead = 0, rc = st ? 0 : -1;

    while (rc == 0 && out->count < DAS_WORK_CLAIM_MAX && (rc = das_step(s, st, err)) > 0) {
        rc = is_dead(s, das_column_str(st, 1), last, &dead, err);
        if (rc > 0)
            rc = read_row(s, st, wants, arg, &out->items[out->count], err);
        if (rc > 0)
            out->count++;
        rc = rc < 0 ? -1 : 0;
    }
    if (st)
        sqlite3_reset(st);
    return rc;
}

static int claim(struct das_store *s, das_work_wants *wants, void *arg, struct das_work_list *out,
                 struct das_err *err)
{
    if (find(s, wants, arg, out, err) < 0)
        return -1;
    for (size_t i = 0; i < out->count; i++) {
        if (das_do(s, err, DAS_Q_WORK_CLAIM, "is", out->items[i].n, s->run) < 0)
            return -1;
    }
    return 0;
}

/* Without a transaction, because it is asked for all the time. */
static int anything(struct das_store *s, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_WORK_RUNS, "s", s->run);
    int rc = st ? 0 : -1, dead = 0;

    while (rc == 0 && !dead && (rc = das_step(s, st, err)) > 0) {
        const char *run = das_column_str(st, 0);
        dead = run ? das_run_is_dead(s, run, NULL, err) : das_fail_nomem(err);
        rc = dead < 0 ? -1 : 0;
    }
    if (st)
        sqlite3_reset(st);
    return rc < 0 ? -1 : dead;
}

int das_work_claim(struct das_store *s, das_work_wants *wants, void *arg, struct das_work_list *out,
                   struct das_err *err)
{
    int rc;

    out->count = 0;
    rc = anything(s, err);
    if (rc <= 0)
        return rc;
    if (das_begin(s, err) < 0)
        return -1;
    rc = das_end(s, claim(s, wants, arg, out, err), err);
    if (rc < 0)
        das_work_list_clear(out);
    return rc < 0 ? -1 : (int)out->count;
}
