/*
 * filter.c - building, checking, composing and printing filters (see filter.h).
 *
 * All input that names a criterion - Lua tables, command line options, JSON bodies - comes through
 * das_filter_set(), so that each mistake has one wording.
 */
#include "core/session/filter_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

const char *const das_key_names[DAS_K_COUNT] = {
    "user", "host", "db",       "command",       "time",          "info",      "state",
    "id",   "trx_time", "rows_modified", "task_duration", "task_type", "all",
};

enum key_type { TEXT, NUMBER, IDS, FLAG };

static const struct {
    enum key_type type;
    int64_t min, max; /* NUMBER */
    const char *expects;
} keys[DAS_K_COUNT] = {
    [DAS_K_USER] = {TEXT, 0, 0, "a string"},
    [DAS_K_HOST] = {TEXT, 0, 0, "a string"},
    [DAS_K_DB] = {TEXT, 0, 0, "a string"},
    [DAS_K_COMMAND] = {TEXT, 0, 0, "a command name such as \"Query\""},
    [DAS_K_TIME] = {NUMBER, 0, DAS_TIME_MAX, "whole seconds or a duration such as \"5m\""},
    [DAS_K_INFO] = {TEXT, 0, 0, "keywords such as \"select~from\""},
    [DAS_K_STATE] = {TEXT, 0, 0, "a string"},
    [DAS_K_ID] = {IDS, 0, 0, "a session id or a list of ids"},
    [DAS_K_TRX_TIME] = {NUMBER, 0, DAS_TIME_MAX, "whole seconds or a duration such as \"5m\""},
    [DAS_K_ROWS_MODIFIED] = {NUMBER, 0, INT64_MAX, "a whole number"},
    [DAS_K_TASK_DURATION] = {NUMBER, DAS_TASK_DURATION_MIN, DAS_TASK_DURATION_MAX,
                             "seconds or a duration such as \"10m\""},
    [DAS_K_TASK_TYPE] = {TEXT, 0, 0, "\"auto\" or \"manual\""},
    [DAS_K_ALL] = {FLAG, 0, 0, "true or false"},
};

const char *das_key_name(enum das_key k)
{
    return das_key_names[k];
}

struct das_filter *das_filter_new(struct das_err *err)
{
    struct das_filter *f = das_calloc(1, sizeof *f);

    if (!f) {
        das_fail_nomem(err);
        return NULL;
    }
    atomic_init(&f->refs, 1);
    f->op = DAS_FILTER_TABLE;
    f->parts = 1;
    return f;
}

struct das_filter *das_filter_retain(struct das_filter *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void das_filter_release(struct das_filter *f)
{
    if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
        return;
    das_filter_release(f->left);
    das_filter_release(f->right);
    for (int k = 0; k < DAS_K_COUNT; k++)
        das_free(f->text[k]);
    das_free(f->ids);
    das_pattern_clear(&f->user);
    das_pattern_clear(&f->host);
    das_pattern_clear(&f->host_rest);
    das_pattern_clear(&f->db);
    das_pattern_clear(&f->state);
    das_keywords_clear(&f->info);
    das_free(f);
}

static struct das_filter *compose(enum das_filter_op op, struct das_filter *a,
                                  struct das_filter *b, struct das_err *err)
{
    struct das_filter *f = das_filter_new(err);

    if (!f)
        return NULL;
    f->depth = 1 + (b && b->depth > a->depth ? b->depth : a->depth);
    if (f->depth > DAS_FILTER_DEPTH_MAX) { /* all that walks a filter is recursive */
        das_fail(err, DAS_E_USAGE, "a filter nests more than %d deep", DAS_FILTER_DEPTH_MAX);
        das_filter_release(f);
        return NULL;
    }
    f->parts = 1 + a->parts + (b ? b->parts : 0);
    if (f->parts > DAS_FILTER_PARTS_MAX) { /* f | f | ... is small to hold and huge to walk */
        das_fail(err, DAS_E_USAGE, "a filter has more than %d parts", DAS_FILTER_PARTS_MAX);
        das_filter_release(f);
        return NULL;
    }
    f->op = op;
    f->left = das_filter_retain(a);
    f->right = b ? das_filter_retain(b) : NULL;
    return f;
}

struct das_filter *das_filter_and(struct das_filter *a, struct das_filter *b, struct das_err *err)
{
    return compose(DAS_FILTER_AND, a, b, err);
}

struct das_filter *das_filter_or(struct das_filter *a, struct das_filter *b, struct das_err *err)
{
    return compose(DAS_FILTER_OR, a, b, err);
}

struct das_filter *das_filter_not(struct das_filter *a, struct das_err *err)
{
    return compose(DAS_FILTER_NOT, a, NULL, err);
}

/* --- setting one key ------------------------------------------------------------------------ */

static int unknown_key(const char *key, struct das_err *err)
{
    /* what people know from other tools and from the answer's side of the API */
    static const struct {
        const char *wrong, *right;
    } known[] = {
        {"sql_info", "info"},   {"sql", "info"},       {"query", "info"},
        {"state_duration", "time"}, {"duration", "time"}, {"database", "db"},
        {"ip", "host"},         {"address", "host"},   {"trx_age", "trx_time"},
    };
    const char *near = NULL;

    for (size_t i = 0; i < sizeof known / sizeof *known && !near; i++) {
        if (strcmp(key, known[i].wrong) == 0)
            near = known[i].right;
    }
    if (!near)
        near = das_nearest(key, das_key_names, DAS_K_COUNT);
    if (near)
        return das_fail(err, DAS_E_USAGE, "unknown filter key \"%s\"; did you mean \"%s\"?", key,
                        near);
    return das_fail(err, DAS_E_USAGE,
                    "unknown filter key \"%s\"; expected user, host, db, command, time, info, "
                    "state, id, trx_time, rows_modified, task_duration, task_type or all",
                    key);
}

static int wrong_type(enum das_key k, const struct das_value *v, struct das_err *err)
{
    static const char *const names[] = {
        [DAS_V_BOOL] = "a boolean", [DAS_V_INT] = "a number",  [DAS_V_NUMBER] = "a number",
        [DAS_V_TEXT] = "a string",  [DAS_V_INTS] = "a list",
    };

    return das_fail(err, DAS_E_USAGE, "%s: expected %s, got %s", das_key_names[k], keys[k].expects,
                    v->kind == DAS_V_OTHER ? v->type_name : names[v->kind]);
}

static bool whole_number(const struct das_value *v, int64_t *out)
{
    if (v->kind == DAS_V_INT) {
        *out = v->integer;
        return true;
    }
    if (v->kind != DAS_V_NUMBER || !(fabs(v->number) < 9e15) || v->number != floor(v->number))
        return false;
    *out = (int64_t)v->number;
    return true;
}

static int set_number(struct das_filter *f, enum das_key k, const struct das_value *v,
                      struct das_err *err)
{
    int64_t n = 0;
    bool good = v->kind == DAS_V_TEXT
                    ? (k == DAS_K_ROWS_MODIFIED ? das_parse_int(v->text, &n)
                                                : das_parse_duration(v->text, &n))
                    : whole_number(v, &n);

    if (v->kind == DAS_V_TEXT && !good)
        return das_fail(err, DAS_E_USAGE, "%s: expected %s, got \"%.*s\"", das_key_names[k],
                        keys[k].expects, (int)(v->text.len < 60 ? v->text.len : 60), v->text.ptr);
    if (v->kind == DAS_V_NUMBER && !good)
        return das_fail(err, DAS_E_USAGE, "%s: expected %s, got %g", das_key_names[k],
                        keys[k].expects, v->number);
    if (!good)
        return wrong_type(k, v, err);
    if (n < keys[k].min || n > keys[k].max)
        return das_fail(err, DAS_E_USAGE, "%s: expected %lld to %lld, got %lld", das_key_names[k],
                        (long long)keys[k].min, (long long)keys[k].max, (long long)n);
    f->number[k] = n;
    f->set[k] = true;
    return 0;
}

static int check_command(struct das_text t, struct das_err *err)
{
    char word[64];
    const char *near;

    for (size_t i = 0; i < das_command_count; i++) {
        if (das_text_iis(t, das_command_names[i]))
            return 0;
    }
    if (t.len >= sizeof word)
        return das_fail(err, DAS_E_USAGE, "command: no source knows a name of %zu bytes", t.len);
    memcpy(word, t.ptr, t.len);
    word[t.len] = '\0';
    near = das_nearest(word, das_command_names, das_command_count);
    if (near)
        return das_fail(err, DAS_E_USAGE, "command: no source knows \"%s\"; did you mean \"%s\"?",
                        word, near);
    return das_fail(err, DAS_E_USAGE,
                    "command: no source knows \"%s\"; expected a name such as \"Query\" or "
                    "\"Sleep\"",
                    word);
}

/* The old pattern stays when the new one cannot be made. */
static int compile_pattern(struct das_pattern *to, struct das_text t, bool any_case,
                           struct das_err *err)
{
    struct das_pattern made;

    if (das_pattern_init(&made, t, any_case, err) < 0)
        return -1;
    das_pattern_clear(to);
    *to = made;
    return 0;
}

/* "[fe80::1]:33%": what is in the brackets is compared with the address and what follows with the
 * rest, so that no wildcard crosses the end of the address. */
static int compile_host(struct das_filter *f, struct das_text t, struct das_err *err)
{
    const char *close = t.len && t.ptr[0] == '[' ? memchr(t.ptr, ']', t.len) : NULL;
    struct das_text rest = DAS_TEXT_NULL;
    struct das_pattern made;

    if (close) {
        rest = das_text(close + 1, t.len - (size_t)(close + 1 - t.ptr));
        t = das_text(t.ptr + 1, (size_t)(close - t.ptr) - 1);
    }
    if (das_pattern_init(&made, rest, true, err) < 0)
        return -1;
    if (compile_pattern(&f->host, t, true, err) < 0) {
        das_pattern_clear(&made);
        return -1;
    }
    das_pattern_clear(&f->host_rest);
    f->host_rest = made;
    f->host_bracketed = close != NULL;
    return 0;
}

static int compile_info(struct das_filter *f, struct das_text t, struct das_err *err)
{
    struct das_keywords made;

    if (das_keywords_init(&made, t, err) < 0)
        return -1;
    das_keywords_clear(&f->info);
    f->info = made;
    return 0;
}

static int compile_text(struct das_filter *f, enum das_key k, struct das_text t,
                        struct das_err *err)
{
    switch (k) {
    case DAS_K_USER:
        return compile_pattern(&f->user, t, false, err);
    case DAS_K_DB:
        return compile_pattern(&f->db, t, false, err);
    case DAS_K_STATE:
        return compile_pattern(&f->state, t, true, err);
    case DAS_K_HOST:
        return compile_host(f, t, err);
    case DAS_K_INFO:
        return compile_info(f, t, err);
    case DAS_K_COMMAND:
        return check_command(t, err);
    case DAS_K_TASK_TYPE:
        if (das_text_is(t, "auto") || das_text_is(t, "manual"))
            return 0;
        return das_fail(err, DAS_E_USAGE, "task_type: expected \"auto\" or \"manual\", got \"%.*s\"",
                        (int)(t.len < 60 ? t.len : 60), t.ptr);
    default:
        return das_fail(err, DAS_E_INTERNAL, "%s is not text", das_key_names[k]);
    }
}

static int set_text(struct das_filter *f, enum das_key k, const struct das_value *v,
                    struct das_err *err)
{
    char *copy;

    if (v->kind != DAS_V_TEXT)
        return wrong_type(k, v, err);
    if (v->text.len > DAS_FILTER_TEXT_MAX)
        return das_fail(err, DAS_E_USAGE, "%s: expected at most %d bytes, got %zu",
                        das_key_names[k], DAS_FILTER_TEXT_MAX, v->text.len);
    copy = das_strndup(v->text.ptr, v->text.len);
    if (!copy)
        return das_fail_nomem(err);
    if (compile_text(f, k, v->text, err) < 0) {
        das_free(copy);
        return -1;
    }
    das_free(f->text[k]);
    f->text[k] = copy;
    f->text_len[k] = v->text.len;
    f->set[k] = true;
    return 0;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int set_ids(struct das_filter *f, const struct das_value *v, struct das_err *err)
{
    const int64_t *from = v->ints;
    size_t n = v->count, kept = 0;
    int64_t one, *ids;

    if (v->kind != DAS_V_INTS) {
        if (!(v->kind == DAS_V_TEXT && das_parse_int(v->text, &one)) && !whole_number(v, &one))
            return wrong_type(DAS_K_ID, v, err);
        from = &one;
        n = 1;
    }
    if (n == 0 || n > DAS_IDS_MAX)
        return das_fail(err, DAS_E_USAGE, "id: expected 1 to %d ids, got %zu", DAS_IDS_MAX, n);
    ids = das_grow(NULL, n, sizeof *ids);
    if (!ids)
        return das_fail_nomem(err);
    memcpy(ids, from, n * sizeof *ids);
    qsort(ids, n, sizeof *ids, by_value);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || ids[kept - 1] != ids[i])
            ids[kept++] = ids[i];
    }
    das_free(f->ids);
    f->ids = ids;
    f->id_count = kept;
    f->set[DAS_K_ID] = true;
    return 0;
}

int das_filter_set(struct das_filter *f, const char *key, const struct das_value *v,
                   struct das_err *err)
{
    for (int k = 0; k < DAS_K_COUNT; k++) {
        if (strcmp(key, das_key_names[k]) != 0)
            continue;
        if (v->kind == DAS_V_TEXT && v->text.len == 0) { /* "" is unset, in every key */
            f->set[k] = false;
            return 0;
        }
        switch (keys[k].type) {
        case TEXT:
            return set_text(f, (enum das_key)k, v, err);
        case NUMBER:
            return set_number(f, (enum das_key)k, v, err);
        case IDS:
            return set_ids(f, v, err);
        case FLAG:
            if (v->kind != DAS_V_BOOL)
                return wrong_type((enum das_key)k, v, err);
            f->set[k] = v->boolean;
            return 0;
        }
    }
    return unknown_key(key, err);
}

int das_filter_set_text(struct das_filter *f, const char *key, const char *text,
                        struct das_err *err)
{
    struct das_value v = {.kind = DAS_V_TEXT, .text = das_text_of(text)};

    return das_filter_set(f, key, &v, err);
}

int das_filter_set_exactly(struct das_filter *f, const char *key, struct das_text t,
                           struct das_err *err)
{
    struct das_value v = {.kind = DAS_V_TEXT};
    struct das_buf b = {0};
    int rc = 0;

    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] == '%')
            das_buf_char(&b, '\\');
        das_buf_char(&b, t.ptr[i]);
    }
    v.text = das_buf_view(&b);
    if (b.failed)
        rc = das_fail_nomem(err);
    else if (t.len)
        rc = das_filter_set(f, key, &v, err);
    das_buf_clear(&b);
    return rc;
}

/* --- reading --------------------------------------------------------------------------------- */

enum das_filter_op das_filter_op(const struct das_filter *f)
{
    return f->op;
}

const struct das_filter *das_filter_left(const struct das_filter *f)
{
    return f->left;
}

const struct das_filter *das_filter_right(const struct das_filter *f)
{
    return f->right;
}

bool das_filter_get(const struct das_filter *f, enum das_key k, struct das_criterion *out)
{
    memset(out, 0, sizeof *out);
    if (f->op != DAS_FILTER_TABLE || !f->set[k])
        return false;
    if (keys[k].type == TEXT)
        out->text = das_text(f->text[k], f->text_len[k]);
    out->number = k == DAS_K_ALL ? 1 : f->number[k];
    if (k == DAS_K_ID) {
        out->ids = f->ids;
        out->count = f->id_count;
    }
    return true;
}

static size_t pattern_bytes(const struct das_pattern *p)
{
    return p->count * sizeof *p->parts;
}

/* What a criterion is made into has a copy of its text again, in one or two parts. */
size_t das_filter_bytes(const struct das_filter *f)
{
    size_t bytes = sizeof *f + f->id_count * sizeof *f->ids;

    for (int k = 0; k < DAS_K_COUNT; k++) {
        if (f->text[k])
            bytes += 2 * (f->text_len[k] + 16);
    }
    return bytes + pattern_bytes(&f->user) + pattern_bytes(&f->host) +
           pattern_bytes(&f->host_rest) + pattern_bytes(&f->db) + pattern_bytes(&f->state) +
           f->info.count * sizeof *f->info.words;
}

bool das_filter_is_empty(const struct das_filter *f)
{
    if (f->op != DAS_FILTER_TABLE)
        return false;
    for (int k = 0; k < DAS_K_COUNT; k++) {
        if (f->set[k] && k != DAS_K_TASK_DURATION && k != DAS_K_TASK_TYPE && k != DAS_K_ALL)
            return false;
    }
    return true;
}

/* The set of answers a filter can give, as bits 1 << das_truth. */
static unsigned possible(const struct das_filter *f)
{
    unsigned a, b, out = 0;

    if (f->op == DAS_FILTER_TABLE) {
        if (!das_filter_is_empty(f))
            return 1u << DAS_NO | 1u << DAS_YES | 1u << DAS_UNSURE;
        return f->set[DAS_K_ALL] ? 1u << DAS_YES : 1u << DAS_UNSURE;
    }
    a = possible(f->left);
    b = f->right ? possible(f->right) : 1u << DAS_NO;
    for (int x = DAS_NO; x <= DAS_UNSURE; x++) {
        for (int y = DAS_NO; y <= DAS_UNSURE; y++) {
            enum das_truth tx = (enum das_truth)x, ty = (enum das_truth)y;
            if (!(a & 1u << x) || !(b & 1u << y))
                continue;
            if (f->op == DAS_FILTER_NOT)
                out |= 1u << das_truth_not(tx);
            else if (f->op == DAS_FILTER_AND)
                out |= 1u << das_truth_and(tx, ty);
            else
                out |= 1u << das_truth_or(tx, ty);
        }
    }
    return out;
}

bool das_filter_can_match(const struct das_filter *f)
{
    return possible(f) & 1u << DAS_YES;
}

static void print_quoted(struct das_buf *b, struct das_text t)
{
    das_buf_char(b, '"');
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if (c == '"' || c == '\\')
            das_buf_char(b, '\\');
        if (c < 0x20 || c == 0x7f)
            das_buf_printf(b, "\\%03u", c);
        else
            das_buf_char(b, (char)c);
    }
    das_buf_char(b, '"');
}

static void print_table(const struct das_filter *f, struct das_buf *b)
{
    const char *comma = "";

    das_buf_char(b, '{');
    for (int k = 0; k < DAS_K_COUNT; k++) {
        if (!f->set[k])
            continue;
        das_buf_printf(b, "%s%s=", comma, das_key_names[k]);
        comma = ", ";
        if (keys[k].type == TEXT)
            print_quoted(b, das_text(f->text[k], f->text_len[k]));
        else if (keys[k].type == NUMBER)
            das_buf_int(b, f->number[k]);
        else if (keys[k].type == FLAG)
            das_buf_str(b, "true");
        else if (f->id_count == 1)
            das_buf_int(b, f->ids[0]);
        else {
            for (size_t i = 0; i < f->id_count; i++) {
                das_buf_str(b, i ? ", " : "{");
                das_buf_int(b, f->ids[i]);
            }
            das_buf_char(b, '}');
        }
    }
    das_buf_char(b, '}');
}

/* Lua's precedence: ~ binds tightest, then &, then |. */
static void print_at(const struct das_filter *f, struct das_buf *b, int level)
{
    int own = f->op == DAS_FILTER_OR ? 0 : f->op == DAS_FILTER_AND ? 1 : 2;

    if (f->op == DAS_FILTER_TABLE) {
        print_table(f, b);
        return;
    }
    if (own < level)
        das_buf_char(b, '(');
    if (f->op == DAS_FILTER_NOT) {
        das_buf_char(b, '~');
        print_at(f->left, b, 2);
    } else {
        print_at(f->left, b, own);
        das_buf_str(b, own ? " & " : " | ");
        print_at(f->right, b, own);
    }
    if (own < level)
        das_buf_char(b, ')');
}

void das_filter_print(const struct das_filter *f, struct das_buf *b)
{
    print_at(f, b, 0);
}
