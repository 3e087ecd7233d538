/* command.c - see command.h. */
#include "core/hook/command.h"

#include <stdio.h>
#include <string.h>

struct reader {
    struct das_text rest;
    struct das_err *err;
};

static int no(const struct reader *r, const char *words)
{
    return das_fail(r->err, DAS_E_USAGE, "%s", words);
}

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

bool das_hook_is_key(const char *s)
{
    size_t n = strlen(s);

    if (!is_letter(*s) || n >= DAS_HOOK_KEY_SIZE)
        return false;
    for (size_t i = 1; i < n; i++) {
        if (!is_letter(s[i]) && !das_is_digit((unsigned char)s[i]) && s[i] != '_')
            return false;
    }
    return true;
}

static bool is_plain(char c)
{
    unsigned char u = (unsigned char)c;

    return is_letter((char)das_lower(u)) || das_is_digit(u) || (c && strchr("_.,:@/%+~*-", c));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Control characters, and those that are not seen or turn the order of others around. */
static bool is_hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb) ||
           (c >= 0xe000 && c <= 0xf8ff) || c >= 0xe0000;
}

static void skip(struct reader *r, size_t n)
{
    r->rest.ptr += n;
    r->rest.len -= n;
}

static int copy(struct reader *r, const char *p, size_t n, char *to, size_t *len)
{
    if (*len + n >= DAS_HOOK_VALUE_SIZE)
        return no(r, "a value is too long: at most 512 bytes");
    memcpy(to + *len, p, n);
    *len += n;
    to[*len] = '\0';
    return 0;
}

/* --- values ----------------------------------------------------------------------------------- */

/* Behind the first quote. */
static int read_quoted(struct reader *r, char *to)
{
    size_t len = 0, n;
    uint32_t code;

    while (r->rest.len && *r->rest.ptr != '"') {
        if (*r->rest.ptr == '\\') {
            skip(r, 1);
            if (!r->rest.len || (*r->rest.ptr != '"' && *r->rest.ptr != '\\'))
                return no(r, "in quotes, a \\ stands before \" or \\ only");
        }
        n = das_utf8_next(r->rest.ptr, r->rest.len, &code);
        if (!n || is_hidden(code))
            return no(r, "in quotes: expected characters that can be seen");
        if (copy(r, r->rest.ptr, n, to, &len) < 0)
            return -1;
        skip(r, n);
    }
    if (!r->rest.len)
        return no(r, "a \" is not closed");
    skip(r, 1);
    return 0;
}

static int read_plain(struct reader *r, char *to)
{
    size_t n = 0, len = 0;

    while (n < r->rest.len && is_plain(r->rest.ptr[n]))
        n++;
    if (!n)
        return no(r, "expected words and key=value; other values in straight double quotes, such "
                     "as info=\"select ~ from\"");
    if (copy(r, r->rest.ptr, n, to, &len) < 0)
        return -1;
    skip(r, n);
    return 0;
}

static int read_value(struct reader *r, char *to)
{
    *to = '\0';
    if (r->rest.len && *r->rest.ptr == '"') {
        skip(r, 1);
        if (read_quoted(r, to) < 0)
            return -1;
    } else if (read_plain(r, to) < 0) {
        return -1;
    }
    if (r->rest.len && !is_blank(*r->rest.ptr))
        return no(r, *r->rest.ptr == '='
                         ? "a key has small letters, digits and \"_\", such as time=60"
                         : "expected a blank behind a value; values with other characters than "
                           "letters, digits and _.,:@/%+~*- stand in straight double quotes");
    return 0;
}

/* --- items ------------------------------------------------------------------------------------ */

/* "key=" of what is left; 0: there is none. */
static size_t key_length(const struct reader *r)
{
    size_t n = 0;

    while (n < r->rest.len && n < DAS_HOOK_KEY_SIZE &&
           (is_letter(r->rest.ptr[n]) || r->rest.ptr[n] == '_' ||
            (n && das_is_digit((unsigned char)r->rest.ptr[n]))))
        n++;
    if (!n || n >= DAS_HOOK_KEY_SIZE || n == r->rest.len || r->rest.ptr[n] != '=' ||
        !is_letter(r->rest.ptr[0]))
        return 0;
    return n;
}

static int read_item(struct reader *r, struct das_hook_line *l)
{
    struct das_hook_item *item = &l->items[l->count];
    size_t n = key_length(r);

    if (l->count == DAS_HOOK_ITEMS_MAX)
        return no(r, "too many values: at most 24");
    memcpy(item->key, r->rest.ptr, n);
    item->key[n] = '\0';
    skip(r, n ? n + 1 : 0);
    if (n && das_hook_line_get(l, item->key))
        return das_fail(r->err, DAS_E_USAGE, "%s is there twice", item->key);
    if (n && (!r->rest.len || is_blank(*r->rest.ptr)))
        return das_fail(r->err, DAS_E_USAGE, "%s=: expected a value behind it", item->key);
    if (read_value(r, item->value) < 0)
        return -1;
    l->count++;
    return 0;
}

static void skip_blanks(struct reader *r)
{
    while (r->rest.len && is_blank(*r->rest.ptr))
        skip(r, 1);
}

static int read_command(struct reader *r, struct das_hook_line *l)
{
    size_t n = 0;

    while (n < r->rest.len && !is_blank(r->rest.ptr[n]))
        n++;
    if (n < DAS_HOOK_KEY_SIZE) {
        memcpy(l->command, r->rest.ptr, n);
        l->command[n] = '\0';
    }
    /* a NUL in it would hide what comes behind */
    if (n >= DAS_HOOK_KEY_SIZE || strlen(l->command) != n || !das_hook_is_key(l->command)) {
        l->command[0] = '\0';
        return no(r, "a command begins with one word of small letters, such as preview");
    }
    skip(r, n);
    return 0;
}

const char *das_hook_line_get(const struct das_hook_line *l, const char *key)
{
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->items[i].key, key) == 0)
            return l->items[i].value;
    }
    return NULL;
}

int das_hook_line_read(struct das_text text, struct das_hook_line *out, struct das_err *err)
{
    struct reader r = {das_text_trim(text), err};
    int rc = 0;

    out->command[0] = '\0';
    out->count = 0;
    if (r.rest.len > DAS_HOOK_LINE_MAX)
        rc = no(&r, "the line is too long: at most 2000 bytes");
    else if (r.rest.len)
        rc = read_command(&r, out);
    for (skip_blanks(&r); rc == 0 && r.rest.len; skip_blanks(&r))
        rc = read_item(&r, out);
    if (rc < 0) {
        out->command[0] = '\0';
        out->count = 0;
    }
    return rc;
}
