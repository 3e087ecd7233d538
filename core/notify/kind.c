/* kind.c - see kind.h: requests, answers and texts, as several platforms want them. */
#include "core/notify/kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"

void das_verdict(struct das_verdict *v, enum das_verdict_kind kind, const char *code,
                 struct das_text words)
{
    struct das_buf b = {0};
    struct das_page p;

    v->kind = kind;
    snprintf(v->code, sizeof v->code, "%s", code ? code : "");
    das_page_init(&p, &b, DAS_MARKUP_NONE, DAS_UNIT_BYTES, sizeof v->words - 1);
    das_page_text(&p, words, SIZE_MAX, false);
    snprintf(v->words, sizeof v->words, "%s", b.ptr ? b.ptr : "");
    das_buf_clear(&b);
}

/* --- requests --------------------------------------------------------------------------------- */

void das_post_init(struct das_post *p)
{
    memset(p, 0, sizeof *p);
    p->method = "POST";
    das_http_headers_init(&p->headers);
}

static void wipe(struct das_buf *b)
{
    if (b->ptr)
        explicit_bzero(b->ptr, b->len);
    das_buf_clear(b);
}

void das_post_clear(struct das_post *p)
{
    wipe(&p->url);
    wipe(&p->body);
    das_http_headers_clear(&p->headers);
}

int das_post_header(struct das_post *p, const char *name, struct das_text value, bool secret,
                    struct das_err *err)
{
    if (das_http_check_header(das_text_of(name), value, err) < 0)
        return -1;
    return das_http_headers_add(&p->headers, das_text_of(name), value, secret, err);
}

int das_post_json(struct das_post *p, struct das_err *err)
{
    return das_post_header(p, "Content-Type", das_text_of("application/json; charset=utf-8"), false,
                           err);
}

int das_post_bearer(struct das_post *p, struct das_text token, struct das_err *err)
{
    struct das_buf b = {0};
    int rc;

    das_buf_str(&b, "Bearer ");
    das_buf_text(&b, token);
    rc = das_buf_ok(&b, err);
    if (rc == 0)
        rc = das_post_header(p, "Authorization", das_buf_view(&b), true, err);
    wipe(&b);
    return rc;
}

void das_turn_url(const struct das_turn *t, const char *base, const char *path, struct das_buf *b)
{
    const char *own = t->channel->texts[DAS_CHANNEL_ENDPOINT];

    das_buf_str(b, own ? own : base);
    while (b->len && b->ptr[b->len - 1] == '/')
        b->ptr[--b->len] = '\0';
    das_buf_str(b, path);
}

/* --- texts ------------------------------------------------------------------------------------ */

void das_put_text(struct das_buf *b, const char *key, struct das_text t, enum das_markup markup,
                  enum das_unit unit, size_t most, bool lines)
{
    struct das_buf text = {0};
    struct das_page p;

    das_page_init(&p, &text, markup, unit, most);
    das_page_text(&p, t, SIZE_MAX, lines);
    das_json_key_text(b, key, das_buf_view(&text));
    b->failed |= text.failed;
    das_buf_clear(&text);
}

void das_put_title(struct das_buf *b, const char *key, const struct das_notice *n,
                   enum das_markup markup, enum das_unit unit, size_t most)
{
    struct das_buf text = {0};
    struct das_page p;

    das_page_init(&p, &text, markup, unit, most);
    das_page_title(&p, n, most);
    das_json_key_text(b, key, das_buf_view(&text));
    b->failed |= text.failed;
    das_buf_clear(&text);
}

void das_put_page(struct das_buf *b, const char *key, const struct das_turn *t,
                  enum das_markup markup, enum das_unit unit, size_t most,
                  const struct das_style *style)
{
    struct das_buf text = {0};
    struct das_page p;

    das_page_init(&p, &text, markup, unit, most);
    das_page_compose(&p, t->notice, style);
    das_json_key_text(b, key, das_buf_view(&text));
    b->failed |= text.failed;
    das_buf_clear(&text);
}

const char *das_notice_color(const struct das_notice *n)
{
    static const char *const colors[] = {"#3b82f6", "#f59e0b", "#ef4444", "#991b1b"};

    return n->event == DAS_RESOLVE ? "#22c55e" : colors[n->severity];
}

/* --- answers ---------------------------------------------------------------------------------- */

#define AFTER_MAX_MS 3600000 /* longer than that nobody is kept waiting by a header */

static int64_t asked_ms(const struct das_answer *a)
{
    struct das_text t = das_text_trim(das_http_headers_get(a->headers, "Retry-After"));
    char text[40];
    double s;
    char *end;

    if (!t.len || t.len >= sizeof text)
        return -1;
    memcpy(text, t.ptr, t.len);
    text[t.len] = '\0';
    s = strtod(text, &end); /* seconds; a date would be one more clock to trust */
    if (*end || !(s >= 0))
        return -1;
    return s * 1000 > AFTER_MAX_MS ? AFTER_MAX_MS : (int64_t)(s * 1000);
}

bool das_read_status(const struct das_answer *a, struct das_verdict *v)
{
    int s = a->status;
    char code[20];

    snprintf(code, sizeof code, "HTTP %d", s);
    if (s >= 200 && s <= 299) {
        das_verdict(v, DAS_SENT, "", das_text_of(""));
        return false;
    }
    v->after_ms = asked_ms(a);
    das_verdict(v, s == 408 || s == 425 || s == 429 || s >= 500 ? DAS_LATER : DAS_REFUSED, code,
                a->body);
    return true;
}

void das_read_errcode(const struct das_answer *a, const json_int_t busy[2], int64_t wait_ms,
                      struct das_verdict *v)
{
    const json_t *number = json_object_get(a->json, "errcode");
    json_int_t n = json_integer_value(number);
    bool waits = n == busy[0] || n == busy[1];
    char code[24], ignored[24];

    if (das_read_status(a, v) || (json_is_integer(number) && n == 0))
        return;
    if (!json_is_integer(number)) {
        das_verdict(v, DAS_LATER, "", das_text_of("no answer of the platform's"));
        return;
    }
    snprintf(code, sizeof code, "%lld", (long long)n);
    if (waits)
        v->after_ms = wait_ms;
    das_verdict(v, waits || n == -1 ? DAS_LATER : DAS_REFUSED, code,
                das_answer_text(a->json, "errmsg", ignored));
}

struct das_text das_answer_text(const json_t *o, const char *key, char number[24])
{
    const json_t *v = json_object_get(o, key);

    if (json_is_string(v))
        return das_text(json_string_value(v), json_string_length(v));
    if (!json_is_integer(v))
        return das_text_of("");
    snprintf(number, 24, "%lld", (long long)json_integer_value(v));
    return das_text_of(number);
}

void das_take_ref(struct das_verdict *v, struct das_text id)
{
    bool good = id.len > 0 && id.len < sizeof v->ref;

    for (size_t i = 0; i < id.len && good; i++) {
        unsigned char c = (unsigned char)id.ptr[i];
        good =
            das_is_digit(c) || (das_lower(c) >= 'a' && das_lower(c) <= 'z') || c == '_' || c == '-';
    }
    if (good)
        snprintf(v->ref, sizeof v->ref, "%.*s", (int)id.len, id.ptr);
}
