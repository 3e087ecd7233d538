/* act_check.c - does an order make sense (see act_impl.h). */
#include <string.h>

#include "core/plan/act_impl.h"
#include "core/session/filter.h"

static const char *const names[] = {"create_kill_task", "stop_kill_task", "switch_on", "switch_off",
                                    "kill_all"};

const char *das_cloud_act_name(enum das_cloud_act a)
{
    return names[a];
}

/* --- a kill task ------------------------------------------------------------------------------- */

static int check_duration(struct das_cloud_criteria *c, struct das_err *err)
{
    bool manual;

    if (!c->task_type)
        c->task_type = "auto";
    manual = strcmp(c->task_type, "manual") == 0;
    if (!manual && strcmp(c->task_type, "auto") != 0)
        return das_fail(err, DAS_E_USAGE, "task_type: expected \"auto\" or \"manual\", got \"%.40s\"",
                        c->task_type);
    if (manual && c->task_duration == 0)
        c->task_duration = DAS_TASK_DURATION_MIN; /* the API wants one, and does not look at it */
    if (c->task_duration < DAS_TASK_DURATION_MIN || c->task_duration > DAS_TASK_DURATION_MAX)
        return das_fail(err, DAS_E_USAGE, "task_duration: expected %d to %d seconds, got %lld",
                        DAS_TASK_DURATION_MIN, DAS_TASK_DURATION_MAX, (long long)c->task_duration);
    return 0;
}

/* Its spelling in the API's list, which need not be what a person types. */
static void spell_command(struct das_cloud_criteria *c)
{
    for (size_t i = 0; i < das_command_count; i++) {
        if (das_text_iis(c->command, das_command_names[i]))
            c->command = das_text_of(das_command_names[i]);
    }
}

static int check_task(struct das_act_scene *sc, struct das_err *err)
{
    struct das_cloud_criteria *c = &sc->criteria;
    const struct {
        const char *name;
        size_t len;
    } texts[] = {{"user", c->user.len}, {"host", c->host.len}, {"db", c->db.len},
                 {"command", c->command.len}, {"info", c->info.len}};
    const char *given = NULL;

    for (size_t i = 0; i < sizeof texts / sizeof *texts && !given; i++)
        given = texts[i].len ? texts[i].name : NULL;
    if (c->time < 1 || c->time > DAS_TIME_MAX)
        return das_fail(err, DAS_E_USAGE, "time: a kill task needs 1 to %d seconds, got %lld",
                        DAS_TIME_MAX, (long long)c->time);
    if (!given && !sc->order->all)
        return das_fail(err, DAS_E_USAGE, "a kill task with time alone ends every session that is so "
                        "old: expected user, host, db, command or info besides, or all");
    if (given && sc->order->all)
        return das_fail(err, DAS_E_USAGE, "all: means every session, but there is %s besides", given);
    spell_command(c);
    return check_duration(c, err);
}

/* --- all of it --------------------------------------------------------------------------------- */

static int check_kill_all(const struct das_act_order *o, struct das_err *err)
{
    if (o->confirm && strcmp(o->confirm, o->place.instance) == 0)
        return 0;
    return das_fail(err, DAS_E_USAGE, "confirm: expected the id of the instance, %.40s, got %s%.40s%s",
                    o->place.instance, o->confirm ? "\"" : "", o->confirm ? o->confirm : "nothing",
                    o->confirm ? "\"" : "");
}

int das_act_check(struct das_act_scene *sc)
{
    const struct das_act_order *o = sc->order;

    if (!o->cloud || !o->instance || !o->place.region || !o->place.instance || !*o->place.instance)
        return das_fail(sc->err, DAS_E_USAGE, "%s: expected an instance at Huawei Cloud DAS",
                        names[o->act]);
    switch (o->act) {
    case DAS_ACT_CREATE_TASK:
        if (!o->criteria)
            return das_fail(sc->err, DAS_E_USAGE, "criteria: a kill task needs some");
        sc->criteria = *o->criteria;
        return check_task(sc, sc->err);
    case DAS_ACT_STOP_TASK:
        if (o->task_id > 0)
            return 0;
        return das_fail(sc->err, DAS_E_USAGE, "task_id: expected a whole number from 1 up, got %lld",
                        (long long)o->task_id);
    case DAS_ACT_SWITCH_ON:
    case DAS_ACT_SWITCH_OFF:
        if (o->wait_ms >= 0)
            return 0;
        return das_fail(sc->err, DAS_E_USAGE, "wait: expected no negative time");
    case DAS_ACT_KILL_ALL:
        return check_kill_all(o, sc->err);
    }
    return das_fail(sc->err, DAS_E_INTERNAL, "no such act");
}
