/*
 * json.h - JSON out, byte by byte, and the helpers around jansson for JSON in.
 *
 * Writing goes straight into a buffer: a preview of 100,000 sessions must not become 100,000
 * objects first. Reading is jansson's (exact int64).
 */
#ifndef DAS_BASE_JSON_H
#define DAS_BASE_JSON_H

#include <jansson.h>

#include "core/base/buf.h"

/* A quoted JSON string. Bytes that are not UTF-8 become U+FFFD, so the output is always valid;
 * control characters are escaped, so that it can be shown.
 * NULL text writes null. */
void das_json_text(struct das_buf *b, struct das_text t);
void das_json_str(struct das_buf *b, const char *s);

/* "key": with a comma before it unless it follows an opening bracket. */
void das_json_key(struct das_buf *b, const char *key);
void das_json_key_text(struct das_buf *b, const char *key, struct das_text t);
void das_json_key_int(struct das_buf *b, const char *key, int64_t v);
void das_json_key_bool(struct das_buf *b, const char *key, bool v);
void das_json_key_names(struct das_buf *b, const char *key, const char *const *list, size_t n);

/* A comma unless b ends in an opening bracket: before each array element. */
void das_json_comma(struct das_buf *b);

/* A whole number is exact; any other is the shortest text that reads back as the same double, with a
 * point or an exponent, so that it reads back as one. Only finite numbers. */
void das_json_real(struct das_buf *b, double v);

/* What parsing a text would take, found without parsing it. */
struct das_json_weight {
    size_t depth;   /* of arrays and objects in each other */
    int deep_line;  /* where it is first more than the given limit; 0: nowhere */
    uint64_t bytes; /* roughly, of das_json_parse()'s value */
};
void das_json_weigh(struct das_text t, size_t depth_limit, struct das_json_weight *out);

/* Parses len bytes as one JSON value. *line (may be NULL) gets the line of an error. The caller
 * owns the value (json_decref). NULL and err (DAS_E_DATA) on anything else. */
json_t *das_json_parse(const char *p, size_t len, int *line, struct das_err *err);

#endif
