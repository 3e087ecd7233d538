/*
 * vote.c - whose vote counts, and when there are enough (see approval.h).
 *
 * Judged inside the transaction that writes the vote: of two last votes at once, one is too late.
 */
#include <stdio.h>
#include <string.h>

#include "core/approval/approval_impl.h"
#include "core/base/clock.h"
#include "core/base/json.h"

struct das_plan *das_approval_plan(const struct das_approval *a, struct das_err *err)
{
    struct das_plan *p = das_plan_read(a->plan, err);

    if (p && strcmp(das_plan_hash(p), a->hash) == 0)
        return p;
    if (p)
        das_fail(err, DAS_E_DATA, "it is another plan than the one that was asked for");
    das_plan_release(p);
    return NULL;
}

bool das_approval_may(const struct das_approval *a, const struct das_people *people,
                      const char *person, char *why, size_t size)
{
    const struct das_person *x = das_people_find(people, person);

    if (!x) {
        snprintf(why, size, "you are nobody that people of das.lua knows");
        return false;
    }
    if (*a->person && strcmp(a->person, x->name) == 0) {
        snprintf(why, size, "%s asked for it: somebody else has to decide", x->name);
        return false;
    }
    if (!das_approval_named(x, a->roles, a->role_count, a->users, a->user_count)) {
        snprintf(why, size, "%s is not among those who may decide", x->name);
        return false;
    }
    return true;
}

/* --- one vote --------------------------------------------------------------------------------- */

struct voting {
    const struct das_people *people;
    const struct das_vault *vault;
    const struct das_ballot *ballot;
    struct das_ballot_result *out;
};

static const struct das_approval_vote *vote_of(const struct das_approval *a, const char *person)
{
    for (size_t i = 0; i < a->vote_count; i++) {
        if (strcmp(a->votes[i].person, person) == 0)
            return &a->votes[i];
    }
    return NULL;
}

static void decided_words(const struct das_approval *a, char *why, size_t size)
{
    const struct das_approval_vote *v = a->vote_count ? &a->votes[a->vote_count - 1] : NULL;
    char at[32];

    das_clock_iso(a->decided_ms / 1000, at, sizeof at);
    if (a->state == DAS_APPROVAL_EXPIRED)
        snprintf(why, size, "it expired at %s", at);
    else if (a->state == DAS_APPROVAL_REJECTED)
        snprintf(why, size, "it was rejected by %s at %s already", v ? v->person : "somebody", at);
    else
        snprintf(why, size, "it was approved at %s already, and is %s", at,
                 das_approval_state_name(a->state));
}

/* True: it counts. Else why not; *expire: because its time is over. */
static bool counts(const struct voting *v, const struct das_approval *a, bool *expire, char *why,
                   size_t size)
{
    const struct das_ballot *b = v->ballot;
    const struct das_approval_vote *before;
    const char *prefix = b->hash_prefix ? b->hash_prefix : "";
    struct das_plan *p;
    struct das_err err;
    char said[32];

    if (b->no) {
        snprintf(why, size, "%s", b->no);
        return false;
    }
    if (!das_approval_may(a, v->people, b->person, why, size))
        return false;
    if (a->state != DAS_APPROVAL_WAITING) {
        decided_words(a, why, size);
        return false;
    }
    *expire = das_clock_unix_ms() >= a->expires_ms;
    if (*expire) {
        das_clock_iso(a->expires_ms / 1000, said, sizeof said);
        snprintf(why, size, "it expired at %s", said);
        return false;
    }
    before = vote_of(a, b->person);
    if (before) {
        das_clock_iso(before->at_ms / 1000, said, sizeof said);
        snprintf(why, size, "%s said %s at %s already: one vote each", b->person,
                 before->yes ? "yes" : "no", said);
        return false;
    }
    if (strlen(prefix) < DAS_APPROVAL_PREFIX_MIN || strncmp(prefix, a->hash, strlen(prefix)) != 0) {
        snprintf(why, size, "what was shown is another plan than the one that is asked for");
        return false;
    }
    p = b->yes ? das_approval_plan(a, &err) : NULL;
    if (b->yes && !p) {
        snprintf(why, size, "its plan was changed: %.300s", err.msg);
        return false;
    }
    das_plan_release(p);
    return true;
}

static void refuse(const struct voting *v, const struct das_approval *a, bool expire,
                   struct das_approval_step *step)
{
    v->out->kind = DAS_BALLOT_REFUSED;
    if (expire) {
        step->event = "expired";
        step->state = DAS_APPROVAL_EXPIRED;
        v->out->changed = true;
        return;
    }
    if (!das_people_find(v->people, v->ballot->person))
        return; /* anybody could fill the journal */
    step->event = "refused";
    das_buf_char(&step->members, '{');
    das_json_key_text(&step->members, "plan", das_text_of(a->hash));
    das_approval_put(&step->members, NULL, "person", v->ballot->person);
    das_json_key_bool(&step->members, "yes", v->ballot->yes);
    das_approval_put(&step->members, NULL, "via", v->ballot->via);
    das_approval_put(&step->members, v->vault, "why", v->out->words);
}

static void count(const struct voting *v, const struct das_approval *a,
                  struct das_approval_step *step)
{
    const struct das_ballot *b = v->ballot;
    int64_t yes = (int64_t)a->yes_count + (b->yes ? 1 : 0);
    struct das_ballot_result *out = v->out;

    out->yes = yes;
    if (!b->yes) {
        out->kind = DAS_BALLOT_REJECTED;
        step->state = DAS_APPROVAL_REJECTED;
        snprintf(out->words, sizeof out->words, "rejected: nothing is killed");
    } else if (yes >= a->need) {
        out->kind = DAS_BALLOT_APPROVED;
        step->state = DAS_APPROVAL_APPROVED;
        snprintf(out->words, sizeof out->words, "approved: the plan is carried out now");
    } else {
        out->kind = DAS_BALLOT_COUNTED;
        snprintf(out->words, sizeof out->words, "counted: %lld of %lld", (long long)yes,
                 (long long)a->need);
    }
    out->changed = true;
    step->event = "vote";
    step->voter = b->person;
    step->link = b->link;
    das_buf_char(&step->members, '{');
    das_json_key_text(&step->members, "plan", das_text_of(a->hash));
    das_approval_put(&step->members, NULL, "person", b->person);
    das_json_key_bool(&step->members, "yes", b->yes);
    das_approval_put(&step->members, NULL, "via", b->via);
    das_approval_put(&step->members, v->vault, "reason", b->reason);
    das_approval_put(&step->members, NULL, "decides",
                     out->kind == DAS_BALLOT_APPROVED   ? "approved"
                     : out->kind == DAS_BALLOT_REJECTED ? "rejected"
                                                        : NULL);
}

static int judge(void *arg, const struct das_approval *a, struct das_approval_step *step,
                 struct das_err *err)
{
    const struct voting *v = arg;
    bool expire = false;

    (void)err;
    v->out->yes = (int64_t)a->yes_count;
    v->out->need = a->need;
    if (counts(v, a, &expire, v->out->words, sizeof v->out->words))
        count(v, a, step);
    else
        refuse(v, a, expire, step);
    return 0;
}

int das_approval_vote(struct das_store *s, const struct das_people *people,
                      const struct das_vault *vault, const struct das_ballot *ballot,
                      struct das_ballot_result *out, struct das_err *err)
{
    struct voting v = {people, vault, ballot, out};
    int rc;

    memset(out, 0, sizeof *out);
    out->kind = DAS_BALLOT_REFUSED;
    if (ballot->reason && strlen(ballot->reason) > DAS_APPROVAL_REASON_MAX) {
        snprintf(out->words, sizeof out->words, "reason: expected at most %d bytes, got %zu",
                 DAS_APPROVAL_REASON_MAX, strlen(ballot->reason));
        return 0;
    }
    rc = das_approval_change(s, ballot->id, judge, &v, err);
    if (rc < 0 && err->code == DAS_E_DATA) {
        out->kind = DAS_BALLOT_REFUSED;
        snprintf(out->words, sizeof out->words, "%.390s", err->msg);
        return 0;
    }
    if (rc == 0)
        snprintf(out->words, sizeof out->words, "there is no request %.40s", ballot->id);
    return rc < 0 ? -1 : 0;
}

/* --- buttons ---------------------------------------------------------------------------------- */

static const char value_begin[] = "das:approval:";

/* Not every platform says which of two buttons it was: the value does. */
void das_approval_value(const struct das_approval *a, bool yes, char out[DAS_APPROVAL_VALUE_SIZE])
{
    snprintf(out, DAS_APPROVAL_VALUE_SIZE, "%s%s:%.*s:%c", value_begin, a->id, DAS_APPROVAL_PREFIX,
             a->hash, yes ? 'y' : 'n');
}

static bool take(struct das_text *t, char *to, size_t size)
{
    size_t n = 0;

    while (n < t->len && n + 1 < size &&
           (das_is_digit((unsigned char)t->ptr[n]) || (t->ptr[n] >= 'a' && t->ptr[n] <= 'f')))
        n++;
    memcpy(to, t->ptr, n);
    to[n] = '\0';
    if (n == 0 || n >= t->len || t->ptr[n] != ':')
        return false;
    t->ptr += n + 1;
    t->len -= n + 1;
    return true;
}

bool das_approval_value_read(struct das_text t, struct das_approval_value *out)
{
    size_t len = sizeof value_begin - 1;

    memset(out, 0, sizeof *out);
    if (t.len < len || memcmp(t.ptr, value_begin, len) != 0)
        return false;
    t.ptr += len;
    t.len -= len;
    if (!take(&t, out->id, sizeof out->id) || !take(&t, out->prefix, sizeof out->prefix) ||
        t.len != 1 || (*t.ptr != 'y' && *t.ptr != 'n'))
        return false;
    out->yes = *t.ptr == 'y';
    return strlen(out->id) == DAS_APPROVAL_ID_SIZE - 1 &&
           strlen(out->prefix) >= DAS_APPROVAL_PREFIX_MIN;
}
