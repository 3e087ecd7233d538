/*
 * hook_take.c - one request to a hook, on the thread of its connection (see hook_desk.h): judged,
 * remembered, understood, put into the line, and answered. What is refused before it is known who
 * sent it is told nothing; the log knows why.
 */
#include <string.h>

#include "core/approval/approval.h"
#include "core/approval/question.h"
#include "core/base/clock.h"
#include "core/base/json.h"
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
    das_hook_put(k->desk, j); /* without room it is not said */
}

/* --- was it there before ---------------------------------------------------------------------- */

static void delivery_of(const struct taking *k, struct das_text *ids, struct das_delivery *d)
{
    for (size_t i = 0; i < k->v.id_count; i++)
        ids[i] = das_text_of(k->v.ids[i].text);
    *d = (struct das_delivery){.hook = k->hook->name,
                               .ids = ids,
                               .count = k->v.id_count,
                               .proof = k->v.proof,
                               .keep_ms = k->v.keep_ms};
}

/* 1: at least one of what it brings is new; 0: the request is answered. */
static int note(struct taking *k)
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
        return 0;
    }
    delivery_of(k, ids, &d);
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
static void forget(struct taking *k)
{
    struct das_text *ids = das_calloc(k->v.id_count + 1, sizeof *ids);
    struct das_delivery d;
    struct das_err err;

    if (!ids)
        return;
    delivery_of(k, ids, &d);
    pthread_mutex_lock(&k->desk->store_lock);
    das_delivery_forget(k->desk->store, &d, k->fresh, &err);
    pthread_mutex_unlock(&k->desk->store_lock);
    das_free(ids);
}

/* --- what the script gets --------------------------------------------------------------------- */

static int put_user(const struct das_person *x, const char *platform_id, struct das_buf *b)
{
    das_json_key(b, "user");
    das_buf_char(b, '{');
    das_json_key_text(b, "name", das_text_of(x->name));
    das_json_key_text(b, "id", das_text_of(platform_id));
    das_json_key(b, "roles");
    das_buf_char(b, '[');
    for (size_t i = 0; i < x->role_count; i++) {
        das_json_comma(b);
        das_json_str(b, x->roles[i]);
    }
    das_buf_str(b, "]}");
    return 0;
}

static int put_json(struct das_buf *b, const char *key, const json_t *value, struct das_err *err)
{
    char *text;

    if (!value)
        return 0;
    text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        return das_fail_nomem(err);
    das_json_key(b, key);
    das_buf_str(b, text);
    free(text);
    return 0;
}

static int make_req(struct das_hook_job *j, const char *command, const json_t *args,
                    struct das_err *err)
{
    struct das_buf *b = &j->req;

    das_buf_char(b, '{');
    das_json_key_text(b, "hook", das_text_of(j->hook->name));
    if (j->hook->channel)
        das_json_key_text(b, "channel", das_text_of(j->hook->channel));
    das_json_key_text(b, "platform", das_text_of(das_hook_platforms[j->hook->platform].name));
    das_json_key_text(b, "kind",
                      das_text_of(j->ask.what == DAS_HOOK_LINE    ? "command"
                                  : j->ask.what == DAS_HOOK_PRESS ? "button"
                                  : j->ask.alert                  ? "alert"
                                                                  : "event"));
    if (j->person)
        put_user(j->person, j->ask.ids[0], b);
    if (command)
        das_json_key_text(b, "command", das_text_of(command));
    if (*j->ask.button)
        das_json_key_text(b, "button", das_text_of(j->ask.button));
    if (put_json(b, "args", args, err) < 0 || put_json(b, "alert", j->ask.alert, err) < 0 ||
        put_json(b, "json", j->ask.json, err) < 0)
        return -1;
    das_buf_char(b, '}');
    return das_buf_ok(b, err);
}

/* --- into the line ---------------------------------------------------------------------------- */

static void full(struct taking *k)
{
    forget(k);
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

/* word: of the command, or NULL. */
static void enqueue(struct taking *k, const char *word)
{
    struct das_hook_job *j = k->job;
    struct das_hook_ack ack = {.body = k->out->body};
    char text[120];
    struct das_err err;
    bool shown;

    /* made before the worker has it, which takes from it */
    snprintf(text, sizeof text, "%s: working on it.", word ? word : "das");
    das_buf_reset(&ack.body);
    if (das_hook_ack(k->hook, &j->ask,
                     j->ask.what == DAS_HOOK_LINE && k->hook->platform != DAS_HOOK_DISCORD && word
                         ? text
                         : NULL,
                     false, &ack, &shown, &err) < 0) {
        k->out->body = ack.body;
        forget(k);
        failed(k, &err);
        return;
    }
    k->out->body = ack.body;
    j->waited_for = das_hook_answers_at_once(k->hook->platform);
    result(k, j->kind == DAS_HOOK_JOB_SCRIPT ? "accepted" : "vote", 200, "");
    k->t->type = ack.type;
    if (das_hook_put(k->desk, j) < 0) {
        full(k);
        return;
    }
    if (das_hook_answers_at_once(k->hook->platform))
        wait_for_answer(k);
}

/* --- what it is ------------------------------------------------------------------------------- */

static bool reaches(void *arg, const char *instance)
{
    const struct taking *k = arg;
    const struct das_inventory *inv = k->desk->conf.inventory;

    for (size_t i = 0; i < das_inventory_count(inv); i++) {
        if (strcmp(das_inventory_name(inv, i), instance) == 0)
            return das_hook_reaches(k->hook, inv, i);
    }
    return false;
}

static void not_allowed(struct taking *k, const char *why, const char *words)
{
    result(k, "not_allowed", 200, why);
    tell(k, words);
}

static void bad_command(struct taking *k, const char *words)
{
    result(k, "bad_command", 200, words);
    tell(k, words);
}

static void help(struct taking *k)
{
    const struct das_hook *h = k->hook;
    struct das_buf b = {0};

    for (size_t i = 0; i < h->command_count; i++) {
        const struct das_hook_command *c = &h->commands[i];
        if (!das_hook_allows(h, c, k->job->person))
            continue;
        das_hook_usage(c, &b);
        das_buf_printf(&b, "%s%s\n", c->help ? "  -  " : "", c->help ? c->help : "");
    }
    result(k, "accepted", 200, "help");
    tell(k, b.ptr && !b.failed ? b.ptr : "There is no command for you.");
    das_buf_clear(&b);
}

static void no_such_command(struct taking *k, const char *word)
{
    const struct das_hook *h = k->hook;
    const char *names[64], *near;
    char words[200];
    size_t n = 0;

    for (size_t i = 0; i < h->command_count && n < 64; i++)
        names[n++] = h->commands[i].name;
    near = das_nearest(word, names, n);
    snprintf(words, sizeof words, "There is no command %s%s%s%s; help shows them.", word,
             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    bad_command(k, words);
}

static void with_args(struct taking *k, const struct das_hook_line *line)
{
    const struct das_hook_reach reach = {reaches, k};
    struct das_hook_job *j = k->job;
    json_t *args;
    struct das_err err;
    int rc;

    args = das_hook_args(j->command, line, &reach, &err);
    if (!args && err.code == DAS_E_USAGE) {
        bad_command(k, err.msg);
        return;
    }
    rc = args ? make_req(j, line->command, args, &err) : -1;
    json_decref(args);
    if (rc < 0) {
        forget(k);
        failed(k, &err);
        return;
    }
    enqueue(k, line->command);
}

static void line(struct taking *k)
{
    struct das_hook_job *j = k->job;
    const struct das_hook *h = k->hook;
    struct das_hook_line *l = das_calloc(1, sizeof *l);
    struct das_err err;

    if (!l) {
        das_fail_nomem(&err);
        forget(k);
        failed(k, &err);
        return;
    }
    if (das_hook_line_read(das_buf_view(&j->ask.line), l, &err) < 0) {
        bad_command(k, err.msg);
    } else if (h->command_count && (!*l->command || strcmp(l->command, "help") == 0)) {
        help(k);
    } else {
        j->command = das_hook_find_command(h, l->command);
        if (!j->command && !h->script)
            no_such_command(k, l->command);
        else if (das_hook_allows(h, j->command, j->person))
            with_args(k, l);
        else
            not_allowed(k, "the command is for others", "You may not use this command.");
    }
    das_free(l);
}

/* A button that das made and that no script sees: what a press of it does. */
static bool is_own_button(const struct das_hook_ask *ask, enum das_hook_job_kind *kind)
{
    const struct das_text text = das_text_of(ask->button);
    struct das_approval_value vote;
    struct das_question_value answer;

    if (ask->what != DAS_HOOK_PRESS)
        return false;
    if (das_approval_value_read(text, &vote))
        *kind = DAS_HOOK_JOB_VOTE;
    else if (das_question_value_read(text, &answer))
        *kind = DAS_HOOK_JOB_ANSWER;
    else
        return false;
    return true;
}

static void press(struct taking *k)
{
    struct das_hook_job *j = k->job;
    struct das_err err;

    if (is_own_button(&j->ask, &j->kind)) {
        enqueue(k, NULL);
    } else if (!k->hook->script || !*j->ask.button || !das_hook_allows(k->hook, NULL, j->person)) {
        result(k, "ignored", 200, "the button is none that is known here");
        tell(k, NULL);
    } else if (make_req(j, NULL, NULL, &err) < 0) {
        forget(k);
        failed(k, &err);
    } else {
        enqueue(k, NULL);
    }
}

static void report(struct taking *k)
{
    struct das_hook_job *j = k->job;
    struct das_err err;

    if (k->v.kind == DAS_HOOK_ALERT && j->ask.json) {
        j->ask.alert =
            das_hook_alert(k->hook->platform, j->ask.json, k->fresh, k->v.id_count, &err);
        if (!j->ask.alert && err.code == DAS_E_NOMEM) {
            forget(k);
            failed(k, &err);
            return;
        }
    }
    if (make_req(j, NULL, NULL, &err) < 0) {
        forget(k);
        failed(k, &err);
        return;
    }
    enqueue(k, NULL);
}

/* --- who it is -------------------------------------------------------------------------------- */

/* By the ids that the platform vouches for. */
static void find_person(struct taking *k)
{
    struct das_hook_job *j = k->job;
    const struct das_people *people = &k->desk->conf.rules->people;
    const char *word = das_hook_people_word(k->hook->platform);

    for (int i = 0; word && i < DAS_HOOK_PERSON_IDS && !j->person; i++) {
        if (!*j->ask.ids[i])
            continue;
        j->person = das_people_by(people, word, j->ask.ids[i]);
        if (!j->person && strcmp(word, "feishu") == 0)
            j->person = das_people_by(people, "lark", j->ask.ids[i]);
    }
    if (j->person)
        snprintf(j->who, sizeof j->who, "%s (%s)", j->person->name, k->hook->name);
    else
        snprintf(j->who, sizeof j->who, "hook %s", k->hook->name);
    snprintf(k->t->person, sizeof k->t->person, "%s", j->person ? j->person->name : "");
}

/* Whoever sets das up has to learn that id from somewhere, and it is the person's own. */
static void unknown_person(struct taking *k)
{
    const char *word = das_hook_people_word(k->hook->platform);
    char text[300] = "das does not know you.";

    if (*k->job->ask.ids[0])
        snprintf(text, sizeof text,
                 "das does not know you. In people of das.lua it would be %s = \"%.100s\".", word,
                 k->job->ask.ids[0]);
    tell(k, text);
}

/* False: answered. Who may vote or answer, the request for the kill or the question says. */
static bool let_in(struct taking *k)
{
    struct das_hook_job *j = k->job;
    enum das_hook_job_kind ignored;
    char why[300];

    if (!das_hook_is_chat(k->hook->platform))
        return true;
    if (!j->person) {
        snprintf(why, sizeof why, "nobody of people has the %s id \"%.100s\"",
                 das_hook_people_word(k->hook->platform), j->ask.ids[0]);
        result(k, "unknown_user", 200, why);
        unknown_person(k);
        return false;
    }
    if (das_hook_allows(k->hook, NULL, j->person) || is_own_button(&j->ask, &ignored))
        return true;
    not_allowed(k, "not among those of allow", "You may not use this.");
    return false;
}

static void accepted(struct taking *k)
{
    struct das_hook_job *j = k->job = das_calloc(1, sizeof *k->job);
    struct das_err err;

    if (!j) {
        das_fail_nomem(&err);
        failed(k, &err);
        return;
    }
    j->desk = k->desk;
    j->hook = k->hook;
    j->holders = 1;
    j->kind = DAS_HOOK_JOB_SCRIPT;
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
    if (!note(k))
        return;
    find_person(k);
    if (!let_in(k))
        return;
    if (j->ask.what == DAS_HOOK_LINE)
        line(k);
    else if (j->ask.what == DAS_HOOK_PRESS)
        press(k);
    else
        report(k);
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
