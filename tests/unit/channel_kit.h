/*
 * channel_kit.h - channels of every kind, a platform in the process that answers as it was told and
 * keeps what it was asked, and hostile messages.
 */
#ifndef DAS_TESTS_CHANNEL_KIT_H
#define DAS_TESTS_CHANNEL_KIT_H

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/notify/deliver.h"
#include "tests/unit/kit.h"

/* --- channels --------------------------------------------------------------------------------- */

static struct das_channels channel_list;

/* keys: "url=VALUE" for secrets and texts alike; ends with NULL. */
static inline int channel_try(const char *name, const char *kind, const char *const *keys,
                              struct das_err *err)
{
    struct das_channel *ch = das_channels_add(&channel_list, name, err);

    if (!ch)
        return -1;
    ch->insecure = true;
    for (; *keys; keys++) {
        size_t len = strcspn(*keys, "=");
        const char *value = *keys + len + 1;
        for (int i = 0; i < DAS_CHANNEL_SECRETS; i++) {
            char variable[200];
            if (strlen(das_channel_secret_names[i]) != len ||
                strncmp(das_channel_secret_names[i], *keys, len) != 0)
                continue;
            snprintf(variable, sizeof variable, "CHANNEL_%s_%d", name, i);
            setenv(variable, value, 1);
            ch->secrets[i] = (struct das_secret_place){das_strdup(das_channel_secret_names[i]),
                                                       das_strdup(variable), DAS_SECRET_ENV};
        }
        for (int i = 0; i < DAS_CHANNEL_TEXTS; i++) {
            if (strlen(das_channel_text_names[i]) == len &&
                strncmp(das_channel_text_names[i], *keys, len) == 0)
                ch->texts[i] = das_strdup(value);
        }
        if (len == 2 && strncmp(*keys, "to", 2) == 0) {
            ch->to = das_grow(ch->to, ch->to_count + 1, sizeof *ch->to);
            ch->to[ch->to_count++] = das_strdup(value);
        }
    }
    return das_channel_settle(ch, kind, err);
}

static inline struct das_channel *channel_of(const char *name, const char *kind,
                                             const char *const *keys)
{
    struct das_err err = {0};

    if (channel_try(name, kind, keys, &err) < 0) {
        tap_diag("channel %s: %s", name, err.msg);
        exit(1);
    }
    return &channel_list.items[channel_list.count - 1];
}
#define CHANNEL(name, kind, ...) channel_of(name, kind, (const char *const[]){__VA_ARGS__, NULL})

/* --- the platform ----------------------------------------------------------------------------- */

#define ASKED_MAX 64
static struct {
    char method[10], url[1000], headers[2000];
    char *body;
    size_t len;
} asked[ASKED_MAX];
static size_t asked_count;

/* What it says, in this order; the last one for ever. */
static struct {
    int status;
    const char *body, *header, *value;
} says[ASKED_MAX];
static size_t say_count, said_count;

static inline void platform_forget(void)
{
    for (size_t i = 0; i < asked_count; i++)
        free(asked[i].body);
    memset(asked, 0, sizeof asked);
    asked_count = say_count = said_count = 0;
}

static inline void platform_says_with(int status, const char *body, const char *header,
                                      const char *value)
{
    says[say_count].status = status;
    says[say_count].body = body;
    says[say_count].header = header;
    says[say_count++].value = value;
}

static inline void platform_says(int status, const char *body)
{
    platform_says_with(status, body, NULL, NULL);
}

/* status 0: no connection */
static inline int platform_answer(void *arg, const struct das_http_request *req,
                                  struct das_http_response *resp, struct das_err *err)
{
    size_t n = said_count < say_count ? said_count++ : say_count - 1, at = 0;

    (void)arg;
    if (asked_count < ASKED_MAX) {
        snprintf(asked[asked_count].method, sizeof asked[0].method, "%s", req->method);
        snprintf(asked[asked_count].url, sizeof asked[0].url, "%s", req->url);
        for (size_t i = 0; req->headers && i < req->headers->count; i++)
            at += (size_t)snprintf(asked[asked_count].headers + at, sizeof asked[0].headers - at,
                                   "%s: %.*s\n", req->headers->items[i].name,
                                   (int)req->headers->items[i].value.len,
                                   req->headers->items[i].value.ptr);
        asked[asked_count].body = strndup(req->body.ptr ? req->body.ptr : "", req->body.len);
        asked[asked_count++].len = req->body.len;
    }
    if (!says[n].status) {
        das_fail(err, DAS_E_CONNECT, "no connection");
        return DAS_HTTP_UNSENT;
    }
    resp->status = says[n].status;
    das_buf_str(&resp->body, says[n].body);
    if (says[n].header)
        return das_http_headers_add(&resp->headers, das_text_of(says[n].header),
                                    das_text_of(says[n].value), false, err);
    return 0;
}

static inline struct das_sender *platform_sender(void)
{
    struct das_err err = {0};
    struct das_sender *s = das_sender_new(&err);

    if (!s)
        exit(1);
    das_sender_answered_by(s, platform_answer, NULL);
    return s;
}

/* The n-th request's body, parsed; the caller's. */
static inline json_t *asked_json(size_t n)
{
    struct das_err err = {0};
    json_t *o = n < asked_count ? das_json_parse(asked[n].body, asked[n].len, NULL, &err) : NULL;

    if (!ok(o != NULL, "the request is JSON"))
        tap_diag("%s: %.300s", err.msg, n < asked_count ? asked[n].body : "(none)");
    return o;
}

/* "a.0.b" in o; NULL: there is none. */
static inline const json_t *json_at(const json_t *o, const char *path)
{
    char part[100];

    while (o && *path) {
        size_t len = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)len, path);
        o = json_is_array(o) ? json_array_get(o, strtoul(part, NULL, 10))
                             : json_object_get(o, part);
        path += len + (path[len] == '.');
    }
    return o;
}

static inline const char *json_text_at(const json_t *o, const char *path)
{
    return json_string_value(json_at(o, path));
}

/* --- messages --------------------------------------------------------------------------------- */

static inline void notice_texts(struct das_notice *n, const char *title, const char *text)
{
    struct das_err err = {0};

    das_notice_init(n);
    if (das_notice_text(n, &n->title, das_text_of(title), DAS_NOTICE_TITLE, &err) < 0 ||
        das_notice_text(n, &n->text, das_text_of(text), DAS_NOTICE_TEXT, &err) < 0)
        exit(1);
}

static inline void notice_sessions(struct das_notice *n, size_t count, const char *sql, bool shape)
{
    struct das_session *list = calloc(count, sizeof *list);
    struct das_err err = {0};
    struct das_selection *sel;

    for (size_t i = 0; i < count; i++) {
        list[i] = kit_session((int64_t)i + 1);
        list[i].sql_info = das_text_of(sql);
    }
    sel = kit_select(list, count);
    if (das_notice_sessions(n, sel, shape, &err) < 0)
        exit(1);
    das_selection_free(sel);
    free(list);
}

/* All that a platform could take for markup, in texts of every length, with sessions and fields. */
#define HOSTILE                                                                                   \
    "<!channel> <@U123> <at user_id=\"all\"></at> @here @channel @everyone [click](http://evil) " \
    "<http://evil|bank> </pre> ``` </b> \xf0\x9f\x98\x80 \xe4\xb8\xad\xe6\x96\x87 \" \\ \t"       \
    "\xe2\x80\xae\xff\x01"

static inline void notice_hostile(struct das_notice *n)
{
    static char sql[3000], text[30000];
    struct das_err err = {0};

    sql[0] = text[0] = '\0';
    while (strlen(sql) + sizeof HOSTILE < 2500)
        strcat(sql, HOSTILE);
    while (strlen(text) + sizeof HOSTILE < 29000)
        strcat(text, HOSTILE);
    notice_texts(n, HOSTILE HOSTILE HOSTILE, text);
    for (int i = 0; i < DAS_NOTICE_FIELDS; i++) {
        if (das_notice_field(n, das_text_of(HOSTILE), das_text_of(sql), &err) < 0)
            exit(1);
    }
    if (das_notice_link(n, das_text_of("https://das.example/a?b='1'&c=(2)"), &err) < 0)
        exit(1);
    n->severity = DAS_ERROR;
    notice_sessions(n, 5000, sql, false);
}

#endif
