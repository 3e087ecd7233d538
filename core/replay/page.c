/*
 * page.c - puts a report's JSON into the page that the Makefile compiled in.
 *
 * Called by whoever prints a replay. Never reads or judges the report: the page does that, in the
 * reader's browser.
 */
#include "core/replay/page.h"

#include "core/replay/page_bytes.h"

/* What ends a script element, opens a comment in it or is a line end to JavaScript only. In JSON
 * these stand in strings alone, where an escape means the same character. */
static size_t escape_of(const char *p, size_t len, const char **escape)
{
    switch (*p) {
    case '<':
        *escape = "\\u003c";
        return 1;
    case '>':
        *escape = "\\u003e";
        return 1;
    case '&':
        *escape = "\\u0026";
        return 1;
    case '\xe2':
        if (len < 3 || p[1] != '\x80' || (p[2] != '\xa8' && p[2] != '\xa9'))
            return 0;
        *escape = p[2] == '\xa8' ? "\\u2028" : "\\u2029";
        return 3;
    default:
        return 0;
    }
}

static void add_escaped(struct das_buf *out, struct das_text json)
{
    const char *p = json.ptr, *end = json.ptr + json.len, *plain = p, *escape = NULL;

    while (p < end) {
        size_t n = escape_of(p, (size_t)(end - p), &escape);
        if (!n) {
            p++;
            continue;
        }
        das_buf_add(out, plain, (size_t)(p - plain));
        das_buf_str(out, escape);
        plain = p += n;
    }
    das_buf_add(out, plain, (size_t)(p - plain));
}

int das_replay_page(struct das_text json, struct das_buf *out, struct das_err *err)
{
    json = das_text_trim(json);
    if (json.len < 2 || json.ptr[0] != '{' || json.ptr[json.len - 1] != '}')
        return das_fail(err, DAS_E_DATA, "report: expected a JSON object");
    das_buf_add(out, das_page_head, das_page_head_size);
    add_escaped(out, json);
    das_buf_add(out, das_page_tail, das_page_tail_size);
    return das_buf_ok(out, err);
}
