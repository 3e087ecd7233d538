/* act_record.c - what the journal is told about an act without a plan (see act_impl.h). */
#include "core/base/json.h"
#include "core/plan/act_impl.h"
#include "core/plan/entry.h"

static void put_place(const struct das_act_scene *sc, struct das_buf *b)
{
    const struct das_act_order *o = sc->order;

    das_entry_str(sc->guard, b, "act", das_cloud_act_name(o->act));
    das_entry_str(sc->guard, b, "instance", o->instance);
    das_entry_str(sc->guard, b, "region", o->place.region);
    das_entry_str(sc->guard, b, "project", o->place.project);
    das_entry_str(sc->guard, b, "instance_id", o->place.instance);
}

/* As they are sent, but for secrets. */
static void put_criteria(const struct das_act_scene *sc, struct das_buf *b)
{
    struct das_cloud_criteria c = sc->criteria;
    struct das_text *texts[] = {&c.user, &c.host, &c.db, &c.command, &c.info};
    struct das_buf clean[sizeof texts / sizeof *texts] = {{0}};

    for (size_t i = 0; sc->guard->vault && i < sizeof texts / sizeof *texts; i++) {
        if (!texts[i]->ptr)
            continue;
        das_vault_redact(sc->guard->vault, *texts[i], &clean[i]);
        b->failed |= clean[i].failed;
        *texts[i] = das_buf_view(&clean[i]);
    }
    das_json_key(b, "criteria");
    das_cloud_criteria_json(&c, b);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        das_buf_clear(&clean[i]);
}

static void put_order(const struct das_act_scene *sc, struct das_buf *b)
{
    const struct das_act_order *o = sc->order;

    das_buf_char(b, '{');
    put_place(sc, b);
    if (o->act == DAS_ACT_CREATE_TASK) {
        put_criteria(sc, b);
        if (o->all)
            das_json_key_bool(b, "all", true);
    }
    if (o->act == DAS_ACT_STOP_TASK)
        das_json_key_int(b, "task_id", o->task_id);
    if (sc->out->sessions != DAS_CLOUD_NOT_TOLD)
        das_json_key_int(b, "sessions", sc->out->sessions);
    das_entry_str(sc->guard, b, "policy", sc->guard->policy);
    das_json_key_bool(b, "by_person", sc->guard->by_person);
    das_entry_str(sc->guard, b, "by", sc->guard->who);
    das_entry_str(sc->guard, b, "reason", o->reason);
}

int das_act_record_intent(struct das_act_scene *sc)
{
    struct das_record r = {
        .kind = "intent", .claims = sc->claims, .claim_count = sc->claim_count};
    struct das_buf b = {0};

    put_order(sc, &b);
    if (das_entry_write(sc->guard, &r, &b, sc->err) < 0)
        return -1;
    sc->intent = r.seq;
    return 0;
}

int das_act_record_outcome(struct das_act_scene *sc, const char *outcome, const char *note,
                           struct das_err *err)
{
    const struct das_cloud_list *made = &sc->out->task.list;
    enum das_cloud_act act = sc->order->act;
    struct das_record r = {.kind = "outcome", .closes = sc->intent};
    struct das_buf b = {0};

    das_buf_char(&b, '{');
    das_entry_str(sc->guard, &b, "outcome", outcome);
    put_place(sc, &b);
    if (act == DAS_ACT_CREATE_TASK && made->count == 1)
        das_json_key_int(&b, "task_id", ((const struct das_cloud_task *)made->items)->task_id);
    if (act == DAS_ACT_STOP_TASK)
        das_json_key_int(&b, "task_id", sc->order->task_id);
    if (sc->out->done && (act == DAS_ACT_SWITCH_ON || act == DAS_ACT_SWITCH_OFF))
        das_entry_str(sc->guard, &b, "switch", das_cloud_switch_name(sc->out->now));
    das_entry_str(sc->guard, &b, "request_id", sc->call->request_id);
    das_entry_str(sc->guard, &b, "note", note);
    return das_entry_write(sc->guard, &r, &b, err);
}

void das_act_record_refused(struct das_act_scene *sc, const char *why)
{
    struct das_record r = {.kind = "refused"};
    struct das_buf b = {0};
    struct das_err ignored;

    put_order(sc, &b);
    das_entry_str(sc->guard, &b, "why", why);
    das_entry_write(sc->guard, &r, &b, &ignored);
}
