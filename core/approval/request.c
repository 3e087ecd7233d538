/* request.c - what may be asked for (see approval.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/approval/approval_impl.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"

void das_approval_put(struct das_buf *b, const struct das_vault *vault, const char *key,
                      const char *text)
{
    struct das_buf clean = {0};

    if (!text || !*text)
        return;
    if (!vault) {
        das_json_key_text(b, key, das_text_of(text));
        return;
    }
    das_vault_redact(vault, das_text_of(text), &clean);
    if (clean.failed)
        b->failed = true;
    das_json_key_text(b, key, das_buf_view(&clean));
    das_buf_clear(&clean);
}

/* --- may it be asked for? --------------------------------------------------------------------- */

static bool in_list(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, list[i]) == 0)
            return true;
    }
    return false;
}

bool das_approval_named(const struct das_person *x, const char *const *roles, size_t role_count,
                        const char *const *users, size_t user_count)
{
    if (in_list(x->name, users, user_count))
        return true;
    for (size_t i = 0; i < role_count; i++) {
        if (das_person_has_role(x, roles[i]))
            return true;
    }
    return false;
}

/* A name that fits nobody is a mistake that would show at night. */
static int check_approvers(const struct das_approval_ask *a, struct das_err *err)
{
    int64_t able = 0;

    if (!a->role_count && !a->user_count)
        return das_fail(err, DAS_E_USAGE,
                        "approvers: expected roles or users; without any, nobody may approve");
    for (size_t i = 0; i < a->user_count; i++) {
        if (!das_people_find(a->people, a->users[i]))
            return das_fail(err, DAS_E_USAGE,
                            "approvers.users: there is no person \"%.80s\" in people of das.lua",
                            a->users[i]);
    }
    for (size_t i = 0; i < a->role_count; i++) {
        if (!das_people_role(a->people, a->roles[i]))
            return das_fail(err, DAS_E_USAGE,
                            "approvers.roles: nobody in people of das.lua has the role \"%.80s\"",
                            a->roles[i]);
    }
    for (size_t i = 0; i < a->people->count; i++) {
        const struct das_person *x = &a->people->items[i];
        able += das_approval_named(x, a->roles, a->role_count, a->users, a->user_count) &&
                !(a->person && strcmp(a->person, x->name) == 0);
    }
    if (able < a->need)
        return das_fail(err, DAS_E_USAGE,
                        "approvers: %lld besides who asks may approve, and %lld are needed",
                        (long long)able, (long long)a->need);
    return 0;
}

int das_approval_check(const struct das_approval_ask *a, struct das_err *err)
{
    int64_t now = das_clock_unix_ms();

    if (a->need < 1 || a->need > DAS_APPROVAL_NEED_MAX)
        return das_fail(err, DAS_E_USAGE, "need: expected 1 to %d, got %lld", DAS_APPROVAL_NEED_MAX,
                        (long long)a->need);
    if (a->ttl_ms < DAS_APPROVAL_TTL_MIN_MS || a->ttl_ms > DAS_APPROVAL_TTL_MAX_MS)
        return das_fail(err, DAS_E_USAGE, "ttl: expected 1 second to 12 hours, got %lld ms",
                        (long long)a->ttl_ms);
    if (a->reason && strlen(a->reason) > DAS_APPROVAL_REASON_MAX)
        return das_fail(err, DAS_E_USAGE, "reason: expected at most %d bytes, got %zu",
                        DAS_APPROVAL_REASON_MAX, strlen(a->reason));
    if (check_approvers(a, err) < 0)
        return -1;
    if (!das_plan_victims(a->plan))
        return das_fail(err, DAS_E_BLOCKED, "the plan has no victims: there is nothing to approve");
    if (now > das_plan_expires_ms(a->plan))
        return das_fail(err, DAS_E_BLOCKED, "the plan has expired: ask while it is good");
    if (a->rules && a->rules->mode_is_set && a->rules->mode < DAS_POLICY_APPROVE)
        return das_fail(err, DAS_E_BLOCKED,
                        "mode %s: this policy may look, not kill: its mode in das.lua says so",
                        das_policy_mode_name(a->rules->mode));
    return 0;
}

/* --- what it is about ------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct das_session *)a)->id, y = ((const struct das_session *)b)->id;

    return x < y ? -1 : x > y;
}

static void put_plain(struct das_buf *b, struct das_text t)
{
    das_json_comma(b);
    das_json_text(b, t);
}

/* The same sessions with the same statements, killed in the same way, are the same subject,
 * whenever they were previewed; how long they have run is left out. */
static int subject_of(const struct das_plan *p, const char *policy, char out[DAS_SHA256_HEX],
                      struct das_err *err)
{
    size_t n = das_plan_victims(p);
    struct das_session *all = das_calloc(n, sizeof *all);
    struct das_buf b = {0};
    int rc;

    if (!all)
        return das_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        das_plan_victim(p, i, &all[i]);
    qsort(all, n, sizeof *all, by_id);
    das_buf_char(&b, '[');
    put_plain(&b, das_text_of(policy));
    put_plain(&b, das_text_of(das_plan_instance(p)));
    put_plain(&b, das_text_of(das_mode_name(das_plan_mode(p))));
    for (size_t i = 0; i < n; i++) {
        das_buf_printf(&b, ",%lld,%lld", (long long)all[i].id, (long long)all[i].query_id);
        put_plain(&b, all[i].user);
        put_plain(&b, all[i].host);
        put_plain(&b, all[i].db);
        put_plain(&b, all[i].sql_info);
    }
    das_buf_char(&b, ']');
    rc = das_buf_ok(&b, err);
    if (rc == 0)
        rc = das_sha256_hex(das_buf_view(&b), out, err);
    das_buf_clear(&b);
    das_free(all);
    return rc;
}

const char *das_approval_policy_of(const struct das_plan *p)
{
    const struct das_asked *asked = das_plan_asked(p);

    return asked && asked->script ? asked->script : "apply";
}

/* The record: its members with "{" before them. */
static void write_members(const struct das_approval_ask *a, const struct das_plan *p,
                          int64_t expires_ms, struct das_buf *b)
{
    const char *reason = a->reason && *a->reason ? a->reason : das_plan_reason(p);

    das_buf_char(b, '{');
    das_json_key_text(b, "plan", das_text_of(das_plan_hash(p)));
    das_approval_put(b, a->vault, "instance", das_plan_instance(p));
    das_approval_put(b, a->vault, "policy", das_approval_policy_of(p));
    das_approval_put(b, NULL, "channel", a->channel);
    das_approval_put(b, a->vault, "by", a->by);
    das_approval_put(b, NULL, "person", a->person);
    das_approval_put(b, a->vault, "reason", reason);
    das_json_key_names(b, "roles", a->roles, a->role_count);
    das_json_key_names(b, "users", a->users, a->user_count);
    das_json_key_int(b, "need", a->need);
    das_json_key_int(b, "victims", (int64_t)das_plan_victims(p));
    das_json_key_int(b, "expires_ms", expires_ms);
}

static int store(struct das_store *s, const struct das_approval_ask *ask, const struct das_plan *p,
                 struct das_approval **out, struct das_err *err)
{
    int64_t now = das_clock_unix_ms();
    char subject[DAS_SHA256_HEX], id[DAS_APPROVAL_ID_SIZE];
    struct das_approval_new n = {.subject = subject, .expires_ms = now + ask->ttl_ms};
    struct das_buf line = {0}, members = {0};
    int rc;

    das_plan_write(p, &line);
    write_members(ask, p, n.expires_ms, &members);
    rc = das_buf_ok(&line, err) < 0 || das_buf_ok(&members, err) < 0 ? -1 : 0;
    if (rc == 0)
        rc = subject_of(p, das_approval_policy_of(p), subject, err);
    if (rc == 0) {
        n.plan = das_text(line.ptr, line.len - 1); /* without its newline */
        n.members = das_buf_view(&members);
        rc = das_approval_add(s, &n, now, id, err);
    }
    das_buf_clear(&line);
    das_buf_clear(&members);
    if (rc < 0 || das_approval_get(s, id, out, err) < 0)
        return -1;
    return rc;
}

int das_approval_request(struct das_store *s, const struct das_approval_ask *ask,
                         struct das_approval **out, struct das_err *err)
{
    struct das_plan *p;
    int rc;

    *out = NULL;
    if (das_approval_check(ask, err) < 0)
        return -1;
    p = das_plan_anew(ask->plan, (ask->ttl_ms + DAS_APPROVAL_GRACE_MS + 999) / 1000, err);
    if (!p)
        return -1;
    rc = store(s, ask, p, out, err);
    das_plan_release(p);
    return rc;
}
