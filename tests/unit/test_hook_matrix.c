/*
 * test_hook_matrix.c - every platform against everything that must not get through: one byte
 * changed, too old or too early, another prefix, other letters, pieces missing, headers that are
 * empty, missing or there twice, a secret that is none; and that the same delivery is known again.
 */
#include "core/store/delivery.h"
#include "tests/unit/hook_kit.h"
#include "tests/unit/store_kit.h"

static struct das_err err;

enum form { HEX, BASE64, TOKEN };

/* What is known of each scheme, apart from the code that judges it. */
static const struct scheme {
    enum form form;
    int malformed, mismatch;
    int64_t window; /* s; 0: no time is proven */
    bool body;      /* a changed body is refused */
} schemes[DAS_HOOK_PLATFORMS] = {
    [DAS_HOOK_SLACK] = {HEX, 401, 401, 300, true},
    [DAS_HOOK_FEISHU] = {HEX, 401, 401, 300, true},
    [DAS_HOOK_FEISHU_CARD] = {HEX, 401, 401, 300, true},
    [DAS_HOOK_DINGTALK] = {BASE64, 401, 401, 3600, false},
    [DAS_HOOK_WECOM] = {HEX, 401, 401, 300, false},
    [DAS_HOOK_TEAMS] = {BASE64, 401, 401, 300, true},
    [DAS_HOOK_DISCORD] = {HEX, 401, 401, 300, true},
    [DAS_HOOK_MATTERMOST] = {TOKEN, 401, 401, 0, false},
    [DAS_HOOK_TELEGRAM] = {TOKEN, 401, 401, 0, false},
    [DAS_HOOK_GITHUB] = {HEX, 401, 401, 0, true},
    [DAS_HOOK_STANDARD] = {BASE64, 400, 401, 300, true},
    [DAS_HOOK_PAGERDUTY] = {HEX, 400, 403, 300, true},
    [DAS_HOOK_GRAFANA] = {HEX, 401, 401, 300, true},
    [DAS_HOOK_ALERTMANAGER] = {TOKEN, 401, 401, 0, false},
    [DAS_HOOK_CLOUDEVENTS] = {TOKEN, 401, 401, 0, false},
    [DAS_HOOK_BEARER] = {TOKEN, 401, 401, 0, false},
};

static const char *name_of(enum das_hook_platform p)
{
    return das_hook_platforms[p].name;
}

/* The status of a refusal, 1 of an accepted request, 2 of an answered one. */
static int judge(struct hook *h)
{
    struct das_hook_verdict v = {0};
    int rc;

    hook_put_together(h);
    if (das_hook_verify(&h->conf, &h->request, h->now_ms, &v, &err) < 0)
        hook_die(err.msg);
    rc = v.outcome == DAS_HOOK_ACCEPTED ? 1 : v.outcome == DAS_HOOK_ANSWERED ? 2 : v.status;
    if (v.outcome == DAS_HOOK_REFUSED && (!*v.reason || v.id_count || v.body.ptr || v.answer.len))
        rc = -1;
    das_hook_verdict_clear(&v);
    return rc;
}

/* A token in a form is part of the body. */
static void set_sig(struct hook *h, const char *text)
{
    char rest[8192];

    if (h->place == HOOK_IN_BODY) {
        snprintf(rest, sizeof rest, "%s", strchr(h->body, '&'));
        snprintf(h->body, sizeof h->body, "token=%s%.8000s", text, rest);
        h->body_len = strlen(h->body);
    }
    snprintf(h->sig, sizeof h->sig, "%s", text);
}

/* --- good ones -------------------------------------------------------------------------------- */

static void good(enum das_hook_platform p)
{
    struct hook h;

    for (size_t which = 0; which < 2; which++) {
        hook_make(&h, p, which, HOOK_NOW, NULL);
        must(das_hook_conf_check(&h.conf, &err) == 0, "%s: a configuration: %s", name_of(p),
             err.msg);
        is_int(judge(&h), 1, "%s: signed with secret %zu of two", name_of(p), which + 1);
    }
    /* the second is taken out of use: what it signed is nothing any more */
    h.conf.secrets.count = h.conf.secrets.count ? 1 : 0;
    h.conf.tokens.count = h.conf.tokens.count ? 1 : 0;
    h.conf.encrypt_keys.count = h.conf.encrypt_keys.count ? 1 : 0;
    h.conf.public_keys.count = h.conf.public_keys.count ? 1 : 0;
    is_int(judge(&h), schemes[p].mismatch, "%s: and after the rotation not", name_of(p));
    hook_make(&h, p, 0, HOOK_NOW, NULL);
    snprintf(h.method, sizeof h.method, "PUT");
    is_int(judge(&h), 405, "%s: another method", name_of(p));
}

/* --- the body --------------------------------------------------------------------------------- */

static void body(enum das_hook_platform p)
{
    struct hook h;
    int through = 0, wrong = 0;

    hook_make(&h, p, 0, HOOK_NOW, NULL);
    for (size_t i = 0; i < h.body_len; i++) {
        for (int bit = 1; bit < 256; bit <<= 1) {
            int rc;
            h.body[i] = (char)(h.body[i] ^ bit);
            rc = judge(&h);
            through += rc == 1 || rc == 2;
            wrong += rc != schemes[p].mismatch;
            h.body[i] = (char)(h.body[i] ^ bit);
        }
    }
    if (schemes[p].body) {
        is_int(through, 0, "%s: no bit of %zu bytes can be changed", name_of(p), h.body_len);
        is_int(wrong, 0, "%s: each is told as a wrong signature", name_of(p));
        h.body_len--;
        is_int(judge(&h), schemes[p].mismatch, "%s: the last byte is missing", name_of(p));
        h.body_len++;
        h.body[h.body_len++] = '\n';
        is_int(judge(&h), schemes[p].mismatch, "%s: there is one more", name_of(p));
    } else if (p != DAS_HOOK_WECOM) {
        ok(through > 0, "%s: its body is not signed, and nobody says so", name_of(p));
    }
}

/* WeCom signs what is encrypted; the envelope around it is nothing. */
static void envelope(void)
{
    struct hook h;
    char *from, *end;
    int through = 0;

    hook_make(&h, DAS_HOOK_WECOM, 0, HOOK_NOW, NULL);
    from = strstr(h.body, "<Encrypt><![CDATA[") + 18;
    end = strstr(from, "]]>");
    for (char *at = from; at < end; at++) {
        for (int bit = 1; bit < 256; bit <<= 1) {
            *at = (char)(*at ^ bit);
            through += judge(&h) == 1;
            *at = (char)(*at ^ bit);
        }
    }
    is_int(through, 0, "wecom: no bit of %zu encrypted characters can be changed",
           (size_t)(end - from));
}

/* --- the time --------------------------------------------------------------------------------- */

static void window(enum das_hook_platform p)
{
    int64_t w = schemes[p].window, own = 60;
    const int64_t apart[] = {-w, w, -w - 1, w + 1, -86400 * 365, 86400 * 365};
    struct hook h;

    hook_make(&h, p, 0, HOOK_NOW, NULL);
    if (!w) {
        h.now_ms += (int64_t)86400 * 1000;
        is_int(judge(&h), 1, "%s: no time is signed", name_of(p));
        h.conf.window_s = 60;
        ok(p == DAS_HOOK_GRAFANA || das_hook_conf_check(&h.conf, &err) < 0,
           "%s: so it has no window", name_of(p));
        return;
    }
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        hook_make(&h, p, 0, HOOK_NOW + apart[i], NULL);
        h.now_ms = (int64_t)HOOK_NOW * 1000 + (p == DAS_HOOK_DINGTALK ? 0 : 999);
        is_int(judge(&h), i < 2 ? 1 : schemes[p].mismatch, "%s: sent %lld s from now", name_of(p),
               (long long)apart[i]);
        h.conf.window_s = own;
        is_int(judge(&h), schemes[p].mismatch, "%s: and a window of 60 s", name_of(p));
    }
    hook_make(&h, p, 0, HOOK_NOW + own, NULL);
    h.now_ms = (int64_t)HOOK_NOW * 1000;
    h.conf.window_s = own;
    is_int(judge(&h), 1, "%s: within which it is fine", name_of(p));
}

/* A time that is changed is not what was signed, or no time. */
static void times(enum das_hook_platform p)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "-1",
                                      "abc",
                                      " ",
                                      "1766655104.0",
                                      "1766655105",
                                      "+1766655104",
                                      "0x1",
                                      "17666551040000000000000",
                                      "99999999999999"};
    struct hook h;

    for (size_t k = 0; k < HOOK_HEADERS; k++) {
        hook_make(&h, p, 0, HOOK_NOW, NULL);
        if (k >= h.count || !strstr(h.values[k], "1766655104"))
            continue;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            int rc;
            snprintf(h.values[k], HOOK_TEXT, "%s", bad[i]);
            rc = judge(&h);
            ok(rc == schemes[p].malformed || rc == schemes[p].mismatch, "%s: %s: \"%s\"",
               name_of(p), h.names[k], bad[i]);
        }
    }
}

/* --- the signature ---------------------------------------------------------------------------- */

static int no(enum das_hook_platform p, int rc)
{
    return rc == schemes[p].malformed || rc == schemes[p].mismatch || rc == 400;
}

static void prefixes(enum das_hook_platform p)
{
    static const char *const others[] = {
        "v1=",  "V0=",  "v0",    "v0:",    "sha1=",  "sha256", "SHA256=", "v2,",
        "v1a,", "HMAC", "hmac ", "Basic ", "Bearer", "x",      "v0=v0=",  "sha256=sha256="};
    struct hook h;
    char was[HOOK_TEXT], text[2 * HOOK_TEXT];

    hook_make(&h, p, 0, HOOK_NOW, NULL);
    snprintf(was, sizeof was, "%s", h.sig);
    if (h.prefix) {
        set_sig(&h, was + h.prefix);
        is_int(judge(&h), schemes[p].malformed, "%s: without its prefix", name_of(p));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (h.prefix == strlen(others[i]) && strncmp(was, others[i], h.prefix) == 0)
            continue;
        snprintf(text, sizeof text, "%s%.300s", others[i], was + h.prefix);
        set_sig(&h, text);
        ok(no(p, judge(&h)), "%s: with the prefix \"%s\"", name_of(p), others[i]);
    }
    set_sig(&h, "");
    is_int(judge(&h), schemes[p].malformed, "%s: an empty one", name_of(p));
    if (h.prefix) {
        snprintf(text, sizeof text, "%.*s", (int)h.prefix, was);
        set_sig(&h, text);
        is_int(judge(&h), schemes[p].malformed, "%s: only the prefix", name_of(p));
    }
}

static void letters(enum das_hook_platform p)
{
    struct hook h;
    char was[HOOK_TEXT], text[HOOK_TEXT];
    size_t n;
    int through = 0;

    hook_make(&h, p, 0, HOOK_NOW, NULL);
    snprintf(was, sizeof was, "%s", h.sig);
    n = strlen(was);
    for (size_t i = h.prefix; i < n; i++) {
        snprintf(text, sizeof text, "%s", was);
        if (text[i] >= 'a' && text[i] <= 'z') {
            text[i] = (char)(text[i] - 32);
            set_sig(&h, text);
            through += !no(p, judge(&h));
        }
        for (int bit = 1; bit < 256; bit <<= 1) {
            snprintf(text, sizeof text, "%s", was);
            text[i] = (char)(text[i] ^ bit);
            if (!text[i] || (p == DAS_HOOK_MATTERMOST && strchr("&%+#", text[i])))
                continue;
            /* "," and " " are between signatures, where there may be several */
            if ((p == DAS_HOOK_STANDARD || p == DAS_HOOK_PAGERDUTY) && strchr(", ", text[i]))
                continue;
            set_sig(&h, text);
            through += !no(p, judge(&h));
        }
    }
    is_int(through, 0, "%s: none of its characters can be another, or a capital", name_of(p));
    for (char *c = text + snprintf(text, sizeof text, "%s", was); c-- > text + h.prefix;)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
    set_sig(&h, text);
    ok(no(p, judge(&h)), "%s: all capitals", name_of(p));
    if (schemes[p].form == HEX)
        is_int(judge(&h), schemes[p].malformed, "%s: which is no form of it", name_of(p));
}

static void lengths(enum das_hook_platform p)
{
    struct hook h;
    char was[HOOK_TEXT], text[HOOK_TEXT];
    size_t n;
    int through = 0;

    hook_make(&h, p, 0, HOOK_NOW, NULL);
    snprintf(was, sizeof was, "%s", h.sig);
    n = strlen(was);
    for (size_t len = h.prefix; len < n; len++) {
        snprintf(text, len + 1, "%s", was);
        set_sig(&h, text);
        through += !no(p, judge(&h));
    }
    is_int(through, 0, "%s: no beginning of it will do", name_of(p));
    snprintf(text, n, "%s", was);
    set_sig(&h, text);
    is_int(judge(&h), schemes[p].form == TOKEN ? schemes[p].mismatch : schemes[p].malformed,
           "%s: one character less (odd hex, base64 without its end)", name_of(p));
    if (schemes[p].form == BASE64) {
        snprintf(text, n - 3, "%s", was);
        set_sig(&h, text);
        is_int(judge(&h), schemes[p].malformed, "%s: four characters less", name_of(p));
        snprintf(text, sizeof text, "%.300s====", was);
        set_sig(&h, text);
        is_int(judge(&h), schemes[p].malformed, "%s: more padding", name_of(p));
    }
    snprintf(text, sizeof text, "%.300s0", was);
    set_sig(&h, text);
    ok(no(p, judge(&h)), "%s: one character more", name_of(p));
    snprintf(text, sizeof text, "%.190s%.190s", was, was);
    text[sizeof text - 1] = '\0';
    set_sig(&h, text);
    ok(no(p, judge(&h)), "%s: twice in one", name_of(p));
}

/* --- headers ---------------------------------------------------------------------------------- */

static bool is_needed(const struct hook *h, size_t i)
{
    return strcmp(h->names[i], "Content-Type") != 0 && strncmp(h->names[i], "X-GitHub-", 9) != 0;
}

static void headers(enum das_hook_platform p)
{
    struct hook h;
    struct das_hook_verdict v = {0};
    char name[40];

    hook_make(&h, p, 0, HOOK_NOW, NULL);
    if (h.place == HOOK_IN_HEADER) {
        hook_header(&h, h.sig_header, h.sig);
        is_int(judge(&h), 400, "%s: the signature is there twice", name_of(p));
        snprintf(h.values[h.count - 1], HOOK_TEXT, "x");
        is_int(judge(&h), 400, "%s: the second is another", name_of(p));
        snprintf(h.values[h.count - 1], HOOK_TEXT, "%s", "");
        is_int(judge(&h), 400, "%s: the second is empty", name_of(p));
        for (char *c = h.names[h.count - 1]; *c; c++)
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
        is_int(judge(&h), 400, "%s: the second is in small letters", name_of(p));
        hook_make(&h, p, 0, HOOK_NOW, NULL);
        snprintf(name, sizeof name, "X-%.37s", h.sig_header);
        snprintf(h.sig_header, sizeof h.sig_header, "%s", name);
        is_int(judge(&h), schemes[p].malformed, "%s: the signature is missing", name_of(p));
        hook_make(&h, p, 0, HOOK_NOW, NULL);
        for (char *c = h.sig_header; *c; c++)
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
        is_int(judge(&h), 1, "%s: its name in small letters is its name", name_of(p));
    }
    for (size_t i = 0; i < HOOK_HEADERS; i++) {
        hook_make(&h, p, 0, HOOK_NOW, NULL);
        if (i >= h.count)
            break;
        hook_header(&h, h.names[i], h.values[i]);
        is_int(judge(&h), 400, "%s: %s is there twice", name_of(p), h.names[i]);
        h.count--;
        snprintf(h.values[i], HOOK_TEXT, "%s", "");
        is_int(judge(&h), schemes[p].malformed, "%s: %s is empty", name_of(p), h.names[i]);
        snprintf(h.names[i], sizeof h.names[i], "X-Other");
        hook_put_together(&h);
        if (das_hook_verify(&h.conf, &h.request, h.now_ms, &v, &err) < 0)
            hook_die(err.msg);
        hook_make(&h, p, 0, HOOK_NOW, NULL);
        if (is_needed(&h, i))
            ok(v.outcome == DAS_HOOK_REFUSED && v.status == schemes[p].malformed,
               "%s: %s is missing", name_of(p), h.names[i]);
        das_hook_verdict_clear(&v);
    }
}

/* --- twice ------------------------------------------------------------------------------------ */

static int deliver(struct das_store *s, struct hook *h)
{
    struct das_text ids[8];
    struct das_delivery d = {.hook = "h", .ids = ids};
    struct das_hook_verdict v = {0};
    int rc;

    hook_put_together(h);
    must(das_hook_verify(&h->conf, &h->request, h->now_ms, &v, &err) == 0 &&
             v.outcome == DAS_HOOK_ACCEPTED && v.id_count > 0 && v.id_count <= 8,
         "%s: accepted: %s", name_of(h->platform), v.reason);
    for (size_t i = 0; i < v.id_count; i++)
        ids[i] = das_text_of(v.ids[i].text);
    ok(v.keep_ms >= 2 * v.window_ms && v.keep_ms > 0 &&
           v.window_ms == schemes[h->platform].window * 1000,
       "%s: it is remembered at least twice its window", name_of(h->platform));
    d.count = v.id_count;
    d.proof = v.proof;
    d.keep_ms = v.keep_ms;
    rc = das_delivery_note(s, &d, h->now_ms, NULL, &err);
    das_hook_verdict_clear(&v);
    return rc;
}

static void twice(enum das_hook_platform p)
{
    struct das_store *s;
    struct hook h;
    int n = p == DAS_HOOK_GRAFANA || p == DAS_HOOK_ALERTMANAGER ? 2 : 1;

    must(das_store_open_in_memory(&s, &err) == 0, "a store");
    hook_make(&h, p, 0, HOOK_NOW, NULL);
    is_int(deliver(s, &h), n, "%s: a delivery", name_of(p));
    is_int(deliver(s, &h), 0, "%s: the same again", name_of(p));
    hook_make(&h, p, 1, HOOK_NOW, NULL);
    is_int(deliver(s, &h), 0, "%s: and signed anew", name_of(p));
    das_store_close(s);
}

/* Whose body or id is not signed: a signature is good for one delivery. */
static void replayed(void)
{
    struct das_store *s;
    struct hook h;

    must(das_store_open_in_memory(&s, &err) == 0, "a store");
    hook_make(&h, DAS_HOOK_DINGTALK, 0, HOOK_NOW, NULL);
    is_int(deliver(s, &h), 1, "dingtalk: a message");
    hook_body(&h, "{\"msgtype\":\"text\",\"text\":{\"content\":\"kill\"},\"msgId\":\"other\"}");
    is_int(deliver(s, &h), DAS_DELIVERY_REPLAYED, "dingtalk: another under its signature");
    hook_make(&h, DAS_HOOK_GITHUB, 0, HOOK_NOW, NULL);
    is_int(deliver(s, &h), 1, "github: an event");
    snprintf(h.values[0], HOOK_TEXT, "00000000-cc78-11e3-81ab-4c9367dc0958");
    is_int(deliver(s, &h), DAS_DELIVERY_REPLAYED, "github: again, as another delivery");
    das_store_close(s);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void no_memory(enum das_hook_platform p)
{
    struct das_hook_verdict v = {0};
    struct hook h;
    long n;
    int bad = 0;

    hook_make(&h, p, 0, HOOK_NOW, NULL);
    for (n = 1; n < 1000; n++) {
        bool failed;
        int rc;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        rc = das_hook_verify(&h.conf, &h.request, h.now_ms, &v, &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += rc < 0 ? err.code != DAS_E_NOMEM || v.outcome != DAS_HOOK_REFUSED || v.status != 500
                      : v.outcome != DAS_HOOK_ACCEPTED;
        if (!failed)
            break;
        bad += rc == 0;
        das_hook_verdict_clear(&v);
    }
    ok(!bad && n < 1000, "%s: %ld failing allocations let nothing in", name_of(p), n - 1);
    das_hook_verdict_clear(&v);
}

int main(void)
{
    for (int i = 0; i < DAS_HOOK_PLATFORMS; i++) {
        enum das_hook_platform p = (enum das_hook_platform)i;
        good(p);
        body(p);
        window(p);
        times(p);
        prefixes(p);
        letters(p);
        lengths(p);
        headers(p);
        twice(p);
        no_memory(p);
    }
    envelope();
    replayed();
    return tap_done();
}
