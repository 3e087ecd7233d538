/*
 * plan_file.c - a plan as a line of a file, and back (see plan.h). Works on bytes; opens nothing.
 *
 * What is read is built into a plan as if it were made anew, and that plan has to write the very
 * bytes that were read. So nothing in a file can be misread, left out, or be there unread.
 */
#include "core/plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/plan/plan_impl.h"
#include "core/session/filter_json.h"
#include "core/session/session_json.h"

#define SUFFIX_BEGIN ",\"sha256\":\""
#define SUFFIX_END "\"}"
#define SUFFIX_LEN (sizeof SUFFIX_BEGIN - 1 + DAS_SHA256_HEX - 1 + sizeof SUFFIX_END - 1)

void das_plan_write(const struct das_plan *p, struct das_buf *b)
{
    das_plan_json(p, b);
    if (b->failed)
        return;
    b->len--; /* its last bracket comes after the hash */
    das_buf_printf(b, SUFFIX_BEGIN "%s" SUFFIX_END "\n", p->hash);
}

/* --- reading: values ------------------------------------------------------------------------- */

/* What is read on the way to a plan. */
struct reader {
    struct das_arena arena; /* bytes that stood there in hex */
    struct das_err *err;
};

static int missing(struct reader *r, const char *key, const char *expected)
{
    return das_fail(r->err, DAS_E_DATA, "%s: expected %s", key, expected);
}

/* Text as a C string: NULL for null. One with a NUL in it would be cut by whoever uses it. */
static int get_string(struct reader *r, const json_t *o, const char *key, bool may_be_null,
                      const char **out)
{
    char name[64];
    struct das_text t;
    char *copy;

    snprintf(name, sizeof name, "%s" DAS_PLAN_HEX, key);
    if (das_json_exact_text(json_object_get(o, key), json_object_get(o, name), key, &r->arena, &t,
                            r->err) < 0)
        return -1;
    *out = NULL;
    if (!t.ptr)
        return may_be_null ? 0 : missing(r, key, "text");
    if (memchr(t.ptr, '\0', t.len))
        return missing(r, key, "text without NUL bytes");
    copy = das_arena_alloc(&r->arena, t.len + 1);
    if (!copy)
        return das_fail_nomem(r->err);
    memcpy(copy, t.ptr, t.len);
    copy[t.len] = '\0';
    *out = copy;
    return 0;
}

static int get_int(struct reader *r, const json_t *o, const char *key, int64_t *out)
{
    const json_t *v = json_object_get(o, key);

    if (!json_is_integer(v))
        return missing(r, key, "a whole number");
    *out = json_integer_value(v);
    return 0;
}

static struct das_filter *get_filter(struct reader *r, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    struct das_filter *f = v ? das_filter_from_json(v, r->err) : NULL;

    if (!v)
        missing(r, key, "a filter");
    else if (!f)
        das_err_prefix(r->err, "%s", key);
    return f;
}

/* --- reading: victims ------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* A plan that names an id twice does not say which of the two it is about. */
static int check_ids(struct reader *r, const struct das_snapshot *snap)
{
    size_t n = das_snapshot_rows(snap);
    int64_t *ids = das_grow(NULL, n, sizeof *ids);
    int rc = 0;

    if (!ids)
        return das_fail_nomem(r->err);
    if (n)
        memcpy(ids, das_snapshot_ids(snap), n * sizeof *ids);
    qsort(ids, n, sizeof *ids, by_value);
    for (size_t i = 1; i < n && rc == 0; i++) {
        if (ids[i] == ids[i - 1])
            rc = das_fail(r->err, DAS_E_DATA, "victims: session %lld is there twice",
                          (long long)ids[i]);
    }
    das_free(ids);
    return rc;
}

static int read_victims(struct reader *r, const json_t *o, struct das_snapshot *snap)
{
    const json_t *list = json_object_get(o, "victims");
    struct das_session s;

    if (!json_is_array(list))
        return missing(r, "victims", "a list");
    if (json_array_size(list) > DAS_PLAN_VICTIMS_MAX)
        return das_fail(r->err, DAS_E_DATA, "victims: expected at most %d, got %zu",
                        DAS_PLAN_VICTIMS_MAX, json_array_size(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (das_session_json_read(json_array_get(list, i), &r->arena, &s, r->err) < 0) {
            das_err_prefix(r->err, "victims[%zu]", i + 1);
            return -1;
        }
        if (das_snapshot_add(snap, &s, r->err) < 0)
            return -1;
    }
    return check_ids(r, snap);
}

static struct das_snapshot *read_snapshot(struct reader *r, const json_t *o)
{
    struct das_snapshot *snap = das_snapshot_new(r->err);
    struct das_identity id = {.start_unix_s = DAS_UNKNOWN};
    const char *server;
    int64_t time = 0, spread = 0;

    if (!snap || get_string(r, o, "server", false, &server) < 0 ||
        get_int(r, o, "data_sync_time", &time) < 0)
        goto fail;
    if (strlen(server) >= sizeof id.server) {
        das_fail(r->err, DAS_E_DATA, "server: expected at most %zu bytes, got %zu",
                 sizeof id.server - 1, strlen(server));
        goto fail;
    }
    strcpy(id.server, server);
    if (json_object_get(o, "server_start") &&
        get_int(r, o, "server_start", &id.start_unix_s) < 0)
        goto fail;
    if (json_object_get(o, "data_sync_spread") && get_int(r, o, "data_sync_spread", &spread) < 0)
        goto fail;
    das_snapshot_set_identity(snap, &id);
    das_snapshot_set_time(snap, time);
    das_snapshot_set_spread(snap, spread);
    das_snapshot_set_partial(snap, true); /* the server had more sessions than the victims */
    if (read_victims(r, o, snap) < 0)
        goto fail;
    return snap;
fail:
    das_snapshot_release(snap);
    return NULL;
}

/* All of snap, as selected by filter: whether they matched was decided when the plan was made. */
static struct das_selection *select_all(struct das_snapshot *snap, struct das_filter *filter,
                                        struct das_err *err)
{
    const struct das_value yes = {.kind = DAS_V_BOOL, .boolean = true};
    struct das_filter *all = das_filter_new(err);
    struct das_selection *sel = NULL;

    if (all && das_filter_set(all, "all", &yes, err) == 0)
        sel = das_select(snap, all, err);
    if (sel) {
        das_filter_release(sel->filter);
        sel->filter = das_filter_retain(filter);
    }
    das_filter_release(all);
    return sel;
}

/* --- reading: the plan ----------------------------------------------------------------------- */

/* Who asked, and what the maker was held to. */
static int read_maker(struct reader *r, const json_t *o, struct das_asked *asked,
                      struct das_kill_limits *limits)
{
    const json_t *who = json_object_get(o, "asked"), *held = json_object_get(o, "limits");
    const json_t *percent = json_object_get(held, "percent");

    if (!json_is_object(who))
        return missing(r, "asked", "an object");
    if (!json_is_object(held))
        return missing(r, "limits", "an object");
    for (size_t i = 0; i < DAS_ASKED_COUNT; i++) {
        if (get_string(r, who, das_asked_names[i], true, das_asked_slot(asked, i)) < 0) {
            das_err_prefix(r->err, "asked");
            return -1;
        }
    }
    for (size_t i = 0; das_limit_name(i); i++) {
        if (get_int(r, held, das_limit_name(i), das_limit_slot(limits, i)) < 0) {
            das_err_prefix(r->err, "limits");
            return -1;
        }
    }
    if (!json_is_real(percent))
        return missing(r, "limits: percent", "a number with a point");
    limits->percent = json_real_value(percent);
    return 0;
}

/* What a plan may be told; its filters are the caller's to release. */
static int read_opts(struct reader *r, const json_t *o, struct das_plan_opts *opts)
{
    const char *kill;
    int mode;

    if (get_string(r, o, "kill", false, &kill) < 0 ||
        get_string(r, o, "reason", false, &opts->reason) < 0 ||
        get_int(r, o, "escalate_ms", &opts->escalate_ms) < 0)
        return -1;
    mode = das_mode_find(kill);
    if (mode < 0)
        return das_fail(r->err, DAS_E_DATA, "kill: expected auto, query, connection or soft");
    opts->mode = (enum das_kill_mode)mode;
    opts->trust_source = json_is_true(json_object_get(o, "trust_source"));
    if (json_object_get(o, "symptom"))
        return (opts->symptom = get_filter(r, o, "symptom")) ? 0 : -1;
    return 0;
}

static int read_birth(struct reader *r, const json_t *o, struct das_birth *b)
{
    if (get_int(r, o, "nonce", &b->nonce) < 0 || get_int(r, o, "created_ms", &b->created_ms) < 0 ||
        get_int(r, o, "expires_ms", &b->expires_ms) < 0)
        return -1;
    if (b->created_ms < 0 || b->expires_ms <= b->created_ms ||
        b->expires_ms - b->created_ms > (int64_t)DAS_PLAN_TTL_MAX * 1000)
        return das_fail(r->err, DAS_E_DATA,
                        "expires_ms: expected at most %d seconds after created_ms",
                        DAS_PLAN_TTL_MAX);
    return 0;
}

static struct das_plan *read_object(struct reader *r, const json_t *o)
{
    struct das_asked asked = {0};
    struct das_kill_limits limits = {0};
    struct das_plan_opts opts = {.asked = &asked, .limits = &limits};
    struct das_snapshot *snap = NULL;
    struct das_selection *sel = NULL;
    struct das_filter *filter = NULL;
    struct das_plan *p = NULL;
    const char *instance;
    struct das_birth birth = {0};
    int64_t version = 0;

    if (get_int(r, o, "version", &version) < 0)
        return NULL;
    if (version != DAS_PLAN_VERSION) {
        das_fail(r->err, DAS_E_DATA, "it is of version %lld; this das reads version %d",
                 (long long)version, DAS_PLAN_VERSION);
        return NULL;
    }
    if (get_string(r, o, "instance", false, &instance) < 0 || read_opts(r, o, &opts) < 0 ||
        read_maker(r, o, &asked, &limits) < 0 || read_birth(r, o, &birth) < 0)
        goto done;
    filter = get_filter(r, o, "filter");
    snap = filter ? read_snapshot(r, o) : NULL;
    sel = snap ? select_all(snap, filter, r->err) : NULL;
    if (sel)
        p = das_plan_build(sel, instance, &opts, &birth, r->err);
done:
    das_selection_free(sel);
    das_snapshot_release(snap);
    das_filter_release(filter);
    das_filter_release(opts.symptom);
    return p;
}

/* The plan of the line has to be, byte for byte, what das writes of it. */
static int check_same(const struct das_plan *p, struct das_text line, struct das_err *err)
{
    struct das_buf b = {0};
    size_t same = 0;
    int rc;

    das_plan_write(p, &b);
    rc = das_buf_ok(&b, err);
    if (rc == 0 && !das_text_eq(das_text(b.ptr, b.len - 1), line)) {
        while (same < line.len && same < b.len && b.ptr[same] == line.ptr[same])
            same++;
        rc = das_fail(err, DAS_E_DATA, "it says something that das does not write, at byte %zu",
                      same + 1);
    }
    das_buf_clear(&b);
    return rc;
}

/* The object before its hash, with its last bracket, in b. */
static int open_seal(struct das_text line, struct das_buf *b, struct das_err *err)
{
    const char *suffix, *end;
    char hex[DAS_SHA256_HEX];

    if (line.len > DAS_PLAN_LINE_MAX)
        return das_fail(err, DAS_E_DATA, "it is longer than %d bytes", DAS_PLAN_LINE_MAX);
    if (line.len <= SUFFIX_LEN)
        return das_fail(err, DAS_E_DATA, "it does not end in its hash");
    suffix = line.ptr + line.len - SUFFIX_LEN;
    end = line.ptr + line.len - (sizeof SUFFIX_END - 1);
    if (memcmp(suffix, SUFFIX_BEGIN, sizeof SUFFIX_BEGIN - 1) != 0 ||
        memcmp(end, SUFFIX_END, sizeof SUFFIX_END - 1) != 0)
        return das_fail(err, DAS_E_DATA, "it does not end in its hash");
    das_buf_add(b, line.ptr, line.len - SUFFIX_LEN);
    das_buf_char(b, '}');
    if (das_buf_ok(b, err) < 0 || das_sha256_hex(das_buf_view(b), hex, err) < 0)
        return -1;
    if (memcmp(suffix + sizeof SUFFIX_BEGIN - 1, hex, sizeof hex - 1) != 0)
        return das_fail(err, DAS_E_DATA, "it was changed: its hash is that of another text");
    return 0;
}

/* What parsing takes, at the most: some 5 KB a victim. A line of brackets would take far more. */
#define PARSE_MAX ((uint64_t)768 << 20)

struct das_plan *das_plan_read(struct das_text line, struct das_err *err)
{
    struct reader r = {.err = err};
    struct das_json_weight weight;
    struct das_buf text = {0};
    struct das_plan *p = NULL;
    json_t *o = NULL;

    das_arena_init(&r.arena);
    if (line.len && line.ptr[line.len - 1] == '\n')
        line.len--;
    if (open_seal(line, &text, err) < 0)
        goto done;
    das_json_weigh(das_buf_view(&text), SIZE_MAX, &weight);
    if (weight.bytes > PARSE_MAX) {
        das_fail(err, DAS_E_DATA, "it has too many parts");
        goto done;
    }
    o = das_json_parse(text.ptr, text.len, NULL, err);
    if (o)
        p = read_object(&r, o);
    if (p && check_same(p, line, err) < 0) {
        das_plan_release(p);
        p = NULL;
    }
done:
    if (!p && err->code != DAS_E_NOMEM) {
        err->code = DAS_E_DATA; /* options that no plan takes are no usage of ours */
        das_err_prefix(err, "not a plan that can be trusted");
    }
    json_decref(o);
    das_arena_clear(&r.arena);
    das_buf_clear(&text);
    return p;
}
