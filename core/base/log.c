/* log.c - see log.h. */
#include "core/base/log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/json.h"

#define TEXT_MAX ((size_t)16 << 10) /* bytes of a message or a value; the rest is cut off */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static _Atomic int log_format = DAS_LOG_TEXT;
static _Atomic int log_level = DAS_LOG_INFO;

/* --- settings ---------------------------------------------------------------------------------------- */

int das_log_level_find(const char *name)
{
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, level_names[i]) == 0)
            return i;
    }
    return -1;
}

void das_log_setup(enum das_log_format format, enum das_log_level level)
{
    log_format = (int)format;
    log_level = (int)level;
}

int das_log_setup_env(struct das_err *err)
{
    const char *format = getenv("DAS_LOG"), *level = getenv("DAS_LOG_LEVEL");
    int l = level && *level ? das_log_level_find(level) : DAS_LOG_INFO;

    if (format && *format && strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
        return das_fail(err, DAS_E_USAGE, "DAS_LOG: expected text or json, got \"%s\"", format);
    if (l < 0)
        return das_fail(err, DAS_E_USAGE,
                        "DAS_LOG_LEVEL: expected debug, info, warn or error, got \"%s\"", level);
    das_log_setup(format && strcmp(format, "json") == 0 ? DAS_LOG_JSON : DAS_LOG_TEXT,
                  (enum das_log_level)l);
    return 0;
}

bool das_log_wants(enum das_log_level level)
{
    return (int)level >= log_level;
}

/* --- lines -------------------------------------------------------------------------------------------- */

/* Fills scratch with t, cut where it is too long for a line. False: it was cut. */
static bool clean(struct das_text t, struct das_buf *scratch, struct das_buf *line)
{
    bool whole = t.len <= TEXT_MAX;

    das_buf_reset(scratch);
    das_buf_text(scratch, whole ? t : das_text(t.ptr, TEXT_MAX));
    if (!whole)
        das_buf_str(scratch, "...");
    line->failed |= scratch->failed;
    return whole;
}

static bool bare(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] <= ' ' || t.ptr[i] > '~' || strchr("\"'\\=", t.ptr[i]))
            return false;
    }
    return t.len > 0;
}

/* JSON that was cut is none any more: then it is shown as a string. */
static void value(const struct das_log_field *f, bool may_be_bare, struct das_buf *scratch,
                  struct das_buf *b)
{
    bool whole = clean(f->value, scratch, b);

    if ((f->json && whole) || (may_be_bare && bare(das_buf_view(scratch))))
        das_buf_text(b, das_buf_view(scratch));
    else
        das_json_text(b, das_buf_view(scratch));
}

/* A message within a line: quotes and backslashes stay as they are, control characters (U+0080 to
 * U+009F too: terminals obey them) do not. */
static void plain(struct das_text t, struct das_buf *b)
{
    for (size_t i = 0, n; i < t.len; i += n) {
        uint32_t code = 0;
        n = das_utf8_next(t.ptr + i, t.len - i, &code);
        if (n && code >= 0x20 && (code < 0x7f || code >= 0xa0)) {
            das_buf_add(b, t.ptr + i, n);
            continue;
        }
        if (!n)
            das_buf_str(b, "\xef\xbf\xbd");
        else if (code == '\n')
            das_buf_str(b, "\\n");
        else
            das_buf_printf(b, "\\u%04x", (unsigned)code);
        n = n ? n : 1;
    }
}

static void text_line(const struct das_log_event *e, struct das_buf *scratch, struct das_buf *b)
{
    das_buf_printf(b, "das %s: ", e->who);
    if (!e->own)
        das_buf_printf(b, "%s: ", level_names[e->level]);
    clean(e->message, scratch, b);
    plain(das_buf_view(scratch), b);
    for (size_t i = 0; i < e->count; i++) {
        const struct das_log_field *f = &e->fields[i];
        das_buf_char(b, ' ');
        clean(f->key, scratch, b);
        if (bare(das_buf_view(scratch)))
            das_buf_text(b, das_buf_view(scratch));
        else
            das_json_text(b, das_buf_view(scratch));
        das_buf_char(b, '=');
        value(f, true, scratch, b);
    }
}

static void json_line(const struct das_log_event *e, struct das_buf *scratch, struct das_buf *b)
{
    int64_t now = das_clock_unix_ms();
    char when[40];

    das_clock_iso(now / 1000, when, sizeof when);
    when[strlen(when) - 1] = '\0'; /* the Z comes after the milliseconds */
    das_buf_printf(b, "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"source\":\"%s\",\"message\":", when,
                   (int)(now % 1000), level_names[e->level], e->who);
    clean(e->message, scratch, b);
    das_json_text(b, das_buf_view(scratch));
    if (e->count) {
        das_json_key(b, "fields");
        das_buf_char(b, '{');
        for (size_t i = 0; i < e->count; i++) {
            const struct das_log_field *f = &e->fields[i];
            das_json_comma(b);
            clean(f->key, scratch, b);
            das_json_text(b, das_buf_view(scratch));
            das_buf_char(b, ':');
            value(f, false, scratch, b);
        }
        das_buf_char(b, '}');
    }
    das_buf_char(b, '}');
}

void das_log_line(const struct das_log_event *e, struct das_buf *b)
{
    struct das_buf scratch = {0};

    if (log_format == DAS_LOG_JSON)
        json_line(e, &scratch, b);
    else
        text_line(e, &scratch, b);
    das_buf_char(b, '\n');
    das_buf_clear(&scratch);
}
