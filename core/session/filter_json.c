/* filter_json.c - see filter_json.h. Walks a filter or a JSON value; no input and no output. */
#include "core/session/filter_json.h"

#include <string.h>

#include "core/base/crypto.h"
#include "core/base/mem.h"

#define HEX "_hex"

/* --- writing --------------------------------------------------------------------------------- */

static bool is_text(enum das_key k)
{
    return k == DAS_K_USER || k == DAS_K_HOST || k == DAS_K_DB || k == DAS_K_COMMAND ||
           k == DAS_K_INFO || k == DAS_K_STATE || k == DAS_K_TASK_TYPE;
}

static void put_text(struct das_buf *b, enum das_key k, struct das_text t)
{
    if (das_utf8_valid(t)) {
        das_json_key_text(b, das_key_name(k), t);
        return;
    }
    das_json_comma(b);
    das_buf_printf(b, "\"%s" HEX "\":\"", das_key_name(k));
    das_hex_encode(t, b);
    das_buf_char(b, '"');
}

static void put_table(const struct das_filter *f, struct das_buf *b)
{
    struct das_criterion c;

    das_buf_char(b, '{');
    for (int i = 0; i < DAS_K_COUNT; i++) {
        enum das_key k = (enum das_key)i;
        if (!das_filter_get(f, k, &c))
            continue;
        if (is_text(k)) {
            put_text(b, k, c.text);
        } else if (k == DAS_K_ALL) {
            das_json_key_bool(b, das_key_name(k), true);
        } else if (k == DAS_K_ID) {
            das_json_key(b, das_key_name(k));
            das_buf_char(b, '[');
            for (size_t n = 0; n < c.count; n++) {
                das_json_comma(b);
                das_buf_int(b, c.ids[n]);
            }
            das_buf_char(b, ']');
        } else {
            das_json_key_int(b, das_key_name(k), c.number);
        }
    }
    das_buf_char(b, '}');
}

static const char *const op_names[] = {
    [DAS_FILTER_AND] = "and", [DAS_FILTER_OR] = "or", [DAS_FILTER_NOT] = "not",
};

/* As deep as the filter, which building it has limited. */
void das_filter_json(const struct das_filter *f, struct das_buf *b)
{
    enum das_filter_op op = das_filter_op(f);

    if (op == DAS_FILTER_TABLE) {
        put_table(f, b);
        return;
    }
    das_buf_printf(b, "[\"%s\",", op_names[op]);
    das_filter_json(das_filter_left(f), b);
    if (op != DAS_FILTER_NOT) {
        das_buf_char(b, ',');
        das_filter_json(das_filter_right(f), b);
    }
    das_buf_char(b, ']');
}

/* --- reading --------------------------------------------------------------------------------- */

struct reader {
    size_t parts; /* tables and compositions so far: what will be refused is not built first */
    struct das_err *err;
};

/* What setting it refuses was somebody else's mistake, not that of whoever called. */
static int set(struct reader *r, struct das_filter *f, enum das_key k, const struct das_value *v)
{
    if (das_filter_set(f, das_key_name(k), v, r->err) == 0)
        return 0;
    if (r->err->code == DAS_E_USAGE)
        r->err->code = DAS_E_DATA;
    return -1;
}

static int set_text(struct reader *r, struct das_filter *f, enum das_key k, const json_t *j,
                    bool hex)
{
    struct das_value v = {.kind = DAS_V_TEXT};
    struct das_buf bytes = {0};
    int rc = -1;

    if (!json_is_string(j))
        return das_fail(r->err, DAS_E_DATA, "%s%s: expected text", das_key_name(k), hex ? HEX : "");
    v.text = das_text(json_string_value(j), json_string_length(j));
    if (v.text.len == 0) /* which would unset it */
        return das_fail(r->err, DAS_E_DATA, "%s%s: expected text that is not empty",
                        das_key_name(k), hex ? HEX : "");
    if (hex) {
        if (das_hex_decode(v.text, &bytes, r->err) < 0) {
            das_err_prefix(r->err, "%s" HEX, das_key_name(k));
            goto done;
        }
        if (das_buf_ok(&bytes, r->err) < 0)
            goto done;
        v.text = das_buf_view(&bytes);
    }
    rc = set(r, f, k, &v);
done:
    das_buf_clear(&bytes);
    return rc;
}

static int set_ids(struct reader *r, struct das_filter *f, const json_t *j)
{
    struct das_value v = {.kind = DAS_V_INTS, .count = json_array_size(j)};
    int64_t *ids;
    int rc = -1;

    if (!json_is_array(j) || v.count == 0 || v.count > DAS_IDS_MAX)
        return das_fail(r->err, DAS_E_DATA, "id: expected a list of 1 to %d ids", DAS_IDS_MAX);
    ids = das_grow(NULL, v.count, sizeof *ids);
    if (!ids)
        return das_fail_nomem(r->err);
    for (size_t i = 0; i < v.count; i++) {
        const json_t *item = json_array_get(j, i);
        if (!json_is_integer(item)) {
            das_fail(r->err, DAS_E_DATA, "id: expected whole numbers, item %zu is none", i + 1);
            goto done;
        }
        ids[i] = json_integer_value(item);
    }
    v.ints = ids;
    rc = set(r, f, DAS_K_ID, &v);
done:
    das_free(ids);
    return rc;
}

static int set_key(struct reader *r, struct das_filter *f, enum das_key k, const json_t *j)
{
    struct das_value v = {.kind = DAS_V_INT};

    if (is_text(k))
        return set_text(r, f, k, j, false);
    if (k == DAS_K_ID)
        return set_ids(r, f, j);
    if (k == DAS_K_ALL) {
        v = (struct das_value){.kind = DAS_V_BOOL, .boolean = true};
        if (!json_is_true(j))
            return das_fail(r->err, DAS_E_DATA, "all: expected true");
        return set(r, f, k, &v);
    }
    if (!json_is_integer(j))
        return das_fail(r->err, DAS_E_DATA, "%s: expected a whole number", das_key_name(k));
    v.integer = json_integer_value(j);
    return set(r, f, k, &v);
}

/* The key that name stands for, or -1. */
static int find_key(const char *name, bool *hex)
{
    for (int k = 0; k < DAS_K_COUNT; k++) {
        size_t len = strlen(das_key_names[k]);
        if (strncmp(name, das_key_names[k], len) != 0)
            continue;
        *hex = strcmp(name + len, HEX) == 0 && is_text((enum das_key)k);
        if (!name[len] || *hex)
            return k;
    }
    return -1;
}

static struct das_filter *read_table(struct reader *r, const json_t *j)
{
    struct das_filter *f = das_filter_new(r->err);
    struct das_criterion before;

    /* an iterator of jansson changes nothing; it only is not declared so */
    for (void *i = json_object_iter((json_t *)(uintptr_t)j); f && i;
         i = json_object_iter_next((json_t *)(uintptr_t)j, i)) {
        bool hex = false, good;
        int k = find_key(json_object_iter_key(i), &hex);

        if (k < 0) {
            good = false;
            das_fail(r->err, DAS_E_DATA, "unknown filter key \"%.60s\"", json_object_iter_key(i));
        } else if (das_filter_get(f, (enum das_key)k, &before)) {
            good = false;
            das_fail(r->err, DAS_E_DATA, "%s: given as text and in hex", das_key_names[k]);
        } else if (hex) {
            good = set_text(r, f, (enum das_key)k, json_object_iter_value(i), true) == 0;
        } else {
            good = set_key(r, f, (enum das_key)k, json_object_iter_value(i)) == 0;
        }
        if (!good) {
            das_filter_release(f);
            f = NULL;
        }
    }
    return f;
}

static struct das_filter *read_filter(struct reader *r, const json_t *j, int depth);

static struct das_filter *read_composition(struct reader *r, const json_t *j, int depth)
{
    const json_t *first = json_array_get(j, 0);
    struct das_text name = das_text(json_string_value(first), json_string_length(first));
    struct das_filter *a, *b = NULL, *f = NULL;
    int op = DAS_FILTER_AND;

    while (op <= DAS_FILTER_NOT && !das_text_is(name, op_names[op]))
        op++;
    if (op > DAS_FILTER_NOT || json_array_size(j) != (op == DAS_FILTER_NOT ? 2 : 3)) {
        das_fail(r->err, DAS_E_DATA,
                 "expected [\"and\",A,B], [\"or\",A,B] or [\"not\",A] with filters A and B");
        return NULL;
    }
    a = read_filter(r, json_array_get(j, 1), depth + 1);
    if (a && op != DAS_FILTER_NOT)
        b = read_filter(r, json_array_get(j, 2), depth + 1);
    if (a && op == DAS_FILTER_NOT)
        f = das_filter_not(a, r->err);
    else if (a && b)
        f = (op == DAS_FILTER_AND ? das_filter_and : das_filter_or)(a, b, r->err);
    das_filter_release(a);
    das_filter_release(b);
    return f;
}

static struct das_filter *read_filter(struct reader *r, const json_t *j, int depth)
{
    if (depth > DAS_FILTER_DEPTH_MAX) /* before it is followed: the stack ends somewhere */
        das_fail(r->err, DAS_E_DATA, "a filter nests more than %d deep", DAS_FILTER_DEPTH_MAX);
    else if (++r->parts > DAS_FILTER_PARTS_MAX)
        das_fail(r->err, DAS_E_DATA, "a filter has more than %d parts", DAS_FILTER_PARTS_MAX);
    else if (json_is_object(j))
        return read_table(r, j);
    else if (json_is_array(j))
        return read_composition(r, j, depth);
    else
        das_fail(r->err, DAS_E_DATA, "expected a table of criteria or a composition");
    return NULL;
}

struct das_filter *das_filter_from_json(const json_t *j, struct das_err *err)
{
    struct reader r = {0, err};

    return read_filter(&r, j, 0);
}
