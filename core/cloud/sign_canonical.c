/*
 * sign_canonical.c - a request as the text that is hashed and signed, and what a request may be so
 * that this text has one reading only. See sign.h.
 */
#include "core/cloud/sign_impl.h"

#include <stdlib.h>

#include "core/base/mem.h"

/* --- what a request may be -------------------------------------------------------------------- */

static int check_path(struct das_text path, enum das_code code, struct das_err *err)
{
    struct das_text rest = path, part;

    if (path.len && path.ptr[0] != '/')
        return das_fail(err, code, "path: expected \"/\" at the beginning");
    while (das_sign_cut(&rest, '/', &part)) {
        if (das_text_is(part, ".") || das_text_is(part, ".."))
            return das_fail(err, code,
                            "path: a segment \"%.*s\": on its way it could be resolved, "
                            "and another path be reached",
                            (int)part.len, part.ptr);
    }
    return 0;
}

static int check_header(const struct das_sign_pair *h, size_t number, enum das_code code,
                        struct das_err *err)
{
    if (!das_sign_is_token(h->name))
        return das_fail(err, code, "header %zu: its name is not one", number);
    for (size_t i = 0; i < h->value.len; i++) {
        unsigned char c = (unsigned char)h->value.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return das_fail(err, code, "header %.*s: a control character in its value",
                            (int)h->name.len, h->name.ptr);
    }
    return 0;
}

static int check_request(const struct das_sign_request *r, enum das_code code, struct das_err *err)
{
    bool capitals = r->method.len > 0;

    for (size_t i = 0; i < r->method.len; i++)
        capitals = capitals && r->method.ptr[i] >= 'A' && r->method.ptr[i] <= 'Z';
    if (!capitals)
        return das_fail(err, code, "method: expected capital letters");
    if (check_path(r->path, code, err) < 0)
        return -1;
    for (size_t i = 0; i < r->header_count; i++) {
        if (check_header(&r->headers[i], i + 1, code, err) < 0)
            return -1;
    }
    return 0;
}

/* --- the order of things ---------------------------------------------------------------------- */

static int text_cmp(struct das_text a, struct das_text b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;

    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *va, const void *vb)
{
    const struct das_sign_pair *const *a = va, *const *b = vb;

    return das_sign_name_cmp((*a)->name, (*b)->name);
}

/* Before they are encoded: "%" comes before all letters, and what it stands for after them. */
static int by_bytes(const void *va, const void *vb)
{
    const struct das_sign_pair *const *a = va, *const *b = vb;
    int c = text_cmp((*a)->name, (*b)->name);

    return c ? c : text_cmp((*a)->value, (*b)->value);
}

/* The pairs and, where there is one, another, as s->order. */
static int set_order(struct das_signer *s, const struct das_sign_pair *pairs, size_t count,
                     const struct das_sign_pair *another, int (*cmp)(const void *, const void *),
                     struct das_err *err)
{
    const struct das_sign_pair **order = s->order;

    if (count >= s->order_cap) {
        order = das_grow(order, count + 16, sizeof *order);
        if (!order)
            return das_fail_nomem(err);
        s->order = order;
        s->order_cap = count + 16;
    }
    for (size_t i = 0; i < count; i++)
        order[i] = &pairs[i];
    if (another)
        order[count++] = another;
    qsort(order, count, sizeof *order, cmp);
    return 0;
}

static int twice(const struct das_sign_pair *h, enum das_code code, struct das_err *err)
{
    return das_fail(err, code, "header %.*s: is there twice, so that nobody knows which one counts",
                    (int)h->name.len, h->name.ptr);
}

/* Keeps those in s->order that a client signs. */
static int pick_all(struct das_signer *s, size_t count, size_t *picked, struct das_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        struct das_text name = s->order[i]->name;
        if (memchr(name.ptr, '_', name.len) || das_text_iis(name, "authorization"))
            continue;
        if (n && das_text_ieq(s->order[n - 1]->name, name))
            return twice(s->order[i], DAS_E_USAGE, err);
        s->order[n++] = s->order[i];
    }
    *picked = n;
    return 0;
}

/* Keeps those in s->order that the list names; both are sorted. */
static int pick_listed(struct das_signer *s, size_t count, struct das_text list, size_t *picked,
                       struct das_err *err)
{
    struct das_text name;
    size_t n = 0, i = 0;

    while (das_sign_cut(&list, ';', &name)) {
        while (i < count && das_sign_name_cmp(s->order[i]->name, name) < 0)
            i++;
        if (i == count || das_sign_name_cmp(s->order[i]->name, name) != 0)
            return das_fail(err, DAS_E_AUTH,
                            "header %.*s: is in SignedHeaders but not in the request",
                            name.len > 100 ? 100 : (int)name.len, name.ptr);
        if (i + 1 < count && das_text_ieq(s->order[i + 1]->name, name))
            return twice(s->order[i], DAS_E_DATA, err);
        s->order[n++] = s->order[i++];
    }
    *picked = n;
    return 0;
}

/* --- the canonical request -------------------------------------------------------------------- */

static bool is_unreserved(unsigned char c)
{
    return (das_lower(c) >= 'a' && das_lower(c) <= 'z') || das_is_digit(c) || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* slashes: they stay, too. */
static void add_encoded(struct das_buf *b, struct das_text t, bool slashes)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t from = 0;

    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        char escape[] = {'%', digits[c >> 4], digits[c & 15]};
        if (is_unreserved(c) || (slashes && c == '/'))
            continue;
        if (i > from)
            das_buf_add(b, t.ptr + from, i - from);
        das_buf_add(b, escape, sizeof escape);
        from = i + 1;
    }
    if (t.len > from)
        das_buf_add(b, t.ptr + from, t.len - from);
}

static void add_parameter(struct das_buf *b, const struct das_sign_pair *p)
{
    add_encoded(b, p->name, false);
    das_buf_char(b, '=');
    add_encoded(b, p->value, false);
}

static void add_lower(struct das_buf *b, struct das_text t)
{
    char *to = das_buf_reserve(b, t.len);

    if (!to)
        return;
    for (size_t i = 0; i < t.len; i++)
        to[i] = (char)das_lower((unsigned char)t.ptr[i]);
    to[t.len] = '\0';
    b->len += t.len;
}

void das_sign_target_write(const struct das_sign_request *r, struct das_buf *b)
{
    if (!r->path.len)
        das_buf_char(b, '/');
    add_encoded(b, r->path, true);
    for (size_t i = 0; i < r->query_count; i++) {
        das_buf_char(b, i ? '&' : '?');
        add_parameter(b, &r->query[i]);
    }
}

/* At most so long. */
static size_t canonical_max(const struct das_sign_request *r)
{
    size_t n = r->method.len + 3 * r->path.len + 200;

    for (size_t i = 0; i < r->query_count; i++)
        n += 3 * (r->query[i].name.len + r->query[i].value.len) + 2;
    for (size_t i = 0; i < r->header_count; i++)
        n += 2 * r->headers[i].name.len + r->headers[i].value.len + 3;
    return n;
}

/* The last line. A hash that a header tells has to be true, or somebody could give the old one and
 * send another body. */
static int add_payload(struct das_signer *s, const struct das_sign_request *r, enum das_code code,
                       struct das_err *err)
{
    static const char name[] = "X-Sdk-Content-Sha256";
    struct das_buf *b = &s->canonical;
    const struct das_sign_pair *told = NULL;
    unsigned char sha[SHA_LEN];
    struct das_text value, real;

    for (size_t i = 0; i < r->header_count; i++) {
        if (!das_text_iis(r->headers[i].name, name))
            continue;
        if (told)
            return twice(told, code, err);
        told = &r->headers[i];
    }
    value = told ? das_text_trim(told->value) : DAS_TEXT_NULL;
    if (das_text_is(value, "UNSIGNED-PAYLOAD")) {
        das_buf_text(b, value);
        return 0;
    }
    if (das_sign_hash(s, r->body, sha, err) < 0)
        return -1;
    das_sign_hex(b, sha);
    if (!told || b->failed)
        return 0;
    real = das_text(b->ptr + b->len - SHA_HEX, SHA_HEX);
    if (!das_text_ieq(value, real))
        return das_fail(err, code,
                        "header %s: neither UNSIGNED-PAYLOAD nor the SHA-256 of the body", name);
    b->len -= SHA_HEX; /* as it was told: hex digits have two cases */
    das_buf_text(b, value);
    return 0;
}

/* All before the headers; takes s->order for the query. */
static int add_target(struct das_signer *s, const struct das_sign_request *r, struct das_err *err)
{
    struct das_buf *b = &s->canonical;

    if (set_order(s, r->query, r->query_count, NULL, by_bytes, err) < 0)
        return -1;
    das_buf_text(b, r->method);
    das_buf_char(b, '\n');
    add_encoded(b, r->path, true);
    if (!r->path.len || r->path.ptr[r->path.len - 1] != '/')
        das_buf_char(b, '/');
    das_buf_char(b, '\n');
    for (size_t i = 0; i < r->query_count; i++) {
        if (i)
            das_buf_char(b, '&');
        add_parameter(b, s->order[i]);
    }
    das_buf_char(b, '\n');
    return 0;
}

/* s->order holds count headers. *names: the line of SignedHeaders. */
static void add_headers(struct das_signer *s, size_t count, struct das_text *names)
{
    struct das_buf *b = &s->canonical;
    size_t from;

    for (size_t i = 0; i < count; i++) {
        add_lower(b, s->order[i]->name);
        das_buf_char(b, ':');
        das_buf_text(b, das_text_trim(s->order[i]->value));
        das_buf_char(b, '\n');
    }
    das_buf_char(b, '\n');
    from = b->len;
    for (size_t i = 0; i < count; i++) {
        if (i)
            das_buf_char(b, ';');
        add_lower(b, s->order[i]->name);
    }
    *names = das_text(b->ptr ? b->ptr + from : "", b->len - from);
    das_buf_char(b, '\n');
}

int das_sign_canonical(struct das_signer *s, const struct das_sign_request *r,
                       const struct das_sign_pair *date, struct das_text list,
                       struct das_text *names, struct das_err *err)
{
    enum das_code code = date ? DAS_E_USAGE : DAS_E_DATA;
    size_t all = r->header_count + (date ? 1 : 0), count = 0;

    if (check_request(r, code, err) < 0 ||
        das_sign_empty(&s->canonical, canonical_max(r), err) < 0 || add_target(s, r, err) < 0 ||
        set_order(s, r->headers, r->header_count, date, by_name, err) < 0 ||
        (date ? pick_all(s, all, &count, err) : pick_listed(s, all, list, &count, err)) < 0)
        return -1;
    add_headers(s, count, names);
    if (add_payload(s, r, code, err) < 0)
        return -1;
    return das_buf_ok(&s->canonical, err);
}
