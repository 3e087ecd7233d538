/* access.c - see access.h: access keys and tokens, and signatures that were seen. */
#include "core/store/access.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/store/store_impl.h"

/* --- adding and revoking ---------------------------------------------------------------------- */

static void put_str(struct das_buf *b, const char *key, const char *s)
{
    if (s && *s)
        das_json_key_text(b, key, das_text_of(s));
}

/* What a: created, else revoked. Never its secret. */
static int record(struct das_store *s, const char *id, const struct das_access *a, const char *by,
                  struct das_err *err)
{
    struct das_record r = {.kind = "access"};
    struct das_buf b = {0};
    int rc;

    das_buf_str(&b, "\"access\":");
    das_json_str(&b, id);
    put_str(&b, "event", a ? "created" : "revoked");
    if (a) {
        put_str(&b, "type", a->kind == DAS_ACCESS_KEY ? "key" : "token");
        put_str(&b, "name", a->name);
        put_str(&b, "actions", a->actions);
        put_str(&b, "instances", a->instances);
        if (a->expires_ms)
            das_json_key_int(&b, "expires_ms", a->expires_ms);
    }
    put_str(&b, "by", by);
    rc = das_buf_ok(&b, err);
    r.members = das_buf_view(&b);
    if (rc == 0)
        rc = das_journal_append(s, &r, err);
    das_buf_clear(&b);
    return rc;
}

static int has(struct das_store *s, const char *id, int64_t *found, struct das_err *err)
{
    return das_ask_int(s, found, err, DAS_Q_ACCESS_HAS, "s", id);
}

static int add(struct das_store *s, const struct das_access *a, const char *by, struct das_err *err)
{
    int64_t found;

    if (has(s, a->id, &found, err) < 0)
        return -1;
    if (found)
        return das_fail(err, DAS_E_USAGE, "%s: there is an access key or token of that id", a->id);
    if (das_do(s, err, DAS_Q_ACCESS_ADD, "sisssiiib", a->id, (int64_t)a->kind, a->name, a->actions,
               a->instances, a->created_ms, a->expires_ms, a->revoked_ms, a->secret) < 0)
        return -1;
    return record(s, a->id, a, by, err);
}

static bool ends(const char *p, size_t size)
{
    return memchr(p, '\0', size) != NULL;
}

int das_access_add(struct das_store *s, const struct das_access *a, const char *by,
                   struct das_err *err)
{
    if (!ends(a->id, sizeof a->id) || !ends(a->name, sizeof a->name) ||
        !ends(a->actions, sizeof a->actions) || !ends(a->instances, sizeof a->instances) ||
        (unsigned)a->kind > DAS_ACCESS_TOKEN || !*a->id || !a->secret.len)
        return das_fail(err, DAS_E_INTERNAL, "an access key or token that is not filled");
    if (das_begin(s, err) < 0)
        return -1;
    return das_end(s, add(s, a, by, err), err);
}

static int revoke(struct das_store *s, const char *id, const char *by, struct das_err *err)
{
    int64_t found;
    int changed;

    if (has(s, id, &found, err) < 0)
        return -1;
    if (!found)
        return das_fail(err, DAS_E_USAGE, "%.100s: no access key or token has that id", id);
    changed = das_do(s, err, DAS_Q_ACCESS_REVOKE, "si", id, das_clock_unix_ms());
    if (changed < 0)
        return -1;
    if (!changed)
        return das_fail(err, DAS_E_USAGE, "%.100s: it was revoked before", id);
    return record(s, id, NULL, by, err);
}

int das_access_revoke(struct das_store *s, const char *id, const char *by, struct das_err *err)
{
    if (das_begin(s, err) < 0)
        return -1;
    return das_end(s, revoke(s, id, by, err), err);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool copy(char *to, size_t size, struct das_text from)
{
    if (from.len >= size || memchr(from.ptr, '\0', from.len))
        return false;
    memcpy(to, from.ptr, from.len);
    to[from.len] = '\0';
    return true;
}

static int read_row(const struct das_store *s, sqlite3_stmt *st, struct das_access *a,
                    struct das_err *err)
{
    int64_t kind = sqlite3_column_int64(st, 1);

    if (!copy(a->id, sizeof a->id, das_column(st, 0)) ||
        !copy(a->name, sizeof a->name, das_column(st, 2)) ||
        !copy(a->actions, sizeof a->actions, das_column(st, 3)) ||
        !copy(a->instances, sizeof a->instances, das_column(st, 4)) || kind < DAS_ACCESS_KEY ||
        kind > DAS_ACCESS_TOKEN)
        return das_fail(err, DAS_E_STORE, "%s: an access key or token that is none of das",
                        s->path);
    a->kind = (enum das_access_kind)kind;
    a->created_ms = sqlite3_column_int64(st, 5);
    a->expires_ms = sqlite3_column_int64(st, 6);
    a->revoked_ms = sqlite3_column_int64(st, 7);
    a->secret = das_column(st, 8);
    return 0;
}

int das_access_each(struct das_store *s, das_access_fn *fn, void *arg, struct das_err *err)
{
    struct das_access a;
    sqlite3_stmt *st;
    int rc;

    if (s->format < DAS_FORMAT_SERVE)
        return 0;
    st = das_ask(s, err, DAS_Q_ACCESS_ALL, "");
    rc = st ? 0 : -1;
    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        rc = read_row(s, st, &a, err);
        if (rc == 0)
            rc = fn(arg, &a);
        if (rc)
            sqlite3_reset(st);
    }
    return rc;
}

int das_store_version(struct das_store *s, int64_t *out, struct das_err *err)
{
    return das_ask_int(s, out, err, DAS_Q_VERSION, "");
}

/* --- signatures ------------------------------------------------------------------------------- */

int das_seen_note(struct das_store *s, struct das_text signature, int64_t until_ms, int64_t now_ms,
                  struct das_err *err)
{
    int rc = -1;

    if (das_begin(s, err) < 0)
        return -1;
    if (das_do(s, err, DAS_Q_SEEN_PURGE, "i", now_ms) >= 0)
        rc = das_do(s, err, DAS_Q_SEEN_ADD, "bi", signature, until_ms);
    return das_end(s, rc < 0 ? -1 : 0, err) < 0 ? -1 : rc > 0;
}
