/*
 * answer_page.c - pages for people (see call.h): of a link to a request for a kill, with the form on
 * it, and of a message that was too long for its channel.
 *
 * A link is for one person and one vote. It shows the plan to whoever has it, and takes a vote only
 * together with the access token of the person that it was made for: a link that is forwarded, read
 * in a channel or fetched by a preview is worth nothing. Looking changes nothing but that a form is
 * given out, which is good once.
 */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crypto.h"
#include "core/notify/deliver.h"
#include "core/serve/page_html.h"
#include "core/serve/call.h"

#define TOKEN_LEN 48         /* of a link, and of a form */
#define FORM_MS (15 * 60000) /* how long a form is good */

/* A page in place of the API's JSON, with this status. */
static int say(struct das_call *call, int status, const char *title, const char *words)
{
    das_buf_reset(&call->answer);
    call->type = "text/html; charset=utf-8";
    call->status = status;
    das_html_word(&call->answer, title, words);
    return 0;
}

static bool is_token(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if (!das_is_digit((unsigned char)t.ptr[i]) && !(t.ptr[i] >= 'a' && t.ptr[i] <= 'f'))
            return false;
    }
    return t.len == TOKEN_LEN;
}

struct page {
    char hash[DAS_SHA256_HEX]; /* of the link */
    struct das_approval_link link;
    struct das_approval *a;
};

/* 1: there it is; 0: the call has been answered; -1 with err. */
static int open_page(struct das_call *call, struct das_store *s, struct page *p,
                     struct das_err *err)
{
    int rc;

    if (!is_token(call->instance)) {
        say(call, 404, "No such page", "There is no such page. Was the whole link copied?");
        return 0;
    }
    if (das_sha256_hex(call->instance, p->hash, err) < 0)
        return -1;
    rc = das_approval_link_find(s, p->hash, &p->link, err);
    if (rc > 0)
        rc = das_approval_get(s, p->link.approval, &p->a, err) < 0 ? -1 : p->a != NULL;
    if (rc == 0)
        say(call, 404, "No such page", "There is no such page. Was the whole link copied?");
    return rc;
}

/* --- looking ---------------------------------------------------------------------------------- */

static int show(struct das_call *call, struct das_store *s, const struct page *p,
                struct das_err *err)
{
    struct das_plan *plan = das_plan_read(p->a->plan, err);
    bool open = p->a->state == DAS_APPROVAL_WAITING && !p->link.used_ms &&
                das_clock_unix_ms() < p->a->expires_ms;
    char form[TOKEN_LEN + 1], hash[DAS_SHA256_HEX];
    int rc = plan ? 0 : -1;

    if (rc == 0 && strcmp(das_plan_hash(plan), p->a->hash) != 0)
        rc = das_fail(err, DAS_E_DATA, "it is another plan than the one that was asked for");
    if (rc == 0 && open &&
        (das_random_hex(form, TOKEN_LEN / 2, err) < 0 ||
         das_sha256_hex(das_text_of(form), hash, err) < 0 ||
         das_approval_form_add(s, hash, p->hash, das_clock_unix_ms() + FORM_MS, err) < 0))
        rc = -1;
    if (rc == 0)
        das_html_approval(&call->answer, p->a, plan, p->link.person, open ? form : NULL);
    call->type = "text/html; charset=utf-8";
    das_plan_release(plan);
    return rc;
}

int das_answer_approval_page(struct das_call *call)
{
    struct das_store *s = das_desk_take(call->server);
    struct page p = {.a = NULL};
    struct das_err err;
    int rc = open_page(call, s, &p, &err);

    if (rc > 0)
        rc = show(call, s, &p, &err);
    das_desk_return(call->server);
    das_approval_free(p.a);
    if (rc < 0 && err.code == DAS_E_DATA)
        return say(call, 409, "This request was changed", err.msg);
    return rc < 0 ? das_refuse_err(call, &err) : 0;
}

/* --- the form --------------------------------------------------------------------------------- */

/* A field that is there exactly once, without NUL; else "". */
static struct das_text field(const struct das_sign_target *t, const char *name)
{
    struct das_text found = das_text("", 0);
    size_t n = 0;

    for (size_t i = 0; i < t->count; i++) {
        if (das_text_is(t->query[i].name, name)) {
            found = t->query[i].value;
            n++;
        }
    }
    return n == 1 && !memchr(found.ptr ? found.ptr : "", '\0', found.len) ? found : das_text("", 0);
}

static int read_form(struct das_call *call, struct das_sign_target *t, struct das_err *err)
{
    struct das_buf wire = {0};
    int rc;

    das_buf_str(&wire, "/?");
    das_buf_text(&wire, das_text_trim(call->http->body));
    rc = das_buf_ok(&wire, err);
    if (rc == 0)
        rc = das_sign_target_read(t, das_buf_view(&wire), err);
    if (wire.ptr)
        explicit_bzero(wire.ptr, wire.cap); /* it had a token */
    das_buf_clear(&wire);
    return rc;
}

/* Who knows the token, as the server knows every caller; with the same locks against guessing. */
static int sign_in(struct das_call *call, struct das_text token)
{
    const struct das_sign_pair header = {das_text_of("X-Auth-Token"), token};
    const struct das_sign_request r = {.method = call->http->method,
                                       .path = das_text_of("/approvals"),
                                       .headers = &header,
                                       .header_count = 1};
    const struct das_auth_ask ask = {
        .request = &r, .peer = call->http->peer, .writes = true, .now_ms = das_clock_unix_ms()};

    return das_auth_check(call->server->auth, &ask, &call->caller, &call->refusal);
}

static int refused(struct das_call *call)
{
    char words[sizeof call->refusal.message];
    int status = call->refusal.status;

    snprintf(words, sizeof words, "%s", call->refusal.message);
    call->refusal.status = 0; /* the page is the answer */
    return say(call, status == 401 ? 403 : status, "This does not count", words);
}

/* What is missing, for the person; NULL: nothing. The form stays good. */
static const char *incomplete(const struct das_sign_target *t)
{
    struct das_text decision = field(t, "decision"), reason = field(t, "reason");

    if (!das_text_is(decision, "approve") && !das_text_is(decision, "reject"))
        return "Approve or Reject was expected.";
    if (das_text_is(decision, "reject") && !das_text_trim(reason).len)
        return "A no needs a reason: who asked will want to know. Go back and give one.";
    if (reason.len > DAS_APPROVAL_REASON_MAX)
        return "The reason is too long. Go back and make it shorter.";
    return NULL;
}

/* The form is complete. */
static int decide(struct das_call *call, const struct page *p, const struct das_sign_target *t)
{
    struct das_text decision = field(t, "decision"), reason = field(t, "reason");
    const struct das_rules *rules = call->server->opts->rules;
    char plan[DAS_SHA256_HEX], why[DAS_APPROVAL_REASON_MAX + 1], other[200] = "";
    struct das_ballot ballot = {.id = p->a->id,
                                .hash_prefix = plan,
                                .yes = das_text_is(decision, "approve"),
                                .reason = why,
                                .via = "page",
                                .link = p->hash};
    const struct das_person *x;
    struct das_ballot_result r;

    snprintf(plan, sizeof plan, "%.*s",
             (int)(field(t, "plan").len < 64 ? field(t, "plan").len : 64), field(t, "plan").ptr);
    snprintf(why, sizeof why, "%.*s", (int)reason.len, reason.ptr);
    if (sign_in(call, field(t, "token")) < 0)
        return refused(call);
    x = das_people_by(rules ? &rules->people : NULL, "key", call->caller.id);
    if (x && strcmp(x->name, p->link.person) != 0)
        snprintf(other, sizeof other, "the link was made for %s, not for %s", p->link.person,
                 x->name);
    if (*other)
        ballot.no = other;
    if (das_call_vote(call, p->a, &ballot, &r) < 0)
        return refused(call);
    if (r.kind == DAS_BALLOT_REFUSED)
        return say(call, *other ? 403 : 409, "This does not count", r.words);
    return say(call, 200, "Thank you", r.words);
}

int das_answer_approval_form(struct das_call *call)
{
    struct das_sign_target t = {0};
    struct page p = {.a = NULL};
    char hash[DAS_SHA256_HEX], at[60], when[32];
    const char *missing;
    struct das_store *s;
    struct das_err err;
    int rc = read_form(call, &t, &err);

    if (rc < 0 && err.code != DAS_E_NOMEM) {
        das_sign_target_clear(&t);
        return say(call, 400, "This does not count", "The form cannot be read.");
    }
    s = das_desk_take(call->server);
    if (rc == 0)
        rc = open_page(call, s, &p, &err);
    if (rc > 0 && p.link.used_ms) {
        das_clock_iso(p.link.used_ms / 1000, when, sizeof when);
        snprintf(at, sizeof at, "This link was used at %s.", when);
        rc = say(call, 410, "This does not count", at);
    } else if (rc > 0 && (missing = incomplete(&t))) {
        rc = say(call, 400, "This does not count", missing);
    } else if (rc > 0) {
        rc = das_sha256_hex(field(&t, "form"), hash, &err);
        if (rc == 0)
            rc = das_approval_form_take(s, hash, p.hash, das_clock_unix_ms(), &err);
        if (rc == 0)
            say(call, 403, "This does not count",
                "The form was sent before, or is too old: open the link again.");
    }
    das_desk_return(call->server);
    if (rc > 0)
        rc = decide(call, &p, &t);
    else if (rc < 0)
        rc = err.code == DAS_E_DATA ? say(call, 409, "This request was changed", err.msg)
                                    : das_refuse_err(call, &err);
    das_approval_free(p.a);
    das_sign_target_clear(&t);
    return rc;
}

/* --- messages --------------------------------------------------------------------------------- */

/* 1: the message is in *out; 0: there is none of that name; -1. */
static int find_message(struct das_store *s, struct das_text name, struct das_buf *out,
                        struct das_err *err)
{
    char delivery[DAS_DELIVERY_SIZE], want[DAS_PAGE_NAME_SIZE];
    const char *dot = name.ptr ? memchr(name.ptr, '.', name.len) : NULL;
    int rc;

    if (!dot || (size_t)(dot - name.ptr) >= sizeof delivery)
        return 0;
    snprintf(delivery, sizeof delivery, "%.*s", (int)(dot - name.ptr), name.ptr);
    rc = das_outbox_message(s, delivery, out, err);
    if (rc > 0 && das_message_page(delivery, das_buf_view(out), want, err) < 0)
        rc = -1;
    return rc > 0 ? das_bytes_equal(name, das_text_of(want)) : rc;
}

int das_answer_message_page(struct das_call *call)
{
    struct das_store *s = das_desk_take(call->server);
    struct das_buf message = {0};
    struct das_notice n;
    struct das_err err;
    int rc = find_message(s, call->instance, &message, &err);

    das_desk_return(call->server);
    das_notice_init(&n);
    if (rc == 0)
        rc = say(call, 404, "No such page",
                 "There is no such page any more. Was the whole link copied?");
    else if (rc > 0 && (rc = das_notice_read(&n, das_buf_view(&message), &err)) == 0) {
        das_html_notice(&call->answer, &n);
        call->type = "text/html; charset=utf-8";
    }
    das_notice_clear(&n);
    das_buf_clear(&message);
    return rc < 0 ? das_refuse_err(call, &err) : 0;
}
