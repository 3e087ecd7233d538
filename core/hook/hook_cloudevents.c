/*
 * hook_cloudevents.c - CloudEvents 1.0 over HTTP: an event in the headers (binary), in the body
 * (structured) or several (batch), and the question whether somebody may send. See hook_impl.h.
 *
 * An event in binary form is handed on in the structured form, so that there is one to read.
 */
#include "core/hook/hook_impl.h"

#include "core/base/calendar.h"
#include "core/base/json.h"

#define BATCH_MAX 1000
#define ATTRIBUTES_MAX 64
#define NAME_MAX_ 64

/* --- the question ----------------------------------------------------------------------------- */

static void answer_question(struct das_hook_call *c)
{
    static const char any[] = "*";
    const struct das_hook_list *list = &c->conf->origins;
    struct das_hook_verdict *v = c->out;
    struct das_text origin;
    bool known = false;

    if (!das_hook_header(c, "WebHook-Request-Origin", &origin))
        return;
    for (size_t i = 0; i < list->count; i++)
        known |= das_text_ieq(list->items[i], origin) || das_text_is(list->items[i], any);
    if (!known) {
        das_hook_refuse(c, 403, "header WebHook-Request-Origin: not one of origins");
        return;
    }
    das_hook_answer(c, true);
    v->type = NULL;
    v->extra[0].name = das_text_of("WebHook-Allowed-Origin");
    v->extra[0].value = origin;
    v->extra[1].name = das_text_of("WebHook-Allowed-Rate");
    v->extra[1].value = das_text_of(any);
    v->extra_count = 2;
    if (c->conf->rate) {
        das_buf_int(&v->bytes, c->conf->rate);
        v->extra[1].value = das_buf_view(&v->bytes);
    }
}

/* --- an event as JSON ------------------------------------------------------------------------- */

static bool check_event(struct das_hook_call *c, const json_t *event)
{
    struct das_text source = das_hook_member(event, "source"), id = das_hook_member(event, "id");
    const json_t *time = json_object_get(event, "time");
    const struct das_text parts[] = {source, id};
    struct das_err err;
    int64_t unix_s;

    if (!das_text_is(das_hook_member(event, "specversion"), "1.0"))
        return das_hook_refuse(c, 400, "not a CloudEvent of version 1.0");
    if (!source.len || !id.len || !das_hook_member(event, "type").len)
        return das_hook_refuse(c, 400, "a CloudEvent without id, source or type");
    if (time && !json_is_null(time)) {
        if (das_time_parse(das_hook_member(event, "time"), &unix_s, &err) < 0)
            return das_hook_refuse(c, 400, "a CloudEvent whose time is none");
        if (unix_s > 0)
            c->out->time_ms = unix_s * 1000;
    }
    return das_hook_id_of(c, parts, 2);
}

static void structured(struct das_hook_call *c)
{
    json_t *event = das_hook_json(c, c->request->body);

    if (event && check_event(c, event)) {
        das_hook_event(c, das_hook_member(event, "type"));
        das_hook_accept(c, DAS_HOOK_EVENT, c->request->body, DAS_HOOK_JSON);
    }
    json_decref(event);
}

static void batch(struct das_hook_call *c)
{
    json_t *events, *event;
    size_t i;
    bool good = true;

    if (!c->conf->batch) {
        das_hook_refuse(c, 400, "a batch, which nobody has asked for");
        return;
    }
    events = das_hook_json_array(c, c->request->body);
    if (!events)
        return;
    if (json_array_size(events) > BATCH_MAX)
        good = das_hook_refuse(c, 400, "a batch of more than %d events", BATCH_MAX);
    json_array_foreach(events, i, event) good = good && check_event(c, event);
    if (good && i > 0) {
        das_hook_event(c, das_hook_member(json_array_get(events, 0), "type"));
        das_hook_accept(c, DAS_HOOK_EVENT, c->request->body, DAS_HOOK_JSON);
    } else if (good) { /* none is fine, and nothing to do */
        das_hook_answer(c, true);
        c->out->type = NULL;
        c->out->status = 204;
    }
    json_decref(events);
}

/* --- an event in headers ---------------------------------------------------------------------- */

static int hex_digit(char ch)
{
    unsigned char lower = das_lower((unsigned char)ch);

    if (das_is_digit(lower))
        return lower - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Without the quotes that a header may have around its value. */
static bool unquote(struct das_text in, struct das_buf *out)
{
    bool quoted = in.len >= 2 && in.ptr[0] == '"' && in.ptr[in.len - 1] == '"';

    for (size_t i = quoted; i + quoted < in.len; i++) {
        if (in.ptr[i] < ' ' || in.ptr[i] > '~')
            return false;
        if (quoted && in.ptr[i] == '"')
            return false;
        if (quoted && in.ptr[i] == '\\' && ++i + 1 == in.len)
            return false;
        das_buf_char(out, in.ptr[i]);
    }
    return true;
}

/* Percent-decoded, once. */
static bool decode(struct das_text in, struct das_buf *out)
{
    for (size_t i = 0; i < in.len; i++) {
        int high, low;
        if (in.ptr[i] != '%') {
            das_buf_char(out, in.ptr[i]);
            continue;
        }
        high = in.len - i > 2 ? hex_digit(in.ptr[i + 1]) : -1;
        low = in.len - i > 2 ? hex_digit(in.ptr[i + 2]) : -1;
        if (high < 0 || low < 0 || (high << 4 | low) < ' ' || (high << 4 | low) == 0x7f)
            return false;
        das_buf_char(out, (char)(high << 4 | low));
        i += 2;
    }
    return out->failed || das_utf8_valid(das_buf_view(out));
}

static bool read_value(struct das_hook_call *c, struct das_text wire, struct das_buf *out)
{
    struct das_buf bare = {0};
    bool good;

    das_buf_reset(out);
    good = unquote(das_text_trim(wire), &bare) && decode(das_buf_view(&bare), out);
    if (bare.failed || out->failed) {
        das_fail_nomem(c->err);
        good = das_hook_fail(c);
    } else if (!good || !out->len) {
        good = das_hook_refuse(c, 400, "a ce- header whose value cannot be read");
    }
    das_buf_clear(&bare);
    return good;
}

/* "ce-Some" as "some". */
static bool read_name(struct das_text wire, char name[NAME_MAX_])
{
    size_t n = 0;

    for (size_t i = 3; i < wire.len && n < NAME_MAX_ - 1; i++) {
        unsigned char ch = das_lower((unsigned char)wire.ptr[i]);
        if (!das_is_digit(ch) && !(ch >= 'a' && ch <= 'z'))
            return false;
        name[n++] = (char)ch;
    }
    name[n] = '\0';
    return n > 0 && n == wire.len - 3 && strcmp(name, "datacontenttype") != 0 &&
           strcmp(name, "data") != 0;
}

static bool add_attribute(struct das_hook_call *c, const struct das_sign_pair *h, json_t *event)
{
    struct das_buf value = {0};
    char name[NAME_MAX_];
    bool good;

    if (!read_name(h->name, name))
        return das_hook_refuse(c, 400, "a ce- header that names no attribute");
    if (json_object_get(event, name))
        return das_hook_refuse(c, 400, "header ce-%s: it is there more than once", name);
    if (json_object_size(event) == ATTRIBUTES_MAX)
        return das_hook_refuse(c, 400, "more than %d ce- headers", ATTRIBUTES_MAX);
    good = read_value(c, h->value, &value);
    if (good && json_object_set_new(event, name, json_stringn(value.ptr, value.len)) < 0) {
        das_fail_nomem(c->err);
        good = das_hook_fail(c);
    }
    das_buf_clear(&value);
    return good;
}

static json_t *attributes(struct das_hook_call *c)
{
    json_t *event = json_object();

    if (!event) {
        das_fail_nomem(c->err);
        das_hook_fail(c);
        return NULL;
    }
    for (size_t i = 0; i < c->request->header_count; i++) {
        const struct das_sign_pair *h = &c->request->headers[i];
        if (h->name.len >= 3 && das_text_iis(das_text(h->name.ptr, 3), "ce-") &&
            !add_attribute(c, h, event)) {
            json_decref(event);
            return NULL;
        }
    }
    return event;
}

/* "application/json" and "application/problem+json". */
static bool is_json(struct das_text type)
{
    const char *end = type.len ? memchr(type.ptr, ';', type.len) : NULL;

    if (end)
        type.len = (size_t)(end - type.ptr);
    type = das_text_trim(type);
    return das_text_iis(type, "application/json") ||
           (type.len > 5 && das_text_iis(das_text(type.ptr + type.len - 5, 5), "+json"));
}

/* The body as "data" where it is JSON, else as "data_base64". */
static bool put_data(struct das_hook_call *c, struct das_text type, struct das_buf *b)
{
    struct das_text body = c->request->body;
    json_t *json;

    if (!body.len)
        return true;
    if (!is_json(type)) {
        das_json_key(b, "data_base64");
        das_buf_char(b, '"');
        das_base64_encode(DAS_BASE64, body, b);
        das_buf_char(b, '"');
        return true;
    }
    json = das_hook_json_any(c, body);
    if (!json)
        return false;
    json_decref(json);
    das_json_key(b, "data");
    das_buf_text(b, body);
    return true;
}

static bool write_event(struct das_hook_call *c, json_t *event, struct das_text type)
{
    struct das_buf *b = &c->out->bytes;

    das_buf_char(b, '{');
    for (void *i = json_object_iter(event); i; i = json_object_iter_next(event, i)) {
        const char *key = json_object_iter_key(i);
        das_json_key_text(b, key, das_hook_member(event, key));
    }
    if (type.ptr)
        das_json_key_text(b, "datacontenttype", type);
    if (!put_data(c, type, b))
        return false;
    das_buf_char(b, '}');
    return das_buf_ok(b, c->err) == 0 || das_hook_fail(c);
}

static void binary(struct das_hook_call *c, struct das_text type)
{
    json_t *event = attributes(c);

    if (event && check_event(c, event) && write_event(c, event, type)) {
        das_hook_event(c, das_hook_member(event, "type"));
        das_hook_accept(c, DAS_HOOK_EVENT, das_buf_view(&c->out->bytes), DAS_HOOK_JSON);
    }
    json_decref(event);
}

void das_hook_cloudevents(struct das_hook_call *c)
{
    static const char family[] = "application/cloudevents";
    struct das_text type;

    if (das_text_is(c->request->method, "OPTIONS")) {
        answer_question(c);
        return;
    }
    if (!das_hook_authorized(c) || !das_hook_header_maybe(c, "Content-Type", &type))
        return;
    if (das_hook_type_is(type, "application/cloudevents+json"))
        structured(c);
    else if (das_hook_type_is(type, "application/cloudevents-batch+json"))
        batch(c);
    else if (type.len >= sizeof family - 1 &&
             das_text_iis(das_text(type.ptr, sizeof family - 1), family))
        das_hook_refuse(c, 400, "header Content-Type: a form of CloudEvents that das cannot read");
    else
        binary(c, type);
}
