/*
 * fuzz_credential_json.c - any bytes as temporary keys: what the reader takes, the JSON library
 * takes, and finds the same keys in it; what it does not take has a reason. All of it stays in its
 * bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/cloud/credential_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_same(struct das_text got, const json_t *keys, const char *name)
{
    const json_t *v = json_object_get(keys, name);
    struct das_text want = DAS_TEXT_NULL;

    if (json_is_string(v))
        want = das_text(json_string_value(v), json_string_length(v));
    if (!das_text_eq(got, want))
        abort();
}

/* The library has limits of its own, looks for doubles among all names, and takes no 0 in one. */
static bool is_excused(const struct das_err *theirs)
{
    return strstr(theirs->msg, "too big") || strstr(theirs->msg, "overflow") ||
           strstr(theirs->msg, "duplicate") || strstr(theirs->msg, "NUL byte in object key");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct das_credential_json found;
    struct das_err mine = {0}, theirs = {0};
    char *text = malloc(size ? size : 1); /* exactly so much: a sanitizer watches its end */
    json_t *value, *inner;
    int rc;

    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    value = das_json_parse((const char *)data, size, NULL, &theirs);
    rc = das_credential_json_read(text, size, &found, &mine);
    if (rc < 0 && (mine.code != DAS_E_CONFIG || !mine.msg[0]))
        abort();
    /* the library overlooks a byte 0 between two words */
    if (rc < 0 && value && strstr(mine.msg, "not valid JSON") && !memchr(data, 0, size))
        abort();
    if (rc == 0 && !value && !is_excused(&theirs))
        abort();
    if (rc == 0 && value) {
        inner = json_object_get(value, "credential");
        if (!json_is_object(inner))
            inner = value;
        is_same(found.access, inner, "access");
        is_same(found.secret, inner, "secret");
        is_same(found.security_token, inner, "securitytoken");
        is_same(found.expires_at, inner, "expires_at");
    }
    json_decref(value);
    free(text);
    return 0;
}
