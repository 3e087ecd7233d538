/*
 * approval.c - see approval.h.
 *
 * A request is put together from the bytes of its records each time it is looked at. So whoever can
 * write to the tables, but not to the journal, can change neither what was asked for, nor who may
 * say yes, nor who did.
 */
#include "core/store/approval.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crypto.h"
#include "core/base/fault.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/store/journal.h"
#include "core/store/store_impl.h"

static const char *const state_names[DAS_APPROVAL_STATES] = {
    "waiting", "approved", "applying", "applied", "rejected", "expired", "unknown", "failed",
};

const char *das_approval_state_name(enum das_approval_state s)
{
    return state_names[s];
}

bool das_approval_over(enum das_approval_state s)
{
    return s > DAS_APPROVAL_APPLYING;
}

void das_approval_free(struct das_approval *a)
{
    if (!a)
        return;
    json_decref(a->root);
    das_free((void *)(uintptr_t)a->result.ptr);
    das_free(a->roles);
    das_free(a->users);
    das_free(a->votes);
    das_free((void *)(uintptr_t)a->plan.ptr);
    das_free(a);
}

/* --- reading: from the records ---------------------------------------------------------------- */

static int differs(const char *id, const char *what, struct das_err *err)
{
    return das_fail(err, DAS_E_DATA,
                    "approval %s: the database does not say what the journal says: %s", id, what);
}

/* Record seq as JSON, appended to list, where it stays. NULL with err. */
static json_t *record(struct das_store *s, int64_t seq, const char *id, json_t *list,
                      struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_RECORD_HASH, "i", seq);
    int rc = st ? das_step(s, st, err) : -1;
    char hash[DAS_SHA256_HEX];
    struct das_text line;
    json_t *o = NULL;

    if (rc <= 0) {
        if (rc == 0)
            differs(id, "a record is missing", err);
        return NULL;
    }
    line = das_column(st, 0);
    if (das_sha256_hex(line, hash, err) == 0) {
        if (!das_text_is(das_column(st, 1), hash))
            differs(id, "the bytes of a record were changed", err);
        else
            o = das_json_parse(line.ptr, line.len, NULL, err);
    }
    sqlite3_reset(st);
    if (o && json_array_append_new(list, o) < 0) {
        das_fail_nomem(err);
        o = NULL;
    }
    return o;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static bool is_event(const json_t *o, const char *id, const char *event)
{
    return o && strcmp(text_of(o, "kind"), "approval") == 0 &&
           strcmp(text_of(o, "approval"), id) == 0 && strcmp(text_of(o, "event"), event) == 0;
}

static int names_of(const json_t *o, const char *key, const char ***out, size_t *count,
                    struct das_err *err)
{
    const json_t *list = json_object_get(o, key);
    size_t n = json_array_size(list);

    *out = das_calloc(n + 1, sizeof **out);
    if (!*out)
        return das_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name)
            (*out)[(*count)++] = name;
    }
    return 0;
}

static int fill_request(struct das_approval *a, const json_t *o, int64_t expires_ms,
                        struct das_err *err)
{
    if (!is_event(o, a->id, "requested"))
        return differs(a->id, "its first record is another one's", err);
    a->created_ms = int_of(o, "time_ms");
    a->instance = text_of(o, "instance");
    a->policy = text_of(o, "policy");
    a->channel = text_of(o, "channel");
    a->reason = text_of(o, "reason");
    a->by = text_of(o, "by");
    a->run = text_of(o, "run");
    a->person = text_of(o, "person");
    a->need = int_of(o, "need");
    a->victims = int_of(o, "victims");
    a->expires_ms = int_of(o, "expires_ms");
    snprintf(a->hash, sizeof a->hash, "%s", text_of(o, "plan"));
    if (a->need < 1 || a->expires_ms != expires_ms || strlen(a->hash) != DAS_SHA256_HEX - 1)
        return differs(a->id, "its terms", err);
    if (names_of(o, "roles", &a->roles, &a->role_count, err) < 0)
        return -1;
    return names_of(o, "users", &a->users, &a->user_count, err);
}

/* Votes as rows, before their records are read: a statement at a time. */
struct row {
    char person[65];
    int64_t seq;
};

static int fill_votes(struct das_store *s, struct das_approval *a, struct row *rows, size_t n,
                      struct das_err *err)
{
    a->votes = das_calloc(n + 1, sizeof *a->votes);
    if (!a->votes)
        return das_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *o = record(s, rows[i].seq, a->id, a->root, err);
        struct das_approval_vote *v = &a->votes[a->vote_count];
        if (!o)
            return -1;
        if (!is_event(o, a->id, "vote") || strcmp(text_of(o, "person"), rows[i].person) != 0 ||
            strcmp(text_of(o, "plan"), a->hash) != 0)
            return differs(a->id, "a vote is none", err);
        *v = (struct das_approval_vote){.person = text_of(o, "person"),
                                        .via = text_of(o, "via"),
                                        .reason = text_of(o, "reason"),
                                        .yes = json_is_true(json_object_get(o, "yes")),
                                        .at_ms = int_of(o, "time_ms")};
        a->yes_count += v->yes;
        a->vote_count++;
    }
    return 0;
}

static int read_votes(struct das_store *s, struct das_approval *a, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_APPROVAL_VOTES, "s", a->id);
    struct row *rows = NULL, *bigger;
    int rc = st ? 0 : -1;
    size_t n = 0;

    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        bigger = das_grow(rows, n + 1, sizeof *rows);
        rc = bigger ? 0 : das_fail_nomem(err);
        if (bigger) {
            rows = bigger;
            snprintf(rows[n].person, sizeof rows[n].person, "%s", das_column_str(st, 0));
            rows[n++].seq = sqlite3_column_int64(st, 1);
        } else {
            sqlite3_reset(st);
        }
    }
    if (rc == 0)
        rc = fill_votes(s, a, rows, n, err);
    das_free(rows);
    return rc;
}

/* A text of the row that outlives the statement, with the rest of them in a->root. */
static const char *keep(struct das_approval *a, const char *text)
{
    json_t *v = json_string(text ? text : "");

    return v && json_array_append_new(a->root, v) == 0 ? json_string_value(v) : NULL;
}

static int copy_bytes(struct das_text t, struct das_text *out, struct das_err *err)
{
    char *p = das_strndup(t.ptr, t.len);

    if (!p)
        return das_fail_nomem(err);
    *out = das_text(p, t.len);
    return 0;
}

static int read_row(struct das_approval *a, sqlite3_stmt *st, int64_t *seq, int64_t *expires_ms,
                    struct das_err *err)
{
    int64_t state = sqlite3_column_int64(st, 2);

    *seq = sqlite3_column_int64(st, 0);
    *expires_ms = sqlite3_column_int64(st, 3);
    if (state < 0 || state >= DAS_APPROVAL_STATES)
        return differs(a->id, "its state", err);
    a->state = (enum das_approval_state)state;
    snprintf(a->claim, sizeof a->claim, "%s", das_column_str(st, 4));
    a->delivery = keep(a, das_column_str(st, 5));
    a->decided_ms = sqlite3_column_int64(st, 6);
    a->ended_ms = sqlite3_column_int64(st, 7);
    a->note = keep(a, das_column_str(st, 8));
    if (!a->delivery || !a->note)
        return das_fail_nomem(err);
    if (copy_bytes(das_column(st, 1), &a->plan, err) < 0)
        return -1;
    return copy_bytes(das_column(st, 9), &a->result, err);
}

int das_approval_get(struct das_store *s, const char *id, struct das_approval **out,
                     struct das_err *err)
{
    struct das_approval *a;
    sqlite3_stmt *st;
    int64_t seq = 0, expires_ms = 0;
    int rc;

    *out = NULL;
    if (s->format < DAS_FORMAT_APPROVAL || strlen(id) >= DAS_APPROVAL_ID_SIZE)
        return 0;
    st = das_ask(s, err, DAS_Q_APPROVAL_GET, "s", id);
    rc = st ? das_step(s, st, err) : -1;
    if (rc <= 0)
        return rc;
    a = das_calloc(1, sizeof *a);
    if (a)
        a->root = json_array();
    if (!a || !a->root) {
        sqlite3_reset(st);
        das_free(a);
        return das_fail_nomem(err);
    }
    snprintf(a->id, sizeof a->id, "%s", id);
    rc = read_row(a, st, &seq, &expires_ms, err);
    sqlite3_reset(st);
    if (rc == 0) {
        const json_t *o = record(s, seq, a->id, a->root, err);
        rc = o ? fill_request(a, o, expires_ms, err) : -1;
    }
    if (rc == 0)
        rc = read_votes(s, a, err);
    if (rc == 0)
        *out = a;
    else
        das_approval_free(a);
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* members: with "{" before it, or empty. */
static int append(struct das_store *s, const char *id, const char *event, struct das_text members,
                  int64_t *seq, struct das_err *err)
{
    struct das_record r = {.kind = "approval"};
    struct das_buf b = {0};
    int rc;

    das_buf_printf(&b, "\"approval\":\"%s\",\"event\":\"%s\"", id, event);
    if (members.len > 1) {
        das_buf_char(&b, ',');
        das_buf_add(&b, members.ptr + 1, members.len - 1);
    }
    r.members = das_buf_view(&b);
    rc = das_buf_ok(&b, err);
    if (rc == 0)
        rc = das_journal_append(s, &r, err);
    das_buf_clear(&b);
    *seq = r.seq;
    return rc;
}

static int add(struct das_store *s, const struct das_approval_new *n, int64_t now_ms,
               char id[DAS_APPROVAL_ID_SIZE], struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_APPROVAL_SAME, "si", n->subject, now_ms);
    int rc = st ? das_step(s, st, err) : -1;
    int64_t seq;

    if (rc > 0) {
        snprintf(id, DAS_APPROVAL_ID_SIZE, "%s", das_column_str(st, 0));
        sqlite3_reset(st);
        return 0;
    }
    if (rc < 0 || das_random_hex(id, (DAS_APPROVAL_ID_SIZE - 1) / 2, err) < 0 ||
        append(s, id, "requested", n->members, &seq, err) < 0)
        return -1;
    return das_do(s, err, DAS_Q_APPROVAL_ADD, "sibsi", id, seq, n->plan, n->subject,
                  n->expires_ms) < 0
               ? -1
               : 1;
}

int das_approval_add(struct das_store *s, const struct das_approval_new *n, int64_t now_ms,
                     char id[DAS_APPROVAL_ID_SIZE], struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = add(s, n, now_ms, id, err);
    return das_end(s, rc < 0 ? -1 : 0, err) < 0 ? -1 : rc;
}

static int set_state(struct das_store *s, const struct das_approval *a, int state,
                     struct das_err *err)
{
    int64_t now = das_clock_unix_ms();
    bool decided = !a->decided_ms && state != DAS_APPROVAL_WAITING;

    return das_do(s, err, DAS_Q_APPROVAL_STATE, "siii", a->id, (int64_t)state,
                  decided ? now : (int64_t)0,
                  das_approval_over((enum das_approval_state)state) ? now : (int64_t)0) < 0
               ? -1
               : 0;
}

static int carry_out(struct das_store *s, const struct das_approval *a,
                     const struct das_approval_step *step, struct das_err *err)
{
    int64_t seq;

    if (append(s, a->id, step->event, das_buf_view(&step->members), &seq, err) < 0)
        return -1;
    if (step->voter && das_do(s, err, DAS_Q_APPROVAL_VOTE, "ssi", a->id, step->voter, seq) < 0)
        return -1;
    if (step->state >= 0 && set_state(s, a, step->state, err) < 0)
        return -1;
    if (step->claim && das_do(s, err, DAS_Q_APPROVAL_CLAIM, "ss", a->id, s->run) < 0)
        return -1;
    if (step->note && das_do(s, err, DAS_Q_APPROVAL_NOTE, "ss", a->id, step->note) < 0)
        return -1;
    if (step->result.ptr && das_do(s, err, DAS_Q_APPROVAL_RESULT, "sb", a->id, step->result) < 0)
        return -1;
    if (!step->link)
        return 0;
    switch (das_do(s, err, DAS_Q_LINK_USE, "si", step->link, das_clock_unix_ms())) {
    case 1:
        return 0;
    case 0:
        return das_fail(err, DAS_E_STORE, "%s: a link was used twice at once", s->path);
    default:
        return -1;
    }
}

static int change(struct das_store *s, const char *id, das_approval_fn *fn, void *arg,
                  struct das_err *err)
{
    struct das_approval_step step = {.state = -1};
    struct das_approval *a;
    int rc;

    if (das_approval_get(s, id, &a, err) < 0)
        return -1;
    if (!a)
        return 0;
    rc = fn(arg, a, &step, err);
    if (rc == 0)
        rc = das_buf_ok(&step.members, err);
    if (rc == 0 && step.event)
        rc = carry_out(s, a, &step, err);
    das_buf_clear(&step.members);
    das_approval_free(a);
    return rc < 0 ? -1 : 1;
}

int das_approval_change(struct das_store *s, const char *id, das_approval_fn *fn, void *arg,
                        struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = change(s, id, fn, arg, err);
    if (rc > 0)
        DAS_FAULT("approval-before-commit");
    rc = das_end(s, rc < 0 ? -1 : 0, err) < 0 ? -1 : rc;
    if (rc > 0)
        DAS_FAULT("approval-after-commit");
    return rc;
}

int das_approval_is_orphan(struct das_store *s, const struct das_approval *a, struct das_err *err)
{
    if (a->state != DAS_APPROVAL_APPLYING)
        return 0;
    return *a->claim ? das_run_is_dead(s, a->claim, NULL, err) : 1;
}

int das_approval_is_untold(struct das_store *s, const struct das_approval *a, struct das_err *err)
{
    if (a->state != DAS_APPROVAL_WAITING || !*a->channel || *a->delivery ||
        das_clock_unix_ms() >= a->expires_ms)
        return 0;
    return strcmp(a->run, s->run) == 0 ? 1 : das_run_is_dead(s, a->run, NULL, err);
}

int das_approval_set_delivery(struct das_store *s, const char *id, const char *delivery,
                              struct das_err *err)
{
    return das_do(s, err, DAS_Q_APPROVAL_DELIVERY, "ss", id, delivery) < 0 ? -1 : 0;
}

/* --- looking ---------------------------------------------------------------------------------- */

/* A row with what is no id is no request. */
static int read_keys(struct das_store *s, sqlite3_stmt *st, struct das_approval_key *out, size_t n,
                     struct das_err *err)
{
    size_t count = 0;
    int rc = st ? 1 : -1;

    while (count < n && rc > 0 && (rc = das_step(s, st, err)) > 0) {
        struct das_text id = das_column(st, 0);
        int64_t state = sqlite3_column_int64(st, 1);
        if (id.len != DAS_APPROVAL_ID_SIZE - 1)
            continue;
        memcpy(out[count].id, id.ptr, id.len);
        out[count].id[id.len] = '\0';
        if (state < 0 || state >= DAS_APPROVAL_STATES)
            state = DAS_APPROVAL_UNKNOWN;
        out[count++].state = (enum das_approval_state)state;
    }
    if (st)
        sqlite3_reset(st);
    return rc < 0 ? -1 : (int)count;
}

int das_approval_list(struct das_store *s, bool open, struct das_approval_key *out, size_t n,
                      struct das_err *err)
{
    if (s->format < DAS_FORMAT_APPROVAL)
        return 0;
    return read_keys(s, das_ask(s, err, open ? DAS_Q_APPROVAL_OPEN : DAS_Q_APPROVAL_ALL, ""), out,
                     n, err);
}

int das_approval_silent(struct das_store *s, struct das_approval_key *out, size_t n,
                        struct das_err *err)
{
    return read_keys(s, das_ask(s, err, DAS_Q_APPROVAL_SILENT, ""), out, n, err);
}

int das_approval_pending(struct das_store *s, int64_t now_ms, struct das_approval_key *out,
                         size_t n, struct das_err *err)
{
    if (s->format < DAS_FORMAT_APPROVAL)
        return 0;
    return read_keys(s, das_ask(s, err, DAS_Q_APPROVAL_PENDING, "i", now_ms), out, n, err);
}

int das_approval_count(struct das_store *s, int64_t *waiting, int64_t *approved,
                       struct das_err *err)
{
    sqlite3_stmt *st;
    int rc;

    *waiting = *approved = 0;
    if (s->format < DAS_FORMAT_APPROVAL)
        return 0;
    st = das_ask(s, err, DAS_Q_APPROVAL_COUNT, "");
    rc = st ? das_step(s, st, err) : -1;
    if (rc <= 0)
        return rc;
    *waiting = sqlite3_column_int64(st, 0);
    *approved = sqlite3_column_int64(st, 1);
    sqlite3_reset(st);
    return 0;
}

/* --- what became of a plan -------------------------------------------------------------------- */

struct trace {
    int64_t apply;
    json_t *last; /* victim -> the word of its last outcome; after an intent "unknown" */
};

static int see(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    struct trace *t = arg;
    struct das_err err;
    json_t *o;
    const char *kind;
    char victim[24];

    (void)seq;
    (void)hash;
    if (!memmem(line.ptr, line.len, "\"victim\":", 9))
        return 0;
    o = das_json_parse(line.ptr, line.len, NULL, &err);
    kind = text_of(o, "kind");
    snprintf(victim, sizeof victim, "%lld", (long long)int_of(o, "victim"));
    if (o && int_of(o, "apply") == t->apply) {
        if (strcmp(kind, "intent") == 0)
            json_object_set_new(t->last, victim, json_string("unknown"));
        else if (strcmp(kind, "outcome") == 0)
            json_object_set_new(t->last, victim, json_string(text_of(o, "outcome")));
    }
    json_decref(o);
    return 0;
}

/* An intent that died with its run is closed by a record that names no victim. */
static void judge(const struct trace *t, struct das_approval_trace *out)
{
    json_t *counts = json_object(), *said, *n;
    const char *victim, *word;
    size_t used = 0;

    json_object_foreach(t->last, victim, said)
    {
        word = json_string_value(said);
        out->doubt |= strcmp(word, "unknown") == 0;
        out->settled++;
        json_object_set_new(counts, word, json_integer(int_of(counts, word) + 1));
    }
    json_object_foreach(counts, word, n)
    {
        if (used < sizeof out->words)
            used += (size_t)snprintf(out->words + used, sizeof out->words - used, "%s%s %lld",
                                     used ? ", " : "", word, (long long)json_integer_value(n));
    }
    json_decref(counts);
}

int das_approval_trace(struct das_store *s, const char *plan_hash, struct das_approval_trace *out,
                       struct das_err *err)
{
    struct trace t = {0};
    int rc;

    memset(out, 0, sizeof *out);
    if (das_ask_int(s, &t.apply, err, DAS_Q_APPLIED_SEQ, "s", plan_hash) < 0)
        return -1;
    if (!t.apply)
        return 0;
    t.last = json_object();
    rc = t.last ? das_journal_each(s, t.apply, see, &t, err) : das_fail_nomem(err);
    if (rc == 0)
        judge(&t, out);
    json_decref(t.last);
    return rc < 0 ? -1 : 1;
}
