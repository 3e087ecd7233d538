/* gate.c - see gate.h. Owns nothing; called by httpd.c for each request, and by tests. */
#include "core/serve/gate.h"

#include <string.h>

static bool is_token(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i], l = das_lower(c);
        if (!das_is_digit(c) && !(l >= 'a' && l <= 'z') && (!c || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return t.len > 0;
}

static bool is_visible(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] < 0x21 || t.ptr[i] > 0x7e)
            return false;
    return true;
}

static bool is_value(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_digits(struct das_text t, size_t max)
{
    for (size_t i = 0; i < t.len; i++)
        if (!das_is_digit((unsigned char)t.ptr[i]))
            return false;
    return t.len > 0 && t.len <= max;
}

static bool is_host(struct das_text t)
{
    size_t i = 0;
    bool address = t.len && t.ptr[0] == '[';

    for (i = address; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i], l = das_lower(c);
        bool hex = das_is_digit(c) || (l >= 'a' && l <= 'f');
        if (address ? !hex && c != ':' && c != '.'
                    : !das_is_digit(c) && !(l >= 'a' && l <= 'z') && (!c || !strchr("-._~%", c)))
            break;
    }
    if (i == (size_t)address)
        return false;
    if (address && (i == t.len || t.ptr[i++] != ']'))
        return false;
    return i == t.len || (t.ptr[i] == ':' && is_digits(das_text(t.ptr + i + 1, t.len - i - 1), 5));
}

static bool blank_only(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    return p == end;
}

/* Every byte of the header is accounted for. Nothing is read before it is known to lie in it. */
static bool is_whole(const struct das_gate_request *r)
{
    const char *at = r->method.ptr + r->method.len + 1 + r->target.len + 1;
    const uintptr_t end = (uintptr_t)r->method.ptr + r->header_bytes;

    if (r->version.ptr != at)
        return false;
    at += r->version.len;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct das_text *name = &r->headers[i].name, *value = &r->headers[i].value;
        const char *colon;
        if (name->ptr != at + 2 || at[0] || at[1])
            return false;
        colon = name->ptr + name->len;
        if ((uintptr_t)value->ptr <= (uintptr_t)colon ||
            (uintptr_t)value->ptr + value->len >= end || *colon ||
            !blank_only(colon + 1, value->ptr))
            return false;
        at = value->ptr + value->len;
    }
    return (uintptr_t)at + 4 == end && memcmp(at, "\0\0\0", 4) == 0;
}

const char *das_gate(const struct das_gate_request *r, int *status)
{
    struct das_text host = DAS_TEXT_NULL, length = DAS_TEXT_NULL, coding = DAS_TEXT_NULL,
                    expect = DAS_TEXT_NULL;
    bool old = das_text_is(r->version, "HTTP/1.0");

    *status = 505;
    if (!old && !das_text_is(r->version, "HTTP/1.1"))
        return "the version is not HTTP/1.0 or HTTP/1.1";
    *status = 400;
    if (!is_token(r->method))
        return "the method is no token";
    if (!is_whole(r))
        return "the header is not made up of lines that end in CRLF, or has folded lines";
    if (!(r->target.len && r->target.ptr[0] == '/') &&
        !(das_text_is(r->target, "*") && das_text_is(r->method, "OPTIONS")))
        return "the target does not begin with \"/\"";
    if (!is_visible(r->target))
        return "the target has bytes that are not visible ASCII";
    for (size_t i = 0; i < r->header_count; i++) {
        const struct das_sign_pair *h = &r->headers[i];
        struct das_text *once = NULL;
        if (!is_token(h->name))
            return "a header's name is no token";
        if (!is_value(h->value))
            return "a header's value has control characters";
        if (das_text_iis(h->name, "Host"))
            once = &host;
        else if (das_text_iis(h->name, "Content-Length"))
            once = &length;
        else if (das_text_iis(h->name, "Transfer-Encoding"))
            once = &coding;
        else if (das_text_iis(h->name, "Expect"))
            once = &expect;
        if (once && once->ptr)
            return once == &host     ? "Host is there twice"
                   : once == &length ? "Content-Length is there twice"
                   : once == &coding ? "Transfer-Encoding is there twice"
                                     : "Expect is there twice";
        if (once)
            *once = h->value;
    }
    if (!host.ptr)
        return "Host is missing";
    if (!is_host(das_text_trim(host)))
        return "Host is no host";
    if (length.ptr && !is_digits(length, 18))
        return "Content-Length is no number";
    if (length.ptr && coding.ptr)
        return "Content-Length and Transfer-Encoding are both there";
    if (coding.ptr && old)
        return "Transfer-Encoding is not for HTTP/1.0";
    if (coding.ptr && !das_text_is(coding, "chunked")) {
        *status = 501;
        return "Transfer-Encoding is not \"chunked\"";
    }
    if (expect.ptr && !das_text_iis(expect, "100-continue")) {
        *status = 417;
        return "Expect is not \"100-continue\"";
    }
    *status = 0;
    return NULL;
}
