/* log.c - see log.h. */
#include "core/base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

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

/* --- secrets ------------------------------------------------------------------------------------------ */

#define SECRETS_MAX 256
#define SECRETS_BYTES ((size_t)64 << 10)

static pthread_mutex_t secrets_lock = PTHREAD_MUTEX_INITIALIZER;
static char secret_bytes[SECRETS_BYTES];
static struct das_text secrets[SECRETS_MAX]; /* into secret_bytes */
static size_t secret_count, secret_used;

/* The longest secret that t begins with; 0: none. */
static size_t secret_at(struct das_text t)
{
    size_t longest = 0;

    for (size_t i = 0; i < secret_count; i++) {
        struct das_text s = secrets[i];
        if (s.len > longest && s.len <= t.len && s.ptr[0] == t.ptr[0] &&
            memcmp(s.ptr, t.ptr, s.len) == 0)
            longest = s.len;
    }
    return longest;
}

/* 0, or -1 when there is no room. The lock is held. */
static int add_secret(struct das_text s)
{
    for (size_t i = 0; i < secret_count; i++) {
        if (das_text_eq(secrets[i], s))
            return 0;
    }
    if (secret_count == SECRETS_MAX || s.len > SECRETS_BYTES - secret_used)
        return -1;
    memcpy(secret_bytes + secret_used, s.ptr, s.len);
    secrets[secret_count++] = das_text(secret_bytes + secret_used, s.len);
    secret_used += s.len;
    return 0;
}

int das_log_redact(const char *secret, struct das_err *err)
{
    struct das_text plain = das_text_of(secret);
    struct das_buf escaped = {0};
    int rc;

    if (plain.len < DAS_SECRET_MIN)
        return das_fail(err, DAS_E_CONFIG, "a secret has at least %d characters, this one %zu",
                        DAS_SECRET_MIN, plain.len);
    das_json_text(&escaped, plain);
    if (das_buf_ok(&escaped, err) < 0) {
        das_buf_clear(&escaped);
        return -1;
    }
    pthread_mutex_lock(&secrets_lock);
    rc = add_secret(plain);
    if (rc == 0)
        rc = add_secret(das_text(escaped.ptr + 1, escaped.len - 2));
    pthread_mutex_unlock(&secrets_lock);
    memset(escaped.ptr, 0, escaped.len);
    das_buf_clear(&escaped);
    if (rc < 0)
        return das_fail(err, DAS_E_CONFIG, "more secrets than can be kept out of the log");
    return 0;
}

void das_redact(struct das_text t, struct das_buf *b)
{
    size_t from = 0, i = 0;

    pthread_mutex_lock(&secrets_lock);
    while (secret_count && i < t.len) {
        size_t n = secret_at(das_text(t.ptr + i, t.len - i));
        if (!n) {
            i++;
            continue;
        }
        das_buf_add(b, t.ptr + from, i - from);
        das_buf_add(b, "***", 3);
        i += n;
        from = i;
    }
    pthread_mutex_unlock(&secrets_lock);
    das_buf_add(b, t.ptr + from, t.len - from);
}

/* --- lines -------------------------------------------------------------------------------------------- */

/* Fills scratch with t, redacted, for line. Redacted before it is cut: half a secret would go
 * unnoticed. False: it is not what it was. */
static bool clean(struct das_text t, struct das_buf *scratch, struct das_buf *line)
{
    bool same;

    das_buf_reset(scratch);
    if (t.ptr)
        das_redact(t, scratch);
    same = das_text_eq(das_buf_view(scratch), das_text(t.ptr ? t.ptr : "", t.len));
    if (scratch->len > TEXT_MAX) {
        scratch->len = TEXT_MAX;
        das_buf_str(scratch, "...");
        same = false;
    }
    line->failed |= scratch->failed;
    return same;
}

static bool bare(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] <= ' ' || t.ptr[i] > '~' || strchr("\"'\\=", t.ptr[i]))
            return false;
    }
    return t.len > 0;
}

/* JSON that was cut, or has *** in the middle, is none any more: then it is shown as a string. */
static void value(const struct das_log_field *f, bool may_be_bare, struct das_buf *scratch,
                  struct das_buf *b)
{
    bool same = clean(f->value, scratch, b);

    if ((f->json && same) || (may_be_bare && bare(das_buf_view(scratch))))
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

void das_log_write(int fd, const struct das_log_event *e)
{
    struct das_buf b = {0};

    if (!das_log_wants(e->level))
        return;
    das_log_line(e, &b);
    if (!b.failed && write(fd, b.ptr, b.len) < 0) {
        /* there is nobody left to tell */
    }
    das_buf_clear(&b);
}
