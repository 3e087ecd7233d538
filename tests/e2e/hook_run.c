/*
 * hook_run.c - judges requests that another program has signed: a JSON object a line on stdin, with
 * the configuration, the time and the request (bytes in base64), and a verdict a line on stdout.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/hook/hook_verify.h"

#define HEADERS_MAX 32

static struct das_err err;

static void die(const char *what)
{
    fprintf(stderr, "hook_run: %s: %s\n", what, err.msg);
    exit(1);
}

static struct das_text text_of(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);

    return json_is_string(v) ? das_text(json_string_value(v), json_string_length(v))
                             : DAS_TEXT_NULL;
}

static void read_list(const json_t *conf, const char *key, struct das_hook_list *list)
{
    const json_t *v;
    size_t i;

    json_array_foreach(json_object_get(conf, key), i, v)
    {
        if (i == DAS_HOOK_LIST_MAX)
            die(key);
        list->items[list->count++] = das_text(json_string_value(v), json_string_length(v));
    }
}

static void read_conf(const json_t *from, struct das_hook_conf *c)
{
    int platform = das_hook_platform_find(text_of(from, "platform"));

    memset(c, 0, sizeof *c);
    if (platform < 0)
        die("platform");
    c->name = "h";
    c->platform = (enum das_hook_platform)platform;
    read_list(from, "secrets", &c->secrets);
    read_list(from, "tokens", &c->tokens);
    read_list(from, "encrypt_keys", &c->encrypt_keys);
    read_list(from, "public_keys", &c->public_keys);
    read_list(from, "passwords", &c->passwords);
    read_list(from, "origins", &c->origins);
    c->user = text_of(from, "user");
    c->receive_id = text_of(from, "receive_id");
    c->signature_header = text_of(from, "signature_header");
    c->timestamp_header = text_of(from, "timestamp_header");
    c->id_header = text_of(from, "id_header");
    c->rate = json_integer_value(json_object_get(from, "rate"));
    c->batch = json_is_true(json_object_get(from, "batch"));
    c->window_s = json_integer_value(json_object_get(from, "window"));
    if (das_hook_conf_check(c, &err) < 0)
        die("configuration");
}

static size_t read_headers(const json_t *list, struct das_sign_pair *out)
{
    const json_t *h;
    size_t i, n = 0;

    json_array_foreach(list, i, h)
    {
        const json_t *name = json_array_get(h, 0), *value = json_array_get(h, 1);
        if (n == HEADERS_MAX)
            die("headers");
        out[n++] =
            (struct das_sign_pair){das_text(json_string_value(name), json_string_length(name)),
                                   das_text(json_string_value(value), json_string_length(value))};
    }
    return n;
}

static void put_bytes(struct das_buf *b, const char *key, struct das_text bytes)
{
    das_json_key(b, key);
    das_buf_char(b, '"');
    das_base64_encode(DAS_BASE64, bytes, b);
    das_buf_char(b, '"');
}

static void write_verdict(const struct das_hook_verdict *v, struct das_buf *b)
{
    static const char *const outcomes[] = {"refused", "answered", "accepted"};
    static const char *const formats[] = {"bytes", "json", "form", "xml"};

    das_buf_char(b, '{');
    das_json_key_text(b, "outcome", das_text_of(outcomes[v->outcome]));
    das_json_key_int(b, "status", v->status);
    das_json_key_text(b, "reason", das_text_of(v->reason));
    das_json_key_text(b, "kind", das_text_of(das_hook_kind_name(v->kind)));
    das_json_key_text(b, "format", das_text_of(formats[v->format]));
    das_json_key_text(b, "event", das_text_of(v->event));
    das_json_key_text(b, "proof", das_text_of(v->proof));
    das_json_key_int(b, "time_ms", v->time_ms);
    das_json_key_int(b, "window_ms", v->window_ms);
    put_bytes(b, "answer", das_buf_view(&v->answer));
    put_bytes(b, "body", v->body);
    das_json_key(b, "ids");
    das_buf_char(b, '[');
    for (size_t i = 0; i < v->id_count; i++) {
        das_json_comma(b);
        das_json_str(b, v->ids[i].text);
    }
    das_buf_str(b, "]}\n");
}

static void judge(const json_t *line, struct das_buf *out)
{
    struct das_hook_conf conf;
    struct das_sign_pair headers[HEADERS_MAX];
    struct das_hook_request r = {
        .method = text_of(line, "method"), .target = text_of(line, "target"), .headers = headers};
    struct das_hook_verdict v = {0};
    struct das_buf body = {0};

    read_conf(json_object_get(line, "conf"), &conf);
    r.header_count = read_headers(json_object_get(line, "headers"), headers);
    if (das_base64_decode(DAS_BASE64, true, text_of(line, "body"), &body, &err) < 0)
        die("body");
    r.body = das_buf_view(&body);
    if (das_hook_verify(&conf, &r, json_integer_value(json_object_get(line, "now_ms")), &v, &err) <
        0)
        die("verify");
    write_verdict(&v, out);
    das_hook_verdict_clear(&v);
    das_buf_clear(&body);
}

int main(void)
{
    struct das_buf out = {0};
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    while ((len = getline(&line, &cap, stdin)) > 0) {
        json_t *json = das_json_parse(line, (size_t)len, NULL, &err);
        if (!json)
            die("input");
        das_buf_reset(&out);
        judge(json, &out);
        if (das_buf_ok(&out, &err) < 0 || fwrite(out.ptr, 1, out.len, stdout) != out.len)
            die("output");
        json_decref(json);
    }
    free(line);
    das_buf_clear(&out);
    return 0;
}
