/* page_html.c - see page_html.h. */
#include "core/serve/page_html.h"

#include <string.h>

#include "core/base/clock.h"

#define ROWS_MAX 200
#define SQL_MAX 400 /* bytes of a statement */

void das_html_text(struct das_buf *b, struct das_text t)
{
    uint32_t code;
    size_t n;

    for (size_t i = 0; i < t.len; i += n) {
        n = das_utf8_next(t.ptr + i, t.len - i, &code);
        if (!n) {
            das_buf_str(b, "\xef\xbf\xbd");
            n = 1;
        } else if (code == '&' || code == '<' || code == '>' || code == '"' || code == '\'') {
            das_buf_printf(b, "&#%u;", (unsigned)code);
        } else if ((code < 0x20 && code != '\n') || code == 0x7f ||
                   (code >= 0x200b && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) ||
                   (code >= 0x2066 && code <= 0x2069)) {
            das_buf_char(b, ' '); /* what turns text around would show another plan */
        } else {
            das_buf_add(b, t.ptr + i, n);
        }
    }
}

static void begin(struct das_buf *b, const char *title)
{
    das_buf_str(b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width\">"
                   "<meta name=\"robots\" content=\"noindex\"><title>");
    das_html_text(b, das_text_of(title));
    das_buf_str(b, "</title><style>body{font:16px/1.5 sans-serif;margin:2em auto;max-width:70em;"
                   "padding:0 1em}table{border-collapse:collapse;font-size:14px}td,th{border:1px "
                   "solid #bbb;padding:.2em .6em;text-align:left;vertical-align:top}"
                   "code{white-space:pre-wrap;word-break:break-all}dt{font-weight:bold;float:left;"
                   "width:9em}label{display:block;margin:.6em 0}button{font-size:16px;"
                   "padding:.3em 1.2em;margin-right:1em}</style></head><body><h1>");
    das_html_text(b, das_text_of(title));
    das_buf_str(b, "</h1>\n");
}

void das_html_word(struct das_buf *b, const char *title, const char *words)
{
    begin(b, title);
    das_buf_str(b, "<p>");
    das_html_text(b, das_text_of(words));
    das_buf_str(b, "</p></body></html>\n");
}

/* --- the request ------------------------------------------------------------------------------ */

static void line(struct das_buf *b, const char *name, struct das_text value)
{
    if (!value.len)
        return;
    das_buf_printf(b, "<dt>%s</dt><dd>", name);
    das_html_text(b, value);
    das_buf_str(b, "</dd>\n");
}

static void put_facts(struct das_buf *b, const struct das_approval *a, const struct das_plan *plan)
{
    struct das_buf text = {0};
    char until[32];

    das_clock_iso(a->expires_ms / 1000, until, sizeof until);
    das_approval_words(a, &text);
    das_buf_str(b, "<dl>");
    line(b, "state", das_buf_view(&text));
    das_buf_reset(&text);
    das_filter_print(das_plan_filter(plan), &text);
    line(b, "instance", das_text_of(a->instance));
    line(b, "reason", das_text_of(a->reason));
    line(b, "filter", das_buf_view(&text));
    line(b, "kills the", das_text_of(das_mode_name(das_plan_mode(plan))));
    line(b, "asked by", das_text_of(*a->person ? a->person : a->by));
    line(b, "policy", das_text_of(a->policy));
    line(b, "until", das_text_of(until));
    line(b, "plan", das_text_of(a->hash));
    das_buf_str(b, "</dl>\n");
    das_buf_clear(&text);
}

static void cell(struct das_buf *b, struct das_text t)
{
    das_buf_str(b, "<td>");
    das_html_text(b, t);
    das_buf_str(b, "</td>");
}

static void begin_sessions(struct das_buf *b)
{
    das_buf_str(b, "<table><tr><th>id</th><th>user</th><th>host</th><th>db</th><th>command</th>"
                   "<th>seconds</th><th>statement</th></tr>\n");
}

static void put_session(struct das_buf *b, const struct das_notice_row *r)
{
    das_buf_printf(b, "<tr><td>%lld</td>", (long long)r->id);
    cell(b, r->user);
    cell(b, r->host);
    cell(b, r->db);
    cell(b, r->command);
    das_buf_str(b, "<td>");
    if (das_known(r->time))
        das_buf_int(b, r->time);
    das_buf_str(b, "</td><td><code>");
    das_html_text(b, das_text(r->sql.ptr, r->sql.len < SQL_MAX ? r->sql.len : SQL_MAX));
    das_buf_str(b, r->sql.len > SQL_MAX ? " \xe2\x80\xa6</code></td></tr>\n"
                                        : "</code></td></tr>\n");
}

static void end_sessions(struct das_buf *b, int64_t others)
{
    das_buf_str(b, "</table>\n");
    if (others > 0)
        das_buf_printf(b, "<p>and %lld more</p>\n", (long long)others);
}

static void put_victims(struct das_buf *b, const struct das_plan *plan)
{
    size_t count = das_plan_victims(plan);
    struct das_session s;

    begin_sessions(b);
    for (size_t i = 0; i < count && i < ROWS_MAX; i++) {
        das_plan_victim(plan, i, &s);
        put_session(b, &(struct das_notice_row){.id = s.id,
                                                .time = s.state_duration,
                                                .user = s.user,
                                                .host = s.host,
                                                .db = s.db,
                                                .command = s.command,
                                                .sql = s.sql_info});
    }
    end_sessions(b, (int64_t)count - ROWS_MAX);
}

static void put_form(struct das_buf *b, const struct das_approval *a, const char *person,
                     const char *form)
{
    das_buf_str(b, "<form method=\"post\" autocomplete=\"off\"><p>This page was made for ");
    das_html_text(b, das_text_of(person));
    das_buf_printf(b,
                   ", and works once. What is unchanged when the last yes comes is killed.</p>\n"
                   "<input type=\"hidden\" name=\"form\" value=\"%s\">"
                   "<input type=\"hidden\" name=\"plan\" value=\"%s\">",
                   form, a->hash);
    das_buf_str(b, "<label>Your access token of das serve <input type=\"password\" name=\"token\" "
                   "autocomplete=\"off\" required></label>\n"
                   "<label>Reason <input name=\"reason\" size=\"60\" maxlength=\"500\"></label>\n"
                   "<button name=\"decision\" value=\"approve\">Approve</button>"
                   "<button name=\"decision\" value=\"reject\">Reject</button></form>\n");
}

void das_html_approval(struct das_buf *b, const struct das_approval *a, const struct das_plan *plan,
                       const char *person, const char *form)
{
    begin(b,
          a->state == DAS_APPROVAL_WAITING ? "Kill these sessions?" : "A kill that was asked for");
    put_facts(b, a, plan);
    put_victims(b, plan);
    if (form)
        put_form(b, a, person, form);
    das_buf_str(b, "</body></html>\n");
}

/* --- a message -------------------------------------------------------------------------------- */

void das_html_notice(struct das_buf *b, const struct das_notice *n)
{
    char at[32];

    das_clock_iso(n->at_ms / 1000, at, sizeof at);
    begin(b, "A message of das");
    das_buf_str(b, "<p><b>");
    das_html_text(b, n->title);
    das_buf_str(b, "</b></p>\n<pre style=\"white-space:pre-wrap\">");
    das_html_text(b, n->text);
    das_buf_str(b, "</pre>\n<dl>");
    line(b, "when", das_text_of(at));
    line(b, "severity", das_text_of(das_severity_name(n->severity)));
    line(b, "instance", n->instance);
    das_buf_str(b, "</dl>\n");
    if (n->field_count)
        das_buf_str(b, "<table>\n");
    for (size_t i = 0; i < n->field_count; i++) {
        das_buf_str(b, "<tr>");
        cell(b, n->fields[i].name);
        cell(b, n->fields[i].value);
        das_buf_str(b, "</tr>\n");
    }
    if (n->field_count)
        das_buf_str(b, "</table>\n");
    if (n->row_total > 0) {
        begin_sessions(b);
        for (size_t i = 0; i < n->row_count; i++)
            put_session(b, &n->rows[i]);
        end_sessions(b, n->row_total - (int64_t)n->row_count);
    }
    das_buf_str(b, "</body></html>\n");
}
