/*
 * das_cloud.c - the source of kind "das:": an instance behind Huawei Cloud DAS.
 *
 * Called through source.h. The account is shared with other instances; nothing is asked before the
 * first list. The API ends sessions by number, and only while they belong to the user that was
 * named; it tells no query ids, so core/plan looks at each session alone just before its kill.
 */
#include "core/source/das_cloud.h"

#include <stdio.h>

#include "core/base/mem.h"
#include "core/cloud/kill.h"
#include "core/source/das_cloud_impl.h"

#define ENGINE "mysql"

static struct das_cloud_source *of(struct das_source *s)
{
    return (struct das_cloud_source *)(void *)s;
}

static enum das_kill_result kill_session(struct das_source *base, const struct das_kill_order *o,
                                         struct das_err *err)
{
    struct das_cloud_source *s = of(base);
    const struct das_cloud_place place = das_cloud_address_place(&s->address);
    struct das_cloud_call call = {.patience = base->patience, .sending = o->sending};
    int64_t count = DAS_CLOUD_NOT_TOLD;
    int rc = s->db_user_id ? das_cloud_kill_ids(s->cloud, &place, s->db_user_id, &o->id, 1, &call, err)
                           : das_cloud_kill(s->cloud, &place, ENGINE, o->id, o->user, &call, &count,
                                            err);

    if (rc == 0)
        return count == 0 ? DAS_KILL_GONE : DAS_KILLED;
    if (base->name)
        das_err_prefix(err, "%s", base->name);
    return call.unknown ? DAS_KILL_UNKNOWN : call.late ? DAS_KILL_LATE : DAS_KILL_FAILED;
}

static void close_source(struct das_source *base)
{
    struct das_cloud_source *s = of(base);

    das_cloud_release(s->cloud);
    das_free(s->db_user_id);
}

static const struct das_source_ops ops = {
    .list = das_cloud_source_list,
    .kill = kill_session,
    .close = close_source,
    .cannot_statement = "the DAS API ends connections, not statements; kill = \"connection\" or "
                        "\"auto\" is possible",
    .kill_window = "the DAS API ends a session by its number: what the session began between "
                   "the last look at it and its end was not noticed",
    .blind_to_ids = true,
    .pace_ms = 500,
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

int das_source_open_cloud(const char *rest, const struct das_source_conf *conf,
                          struct das_source **out, struct das_err *err)
{
    struct das_cloud_source *s = das_calloc(1, sizeof *s);
    const struct das_cloud_address *a;
    struct das_cloud_place place;
    struct das_endpoint at = {{0}, {0}};
    struct das_err ignored;
    bool own;

    if (!s)
        return das_fail_nomem(err);
    s->base.ops = &ops;
    a = &s->address;
    if (das_cloud_address_parse(rest, &s->address, err) < 0)
        goto fail;
    if (!conf->account) {
        das_fail(err, DAS_E_CONFIG, "das: this instance has no account (clouds in das.lua)");
        goto fail;
    }
    if (conf->db_user_id && !(s->db_user_id = das_strdup(conf->db_user_id))) {
        das_fail_nomem(err);
        goto fail;
    }
    s->cloud = das_cloud_retain(conf->account);
    s->identity.start_unix_s = DAS_UNKNOWN; /* the API does not tell */
    place = das_cloud_address_place(a);
    /* the instance's id is its own all over the cloud; another endpoint is another cloud. One that is
     * none is told when it is asked. */
    own = das_cloud_endpoint(s->cloud, &place, &at, &ignored) < 0 ||
          ends_with(at.host, ".myhuaweicloud.com");
    snprintf(s->identity.server, sizeof s->identity.server, "das:%s/%s%s%.150s", a->region,
             a->instance, own ? "" : " at ", own ? "" : at.origin);
    *out = &s->base;
    return 0;
fail:
    close_source(&s->base);
    das_free(s);
    return -1;
}

static const struct das_cloud_source *cloud_of(const struct das_source *s)
{
    return s->ops == &ops ? (const struct das_cloud_source *)(const void *)s : NULL;
}

bool das_source_cloud(const struct das_source *s, struct das_cloud **cloud,
                      struct das_cloud_place *place)
{
    const struct das_cloud_source *c = cloud_of(s);

    if (!c)
        return false;
    *cloud = c->cloud;
    *place = das_cloud_address_place(&c->address);
    return true;
}

const char *das_source_cloud_db_user(const struct das_source *s)
{
    const struct das_cloud_source *c = cloud_of(s);

    return c ? c->db_user_id : NULL;
}
