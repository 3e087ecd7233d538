/*
 * hook_judge.h - a request to a hook is made by hook_kit.h, judged, and what came of it is held
 * against what was meant: for the tests of what requests say.
 */
#ifndef DAS_TESTS_HOOK_JUDGE_H
#define DAS_TESTS_HOOK_JUDGE_H

#include "core/base/json.h"
#include "tests/unit/hook_kit.h"
#include "tests/unit/tap.h"

static struct das_err err;
static struct das_hook_verdict v;

/* Puts together and judges; v stays until the next. */
static inline void judge(struct hook *h)
{
    das_hook_verdict_clear(&v);
    hook_put_together(h);
    if (das_hook_verify(&h->conf, &h->request, h->now_ms, &v, &err) < 0)
        hook_die(err.msg);
}

static inline void send(enum das_hook_platform p, const char *body)
{
    static struct hook h; /* what v borrows */

    hook_make(&h, p, 0, HOOK_NOW, body);
    judge(&h);
}

static inline void refused(int status, const char *words, const char *name)
{
    ok(v.outcome == DAS_HOOK_REFUSED && v.status == status, "%s: %d", name, status);
    has_str(v.reason, words, "%s: %s", name, v.reason);
}

static inline void accepted(enum das_hook_kind kind, const char *event, const char *id, const char *name)
{
    ok(v.outcome == DAS_HOOK_ACCEPTED && v.kind == kind, "%s: %s %s", name,
       das_hook_kind_name(v.kind), v.reason);
    is_str(v.event, event, "%s: its word", name);
    if (id)
        is_str(v.id_count ? v.ids[0].text : NULL, id, "%s: its id", name);
}

static inline void answered(const char *type, const char *body, const char *name)
{
    ok(v.outcome == DAS_HOOK_ANSWERED && v.status == 200, "%s: answered %s", name, v.reason);
    is_str(v.type, type, "%s: as", name);
    is_str(v.answer.len ? v.answer.ptr : "", body, "%s: with", name);
}

static inline bool body_is(const char *text)
{
    return das_text_is(v.body, text);
}

#define JSON "application/json"
#define PLAIN "text/plain; charset=utf-8"

/* As if nobody had signed it. */
static inline void unsign(struct hook *h)
{
    h->count = 0;
    snprintf(h->sig_header, sizeof h->sig_header, "X-None");
}

#endif
