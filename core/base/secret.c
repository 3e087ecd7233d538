/* secret.c - see secret.h. */
#include "core/base/secret.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/private_file.h"

/* --- places ------------------------------------------------------------------------------------ */

void das_secrets_init(struct das_secrets *s)
{
    memset(s, 0, sizeof *s);
}

void das_secrets_clear(struct das_secrets *s)
{
    for (size_t i = 0; i < s->count; i++) {
        das_free(s->places[i].name);
        das_free(s->places[i].where);
    }
    das_free(s->places);
    das_secrets_init(s);
}

static bool is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

    return n > 0 && n <= 100 && !name[n];
}

int das_secrets_add(struct das_secrets *s, const char *name, enum das_secret_from from,
                    const char *where, struct das_err *err)
{
    struct das_secret_place place = {.from = from}, *places;

    if (!is_name(name))
        return das_fail(err, DAS_E_CONFIG, "secrets: a name is 1 to 100 letters, digits, \"_\", "
                                           "\"-\" or \".\", got \"%.100s\"", name);
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->places[i].name, name) == 0)
            return das_fail(err, DAS_E_CONFIG, "secrets: \"%s\" is there twice", name);
    }
    if (!*where)
        return das_fail(err, DAS_E_CONFIG, "secrets: %s: where to find it is empty", name);
    if (from == DAS_SECRET_CREDENTIAL && (strchr(where, '/') || where[0] == '.'))
        return das_fail(err, DAS_E_CONFIG, "secrets: %s: credential: expected a name, got a path",
                        name);
    places = das_grow(s->places, s->count + 1, sizeof *places);
    if (!places)
        return das_fail_nomem(err);
    s->places = places;
    place.name = das_strdup(name);
    place.where = das_strdup(where);
    if (!place.name || !place.where) {
        das_free(place.name);
        das_free(place.where);
        return das_fail_nomem(err);
    }
    places[s->count++] = place;
    return 0;
}

#define SUGGEST_MAX 200

const struct das_secret_place *das_secrets_find(const struct das_secrets *s, const char *name,
                                                struct das_err *err)
{
    const char *names[SUGGEST_MAX], *near;
    size_t count = s ? s->count : 0;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(s->places[i].name, name) == 0)
            return &s->places[i];
        if (i < SUGGEST_MAX)
            names[i] = s->places[i].name;
    }
    near = das_nearest(name, names, count < SUGGEST_MAX ? count : SUGGEST_MAX);
    if (near)
        das_fail(err, DAS_E_USAGE, "no secret \"%.100s\"; did you mean \"%s\"?", name, near);
    else
        das_fail(err, DAS_E_USAGE, "no secret \"%.100s\" in the configuration", name);
    return NULL;
}

/* --- values ------------------------------------------------------------------------------------- */

struct das_secret {
    struct das_secret *next;
    const struct das_secret_place *place; /* NULL: made from another one */
    size_t len;
    char *value;                          /* locked; NUL at the end */
};

void das_vault_init(struct das_vault *v)
{
    memset(v, 0, sizeof *v);
}

static void secret_free(struct das_secret *s)
{
    if (s)
        das_locked_free(s->value, s->len + 1);
    das_free(s);
}

void das_vault_clear(struct das_vault *v)
{
    while (v->first) {
        struct das_secret *s = v->first;
        v->first = s->next;
        secret_free(s);
    }
    das_vault_init(v);
}

struct das_text das_secret_value(const struct das_secret *s)
{
    return das_text(s->value, s->len);
}

/* An empty value with room for len bytes, not in the vault yet. */
static struct das_secret *secret_new(const struct das_vault *v, size_t len, struct das_err *err)
{
    struct das_secret *s;

    if (v->count >= DAS_VAULT_MAX) {
        das_fail(err, DAS_E_USAGE, "a run holds at most %d secrets and values made from them",
                 DAS_VAULT_MAX);
        return NULL;
    }
    s = das_calloc(1, sizeof *s);
    if (s)
        s->value = das_locked_alloc(len + 1);
    if (!s || !s->value) {
        das_free(s);
        das_fail_nomem(err);
        return NULL;
    }
    s->len = len;
    return s;
}

/* Into the vault; an equal one that is there already is given back instead, so that a loop that
 * makes the same header again and again needs no room. */
static const struct das_secret *keep(struct das_vault *v, struct das_secret *s)
{
    for (struct das_secret *o = v->first; o; o = o->next) {
        if (!o->place && !s->place && o->len == s->len && memcmp(o->value, s->value, s->len) == 0) {
            secret_free(s);
            return o;
        }
    }
    s->next = v->first;
    v->first = s;
    v->count++;
    return s;
}

/* How it looks in JSON, as in a line of the log, when that is not how it is: for redaction only. */
static int keep_escaped(struct das_vault *v, const struct das_secret *s, struct das_err *err)
{
    struct das_buf b = {0};
    struct das_secret *escaped = NULL;
    int rc = -1;

    if (s->len < SIZE_MAX / 8)
        das_buf_reserve(&b, s->len * 6 + 2); /* at once, so that no copy is left behind */
    das_json_text(&b, das_secret_value(s));
    if (das_buf_ok(&b, err) == 0) {
        rc = 0;
        if (b.len != s->len + 2) {
            escaped = secret_new(v, b.len - 2, err);
            rc = escaped ? 0 : -1;
        }
    }
    if (escaped) {
        memcpy(escaped->value, b.ptr + 1, b.len - 2);
        keep(v, escaped);
    }
    if (b.ptr)
        explicit_bzero(b.ptr, b.cap);
    das_buf_clear(&b);
    return rc;
}

static const struct das_secret *keep_read(struct das_vault *v, const struct das_secret_place *place,
                                          const char *p, size_t len, struct das_err *err)
{
    struct das_secret *s = secret_new(v, len, err);

    if (!s)
        return NULL;
    memcpy(s->value, p, len);
    s->place = place;
    if (keep_escaped(v, s, err) < 0) {
        secret_free(s);
        return NULL;
    }
    return keep(v, s);
}

static const struct das_secret *read_file(struct das_vault *v, const struct das_secret_place *place,
                                          const char *path, struct das_err *err)
{
    const struct das_secret *s = NULL;
    struct das_private file;
    size_t len;

    if (das_private_read(path, &file, err) < 0)
        return NULL;
    len = strcspn(file.ptr, "\r\n");
    if (file.exposed)
        das_private_exposed(path, "secret", err);
    else if (!len)
        das_fail(err, DAS_E_CONFIG, "%s: the first line is empty, expected the secret there", path);
    else
        s = keep_read(v, place, file.ptr, len, err);
    das_private_clear(&file);
    return s;
}

static const struct das_secret *read_credential(struct das_vault *v,
                                                const struct das_secret_place *place,
                                                struct das_err *err)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_MAX];
    int n;

    if (!dir || !*dir) {
        das_fail(err, DAS_E_CONFIG, "credential %s: $CREDENTIALS_DIRECTORY is not set; systemd sets "
                                    "it for a service with LoadCredential=", place->where);
        return NULL;
    }
    n = snprintf(path, sizeof path, "%s/%s", dir, place->where);
    if (n < 0 || (size_t)n >= sizeof path) {
        das_fail(err, DAS_E_CONFIG, "credential %s: the path is too long", place->where);
        return NULL;
    }
    return read_file(v, place, path, err);
}

static const struct das_secret *read_env(struct das_vault *v, const struct das_secret_place *place,
                                         struct das_err *err)
{
    const char *value = getenv(place->where);

    if (!value || !*value) {
        das_fail(err, DAS_E_CONFIG, "the environment variable %s is not set", place->where);
        return NULL;
    }
    return keep_read(v, place, value, strlen(value), err);
}

static const struct das_secret *read_given(struct das_vault *v,
                                           const struct das_secret_place *place,
                                           struct das_err *err)
{
    return keep_read(v, place, place->where, strlen(place->where), err);
}

const struct das_secret *das_vault_read(struct das_vault *v, const struct das_secret_place *place,
                                        struct das_err *err)
{
    const struct das_secret *s = NULL;

    for (s = v->first; s; s = s->next) {
        if (s->place == place)
            return s;
    }
    switch (place->from) {
    case DAS_SECRET_FILE:
        s = read_file(v, place, place->where, err);
        break;
    case DAS_SECRET_ENV:
        s = read_env(v, place, err);
        break;
    case DAS_SECRET_CREDENTIAL:
        s = read_credential(v, place, err);
        break;
    case DAS_SECRET_GIVEN:
        s = read_given(v, place, err);
        break;
    }
    if (!s && err->code != DAS_E_NOMEM)
        das_err_prefix(err, "secret %s", place->name);
    return s;
}

const struct das_secret *das_vault_join(struct das_vault *v, struct das_text before,
                                        const struct das_secret *s, struct das_text after,
                                        struct das_err *err)
{
    struct das_secret *joined = secret_new(v, before.len + s->len + after.len, err);

    if (!joined)
        return NULL;
    if (before.len)
        memcpy(joined->value, before.ptr, before.len);
    memcpy(joined->value + before.len, s->value, s->len);
    if (after.len)
        memcpy(joined->value + before.len + s->len, after.ptr, after.len);
    return keep(v, joined);
}

/* What is in b as one more value; b is wiped. Room for it was reserved at once. */
static const struct das_secret *keep_buf(struct das_vault *v, struct das_buf *b,
                                         struct das_err *err)
{
    struct das_secret *s = das_buf_ok(b, err) == 0 ? secret_new(v, b->len, err) : NULL;

    if (s && b->len)
        memcpy(s->value, b->ptr, b->len);
    if (b->ptr)
        explicit_bzero(b->ptr, b->cap);
    das_buf_clear(b);
    return s ? keep(v, s) : NULL;
}

const struct das_secret *das_vault_basic(struct das_vault *v, struct das_text user,
                                         const struct das_secret *s, struct das_err *err)
{
    struct das_secret *plain = secret_new(v, user.len + 1 + s->len, err);
    const struct das_secret *encoded;
    struct das_buf b = {0};

    if (!plain)
        return NULL;
    if (user.len)
        memcpy(plain->value, user.ptr, user.len);
    plain->value[user.len] = ':';
    memcpy(plain->value + user.len + 1, s->value, s->len);
    das_buf_reserve(&b, (plain->len + 2) / 3 * 4); /* at once, so that no copy is left behind */
    das_base64_encode(DAS_BASE64, das_secret_value(plain), &b);
    secret_free(plain);
    /* kept without the word before it, too, so that it is found in any text */
    encoded = keep_buf(v, &b, err);
    return encoded ? das_vault_join(v, das_text_of("Basic "), encoded, DAS_TEXT_NULL, err) : NULL;
}

const struct das_secret *das_vault_base64_decode(struct das_vault *v, const struct das_secret *s,
                                                 struct das_err *err)
{
    struct das_buf b = {0};

    das_buf_reserve(&b, s->len);
    if (das_base64_decode(DAS_BASE64, false, das_secret_value(s), &b, err) < 0) {
        if (b.ptr)
            explicit_bzero(b.ptr, b.cap);
        das_buf_clear(&b);
        if (err->code != DAS_E_NOMEM) /* its words could tell what is in it */
            das_fail(err, DAS_E_CONFIG, "the secret is not base64");
        return NULL;
    }
    return keep_buf(v, &b, err);
}

/* --- taking them out ---------------------------------------------------------------------------- */

/* How many bytes at p are the value, or, where texts are cut, the beginning of it that the end cuts
 * off. */
static size_t match(struct das_text value, const char *p, size_t left, bool cut)
{
    size_t n = value.len < left ? value.len : left;

    return n >= DAS_REDACT_MIN && (n == value.len || cut) && memcmp(p, value.ptr, n) == 0 ? n : 0;
}

/* The same for any of a vault. The longest counts: values may begin alike. Values that were made
 * begin with what is no secret. */
static size_t value_at(const struct das_vault *v, const char *p, size_t left, bool cut)
{
    size_t best = 0;

    for (const struct das_secret *s = v->first; s; s = s->next) {
        size_t n = match(das_secret_value(s), p, left, cut && s->place);
        if (n > best)
            best = n;
    }
    return best;
}

void das_vault_redact(const struct das_vault *v, struct das_text text, struct das_buf *b)
{
    size_t from = 0;

    if (!v->first) {
        das_buf_text(b, text);
        return;
    }
    for (size_t i = 0; i < text.len;) {
        size_t n = value_at(v, text.ptr + i, text.len - i, false);
        if (!n) {
            i++;
            continue;
        }
        das_buf_add(b, text.ptr + from, i - from);
        das_buf_str(b, "***");
        i += n;
        from = i;
    }
    if (text.len > from)
        das_buf_add(b, text.ptr + from, text.len - from);
}

void das_vault_redact_err(const struct das_vault *v, struct das_err *err)
{
    size_t len = strlen(err->msg), to = 0;

    for (size_t i = 0; v->first && i < len;) {
        size_t n = value_at(v, err->msg + i, len - i, true);
        if (n) { /* "***" is shorter than any value that is looked for */
            memcpy(err->msg + to, "***", 3);
            to += 3;
            i += n;
        } else {
            err->msg[to++] = err->msg[i++];
        }
    }
    if (v->first) {
        explicit_bzero(err->msg + to, len - to);
        err->msg[to] = '\0';
    }
}

void das_redact(char *text, const struct das_text *values, size_t count)
{
    size_t len = strlen(text), to = 0;

    for (size_t i = 0; i < len;) {
        size_t best = 0;
        for (size_t k = 0; k < count; k++) {
            size_t n = match(values[k], text + i, len - i, true);
            if (n > best)
                best = n;
        }
        if (best) { /* "***" is shorter than any value that is looked for */
            memcpy(text + to, "***", 3);
            to += 3;
            i += best;
        } else {
            text[to++] = text[i++];
        }
    }
    explicit_bzero(text + to, len - to);
}

/* --- the process -------------------------------------------------------------------------------- */

/* Sanitizers look at their own process as a debugger would. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOOKED_AT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define LOOKED_AT 1
#endif
#endif

void das_no_core_dumps(void)
{
#ifndef LOOKED_AT
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
