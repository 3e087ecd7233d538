/* args.c - what somebody wrote as values of declared parameters (see hook.h). */
#include "core/hook/hook.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put_choices(const struct das_hook_param *p, const char *between, struct das_buf *b)
{
    for (size_t i = 0; i < p->choice_count; i++)
        das_buf_printf(b, "%s%s", i ? between : "", p->choices[i]);
}

static int wrong(const struct das_hook_param *p, const char *expected, struct das_err *err)
{
    return das_fail(err, DAS_E_USAGE, "%s: expected %s", p->name, expected);
}

static json_t *number(const struct das_hook_param *p, int64_t n, const char *unit,
                      struct das_err *err)
{
    char expected[100];

    if (n >= p->least && n <= p->most)
        return json_integer(n);
    snprintf(expected, sizeof expected, "%" PRId64 " to %" PRId64 "%s", p->least, p->most, unit);
    wrong(p, expected, err);
    return NULL;
}

static json_t *choice(const struct das_hook_param *p, const char *text, struct das_err *err)
{
    struct das_buf b = {0};

    for (size_t i = 0; i < p->choice_count; i++) {
        if (strcmp(p->choices[i], text) == 0)
            return json_string(text);
    }
    das_buf_str(&b, "one of ");
    put_choices(p, ", ", &b);
    wrong(p, b.ptr && !b.failed ? b.ptr : "one of the choices", err);
    das_buf_clear(&b);
    return NULL;
}

/* NULL with err where it is none, or there is no memory. reach NULL: instances are not looked for.
 */
static json_t *convert(const struct das_hook_param *p, const char *text,
                       const struct das_hook_reach *reach, struct das_err *err)
{
    struct das_text t = das_text_of(text);
    int64_t n;

    das_fail_nomem(err); /* unless something else is said */
    switch (p->type) {
    case DAS_HOOK_INTEGER:
        if (das_parse_int(t, &n))
            return number(p, n, "", err);
        wrong(p, "a whole number", err);
        return NULL;
    case DAS_HOOK_DURATION:
        if (das_parse_duration(t, &n))
            return number(p, n, " seconds", err);
        wrong(p, "a duration such as 90s or 5m", err);
        return NULL;
    case DAS_HOOK_CHOICE:
        return choice(p, text, err);
    case DAS_HOOK_INSTANCE:
        if (!reach || reach->knows(reach->arg, text))
            return json_string(text);
        wrong(p, "the name of an instance that can be reached from here", err);
        return NULL;
    default:
        if ((int64_t)t.len >= p->least && (int64_t)t.len <= p->most)
            return json_string(text);
        {
            char expected[60];
            snprintf(expected, sizeof expected, "%" PRId64 " to %" PRId64 " bytes", p->least,
                     p->most);
            wrong(p, expected, err);
        }
        return NULL;
    }
}

int das_hook_check_param(const struct das_hook_param *p, struct das_err *err)
{
    json_t *value = p->fallback ? convert(p, p->fallback, NULL, err) : NULL;

    json_decref(value);
    return p->fallback && !value ? -1 : 0;
}

/* --- which parameter is meant ----------------------------------------------------------------- */

static const struct das_hook_param *find(const struct das_hook_command *c, const char *key)
{
    for (size_t i = 0; i < c->param_count; i++) {
        if (strcmp(c->params[i].name, key) == 0)
            return &c->params[i];
    }
    return NULL;
}

static int unknown(const struct das_hook_command *c, const char *key, struct das_err *err)
{
    const char *names[DAS_HOOK_PARAMS_MAX], *near;

    for (size_t i = 0; i < c->param_count; i++)
        names[i] = c->params[i].name;
    near = das_nearest(key, names, c->param_count);
    return das_fail(err, DAS_E_USAGE, "%s: %s has no such parameter%s%s%s", key, c->name,
                    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* The next one that a word without a key is for. */
static const struct das_hook_param *next(const struct das_hook_command *c,
                                         const struct das_hook_line *line, size_t *at)
{
    for (; *at < c->param_count; ++*at) {
        const struct das_hook_param *p = &c->params[*at];
        if (!p->immutable && !das_hook_line_get(line, p->name)) {
            ++*at;
            return p;
        }
    }
    return NULL;
}

static int put(json_t *to, const struct das_hook_param *p, const char *text,
               const struct das_hook_reach *reach, struct das_err *err)
{
    json_t *value = convert(p, text, reach, err);

    if (!value)
        return -1;
    return json_object_set_new(to, p->name, value) < 0 ? das_fail_nomem(err) : 0;
}

/* Whoever has left out one does not know the others. */
static int left_out(const struct das_hook_command *c, const struct das_hook_param *p,
                    struct das_err *err)
{
    struct das_buf usage = {0};

    das_hook_usage(c, &usage);
    das_fail(err, DAS_E_USAGE, "%s: it is needed: %s", p->name, usage.ptr ? usage.ptr : c->name);
    das_buf_clear(&usage);
    return -1;
}

static int take(const struct das_hook_command *c, const struct das_hook_line *line,
                const struct das_hook_reach *reach, json_t *to, struct das_err *err)
{
    size_t at = 0;

    for (size_t i = 0; i < line->count; i++) {
        const struct das_hook_item *item = &line->items[i];
        const struct das_hook_param *p = *item->key ? find(c, item->key) : next(c, line, &at);
        if (!p && *item->key)
            return unknown(c, item->key, err);
        if (!p)
            return das_fail(err, DAS_E_USAGE, "%s: too many words", c->name);
        if (p->immutable)
            return das_fail(err, DAS_E_USAGE,
                            "%s: is given by the configuration, and cannot be set here", p->name);
        if (put(to, p, item->value, reach, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < c->param_count; i++) {
        const struct das_hook_param *p = &c->params[i];
        if (json_object_get(to, p->name))
            continue;
        if (p->required && !p->fallback)
            return left_out(c, p, err);
        if (p->fallback && put(to, p, p->fallback, reach, err) < 0)
            return -1;
    }
    return 0;
}

/* Keys as they are, words as "1", "2", ... */
static int take_all(const struct das_hook_line *line, json_t *to, struct das_err *err)
{
    char key[DAS_HOOK_KEY_SIZE];
    int n = 0;

    for (size_t i = 0; i < line->count; i++) {
        const struct das_hook_item *item = &line->items[i];
        if (*item->key)
            snprintf(key, sizeof key, "%s", item->key);
        else
            snprintf(key, sizeof key, "%d", ++n);
        if (json_object_set_new(to, key, json_string(item->value)) < 0)
            return das_fail_nomem(err);
    }
    return 0;
}

json_t *das_hook_args(const struct das_hook_command *c, const struct das_hook_line *line,
                      const struct das_hook_reach *reach, struct das_err *err)
{
    json_t *to = json_object();

    if (!to) {
        das_fail_nomem(err);
        return NULL;
    }
    if ((c ? take(c, line, reach, to, err) : take_all(line, to, err)) < 0) {
        json_decref(to);
        return NULL;
    }
    return to;
}

/* --- help ------------------------------------------------------------------------------------- */

void das_hook_usage(const struct das_hook_command *c, struct das_buf *b)
{
    static const char *const words[DAS_HOOK_TYPES] = {"TEXT", "N", "5m", "", "NAME"};

    das_buf_str(b, c->name);
    for (size_t i = 0; i < c->param_count; i++) {
        const struct das_hook_param *p = &c->params[i];
        bool needed = p->required && !p->fallback;
        if (p->immutable)
            continue;
        das_buf_printf(b, " %s%s=%s", needed ? "" : "[", p->name, words[p->type]);
        put_choices(p, "|", b);
        das_buf_str(b, needed ? "" : "]");
    }
}
