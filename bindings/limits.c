/* limits.c - see limits.h. */
#include "bindings/limits.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

const struct das_limits das_limits_default = {
    .memory = (uint64_t)64 << 20,
    .cpu_ms = 5000,
    .wall_ms = 60000,
    .output = (uint64_t)16 << 20,
    .http_requests = 100,
    .http_bytes = (uint64_t)16 << 20,
};

bool das_granted(const struct das_grants *grants, const char *what)
{
    if (!grants)
        return strcmp(what, "preview") == 0 || strcmp(what, "kill") == 0;
    for (size_t i = 0; i < grants->count; i++) {
        if (strcmp(grants->names[i], what) == 0)
            return true;
    }
    return false;
}

void das_policy_windows_clear(struct das_policy_rules *p)
{
    for (size_t i = 0; i < p->window_count; i++)
        das_zone_free(p->windows[i].zone);
    das_free(p->windows);
    p->windows = NULL;
    p->window_count = 0;
}

void das_policy_rules_clear(struct das_policy_rules *p)
{
    das_policy_windows_clear(p);
    for (size_t i = 0; i < p->freeze_count; i++)
        das_free(p->freezes[i].name);
    das_free(p->freezes);
    *p = das_policy_rules_default;
}

int das_policy_rules_copy(struct das_policy_rules *to, const struct das_policy_rules *from,
                          struct das_err *err)
{
    *to = *from;
    to->windows = NULL;
    to->freezes = NULL;
    to->window_count = to->freeze_count = 0;
    to->windows = das_calloc(from->window_count, sizeof *to->windows);
    to->freezes = das_calloc(from->freeze_count, sizeof *to->freezes);
    if ((from->window_count && !to->windows) || (from->freeze_count && !to->freezes))
        return das_fail_nomem(err);
    for (size_t i = 0; i < from->window_count; i++) {
        struct das_hours *h = &to->windows[to->window_count++];
        *h = from->windows[i];
        h->zone = das_zone_load(das_zone_name(from->windows[i].zone), err);
        if (!h->zone)
            return -1;
    }
    for (size_t i = 0; i < from->freeze_count; i++) {
        struct das_span *f = &to->freezes[to->freeze_count++];
        *f = from->freezes[i];
        if (f->name && !(f->name = das_strdup(f->name)))
            return das_fail_nomem(err);
    }
    return 0;
}

void das_rules_init(struct das_rules *r)
{
    memset(r, 0, sizeof *r);
    r->limits = das_limits_default;
    r->policy = das_policy_rules_default;
    das_serve_conf_init(&r->serve);
}

void das_script_entry_clear(struct das_script_entry *e)
{
    for (size_t i = 0; i < e->grants.count; i++)
        das_free(e->grants.names[i]);
    das_free(e->grants.names);
    das_policy_rules_clear(&e->policy);
    das_free(e->path);
}

void das_rules_clear(struct das_rules *r)
{
    for (size_t i = 0; i < r->count; i++)
        das_script_entry_clear(&r->scripts[i]);
    das_free(r->scripts);
    das_policy_rules_clear(&r->policy);
    das_free(r->state_dir);
    das_serve_conf_clear(&r->serve);
    das_rules_init(r);
}

void das_rules_for(const struct das_rules *r, const char *path, struct das_script_rules *out)
{
    /* where some scripts are named, one that is not may look and no more */
    static char preview[] = "preview", anywhere[] = "instance:*";
    static char *only_look[] = {preview, anywhere};
    static const struct das_grants look = {only_look, 2};
    char *full = path ? realpath(path, NULL) : NULL; /* the C library's memory: free() */
    const struct das_script_entry *found = NULL;

    for (size_t i = 0; i < r->count; i++) {
        const struct das_script_entry *e = &r->scripts[i];
        if (full && strcmp(full, e->path) == 0)
            found = e;
        else if (!found && strcmp(e->path, "*") == 0)
            found = e;
    }
    out->limits = found ? found->limits : r->limits;
    out->policy = found ? &found->policy : &r->policy;
    out->every_ms = found ? found->every_ms : 0;
    out->grants = found ? (found->has_grants ? &found->grants : NULL) : r->count ? &look : NULL;
    free(full);
}
