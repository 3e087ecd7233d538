/*
 * smtp.c - a mail: headers that nothing can be added to, and plain text in base64.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/crypto.h"
#include "core/notify/kind.h"

#define TEXT_MAX 60000 /* characters */
#define SUBJECT_MAX 200
#define WORD_BYTES 39 /* of an encoded word, whose line has at most 76 characters */
#define LINE_BYTES 57 /* that make 76 of base64 */

/* "Subject: " in encoded words, none of which cuts a character. */
static void put_subject(const struct das_notice *n, struct das_buf *b)
{
    struct das_buf text = {0};
    struct das_page p;
    size_t i = 0;

    das_page_init(&p, &text, DAS_MARKUP_NONE, DAS_UNIT_CHARS, SUBJECT_MAX);
    das_page_title(&p, n, SUBJECT_MAX);
    das_buf_str(b, "Subject: ");
    while (i < text.len) {
        size_t len = text.len - i < WORD_BYTES ? text.len - i : WORD_BYTES;
        while (i + len < text.len && ((unsigned char)text.ptr[i + len] & 0xc0) == 0x80)
            len--;
        das_buf_str(b, i ? "\r\n =?UTF-8?B?" : "=?UTF-8?B?");
        das_base64_encode(DAS_BASE64, das_text(text.ptr + i, len), b);
        das_buf_str(b, "?=");
        i += len;
    }
    das_buf_str(b, "\r\n");
    b->failed |= text.failed;
    das_buf_clear(&text);
}

static void put_date(int64_t now_ms, struct das_buf *b)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t at = (time_t)(now_ms / 1000);
    struct tm tm;

    gmtime_r(&at, &tm);
    das_buf_printf(b, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday],
                   tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                   tm.tm_sec);
}

static void put_body(const struct das_turn *t, struct das_buf *b)
{
    const struct das_style style = {.bold = "",
                                    .bold_end = "",
                                    .code = "\n",
                                    .code_end = "\n",
                                    .link = "",
                                    .link_end = "",
                                    .title = true,
                                    .rows = (size_t)t->channel->sessions};
    struct das_buf text = {0}, lines = {0};
    struct das_page p;

    das_page_init(&p, &text, DAS_MARKUP_NONE, DAS_UNIT_CHARS, TEXT_MAX);
    das_page_compose(&p, t->notice, &style);
    das_page_raw(&p, "\n");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n')
            das_buf_char(&lines, '\r');
        das_buf_char(&lines, text.ptr[i]);
    }
    for (size_t i = 0; i < lines.len; i += LINE_BYTES) {
        size_t len = lines.len - i < LINE_BYTES ? lines.len - i : LINE_BYTES;
        das_base64_encode(DAS_BASE64, das_text(lines.ptr + i, len), b);
        das_buf_str(b, "\r\n");
    }
    b->failed |= text.failed || lines.failed;
    das_buf_clear(&text);
    das_buf_clear(&lines);
}

static int make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    const struct das_channel *ch = t->channel;
    const char *from = ch->texts[DAS_CHANNEL_FROM], *domain = strchr(from, '@');
    struct das_buf *b = &p->body;

    p->mail = true;
    das_turn_url(t, "", "", &p->url);
    das_buf_printf(b, "From: das <%s>\r\n", from);
    for (size_t i = 0; i < ch->to_count; i++)
        das_buf_printf(b, "%s<%s>", i ? ",\r\n " : "To: ", ch->to[i]);
    das_buf_str(b, "\r\n");
    put_subject(t->notice, b);
    put_date(t->now_ms, b);
    das_buf_printf(b, "Message-ID: <%s%s>\r\n", t->id, domain ? domain : "@das");
    if (t->thread)
        das_buf_printf(b, "In-Reply-To: <%s>\r\nReferences: <%s>\r\n", t->thread, t->thread);
    if (t->notice->severity == DAS_CRITICAL && t->notice->event == DAS_TRIGGER)
        das_buf_str(b, "X-Priority: 1\r\nImportance: high\r\n");
    das_buf_str(b, "Auto-Submitted: auto-generated\r\n"
                   "MIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n"
                   "Content-Transfer-Encoding: base64\r\n\r\n");
    put_body(t, b);
    return das_buf_ok(b, err);
}

/* Its answer is a code of three digits. */
static void read_answer(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    const char *domain = strchr(t->channel->texts[DAS_CHANNEL_FROM], '@');
    char code[24];

    if (a->status == 0) {
        das_verdict(v, DAS_SENT, "", das_text_of(""));
        snprintf(v->ref, sizeof v->ref, "%s%s", t->id, domain ? domain : "@das");
        return;
    }
    snprintf(code, sizeof code, "SMTP %d", a->status);
    das_verdict(v, a->status >= 500 ? DAS_REFUSED : DAS_LATER, code, a->body);
}

const struct das_kind das_kind_smtp = {
    .word = "smtp",
    .form = "mail",
    .needs = {"endpoint", "from", "to"},
    .takes = {"user", "password"},
    .pace = {5, 2500},
    .make = make,
    .read = read_answer,
};
