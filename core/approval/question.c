/* question.c - see question.h. */
#include "core/approval/question.h"

#include <stdio.h>
#include <string.h>

#include "core/approval/approval_impl.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/json.h"
#include "core/notify/deliver.h"

#define ROUND_MAX 50
#define VALUE_SIZE 65 /* with its NUL: Telegram takes 64 bytes in a button */

static const char value_begin[] = "das:ask:";

/* --- buttons ---------------------------------------------------------------------------------- */

/* Of the run, not only its number: a state directory that was begun anew has the same numbers. */
static int make_tag(const struct das_runbook *r, const struct das_runbook_step *step,
                    char tag[DAS_QUESTION_TAG + 1], struct das_err *err)
{
    char hash[DAS_SHA256_HEX];
    struct das_buf b = {0};
    int rc;

    das_buf_printf(&b, "%lld %lld %lld ", (long long)r->id, (long long)r->started_ms,
                   (long long)step->n);
    das_buf_str(&b, step->asks);
    rc = das_buf_ok(&b, err);
    if (rc == 0)
        rc = das_sha256_hex(das_buf_view(&b), hash, err);
    das_buf_clear(&b);
    if (rc == 0)
        snprintf(tag, DAS_QUESTION_TAG + 1, "%.*s", DAS_QUESTION_TAG, hash);
    return rc;
}

static int add_buttons(const struct das_runbook *r, const struct das_runbook_step *step,
                       const json_t *choices, struct das_notice *n, struct das_err *err)
{
    char tag[DAS_QUESTION_TAG + 1], value[VALUE_SIZE];
    int rc = make_tag(r, step, tag, err);

    for (size_t i = 0; i < json_array_size(choices) && rc == 0; i++) {
        const char *choice = json_string_value(json_array_get(choices, i));
        snprintf(value, sizeof value, "%s%lld:%lld:%zu:%s", value_begin, (long long)r->id,
                 (long long)step->n, i, tag);
        rc = das_notice_button(n, das_text_of(choice ? choice : "?"), das_text_of(value), false,
                               err);
    }
    return rc;
}

static bool take_number(struct das_text *t, int64_t *out)
{
    const char *colon = memchr(t->ptr, ':', t->len);
    size_t len = colon ? (size_t)(colon - t->ptr) : 0;

    if (!len || t->ptr[0] < '0' || t->ptr[0] > '9' || !das_parse_int(das_text(t->ptr, len), out))
        return false;
    t->ptr += len + 1;
    t->len -= len + 1;
    return true;
}

bool das_question_value_read(struct das_text t, struct das_question_value *out)
{
    size_t len = sizeof value_begin - 1;

    memset(out, 0, sizeof *out);
    if (t.len < len || memcmp(t.ptr, value_begin, len) != 0)
        return false;
    t.ptr += len;
    t.len -= len;
    if (!take_number(&t, &out->runbook) || !take_number(&t, &out->n) ||
        !take_number(&t, &out->choice) || t.len != DAS_QUESTION_TAG)
        return false;
    memcpy(out->tag, t.ptr, t.len);
    return strspn(out->tag, "0123456789abcdef") == DAS_QUESTION_TAG;
}

/* --- the message ------------------------------------------------------------------------------ */

/* With a comma, or what between is, between them. */
static int put_list(const json_t *list, const char *between, struct das_buf *b, struct das_err *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        das_buf_printf(b, "%s%s", i ? between : "", name ? name : "?");
    }
    return das_buf_ok(b, err);
}

static bool waits(const struct das_runbook *r, const struct das_runbook_step *step)
{
    return step->status == DAS_STEP_WAITING && r->status < DAS_RUNBOOK_DONE;
}

/* What became of the question. */
enum end { ASKED, ANSWERED, EXPIRED, OVER };

static enum end end_of(const struct das_runbook *r, const struct das_runbook_step *step)
{
    if (waits(r, step))
        return ASKED;
    if (step->status == DAS_STEP_WAITING || step->status == DAS_STEP_BEGUN)
        return OVER;
    return step->status == DAS_STEP_DONE && *step->who ? ANSWERED : EXPIRED;
}

/* "kill, says alice", "Nobody answered in time, so it is leave" */
static void put_end(const struct das_runbook *r, const struct das_runbook_step *step, enum end end,
                    struct das_buf *b)
{
    struct das_err ignored;
    json_t *choice = NULL;
    const char *word;

    if (step->status == DAS_STEP_DONE)
        choice = das_json_parse(step->result, strlen(step->result), NULL, &ignored);
    word = json_string_value(choice);
    if (end == ANSWERED)
        das_buf_printf(b, "%s, says %s", word ? word : "?", step->who);
    else if (end == EXPIRED && word)
        das_buf_printf(b, "Nobody answered in time, so it is %s", word);
    else if (end == EXPIRED)
        das_buf_str(b, "Nobody answered in time");
    else
        das_buf_printf(b, "Nobody answered. The run is %s%s%s", das_runbook_status_name(r->status),
                       *r->error ? ": " : "", r->error);
    json_decref(choice);
}

static int set_texts(const struct das_runbook *r, const struct das_runbook_step *step,
                     const json_t *asks, struct das_notice *n, struct das_err *err)
{
    static const char *const titles[] = {"Question of", "Answered:", "Expired:", "Over:"};
    const char *question = json_string_value(json_object_get(asks, "question"));
    const enum end end = end_of(r, step);
    struct das_buf title = {0}, text = {0};
    int rc = 0;

    das_buf_printf(&title, "%s %s: ", titles[end], r->name);
    das_buf_str(&title, step->name);
    das_buf_str(&text, question ? question : step->name);
    if (end == ASKED) {
        das_buf_printf(&text, "\ndas runbook answer %lld %lld ", (long long)r->id,
                       (long long)step->n);
        rc = put_list(json_object_get(asks, "choices"), "|", &text, err);
    } else {
        das_buf_char(&text, '\n');
        put_end(r, step, end, &text);
    }
    if (rc == 0 && (das_buf_ok(&title, err) < 0 || das_buf_ok(&text, err) < 0))
        rc = -1;
    if (rc == 0)
        rc = das_notice_text(n, &n->title, das_buf_view(&title), DAS_NOTICE_TITLE, err);
    if (rc == 0)
        rc = das_notice_text(n, &n->text, das_buf_view(&text), DAS_NOTICE_TEXT, err);
    das_buf_clear(&title);
    das_buf_clear(&text);
    return rc;
}

/* The one that it is about, or a field with all of them. */
static int set_instance(const struct das_runbook *r, struct das_notice *n, struct das_err *err)
{
    struct das_err ignored;
    json_t *list = das_json_parse(r->instances, strlen(r->instances), NULL, &ignored);
    struct das_buf names = {0};
    int rc = put_list(list, ", ", &names, err);

    if (rc == 0 && json_array_size(list) == 1)
        rc = das_notice_text(n, &n->instance, das_buf_view(&names), DAS_NOTICE_KEY, err);
    else if (rc == 0)
        rc = das_approval_field(n, "instances", names.ptr, err);
    das_buf_clear(&names);
    json_decref(list);
    return rc;
}

static int set_fields(const struct das_runbook *r, const struct das_runbook_step *step,
                      const json_t *asks, struct das_notice *n, struct das_err *err)
{
    const char *fallback = json_string_value(json_object_get(asks, "default"));
    const json_t *approvers = json_object_get(asks, "approvers");
    struct das_buf who = {0};
    char run[40], until[32];
    int rc;

    snprintf(run, sizeof run, "%lld%s", (long long)r->id, r->armed ? "" : " (dry run)");
    das_clock_iso(step->wake_ms / 1000, until, sizeof until);
    rc = put_list(approvers, ", ", &who, err);
    if (rc == 0 && (das_approval_field(n, "runbook", run, err) < 0 ||
                    das_approval_field(n, "begun by", r->who, err) < 0))
        rc = -1;
    if (rc == 0 && waits(r, step) &&
        ((approvers &&
          das_approval_field(n, "may answer", who.len ? who.ptr : "nobody", err) < 0) ||
         das_approval_field(n, "until", until, err) < 0 ||
         das_approval_field(n, "otherwise", fallback, err) < 0))
        rc = -1;
    if (rc == 0 && !waits(r, step) && *step->who)
        rc = das_approval_field(n, "because", step->reason, err);
    das_buf_clear(&who);
    return rc;
}

int das_question_notice(const struct das_runbook *r, const struct das_runbook_step *step,
                        const struct das_channel *ch, struct das_notice *n, struct das_err *err)
{
    json_t *asks = das_json_parse(step->asks, strlen(step->asks), NULL, err);
    const json_t *choices = json_object_get(asks, "choices");
    int rc = asks ? 0 : -1;

    n->severity = waits(r, step) ? DAS_WARNING : DAS_INFO;
    n->event = waits(r, step) ? DAS_TRIGGER : DAS_RESOLVE;
    if (rc == 0 && (set_texts(r, step, asks, n, err) < 0 || set_instance(r, n, err) < 0 ||
                    set_fields(r, step, asks, n, err) < 0))
        rc = -1;
    if (rc == 0 && waits(r, step) && ch && das_channel_clicks(ch) &&
        json_array_size(choices) <= DAS_NOTICE_BUTTONS)
        rc = add_buttons(r, step, choices, n, err);
    json_decref(asks);
    return rc;
}

/* --- saying it -------------------------------------------------------------------------------- */

static int make(const struct das_question *q, const struct das_runbook *r,
                const struct das_runbook_step *step, const struct das_channel *ch,
                struct das_notice *n, struct das_err *err)
{
    char key[80];

    n->at_ms = das_clock_unix_ms();
    n->alone = true; /* a digest has only titles */
    if (das_question_notice(r, step, ch, n, err) < 0)
        return -1;
    /* PagerDuty and Alertmanager know by it what has been resolved */
    snprintf(key, sizeof key, "das runbook %lld.%lld %lld", (long long)r->id, (long long)step->n,
             (long long)r->started_ms);
    if (das_notice_text(n, &n->dedup, das_text_of(key), DAS_NOTICE_KEY, err) < 0)
        return -1;
    if (!*q->delivery)
        return 0;
    return das_notice_text(n, das_channel_edits(ch) ? &n->update : &n->thread,
                           das_text_of(q->delivery), DAS_NOTICE_KEY, err);
}

/* 1: it is queued; 0: it was before. */
static int post(struct das_store *s, const struct das_question *q, const struct das_runbook *r,
                const struct das_runbook_step *step, const struct das_channel *ch,
                struct das_err *err)
{
    struct das_buf text = {0};
    struct das_outbox_new m;
    struct das_notice n;
    int rc;

    das_notice_init(&n);
    rc = make(q, r, step, ch, &n, err);
    if (rc == 0)
        rc = das_notice_wrap(ch, &n, &text, &m, err);
    if (rc == 0)
        rc = das_question_post(s, q, &m, n.at_ms, err);
    das_buf_clear(&text);
    das_notice_clear(&n);
    return rc;
}

/* Of the question; NULL: it has none, or one that channels lacks. */
static const struct das_channel *channel_of(const struct das_runbook_step *step,
                                            const struct das_channels *channels)
{
    struct das_err ignored;
    json_t *asks = das_json_parse(step->asks, strlen(step->asks), NULL, &ignored);
    const char *name = json_string_value(json_object_get(asks, "channel"));
    const struct das_channel *ch = name ? das_channels_find(channels, name, &ignored) : NULL;

    json_decref(asks);
    return ch;
}

/* 1: queued; 0: nothing is said, or it was. */
static int say(struct das_store *s, const struct das_question *q,
               const struct das_channels *channels, struct das_err *err)
{
    const struct das_channel *ch = NULL;
    struct das_runbook_step step = {.n = 0};
    struct das_runbook r;
    int rc = das_runbook_get(s, q->runbook, &r, err);

    if (rc > 0)
        rc = das_step_at(s, q->runbook, q->n, &step, err);
    if (rc > 0)
        ch = channel_of(&step, channels);
    if (rc > 0)
        rc = ch ? post(s, q, &r, &step, ch, err) : 0;
    das_runbook_step_clear(&step);
    das_runbook_clear(&r);
    return rc;
}

int das_questions_say(struct das_store *s, const struct das_channels *channels, struct das_err *err)
{
    struct das_question list[ROUND_MAX], after = {.n = 0};
    int said = 0, failed = 0, count = channels && channels->count ? ROUND_MAX : 0;
    struct das_err one;

    while (count == ROUND_MAX) {
        count = das_question_due(s, &after, list, ROUND_MAX, &one);
        if (count < 0 && !failed++)
            *err = one;
        for (int i = 0; i < count; i++) {
            int rc = say(s, &list[i], channels, &one);
            said += rc > 0;
            after = list[i];
            if (rc >= 0 || failed++)
                continue;
            *err = one;
            das_err_prefix(err, "question of runbook %lld", (long long)after.runbook);
        }
    }
    return failed ? -1 : said;
}

/* --- answering -------------------------------------------------------------------------------- */

struct das_decider das_decider_of(const struct das_person *x, const char *via)
{
    return (struct das_decider){.name = x->name,
                                .roles = (const char *const *)x->roles,
                                .role_count = x->role_count,
                                .via = via};
}

/* --- a click ---------------------------------------------------------------------------------- */

/* The choice of the button, of the question that is stored; NULL: it is not that question's. */
static const char *chosen(const struct das_question_value *v, const struct das_runbook *r,
                          const struct das_runbook_step *step, const json_t *asks,
                          struct das_err *err)
{
    char tag[DAS_QUESTION_TAG + 1];

    if (step->kind == DAS_STEP_ASK && make_tag(r, step, tag, err) < 0)
        return NULL;
    das_fail(err, DAS_E_BLOCKED, "this button is of no question that is asked here");
    if (step->kind != DAS_STEP_ASK || strcmp(tag, v->tag) != 0 || v->choice < 0)
        return NULL;
    return json_string_value(json_array_get(json_object_get(asks, "choices"), (size_t)v->choice));
}

static int press(struct das_store *s, const struct das_question_value *v,
                 const struct das_runbook *r, const struct das_runbook_step *step,
                 const struct das_decider *by, int64_t now_ms, char *words, size_t size,
                 struct das_err *err)
{
    const char *text = *step->asks ? step->asks : "{}"; /* of a step that is no question */
    json_t *asks = das_json_parse(text, strlen(text), NULL, err);
    const char *choice = asks ? chosen(v, r, step, asks, err) : NULL;
    int rc = choice ? das_runbook_answer(s, r->id, step->name, choice, by, NULL, now_ms, err) : -1;

    if (rc == 0)
        snprintf(words, size, "%s: %s.", step->name, choice);
    json_decref(asks);
    return rc;
}

int das_question_press(struct das_store *s, const struct das_question_value *v,
                       const struct das_decider *by, int64_t now_ms, char *words, size_t size,
                       struct das_err *err)
{
    struct das_runbook_step step = {.n = 0};
    struct das_runbook r;
    int rc = das_runbook_get(s, v->runbook, &r, err);

    if (rc > 0)
        rc = das_step_at(s, v->runbook, v->n, &step, err);
    if (rc > 0)
        rc = press(s, v, &r, &step, by, now_ms, words, size, err);
    else if (rc == 0)
        rc = das_fail(err, DAS_E_BLOCKED, "there is no such question");
    das_runbook_step_clear(&step);
    das_runbook_clear(&r);
    if (rc == 0)
        return 1;
    if (err->code != DAS_E_BLOCKED && err->code != DAS_E_USAGE)
        return -1;
    snprintf(words, size, "Not counted: %s.", err->msg);
    return 0;
}
