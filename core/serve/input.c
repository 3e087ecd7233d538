/* input.c - see call.h: what a request says, checked. Wrong types, ranges and names are refused
 * with the API's code and the name of the field; fields that nobody knows are passed over. */
#include <stdio.h>

#include "core/serve/call.h"

static const char *kind_of(const json_t *v)
{
    static const char *const names[] = {"an object", "a list",    "a string",  "a number",
                                        "a number",  "a boolean", "a boolean", "null"};

    return names[json_typeof(v)];
}

/* NULL where it is absent or null. */
static const json_t *member(const struct das_call *call, const char *key)
{
    const json_t *v = call->body ? json_object_get(call->body, key) : NULL;

    return v && !json_is_null(v) ? v : NULL;
}

int das_body_text(struct das_call *call, const char *key, bool required, struct das_text *out)
{
    const json_t *v = member(call, key);

    *out = DAS_TEXT_NULL;
    if (v && !json_is_string(v))
        return das_refuse_parameter(call, "%s: expected a string, got %s", key, kind_of(v));
    if (v && json_string_length(v))
        *out = das_text(json_string_value(v), json_string_length(v));
    if (required && !out->ptr)
        return das_refuse_parameter(call, "%s: is required", key);
    return 0;
}

int das_body_int(struct das_call *call, const char *key, struct das_bounds b, int64_t *out)
{
    const json_t *v = member(call, key);
    int64_t n;

    if (!v && b.required)
        return das_refuse_parameter(call, "%s: is required", key);
    if (!v)
        return 0;
    if (!json_is_integer(v))
        return das_refuse_parameter(call, "%s: expected a whole number, got %s", key, kind_of(v));
    n = json_integer_value(v);
    if (n < b.least || n > b.most)
        return das_refuse_parameter(call, "%s: expected %lld to %lld, got %lld", key,
                                    (long long)b.least, (long long)b.most, (long long)n);
    *out = n;
    return 0;
}

int das_body_id(struct das_call *call, const char *key, int64_t *out)
{
    const json_t *v = member(call, key);

    if (v && json_is_integer(v))
        *out = json_integer_value(v);
    else if (!v || !json_is_string(v))
        return das_refuse_parameter(call, "%s: expected a string or a whole number, got %s", key,
                                    v ? kind_of(v) : "nothing");
    else if (!das_parse_int(das_text(json_string_value(v), json_string_length(v)), out))
        return das_refuse_parameter(call, "%s: expected a whole number, got \"%.40s\"", key,
                                    json_string_value(v));
    if (*out < 1)
        return das_refuse_parameter(call, "%s: expected a number from 1 up", key);
    return 0;
}

/* --- criteria --------------------------------------------------------------------------------- */

static int set(struct das_call *call, struct das_filter *f, const char *key,
               const struct das_value *v)
{
    struct das_err err;

    if (das_filter_set(f, key, v, &err) == 0)
        return 0;
    return err.code == DAS_E_USAGE ? das_refuse_parameter(call, "%s", err.msg)
                                   : das_refuse_err(call, &err);
}

static int set_texts(struct das_call *call, struct das_filter *f, bool *any)
{
    static const char *const keys[] = {"user", "host", "db", "command", "info"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct das_value v = {.kind = DAS_V_TEXT};
        if (das_body_text(call, keys[i], false, &v.text) < 0)
            return -1;
        if (v.text.ptr && set(call, f, keys[i], &v) < 0)
            return -1;
        *any |= v.text.ptr != NULL;
    }
    return 0;
}

/* time 0 is what clients send who mean none: the API wants one. */
static int set_rest(struct das_call *call, struct das_filter *f)
{
    const struct das_bounds duration = {DAS_TASK_DURATION_MIN, DAS_TASK_DURATION_MAX, false};
    struct das_value time = {.kind = DAS_V_INT}, type = {.kind = DAS_V_TEXT};
    int64_t ignored = 0;

    if (das_body_int(call, "time", (struct das_bounds){0, DAS_TIME_MAX, false}, &time.integer) <
            0 ||
        das_body_int(call, "task_duration", duration, &ignored) < 0 ||
        das_body_text(call, "task_type", false, &type.text) < 0)
        return -1;
    if (time.integer && set(call, f, "time", &time) < 0)
        return -1;
    return type.text.ptr ? set(call, f, "task_type", &type) : 0;
}

struct das_filter *das_body_filter(struct das_call *call, bool *any)
{
    struct das_err err;
    struct das_filter *f = das_filter_new(&err);

    *any = false;
    if (!f) {
        das_refuse_err(call, &err);
        return NULL;
    }
    if (set_texts(call, f, any) == 0 && set_rest(call, f) == 0)
        return f;
    das_filter_release(f);
    return NULL;
}

/* --- the query -------------------------------------------------------------------------------- */

int das_query_text(struct das_call *call, const char *name, const char *code, bool required,
                   struct das_text *out)
{
    *out = DAS_TEXT_NULL;
    for (size_t i = 0; i < call->target.count; i++) {
        const struct das_sign_pair *p = &call->target.query[i];
        if (!das_text_is(p->name, name))
            continue;
        if (out->ptr)
            return das_refuse(&call->refusal, 400, code,
                              "The parameter is invalid. %s: is there twice", name);
        *out = p->value.ptr ? p->value : das_text("", 0);
    }
    if (!out->len)
        *out = DAS_TEXT_NULL;
    if (required && !out->ptr)
        return das_refuse(&call->refusal, 400, code, "The parameter is invalid. %s: is required",
                          name);
    return 0;
}

int das_query_int(struct das_call *call, const char *name, const char *code, struct das_bounds b,
                  int64_t *out)
{
    struct das_text t;
    int64_t n;

    if (das_query_text(call, name, code, b.required, &t) < 0)
        return -1;
    if (!t.ptr)
        return 0;
    if (!das_parse_int(t, &n) || n < b.least || n > b.most)
        return das_refuse(&call->refusal, 400, code,
                          "The parameter is invalid. %s: expected a whole number from %lld to %lld",
                          name, (long long)b.least, (long long)b.most);
    *out = n;
    return 0;
}
