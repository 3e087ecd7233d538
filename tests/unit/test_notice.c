/* test_notice.c - messages: what is kept of them, and pages that nothing breaks out of. */
#include "tests/unit/channel_kit.h"

static struct das_err err;

static const char *page(enum das_markup markup, enum das_unit unit, size_t max, const char *text,
                        bool code)
{
    static char out[4][2000];
    static unsigned next;
    char *to = out[next++ % 4];
    struct das_buf b = {0};
    struct das_page p;

    das_page_init(&p, &b, markup, unit, max);
    p.code = code;
    das_page_text(&p, das_text_of(text), SIZE_MAX, true);
    ok(p.used <= max && p.used == das_page_measure(unit, das_buf_view(&b)),
       "what it says it used is what it used, within %zu", max);
    snprintf(to, sizeof out[0], "%s", b.ptr ? b.ptr : "");
    das_buf_clear(&b);
    return to;
}

#define APART "\xe2\x80\x8b"

static void markup(void)
{
    is_str(page(DAS_MARKUP_NONE, DAS_UNIT_BYTES, 100, "a <b> & @c", false), "a <b> & @c", "plain");
    is_str(page(DAS_MARKUP_SLACK, DAS_UNIT_BYTES, 100, "<!channel> & \"", false),
           "&lt;!channel&gt; &amp; \"", "Slack's entities");
    is_str(page(DAS_MARKUP_HTML, DAS_UNIT_BYTES, 100, "</pre>\"@x", false),
           "&lt;/pre&gt;&quot;@" APART "x", "HTML, and no mention");
    is_str(page(DAS_MARKUP_BACKSLASH, DAS_UNIT_BYTES, 100, "[a](b) @all <@1>", false),
           "\\[a\\]\\(b\\) @" APART "all <" APART "@" APART "1>", "Markdown with backslashes");
    is_str(page(DAS_MARKUP_APART, DAS_UNIT_BYTES, 100, "[a](b)", false), "[" APART "a]" APART "(b)",
           "Markdown without");
    is_str(page(DAS_MARKUP_BACKSLASH, DAS_UNIT_BYTES, 100, "a``` `b` ``", true),
           "a`" APART "`" APART "` `b` `" APART "`", "a block of code cannot be ended");
    is_str(page(DAS_MARKUP_NONE, DAS_UNIT_BYTES, 100, "a\x01\tb\nc\x7f", false), "a  b\nc ",
           "control characters are blanks, line breaks stay");
    is_str(page(DAS_MARKUP_NONE, DAS_UNIT_BYTES, 100,
                "a\xff\xe2\x80\xae"
                "b",
                false),
           "a\xef\xbf\xbd"
           "b",
           "what is no text, and what turns it around");
}

static void cuts(void)
{
    const char *smile = "\xf0\x9f\x98\x80";

    is_str(page(DAS_MARKUP_NONE, DAS_UNIT_BYTES, 8, "abcdefgh", false), "abcdefgh", "just fits");
    is_str(page(DAS_MARKUP_NONE, DAS_UNIT_BYTES, 8, "abcdefghi", false), "abcde\xe2\x80\xa6",
           "bytes: the ellipsis has three");
    is_str(page(DAS_MARKUP_NONE, DAS_UNIT_CHARS, 8, "abcdefghi", false), "abcdefg\xe2\x80\xa6",
           "characters: one");
    for (size_t max = 0; max < 20; max++) {
        char text[100] = "";
        const char *got;
        for (int i = 0; i < 10; i++)
            strcat(text, smile);
        got = page(DAS_MARKUP_NONE, DAS_UNIT_BYTES, max, text, false);
        ok(das_utf8_valid(das_text_of(got)) && strlen(got) <= max, "no half character at %zu", max);
        got = page(DAS_MARKUP_NONE, DAS_UNIT_UTF16, max, text, false);
        ok(das_utf8_valid(das_text_of(got)), "nor in UTF-16");
        got = page(DAS_MARKUP_SLACK, DAS_UNIT_CHARS, max, "&&&&&&&&&&", false);
        ok(strlen(got) % 5 == 0 || strstr(got, "\xe2\x80\xa6"), "no half entity: %s", got);
        ok(!strstr(got, "&\xe2") && !strstr(got, "&a\xe2") && !strstr(got, "&am\xe2") &&
               !strstr(got, "&amp\xe2"),
           "nor before the ellipsis");
        got = page(DAS_MARKUP_BACKSLASH, DAS_UNIT_CHARS, max, "**********", false);
        ok(!strstr(got, "\\\xe2"), "no backslash alone: %s", got);
    }
    is_int(das_page_measure(DAS_UNIT_JSON, das_text_of("a\"\n\x01\xc3\xa9")), 13, "inside JSON");
}

/* Each line is whole, none is lost without being counted. */
static void sessions(void)
{
    struct das_notice n;
    struct das_buf b = {0};
    struct das_page p;
    size_t shown;

    notice_texts(&n, "t", "x");
    notice_sessions(&n, 500, "select '\xf0\x9f\x98\x80' from `t` where a = 'secret'", true);
    is_int(n.row_count, DAS_NOTICE_ROWS, "so many are kept");
    is_int(n.row_total, 500, "and all are counted");
    for (size_t max = 0; max < 1500; max += 37) {
        das_buf_reset(&b);
        das_page_init(&p, &b, DAS_MARKUP_SLACK, DAS_UNIT_CHARS, max);
        shown = das_page_table(&p, &n, 10);
        if (shown > 10 || p.used > max ||
            (shown && b.ptr[b.len - 1] != '`' && b.ptr[b.len - 1] != '?'))
            ok(false, "%zu sessions within %zu: %s", shown, max, b.ptr);
    }
    ok(!strstr(b.ptr, "secret"), "only the shape of a statement");
    has_str(b.ptr,
            "id user host     db   command s   statement\n1  app  10.0.0.7 shop Query   100 select",
            "columns of equal width");
    das_buf_reset(&b);
    das_page_init(&p, &b, DAS_MARKUP_NONE, DAS_UNIT_CHARS, 1000);
    das_page_more(&p, &n, 10);
    is_str(b.ptr, "\xe2\x80\xa6 and 490 more sessions", "the rest is counted");
    das_buf_reset(&b);
    das_page_init(&p, &b, DAS_MARKUP_NONE, DAS_UNIT_CHARS, 1000);
    is_int(das_page_list(&p, &n, 1), 1, "as sentences");
    has_str(b.ptr, "1: app, 10.0.0.7, shop, Query 100 s: select", "which say the same");
    das_buf_clear(&b);
    das_notice_clear(&n);
}

static void links_in_statements(void)
{
    const struct das_style style = {.bold = "", .bold_end = "", .apart = true, .rows = 5};
    struct das_notice n;
    struct das_buf b = {0};
    struct das_page p;

    notice_texts(&n, "t", "see http://wiki.example/runbook");
    notice_sessions(&n, 1, "select 1 /* http://evil.example/x */", false);
    das_page_init(&p, &b, DAS_MARKUP_NONE, DAS_UNIT_CHARS, 1000);
    das_page_compose(&p, &n, &style);
    has_str(b.ptr, "see http://wiki.example/runbook", "an address of the author's is one");
    has_str(b.ptr, "http:" APART "//evil.example", "one in a statement is none");
    das_buf_clear(&b);
    das_notice_clear(&n);
}

/* Whatever is in it, a composed text keeps to its limit, and is whole. */
static void composed(void)
{
    const struct das_style style = {.bold = "**",
                                    .bold_end = "**",
                                    .code = "```\n",
                                    .code_end = "\n```",
                                    .link = "[more](",
                                    .link_end = ")",
                                    .title = true,
                                    .rows = 30};
    struct das_notice n;
    size_t bad = 0;

    notice_hostile(&n);
    for (int unit = DAS_UNIT_BYTES; unit <= DAS_UNIT_JSON; unit++) {
        for (int m = DAS_MARKUP_NONE; m <= DAS_MARKUP_APART; m++) {
            for (size_t max = 600; max < 9000; max += 391) {
                struct das_buf b = {0};
                struct das_page p;
                das_page_init(&p, &b, (enum das_markup)m, (enum das_unit)unit, max);
                das_page_compose(&p, &n, &style);
                bad += das_page_measure((enum das_unit)unit, das_buf_view(&b)) > max ||
                       !das_utf8_valid(das_buf_view(&b)) || !strstr(b.ptr, " session") ||
                       strstr(b.ptr, "```\n\n```") ||
                       !strstr(b.ptr, "[more](https://das.example/a?b=%271%27");
                das_buf_clear(&b);
            }
        }
    }
    is_int(bad, 0, "within its limit, whole, with the count and the link");
    das_notice_clear(&n);
}

static void json(void)
{
    struct das_notice n, back;
    struct das_buf a = {0}, b = {0};

    notice_hostile(&n);
    ok(das_notice_button(&n, das_text_of("Approve"), das_text_of("a:1"), false, &err) == 0 &&
           das_notice_button(&n, das_text_of("Deny"), das_text_of("d:1"), true, &err) == 0,
       "buttons");
    das_notice_text(&n, &n.dedup, das_text_of("k"), 10, &err);
    n.event = DAS_RESOLVE;
    das_notice_write(&n, &a);
    must(das_notice_read(&back, das_buf_view(&a), &err) == 0, "read again: %s", err.msg);
    das_notice_write(&back, &b);
    /* what is no UTF-8 has become U+FFFD, which takes more bytes: texts may be cut once more */
    is_int(back.row_total, 5000, "sessions");
    is_int(back.field_count, DAS_NOTICE_FIELDS, "fields");
    is_int(back.button_count, 2, "buttons");
    ok(back.buttons[1].danger && back.event == DAS_RESOLVE && back.severity == DAS_ERROR &&
           das_text_is(back.dedup, "k") && back.at_ms == n.at_ms,
       "and the rest");
    das_notice_clear(&back);
    ok(das_notice_read(&back, das_text_of("[1]"), &err) < 0 && err.code == DAS_E_DATA,
       "what is none is refused");
    das_notice_clear(&back);
    das_notice_clear(&n);
    das_buf_clear(&a);
    das_buf_clear(&b);
}

static void refusals(void)
{
    static const char *const links[] = {"javascript:alert(1)", "https://a b", "https://a\"b",
                                        "https://a>b",         "ftp://a",     "https://a|b",
                                        "http://a\nb"};
    struct das_notice n;

    notice_texts(&n, "t", "x");
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        ok(das_notice_link(&n, das_text_of(links[i]), &err) < 0 && err.code == DAS_E_USAGE,
           "no link: %zu", i);
    ok(das_notice_button(&n, das_text_of(""), das_text_of("x"), false, &err) < 0,
       "a button without a label");
    for (int i = 0; i < DAS_NOTICE_BUTTONS; i++)
        das_notice_button(&n, das_text_of("a"), das_text_of("x"), false, &err);
    ok(das_notice_button(&n, das_text_of("a"), das_text_of("x"), false, &err) < 0, "too many");
    das_notice_clear(&n);
}

/* No allocation that fails leaks, or is taken for a message. */
static void no_memory(void)
{
    struct das_notice n, back;
    struct das_buf b = {0};
    int failed = 0;

    notice_texts(&n, "t", "x");
    notice_sessions(&n, 3, "select 1", true);
    das_notice_write(&n, &b);
    for (long i = 1;; i++) {
        int rc;
        das_alloc_fail_at(i);
        rc = das_notice_read(&back, das_buf_view(&b), &err);
        das_notice_clear(&back);
        if (!das_alloc_failed())
            break;
        failed += rc < 0;
    }
    das_alloc_fail_at(0);
    ok(failed > 0, "each was an error: %d", failed);
    das_notice_clear(&n);
    das_buf_clear(&b);
}

int main(void)
{
    markup();
    cuts();
    sessions();
    links_in_statements();
    composed();
    json();
    refusals();
    no_memory();
    return tap_done();
}
