/* cloud.c - accounts and addresses (see cloud.h). */
#include "core/cloud/cloud_impl.h"

#include <ctype.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/cond.h"
#include "core/base/mem.h"

const struct das_cloud_conf das_cloud_conf_default = {
    .credential = {.connect_ms = 5000, .total_ms = 20000},
    .connect_ms = 5000,
    .total_ms = 20000,
    .deadline_ms = 60000,
    .retry = {.times = 5, .wait_ms = 500, .max_wait_ms = 20000},
    .rate = 20,
    .concurrency = 16,
    .max_bytes = (size_t)64 << 20,
};

/* --- addresses -------------------------------------------------------------------------------------- */

static bool is_word(const char *s, size_t least, size_t most)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

    return !s[n] && n >= least && n <= most;
}

static int copy_part(char *to, size_t size, const char *from, size_t len)
{
    if (len >= size)
        return -1;
    memcpy(to, from, len);
    to[len] = '\0';
    return 0;
}

static int parse_query(const char *query, struct das_cloud_address *out, struct das_err *err)
{
    if (strncmp(query, "endpoint=", 9) != 0 || strchr(query, '&') ||
        copy_part(out->endpoint, sizeof out->endpoint, query + 9, strlen(query + 9)) < 0)
        return das_fail(err, DAS_E_USAGE, "das: what follows \"?\" can be endpoint=URL, got \"%.80s\"",
                        query);
    return 0;
}

int das_cloud_address_parse(const char *rest, struct das_cloud_address *out, struct das_err *err)
{
    const char *p = rest + (strncmp(rest, "//", 2) == 0 ? 2 : 0);
    size_t path = strcspn(p, "?"), parts = 0;
    struct {
        const char *at;
        size_t len;
    } part[4];

    memset(out, 0, sizeof *out);
    if (p == rest)
        goto wrong;
    for (const char *from = p, *end = p + path; from <= end; parts++) {
        const char *slash = memchr(from, '/', (size_t)(end - from));
        if (parts == 3)
            goto wrong;
        part[parts].at = from;
        part[parts].len = (size_t)((slash ? slash : end) - from);
        from = slash ? slash + 1 : end + 1;
    }
    if (parts < 2 ||
        copy_part(out->region, sizeof out->region, part[0].at, part[0].len) < 0 ||
        (parts == 3 && copy_part(out->project, sizeof out->project, part[1].at, part[1].len) < 0) ||
        copy_part(out->instance, sizeof out->instance, part[parts - 1].at, part[parts - 1].len) < 0)
        goto wrong;
    if (p[path] && parse_query(p + path + 1, out, err) < 0)
        return -1;
    if (das_region_check(out->region, err) < 0) {
        err->code = DAS_E_USAGE;
        return -1;
    }
    if (!is_word(out->project, 0, DAS_PROJECT_SIZE - 1))
        return das_fail(err, DAS_E_USAGE, "das: project id: expected letters and digits, got "
                                          "\"%.80s\"", out->project);
    if (!is_word(out->instance, 1, 36))
        return das_fail(err, DAS_E_USAGE, "das: instance id: expected 32 or 36 letters and digits, "
                                          "got \"%.80s\"", out->instance);
    return 0;
wrong:
    return das_fail(err, DAS_E_USAGE, "das: expected das://REGION/PROJECT_ID/INSTANCE_ID, or "
                                      "das://REGION/INSTANCE_ID for the project of the region's "
                                      "name");
}

struct das_cloud_place das_cloud_address_place(const struct das_cloud_address *a)
{
    return (struct das_cloud_place){a->region, a->project, a->instance,
                                    a->endpoint[0] ? a->endpoint : NULL};
}

/* $HUAWEICLOUD_SDK_REGION_DAS_CN_NORTH_4 */
static const char *region_variable(const char *region)
{
    char name[100];
    int n = snprintf(name, sizeof name, "HUAWEICLOUD_SDK_REGION_DAS_%s", region);
    const char *value;

    for (int i = 0; i < n && i < (int)sizeof name - 1; i++)
        name[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    value = getenv(name);
    return value && *value ? value : NULL;
}

int das_cloud_endpoint(const struct das_cloud *c, const struct das_cloud_place *place,
                       struct das_endpoint *out, struct das_err *err)
{
    const char *given = place->endpoint ? place->endpoint : c->conf.endpoint;
    char host[100];

    if (das_region_check(place->region, err) < 0)
        return -1;
    if (!given)
        given = region_variable(place->region);
    if (given)
        return das_endpoint_parse("endpoint", given, c->conf.insecure, out, err);
    /* one region's API has the host of another name */
    snprintf(host, sizeof host, "https://das.%s.myhuaweicloud.com",
             strcmp(place->region, "na-mexico-1") == 0 ? "la-south-2" : place->region);
    return das_endpoint_parse("endpoint", host, false, out, err);
}

/* --- accounts ------------------------------------------------------------------------------------ */

static int keep_text(struct das_cloud *c, const char **text, struct das_err *err)
{
    if (!*text)
        return 0;
    *text = das_arena_dup(&c->texts, *text, strlen(*text) + 1);
    return *text ? 0 : das_fail_nomem(err);
}

static int check_conf(const struct das_cloud_conf *conf, struct das_err *err)
{
    struct das_endpoint ignored;

    if (conf->concurrency < 1 || conf->concurrency > DAS_CLOUD_CONCURRENCY_MAX)
        return das_fail(err, DAS_E_CONFIG, "concurrency: expected 1 to %d, got %d",
                        DAS_CLOUD_CONCURRENCY_MAX, conf->concurrency);
    if (!(conf->rate >= 0 && conf->rate <= 1e6))
        return das_fail(err, DAS_E_CONFIG, "rate: expected 0 to 1000000 requests a second, got %g",
                        conf->rate);
    if (conf->connect_ms < 1 || conf->total_ms < 1 || conf->deadline_ms < 1)
        return das_fail(err, DAS_E_CONFIG, "connect_timeout, timeout and deadline: expected more "
                                           "than 0");
    return conf->endpoint
               ? das_endpoint_parse("endpoint", conf->endpoint, conf->insecure, &ignored, err)
               : 0;
}

struct das_cloud *das_cloud_new(const struct das_cloud_conf *conf, struct das_err *err)
{
    struct das_cloud *c;
    int n = conf->concurrency;

    if (check_conf(conf, err) < 0)
        return NULL;
    c = das_calloc(1, sizeof *c);
    if (!c) {
        das_fail_nomem(err);
        return NULL;
    }
    atomic_init(&c->refs, 1);
    c->conf = *conf;
    das_arena_init(&c->texts);
    das_limiter_init(&c->limiter, conf->rate);
    pthread_mutex_init(&c->lock, NULL);
    das_cond_init(&c->freed);
    das_cond_init(&c->proved);
    c->slots = das_calloc((size_t)n, sizeof *c->slots);
    c->idle = das_calloc((size_t)n, sizeof *c->idle);
    if (!c->slots || !c->idle) {
        das_fail_nomem(err);
        goto fail;
    }
    for (int i = 0; i < n; i++) {
        das_http_headers_init(&c->slots[i].headers);
        das_http_response_init(&c->slots[i].resp);
        c->idle[i] = n - 1 - i;
    }
    c->idle_count = n;
    if (keep_text(c, &c->conf.name, err) < 0 || keep_text(c, &c->conf.endpoint, err) < 0 ||
        keep_text(c, &c->conf.ca, err) < 0)
        goto fail;
    c->credential = das_credential_new(&conf->credential, err);
    if (!c->credential)
        goto fail;
    memset(&c->conf.credential, 0, sizeof c->conf.credential); /* not ours to keep */
    return c;
fail:
    das_cloud_release(c);
    return NULL;
}

struct das_cloud *das_cloud_retain(struct das_cloud *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

static void slot_clear(struct das_cloud_slot *s)
{
    das_http_client_free(s->client);
    das_signer_free(s->signer);
    das_cloud_key_release(s->key);
    das_signed_clear(&s->signature);
    das_http_headers_clear(&s->headers);
    das_http_response_clear(&s->resp);
    das_buf_clear(&s->url);
    das_buf_clear(&s->path);
}

void das_cloud_release(struct das_cloud *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (int i = 0; c->slots && i < c->conf.concurrency; i++)
        slot_clear(&c->slots[i]);
    das_free(c->slots);
    das_free(c->idle);
    das_credential_free(c->credential);
    das_arena_clear(&c->texts);
    das_limiter_destroy(&c->limiter);
    pthread_cond_destroy(&c->freed);
    pthread_cond_destroy(&c->proved);
    pthread_mutex_destroy(&c->lock);
    das_free(c);
}

const char *das_cloud_name(const struct das_cloud *c)
{
    return c->conf.name ? c->conf.name : "the environment's account";
}

struct das_credential *das_cloud_credential(struct das_cloud *c)
{
    return c->credential;
}

/* --- slots ---------------------------------------------------------------------------------------- */

#define LOOK_NS 50000000L /* how often the caller's patience is asked */

void das_cloud_wait(struct das_cloud *c, pthread_cond_t *for_what)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_cond_timedwait(for_what, &c->lock, &until);
}

struct das_cloud_slot *das_cloud_slot_take(struct das_cloud *c, const struct das_patience *patience,
                                           struct das_err *err)
{
    struct das_cloud_slot *slot = NULL;

    pthread_mutex_lock(&c->lock);
    while (c->idle_count == 0 && das_patience_left(patience) > 0)
        das_cloud_wait(c, &c->freed);
    if (c->idle_count > 0)
        slot = &c->slots[c->idle[--c->idle_count]];
    pthread_mutex_unlock(&c->lock);
    if (!slot)
        das_fail(err, DAS_E_TIMEOUT, "all %d connections of this cloud were busy (concurrency)",
                 c->conf.concurrency);
    return slot;
}

void das_cloud_slot_give(struct das_cloud *c, struct das_cloud_slot *slot)
{
    das_http_headers_reset(&slot->headers); /* wipes a token */
    pthread_mutex_lock(&c->lock);
    c->idle[c->idle_count++] = (int)(slot - c->slots);
    pthread_cond_signal(&c->freed);
    pthread_mutex_unlock(&c->lock);
}
