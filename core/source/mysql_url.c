/* mysql_url.c - see mysql_url.h. */
#include "core/source/mysql_url.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

#define TIMEOUT_MAX 86400

static const char *const param_names[] = {
    "socket", "ssl", "ssl_ca", "connect_timeout", "read_timeout", "write_timeout",
};
enum { P_SOCKET, P_SSL, P_SSL_CA, P_CONNECT, P_READ, P_WRITE, P_COUNT };

/* Words that people try first; all of them would put the secret into the URL. */
static const char *const secret_names[] = {"password", "passwd", "pass", "pwd"};

static int refuse_password(struct das_err *err)
{
    return das_fail(err, DAS_E_USAGE,
                    "a password in the URL is not taken: it would show in process lists and logs. "
                    "Give password_file or password_env in the configuration, or put it into "
                    "~/.my.cnf");
}

static int hex_digit(char c)
{
    if (das_is_digit((unsigned char)c))
        return c - '0';
    c = (char)das_lower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* An owned copy with %XX undone. what names the part in messages; its text is not repeated. */
static int decode(struct das_text t, const char *what, char **out, struct das_err *err)
{
    char *s = das_alloc(t.len + 1);
    size_t n = 0;

    if (!s)
        return das_fail_nomem(err);
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        if (c == '%') {
            int hi = i + 2 < t.len ? hex_digit(t.ptr[i + 1]) : -1;
            int lo = i + 2 < t.len ? hex_digit(t.ptr[i + 2]) : -1;
            if (hi < 0 || lo < 0 || (hi == 0 && lo == 0)) {
                das_free(s);
                return das_fail(err, DAS_E_USAGE,
                                "%s: bad percent-encoding, expected %%XX (and %%25 for a percent)",
                                what);
            }
            c = (char)(hi << 4 | lo);
            i += 2;
        }
        s[n++] = c;
    }
    s[n] = '\0';
    *out = s;
    return 0;
}

static bool is_local(const struct das_mysql_url *u)
{
    unsigned a, b, c, d;
    char rest;

    if (u->socket || strcmp(u->host, "::1") == 0 || das_text_iis(das_text_of(u->host), "localhost"))
        return true;
    return sscanf(u->host, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &rest) == 4 && a == 127;
}

static int parse_port(struct das_text t, struct das_mysql_url *u, struct das_err *err)
{
    int64_t port;

    /* The text is not repeated: in a misread URL it can be half a password. */
    if (!das_parse_int(t, &port) || port < 1 || port > 65535)
        return das_fail(err, DAS_E_USAGE, "the port in the URL is not a number from 1 to 65535");
    u->port = (unsigned)port;
    return 0;
}

static int parse_host(struct das_text t, struct das_mysql_url *u, struct das_err *err)
{
    struct das_text host = t, port = DAS_TEXT_NULL;

    if (t.len && t.ptr[0] == '[') {
        const char *end = memchr(t.ptr, ']', t.len);
        if (!end)
            return das_fail(err, DAS_E_USAGE, "the URL has a \"[\" without \"]\" around the host");
        host = das_text(t.ptr + 1, (size_t)(end - t.ptr - 1));
        t = das_text(end + 1, t.len - host.len - 2);
        if (t.len && t.ptr[0] != ':')
            return das_fail(err, DAS_E_USAGE, "expected \":port\" or the end after \"[host]\"");
        if (t.len)
            port = das_text(t.ptr + 1, t.len - 1);
    } else {
        const char *colon = t.len ? memchr(t.ptr, ':', t.len) : NULL;
        if (colon && memchr(colon + 1, ':', t.len - (size_t)(colon + 1 - t.ptr)))
            return das_fail(err, DAS_E_USAGE,
                            "an IPv6 address stands in brackets: mysql://[::1]:3306/");
        if (colon) {
            host.len = (size_t)(colon - t.ptr);
            port = das_text(colon + 1, t.len - host.len - 1);
        }
    }
    if (port.ptr && parse_port(port, u, err) < 0)
        return -1;
    if (!host.len)
        host = das_text_of("localhost");
    return decode(host, "host", &u->host, err);
}

/* Everything between "//" and the "/" or "?" after it. */
static int parse_authority(struct das_text t, bool at_later, struct das_mysql_url *u,
                           struct das_err *err)
{
    const char *at = t.len ? memrchr(t.ptr, '@', t.len) : NULL;

    if (at) {
        struct das_text user = das_text(t.ptr, (size_t)(at - t.ptr));
        if (user.len && memchr(user.ptr, ':', user.len))
            return refuse_password(err);
        if (user.len && decode(user, "user", &u->user, err) < 0)
            return -1;
        t = das_text(at + 1, t.len - user.len - 1);
    } else if (at_later && t.len && memchr(t.ptr, ':', t.len)) {
        /* "root:pa/ss@host": the "/" of a password cut the authority short. A port is a number,
         * so anything else before a later "@" is taken for that. */
        const char *colon = memchr(t.ptr, ':', t.len);
        int64_t n;
        if (!das_parse_int(das_text(colon + 1, t.len - (size_t)(colon + 1 - t.ptr)), &n))
            return refuse_password(err);
    }
    return parse_host(t, u, err);
}

static int parse_timeout(const char *value, const char *key, unsigned *out, struct das_err *err)
{
    int64_t s;

    if (!das_parse_duration(das_text_of(value), &s) || s < 1 || s > TIMEOUT_MAX)
        return das_fail(err, DAS_E_USAGE, "%s: expected a duration of 1s to 1d, as in %s=5s", key,
                        key);
    *out = (unsigned)s;
    return 0;
}

static int parse_ssl(const char *value, struct das_mysql_url *u, struct das_err *err)
{
    if (strcmp(value, "verify") == 0)
        u->ssl = DAS_SSL_VERIFY;
    else if (strcmp(value, "encrypt") == 0)
        u->ssl = DAS_SSL_ENCRYPT;
    else if (strcmp(value, "off") == 0)
        u->ssl = DAS_SSL_OFF;
    else
        return das_fail(err, DAS_E_USAGE, "ssl: expected verify, encrypt or off, got \"%.40s\"",
                        value);
    return 0;
}

static int unknown_param(struct das_text key, struct das_err *err)
{
    char word[48];
    const char *near;

    snprintf(word, sizeof word, "%.*s", (int)(key.len < 40 ? key.len : 40), key.ptr);
    for (size_t i = 0; i < sizeof secret_names / sizeof *secret_names; i++) {
        if (das_text_iis(key, secret_names[i]))
            return refuse_password(err);
    }
    near = das_nearest(word, param_names, P_COUNT);
    if (near)
        return das_fail(err, DAS_E_USAGE, "unknown URL parameter \"%s\", did you mean \"%s\"?",
                        word, near);
    return das_fail(err, DAS_E_USAGE,
                    "unknown URL parameter \"%s\"; there are socket, ssl, ssl_ca, connect_timeout, "
                    "read_timeout and write_timeout",
                    word);
}

/* Takes value over where it is kept. */
static int set_param(int p, char **value, struct das_mysql_url *u, struct das_err *err)
{
    char **slot = p == P_SOCKET ? &u->socket : &u->ssl_ca;

    switch (p) {
    case P_SOCKET:
    case P_SSL_CA:
        if (!**value)
            return 0; /* "socket=" is unset */
        *slot = *value;
        *value = NULL;
        return 0;
    case P_SSL:
        return parse_ssl(*value, u, err);
    case P_CONNECT:
        return parse_timeout(*value, param_names[p], &u->connect_timeout, err);
    case P_READ:
        return parse_timeout(*value, param_names[p], &u->read_timeout, err);
    default:
        return parse_timeout(*value, param_names[p], &u->write_timeout, err);
    }
}

static int parse_param(struct das_text t, bool seen[P_COUNT], struct das_mysql_url *u,
                       struct das_err *err)
{
    const char *eq = memchr(t.ptr, '=', t.len);
    struct das_text key = das_text(t.ptr, eq ? (size_t)(eq - t.ptr) : t.len);
    char *value = NULL;
    int p, rc;

    for (p = 0; p < P_COUNT && !das_text_is(key, param_names[p]); p++)
        ;
    if (p == P_COUNT)
        return unknown_param(key, err);
    if (!eq)
        return das_fail(err, DAS_E_USAGE, "URL parameter %s has no value, expected %s=...",
                        param_names[p], param_names[p]);
    if (seen[p])
        return das_fail(err, DAS_E_USAGE, "URL parameter %s is given twice", param_names[p]);
    seen[p] = true;
    if (decode(das_text(eq + 1, t.len - key.len - 1), param_names[p], &value, err) < 0)
        return -1;
    rc = set_param(p, &value, u, err);
    das_free(value);
    return rc;
}

static int parse_query(const char *q, struct das_mysql_url *u, struct das_err *err)
{
    bool seen[P_COUNT] = {false};

    while (*q) {
        size_t len = strcspn(q, "&");
        if (len && parse_param(das_text(q, len), seen, u, err) < 0)
            return -1;
        q += len + (q[len] == '&');
    }
    if (u->socket && !is_local(&(struct das_mysql_url){.host = u->host}))
        return das_fail(err, DAS_E_USAGE,
                        "socket= is a way on this machine, but the URL names host \"%.200s\"",
                        u->host);
    if (u->socket && u->port)
        return das_fail(err, DAS_E_USAGE, "the URL gives both socket= and a port, expected one");
    if (!seen[P_SSL])
        u->ssl = is_local(u) && !u->ssl_ca ? DAS_SSL_OFF : DAS_SSL_VERIFY;
    if (u->ssl_ca && u->ssl != DAS_SSL_VERIFY)
        return das_fail(err, DAS_E_USAGE,
                        "ssl_ca= verifies the server, but ssl=%s does not: drop one of them",
                        u->ssl == DAS_SSL_OFF ? "off" : "encrypt");
    return 0;
}

int das_mysql_url_parse(const char *rest, struct das_mysql_url *out, struct das_err *err)
{
    const char *after, *query;
    size_t len;

    memset(out, 0, sizeof *out);
    out->connect_timeout = 5;
    out->read_timeout = out->write_timeout = 10;
    if (strncmp(rest, "//", 2) != 0) {
        das_fail(err, DAS_E_USAGE, "expected mysql://user@host:port/?..., the \"//\" is missing");
        goto fail;
    }
    rest += 2;
    len = strcspn(rest, "/?");
    after = rest + len;
    query = after + strcspn(after, "?");
    if (parse_authority(das_text(rest, len), strchr(after, '@') != NULL, out, err) < 0)
        goto fail;
    if (query - after > 1) {
        das_fail(err, DAS_E_USAGE,
                 "the URL names a database after the host; sessions of all databases are listed, "
                 "filter with db=... instead");
        goto fail;
    }
    if (parse_query(*query ? query + 1 : query, out, err) < 0)
        goto fail;
    return 0;
fail:
    das_mysql_url_clear(out);
    return -1;
}

void das_mysql_url_clear(struct das_mysql_url *u)
{
    das_free(u->user);
    das_free(u->host);
    das_free(u->socket);
    das_free(u->ssl_ca);
    memset(u, 0, sizeof *u);
}
