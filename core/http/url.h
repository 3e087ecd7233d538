/*
 * url.h - an http or https URL, taken apart once by the library that will also connect to it, so
 * that what was checked and what is reached cannot differ.
 *
 * User names and passwords in a URL are refused: URLs end up in logs.
 */
#ifndef DAS_HTTP_URL_H
#define DAS_HTTP_URL_H

#include "core/http/curl.h"
#include <stdbool.h>

#include "core/base/err.h"
#include "core/http/client.h"

struct das_url {
    CURLU *handle;
    char *text;                      /* the whole, as it is sent; curl's memory */
    char host[DAS_HTTP_HOST_MAX + 1]; /* lower case, no brackets, no dot at the end */
    char origin[300];                /* "https://host:port" with the port always said */
    bool tls;
};

/* DAS_E_USAGE on anything that is not a proper URL. Clears nothing before: u is new. */
int das_url_parse(struct das_url *u, const char *text, struct das_err *err);
/* Where a redirect from u leads. DAS_E_DATA, or DAS_E_DENIED for what is not http or https. */
int das_url_follow(struct das_url *to, const struct das_url *u, const char *location,
                   struct das_err *err);
bool das_url_same_origin(const struct das_url *a, const struct das_url *b);
void das_url_clear(struct das_url *u);

#endif
