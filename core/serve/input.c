/* input.c - see call.h: what a request says, checked. Wrong types, ranges and names are refused
 * with the API's code and the name of the field; fields that nobody knows are passed over. */
#include <stdio.h>

#include "core/serve/call.h"
#include "core/serve/criteria.h"

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

static int read_texts(struct das_call *call, struct das_task *t)
{
    const struct {
        const char *key;
        struct das_text *to;
    } texts[] = {{"user", &t->user},
                 {"host", &t->host},
                 {"db", &t->db},
                 {"command", &t->command},
                 {"info", &t->info}};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (das_body_text(call, texts[i].key, false, texts[i].to) < 0)
            return -1;
    }
    return 0;
}

struct das_filter *das_body_criteria(struct das_call *call, bool task, struct das_task *t)
{
    const struct das_bounds time = {0, DAS_TIME_MAX, task},
                            duration = {DAS_TASK_DURATION_MIN, DAS_TASK_DURATION_MAX, task};
    struct das_filter *f;
    struct das_text type;
    struct das_err err;

    if (read_texts(call, t) < 0 || das_body_int(call, "time", time, &t->time) < 0 ||
        das_body_int(call, "task_duration", duration, &t->duration) < 0 ||
        das_body_text(call, "task_type", task, &type) < 0)
        return NULL;
    t->manual = das_text_is(type, "manual");
    if (type.ptr && !t->manual && !das_text_is(type, "auto")) {
        das_refuse_parameter(call, "task_type: expected auto or manual, got \"%.*s\"",
                             (int)(type.len < 40 ? type.len : 40), type.ptr);
        return NULL;
    }
    f = das_criteria_filter(t, &err);
    if (!f)
        das_refuse_err(call, &err);
    return f;
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
