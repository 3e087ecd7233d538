/*
 * hook_keep.c - what is kept of a job while it is not done, and what becomes of what another das
 * has left (see hook_desk.h).
 *
 * Kept is what the request asks for, not what that meant: people, commands and instances may be
 * others by the time it is taken up, and what is allowed is asked anew. All of it is sealed with
 * serve.key, for a body has tokens in it, and the address for answers is one.
 */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/serve/hook_desk_impl.h"
#include "core/store/runbook.h"

#define DAY_MS ((int64_t)86400 * 1000)
#define PERSON_MS ((int64_t)1800 * 1000) /* of a person, where the platform has no address */
#define USUAL_SIZE 16384 /* of what is kept: more of it leaves copies behind while it grows */

static const char *const kinds[] = {[DAS_HOOK_JOB_SCRIPT] = "script",
                                    [DAS_HOOK_JOB_RUNBOOK] = "runbook",
                                    [DAS_HOOK_JOB_VOTE] = "vote",
                                    [DAS_HOOK_JOB_ANSWER] = "answer"};

/* --- keeping ---------------------------------------------------------------------------------- */

/* Somebody who sees no answer asks again, or has thought better of it; an alert is worth a look in
 * the morning; and how long a click counts the request for the kill says, or the question. */
static int64_t until_of(const struct das_hook_job *j)
{
    if (!j->person || j->kind == DAS_HOOK_JOB_VOTE || j->kind == DAS_HOOK_JOB_ANSWER)
        return j->at_ms + DAY_MS;
    return j->ask.url ? j->ask.url_until_ms : j->at_ms + PERSON_MS;
}

static void wipe(struct das_buf *b)
{
    if (b->ptr)
        explicit_bzero(b->ptr, b->cap);
    das_buf_clear(b);
}

/* What a seal is good for: this hook, and these moments. */
static void about(const char *hook, int64_t at_ms, int64_t until_ms, char *out, size_t size)
{
    snprintf(out, size, "hook %.100s %lld %lld", hook, (long long)at_ms, (long long)until_ms);
}

static int write_job(const struct das_hook_job *j, struct das_buf *b, struct das_err *err)
{
    das_buf_reserve(b, USUAL_SIZE);
    das_buf_char(b, '{');
    das_json_key_text(b, "kind", das_text_of(kinds[j->kind]));
    das_json_key_bool(b, "alerts", j->alerts);
    if (j->kind == DAS_HOOK_JOB_RUNBOOK) {
        das_json_key_text(b, "path", das_text_of(j->path));
        das_json_key_text(b, "instance", das_text_of(j->instance));
        das_json_key_text(b, "params", das_text_of(j->params));
        das_json_key_text(b, "who", das_text_of(j->who));
        if (j->person)
            das_json_key_text(b, "person", das_text_of(j->person->name));
    }
    if (das_hook_ask_keep(&j->ask, b, err) < 0)
        return -1;
    das_buf_char(b, '}');
    return das_buf_ok(b, err);
}

int das_hook_keep_make(const struct das_hook_job *j, struct das_work_new *w, struct das_buf *sealed,
                       struct das_err *err)
{
    struct das_buf plain = {0};
    char what[200];
    int rc;

    *w = (struct das_work_new){.hook = j->hook->name, .at_ms = j->at_ms, .until_ms = until_of(j)};
    about(w->hook, w->at_ms, w->until_ms, what, sizeof what);
    rc = write_job(j, &plain, err);
    if (rc == 0)
        rc = das_keyring_seal(j->desk->keyring, what, das_buf_view(&plain), sealed, err);
    wipe(&plain);
    w->work = das_buf_view(sealed);
    return rc;
}

int das_hook_keep_add(struct das_hook_job *j, struct das_err *err)
{
    struct das_buf sealed = {0};
    struct das_work_new w;
    int rc = das_hook_keep_make(j, &w, &sealed, err);

    if (rc == 0) {
        pthread_mutex_lock(&j->desk->store_lock);
        rc = das_work_add(j->desk->store, &w, err);
        pthread_mutex_unlock(&j->desk->store_lock);
    }
    if (rc == 0)
        j->n = w.n;
    das_buf_clear(&sealed);
    return rc;
}

int das_hook_keep_begin(struct das_hook_job *j, const char *run, struct das_err *err)
{
    int rc;

    if (!j->n)
        return 0;
    pthread_mutex_lock(&j->desk->store_lock);
    rc = das_work_begin(j->desk->store, j->n, run, err);
    pthread_mutex_unlock(&j->desk->store_lock);
    j->begun = rc == 0;
    return rc;
}

static int forget(struct das_hook_desk *d, int64_t n, struct das_err *err)
{
    int rc;

    pthread_mutex_lock(&d->store_lock);
    rc = das_work_end(d->store, n, err);
    pthread_mutex_unlock(&d->store_lock);
    return rc;
}

void das_hook_keep_end(struct das_hook_job *j)
{
    struct das_err err;

    if (!j->n)
        return;
    if (j->stays)
        das_hook_say_log(j->desk, j, DAS_LOG_INFO, "not done: it waits for the next das serve");
    else if (forget(j->desk, j->n, &err) < 0)
        das_hook_say_log(j->desk, j, DAS_LOG_ERROR, "done, but kept as if it were not: %s",
                         err.msg);
}

/* --- what another das has left: reading ------------------------------------------------------- */

static char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? das_strdup(s) : NULL;
}

static int read_runbook(const json_t *o, struct das_hook_job *j, struct das_err *err)
{
    const char *person = json_string_value(json_object_get(o, "person"));
    const char *who = json_string_value(json_object_get(o, "who"));

    j->path = text_of(o, "path");
    j->instance = text_of(o, "instance");
    j->params = text_of(o, "params");
    if (!j->path || !j->instance || !j->params || !who)
        return das_fail(err, DAS_E_DATA, "a runbook that is not as das keeps it");
    snprintf(j->who, sizeof j->who, "%.199s", who);
    if (!person)
        return 0;
    j->person = das_people_find(&j->desk->conf.rules->people, person);
    return j->person ? 0
                     : das_fail(err, DAS_E_USAGE, "%.100s is not one of people any more", person);
}

static int read_job(const json_t *o, struct das_hook_job *j, struct das_err *err)
{
    const char *kind = json_string_value(json_object_get(o, "kind"));

    for (int k = DAS_HOOK_JOB_SCRIPT; kind && k <= DAS_HOOK_JOB_ANSWER; k++) {
        if (strcmp(kind, kinds[k]) != 0)
            continue;
        j->kind = (enum das_hook_job_kind)k;
        j->alerts = json_is_true(json_object_get(o, "alerts"));
        if (das_hook_ask_recall(j->hook, o, &j->ask, err) < 0)
            return -1;
        return j->kind == DAS_HOOK_JOB_RUNBOOK ? read_runbook(o, j, err) : 0;
    }
    return das_fail(err, DAS_E_DATA, "kind: not as das keeps it");
}

static int open_job(const struct das_work *w, struct das_hook_job *j, struct das_err *err)
{
    struct das_buf plain = {0};
    char what[200];
    json_t *o = NULL;
    int rc;

    about(w->hook, w->at_ms, w->until_ms, what, sizeof what);
    rc =
        das_keyring_unseal_all(j->desk->keyring, what, das_text(w->work, w->work_len), &plain, err);
    if (rc == 0) {
        o = das_json_parse(plain.ptr, plain.len, NULL, err);
        rc = o ? read_job(o, j, err) : -1;
    }
    json_decref(o);
    wipe(&plain);
    return rc;
}

/* --- what another das has left: what becomes of it -------------------------------------------- */

struct look {
    struct das_hook_desk *d;
    int64_t now_ms;
    size_t reserved;
    bool full;
};

static const struct das_hook *hook_of(const struct das_hook_desk *d, const char *name)
{
    const struct das_hooks *all = &d->conf.rules->hooks;

    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->items[i].name, name) == 0)
            return &all->items[i];
    }
    return NULL;
}

/* Of what was begun somebody hears for as long as an alert is worth it. */
static bool is_over(const struct das_work *w, int64_t now_ms)
{
    return now_ms >= (*w->begun ? w->at_ms + DAY_MS : w->until_ms);
}

/* In order: behind one that there is no room for nothing is taken up. What is over is anybody's. */
static bool wants(void *arg, const struct das_work *w)
{
    struct look *l = arg;

    if (is_over(w, l->now_ms))
        return true;
    if (!hook_of(l->d, w->hook) || l->full)
        return false;
    l->full = !das_hook_reserve(l->d);
    l->reserved += !l->full;
    return !l->full;
}

static void left(struct das_hook_desk *d, const struct das_hook_job *j, const char *result)
{
    const char *platform = j->hook->path ? das_hook_platforms[j->hook->platform].name : "other";

    das_metrics_hook_left(d->conf.metrics, platform, result);
}

static void drop(struct das_hook_desk *d, const struct das_hook_job *j, const struct das_work *w,
                 const char *why)
{
    struct das_err err;

    das_hook_say_log(
        d, j, DAS_LOG_WARN, "dropped: taken %lld s ago, and das ended before it was %s: %s",
        (long long)(das_clock_unix_ms() - w->at_ms) / 1000, *w->begun ? "done" : "begun", why);
    left(d, j, "dropped");
    if (forget(d, w->n, &err) < 0)
        das_hook_say_log(d, j, DAS_LOG_ERROR, "%s", err.msg);
}

void das_hook_interrupted_words(const struct das_hook_job *j, char *out, size_t size)
{
    struct das_text line = das_buf_view(&j->ask.line);
    size_t n = 0;

    while (n < line.len && n < DAS_HOOK_KEY_SIZE &&
           ((line.ptr[n] >= 'a' && line.ptr[n] <= 'z') || line.ptr[n] == '_' ||
            das_is_digit((unsigned char)line.ptr[n])))
        n++;
    snprintf(out, size,
             "%.*s: das ended while it was at it, and does not do it again. history and das audit "
             "list tell what was done.",
             n ? (int)n : (int)strlen(j->hook->name), n ? line.ptr : j->hook->name);
}

/* False: there is nothing to be said, and it is begun anew: a run of a runbook that died before the
 * runbook was in the store never will begin it. */
static bool tell_runbook(struct das_hook_job *j, const char *run, char *out, size_t size)
{
    struct das_err err;
    const char *slash = strrchr(j->path, '/');
    int64_t id = 0;
    int rc;

    pthread_mutex_lock(&j->desk->store_lock);
    rc = das_runbook_of_run(j->desk->store, run, &id, &err);
    pthread_mutex_unlock(&j->desk->store_lock);
    if (rc < 0)
        snprintf(out, size, "A runbook on %s may have begun: %.300s", j->instance, err.msg);
    else if (id)
        snprintf(out, size,
                 "Runbook %lld (%.100s on %.100s): das ended while it was at it. A runbook that is "
                 "not done goes on: das runbook show %lld.",
                 (long long)id, slash ? slash + 1 : j->path, j->instance, (long long)id);
    return rc < 0 || id;
}

/* True: j says no more than that das ended. */
static bool was_begun(struct das_hook_job *j, const char *run)
{
    char words[700];

    if (!*run)
        return false;
    if (j->kind != DAS_HOOK_JOB_RUNBOOK)
        das_hook_interrupted_words(j, words, sizeof words);
    else if (!tell_runbook(j, run, words, sizeof words))
        return false;
    j->kind = DAS_HOOK_JOB_WORDS;
    das_buf_str(&j->words, words);
    return true;
}

static int report_anew(struct das_hook_job *j, const char *fresh, struct das_err *err)
{
    size_t n = strlen(fresh);
    bool *new_ones = das_calloc(n + 1, sizeof *new_ones);
    int rc;

    if (!new_ones)
        return das_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        new_ones[i] = fresh[i] == '1';
    rc = das_hook_mean_report(j, new_ones, n, err);
    das_free(new_ones);
    return rc;
}

/* As if it came now; who may no more is told. */
static int mean_anew(struct das_hook_job *j, const struct das_work *w, const char **result,
                     struct das_err *err)
{
    struct das_hook_meaning m = {.kind = DAS_HOOK_DO};
    int rc = das_hook_mean(j, &m, err);

    if (rc == 0 && m.kind == DAS_HOOK_DO) {
        *result = "taken_up";
        if (j->ask.what == DAS_HOOK_REPORT)
            rc = report_anew(j, w->fresh, err);
    } else if (rc == 0 && m.kind == DAS_HOOK_SAY) {
        j->kind = DAS_HOOK_JOB_WORDS;
        das_buf_text(&j->words, das_buf_view(&m.words));
        das_hook_say_log(j->desk, j, DAS_LOG_WARN, "taken up, and refused: %s", m.why);
    } else if (rc == 0) {
        rc = das_fail(err, DAS_E_USAGE, "%s", m.why);
    }
    das_hook_meaning_clear(&m);
    return rc;
}

/* True: it waits. */
static bool take_up(struct das_hook_job *j, const struct das_work *w)
{
    const char *result = "told";
    struct das_err err = {.code = DAS_OK};
    int rc;

    snprintf(j->who, sizeof j->who, "hook %.100s", j->hook->name); /* until it is known better */
    rc = open_job(w, j, &err);
    j->n = w->n;
    if (rc == 0 && was_begun(j, w->begun))
        das_hook_say_log(j->desk, j, DAS_LOG_WARN, "das ended while it was at it: not done again");
    else if (rc == 0 && j->kind == DAS_HOOK_JOB_RUNBOOK)
        result = "taken_up";
    else if (rc == 0)
        rc = mean_anew(j, w, &result, &err);
    if (rc == 0)
        rc = das_buf_ok(&j->words, &err);
    if (rc < 0 && err.code == DAS_E_NOMEM) { /* it stays */
        das_hook_say_log(j->desk, j, DAS_LOG_ERROR, "not taken up: %s", err.msg);
        return false;
    }
    if (rc < 0) {
        drop(j->desk, j, w, err.msg);
        return false;
    }
    if (strcmp(result, "taken_up") == 0)
        das_hook_say_log(j->desk, j, DAS_LOG_INFO, "taken up: it came %lld s ago",
                         (long long)(das_clock_unix_ms() - w->at_ms) / 1000);
    left(j->desk, j, result);
    das_hook_put(j->desk, j);
    return true;
}

static void over(const struct look *l, const struct das_work *w)
{
    struct das_hook unknown = {.name = w->hook};
    struct das_hook_job j = {.desk = l->d, .hook = hook_of(l->d, w->hook)};

    if (!j.hook)
        j.hook = &unknown;
    snprintf(j.who, sizeof j.who, "hook %.100s", w->hook);
    drop(l->d, &j, w, "its time is over");
}

static void each(struct look *l, const struct das_work *w)
{
    struct das_hook_job *j;

    if (is_over(w, l->now_ms)) {
        over(l, w);
        return;
    }
    l->reserved--;
    j = das_hook_job_new(l->d, hook_of(l->d, w->hook), w->at_ms);
    if (!j || !take_up(j, w))
        das_hook_unreserve(l->d);
    if (j)
        das_hook_job_release(j);
}

static void complain(struct das_hook_desk *d, const struct das_err *err)
{
    struct das_hook store = {.name = "*"};
    struct das_hook_job j = {.desk = d, .hook = &store};

    if (!d->complained)
        das_hook_say_log(d, &j, DAS_LOG_ERROR, "what another das has left: %s", err->msg);
    d->complained = true;
}

void das_hook_desk_look(struct das_hook_desk *d)
{
    struct look l = {.d = d, .now_ms = das_clock_unix_ms()};
    struct das_work_list list;
    struct das_err err;
    int rc;

    pthread_mutex_lock(&d->store_lock);
    rc = das_work_claim(d->store, wants, &l, &list, &err);
    pthread_mutex_unlock(&d->store_lock);
    if (rc < 0)
        complain(d, &err);
    else
        d->complained = false;
    for (size_t i = 0; i < list.count; i++)
        each(&l, &list.items[i]);
    for (; l.reserved; l.reserved--)
        das_hook_unreserve(d);
    das_work_list_clear(&list);
}
