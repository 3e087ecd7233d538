/*
 * hook_take.c - one request to a hook, on the thread of its connection (see hook_desk.h): judged,
 * understood, remembered and kept in one go, put into the line, and answered. What is refused before
 * it is known who sent it is told nothing; the log knows why.
 */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/serve/hook_desk_impl.h"
#include "core/store/delivery.h"

#define AT_ONCE_MS 2500 /* for platforms that take a result in the answer only */
#define RETRY_S 5

struct taking {
    struct das_hook_desk *desk;
    const struct das_hook *hook;
    const struct das_httpd_request *http;
    struct das_hook_taken *t;
    struct das_httpd_answer *out;
    struct das_hook_verdict v;
    struct das_hook_job *job;
    bool *fresh; /* one an id of v */
    int64_t now_ms;
};

/* --- answers ---------------------------------------------------------------------------------- */

static void result(struct taking *k, const char *word, int status, const char *why)
{
    k->t->result = word;
    k->t->status = status;
    snprintf(k->t->why, sizeof k->t->why, "%.*s", (int)sizeof k->t->why - 1, why ? why : "");
}

static void failed(struct taking *k, const struct das_err *err)
{
    das_buf_reset(&k->out->body);
    result(k, "failed", err->code == DAS_E_NOMEM ? 503 : 500, err->msg);
}

/* 200, in the platform's own words; text for the person. What the platform cannot show here goes
 * the way of answers. */
static void tell(struct taking *k, const char *text)
{
    struct das_hook_job *j = k->job;
    struct das_hook_ack ack = {.body = k->out->body};
    struct das_err err;
    bool shown = false;

    das_buf_reset(&ack.body);
    if (das_hook_ack(k->hook, &j->ask, text, false, &ack, &shown, &err) < 0) {
        k->out->body = ack.body;
        failed(k, &err);
        return;
    }
    k->out->body = ack.body;
    k->t->type = ack.type;
    k->t->status = 200;
    if (!text || shown)
        return;
    j->kind = DAS_HOOK_JOB_WORDS;
    das_buf_str(&j->words, text);
    if (das_hook_reserve(k->desk)) /* without room it is not said */
        das_hook_put(k->desk, j);
}

/* --- was it there before ---------------------------------------------------------------------- */

static void delivery_of(const struct taking *k, struct das_text *ids, struct das_work_new *w,
                        struct das_delivery *d)
{
    for (size_t i = 0; i < k->v.id_count; i++)
        ids[i] = das_text_of(k->v.ids[i].text);
    *d = (struct das_delivery){.hook = k->hook->name,
                               .ids = ids,
                               .count = k->v.id_count,
                               .proof = k->v.proof,
                               .keep_ms = k->v.keep_ms,
                               .work = w};
}

/* With w, unless NULL. True: at least one of what it brings is new; false: the request is answered. */
static bool note(struct taking *k, struct das_work_new *w)
{
    struct das_text *ids = das_calloc(k->v.id_count + 1, sizeof *ids);
    struct das_delivery d;
    struct das_err err;
    int rc;

    k->fresh = das_calloc(k->v.id_count + 1, sizeof *k->fresh);
    if (!ids || !k->fresh) {
        das_free(ids);
        das_fail_nomem(&err);
        failed(k, &err);
        return false;
    }
    delivery_of(k, ids, w, &d);
    pthread_mutex_lock(&k->desk->store_lock);
    rc = das_delivery_note(k->desk->store, &d, k->now_ms, k->fresh, &err);
    pthread_mutex_unlock(&k->desk->store_lock);
    das_free(ids);
    if (rc == DAS_DELIVERY_REPLAYED) {
        das_buf_reset(&k->out->body);
        result(k, "replayed", das_hook_platforms[k->hook->platform].mismatch,
               "its signature came before with another delivery");
    } else if (rc < 0) {
        failed(k, &err);
    } else if (rc == 0) {
        result(k, "duplicate", 200, "");
        tell(k, NULL);
    }
    return rc > 0;
}

/* It was noted, and nothing will come of it: the platform may bring it again. */
static void forget(struct taking *k, struct das_work_new *w)
{
    struct das_text *ids = das_calloc(k->v.id_count + 1, sizeof *ids);
    struct das_delivery d;
    struct das_err err;

    if (!ids)
        return;
    delivery_of(k, ids, w, &d);
    pthread_mutex_lock(&k->desk->store_lock);
    das_delivery_forget(k->desk->store, &d, k->fresh, &err);
    pthread_mutex_unlock(&k->desk->store_lock);
    das_free(ids);
}

/* --- into the line ---------------------------------------------------------------------------- */

static void full(struct taking *k)
{
    das_buf_reset(&k->out->body);
    result(k, "full", 503, "no room in the line of hooks (serve.hook_queue)");
    k->t->retry_after = RETRY_S;
}

/* The answer of the script, where it comes soon and can go nowhere else. */
static bool wait_for_answer(struct taking *k)
{
    struct das_hook_job *j = k->job;

    if (!das_hook_job_wait(j, AT_ONCE_MS))
        return false;
    das_buf_clear(&k->out->body);
    k->out->body = j->at_once.body;
    j->at_once.body = (struct das_buf){0};
    k->t->type = j->at_once.type;
    k->t->status = 200;
    return true;
}

/* The answer for now. */
static int acknowledge(struct taking *k, const struct das_hook_meaning *m, struct das_err *err)
{
    const struct das_hook_job *j = k->job;
    struct das_hook_ack ack = {.body = k->out->body};
    bool shown, words = j->ask.what == DAS_HOOK_LINE && k->hook->platform != DAS_HOOK_DISCORD;
    char text[120];
    int rc;

    snprintf(text, sizeof text, "%s: working on it.", *m->word ? m->word : "das");
    das_buf_reset(&ack.body);
    rc = das_hook_ack(k->hook, &j->ask, words ? text : NULL, false, &ack, &shown, err);
    k->out->body = ack.body;
    k->t->type = ack.type;
    return rc;
}

/* Notes the delivery and keeps the job. False: it is answered. */
static bool keep(struct taking *k)
{
    struct das_hook_job *j = k->job;
    struct das_buf sealed = {0};
    struct das_work_new w;
    struct das_err err;
    bool fine = das_hook_keep_make(j, &w, &sealed, &err) == 0;

    if (!fine)
        failed(k, &err);
    else
        fine = note(k, &w);
    if (fine && j->ask.what == DAS_HOOK_REPORT &&
        das_hook_mean_report(j, k->fresh, k->v.id_count, &err) < 0) {
        forget(k, &w);
        failed(k, &err);
        fine = false;
    }
    j->n = fine ? w.n : 0;
    das_buf_clear(&sealed);
    return fine;
}

/* The room for it first, and the answer: once it is kept nothing may come in between. */
static void enqueue(struct taking *k, const struct das_hook_meaning *m)
{
    struct das_hook_job *j = k->job;
    struct das_err err;

    if (!das_hook_reserve(k->desk)) {
        full(k);
        return;
    }
    if (acknowledge(k, m, &err) < 0) {
        failed(k, &err);
        das_hook_unreserve(k->desk);
        return;
    }
    if (!keep(k)) {
        das_hook_unreserve(k->desk);
        return;
    }
    result(k, m->result, 200, "");
    j->waited_for = das_hook_answers_at_once(k->hook->platform);
    das_hook_put(k->desk, j);
    if (das_hook_answers_at_once(k->hook->platform))
        wait_for_answer(k);
}

/* --- what it asks for ------------------------------------------------------------------------- */

/* Nothing is to be done about it, but perhaps something to be said. */
static void nothing_to_do(struct taking *k, const struct das_hook_meaning *m)
{
    if (!note(k, NULL))
        return;
    result(k, m->result, 200, m->why);
    tell(k, m->kind == DAS_HOOK_SAY ? m->words.ptr : NULL);
}

static void understood(struct taking *k)
{
    struct das_hook_job *j = k->job;
    struct das_hook_meaning m = {.kind = DAS_HOOK_DO};
    struct das_err err;

    if (das_hook_mean(j, &m, &err) < 0) {
        failed(k, &err);
    } else {
        snprintf(k->t->person, sizeof k->t->person, "%s", j->person ? j->person->name : "");
        if (m.kind == DAS_HOOK_DO)
            enqueue(k, &m);
        else
            nothing_to_do(k, &m);
    }
    das_hook_meaning_clear(&m);
}

static void accepted(struct taking *k)
{
    struct das_hook_job *j = k->job = das_hook_job_new(k->desk, k->hook, k->now_ms);
    struct das_err err;

    if (!j) {
        das_fail_nomem(&err);
        failed(k, &err);
        return;
    }
    j->alerts = k->v.kind == DAS_HOOK_ALERT;
    if (das_hook_ask_read(k->hook, &k->v, k->now_ms, &j->ask, &err) < 0) {
        if (err.code == DAS_E_DATA)
            result(k, "refused", 400, err.msg);
        else
            failed(k, &err);
        return;
    }
    if (j->ask.what == DAS_HOOK_NOTHING) {
        result(k, "ignored", 200, "");
        tell(k, NULL);
        return;
    }
    understood(k);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* A handshake: the answer is there. */
static void answered(struct taking *k)
{
    const struct das_hook_verdict *v = &k->v;

    result(k, "handshake", v->status, "");
    k->t->type = v->type;
    das_buf_text(&k->out->body, das_buf_view(&v->answer));
    for (size_t i = 0; i < v->extra_count && i < 2; i++) {
        struct das_text value = v->extra[i].value;
        if (value.len >= sizeof k->out->extra[i].value)
            continue;
        k->out->extra[i].name = v->extra[i].name.ptr;
        memcpy(k->out->extra[i].value, value.ptr, value.len);
        k->out->extra[i].value[value.len] = '\0';
    }
}

static int judge(struct taking *k, struct das_err *err)
{
    const struct das_hook_request request = {.method = k->http->method,
                                             .target = k->http->target,
                                             .headers = k->http->headers,
                                             .header_count = k->http->header_count,
                                             .body = k->http->body};
    size_t i = (size_t)(k->hook - k->desk->conf.rules->hooks.items);
    int rc;

    pthread_rwlock_rdlock(&k->desk->keys_lock);
    rc = das_hook_verify(das_hook_keys_conf(k->desk->keys[i]), &request, k->now_ms, &k->v, err);
    if (rc == 0 && k->v.outcome == DAS_HOOK_ANSWERED)
        answered(k); /* with the lock: it may point to the configuration */
    pthread_rwlock_unlock(&k->desk->keys_lock);
    return rc;
}

void das_hook_desk_take(struct das_hook_desk *d, const struct das_httpd_request *http,
                        struct das_hook_taken *t, struct das_httpd_answer *out)
{
    struct taking k = {.desk = d,
                       .hook = t->hook,
                       .http = http,
                       .t = t,
                       .out = out,
                       .now_ms = das_clock_unix_ms()};
    struct das_err err;

    if (judge(&k, &err) < 0) {
        failed(&k, &err);
    } else if (k.v.outcome == DAS_HOOK_REFUSED) {
        result(&k, "refused", k.v.status, k.v.reason);
        t->allow = k.v.allow;
    } else if (k.v.outcome == DAS_HOOK_ACCEPTED) {
        accepted(&k);
    }
    das_metrics_hook(d->conf.metrics, das_hook_platforms[t->hook->platform].name, t->result);
    if (k.job)
        das_hook_job_release(k.job);
    das_free(k.fresh);
    das_hook_verdict_clear(&k.v);
}
