/* credential_json.c - see credential_json.h. */
#include "core/cloud/credential_json.h"

#include <string.h>

#define DEPTH_MAX 64

struct reader {
    char *start, *p, *end;
    int depth;
    struct das_err *err;
};

static int broken(const struct reader *r)
{
    return das_fail(r->err, DAS_E_CONFIG, "not valid JSON at byte %zu",
                    (size_t)(r->p - r->start) + 1);
}

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

/* The next byte, or 0 at the end; a byte 0 is nowhere valid. */
static char next(struct reader *r)
{
    skip_blanks(r);
    return r->p < r->end ? *r->p : '\0';
}

static int expect(struct reader *r, char c)
{
    if (next(r) != c)
        return broken(r);
    r->p++;
    return 0;
}

/* --- strings ---------------------------------------------------------------------------------- */

static int hex4(struct reader *r, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, r->p++) {
        unsigned char c = r->p < r->end ? das_lower((unsigned char)*r->p) : 0;
        if (das_is_digit(c))
            *code = *code << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *code = *code << 4 | (uint32_t)(c - 'a' + 10);
        else
            return broken(r);
    }
    return 0;
}

static char *put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xe0 | code >> 12);
        } else {
            *to++ = (char)(0xf0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (code & 0x3f));
    return to;
}

/* After the "\u"; a pair is one character. */
static int unescape_code(struct reader *r, char **to)
{
    uint32_t code, low;

    if (hex4(r, &code) < 0)
        return -1;
    if (code >= 0xd800 && code <= 0xdfff) {
        if (code >= 0xdc00 || r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
            return broken(r);
        r->p += 2;
        if (hex4(r, &low) < 0)
            return -1;
        if (low < 0xdc00 || low > 0xdfff)
            return broken(r);
        code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
    }
    *to = put_utf8(*to, code);
    return 0;
}

/* After the backslash. What it stands for is never longer. */
static int unescape(struct reader *r, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *at = r->p < r->end && *r->p ? strchr(from, *r->p) : NULL;

    if (at) {
        *(*to)++ = into[at - from];
        r->p++;
        return 0;
    }
    if (r->p == r->end || *r->p != 'u')
        return broken(r);
    r->p++;
    return unescape_code(r, to);
}

static int read_string(struct reader *r, struct das_text *out)
{
    char *from, *to;

    if (expect(r, '"') < 0)
        return -1;
    from = to = r->p;
    while (r->p < r->end && *r->p != '"') {
        char c = *r->p;
        if ((unsigned char)c < ' ')
            return broken(r);
        r->p++;
        if (c != '\\')
            *to++ = c;
        else if (unescape(r, &to) < 0)
            return -1;
    }
    if (r->p == r->end)
        return broken(r);
    r->p++;
    *out = das_text(from, (size_t)(to - from));
    return 0;
}

/* --- what is not looked for ------------------------------------------------------------------- */

static int skip_digits(struct reader *r)
{
    if (r->p == r->end || !das_is_digit((unsigned char)*r->p))
        return broken(r);
    while (r->p < r->end && das_is_digit((unsigned char)*r->p))
        r->p++;
    return 0;
}

static int skip_number(struct reader *r)
{
    if (*r->p == '-')
        r->p++;
    if (r->p < r->end && *r->p == '0')
        r->p++;
    else if (skip_digits(r) < 0)
        return -1;
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if (skip_digits(r) < 0)
            return -1;
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        return skip_digits(r);
    }
    return 0;
}

static int skip_word(struct reader *r, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
        return broken(r);
    r->p += len;
    return 0;
}

static int enter(struct reader *r, char bracket)
{
    if (++r->depth > DEPTH_MAX)
        return das_fail(r->err, DAS_E_CONFIG, "JSON more than %d levels deep", DEPTH_MAX);
    return expect(r, bracket);
}

/* After a value: true when another one follows; the closing bracket is taken. */
static int goes_on(struct reader *r, char bracket, bool *more)
{
    char c = next(r);

    *more = c == ',';
    if (c != ',' && c != bracket)
        return broken(r);
    r->p++;
    r->depth -= !*more;
    return 0;
}

static int skip_value(struct reader *r);

static int skip_array(struct reader *r)
{
    bool more = true;

    if (enter(r, '[') < 0)
        return -1;
    if (next(r) == ']')
        return goes_on(r, ']', &more);
    while (more) {
        if (skip_value(r) < 0 || goes_on(r, ']', &more) < 0)
            return -1;
    }
    return 0;
}

static int skip_object(struct reader *r)
{
    struct das_text key;
    bool more = true;

    if (enter(r, '{') < 0)
        return -1;
    if (next(r) == '}')
        return goes_on(r, '}', &more);
    while (more) {
        if (read_string(r, &key) < 0 || expect(r, ':') < 0 || skip_value(r) < 0 ||
            goes_on(r, '}', &more) < 0)
            return -1;
    }
    return 0;
}

static int skip_value(struct reader *r)
{
    struct das_text text;

    switch (next(r)) {
    case '"':
        return read_string(r, &text);
    case '{':
        return skip_object(r);
    case '[':
        return skip_array(r);
    case 't':
        return skip_word(r, "true");
    case 'f':
        return skip_word(r, "false");
    case 'n':
        return skip_word(r, "null");
    case '\0':
        return broken(r);
    default:
        return skip_number(r);
    }
}

/* --- what is looked for ----------------------------------------------------------------------- */

enum { ACCESS, SECRET, TOKEN, EXPIRES, CREDENTIAL, NAMES };
static const char *const names[NAMES] = {"access", "secret", "securitytoken", "expires_at",
                                         "credential"};

static int find_name(struct das_text key)
{
    for (int i = 0; i < NAMES; i++) {
        if (das_text_is(key, names[i]))
            return i;
    }
    return NAMES;
}

static int read_keys(struct reader *r, bool top, struct das_credential_json *out);

static int read_member(struct reader *r, int name, bool top, struct das_credential_json *out,
                       struct das_credential_json *inner, bool *nested)
{
    struct das_text *to[] = {&out->access, &out->secret, &out->security_token, &out->expires_at};
    char c = next(r);

    if (name == CREDENTIAL && top && c == '{') {
        *nested = true;
        return read_keys(r, false, inner);
    }
    if (name >= CREDENTIAL || c == 'n')
        return skip_value(r);
    if (c != '"')
        return das_fail(r->err, DAS_E_CONFIG, "\"%s\": expected a text", names[name]);
    return read_string(r, to[name]);
}

static int read_keys(struct reader *r, bool top, struct das_credential_json *out)
{
    struct das_credential_json inner = {0};
    bool more = true, nested = false, seen[NAMES + 1] = {false};

    if (enter(r, '{') < 0)
        return -1;
    if (next(r) == '}')
        return goes_on(r, '}', &more);
    while (more) {
        struct das_text key;
        int name;
        if (read_string(r, &key) < 0 || expect(r, ':') < 0)
            return -1;
        name = find_name(key);
        if (name < NAMES && seen[name])
            return das_fail(r->err, DAS_E_CONFIG, "\"%s\" is there twice", names[name]);
        seen[name] = true;
        if (read_member(r, name, top, out, &inner, &nested) < 0 || goes_on(r, '}', &more) < 0)
            return -1;
    }
    if (nested)
        *out = inner;
    return 0;
}

int das_credential_json_read(char *text, size_t len, struct das_credential_json *out,
                             struct das_err *err)
{
    struct reader r = {.start = text, .p = text, .end = text + len, .err = err};

    memset(out, 0, sizeof *out);
    if (!das_utf8_valid(das_text(text, len)))
        return das_fail(err, DAS_E_CONFIG, "not valid JSON: not UTF-8");
    if (next(&r) != '{')
        return das_fail(err, DAS_E_CONFIG,
                        "expected a JSON object with \"access\", \"secret\", \"securitytoken\" and "
                        "\"expires_at\"");
    if (read_keys(&r, true, out) < 0)
        return -1;
    skip_blanks(&r);
    return r.p == r.end ? 0 : broken(&r);
}
