/* json.c - see json.h. */
#include "core/base/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void escape(struct das_buf *b, uint32_t code)
{
    switch (code) {
    case '"':
        das_buf_add(b, "\\\"", 2);
        break;
    case '\\':
        das_buf_add(b, "\\\\", 2);
        break;
    case '\n':
        das_buf_add(b, "\\n", 2);
        break;
    case '\r':
        das_buf_add(b, "\\r", 2);
        break;
    case '\t':
        das_buf_add(b, "\\t", 2);
        break;
    default:
        das_buf_printf(b, "\\u%04x", (unsigned)code);
    }
}

#define EACH(c) (0x0101010101010101u * (c))

/* Not 0 when some byte of w equals c (the usual trick: only a zero byte borrows into its top bit). */
static inline uint64_t has_byte(uint64_t w, uint64_t c)
{
    w ^= EACH(c);
    return (w - EACH(1)) & ~w & EACH(0x80);
}

/* How many bytes from p on surely need no escape, eight at a time. */
static size_t plain_run(const char *p, size_t len)
{
    size_t i = 0;

    for (; len - i >= 8; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, 8);
        if ((w | (w - EACH(0x20)) | has_byte(w, '"') | has_byte(w, '\\') | has_byte(w, 0x7f)) &
            EACH(0x80))
            break;
    }
    return i;
}

void das_json_text(struct das_buf *b, struct das_text t)
{
    size_t from = 0, i = 0;

    if (!t.ptr) {
        das_buf_add(b, "null", 4);
        return;
    }
    das_buf_char(b, '"');
    while (i < t.len) {
        unsigned char c;
        uint32_t code;
        size_t n = 1;

        i += plain_run(t.ptr + i, t.len - i);
        if (i == t.len)
            break;
        code = c = (unsigned char)t.ptr[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            i++;
            continue;
        }
        if (c >= 0x80)
            n = das_utf8_next(t.ptr + i, t.len - i, &code);
        if (n > 1 && code >= 0xa0) {
            i += n;
            continue;
        }
        das_buf_add(b, t.ptr + from, i - from);
        if (n == 0)
            das_buf_add(b, "\xef\xbf\xbd", 3);
        else
            escape(b, code); /* U+0080 to U+009F too: terminals obey them */
        i += n ? n : 1;
        from = i;
    }
    das_buf_add(b, t.ptr + from, t.len - from);
    das_buf_char(b, '"');
}

void das_json_str(struct das_buf *b, const char *s)
{
    das_json_text(b, das_text_of(s));
}

void das_json_comma(struct das_buf *b)
{
    char last = b->len ? b->ptr[b->len - 1] : '[';

    if (last != '[' && last != '{')
        das_buf_char(b, ',');
}

void das_json_key(struct das_buf *b, const char *key)
{
    das_json_comma(b);
    das_buf_char(b, '"');
    das_buf_str(b, key);
    das_buf_add(b, "\":", 2);
}

void das_json_key_text(struct das_buf *b, const char *key, struct das_text t)
{
    das_json_key(b, key);
    das_json_text(b, t);
}

void das_json_key_names(struct das_buf *b, const char *key, const char *const *list, size_t n)
{
    das_json_key(b, key);
    das_buf_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        das_json_comma(b);
        das_json_str(b, list[i]);
    }
    das_buf_char(b, ']');
}

void das_json_key_int(struct das_buf *b, const char *key, int64_t v)
{
    das_json_key(b, key);
    das_buf_int(b, v);
}

void das_json_key_bool(struct das_buf *b, const char *key, bool v)
{
    das_json_key(b, key);
    das_buf_str(b, v ? "true" : "false");
}

void das_json_real(struct das_buf *b, double v)
{
    char text[40];

    /* 15 digits are always kept, so fewer cannot be needed, except next to 0 */
    for (int digits = fabs(v) < DBL_MIN ? 1 : DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    das_buf_str(b, text);
    if (!strpbrk(text, ".e"))
        das_buf_str(b, ".0");
}

/* Figures of jansson 2.14 on a 64-bit machine, with malloc's own share; measured, they err upwards
 * by a third. */
#define WEIGH_CONTAINER 240
#define WEIGH_ITEM 56 /* after each comma */
#define WEIGH_PAIR 96
#define WEIGH_STRING 64

void das_json_weigh(struct das_text t, size_t depth_limit, struct das_json_weight *out)
{
    size_t depth = 0;
    bool quoted = false;
    int line = 1;

    *out = (struct das_json_weight){.bytes = t.len};
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        if (c == '\n') {
            line++;
        } else if (quoted) {
            if (c == '\\')
                i++;
            else
                quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
            out->bytes += WEIGH_STRING;
        } else if (c == '[' || c == '{') {
            out->bytes += WEIGH_CONTAINER;
            if (++depth > out->depth)
                out->depth = depth;
            if (depth > depth_limit && !out->deep_line)
                out->deep_line = line;
        } else if (c == ']' || c == '}') {
            depth -= depth > 0;
        } else if (c == ',') {
            out->bytes += WEIGH_ITEM;
        } else if (c == ':') {
            out->bytes += WEIGH_PAIR;
        }
    }
}

json_t *das_json_parse(const char *p, size_t len, int *line, struct das_err *err)
{
    json_error_t je;
    json_t *value = json_loadb(p, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY,
                               &je);

    if (value)
        return value;
    if (line)
        *line = je.line > 0 ? je.line : 1;
    if (json_error_code(&je) == json_error_out_of_memory)
        das_fail_nomem(err);
    else
        das_fail(err, DAS_E_DATA, "not valid JSON: %s (column %d)", je.text, je.column);
    return NULL;
}
