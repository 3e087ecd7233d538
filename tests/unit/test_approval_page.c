/* test_approval_page.c - the page of a request as HTML: what comes from a database or a person is text
 * on it, and nothing else. */
#include "core/serve/page_html.h"

#include "tests/unit/approval_kit.h"

static char *html(const char *text)
{
    static struct das_buf b;

    das_buf_clear(&b);
    das_html_text(&b, das_text_of(text));
    return b.ptr ? b.ptr : "";
}

static void texts(void)
{
    is_str(html("<a href='x' b=\"y\">&amp;"),
           "&#60;a href=&#39;x&#39; b=&#34;y&#34;&#62;&#38;amp;", "no byte is markup");
    is_str(html("a\xe2\x80\xae b\xe2\x81\xa6"
                "c\x01\x1b[1m"),
           "a  b c  [1m", "nothing turns text around, or drives anything");
    is_str(html("\xff<"), "\xef\xbf\xbd&#60;", "a byte that is no UTF-8 hides none behind it");
}

static size_t count(const char *in, const char *what)
{
    size_t n = 0;

    for (const char *p = in; (p = strstr(p, what)); p++)
        n++;
    return n;
}

static void page(void)
{
    static const char evil[] = "</code><form action=//evil><script>alert(1)</script>";
    struct das_plan *plan;
    struct das_approval *a;
    struct das_approval_ask ask = ask_of(NULL);
    struct das_buf b = {0};

    begin();
    victims[0].sql_info = das_text_of(evil);
    victims[0].user = das_text_of(evil);
    ask.reason = evil;
    ask.by = evil;
    need_ok(request(&ask));
    need_ok(das_approval_get(store, id, &a, &err));
    plan = das_plan_read(a->plan, &err);
    need_ok(plan ? 0 : -1);
    das_html_approval(&b, a, plan, "alice", "0123");
    das_buf_char(&b, '\0');
    is_int(count(b.ptr, "<script"), 0, "no script");
    is_int(count(b.ptr, "<form"), 1, "one form");
    ok(count(b.ptr, "&#60;script&#62;alert(1)") == 4, "what was said is shown as it is, four times");
    ok(strstr(b.ptr, "name=\"form\" value=\"0123\"") && strstr(b.ptr, a->hash),
       "the form names itself and the plan");
    ok(strstr(b.ptr, "made for alice"), "and whom it is for");
    das_buf_reset(&b);
    das_html_approval(&b, a, plan, "alice", NULL);
    das_buf_char(&b, '\0');
    is_int(count(b.ptr, "<form"), 0, "without a form it only shows");
    das_buf_clear(&b);
    das_plan_release(plan);
    das_approval_free(a);
}

int main(void)
{
    stage_begin();
    texts();
    page();
    html("");
    return stage_end();
}
