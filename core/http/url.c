/* url.c - see url.h. */
#include "core/http/url.h"

#include <string.h>

#include "core/base/text.h"

#define URL_MAX 8192

static void forget(char **s)
{
    curl_free(*s);
    *s = NULL;
}

void das_url_clear(struct das_url *u)
{
    if (u->handle)
        curl_url_cleanup(u->handle);
    if (u->text) {
        explicit_bzero(u->text, strlen(u->text));
        curl_free(u->text);
    }
    memset(u, 0, sizeof *u);
}

static int set_host(struct das_url *u, const char *host, struct das_err *err)
{
    size_t len = strlen(host);

    if (len && host[0] == '[') {
        host++;
        len = strcspn(host, "]");
    } else if (len > 1 && host[len - 1] == '.') {
        len--;
    }
    if (len == 0 || len > DAS_HTTP_HOST_MAX)
        return das_fail(err, DAS_E_USAGE, "url: a host has 1 to %d characters", DAS_HTTP_HOST_MAX);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = das_lower((unsigned char)host[i]);
        if (!((c >= 'a' && c <= 'z') || das_is_digit(c) || strchr(".-_:", c)))
            return das_fail(err, DAS_E_USAGE, "url: the host may hold letters, digits, \".\", \"-\" "
                                              "and \"_\"; write other names as xn--...");
        u->host[i] = (char)c;
    }
    u->host[len] = '\0';
    return 0;
}

static int take_apart(struct das_url *u, struct das_err *err)
{
    char *scheme = NULL, *host = NULL, *port = NULL, *part = NULL;
    int rc = -1;

    if (curl_url_get(u->handle, CURLUPART_SCHEME, &scheme, 0) ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        das_fail(err, DAS_E_DENIED, "url: expected http:// or https://, got %.20s:",
                 scheme ? scheme : "");
        goto done;
    }
    u->tls = strcmp(scheme, "https") == 0;
    if (curl_url_get(u->handle, CURLUPART_USER, &part, 0) == CURLUE_OK ||
        curl_url_get(u->handle, CURLUPART_PASSWORD, &part, 0) == CURLUE_OK) {
        das_fail(err, DAS_E_USAGE, "url: a user or password does not belong into a URL; send the "
                                   "header Authorization");
        goto done;
    }
    if (curl_url_get(u->handle, CURLUPART_ZONEID, &part, 0) == CURLUE_OK) {
        das_fail(err, DAS_E_USAGE, "url: an address with a zone is link-local");
        goto done;
    }
    if (curl_url_get(u->handle, CURLUPART_HOST, &host, 0) ||
        curl_url_get(u->handle, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) {
        das_fail(err, DAS_E_USAGE, "url: expected a host");
        goto done;
    }
    if (set_host(u, host, err) < 0)
        goto done;
    snprintf(u->origin, sizeof u->origin, strchr(u->host, ':') ? "%s://[%s]:%s" : "%s://%s:%s",
             scheme, u->host, port);
    if (curl_url_set(u->handle, CURLUPART_FRAGMENT, NULL, 0) ||
        curl_url_get(u->handle, CURLUPART_URL, &u->text, 0))
        das_fail_nomem(err);
    else if (strlen(u->text) > URL_MAX)
        das_fail(err, DAS_E_USAGE, "url: longer than %d bytes", URL_MAX);
    else
        rc = 0;
done:
    if (part)
        explicit_bzero(part, strlen(part));
    forget(&part);
    forget(&scheme);
    forget(&host);
    forget(&port);
    return rc;
}

int das_url_parse(struct das_url *u, const char *text, struct das_err *err)
{
    CURLUcode code;

    memset(u, 0, sizeof *u);
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c >= 0x7f)
            return das_fail(err, DAS_E_USAGE, "url: byte 0x%02x at place %zu; write %%%02X", c,
                            (size_t)(p - text) + 1, c);
    }
    if (das_curl_load(err) < 0)
        return -1;
    u->handle = curl_url();
    if (!u->handle)
        return das_fail_nomem(err);
    code = curl_url_set(u->handle, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_OUT_OF_MEMORY)
        das_fail_nomem(err);
    else if (code)
        das_fail(err, DAS_E_USAGE, "url: expected one like https://host/path (%s)",
                 curl_url_strerror(code));
    else if (take_apart(u, err) == 0)
        return 0;
    if (err->code == DAS_E_DENIED)
        err->code = DAS_E_USAGE; /* asked for by the caller, not by a server */
    das_url_clear(u);
    return -1;
}

int das_url_follow(struct das_url *to, const struct das_url *u, const char *location,
                   struct das_err *err)
{
    CURLUcode code;

    memset(to, 0, sizeof *to);
    to->handle = curl_url_dup(u->handle);
    if (!to->handle)
        return das_fail_nomem(err);
    code = curl_url_set(to->handle, CURLUPART_URL, location,
                        CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE);
    if (code == CURLUE_OUT_OF_MEMORY)
        das_fail_nomem(err);
    else if (code)
        das_fail(err, DAS_E_DATA, "the server's Location is no URL (%s)", curl_url_strerror(code));
    else if (take_apart(to, err) == 0)
        return 0;
    if (err->code == DAS_E_USAGE)
        err->code = DAS_E_DATA;
    das_url_clear(to);
    return -1;
}

bool das_url_same_origin(const struct das_url *a, const struct das_url *b)
{
    return strcmp(a->origin, b->origin) == 0;
}
