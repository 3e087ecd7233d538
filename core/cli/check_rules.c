/*
 * check_rules.c - see check_config.h: rules of das.lua that are well-formed and do not fit together.
 * Whoever finds out at night finds out too late.
 */
#include <jansson.h>
#include <string.h>

#include "bindings/check_script.h"
#include "bindings/schedule_conf.h"
#include "core/base/mem.h"
#include "core/cli/check_config.h"

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* --- grants that name something --------------------------------------------------------------- */

/* Is there what the grant names? Else why not, in err. */
static bool grant_fits(const struct das_common *c, const char *grant, struct das_err *err)
{
    const char *name = strchr(grant, ':');

    if (!name || strcmp(++name, "*") == 0)
        return true;
    if (begins(grant, "notify:"))
        return das_channels_find(&c->rules.channels, name, err);
    if (begins(grant, "secret:"))
        return das_secrets_find(&c->secrets, name, err);
    if (begins(grant, "instance:"))
        return das_inventory_find(c->inventory, name, err) >= 0;
    if (begins(grant, "tag:") && !das_inventory_tagged(c->inventory, name)) {
        das_fail(err, DAS_E_CONFIG, "no instance has the tag \"%.100s\"", name);
        return false;
    }
    return true;
}

static void check_grants(struct das_check *c, const struct das_script_entry *e)
{
    struct das_err err;

    for (size_t i = 0; e->has_grants && i < e->grants.count; i++) {
        if (!grant_fits(&c->common, e->grants.names[i], &err))
            das_check_say(c, "warning", "grant", "scripts[\"%s\"].grants: %s: %s", e->path,
                          e->grants.names[i], err.msg);
    }
}

/* --- what a script needs ---------------------------------------------------------------------- */

static bool any_begins(const struct das_grants *g, const char *with)
{
    for (size_t i = 0; i < g->count; i++) {
        if (begins(g->names[i], with))
            return true;
    }
    return false;
}

/* What is missing for that need, or NULL. grants NULL: those of a run that is told nothing. */
static const char *missing(const struct das_grants *grants, const char *need)
{
    static const struct das_grants none = {0};
    const struct das_grants *g = grants ? grants : &none;

    if (das_granted(grants, need))
        return NULL;
    if (begins(need, "notify:"))
        return any_begins(g, "notify:") && strcmp(need, "notify:?") == 0  ? NULL
               : das_granted(grants, "notify")                           ? NULL
               : strcmp(need, "notify:?") == 0                           ? "notify:CHANNEL"
                                                                         : need;
    if (begins(need, "http"))
        return any_begins(g, "http") ? NULL : need;
    if (begins(need, "instance:") || begins(need, "cloud:"))
        return NULL; /* see blind(); which ones, nobody knows before */
    if (strcmp(need, "secret:?") == 0)
        return any_begins(g, "secret:") ? NULL : "secret:NAME";
    return need;
}

/* It looks and has nothing to look at. */
static bool blind(const struct das_grants *g)
{
    return g && !any_begins(g, "instance:") && !any_begins(g, "tag:");
}

static bool is_shown(const struct das_check *c, const char *script)
{
    for (size_t i = 0; i < c->script_count; i++) {
        if (strcmp(c->scripts[i], script) == 0)
            return true;
    }
    return false;
}

static int remember(struct das_check *c, const char *script, struct das_err *err)
{
    const char **bigger;

    if (is_shown(c, script))
        return 0;
    bigger = das_grow(c->scripts, c->script_count + 1, sizeof *bigger);
    if (!bigger)
        return das_fail_nomem(err);
    c->scripts = bigger;
    c->scripts[c->script_count++] = script;
    return 0;
}

/* What stands behind "where" of das.lua needs, against what it gets. */
static void check_needs(struct das_check *c, const char *where, const json_t *needs,
                        const struct das_grants *g, const struct das_policy_rules *policy)
{
    bool looks = false, kills = false;
    const json_t *item;
    size_t i;

    json_array_foreach(needs, i, item)
    {
        const char *need = json_string_value(item), *lacks = need ? missing(g, need) : NULL;
        if (lacks)
            das_check_say(c, "warning", "grant",
                          "%s: its script needs the grant %s; scripts of das.lua does not give it",
                          where, lacks);
        looks = looks || (need && strcmp(need, "preview") == 0);
        kills = kills || (need && strcmp(need, "kill") == 0);
    }
    if (looks && blind(g))
        das_check_say(c, "warning", "grant",
                      "%s: its script may look at no instance; expected instance:NAME or tag:TAG "
                      "among its grants",
                      where);
    if (kills && policy->mode_is_set &&
        (policy->mode == DAS_POLICY_OBSERVE || policy->mode == DAS_POLICY_NOTIFY))
        das_check_say(c, "warning", "mode",
                      "%s: its script wants to kill, and its mode %s lets it neither kill nor ask",
                      where, das_policy_mode_name(policy->mode));
}

static int check_script(struct das_check *c, const char *where, const char *script,
                        const struct das_grants *g, const struct das_policy_rules *policy,
                        struct das_err *err)
{
    struct das_buf found = {0};
    json_t *answer = NULL;
    size_t findings;

    if (remember(c, script, err) < 0)
        return -1;
    if (das_check_script(script, true, &found, &findings, err) < 0)
        das_check_say(c, "error", "script", "%s: %s", where, err->msg);
    else
        answer = json_loadb(found.ptr, found.len, 0, NULL);
    check_needs(c, where, json_object_get(answer, "grants"), g, policy);
    json_decref(answer);
    das_buf_clear(&found);
    return 0;
}

static int check_hook_script(struct das_check *c, const char *where, const char *script,
                             struct das_err *err)
{
    struct das_script_rules rules;

    das_rules_for(&c->common.rules, script, &rules);
    return check_script(c, where, script, rules.grants, rules.policy, err);
}

/* --- hooks ------------------------------------------------------------------------------------ */

/* How many the hook, or its command, knows and lets in. */
static size_t count_people(const struct das_check *c, const struct das_hook *h,
                           const struct das_hook_command *command)
{
    const struct das_people *people = &c->common.rules.people;
    const char *word = das_hook_people_word(h->platform);
    size_t n = 0;

    for (size_t i = 0; i < people->count; i++) {
        const struct das_person *x = &people->items[i];
        bool known = das_person_has_id(x, word) ||
                     (strcmp(word, "feishu") == 0 && das_person_has_id(x, "lark"));
        n += known && das_hook_allows(h, command, x);
    }
    return n;
}

/* The platforms that leave no address for an answer. */
static bool needs_channel(const struct das_hook *h)
{
    return h->platform == DAS_HOOK_FEISHU || h->platform == DAS_HOOK_FEISHU_CARD ||
           h->platform == DAS_HOOK_WECOM || h->platform == DAS_HOOK_TELEGRAM;
}

static int check_hook(struct das_check *c, const struct das_hook *h, struct das_err *err)
{
    const char *word = das_hook_people_word(h->platform);
    char where[200];
    int rc = 0;

    if (word && !count_people(c, h, NULL))
        das_check_say(c, "warning", "people",
                      "hooks.%s.allow: nobody in it has a %s id in people: das knows no sender",
                      h->name, word);
    if (needs_channel(h) && !h->channel)
        das_check_say(c, "warning", "channel",
                      "hooks.%s.channel: platform \"%s\" names no address for results: without a "
                      "channel nobody sees them",
                      h->name, das_hook_platforms[h->platform].name);
    snprintf(where, sizeof where, "hooks.%s", h->name);
    if (h->script)
        rc = check_hook_script(c, where, h->script, err);
    for (size_t i = 0; i < h->command_count && rc == 0; i++) {
        const struct das_hook_command *command = &h->commands[i];
        snprintf(where, sizeof where, "hooks.%s.commands.%s", h->name, command->name);
        if (count_people(c, h, NULL) && !count_people(c, h, command))
            das_check_say(c, "warning", "people",
                          "%s.allow: nobody who may use the hook is in it, too", where);
        rc = check_hook_script(c, where, command->script, err);
    }
    return rc;
}

/* --- all of it -------------------------------------------------------------------------------- */

int das_check_rules(struct das_check *c, struct das_err *err)
{
    const struct das_rules *r = &c->common.rules;
    char where[200];
    int rc = 0;

    for (size_t i = 0; i < r->count && rc == 0; i++) {
        check_grants(c, &r->scripts[i]);
        if (strcmp(r->scripts[i].path, "*") != 0)
            rc = remember(c, r->scripts[i].path, err);
    }
    for (size_t i = 0; i < r->hooks.count && rc == 0; i++)
        rc = check_hook(c, &r->hooks.items[i], err);
    for (size_t i = 0; r->schedule && i < r->schedule->count && rc == 0; i++) {
        const struct das_schedule_entry *e = &r->schedule->entries[i];
        snprintf(where, sizeof where, "policies[%zu] (%s)", i + 1, e->name);
        /* a policy that observes is how each begins: no mistake */
        rc = check_script(c, where, e->script, e->grants, &(struct das_policy_rules){0}, err);
    }
    return rc;
}
