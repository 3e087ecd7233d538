/*
 * sign_read.c - what a request that was received says: its target taken apart, the words of its
 * Authorization. Judges their form only; whether they are true is sign.c's. See sign.h.
 */
#include "core/cloud/sign_impl.h"

#include "core/base/calendar.h"
#include "core/base/mem.h"

#define DAY_LEN ((size_t)8)

/* --- small questions -------------------------------------------------------------------------- */

bool das_sign_is_word(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] <= ' ' || t.ptr[i] > '~' || t.ptr[i] == ',' || t.ptr[i] == '/')
            return false;
    }
    return t.len > 0 && t.len <= DAS_SIGN_WORD_MAX;
}

bool das_sign_is_token(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if (!das_is_digit(c) && !(das_lower(c) >= 'a' && das_lower(c) <= 'z') &&
            (!c || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return t.len > 0 && t.len <= 256;
}

int das_sign_name_cmp(struct das_text a, struct das_text b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        int c = das_lower((unsigned char)a.ptr[i]) - das_lower((unsigned char)b.ptr[i]);
        if (c)
            return c;
    }
    return (a.len > b.len) - (a.len < b.len);
}

bool das_sign_cut(struct das_text *rest, char sep, struct das_text *item)
{
    const char *end;

    if (!rest->ptr)
        return false;
    *item = *rest;
    end = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
    if (!end) {
        *rest = DAS_TEXT_NULL;
        return true;
    }
    item->len = (size_t)(end - rest->ptr);
    *rest = das_text(end + 1, rest->len - item->len - 1);
    return true;
}

/* How many there are, and the first of them. */
static size_t find_header(const struct das_sign_request *r, const char *name,
                          struct das_text *value)
{
    size_t n = 0;

    *value = DAS_TEXT_NULL;
    for (size_t i = 0; i < r->header_count; i++) {
        if (das_text_iis(r->headers[i].name, name) && n++ == 0)
            *value = das_text_trim(r->headers[i].value);
    }
    return n;
}

struct das_text das_sign_header(const struct das_sign_request *r, const char *name)
{
    struct das_text value;

    return find_header(r, name, &value) == 1 ? value : DAS_TEXT_NULL;
}

/* --- the target ------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    unsigned char lower = das_lower((unsigned char)c);

    if (das_is_digit(lower))
        return lower - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Appends to t->bytes, where there is room. */
static int decode(struct das_sign_target *t, struct das_text in, bool query, struct das_text *out,
                  struct das_err *err)
{
    const char *what = query ? "query" : "path";
    size_t from = t->bytes.len;

    for (size_t i = 0; i < in.len; i++) {
        int high, low;
        if (in.ptr[i] != '%') {
            das_buf_char(&t->bytes, query && in.ptr[i] == '+' ? ' ' : in.ptr[i]);
            continue;
        }
        high = in.len - i > 2 ? hex_digit(in.ptr[i + 1]) : -1;
        low = in.len - i > 2 ? hex_digit(in.ptr[i + 2]) : -1;
        if (high < 0 || low < 0)
            return das_fail(err, DAS_E_DATA, "%s: expected two hex digits after \"%%\"", what);
        if (!query && (high << 4 | low) == '/')
            return das_fail(err, DAS_E_DATA,
                            "path: \"%%2F\": a signature cannot tell it from \"/\"");
        das_buf_char(&t->bytes, (char)(high << 4 | low));
        i += 2;
    }
    *out = das_text(t->bytes.ptr + from, t->bytes.len - from);
    return 0;
}

static int add_parameter(struct das_sign_target *t, struct das_text piece, struct das_err *err)
{
    struct das_text rest = piece, name = {"", 0};
    struct das_sign_pair *p = &t->query[t->count];

    if (!piece.len)
        return 0;
    das_sign_cut(&rest, '=', &name);
    if (decode(t, name, true, &p->name, err) < 0 ||
        decode(t, rest.ptr ? rest : das_text("", 0), true, &p->value, err) < 0)
        return -1;
    t->count++;
    return 0;
}

static int room(struct das_sign_target *t, struct das_text wire, struct das_err *err)
{
    size_t pieces = 1;

    for (size_t i = 0; i < wire.len; i++)
        pieces += wire.ptr[i] == '&';
    if (pieces > t->cap) {
        struct das_sign_pair *query = das_grow(t->query, pieces, sizeof *query);
        if (!query)
            return das_fail_nomem(err);
        t->query = query;
        t->cap = pieces;
    }
    das_buf_reset(&t->bytes);
    das_buf_reserve(&t->bytes, wire.len); /* at once: what points into it stays */
    return das_buf_ok(&t->bytes, err);
}

int das_sign_target_read(struct das_sign_target *t, struct das_text wire, struct das_err *err)
{
    struct das_text rest = wire, path, piece;

    t->count = 0;
    t->path = DAS_TEXT_NULL;
    if (!wire.len || wire.ptr[0] != '/')
        return das_fail(err, DAS_E_DATA, "path: expected \"/\" at the beginning");
    for (size_t i = 0; i < wire.len; i++) {
        if (wire.ptr[i] <= ' ' || wire.ptr[i] > '~' || wire.ptr[i] == '#')
            return das_fail(err, DAS_E_DATA,
                            "target: a character at position %zu that has to be "
                            "percent-encoded",
                            i + 1);
    }
    das_sign_cut(&rest, '?', &path);
    if (room(t, wire, err) < 0 || decode(t, path, false, &t->path, err) < 0)
        return -1;
    while (das_sign_cut(&rest, '&', &piece)) {
        if (add_parameter(t, piece, err) < 0)
            return -1;
    }
    return 0;
}

void das_sign_target_clear(struct das_sign_target *t)
{
    das_buf_clear(&t->bytes);
    das_free(t->query);
    memset(t, 0, sizeof *t);
}

/* --- Authorization ---------------------------------------------------------------------------- */

static int wrong(struct das_err *err, const char *part, const char *expected)
{
    return das_fail(err, DAS_E_DATA, "Authorization: %s: expected %s", part, expected);
}

static int parse_algorithm(struct das_text word, struct das_sign_auth *a, struct das_err *err)
{
    if (das_text_is(word, "SDK-HMAC-SHA256"))
        a->algorithm = DAS_SDK_HMAC_SHA256;
    else if (das_text_is(word, "V11-HMAC-SHA256"))
        a->algorithm = DAS_V11_HMAC_SHA256;
    else
        return wrong(err, "the algorithm", "SDK-HMAC-SHA256 or V11-HMAC-SHA256");
    return 0;
}

/* AK/DATE/REGION/SERVICE */
static int parse_credential(struct das_text t, struct das_sign_auth *a, struct das_err *err)
{
    struct das_text rest = t, *const parts[] = {&a->access, &a->day, &a->region, &a->service};
    bool good = true;

    for (size_t i = 0; i < 4; i++) {
        good = good && das_sign_cut(&rest, '/', parts[i]) && das_sign_is_word(*parts[i]);
        if (good && i == 0)
            a->info = rest;
    }
    for (size_t i = 0; good && i < a->day.len; i++)
        good = das_is_digit((unsigned char)a->day.ptr[i]);
    if (!good || rest.ptr || a->day.len != DAY_LEN)
        return wrong(err, "Credential", "ACCESS_KEY/YYYYMMDD/REGION/SERVICE");
    return 0;
}

static int parse_names(struct das_text list, struct das_sign_auth *a, struct das_err *err)
{
    struct das_text rest = list, name, last = DAS_TEXT_NULL;

    while (das_sign_cut(&rest, ';', &name)) {
        if (!das_sign_is_token(name))
            return wrong(err, "SignedHeaders", "names of headers, joined by \";\"");
        for (size_t i = 0; i < name.len; i++) {
            if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
                return wrong(err, "SignedHeaders", "lower case");
        }
        if (last.ptr && das_sign_name_cmp(last, name) >= 0)
            return wrong(err, "SignedHeaders", "the names sorted, each once");
        last = name;
    }
    a->headers = list;
    return 0;
}

static int parse_signature(struct das_text t, struct das_sign_auth *a, struct das_err *err)
{
    bool good = t.len == SHA_HEX;

    for (size_t i = 0; good && i < t.len; i++)
        good = das_is_digit((unsigned char)t.ptr[i]) || (t.ptr[i] >= 'a' && t.ptr[i] <= 'f');
    if (!good)
        return wrong(err, "Signature", "64 hex digits in lower case");
    a->signature = t;
    return 0;
}

static int parse_part(struct das_text part, struct das_sign_auth *a, struct das_err *err)
{
    struct das_text value = part, name = {"", 0};

    das_sign_cut(&value, '=', &name);
    if (!value.ptr)
        return wrong(err, "after the algorithm", "NAME=VALUE, separated by commas");
    if (das_text_is(name, "SignedHeaders"))
        return a->headers.ptr ? wrong(err, "SignedHeaders", "it once") : parse_names(value, a, err);
    if (das_text_is(name, "Signature"))
        return a->signature.ptr ? wrong(err, "Signature", "it once")
                                : parse_signature(value, a, err);
    if (a->algorithm == DAS_V11_HMAC_SHA256) {
        if (!das_text_is(name, "Credential"))
            return wrong(err, "a part", "Credential, SignedHeaders and Signature only");
        return a->access.ptr ? wrong(err, "Credential", "it once")
                             : parse_credential(value, a, err);
    }
    if (!das_text_is(name, "Access"))
        return wrong(err, "a part", "Access, SignedHeaders and Signature only");
    if (a->access.ptr)
        return wrong(err, "Access", "it once");
    if (!das_sign_is_word(value))
        return wrong(err, "Access", "an access key");
    a->access = value;
    return 0;
}

int das_sign_parse(struct das_text value, struct das_sign_auth *a, struct das_err *err)
{
    struct das_text rest = das_text_trim(value), word = {"", 0}, part;

    memset(a, 0, sizeof *a);
    das_sign_cut(&rest, ' ', &word);
    if (parse_algorithm(word, a, err) < 0)
        return -1;
    while (das_sign_cut(&rest, ',', &part)) {
        if (parse_part(das_text_trim(part), a, err) < 0)
            return -1;
    }
    if (!a->access.ptr)
        return wrong(err, a->algorithm == DAS_V11_HMAC_SHA256 ? "Credential" : "Access", "it");
    if (!a->headers.ptr)
        return wrong(err, "SignedHeaders", "it");
    if (!a->signature.ptr)
        return wrong(err, "Signature", "it");
    return 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool is_signed(const struct das_sign_auth *a, const char *name)
{
    struct das_text rest = a->headers, item;

    while (das_sign_cut(&rest, ';', &item)) {
        if (das_text_is(item, name))
            return true;
    }
    return false;
}

static int read_date(const struct das_sign_request *r, struct das_sign_auth *a, struct das_err *err)
{
    size_t n = find_header(r, "x-sdk-date", &a->date);
    struct das_err why;
    bool good = a->date.len == DAS_SIGN_DATE_LEN;

    if (n != 1)
        return das_fail(err, n ? DAS_E_DATA : DAS_E_AUTH, "header X-Sdk-Date: %s",
                        n ? "is there twice" : "is missing");
    for (size_t i = 0; good && i < a->date.len; i++) {
        char c = a->date.ptr[i];
        good = i == 8 ? c == 'T' : i == 15 ? c == 'Z' : das_is_digit((unsigned char)c);
    }
    if (!good || das_time_parse(a->date, &a->time, &why) < 0)
        return das_fail(err, DAS_E_DATA, "header X-Sdk-Date: expected a time as YYYYMMDDTHHMMSSZ");
    if (!is_signed(a, "x-sdk-date"))
        return das_fail(err, DAS_E_AUTH, "header X-Sdk-Date: is not in SignedHeaders");
    if (a->algorithm == DAS_V11_HMAC_SHA256 && memcmp(a->day.ptr, a->date.ptr, DAY_LEN) != 0)
        return das_fail(err, DAS_E_AUTH, "Credential: its day is not that of X-Sdk-Date");
    return 0;
}

int das_sign_read(const struct das_sign_request *r, struct das_sign_auth *a, struct das_err *err)
{
    static const char *const names[] = {"x-project-id", "x-domain-id", "x-security-token"};
    struct das_text value;
    size_t n = find_header(r, "authorization", &value);

    memset(a, 0, sizeof *a);
    if (n != 1)
        return das_fail(err, n ? DAS_E_DATA : DAS_E_AUTH, "header Authorization: %s",
                        n ? "is there twice" : "is missing");
    if (das_sign_parse(value, a, err) < 0 || read_date(r, a, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (find_header(r, names[i], &value) && !is_signed(a, names[i]))
            return das_fail(err, DAS_E_AUTH, "header %s: is not in SignedHeaders", names[i]);
    }
    a->body_unsigned = das_text_is(das_sign_header(r, "x-sdk-content-sha256"), "UNSIGNED-PAYLOAD");
    return 0;
}
