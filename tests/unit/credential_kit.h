/*
 * credential_kit.h - what the tests of credentials share: places and files of secrets, keys in a
 * line, and a look at every message for a secret.
 *
 * Each value that is secret here holds "s3cret".
 */
#ifndef DAS_TESTS_CREDENTIAL_KIT_H
#define DAS_TESTS_CREDENTIAL_KIT_H

#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/cloud/credential.h"
#include "tests/unit/temp_file.h"

#define REGION "cn-north-4"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static struct das_err err;

static inline const char *private_file(const char *text)
{
    const char *path = temp_text(text);

    must(chmod(path, 0600) == 0, "a file");
    return path;
}

static inline void rewrite(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    must(f && fputs(text, f) >= 0 && fclose(f) == 0, "a file is written anew");
}

/* Lives to the end of the test. */
static inline const struct das_secret_place *place(enum das_secret_from from, const char *where)
{
    static struct das_secret_place places[40];
    static char names[] = "it", wheres[40][100];
    static size_t used;
    size_t i = used++ % 40;

    snprintf(wheres[i], sizeof wheres[0], "%s", where);
    places[i] = (struct das_secret_place){names, wheres[i], from};
    return &places[i];
}

static inline const struct das_secret_place *secret_file(const char *text)
{
    return place(DAS_SECRET_FILE, private_file(text));
}

/* So many seconds from now, as IAM writes it; four live at a time. */
static inline const char *in_seconds(int64_t s)
{
    static char ring[4][40];
    static unsigned next;
    char *to = ring[next++ % 4];

    das_clock_iso(das_clock_unix_ms() / 1000 + s, to, sizeof ring[0]);
    memcpy(to + strlen(to) - 1, ".701000Z", 9);
    return to;
}

/* Temporary keys; expires may be NULL. Four live at a time. */
static inline const char *keys_json(const char *name, const char *expires)
{
    static char ring[4][400];
    static unsigned next;
    char *to = ring[next++ % 4];
    int n = snprintf(to, sizeof ring[0],
                     "{\"credential\":{\"access\":\"AK%s\",\"secret\":\"s3cret-%s\","
                     "\"securitytoken\":\"s3cret-token-%s\",\"more\":{\"x\":[1]}",
                     name, name, name);

    snprintf(to + n, sizeof ring[0] - (size_t)n, expires ? ",\"expires_at\":\"%s\"}}" : "}}",
             expires);
    return to;
}

static inline struct das_credential *credential(const struct das_credential_conf *conf)
{
    struct das_credential *c = das_credential_new(conf, &err);

    must(c != NULL, "a credential");
    return c;
}

/* "ACCESS SECRET TOKEN", or the token alone, or the message. Eight live at a time. */
static inline const char *key_text(const struct das_cloud_key *k)
{
    static char ring[8][300];
    static unsigned next;
    char *to = ring[next++ % 8];

    if (k->token.ptr)
        snprintf(to, sizeof ring[0], "%s", k->token.ptr);
    else
        snprintf(to, sizeof ring[0], "%s %s %s", k->access.ptr, k->secret.ptr,
                 k->security_token.ptr ? k->security_token.ptr : "-");
    return to;
}

static inline const char *get_for(struct das_credential *c, const char *region, const char *project)
{
    struct das_cloud_key *k;
    const char *text;

    err = (struct das_err){0};
    if (das_credential_get(c, region, project, NULL, &k, &err) < 0)
        return err.msg;
    text = key_text(k);
    das_cloud_key_release(k);
    return text;
}

static inline const char *get(struct das_credential *c)
{
    return get_for(c, REGION, NULL);
}

static inline struct das_cloud_key *hold(struct das_credential *c)
{
    struct das_cloud_key *k = NULL;

    must(das_credential_get(c, REGION, NULL, NULL, &k, &err) == 0, "a key");
    return k;
}

/* The last call failed, with that code and those words, and no secret in them. */
#define FAILED(want, part, ...)                                                              \
    do {                                                                                     \
        if (!ok(err.code == (want) && strstr(err.msg, (part)) && !strstr(err.msg, "s3cret"), \
                __VA_ARGS__))                                                                \
            tap_diag("code %s: %s", das_code_name(err.code), err.msg);                       \
    } while (0)

/* Fails to be made, or to give keys. */
static inline void no_key(const struct das_credential_conf *conf, enum das_code code,
                          const char *part, const char *name)
{
    struct das_credential *c;

    err = (struct das_err){0};
    c = das_credential_new(conf, &err);
    if (c)
        get(c);
    FAILED(code, part, "%s: %s", name, err.msg);
    das_credential_free(c);
}

/* KB of memory that is kept out of dumps: a leak of locked memory shows nowhere else. */
static inline long undumped_kb(void)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[500];
    long size = 0, sum = 0;

    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "Size: %ld kB", &size) == 1)
            continue;
        if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dd"))
            sum += size;
    }
    if (f)
        fclose(f);
    return sum;
}

/* One failing allocation after the other, until none fails any more. use: 0 or -1 and err. */
static inline void sweep(const char *name, int (*use)(void))
{
    long n, before;
    int bad = 0, errors = 0;

    must(use() == 0, "%s", name);
    before = undumped_kb();
    for (n = 1; n < 2000; n++) {
        bool failed;
        int rc;
        err = (struct das_err){0};
        das_alloc_fail_at(n);
        rc = use();
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        errors += rc < 0;
        if (rc < 0 && (err.code != DAS_E_NOMEM || strstr(err.msg, "s3cret")) && !bad++)
            tap_diag("%s: allocation %ld: %s: %s", name, n, das_code_name(err.code), err.msg);
        if (!failed)
            break;
    }
    ok(!bad && n > 3 && n < 2000, "%s: %ld failing allocations, %d errors", name, n - 1, errors);
#ifndef SANITIZED
    is_int(undumped_kb(), before, "no locked memory is left");
#else
    (void)before;
#endif
}

#endif
