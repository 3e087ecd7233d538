/* test_http_message.c - what may be sent, where a URL leads, how long to wait. */
#include "core/http/client.h"
#include "core/http/url.h"
#include "tests/unit/tap.h"

static struct das_err err;

static void headers(void)
{
    struct das_http_headers h;
    char name[20];

    das_http_headers_init(&h);
    ok(!das_http_headers_get(&h, "x").ptr, "none");
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "X-%d", i % 10);
        must(das_http_headers_add(&h, das_text_of(name), das_text(name, i < 10 ? 2 : 3), false,
                                  &err) == 0, "one");
    }
    is_int(h.count, 20, "twenty");
    ok(das_text_is(das_http_headers_get(&h, "x-7"), "X-7"), "the last of a name");
    das_http_headers_reset(&h);
    is_int(h.count, 0, "and none");
    must(das_http_headers_add(&h, das_text_of("A"), das_text_of(""), true, &err) == 0, "one more");
    ok(h.items[0].secret && h.items[0].value.len == 0, "as it was given");
    ok(!das_http_header_travels(&h.items[0]), "a secret does not travel");
    das_http_headers_clear(&h);
}

static void refused(const char *name, const char *value, size_t len, const char *why)
{
    ok(das_http_check_header(das_text_of(name), das_text(value, len), &err) < 0 &&
           err.code == DAS_E_USAGE && strstr(err.msg, why), "refused: %s", err.msg);
}

static void checks(void)
{
    static const char *const good[] = {"GET", "POST", "PURGE", "X"};
    static const char *const bad[] = {"", "get", "GET ", "A-B", "CONNECT", "TRACE", "TRACK",
                                      "ABCDEFGHIJKLMNOPQRSTU", "GET\r\nX"};

    ok(das_http_check_header(das_text_of("X-Any_thing.1"), das_text_of("a\tb \xc3\xa4"), &err) == 0,
       "a header");
    refused("A", "b\r", 2, "A: a control character (0x0d) at place 2");
    refused("A", "\0", 1, "A: a control character (0x00)");
    refused("A", "\x7f", 1, "A: a control character (0x7f)");
    refused("A B", "", 0, "a name is");
    refused("A:", "", 0, "a name is");
    refused("\xc3\xa4", "", 0, "a name is");
    refused("", "", 0, "a name is");
    refused("HOST", "x", 1, "HOST is set by das");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ok(das_http_check_method(das_text_of(good[i]), &err) == 0, "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(das_http_check_method(das_text_of(bad[i]), &err) < 0, "not a method: %s", err.msg);
    ok(das_http_idempotent("PUT") && das_http_idempotent("OPTIONS"), "to be sent twice");
    ok(!das_http_idempotent("POST") && !das_http_idempotent("PATCH") &&
           !das_http_idempotent("PURGE"), "once");
}

static void parses(const char *text, const char *host, const char *origin)
{
    struct das_url u;

    if (!ok(das_url_parse(&u, text, &err) == 0, "%s", text)) {
        tap_diag("%s", err.msg);
        return;
    }
    is_str(u.host, host, "its host");
    is_str(u.origin, origin, "its origin");
    das_url_clear(&u);
}

static void follows(const char *from, const char *location, const char *want)
{
    struct das_url u, to;

    must(das_url_parse(&u, from, &err) == 0, "%s", from);
    if (das_url_follow(&to, &u, location, &err) < 0) {
        is_str(err.msg, want, "%s to %s", from, location);
    } else {
        is_str(to.text, want, "%s to %s", from, location);
        das_url_clear(&to);
    }
    das_url_clear(&u);
}

static void urls(void)
{
    static const char *const bad[] = {
        "", "x", "//host/", "http:", "http://", "http://:80/", "http://a b/",
        "http://a/\n", "http://a/\x7f", "http://a/\xc3\xa4", "http://u@a/", "http://u:p@a/",
        "http://:p@a/", "ftp://a/", "file:///etc/passwd", "javascript:alert(1)", "http://a:99999/",
        "http://a:b/", "http://[::1", "http://[fe80::1%25eth0]/", "http://a%00b/", "http://a\"b/",
        "http://a%2fb/", "http://[::1]x/"};
    char longest[9000];

    parses("http://Example.COM", "example.com", "http://example.com:80");
    parses("https://a.b./x?y#z", "a.b", "https://a.b:443");
    parses("http://[::1]:8080/", "::1", "http://[::1]:8080");
    parses("http://127.1/", "127.0.0.1", "http://127.0.0.1:80");
    parses("http://0x7f000001/", "127.0.0.1", "http://127.0.0.1:80");
    parses("http://017700000001/", "127.0.0.1", "http://127.0.0.1:80");
    parses("http://a%2db/", "a-b", "http://a-b:80");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct das_url u;
        ok(das_url_parse(&u, bad[i], &err) < 0 && err.code == DAS_E_USAGE &&
               strncmp(err.msg, "url: ", 5) == 0, "%s: %s", bad[i], err.msg);
    }
    snprintf(longest, sizeof longest, "http://a/%08900d", 0);
    ok(das_url_parse(&(struct das_url){0}, longest, &err) < 0, "too long: %s", err.msg);
    snprintf(longest, sizeof longest, "http://a%0255d/", 0);
    ok(das_url_parse(&(struct das_url){0}, longest, &err) < 0, "a host too long: %s", err.msg);

    follows("http://a/x/y?q", "z", "http://a/x/z");
    follows("http://a/x/y", "/z#f", "http://a/z");
    follows("http://a/x/y", "//b/z", "http://b/z");
    follows("https://a/x/y", "?n=1", "https://a/x/y?n=1");
    follows("http://a/x", "https://b:8443/", "https://b:8443/");
    follows("http://a/x", "/a b", "http://a/a%20b");
    follows("http://a/x", "file:///etc/passwd",
            "url: expected http:// or https://, got file:");
}

static void waits(void)
{
    struct das_http_retry r = {.times = 5, .wait_ms = 100, .max_wait_ms = 1000};

    is_int(das_http_backoff(&r, 1, -1, UINT32_MAX), 100, "the first");
    is_int(das_http_backoff(&r, 2, -1, UINT32_MAX), 200, "the second");
    is_int(das_http_backoff(&r, 4, -1, UINT32_MAX), 800, "the fourth");
    is_int(das_http_backoff(&r, 5, -1, UINT32_MAX), 1000, "never longer");
    is_int(das_http_backoff(&r, 2000000000, -1, UINT32_MAX), 1000, "whatever happens");
    is_int(das_http_backoff(&r, 3, -1, 0), 0, "anything down to nothing");
    is_int(das_http_backoff(&r, 3, -1, UINT32_MAX / 2), 199, "or in the middle");
    is_int(das_http_backoff(&r, 1, 1000, 0), 1000, "what the server asks for");
    is_int(das_http_backoff(&r, 1, 1001, 0), -1, "unless it asks for more");
    r.max_wait_ms = INT64_MAX / 4;
    r.wait_ms = 3600000;
    ok(das_http_backoff(&r, 20, -1, UINT32_MAX) > 0, "no overflow");
}

int main(void)
{
    headers();
    checks();
    urls();
    waits();
    return tap_done();
}
