/*
 * endpoint.h - where a service of the cloud is asked: "https://host" or "https://host:port", and
 * nothing behind it. Plain http is for this machine only, unless somebody insists.
 *
 * Takes apart only what has one reading, so that what is checked here, what is signed as Host and
 * what the library connects to cannot differ. Connects to nothing and resolves no name.
 */
#ifndef DAS_CLOUD_ENDPOINT_H
#define DAS_CLOUD_ENDPOINT_H

#include <stdbool.h>

#include "core/base/err.h"

#define DAS_ENDPOINT_HOST 270

struct das_endpoint {
    char origin[DAS_ENDPOINT_HOST + 10]; /* a path can follow */
    char host[DAS_ENDPOINT_HOST];        /* the header Host, as the library sends it */
};

/* what: for messages. A text without a scheme is meant as https. DAS_E_CONFIG. */
int das_endpoint_parse(const char *what, const char *text, bool insecure, struct das_endpoint *out,
                       struct das_err *err);
/* May become part of a host name? DAS_E_CONFIG. NULL: no. */
int das_region_check(const char *region, struct das_err *err);

#endif
