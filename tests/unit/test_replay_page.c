/* test_replay_page.c - a report's JSON in its page: nothing of it is HTML or ends its element, and
 * it reads back as it was. */
#include "core/replay/page.h"

#include "core/base/json.h"
#include "tests/unit/kit.h"

static struct das_err err;

#define OPENING "<script type=\"application/json\" id=\"report\">\n"

/* What stands where the page has its data: between the opening and the first end of an element. */
static struct das_text data_of(const struct das_buf *page)
{
    const char *from = strstr(page->ptr, OPENING), *to;

    must(from, "the page has a place for its data");
    from += strlen(OPENING);
    to = strstr(from, "</script");
    must(to, "which ends");
    while (to > from && to[-1] == '\n')
        to--;
    return das_text(from, (size_t)(to - from));
}

static void holds(const char *json, const char *want)
{
    struct das_buf page = {0};
    struct das_text data;
    char *got;

    must(das_replay_page(das_text_of(json), &page, &err) == 0, "a page of %s", json);
    data = data_of(&page);
    got = strndup(data.ptr, data.len);
    is_str(got, want, "its data");
    free(got);
    das_buf_clear(&page);
}

/* Any bytes as a string of the report, there and back. */
static void returns(const char *bytes, size_t len)
{
    struct das_buf json = {0}, page = {0};
    struct das_text data;
    json_t *value, *want;

    das_buf_char(&json, '{');
    das_json_key_text(&json, "x", das_text(bytes, len));
    das_buf_char(&json, '}');
    must(das_replay_page(das_buf_view(&json), &page, &err) == 0, "a page");
    data = data_of(&page);
    ok(!memchr(data.ptr, '<', data.len) && !memchr(data.ptr, '>', data.len) &&
           !memchr(data.ptr, '&', data.len) && !memmem(data.ptr, data.len, "\xe2\x80\xa8", 3) &&
           !memmem(data.ptr, data.len, "\xe2\x80\xa9", 3),
       "nothing in the data is anything to HTML");
    value = das_json_parse(data.ptr, data.len, NULL, &err);
    want = das_json_parse(json.ptr, json.len, NULL, &err);
    must(value && want, "it is JSON");
    ok(json_equal(value, want), "and says the same");
    json_decref(value);
    json_decref(want);
    das_buf_clear(&json);
    das_buf_clear(&page);
}

static void refused(struct das_text json)
{
    struct das_buf page = {0};

    ok(das_replay_page(json, &page, &err) < 0 && err.code == DAS_E_DATA && !page.len,
       "refused, and nothing was written");
    has_str(err.msg, "expected a JSON object", "and why");
    das_buf_clear(&page);
}

static void whole(void)
{
    struct das_buf page = {0};

    das_buf_str(&page, "before");
    must(das_replay_page(das_text_of("{}"), &page, &err) == 0, "a page");
    ok(strncmp(page.ptr, "before<!DOCTYPE html>", 21) == 0, "it is appended");
    has_str(page.ptr,
            "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src "
            "'unsafe-inline'; img-src data:\"",
            "its policy allows no request");
    has_str(page.ptr, "</html>", "it is whole");
    ok(!strstr(page.ptr, "@style@") && !strstr(page.ptr, "@script@") && !strstr(page.ptr, "@data@"),
       "no part is missing");
    ok(page.len < 60000, "it is under 60 kB: %zu", page.len);
    das_buf_clear(&page);
}

int main(void)
{
    static const char *const pieces[] = {
        "<",
        ">",
        "&",
        "</script>",
        "<!--",
        "-->",
        "<script",
        "]]>",
        "\\",
        "\"",
        "'",
        "u003c",
        "\n",
        "\xe2\x80\xa8",
        "\xe2\x80\xa9",
        "\xe2\x80\xaa",
        "\xe2\x80",
        "\xe2",
        "\xff",
        "\xc3\xa9",
        "a",
    };

    holds("{}", "{}");
    holds(" {\"a\":1}\n", "{\"a\":1}");
    holds("{\"a\":\"</script><b>&\"}", "{\"a\":\"\\u003c/script\\u003e\\u003cb\\u003e\\u0026\"}");
    holds("{\"a\":\"<!--<script>-->\"}", "{\"a\":\"\\u003c!--\\u003cscript\\u003e--\\u003e\"}");
    holds("{\"a\":\"\xe2\x80\xa8 \xe2\x80\xa9 \xe2\x80\xaa\"}",
          "{\"a\":\"\\u2028 \\u2029 \xe2\x80\xaa\"}");
    holds("{</script>}", "{\\u003c/script\\u003e}");
    kit_seed(1);
    for (int round = 0; round < 50; round++) {
        struct das_buf b = {0};
        for (size_t n = kit_below(30); n; n--)
            das_buf_str(&b, KIT_PICK(pieces));
        returns(b.ptr ? b.ptr : "", b.len);
        das_buf_clear(&b);
    }
    returns("a\0<b", 4);
    refused(das_text_of(""));
    refused(DAS_TEXT_NULL);
    refused(das_text_of("{"));
    refused(das_text_of("[1]"));
    refused(das_text_of("null"));
    whole();
    return tap_done();
}
