/* plan.c - making, hashing and showing a plan (see plan.h). Applying it is apply.c. */
#include "core/plan/plan.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/plan/plan_impl.h"
#include "core/session/render.h"

static const char *const mode_names[] = {"auto", "query", "connection", "soft"};

const char *das_mode_name(enum das_kill_mode m)
{
    return mode_names[m];
}

int das_mode_find(const char *name)
{
    for (int i = 0; i < (int)(sizeof mode_names / sizeof *mode_names); i++) {
        if (strcmp(name, mode_names[i]) == 0)
            return i;
    }
    return -1;
}

static int check_opts(const struct das_plan_opts *opts, struct das_err *err)
{
    if (opts->ttl_s < 0 || opts->ttl_s > DAS_PLAN_TTL_MAX)
        return das_fail(err, DAS_E_USAGE, "ttl: expected 1 to %d seconds, got %lld",
                        DAS_PLAN_TTL_MAX, (long long)opts->ttl_s);
    if (opts->reason && strlen(opts->reason) > DAS_PLAN_REASON_MAX)
        return das_fail(err, DAS_E_USAGE, "reason: expected at most %d bytes, got %zu",
                        DAS_PLAN_REASON_MAX, strlen(opts->reason));
    return 0;
}

static int fill_victims(struct das_plan *p, const struct das_selection *sel, struct das_err *err)
{
    struct das_session s;
    uint32_t *places = das_grow(NULL, sel->count, sizeof *places);

    if (!places)
        return das_fail_nomem(err);
    for (size_t i = 0; i < sel->count; i++)
        places[i] = (uint32_t)i;
    p->victims = das_selection_pick(sel, places, sel->count, err);
    das_free(places);
    if (!p->victims)
        return -1;
    p->digests = das_calloc(sel->count, sizeof *p->digests);
    if (!p->digests)
        return das_fail_nomem(err);
    for (size_t i = 0; i < sel->count; i++) {
        das_plan_victim(p, i, &s);
        if (das_digest64(s.sql_info, &p->digests[i], err) < 0)
            return -1;
    }
    return 0;
}

struct das_plan *das_plan_new(const struct das_selection *sel, const char *instance,
                              const struct das_plan_opts *opts, struct das_err *err)
{
    struct das_plan *p;
    struct das_buf json = {0};

    if (check_opts(opts, err) < 0)
        return NULL;
    p = das_calloc(1, sizeof *p);
    if (!p) {
        das_fail_nomem(err);
        return NULL;
    }
    atomic_init(&p->refs, 1);
    p->mode = opts->mode;
    p->instance = das_strdup(instance);
    p->reason = das_strdup(opts->reason ? opts->reason : "");
    p->created_ms = das_clock_unix_ms();
    p->expires_ms = p->created_ms + 1000 * (opts->ttl_s ? opts->ttl_s : DAS_PLAN_TTL_DEFAULT);
    if (!p->instance || !p->reason) {
        das_fail_nomem(err);
        goto fail;
    }
    p->server = *das_snapshot_identity(sel->snap);
    if (fill_victims(p, sel, err) < 0)
        goto fail;
    das_plan_json(p, &json);
    if (das_buf_ok(&json, err) < 0 || das_sha256_hex(das_buf_view(&json), p->hash, err) < 0)
        goto fail;
    das_buf_clear(&json);
    return p;
fail:
    das_buf_clear(&json);
    das_plan_release(p);
    return NULL;
}

struct das_plan *das_plan_retain(struct das_plan *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void das_plan_release(struct das_plan *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    das_selection_free(p->victims);
    das_free(p->digests);
    das_free(p->instance);
    das_free(p->reason);
    das_free(p);
}

size_t das_plan_victims(const struct das_plan *p)
{
    return p->victims->count;
}

void das_plan_victim(const struct das_plan *p, size_t i, struct das_session *out)
{
    das_snapshot_get(p->victims->snap, p->victims->rows[i], out);
}

enum das_kill_mode das_plan_mode(const struct das_plan *p)
{
    return p->mode;
}

const char *das_plan_reason(const struct das_plan *p)
{
    return p->reason;
}

const char *das_plan_instance(const struct das_plan *p)
{
    return p->instance;
}

int64_t das_plan_created_ms(const struct das_plan *p)
{
    return p->created_ms;
}

int64_t das_plan_expires_ms(const struct das_plan *p)
{
    return p->expires_ms;
}

const char *das_plan_hash(const struct das_plan *p)
{
    return p->hash;
}

const struct das_filter *das_plan_filter(const struct das_plan *p)
{
    return p->victims->filter;
}

int64_t das_plan_started_ms(const struct das_snapshot *snap, const struct das_session *s,
                            int64_t *slack_ms)
{
    int64_t taken;

    /* The list's own time has whole seconds, so even an exact age gives a start within one. More
     * slack would take a statement begun anew for the old one. */
    *slack_ms = 1000;
    if (das_snapshot_time(snap) <= 0 ||
        __builtin_mul_overflow(das_snapshot_time(snap), 1000, &taken))
        return DAS_UNKNOWN;
    if (das_known(s->time_ms)) /* an age has the limits of TIME: no overflow below */
        return taken - s->time_ms;
    return das_known(s->state_duration) ? taken - s->state_duration * 1000 : DAS_UNKNOWN;
}

static void filter_json(const struct das_filter *f, struct das_buf *b)
{
    struct das_buf text = {0};

    das_filter_print(f, &text);
    if (text.failed)
        b->failed = true;
    das_json_key_text(b, "filter", das_buf_view(&text));
    das_buf_clear(&text);
}

void das_plan_json(const struct das_plan *p, struct das_buf *b)
{
    struct das_session s;
    int64_t slack;

    das_buf_char(b, '{');
    das_json_key_int(b, "version", 1);
    das_json_key(b, "instance");
    das_json_str(b, p->instance);
    das_json_key(b, "server");
    das_json_str(b, p->server.server);
    if (das_known(p->server.start_unix_s))
        das_json_key_int(b, "server_start", p->server.start_unix_s);
    das_json_key(b, "kill");
    das_json_str(b, mode_names[p->mode]);
    das_json_key(b, "reason");
    das_json_str(b, p->reason);
    filter_json(p->victims->filter, b);
    das_json_key_int(b, "data_sync_time", das_snapshot_time(p->victims->snap));
    das_json_key_int(b, "created_ms", p->created_ms);
    das_json_key_int(b, "expires_ms", p->expires_ms);
    das_json_key(b, "victims");
    das_buf_char(b, '[');
    for (size_t i = 0; i < p->victims->count; i++) {
        int64_t started;
        das_plan_victim(p, i, &s);
        started = das_plan_started_ms(p->victims->snap, &s, &slack);
        das_json_comma(b);
        das_buf_str(b, "{\"session\":");
        das_render_session_json(&s, b);
        if (das_known(started))
            das_json_key_int(b, "started_ms", started);
        das_buf_printf(b, ",\"sql_digest\":\"%016llx\"}", (unsigned long long)p->digests[i]);
    }
    das_buf_str(b, "]}");
}

void das_plan_print(const struct das_plan *p, size_t width, struct das_buf *b)
{
    das_buf_printf(b, "plan %.12s: kill %s of %zu on %s%s", p->hash,
                   p->mode == DAS_MODE_CONNECTION ? "the connection"
                   : p->mode == DAS_MODE_QUERY    ? "the statement"
                                                  : "statement or connection",
                   p->victims->count, p->instance, p->reason[0] ? ": " : "");
    if (p->reason[0]) /* may hold text of a session */
        das_render_cell(das_text_of(p->reason), DAS_PLAN_REASON_MAX, b);
    das_buf_printf(b, ", good for %lld s\n", (long long)((p->expires_ms - p->created_ms) / 1000));
    das_buf_str(b, "because of ");
    das_filter_print(p->victims->filter, b);
    das_buf_char(b, '\n');
    das_render_table(p->victims, p->victims->count, width, b);
}
