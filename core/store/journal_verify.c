/*
 * journal_verify.c - does the journal say what it said? Walks all records once and believes only
 * their bytes: the columns and tables beside them have to agree.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/store/store_impl.h"

/* An intent that still matters: neither closed nor acknowledged. */
struct pending {
    int64_t seq;
    char run[DAS_RUN_ID_SIZE];
    enum { OPEN, UNKNOWN, DONE } state;
};

struct walk {
    struct das_store *s;
    const struct das_head *anchor;
    struct das_err *err;
    EVP_MD *sha256;
    EVP_MD_CTX *ctx;
    sqlite3_stmt *applied;   /* goes along: one row for each "apply" */
    struct das_head head;    /* of the record before */
    struct pending *pending; /* by seq */
    size_t count, room, done;
};

/* --- pending intents -------------------------------------------------------------------------- */

static struct pending *find(const struct walk *w, int64_t seq)
{
    size_t low = 0, high = w->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (w->pending[mid].seq < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low < w->count && w->pending[low].seq == seq ? &w->pending[low] : NULL;
}

/* Forgets what is done, when that is the most of it. */
static void compact(struct walk *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->count; i++) {
        if (w->pending[i].state != DONE)
            w->pending[n++] = w->pending[i];
    }
    w->count = n;
    w->done = 0;
}

static int add_pending(struct walk *w, const struct das_parts *p)
{
    struct pending *to;

    if (w->done > 64 && w->done > w->count / 2)
        compact(w);
    if (w->count == w->room) {
        size_t room = w->room ? 2 * w->room : 256;
        to = das_grow(w->pending, room, sizeof *to);
        if (!to)
            return das_fail_nomem(w->err);
        w->pending = to;
        w->room = room;
    }
    to = &w->pending[w->count++];
    to->seq = p->seq;
    to->state = OPEN;
    memcpy(to->run, p->run.ptr, sizeof to->run - 1);
    to->run[sizeof to->run - 1] = '\0';
    return 0;
}

/* --- one record ------------------------------------------------------------------------------- */

static int wrong(struct walk *w, int64_t seq, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int wrong(struct walk *w, int64_t seq, const char *fmt, ...)
{
    char what[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return das_fail(w->err, DAS_E_DATA, "record %lld%s", (long long)seq, what);
}

static int hash_line(struct walk *w, struct das_text line, char out[DAS_SHA256_HEX])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (!EVP_DigestInit_ex(w->ctx, w->sha256, NULL) ||
        !EVP_DigestUpdate(w->ctx, line.ptr, line.len) || !EVP_DigestFinal_ex(w->ctx, md, &len))
        return das_fail(w->err, DAS_E_INTERNAL, "SHA-256 is not available in OpenSSL");
    for (size_t i = 0; i < (DAS_SHA256_HEX - 1) / 2; i++) {
        out[2 * i] = hex[md[i] >> 4];
        out[2 * i + 1] = hex[md[i] & 15];
    }
    out[DAS_SHA256_HEX - 1] = '\0';
    return 0;
}

/* Is it in its place, and as it was? */
static int check_link(struct walk *w, int64_t seq, struct das_text line, struct das_text stored,
                      struct das_parts *p)
{
    int64_t expected = w->head.seq + 1;
    struct das_head next = {.seq = seq};

    if (seq < expected)
        return wrong(w, seq, ": there is no such place in a journal");
    if (seq > expected)
        return wrong(w, expected, " is missing");
    if (hash_line(w, line, next.hash) < 0)
        return -1;
    if (!das_text_is(stored, next.hash))
        return wrong(w, seq, ": its bytes or its hash were changed");
    if (!das_record_parse(line, p))
        return wrong(w, seq, ": these are not the bytes of a record");
    if (p->seq != seq)
        return wrong(w, seq, ": its bytes are those of record %lld", (long long)p->seq);
    if (!das_text_is(p->prev, w->head.hash))
        return wrong(w, seq,
                     ": it does not follow record %lld: one of them was changed or put there",
                     (long long)w->head.seq);
    if (w->anchor && w->anchor->seq == seq && strcmp(w->anchor->hash, next.hash) != 0)
        return wrong(w, seq,
                     ": its hash is %s, not that of the head: the journal was rewritten, or it is"
                     " another one",
                     next.hash);
    w->head = next;
    return 0;
}

static int check_applied(struct walk *w, const struct das_parts *p)
{
    int rc = das_step(w->s, w->applied, w->err);

    if (rc > 0 && sqlite3_column_int64(w->applied, 0) == p->seq &&
        das_text_eq(das_column(w->applied, 1), p->plan))
        return 0;
    return rc < 0 ? -1 : wrong(w, p->seq, ": the table of applied plans does not have its plan");
}

/* What the record says about intents. */
static int follow(struct walk *w, const struct das_parts *p)
{
    struct pending *of;
    bool outcome = das_text_is(p->kind, "outcome");

    if ((p->seq == 1) != das_text_is(p->kind, "begin"))
        return wrong(w, p->seq, ": a journal has its beginning there and nowhere else");
    if (das_text_is(p->kind, "intent"))
        return add_pending(w, p);
    if (das_text_is(p->kind, "apply"))
        return check_applied(w, p);
    if (!outcome && !das_text_is(p->kind, "acknowledged"))
        return 0;
    of = find(w, p->intent);
    if (!of || of->state != (outcome ? OPEN : UNKNOWN))
        return wrong(w, p->seq, ": record %lld is no intent that is %s", (long long)p->intent,
                     outcome ? "open" : "unknown");
    of->state = p->unknown ? UNKNOWN : DONE;
    w->done += of->state == DONE;
    return 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

/* Damage that SQLite finds is a finding, too. */
static int unreadable(struct walk *w)
{
    int code = sqlite3_errcode(w->s->db) & 0xff;

    if (code != SQLITE_CORRUPT && code != SQLITE_NOTADB)
        return -1;
    return wrong(w, w->head.seq + 1, " cannot be read: %s", sqlite3_errmsg(w->s->db));
}

static int walk_records(struct walk *w)
{
    sqlite3_stmt *st = das_ask(w->s, w->err, DAS_Q_RECORDS, "i", INT64_MIN);
    struct das_parts parts;
    int rc = st ? 0 : -1;

    while (rc == 0 && (rc = das_step(w->s, st, w->err)) > 0) {
        rc = check_link(w, sqlite3_column_int64(st, 0), das_column(st, 1), das_column(st, 2),
                        &parts);
        if (rc == 0)
            rc = follow(w, &parts);
        if (rc < 0)
            sqlite3_reset(st);
    }
    if (rc < 0)
        return w->err->code == DAS_E_STORE ? unreadable(w) : -1;
    if (w->head.seq == 0)
        return wrong(w, 1, " is missing: the journal is empty");
    if (w->anchor && w->anchor->seq > w->head.seq)
        return wrong(w, w->head.seq + 1, " is missing: the head was record %lld",
                     (long long)w->anchor->seq);
    return 0;
}

/* The rows of a table against the pending intents in one state. */
static int compare(struct walk *w, enum das_query q, int state, const char *what)
{
    sqlite3_stmt *st = das_ask(w->s, w->err, q, "");
    size_t i = 0;
    int rc = st ? 0 : -1;

    while (rc == 0 && (rc = das_step(w->s, st, w->err)) > 0) {
        int64_t seq = sqlite3_column_int64(st, 0);
        while (i < w->count && (int)w->pending[i].state != state)
            i++;
        if (i == w->count || seq < w->pending[i].seq)
            rc = wrong(w, seq, ": is held to be an %s intent, and is none", what);
        else if (seq > w->pending[i].seq)
            rc = wrong(w, w->pending[i].seq, ": an %s intent that is not held to be one", what);
        else if (state == OPEN && !das_text_is(das_column(st, 1), w->pending[i].run))
            rc = wrong(w, seq, ": an open intent that is held to be of another run");
        else
            rc = 0;
        i++;
        if (rc < 0)
            sqlite3_reset(st);
    }
    for (; rc == 0 && i < w->count; i++) {
        if ((int)w->pending[i].state == state)
            rc = wrong(w, w->pending[i].seq, ": an %s intent that is not held to be one", what);
    }
    return rc;
}

static int check_rest(struct walk *w)
{
    int rc = das_step(w->s, w->applied, w->err);

    if (rc > 0)
        return wrong(w, sqlite3_column_int64(w->applied, 0),
                     ": is held to have applied a plan, and has not");
    if (rc < 0 || compare(w, DAS_Q_OPEN_ALL, OPEN, "open") < 0)
        return -1;
    return compare(w, DAS_Q_UNKNOWN_ALL, UNKNOWN, "unknown");
}

int das_journal_verify(struct das_store *s, const struct das_head *anchor, struct das_head *out,
                       struct das_err *err)
{
    struct walk w = {.s = s, .anchor = anchor, .err = err};
    struct das_err ignored;
    int rc = -1;

    memset(w.head.hash, '0', sizeof w.head.hash - 1);
    w.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    w.ctx = EVP_MD_CTX_new();
    if (anchor && anchor->seq < 1) {
        das_fail(err, DAS_E_USAGE, "a head is a record from 1 on, got %lld",
                 (long long)anchor->seq);
    } else if (!w.sha256 || !w.ctx) {
        das_fail(err, DAS_E_INTERNAL, "SHA-256 is not available in OpenSSL");
    } else if (das_begin_read(s, err) == 0) {
        w.applied = das_ask(s, err, DAS_Q_APPLIED_ALL, "");
        rc = w.applied ? walk_records(&w) : -1;
        if (rc == 0)
            rc = check_rest(&w);
        sqlite3_reset(w.applied);
        das_end(s, -1, &ignored);
    }
    *out = w.head;
    EVP_MD_free(w.sha256);
    EVP_MD_CTX_free(w.ctx);
    das_free(w.pending);
    return rc;
}
