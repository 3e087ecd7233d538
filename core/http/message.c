/* message.c - see message.h. */
#include "core/http/message.h"

const struct das_http_request das_http_request_default = {
    .method = "GET",
    .connect_ms = 5000,
    .total_ms = 10000,
    .max_bytes = (size_t)4 << 20,
    .redirects = 5,
    .retry = {.times = 0, .wait_ms = 500, .max_wait_ms = 30000},
};

/* --- headers ---------------------------------------------------------------------------------- */

void das_http_headers_init(struct das_http_headers *h)
{
    memset(h, 0, sizeof *h);
    das_arena_init(&h->arena);
}

static char *writable(const char *p)
{
    return (char *)(uintptr_t)p;
}

void das_http_headers_clear(struct das_http_headers *h)
{
    for (size_t i = 0; i < h->count; i++)
        explicit_bzero(writable(h->items[i].value.ptr), h->items[i].value.len);
    das_free(h->items);
    das_arena_clear(&h->arena);
    das_http_headers_init(h);
}

void das_http_headers_reset(struct das_http_headers *h)
{
    if (h->count)
        das_http_headers_clear(h);
}

int das_http_headers_add(struct das_http_headers *h, struct das_text name, struct das_text value,
                         bool secret, struct das_err *err)
{
    char *n = das_arena_alloc(&h->arena, name.len + 1);
    char *v = das_arena_alloc(&h->arena, value.len + 1);
    struct das_http_header *items = h->items;

    if ((h->count & (h->count - 1)) == 0 && h->count != 1) /* 0, 2, 4, 8, ... */
        items = das_grow(items, h->count ? h->count * 2 : 2, sizeof *items);
    if (items)
        h->items = items;
    if (!n || !v || !items)
        return das_fail_nomem(err);
    if (name.len)
        memcpy(n, name.ptr, name.len);
    n[name.len] = '\0';
    if (value.len)
        memcpy(v, value.ptr, value.len);
    v[value.len] = '\0';
    items[h->count++] = (struct das_http_header){n, das_text(v, value.len), secret};
    return 0;
}

struct das_text das_http_headers_get(const struct das_http_headers *h, const char *name)
{
    for (size_t i = h->count; i-- > 0;) {
        if (das_text_iis(das_text_of(h->items[i].name), name))
            return h->items[i].value;
    }
    return DAS_TEXT_NULL;
}

/* --- what may be sent --------------------------------------------------------------------------- */

static bool is_token(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = das_lower((unsigned char)t.ptr[i]);
        if (!((c >= 'a' && c <= 'z') || das_is_digit(c) || (c && strchr("!#$%&'*+-.^_`|~", c))))
            return false;
    }
    return t.len > 0;
}

static bool among(struct das_text name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (das_text_iis(name, list[i]))
            return true;
    }
    return false;
}
#define AMONG(name, list) among(name, list, sizeof list / sizeof *list)

int das_http_check_header(struct das_text name, struct das_text value, struct das_err *err)
{
    /* they say where a message ends, or whom it is for: a script that could set them could speak
     * to a host that it was not granted */
    static const char *const ours[] = {
        "Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE",
        "Trailer", "Expect", "Proxy-Authorization", "Proxy-Connection", "HTTP2-Settings"};

    if (!is_token(name)) /* the name is not repeated: it may be anything */
        return das_fail(err, DAS_E_USAGE, "headers: a name is letters, digits and \"-\"; one of "
                                          "them is not");
    if (AMONG(name, ours))
        return das_fail(err, DAS_E_USAGE, "headers: %.*s is set by das", (int)name.len, name.ptr);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return das_fail(err, DAS_E_USAGE, "headers: %.*s: a control character (0x%02x) at "
                                              "place %zu",
                            name.len > 100 ? 100 : (int)name.len, name.ptr, c, i + 1);
    }
    return 0;
}

int das_http_check_method(struct das_text method, struct das_err *err)
{
    static const char *const never[] = {"CONNECT", "TRACE", "TRACK"};

    for (size_t i = 0; i < method.len; i++) {
        if (method.ptr[i] < 'A' || method.ptr[i] > 'Z')
            return das_fail(err, DAS_E_USAGE, "method: expected capital letters as in \"POST\"");
    }
    if (method.len == 0 || method.len > 20)
        return das_fail(err, DAS_E_USAGE, "method: expected 1 to 20 letters");
    if (AMONG(method, never))
        return das_fail(err, DAS_E_USAGE, "method: %.*s is not for scripts", (int)method.len,
                        method.ptr);
    return 0;
}

bool das_http_idempotent(const char *method)
{
    static const char *const list[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};

    return AMONG(das_text_of(method), list);
}

bool das_http_header_travels(const struct das_http_header *h)
{
    static const char *const plain[] = {"Accept", "Accept-Language", "Content-Type",
                                        "Content-Language", "User-Agent"};

    return !h->secret && AMONG(das_text_of(h->name), plain);
}

/* --- responses ---------------------------------------------------------------------------------- */

void das_http_response_init(struct das_http_response *r)
{
    memset(r, 0, sizeof *r);
    das_http_headers_init(&r->headers);
}

void das_http_response_clear(struct das_http_response *r)
{
    das_http_headers_clear(&r->headers);
    das_buf_clear(&r->body);
    das_buf_clear(&r->url);
}
