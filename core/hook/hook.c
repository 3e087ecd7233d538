/* hook.c - see hook.h: the list of hooks, and the small questions asked of one. */
#include "core/hook/hook.h"

#include <string.h>

#include "core/base/mem.h"

const char *const das_hook_type_names[DAS_HOOK_TYPES] = {"string", "integer", "duration", "choice",
                                                         "instance"};

/* --- the list --------------------------------------------------------------------------------- */

static void free_list(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        das_free(list[i]);
    das_free(list);
}

static void allow_clear(struct das_hook_allow *a)
{
    free_list(a->roles, a->role_count);
    free_list(a->users, a->user_count);
}

static void command_clear(struct das_hook_command *c)
{
    das_free(c->name);
    das_free(c->script);
    das_free(c->help);
    for (size_t i = 0; i < c->param_count; i++) {
        das_free(c->params[i].name);
        das_free(c->params[i].fallback);
        free_list(c->params[i].choices, c->params[i].choice_count);
    }
    allow_clear(&c->allow);
}

static void places_clear(struct das_hook_places *p)
{
    for (size_t i = 0; i < p->count; i++) {
        das_free(p->items[i].name);
        das_free(p->items[i].where);
    }
}

static void hook_clear(struct das_hook *h)
{
    das_free(h->name);
    das_free(h->path);
    places_clear(&h->secrets);
    places_clear(&h->tokens);
    places_clear(&h->encrypt_keys);
    places_clear(&h->public_keys);
    places_clear(&h->passwords);
    das_free(h->user);
    das_free(h->receive_id);
    das_free(h->signature_header);
    das_free(h->timestamp_header);
    das_free(h->id_header);
    free_list(h->origins, h->origin_count);
    das_free(h->script);
    for (size_t i = 0; i < h->command_count; i++)
        command_clear(&h->commands[i]);
    das_free(h->commands);
    allow_clear(&h->allow);
    free_list(h->instances, h->instance_count);
    das_free(h->channel);
    free_list(h->reply_hosts, h->reply_host_count);
}

void das_hooks_clear(struct das_hooks *h)
{
    for (size_t i = 0; i < h->count; i++)
        hook_clear(&h->items[i]);
    das_free(h->items);
    *h = (struct das_hooks){0};
}

struct das_hook *das_hooks_add(struct das_hooks *h, const char *name, struct das_err *err)
{
    struct das_hook *bigger, *x;

    if (!das_hook_is_key(name)) {
        das_fail(err, DAS_E_CONFIG,
                 "hooks: \"%.80s\": expected a name of small letters, digits and \"_\", at most %d",
                 name, DAS_HOOK_KEY_SIZE - 1);
        return NULL;
    }
    bigger = das_grow(h->items, h->count + 1, sizeof *bigger);
    if (!bigger) {
        das_fail_nomem(err);
        return NULL;
    }
    h->items = bigger;
    x = &h->items[h->count];
    memset(x, 0, sizeof *x);
    x->timeout_ms = DAS_HOOK_TIMEOUT_MS;
    x->name = das_strdup(name);
    if (!x->name) {
        das_fail_nomem(err);
        return NULL;
    }
    h->count++;
    return x;
}

/* --- one is complete -------------------------------------------------------------------------- */

static unsigned given(const struct das_hook *h)
{
    return (h->secrets.count ? DAS_HOOK_F_SECRETS : 0u) |
           (h->tokens.count ? DAS_HOOK_F_TOKENS : 0u) |
           (h->encrypt_keys.count ? DAS_HOOK_F_ENCRYPT_KEYS : 0u) |
           (h->public_keys.count ? DAS_HOOK_F_PUBLIC_KEYS : 0u) | (h->user ? DAS_HOOK_F_USER : 0u) |
           (h->passwords.count ? DAS_HOOK_F_PASSWORDS : 0u) |
           (h->receive_id ? DAS_HOOK_F_RECEIVE_ID : 0u) |
           (h->signature_header ? DAS_HOOK_F_SIGNATURE_HEADER : 0u) |
           (h->timestamp_header ? DAS_HOOK_F_TIMESTAMP_HEADER : 0u) |
           (h->id_header ? DAS_HOOK_F_ID_HEADER : 0u) |
           (h->origin_count ? DAS_HOOK_F_ORIGINS : 0u) | (h->rate ? DAS_HOOK_F_RATE : 0u) |
           (h->batch ? DAS_HOOK_F_BATCH : 0u) | (h->window_s ? DAS_HOOK_F_WINDOW : 0u);
}

static int check_path(const struct das_hooks *all, const struct das_hook *h, struct das_err *err)
{
    const char *p = h->path;
    size_t n = p ? strlen(p) : 0;

    if (n < 8 || n > DAS_HOOK_PATH_MAX || strncmp(p, "/hooks/", 7) != 0 ||
        strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") != n ||
        strstr(p, "//") || strstr(p, "/.") || p[n - 1] == '/')
        return das_fail(err, DAS_E_CONFIG,
                        "hooks.%s.path: expected a path below /hooks/, such as \"/hooks/%s\"",
                        h->name, h->name);
    for (size_t i = 0; i < all->count; i++) {
        const struct das_hook *x = &all->items[i];
        if (x != h && x->path && strcmp(x->path, p) == 0)
            return das_fail(err, DAS_E_CONFIG, "hooks.%s.path: \"%s\" is the path of hooks.%s, too",
                            h->name, p, x->name);
    }
    return 0;
}

int das_hook_settle(const struct das_hooks *all, const struct das_hook *h, struct das_err *err)
{
    bool chat = das_hook_is_chat(h->platform);

    if (check_path(all, h, err) < 0 ||
        das_hook_fields_check(h->name, h->platform, given(h), err) < 0)
        return -1;
    if (!h->script && !h->command_count)
        return das_fail(err, DAS_E_CONFIG,
                        "hooks.%s: expected script, or commands such as { preview = { script = "
                        "\"hooks/preview.lua\" } }",
                        h->name);
    if (h->command_count && !chat)
        return das_fail(err, DAS_E_CONFIG,
                        "hooks.%s.commands: nobody writes to platform \"%s\"; expected script",
                        h->name, das_hook_platforms[h->platform].name);
    if (chat && !h->allow.role_count && !h->allow.user_count)
        return das_fail(err, DAS_E_CONFIG,
                        "hooks.%s.allow: expected who may, such as { roles = { \"dba\" } }; "
                        "nobody else is let in",
                        h->name);
    if (!chat && (h->allow.role_count || h->allow.user_count))
        return das_fail(err, DAS_E_CONFIG,
                        "hooks.%s.allow: platform \"%s\" names nobody; who has its secret may",
                        h->name, das_hook_platforms[h->platform].name);
    return 0;
}

/* --- questions -------------------------------------------------------------------------------- */

const struct das_hook *das_hooks_at(const struct das_hooks *h, struct das_text path)
{
    for (size_t i = 0; h && i < h->count; i++) {
        if (das_text_is(path, h->items[i].path))
            return &h->items[i];
    }
    return NULL;
}

const struct das_hook_command *das_hook_find_command(const struct das_hook *h, const char *name)
{
    for (size_t i = 0; i < h->command_count; i++) {
        if (strcmp(h->commands[i].name, name) == 0)
            return &h->commands[i];
    }
    return NULL;
}

const char *das_hook_people_word(enum das_hook_platform p)
{
    switch (p) {
    case DAS_HOOK_SLACK:
        return "slack";
    case DAS_HOOK_FEISHU:
    case DAS_HOOK_FEISHU_CARD:
        return "feishu";
    case DAS_HOOK_DINGTALK:
        return "dingtalk";
    case DAS_HOOK_WECOM:
        return "wecom";
    case DAS_HOOK_TEAMS:
        return "teams";
    case DAS_HOOK_DISCORD:
        return "discord";
    case DAS_HOOK_MATTERMOST:
        return "mattermost";
    case DAS_HOOK_TELEGRAM:
        return "telegram";
    default:
        return NULL;
    }
}

bool das_hook_is_chat(enum das_hook_platform p)
{
    return das_hook_people_word(p) != NULL;
}

static bool is_among(const struct das_hook_allow *a, const struct das_person *x)
{
    for (size_t i = 0; i < a->user_count; i++) {
        if (strcmp(a->users[i], x->name) == 0)
            return true;
    }
    for (size_t i = 0; i < a->role_count; i++) {
        if (das_person_has_role(x, a->roles[i]))
            return true;
    }
    return false;
}

bool das_hook_allows(const struct das_hook *h, const struct das_hook_command *c,
                     const struct das_person *x)
{
    if (!das_hook_is_chat(h->platform))
        return true;
    if (!x || !is_among(&h->allow, x))
        return false;
    return !c || (!c->allow.role_count && !c->allow.user_count) || is_among(&c->allow, x);
}
