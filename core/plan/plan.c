/* plan.c - making and showing a plan (see plan.h). Its JSON is plan_json.c, reading it plan_file.c,
 * applying it apply.c. */
#include "core/plan/plan.h"

#include <stddef.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crypto.h"
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

const char *const das_asked_names[DAS_ASKED_COUNT] = {
    "user", "script", "script_sha256", "hook", "task",
};

const char **das_asked_slot(struct das_asked *a, size_t i)
{
    const char **const slots[DAS_ASKED_COUNT] = {&a->user, &a->script, &a->script_sha256, &a->hook,
                                                 &a->task};

    return slots[i];
}

static const struct {
    const char *name;
    size_t at;
} limits[] = {
    {"run", offsetof(struct das_kill_limits, run)},
    {"minute", offsetof(struct das_kill_limits, minute)},
    {"instance", offsetof(struct das_kill_limits, instance)},
    {"user", offsetof(struct das_kill_limits, user)},
    {"window_ms", offsetof(struct das_kill_limits, window_ms)},
    {"min_left", offsetof(struct das_kill_limits, min_left)},
    {"rows_modified", offsetof(struct das_kill_limits, rows_modified)},
};

const char *das_limit_name(size_t i)
{
    return i < sizeof limits / sizeof *limits ? limits[i].name : NULL;
}

int64_t *das_limit_slot(struct das_kill_limits *l, size_t i)
{
    return (int64_t *)(void *)((char *)l + limits[i].at);
}

/* --- making ---------------------------------------------------------------------------------- */

static int check_limits(const struct das_kill_limits *given, struct das_err *err)
{
    struct das_kill_limits l = *given;

    for (size_t i = 0; das_limit_name(i); i++) {
        if (*das_limit_slot(&l, i) < 0)
            return das_fail(err, DAS_E_USAGE, "limits: %s: expected 0 or more, got %lld",
                            das_limit_name(i), (long long)*das_limit_slot(&l, i));
    }
    if (!(l.percent >= 0 && l.percent <= 100))
        return das_fail(err, DAS_E_USAGE, "limits: percent: expected 0 to 100, got %g", l.percent);
    return 0;
}

static int check_opts(const struct das_plan_opts *opts, struct das_err *err)
{
    if (opts->ttl_s < 0 || opts->ttl_s > DAS_PLAN_TTL_MAX)
        return das_fail(err, DAS_E_USAGE, "ttl: expected 1 to %d seconds, got %lld",
                        DAS_PLAN_TTL_MAX, (long long)opts->ttl_s);
    if (opts->reason && strlen(opts->reason) > DAS_PLAN_REASON_MAX)
        return das_fail(err, DAS_E_USAGE, "reason: expected at most %d bytes, got %zu",
                        DAS_PLAN_REASON_MAX, strlen(opts->reason));
    if (opts->escalate_ms < 0 || opts->escalate_ms > DAS_PLAN_ESCALATE_MAX)
        return das_fail(err, DAS_E_USAGE, "escalate: expected 1 to %d ms, got %lld",
                        DAS_PLAN_ESCALATE_MAX, (long long)opts->escalate_ms);
    if (opts->escalate_ms && opts->mode == DAS_MODE_CONNECTION)
        return das_fail(err, DAS_E_USAGE,
                        "escalate: expected kill to be query, soft or auto, got connection: there "
                        "is nothing beyond it");
    if (opts->symptom && !das_filter_can_match(opts->symptom))
        return das_fail(err, DAS_E_USAGE, "symptom: expected a filter with a criterion: this one "
                        "matches no session");
    return opts->limits ? check_limits(opts->limits, err) : 0;
}

static int fill_victims(struct das_plan *p, const struct das_selection *sel, bool trust_source,
                        struct das_err *err)
{
    struct das_session s;
    size_t n = 0;
    uint32_t *places = das_grow(NULL, sel->count, sizeof *places);

    if (!places)
        return das_fail_nomem(err);
    for (size_t i = 0; i < sel->count; i++) {
        bool disputed = das_snapshot_disputed(sel->snap, sel->rows[i]);
        if (!disputed || trust_source)
            places[n++] = (uint32_t)i;
        p->trusts |= disputed && trust_source;
    }
    p->left_out = sel->count - n;
    p->victims = das_selection_pick(sel, places, n, err);
    das_free(places);
    if (!p->victims)
        return -1;
    p->digests = das_calloc(n, sizeof *p->digests);
    if (!p->digests)
        return das_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        das_plan_victim(p, i, &s);
        if (das_digest64(s.sql_info, &p->digests[i], err) < 0)
            return -1;
    }
    return 0;
}

static int fill_asked(struct das_plan *p, const struct das_asked *asked, struct das_err *err)
{
    struct das_asked from = {0};

    if (asked)
        from = *asked;
    for (size_t i = 0; i < DAS_ASKED_COUNT; i++) {
        const char *text = *das_asked_slot(&from, i);
        if (!text)
            continue;
        p->asked_texts[i] = das_strdup(text);
        if (!p->asked_texts[i])
            return das_fail_nomem(err);
        *das_asked_slot(&p->asked, i) = p->asked_texts[i];
    }
    return 0;
}

struct das_plan *das_plan_build(const struct das_selection *sel, const char *instance,
                                const struct das_plan_opts *opts, const struct das_birth *birth,
                                struct das_err *err)
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
    p->escalate_ms = opts->escalate_ms;
    p->symptom = opts->symptom ? das_filter_retain(opts->symptom) : NULL;
    p->limits = opts->limits ? *opts->limits : das_kill_limits_default;
    p->instance = das_strdup(instance);
    p->reason = das_strdup(opts->reason ? opts->reason : "");
    p->birth = *birth;
    p->server = *das_snapshot_identity(sel->snap);
    if (!p->instance || !p->reason) {
        das_fail_nomem(err);
        goto fail;
    }
    if (fill_asked(p, opts->asked, err) < 0 || fill_victims(p, sel, opts->trust_source, err) < 0)
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

struct das_plan *das_plan_new(const struct das_selection *sel, const char *instance,
                              const struct das_plan_opts *opts, struct das_err *err)
{
    struct das_birth birth = {.created_ms = das_clock_unix_ms()};

    birth.expires_ms = birth.created_ms + 1000 * (opts->ttl_s ? opts->ttl_s : DAS_PLAN_TTL_DEFAULT);
    if (das_random(&birth.nonce, sizeof birth.nonce, err) < 0)
        return NULL;
    birth.nonce &= INT64_MAX;
    return das_plan_build(sel, instance, opts, &birth, err);
}

struct das_plan *das_plan_anew(const struct das_plan *p, int64_t ttl_s, struct das_err *err)
{
    const struct das_plan_opts opts = {.mode = p->mode,
                                       .reason = p->reason,
                                       .trust_source = p->trusts,
                                       .ttl_s = ttl_s,
                                       .escalate_ms = p->escalate_ms,
                                       .symptom = p->symptom,
                                       .asked = &p->asked,
                                       .limits = &p->limits};
    struct das_plan *anew = das_plan_new(p->victims, p->instance, &opts, err);

    if (anew)
        anew->left_out = p->left_out;
    return anew;
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
    das_filter_release(p->symptom);
    for (size_t i = 0; i < DAS_ASKED_COUNT; i++)
        das_free(p->asked_texts[i]);
    das_free(p);
}

/* --- reading --------------------------------------------------------------------------------- */

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

bool das_plan_trusts_source(const struct das_plan *p)
{
    return p->trusts;
}

size_t das_plan_left_out(const struct das_plan *p)
{
    return p->left_out;
}

int64_t das_plan_escalate_ms(const struct das_plan *p)
{
    return p->escalate_ms;
}

const struct das_filter *das_plan_symptom(const struct das_plan *p)
{
    return p->symptom;
}

const struct das_asked *das_plan_asked(const struct das_plan *p)
{
    return &p->asked;
}

const struct das_kill_limits *das_plan_limits(const struct das_plan *p)
{
    return &p->limits;
}

int64_t das_plan_created_ms(const struct das_plan *p)
{
    return p->birth.created_ms;
}

int64_t das_plan_expires_ms(const struct das_plan *p)
{
    return p->birth.expires_ms;
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

/* --- showing --------------------------------------------------------------------------------- */

#define HASH_SHOWN 12

/* A plan may come from a file, so nothing of it drives the terminal. */
static void print_filter(const struct das_filter *f, const char *before, struct das_buf *b)
{
    struct das_buf text = {0};

    das_filter_print(f, &text);
    if (text.failed)
        b->failed = true;
    das_buf_str(b, before);
    das_render_cell(das_buf_view(&text), SIZE_MAX / 2, b);
    das_buf_char(b, '\n');
    das_buf_clear(&text);
}

/* "asked for by alice, script policies/night.lua (sha256 1f0c...), task 7" */
static void print_asked(const struct das_plan *p, struct das_buf *b)
{
    static const char *const words[DAS_ASKED_COUNT] = {" by ", " script ", NULL, " hook ",
                                                       " task "};
    const char *comma = "asked for";

    for (size_t i = 0; i < DAS_ASKED_COUNT; i++) {
        if (!words[i] || !p->asked_texts[i])
            continue;
        das_buf_str(b, comma);
        das_buf_str(b, words[i]);
        das_render_cell(das_text_of(p->asked_texts[i]), 200, b);
        if (p->asked.script_sha256 && p->asked_texts[i] == p->asked.script) {
            das_buf_str(b, " (sha256 ");
            das_render_cell(das_text(p->asked.script_sha256,
                                     strnlen(p->asked.script_sha256, HASH_SHOWN)),
                            HASH_SHOWN, b);
            das_buf_char(b, ')');
        }
        comma = ",";
    }
    if (comma[0] == ',')
        das_buf_char(b, '\n');
}

static void print_escalation(const struct das_plan *p, struct das_buf *b)
{
    if (!p->escalate_ms)
        return;
    das_buf_printf(b, "a statement that goes on for %lld", (long long)(p->escalate_ms / 1000));
    if (p->escalate_ms % 1000)
        das_buf_printf(b, ".%03lld", (long long)(p->escalate_ms % 1000));
    das_buf_str(b, " s after its kill: then its connection\n");
}

/* What a kill undoes may take longer than what it ends. */
static void print_rollback(const struct das_plan *p, const struct das_session *s, struct das_buf *b)
{
    bool statement = p->mode == DAS_MODE_QUERY || p->mode == DAS_MODE_SOFT;

    if (!das_known(s->rows_modified) || s->rows_modified == 0)
        return;
    das_buf_printf(b, "  %lld has changed %lld row%s", (long long)s->id,
                   (long long)s->rows_modified, s->rows_modified == 1 ? "" : "s");
    if (s->rows_modified > p->limits.rows_modified)
        das_buf_printf(b, ": more than %lld, it would be refused\n",
                       (long long)p->limits.rows_modified);
    else
        das_buf_printf(b, ", %sto be rolled back\n", statement ? "those of its statement " : "");
}

void das_plan_print(const struct das_plan *p, size_t width, struct das_buf *b)
{
    static const char *const what[] = {
        [DAS_MODE_AUTO] = "statement or connection",
        [DAS_MODE_QUERY] = "the statement",
        [DAS_MODE_CONNECTION] = "the connection",
        [DAS_MODE_SOFT] = "the statement (soft)",
    };
    struct das_session s;

    das_buf_printf(b, "plan %.*s: kill %s of %zu on ", HASH_SHOWN, p->hash, what[p->mode],
                   p->victims->count);
    das_render_cell(das_text_of(p->instance), 300, b);
    das_buf_str(b, p->reason[0] ? ": " : "");
    if (p->reason[0]) /* may hold text of a session */
        das_render_cell(das_text_of(p->reason), DAS_PLAN_REASON_MAX, b);
    das_buf_printf(b, ", good for %lld s\n", (long long)((p->birth.expires_ms - p->birth.created_ms) / 1000));
    print_filter(p->victims->filter, "because of ", b);
    print_escalation(p, b);
    if (p->trusts)
        das_buf_str(b, "trusting the source: disputed sessions are among the victims\n");
    if (p->left_out)
        das_buf_printf(b, "%zu disputed session%s left out\n", p->left_out,
                       p->left_out == 1 ? " is" : "s are");
    if (p->symptom)
        print_filter(p->symptom, "to be cured: ", b);
    print_asked(p, b);
    das_render_table(p->victims, p->victims->count, width, b);
    for (size_t i = 0; i < p->victims->count; i++) {
        das_plan_victim(p, i, &s);
        print_rollback(p, &s, b);
    }
}
