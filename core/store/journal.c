/* journal.c - see journal.h: the bytes of a record, adding, reading. */
#include "core/store/journal.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/json.h"
#include "core/store/store_impl.h"

static const char no_hash[] = "0000000000000000000000000000000000000000000000000000000000000000";

/* --- the bytes -------------------------------------------------------------------------------- */

static bool eat(struct das_text *t, const char *literal, size_t len)
{
    if (t->len < len || memcmp(t->ptr, literal, len) != 0)
        return false;
    t->ptr += len;
    t->len -= len;
    return true;
}

#define EAT(t, literal) eat(t, literal, sizeof(literal) - 1)

/* A number as das_buf_int() writes it; from 0 up. */
static bool eat_int(struct das_text *t, int64_t *out)
{
    int64_t v = 0;
    size_t n = 0;

    while (n < t->len && n < 18 && das_is_digit((unsigned char)t->ptr[n]))
        v = v * 10 + (t->ptr[n++] - '0');
    if (n == 0 || (n > 1 && t->ptr[0] == '0'))
        return false;
    t->ptr += n;
    t->len -= n;
    *out = v;
    return true;
}

/* Plain characters up to a quote. */
static bool eat_word(struct das_text *t, size_t len, struct das_text *out)
{
    size_t n = 0;

    while (n < t->len && (das_is_digit((unsigned char)t->ptr[n]) ||
                          (t->ptr[n] >= 'a' && t->ptr[n] <= 'z') || t->ptr[n] == '_'))
        n++;
    *out = das_text(t->ptr, n);
    t->ptr += n;
    t->len -= n;
    return n > 0 && (!len || n == len) && EAT(t, "\"");
}

/* The first members of those kinds that mean something to the other records. */
static bool parse_kind(struct das_text t, struct das_parts *out)
{
    if (das_text_is(out->kind, "outcome")) {
        if (!EAT(&t, ",\"intent\":") || !eat_int(&t, &out->intent) || !EAT(&t, ",\"outcome\":\"") ||
            !eat_word(&t, 0, &out->outcome))
            return false;
        out->unknown = das_text_is(out->outcome, "unknown");
    } else if (das_text_is(out->kind, "acknowledged")) {
        if (!EAT(&t, ",\"intent\":") || !eat_int(&t, &out->intent))
            return false;
    } else if (das_text_is(out->kind, "apply")) {
        if (!EAT(&t, ",\"plan\":\"") || !eat_word(&t, DAS_SHA256_HEX - 1, &out->plan))
            return false;
    }
    return t.len > 0 && (*t.ptr == ',' || *t.ptr == '}');
}

bool das_record_parse(struct das_text line, struct das_parts *out)
{
    struct das_text t = line;

    *out = (struct das_parts){0};
    return EAT(&t, "{\"seq\":") && eat_int(&t, &out->seq) && EAT(&t, ",\"prev\":\"") &&
           eat_word(&t, DAS_SHA256_HEX - 1, &out->prev) && EAT(&t, ",\"time_ms\":") &&
           eat_int(&t, &out->time_ms) && EAT(&t, ",\"run\":\"") &&
           eat_word(&t, DAS_RUN_ID_SIZE - 1, &out->run) && EAT(&t, ",\"kind\":\"") &&
           eat_word(&t, 0, &out->kind) && parse_kind(t, out);
}

static int write_line(const struct das_store *s, const struct das_head *head,
                      const struct das_record *r, struct das_buf *b, struct das_err *err)
{
    das_buf_printf(b,
                   "{\"seq\":%lld,\"prev\":\"%s\",\"time_ms\":%lld,\"run\":\"%s\",\"kind\":\"%s\"",
                   (long long)r->seq, head->hash, (long long)r->time_ms, s->run, r->kind);
    if (r->closes)
        das_buf_printf(b, ",\"intent\":%lld", (long long)r->closes);
    if (r->members.len) {
        das_buf_char(b, ',');
        das_buf_text(b, r->members);
    }
    das_buf_char(b, '}');
    return das_buf_ok(b, err);
}

/* A line that is no JSON, or means something else than it should, would be there for ever. */
static int check_line(const struct das_buf *b, const struct das_record *r, struct das_parts *parts,
                      struct das_err *err)
{
    json_t *value = das_json_parse(b->ptr, b->len, NULL, err);

    if (!value || memchr(b->ptr, '\n', b->len)) {
        json_decref(value);
        if (!value && err->code == DAS_E_NOMEM)
            return -1;
        return das_fail(err, DAS_E_STORE,
                        "journal: members of a record of kind \"%s\" that are no JSON in one line",
                        r->kind);
    }
    json_decref(value);
    if (!das_record_parse(das_buf_view(b), parts))
        return das_fail(err, DAS_E_STORE,
                        "journal: a record of kind \"%s\" does not begin as it should: an outcome"
                        " closes an intent and begins with \"outcome\":WORD, an apply with"
                        " \"plan\":HASH",
                        r->kind);
    if (r->closes && (r->closes < 0 || !das_text_is(parts->kind, "outcome")))
        return das_fail(err, DAS_E_STORE, "journal: only an outcome can close an intent");
    return 0;
}

/* --- adding ----------------------------------------------------------------------------------- */

/* A change that has to hit exactly one row. */
static int one(int changed, const struct das_store *s, const char *what, int64_t id,
               struct das_err *err)
{
    if (changed == 1)
        return 0;
    return changed < 0 ? -1
                       : das_fail(err, DAS_E_STORE, "%s: %lld is %s", s->path, (long long)id, what);
}

/* Asked inside the transaction: of two processes that apply a plan at once, one is too late. */
static int derive_apply(struct das_store *s, const struct das_record *r, const struct das_parts *p,
                        struct das_err *err)
{
    int64_t found;

    if (das_ask_int(s, &found, err, DAS_Q_APPLIED_HAS, "t", p->plan) < 0)
        return -1;
    if (found)
        return das_fail(err, DAS_E_BLOCKED, "this plan was applied before: a plan is applied once");
    return das_do(s, err, DAS_Q_APPLIED_ADD, "it", r->seq, p->plan) < 0 ? -1 : 0;
}

/* Keeps the tables as the records say. */
static int derive(struct das_store *s, const struct das_record *r, const struct das_parts *p,
                  struct das_err *err)
{
    if (das_text_is(p->kind, "intent"))
        return das_do(s, err, DAS_Q_OPEN_ADD, "is", r->seq, s->run) < 0 ? -1 : 0;
    if (das_text_is(p->kind, "apply"))
        return derive_apply(s, r, p, err);
    if (das_text_is(p->kind, "acknowledged"))
        return one(das_do(s, err, DAS_Q_UNKNOWN_DROP, "i", p->intent), s, "no unknown kill",
                   p->intent, err);
    if (!das_text_is(p->kind, "outcome"))
        return 0;
    if (one(das_do(s, err, DAS_Q_OPEN_DROP, "i", p->intent), s, "no open intent", p->intent, err) <
        0)
        return -1;
    return p->unknown && das_do(s, err, DAS_Q_UNKNOWN_ADD, "i", p->intent) < 0 ? -1 : 0;
}

int das_journal_head(struct das_store *s, struct das_head *out, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_HEAD, "");
    int rc = st ? das_step(s, st, err) : -1;

    out->seq = 0;
    memcpy(out->hash, no_hash, sizeof no_hash);
    if (rc <= 0)
        return rc;
    rc = 0;
    if (sqlite3_column_bytes(st, 1) != DAS_SHA256_HEX - 1) {
        rc = das_fail(err, DAS_E_STORE, "%s: the last record has no hash; das audit verify",
                      s->path);
    } else {
        out->seq = sqlite3_column_int64(st, 0);
        memcpy(out->hash, das_column(st, 1).ptr, DAS_SHA256_HEX - 1);
    }
    sqlite3_reset(st);
    return rc;
}

static int spend(struct das_store *s, int64_t reservation, int64_t at_ms, struct das_err *err)
{
    return one(das_do(s, err, DAS_Q_SPEND, "isi", reservation, s->run, at_ms), s,
               "no reservation of this run that is left", reservation, err);
}

int das_journal_append(struct das_store *s, struct das_record *r, struct das_err *err)
{
    struct das_parts parts;
    struct das_buf line = {0};
    struct das_head head;
    char hash[DAS_SHA256_HEX];
    int rc = -1;

    if (das_journal_head(s, &head, err) < 0)
        return -1;
    r->seq = head.seq + 1;
    r->time_ms = das_clock_unix_ms();
    if (write_line(s, &head, r, &line, err) < 0 || check_line(&line, r, &parts, err) < 0 ||
        das_sha256_hex(das_buf_view(&line), hash, err) < 0 ||
        das_do(s, err, DAS_Q_APPEND, "its", r->seq, das_buf_view(&line), hash) < 0 ||
        derive(s, r, &parts, err) < 0)
        goto done;
    rc = r->spends ? spend(s, r->spends, r->time_ms, err) : 0;
    for (size_t i = 0; i < r->claim_count && rc == 0; i++)
        rc = spend(s, r->claims[i].id, r->time_ms, err);
done:
    das_buf_clear(&line);
    return rc;
}

int das_journal_add(struct das_store *s, struct das_record *records, size_t n, struct das_err *err)
{
    int rc = das_begin(s, err);

    if (rc < 0)
        return -1;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = das_journal_append(s, &records[i], err);
    if (rc == 0)
        DAS_FAULT("journal-before-commit");
    rc = das_end(s, rc, err);
    if (rc == 0)
        DAS_FAULT("journal-after-commit");
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

int das_journal_each(struct das_store *s, int64_t first, das_journal_fn *fn, void *arg,
                     struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_RECORDS, "i", first);
    char hash[DAS_SHA256_HEX];
    int rc = st ? 0 : -1;

    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        struct das_text h = das_column(st, 2);
        snprintf(hash, sizeof hash, "%.*s", (int)(h.len < sizeof hash ? h.len : 0), h.ptr);
        rc = fn(arg, sqlite3_column_int64(st, 0), das_column(st, 1), hash);
        if (rc)
            sqlite3_reset(st);
    }
    return rc;
}

int das_journal_applied(struct das_store *s, const char *plan_hash, struct das_err *err)
{
    int64_t found;

    return das_ask_int(s, &found, err, DAS_Q_APPLIED_HAS, "s", plan_hash) < 0 ? -1 : found != 0;
}

/* --- kills whose outcome nobody knows --------------------------------------------------------- */

/* Open intents of a run that died count, although no one has written that down yet. */
int64_t das_journal_unknown(struct das_store *s, int64_t *seqs, size_t n, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_DOUBTFUL, "");
    char run[64] = "";
    int64_t count = 0;
    int rc = st ? 0 : -1, dead = 1;

    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        struct das_text of = das_column(st, 1);
        if (!das_text_is(of, run)) {
            snprintf(run, sizeof run, "%.*s", (int)(of.len < 60 ? of.len : 60), of.ptr);
            dead = *run ? das_run_is_dead(s, run, NULL, err) : 1;
        }
        rc = dead < 0 ? -1 : 0;
        if (dead > 0) {
            if ((size_t)count < n)
                seqs[count] = sqlite3_column_int64(st, 0);
            count++;
        }
        if (rc < 0)
            sqlite3_reset(st);
    }
    return rc < 0 ? -1 : count;
}

static int acknowledge(struct das_store *s, int64_t intent, struct das_text members,
                       struct das_err *err)
{
    struct das_record r = {.kind = "acknowledged", .members = members};
    int64_t unknown;

    if (das_ask_int(s, &unknown, err, DAS_Q_UNKNOWN_HAS, "i", intent) < 0)
        return -1;
    if (!unknown)
        return das_fail(err, DAS_E_USAGE, "record %lld is no kill whose outcome is unknown",
                        (long long)intent);
    return das_journal_append(s, &r, err);
}

int das_journal_acknowledge(struct das_store *s, int64_t intent, const char *who,
                            const char *reason, struct das_err *err)
{
    struct das_buf members = {0};
    int rc = -1;

    if (!das_text_trim(das_text_of(reason)).len)
        return das_fail(err, DAS_E_USAGE, "a reason is needed: what became of it, who looked");
    das_buf_printf(&members, "\"intent\":%lld", (long long)intent);
    das_json_key_text(&members, "who", das_text_of(who));
    das_json_key_text(&members, "reason", das_text_of(reason));
    if (das_buf_ok(&members, err) == 0 && (s->read_only || das_run_recover(s, err) == 0) &&
        das_begin(s, err) == 0)
        rc = das_end(s, acknowledge(s, intent, das_buf_view(&members), err), err);
    das_buf_clear(&members);
    return rc;
}
