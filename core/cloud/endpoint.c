/* endpoint.c - see endpoint.h. */
#include "core/cloud/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/text.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-"
#define NAME_MAX_LEN 253
#define REGION_MAX 63

struct parts {
    bool tls, brackets;
    char name[NAME_MAX_LEN + 1]; /* lower case, no brackets */
    int port;                    /* 0: the scheme's own */
};

/* The host, lower case. Returns what comes after it, or NULL. */
static const char *take_name(const char *p, struct parts *out)
{
    size_t len;

    out->brackets = *p == '[';
    if (out->brackets)
        p++;
    len = strcspn(p, out->brackets ? "]" : ":/");
    if (!len || len > NAME_MAX_LEN || (out->brackets && p[len] != ']'))
        return NULL;
    for (size_t i = 0; i < len; i++)
        out->name[i] = (char)das_lower((unsigned char)p[i]);
    out->name[len] = '\0';
    return p + len + out->brackets;
}

/* An address is written in full: of "127.1" or "0x7f000001" the library would make another text
 * than was signed; of IPv6 it keeps the usual one. */
static bool is_host(struct parts *h)
{
    const char *last = strrchr(h->name, '.');
    struct in6_addr a;

    if (h->brackets)
        return inet_pton(AF_INET6, h->name, &a) == 1 &&
               inet_ntop(AF_INET6, &a, h->name, sizeof h->name);
    last = last ? last + 1 : h->name;
    if (das_is_digit((unsigned char)*last))
        return inet_pton(AF_INET, h->name, &a) == 1;
    return *last && h->name[0] != '.' && !strstr(h->name, "..") &&
           !h->name[strspn(h->name, NAME_CHARS ".")];
}

static bool is_loopback(const struct parts *h)
{
    struct in_addr a;

    if (h->brackets)
        return strcmp(h->name, "::1") == 0;
    /* and not 127.0.0.1.example.com */
    return strcmp(h->name, "localhost") == 0 ||
           (inet_pton(AF_INET, h->name, &a) == 1 && ntohl(a.s_addr) >> 24 == IN_LOOPBACKNET);
}

static const char *take_port(const char *p, struct parts *out)
{
    size_t len;
    int64_t port;

    out->port = 0;
    if (*p != ':')
        return p;
    len = strspn(++p, "0123456789");
    if (!len || len > 5 || !das_parse_int(das_text(p, len), &port) || port < 1 || port > 65535)
        return NULL;
    if (port != (out->tls ? 443 : 80))
        out->port = (int)port;
    return p + len;
}

int das_endpoint_parse(const char *what, const char *text, bool insecure, struct das_endpoint *out,
                       struct das_err *err)
{
    struct parts parts = {.tls = strncasecmp(text, "http://", 7) != 0};
    const char *p = text;

    p += !parts.tls ? 7 : strncasecmp(text, "https://", 8) == 0 ? 8 : 0;
    p = take_name(p, &parts);
    if (p && is_host(&parts))
        p = take_port(p, &parts);
    else
        p = NULL;
    if (!p || (*p && strcmp(p, "/") != 0)) /* not repeated: it may hold a password */
        return das_fail(err, DAS_E_CONFIG,
                        "%s: expected one like https://host or https://host:port, and no path",
                        what);
    if (!parts.tls && !insecure && !is_loopback(&parts))
        return das_fail(err, DAS_E_CONFIG,
                        "%s: http:// would show keys and tokens to the network; "
                        "write https://, or insecure = true",
                        what);
    snprintf(out->host, sizeof out->host, parts.brackets ? "[%s]" : "%s", parts.name);
    if (parts.port) {
        size_t len = strlen(out->host);
        snprintf(out->host + len, sizeof out->host - len, ":%d", parts.port);
    }
    snprintf(out->origin, sizeof out->origin, "%s://%s", parts.tls ? "https" : "http", out->host);
    return 0;
}

int das_region_check(const char *region, struct das_err *err)
{
    size_t len = region ? strlen(region) : 0;

    if (len && len <= REGION_MAX && strspn(region, NAME_CHARS) == len)
        return 0;
    return das_fail(err, DAS_E_CONFIG, "region: expected one like \"cn-north-4\", got %s%.80s%s",
                    len ? "\"" : "none", len ? region : "", len ? "\"" : "");
}
