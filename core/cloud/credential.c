/* credential.c - see credential.h. */
#include "core/cloud/credential_impl.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/cloud/flight.h"
#include "core/cloud/iam.h"

#define CONNECT_MS 5000
#define TOTAL_MS 20000
#define KEYS_EARLY_S 300 /* renewed so long before they expire */
#define TOKEN_EARLY_S 3600
#define PAUSE_MAX_MS 60000 /* between two tries while the old keys are still good */

/* What is good for something: all there is, or a token for a region and project. Never removed. */
struct scope {
    struct scope *next;
    const char *region, *project;   /* token; project "": the one that has the region's name ... */
    char learned[DAS_PROJECT_SIZE]; /* ... whose id IAM has told */
    struct das_cloud_key *key;      /* NULL: none yet */
    bool refused;                   /* it is no longer good, whatever it says itself */
    struct das_flight flight;
};

/* The id of a region's project. Never removed. */
struct project {
    struct project *next;
    const char *region;
    char id[DAS_PROJECT_SIZE]; /* "": not known yet */
    struct das_flight flight;
};

struct das_credential {
    struct das_credential_conf conf;
    struct das_arena arena; /* of the conf's texts; of the scopes' and projects', under the lock */
    struct das_tower tower; /* of what follows */
    struct scope *scopes;
    struct project *projects;
    uint64_t generation;
};

/* --- making one ------------------------------------------------------------------------------- */

struct das_credential *das_credential_new(const struct das_credential_conf *conf,
                                          struct das_err *err)
{
    struct das_credential *c;

    if (das_credential_conf_check(conf, err) < 0)
        return NULL;
    c = das_calloc(1, sizeof *c);
    if (!c) {
        das_fail_nomem(err);
        return NULL;
    }
    c->conf = *conf;
    if (!c->conf.connect_ms)
        c->conf.connect_ms = CONNECT_MS;
    if (!c->conf.total_ms)
        c->conf.total_ms = TOTAL_MS;
    das_arena_init(&c->arena);
    das_tower_init(&c->tower);
    if (das_credential_conf_copy(&c->arena, &c->conf) < 0) {
        das_credential_free(c);
        das_fail_nomem(err);
        return NULL;
    }
    return c;
}

void das_credential_free(struct das_credential *c)
{
    if (!c)
        return;
    for (struct scope *s = c->scopes; s; s = s->next)
        das_cloud_key_release(s->key);
    das_tower_clear(&c->tower);
    das_arena_clear(&c->arena);
    das_free(c);
}

/* --- asking IAM ------------------------------------------------------------------------------- */

static int find_iam(const struct das_credential *c, const char *fallback,
                    const struct das_patience *patience, struct das_iam *out, struct das_err *err)
{
    const struct das_credential_conf *conf = &c->conf;
    const char *env = das_credential_env(DAS_ENV_IAM);

    *out = (struct das_iam){.ca = conf->ca,
                            .connect_ms = conf->connect_ms,
                            .total_ms = conf->total_ms,
                            .patience = patience};
    if (conf->iam_endpoint)
        return das_endpoint_parse("credential: iam_endpoint", conf->iam_endpoint, conf->insecure,
                                  &out->at, err);
    if (env)
        return das_endpoint_parse(DAS_ENV_IAM, env, conf->insecure, &out->at, err);
    return das_endpoint_parse("region", fallback, false, &out->at, err);
}

static int ask_token(struct das_credential *c, const struct scope *s,
                     const struct das_patience *patience, struct das_cloud_key **out,
                     char learned[DAS_PROJECT_SIZE], struct das_err *err)
{
    struct das_iam_login login = {.domain = c->conf.domain,
                                  .user = c->conf.user,
                                  .region = s->region,
                                  .project = *s->project ? s->project : NULL};
    const struct das_secret *password;
    struct das_iam_token token = {0};
    struct das_vault vault;
    struct das_iam iam;
    char regional[100];
    int rc = -1;

    das_vault_init(&vault);
    snprintf(regional, sizeof regional, "https://iam.%s.myhuaweicloud.com", s->region);
    password = das_vault_read(&vault, c->conf.password, err); /* each time: it may have changed */
    if (!password || find_iam(c, regional, patience, &iam, err) < 0)
        goto done;
    login.password = das_secret_value(password);
    if (das_iam_token(&iam, &login, &token, err) < 0)
        goto done;
    *out = das_cloud_key_new(
        &(struct das_cloud_key){.token = token.value, .expires = token.expires}, err);
    memcpy(learned, token.project, DAS_PROJECT_SIZE);
    rc = *out ? 0 : -1;
    if (rc < 0 && err->code == DAS_E_CONFIG) { /* it was not ours to write */
        err->code = DAS_E_DATA;
        das_err_prefix(err, "%s", iam.at.origin);
    }
done:
    das_iam_token_clear(&token);
    das_vault_clear(&vault);
    return rc;
}

/* --- keys ------------------------------------------------------------------------------------- */

static int64_t now_s(void)
{
    return das_clock_unix_ms() / 1000;
}

static bool expired(const struct das_cloud_key *k)
{
    return k->expires && k->expires <= now_s();
}

static bool good(const struct scope *s)
{
    return s->key && !s->refused && !expired(s->key);
}

static bool due(const struct das_cloud_key *k)
{
    return k->expires && k->expires - (k->token.ptr ? TOKEN_EARLY_S : KEYS_EARLY_S) <= now_s();
}

/* Keys that are still good are tried to be renewed seldom at first, and more often towards their
 * end: each try costs somebody time. */
static int64_t pause_of(const struct scope *s)
{
    int64_t left;

    if (!good(s) || !s->key->expires)
        return 0;
    left = (s->key->expires - now_s()) * 100; /* a tenth of what is left, in ms */
    return left < 1000 ? 1000 : left < PAUSE_MAX_MS ? left : PAUSE_MAX_MS;
}

/* With the lock. A token for a region's project is good under the id that IAM has told, too. */
static struct scope *find_scope(struct das_credential *c, const char *region, const char *project,
                                struct das_err *err)
{
    struct scope *s;

    if (c->conf.kind != DAS_CREDENTIAL_PASSWORD)
        region = project = "";
    for (s = c->scopes; s; s = s->next) {
        if (strcmp(s->region, region) == 0 &&
            (strcmp(s->project, project) == 0 ||
             (*project && !*s->project && strcmp(s->learned, project) == 0)))
            return s;
    }
    s = das_arena_alloc(&c->arena, sizeof *s);
    region = das_arena_dup(&c->arena, region, strlen(region) + 1);
    project = das_arena_dup(&c->arena, project, strlen(project) + 1);
    if (!s || !region || !project) {
        das_fail_nomem(err);
        return NULL;
    }
    memset(s, 0, sizeof *s);
    s->region = region;
    s->project = project;
    s->next = c->scopes;
    c->scopes = s;
    return s;
}

static int say_expired(const struct das_credential *c, const struct das_cloud_key *key,
                       const struct das_cloud_key *old, struct das_err *err)
{
    const struct das_credential_conf *conf = &c->conf;
    char when[32];

    das_clock_iso(key->expires, when, sizeof when);
    if (conf->kind == DAS_CREDENTIAL_PASSWORD)
        return das_fail(err, DAS_E_AUTH,
                        "IAM's new token expired at %s; is this machine's clock right?", when);
    return das_fail(err, DAS_E_AUTH, "%s: %s keys that expired at %s",
                    conf->kind == DAS_CREDENTIAL_FILE ? conf->file : conf->command[0],
                    old && das_cloud_key_same(old, key) ? "has still the same" : "has", when);
}

/* The turn is ours. With the lock, which is let go meanwhile. */
static int renew(struct das_credential *c, struct scope *s, const struct das_patience *patience,
                 struct das_cloud_key **out, struct das_err *err)
{
    struct das_cloud_key *key = NULL, *old = s->key ? das_cloud_key_retain(s->key) : NULL;
    char learned[DAS_PROJECT_SIZE] = "";
    bool out_of_time;
    int rc;

    pthread_mutex_unlock(&c->tower.lock);
    das_no_core_dumps();
    rc = c->conf.kind == DAS_CREDENTIAL_PASSWORD
             ? ask_token(c, s, patience, &key, learned, err)
             : das_credential_read(&c->conf, patience, &key, err);
    if (rc == 0 && expired(key))
        rc = say_expired(c, key, old, err);
    out_of_time = rc < 0 && das_patience_left(patience) <= 0;
    pthread_mutex_lock(&c->tower.lock);
    if (rc == 0) {
        key->generation = old && das_cloud_key_same(old, key) ? old->generation : ++c->generation;
        das_cloud_key_release(s->key);
        s->key = key;
        key = NULL;
        s->refused = false;
        memcpy(s->learned, learned, sizeof learned);
    }
    /* What came of our own hurry is nobody else's trouble. And what was read for the first time may
     * have been there for long: it is looked at once more, without a pause. */
    das_flight_land(&s->flight, &c->tower, rc < 0 && !out_of_time ? err : NULL,
                    old && (rc == 0 ? due(s->key) : !out_of_time) ? pause_of(s) : 0);
    if (good(s)) {
        *out = das_cloud_key_retain(s->key);
        rc = 0;
    }
    das_cloud_key_release(key);
    das_cloud_key_release(old);
    return rc;
}

static int check_scope(const struct das_credential *c, const char *region, const char *project,
                       struct das_err *err)
{
    if (c->conf.kind != DAS_CREDENTIAL_PASSWORD)
        return 0;
    if (das_region_check(region, err) < 0)
        return -1;
    if (*project && !das_project_valid(project))
        return das_fail(err, DAS_E_CONFIG,
                        "project: expected an id of up to 64 letters and digits");
    return 0;
}

int das_credential_get(struct das_credential *c, const char *region, const char *project,
                       const struct das_patience *patience, struct das_cloud_key **out,
                       struct das_err *err)
{
    enum das_turn turn = DAS_TURN_AGAIN;
    uint64_t waited = 0;
    struct scope *s;
    int rc = -1;

    *out = NULL;
    if (!project)
        project = "";
    if (check_scope(c, region, project, err) < 0)
        return -1;
    pthread_mutex_lock(&c->tower.lock);
    s = find_scope(c, region, project, err);
    while (s && turn == DAS_TURN_AGAIN) {
        if (good(s) &&
            (!due(s->key) || s->flight.busy || das_clock_monotonic_ms() < s->flight.not_before)) {
            *out = das_cloud_key_retain(s->key);
            rc = 0;
            break;
        }
        turn = das_flight_board(&s->flight, &c->tower, &waited, patience, err);
        if (turn == DAS_TURN_MINE)
            rc = renew(c, s, patience, out, err);
    }
    pthread_mutex_unlock(&c->tower.lock);
    return rc;
}

/* With the lock. */
static struct scope *scope_of(struct das_credential *c, const struct das_cloud_key *key)
{
    struct scope *s = c->scopes;

    while (s && !(s->key && s->key->generation == key->generation))
        s = s->next;
    return s;
}

/* Keys or a token from places: somebody may have put others there. */
static bool read_again(struct das_credential *c, const struct das_cloud_key *key)
{
    struct das_cloud_key *found;
    struct das_err ignored; /* the refusal is what counts */
    struct scope *s;
    bool other;

    if (das_credential_read(&c->conf, NULL, &found, &ignored) < 0)
        return false;
    other = !das_cloud_key_same(found, key);
    pthread_mutex_lock(&c->tower.lock);
    s = scope_of(c, key);
    if (s && other) {
        found->generation = ++c->generation;
        das_cloud_key_release(s->key);
        s->key = found;
        found = NULL;
    }
    pthread_mutex_unlock(&c->tower.lock);
    das_cloud_key_release(found);
    return other || !s;
}

bool das_credential_refused(struct das_credential *c, const struct das_cloud_key *key)
{
    enum das_credential_kind kind = c->conf.kind;
    bool placed = kind == DAS_CREDENTIAL_KEYS || kind == DAS_CREDENTIAL_TOKEN;
    struct scope *s;

    if (kind == DAS_CREDENTIAL_ENVIRONMENT)
        return false;
    pthread_mutex_lock(&c->tower.lock);
    s = scope_of(c, key);
    if (s && !s->refused && !placed) {
        s->refused = true;
        das_flight_hasten(&s->flight);
    }
    pthread_mutex_unlock(&c->tower.lock);
    return s && placed ? read_again(c, key) : true;
}

/* --- projects --------------------------------------------------------------------------------- */

static int find_domain(const struct das_credential *c, const char **out, struct das_err *err)
{
    *out = c->conf.domain_id;
    if (*out || c->conf.kind != DAS_CREDENTIAL_ENVIRONMENT)
        return 0;
    *out = das_credential_env(DAS_ENV_DOMAIN);
    if (*out && !das_project_valid(*out))
        return das_fail(err, DAS_E_CONFIG, DAS_ENV_DOMAIN ": expected up to 64 letters and digits");
    return 0;
}

static int ask_project(struct das_credential *c, const char *region,
                       const struct das_patience *patience, char out[DAS_PROJECT_SIZE],
                       struct das_err *err)
{
    struct das_iam iam;
    const char *domain;

    if (find_domain(c, &domain, err) < 0 ||
        find_iam(c, "https://iam.myhuaweicloud.com", patience, &iam, err) < 0)
        return -1;
    for (bool again = true;; again = false) {
        struct das_cloud_key *key;
        int status, rc;
        if (das_credential_get(c, region, NULL, patience, &key, err) < 0)
            return -1;
        rc = das_iam_project(&iam, key, domain, region, out, &status, err);
        again = again && status == 401 && das_credential_refused(c, key);
        das_cloud_key_release(key);
        if (!again)
            return rc;
    }
}

/* With the lock. */
static struct project *find_project(struct das_credential *c, const char *region,
                                    struct das_err *err)
{
    struct project *p = c->projects;

    while (p && strcmp(p->region, region) != 0)
        p = p->next;
    if (p)
        return p;
    p = das_arena_alloc(&c->arena, sizeof *p);
    region = das_arena_dup(&c->arena, region, strlen(region) + 1);
    if (!p || !region) {
        das_fail_nomem(err);
        return NULL;
    }
    memset(p, 0, sizeof *p);
    p->region = region;
    p->next = c->projects;
    c->projects = p;
    return p;
}

/* The turn is ours. With the lock, which is let go meanwhile. */
static int learn(struct das_credential *c, struct project *p, const struct das_patience *patience,
                 struct das_err *err)
{
    char id[DAS_PROJECT_SIZE];
    bool out_of_time;
    int rc;

    pthread_mutex_unlock(&c->tower.lock);
    rc = ask_project(c, p->region, patience, id, err);
    out_of_time = rc < 0 && das_patience_left(patience) <= 0;
    pthread_mutex_lock(&c->tower.lock);
    if (rc == 0)
        memcpy(p->id, id, sizeof id);
    das_flight_land(&p->flight, &c->tower, rc < 0 && !out_of_time ? err : NULL, 0);
    return rc;
}

static int project_of_region(struct das_credential *c, const char *region,
                             const struct das_patience *patience, char out[DAS_PROJECT_SIZE],
                             struct das_err *err)
{
    enum das_turn turn = DAS_TURN_AGAIN;
    uint64_t waited = 0;
    struct project *p;
    int rc = -1;

    pthread_mutex_lock(&c->tower.lock);
    p = find_project(c, region, err);
    while (p && !*p->id && turn == DAS_TURN_AGAIN) {
        turn = das_flight_board(&p->flight, &c->tower, &waited, patience, err);
        if (turn == DAS_TURN_MINE)
            learn(c, p, patience, err);
    }
    if (p && *p->id) {
        memcpy(out, p->id, DAS_PROJECT_SIZE);
        rc = 0;
    }
    pthread_mutex_unlock(&c->tower.lock);
    return rc;
}

static int project_of_token(struct das_credential *c, const char *region,
                            const struct das_patience *patience, char out[DAS_PROJECT_SIZE],
                            struct das_err *err)
{
    struct das_cloud_key *key;
    struct scope *s;

    if (das_credential_get(c, region, NULL, patience, &key, err) < 0)
        return -1;
    das_cloud_key_release(key);
    out[0] = '\0';
    pthread_mutex_lock(&c->tower.lock);
    s = find_scope(c, region, "", err);
    if (s)
        memcpy(out, s->learned, DAS_PROJECT_SIZE);
    pthread_mutex_unlock(&c->tower.lock);
    if (*out)
        return 0;
    return das_fail(err, DAS_E_CONFIG,
                    "region %s: IAM's token is for no project; write the "
                    "project's id into the instance's address",
                    region);
}

int das_credential_project(struct das_credential *c, const char *region,
                           const struct das_patience *patience, char out[DAS_PROJECT_SIZE],
                           struct das_err *err)
{
    const char *env;

    if (das_region_check(region, err) < 0)
        return -1;
    if (c->conf.kind == DAS_CREDENTIAL_PASSWORD)
        return project_of_token(c, region, patience, out, err);
    env = c->conf.kind == DAS_CREDENTIAL_ENVIRONMENT ? das_credential_env(DAS_ENV_PROJECT) : NULL;
    if (!env)
        return project_of_region(c, region, patience, out, err);
    if (!das_project_valid(env))
        return das_fail(err, DAS_E_CONFIG,
                        DAS_ENV_PROJECT ": expected up to 64 letters and digits");
    snprintf(out, DAS_PROJECT_SIZE, "%s", env);
    return 0;
}

void das_credential_describe(const struct das_credential *c, struct das_buf *b)
{
    das_credential_conf_describe(&c->conf, b);
}
