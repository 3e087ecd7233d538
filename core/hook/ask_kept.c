/*
 * ask_kept.c - what a request asks for, as JSON and back (see ask.h), for a process that comes
 * after. It holds what is secret: the address for answers, and tokens of the platform in the body.
 */
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/hook/ask.h"

static const char *const whats[] = {"nothing", "line", "press", "report"};

/* --- writing ---------------------------------------------------------------------------------- */

static void put_text(struct das_buf *b, const char *key, const char *text)
{
    if (text && *text)
        das_json_key_text(b, key, das_text_of(text));
}

static int into_buf(const char *p, size_t n, void *b)
{
    das_buf_add(b, p, n);
    return 0;
}

int das_hook_ask_keep(const struct das_hook_ask *a, struct das_buf *b, struct das_err *err)
{
    das_json_key_text(b, "what", das_text_of(whats[a->what]));
    das_json_key(b, "ids");
    das_buf_char(b, '[');
    for (int i = 0; i < DAS_HOOK_PERSON_IDS && *a->ids[i]; i++) {
        das_json_comma(b);
        das_json_str(b, a->ids[i]);
    }
    das_buf_char(b, ']');
    if (a->line.len)
        das_json_key_text(b, "line", das_buf_view(&a->line));
    put_text(b, "button", a->button);
    put_text(b, "chat", a->chat);
    put_text(b, "callback", a->callback);
    if (a->url) {
        put_text(b, "url", a->url);
        das_json_key_int(b, "until_ms", a->url_until_ms);
        das_json_key_int(b, "uses", a->url_uses);
        das_json_key_bool(b, "deferred", a->deferred);
    }
    if (a->json) {
        das_json_key(b, "json");
        if (json_dump_callback(a->json, into_buf, b, JSON_COMPACT | JSON_ENCODE_ANY) < 0)
            return das_fail_nomem(err);
    }
    return das_buf_ok(b, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int no(const char *key, struct das_err *err)
{
    return das_fail(err, DAS_E_DATA, "%s: not as das keeps it", key);
}

/* "" where it is not there. */
static int get_text(const json_t *o, const char *key, char *to, size_t size, struct das_err *err)
{
    const json_t *v = json_object_get(o, key);
    size_t n = json_string_length(v);

    *to = '\0';
    if (!v)
        return 0;
    if (!json_is_string(v) || n >= size || strlen(json_string_value(v)) != n)
        return no(key, err);
    memcpy(to, json_string_value(v), n + 1);
    return 0;
}

static int get_ids(const json_t *o, struct das_hook_ask *a, struct das_err *err)
{
    const json_t *list = json_object_get(o, "ids"), *id;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > DAS_HOOK_PERSON_IDS)
        return no("ids", err);
    json_array_foreach(list, i, id)
    {
        if (!json_is_string(id) || json_string_length(id) >= sizeof a->ids[i])
            return no("ids", err);
        memcpy(a->ids[i], json_string_value(id), json_string_length(id) + 1);
    }
    return 0;
}

/* The rules for addresses may be others by now. */
static int get_url(const struct das_hook *h, const json_t *o, struct das_hook_ask *a,
                   struct das_err *err)
{
    const json_t *url = json_object_get(o, "url"), *until = json_object_get(o, "until_ms");
    const json_t *uses = json_object_get(o, "uses");

    if (!url)
        return 0;
    if (!json_is_string(url) || !json_is_integer(until) || !json_is_integer(uses))
        return no("url", err);
    if (!das_hook_may_reply_to(h, json_string_value(url)))
        return 0;
    a->url = das_strdup(json_string_value(url));
    if (!a->url)
        return das_fail_nomem(err);
    a->url_until_ms = json_integer_value(until);
    a->url_uses = (int)json_integer_value(uses);
    a->deferred = json_is_true(json_object_get(o, "deferred"));
    return 0;
}

static int get_line(const json_t *o, struct das_hook_ask *a, struct das_err *err)
{
    const json_t *v = json_object_get(o, "line");

    if (!v)
        return 0;
    if (!json_is_string(v))
        return no("line", err);
    das_buf_add(&a->line, json_string_value(v), json_string_length(v));
    return das_buf_ok(&a->line, err);
}

int das_hook_ask_recall(const struct das_hook *h, const json_t *o, struct das_hook_ask *out,
                        struct das_err *err)
{
    const char *what = json_string_value(json_object_get(o, "what"));
    size_t i = 0, n = sizeof whats / sizeof *whats;

    while (what && i < n && strcmp(whats[i], what) != 0)
        i++;
    if (!what || i == n)
        return no("what", err);
    out->what = (enum das_hook_what)i;
    out->json = json_incref(json_object_get(o, "json"));
    if (get_ids(o, out, err) < 0 || get_line(o, out, err) < 0 ||
        get_text(o, "button", out->button, sizeof out->button, err) < 0 ||
        get_text(o, "chat", out->chat, sizeof out->chat, err) < 0 ||
        get_text(o, "callback", out->callback, sizeof out->callback, err) < 0)
        return -1;
    return get_url(h, o, out, err);
}
