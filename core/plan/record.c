/*
 * record.c - what the journal is told about an apply (see apply_impl.h).
 *
 * Texts of sessions go through the run's secrets, and statements are kept as their fingerprint
 * where the configuration says so. The plan itself is named by its hash; the victims' own words
 * stand in the intents.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/plan/apply_impl.h"
#include "core/plan/entry.h"
#include "core/session/fingerprint.h"

static void put_text(const struct das_scene *sc, struct das_buf *b, const char *key,
                     struct das_text t)
{
    das_entry_text(sc->opts->guard, b, key, t);
}

static void put_str(const struct das_scene *sc, struct das_buf *b, const char *key, const char *s)
{
    das_entry_str(sc->opts->guard, b, key, s);
}

static void put_int(struct das_buf *b, const char *key, int64_t v)
{
    if (das_known(v))
        das_json_key_int(b, key, v);
}

static void put_sql(const struct das_scene *sc, struct das_buf *b, struct das_text sql)
{
    struct das_buf shape = {0};

    if (!sc->opts->guard->rules->redact_sql || !sql.ptr) {
        put_text(sc, b, "sql_info", sql);
        return;
    }
    das_fingerprint(sql, &shape);
    if (shape.failed)
        b->failed = true;
    put_text(sc, b, "sql_fingerprint", das_buf_view(&shape));
    das_buf_clear(&shape);
}

static void put_session(const struct das_scene *sc, struct das_buf *b, const struct das_session *s)
{
    das_json_key_int(b, "id", s->id);
    put_int(b, "query_id", s->query_id);
    put_text(sc, b, "user", s->user);
    put_text(sc, b, "host", s->host);
    put_text(sc, b, "db", s->db);
    put_text(sc, b, "command", s->command);
    put_text(sc, b, "state", s->state);
    put_sql(sc, b, s->sql_info);
    put_int(b, "state_duration", s->state_duration);
    put_int(b, "trx_time", s->trx_time);
    put_int(b, "rows_modified", s->rows_modified);
}

static void put_plan(const struct das_scene *sc, struct das_buf *b)
{
    const struct das_plan *p = sc->plan;
    const struct das_asked *asked = das_plan_asked(p);

    das_json_key_text(b, "plan", das_text_of(das_plan_hash(p)));
    put_str(sc, b, "instance", das_plan_instance(p));
    put_str(sc, b, "server", p->server.server);
    put_str(sc, b, "policy", das_scene_policy(sc));
    das_json_key_bool(b, "by_person", sc->opts->guard->by_person);
    put_str(sc, b, "by", sc->opts->guard->who); /* now; user: who asked for the plan */
    put_str(sc, b, "user", asked->user);
    put_str(sc, b, "script_sha256", asked->script_sha256);
    put_str(sc, b, "hook", asked->hook);
    put_str(sc, b, "task", asked->task);
    put_str(sc, b, "kill", das_mode_name(das_plan_mode(p)));
    put_str(sc, b, "reason", das_plan_reason(p));
    das_json_key_int(b, "victims", (int64_t)das_plan_victims(p));
}

static int write_one(struct das_scene *sc, struct das_record *r, struct das_buf *b,
                     struct das_err *err)
{
    return das_entry_write(sc->opts->guard, r, b, err);
}

int das_record_apply(struct das_scene *sc)
{
    struct das_record r = {.kind = "apply"};
    struct das_buf b = {0}, filter = {0};

    das_buf_char(&b, '{');
    put_plan(sc, &b);
    das_json_key_int(&b, "ready", (int64_t)das_scene_ready(sc));
    das_filter_print(das_plan_filter(sc->plan), &filter);
    if (filter.failed)
        b.failed = true;
    put_text(sc, &b, "filter", das_buf_view(&filter));
    das_buf_clear(&filter);
    if (write_one(sc, &r, &b, sc->err) < 0)
        return -1;
    sc->apply_seq = r.seq;
    return 0;
}

void das_record_refused(struct das_scene *sc, const char *why)
{
    struct das_record r = {.kind = "refused"};
    struct das_buf b = {0};
    struct das_err ignored;

    das_buf_char(&b, '{');
    put_plan(sc, &b);
    put_str(sc, &b, "why", why);
    write_one(sc, &r, &b, &ignored);
}

int das_record_intent(struct das_scene *sc, size_t victim, const struct das_session *now,
                      int64_t spends)
{
    struct das_aim *aim = &sc->aims[victim];
    struct das_record r = {.kind = "intent", .spends = spends};
    struct das_buf b = {0};

    das_buf_char(&b, '{');
    das_json_key_int(&b, "apply", sc->apply_seq);
    das_json_key_int(&b, "victim", (int64_t)victim);
    put_str(sc, &b, "instance", das_plan_instance(sc->plan));
    put_str(sc, &b, "server", sc->plan->server.server);
    put_str(sc, &b, "action", aim->action);
    if (aim->escalated)
        das_json_key_bool(&b, "escalated", true);
    put_session(sc, &b, now);
    if (write_one(sc, &r, &b, sc->err) < 0)
        return -1;
    aim->intent = r.seq;
    return 0;
}

static void put_outcome(struct das_scene *sc, size_t victim, struct das_buf *b)
{
    const struct das_outcome *o = &sc->report->items[victim];
    struct das_session s;

    das_plan_victim(sc->plan, victim, &s);
    das_buf_char(b, '{');
    put_str(sc, b, "outcome", das_outcome_name(o->kind));
    das_json_key_int(b, "apply", sc->apply_seq);
    das_json_key_int(b, "victim", (int64_t)victim);
    das_json_key_int(b, "id", s.id);
    put_str(sc, b, "action", o->action);
    put_int(b, "after_ms", o->after_ms);
    put_int(b, "rows_left", o->rows_left);
    put_int(b, "look_age_ms", o->look_age_ms);
    put_str(sc, b, "note", o->note);
}

int das_record_outcomes(struct das_scene *sc, const size_t *victims, size_t n)
{
    struct das_record *records = das_calloc(n, sizeof *records);
    struct das_buf *texts = das_calloc(n, sizeof *texts);
    int rc = -1;

    if (!records || !texts) {
        das_fail_nomem(sc->err);
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        put_outcome(sc, victims[i], &texts[i]);
        if (das_buf_ok(&texts[i], sc->err) < 0)
            goto done;
        records[i] = (struct das_record){
            .kind = "outcome",
            .members = das_text(texts[i].ptr + 1, texts[i].len - 1),
            .closes = sc->aims[victims[i]].intent,
        };
    }
    rc = das_journal_add(sc->opts->guard->store, records, n, sc->err);
done:
    for (size_t i = 0; texts && i < n; i++)
        das_buf_clear(&texts[i]);
    das_free(texts);
    das_free(records);
    return rc;
}

int das_record_rung(struct das_scene *sc, size_t victim)
{
    struct das_record r = {.kind = "outcome", .closes = sc->aims[victim].intent};
    struct das_session s;
    struct das_buf b = {0};

    das_plan_victim(sc->plan, victim, &s);
    das_buf_char(&b, '{');
    put_str(sc, &b, "outcome", das_outcome_name(DAS_O_FAILED));
    das_json_key_int(&b, "apply", sc->apply_seq);
    das_json_key_int(&b, "victim", (int64_t)victim);
    das_json_key_int(&b, "id", s.id);
    put_str(sc, &b, "action", sc->aims[victim].action);
    put_str(sc, &b, "note", "it goes on: its connection is next");
    return write_one(sc, &r, &b, sc->err);
}

int das_record_respawned(struct das_scene *sc, const struct das_session *s, const char *seen)
{
    struct das_record r = {.kind = "respawned"};
    struct das_buf b = {0};

    das_buf_char(&b, '{');
    das_json_key_int(&b, "apply", sc->apply_seq);
    put_str(sc, &b, "instance", das_plan_instance(sc->plan));
    put_str(sc, &b, "policy", das_scene_policy(sc));
    das_json_key_text(&b, "seen", das_text_of(seen));
    put_session(sc, &b, s);
    return write_one(sc, &r, &b, sc->err);
}
