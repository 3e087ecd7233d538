/*
 * fuzz_hook.c - requests to hooks. The first byte says for which platform, the second how.
 *
 * Raw: the rest is METHOD TARGET, headers and a body, for a hook whose secrets nobody knows:
 * whatever it is, it is never let in. Signed: the rest is a body, which is signed well, so that
 * what lies behind the signature is reached; then one byte of what is signed is changed, and it
 * must not get through.
 */
#include <stdlib.h>

#include "core/base/crypto.h"
#include "tests/unit/hook_kit.h"

#define BODY_MAX 3000
#define RAW_HEADERS 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct das_err err;

/* --- a verdict means what it says ---------------------------------------------------------------
 */

static bool within(struct das_text part, struct das_text all)
{
    return part.len == 0 || (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len);
}

static void check(const struct das_hook_verdict *v, const struct das_hook_request *r)
{
    if (v->outcome == DAS_HOOK_REFUSED) {
        if ((v->status != 400 && v->status != 401 && v->status != 403 && v->status != 405) ||
            !*v->reason || v->id_count || v->answer.len || v->body.ptr)
            abort();
    } else if (v->outcome == DAS_HOOK_ANSWERED) {
        if ((v->status != 200 && v->status != 204) || v->id_count || v->body.ptr)
            abort();
    } else {
        if (!v->id_count || v->keep_ms <= 0 || v->keep_ms < 2 * v->window_ms || v->time_ms <= 0 ||
            (!within(v->body, r->body) && !within(v->body, das_buf_view(&v->bytes))))
            abort();
        for (size_t i = 0; i < v->id_count; i++) {
            if (!*v->ids[i].text || !memchr(v->ids[i].text, '\0', sizeof v->ids[i].text))
                abort();
        }
    }
}

static enum das_hook_outcome judge(const struct das_hook_conf *conf,
                                   const struct das_hook_request *r, int64_t now_ms)
{
    struct das_hook_verdict v = {0};
    enum das_hook_outcome outcome;

    if (das_hook_verify(conf, r, now_ms, &v, &err) < 0)
        abort();
    check(&v, r);
    outcome = v.outcome;
    das_hook_verdict_clear(&v);
    return outcome;
}

/* --- raw ----------------------------------------------------------------------------------------
 */

/* Secrets that are in no seed and that no input can hold. */
static void draw(struct das_hook_list *list, char text[2][65])
{
    for (size_t i = 0; i < list->count; i++) {
        if (das_random_hex(text[i], 32, &err) < 0)
            abort();
        list->items[i] = das_text(text[i], 64);
    }
}

static bool cut(struct das_text *rest, char sep, struct das_text *item)
{
    const char *end = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;

    if (!end)
        return false;
    *item = das_text(rest->ptr, (size_t)(end - rest->ptr));
    *rest = das_text(end + 1, rest->len - item->len - 1);
    return true;
}

static void raw(enum das_hook_platform p, struct das_text rest)
{
    struct das_sign_pair headers[RAW_HEADERS];
    struct das_hook_request r = {.headers = headers};
    struct das_hook_conf conf;
    char texts[4][2][65];
    struct das_text line, name, value;

    hook_conf(p, &conf);
    draw(&conf.secrets, texts[0]);
    draw(&conf.tokens, texts[1]);
    draw(&conf.encrypt_keys, texts[2]);
    draw(&conf.public_keys, texts[3]);
    if (p == DAS_HOOK_WECOM)
        conf.encrypt_keys.items[0].len = conf.encrypt_keys.items[1].len = 43;
    if (!cut(&rest, '\n', &line) || !cut(&line, ' ', &r.method))
        return;
    r.target = line;
    while (r.header_count < RAW_HEADERS && cut(&rest, '\n', &line) && line.len) {
        value = line;
        if (cut(&value, ':', &name))
            headers[r.header_count++] = (struct das_sign_pair){name, das_text_trim(value)};
    }
    r.body = rest;
    das_hook_xml_get(r.body, "Encrypt", &value);
    if (judge(&conf, &r, (int64_t)HOOK_NOW * 1000) != DAS_HOOK_REFUSED)
        abort();
}

/* --- signed -------------------------------------------------------------------------------------
 */

static bool signs_body(enum das_hook_platform p)
{
    return p != DAS_HOOK_DINGTALK && p != DAS_HOOK_WECOM && p != DAS_HOOK_MATTERMOST &&
           p != DAS_HOOK_TELEGRAM && p < DAS_HOOK_ALERTMANAGER;
}

static bool signs_header(const char *name)
{
    return strncmp(name, "X-GitHub-", 9) != 0 && strcmp(name, "Content-Type") != 0;
}

/* What may be changed, for which: *n bytes. NULL: nothing there. */
static char *choose(struct hook *h, unsigned which, size_t *n)
{
    size_t i;

    if (which % 4 == 0 && signs_body(h->platform) && h->body_len) {
        *n = h->body_len;
        return h->body;
    }
    if (which % 4 == 1 && h->place == HOOK_IN_QUERY) {
        char *query = strchr(h->path, '?') + 1;
        *n = strlen(query);
        return query;
    }
    if (which % 4 == 2 && h->count) {
        i = which / 4 % h->count;
        *n = strlen(h->values[i]);
        return signs_header(h->names[i]) && *n ? h->values[i] : NULL;
    }
    if (h->place == HOOK_IN_BODY) { /* "token=" */
        *n = strlen(h->sig);
        return h->body + 6;
    }
    i = h->platform >= DAS_HOOK_ALERTMANAGER ? h->prefix : 0; /* schemes are in any case */
    *n = strlen(h->sig + i);
    return h->sig + i;
}

static void signed_well(enum das_hook_platform p, const uint8_t *data, size_t size)
{
    struct hook h;
    size_t n = 0, at;
    char *part;

    if (size < 4)
        return;
    hook_make_bytes(&h, p, data[0] % 2, HOOK_NOW,
                    das_text((const char *)data + 4, size - 4 < BODY_MAX ? size - 4 : BODY_MAX));
    if (judge(&h.conf, &h.request, h.now_ms) == DAS_HOOK_REFUSED)
        return;
    part = choose(&h, data[0] / 2u, &n);
    at = n ? ((size_t)data[1] << 8 | data[2]) % n : 0;
    if (!part || !data[3] || (char)(part[at] ^ (char)data[3]) == '\0')
        return;
    part[at] = (char)(part[at] ^ (char)data[3]);
    hook_put_together(&h);
    if (judge(&h.conf, &h.request, h.now_ms) != DAS_HOOK_REFUSED)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct das_sign_target t = {0};
    enum das_hook_platform p;

    if (size < 3)
        return 0;
    p = (enum das_hook_platform)(data[0] % DAS_HOOK_PLATFORMS);
    das_hook_form_read(das_text((const char *)data + 2, size - 2), &t, &err);
    das_sign_target_clear(&t);
    if (data[1] % 2)
        signed_well(p, data + 2, size - 2);
    else
        raw(p, das_text((const char *)data + 2, size - 2));
    return 0;
}
