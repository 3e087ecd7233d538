/* source.c - finds the kind behind a spec, and the little that all kinds share (see source.h). */
#include "core/source/source.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/source/source_impl.h"

static const struct {
    const char *scheme;
    int (*open)(const char *rest, const struct das_source_conf *conf, struct das_source **out,
                struct das_err *err);
} kinds[] = {
    {"file:", das_source_open_file},
    {"mem:", das_source_open_memory},
    {"mysql:", das_source_open_mariadb},
    {"das:", das_source_open_cloud},
    {"mariadb:", das_source_open_mariadb},
};

bool das_source_is_spec(const char *text)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strncmp(text, kinds[i].scheme, strlen(kinds[i].scheme)) == 0)
            return true;
    }
    return false;
}

bool das_source_needs_cloud(const char *spec)
{
    return strncmp(spec, "das:", 4) == 0;
}

int das_source_set_name(struct das_source *s, const char *name, struct das_err *err)
{
    s->name = das_strdup(name);
    return s->name ? 0 : das_fail_nomem(err);
}

static int set_name(struct das_source **s, const char *name, struct das_err *err)
{
    if (das_source_set_name(*s, name, err) == 0)
        return 0;
    das_source_close(*s);
    *s = NULL;
    return -1;
}

int das_source_open(const struct das_source_conf *conf, struct das_source **out,
                    struct das_err *err)
{
    const char *name = conf->name ? conf->name : conf->spec;

    *out = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = strlen(kinds[i].scheme);
        if (strncmp(conf->spec, kinds[i].scheme, len) != 0)
            continue;
        if (kinds[i].open(conf->spec + len, conf, out, err) < 0)
            return -1;
        return set_name(out, name, err);
    }
    /* not the whole of it: somebody may have put a password there */
    return das_fail(err, DAS_E_USAGE,
                    "\"%.*s\" is not an instance; expected file:PATH, mem:PATH, "
                    "mysql://user@host:port/, das://REGION/PROJECT/INSTANCE "
                    "or a name from the configuration",
                    (int)strcspn(conf->spec, ":"), conf->spec);
}

int das_source_open_again(struct das_source *s, const struct das_source_conf *conf,
                          struct das_source **out, struct das_err *err)
{
    *out = NULL;
    if (!s->ops->again)
        return das_source_open(conf, out, err);
    if (s->ops->again(s, out, err) < 0)
        return -1;
    return set_name(out, s->name, err);
}

void das_source_close(struct das_source *s)
{
    if (!s)
        return;
    s->ops->close(s);
    das_free(s->name);
    das_free(s);
}

const char *das_source_name(const struct das_source *s)
{
    return s->name;
}

int das_source_list(struct das_source *s, const struct das_query *q, struct das_snapshot **out,
                    struct das_err *err)
{
    static const struct das_query all;
    int rc;

    *out = NULL;
    rc = s->ops->list(s, q ? q : &all, out, err);
    if (s->listener)
        s->listener->listed(s->listener->arg, s, *out, err);
    return rc;
}

void das_source_listen(struct das_source *s, const struct das_source_listener *l)
{
    s->listener = l;
}

void das_source_set_patience(struct das_source *s, const struct das_patience *p)
{
    s->patience = p ? *p : (struct das_patience){NULL, NULL};
}

bool das_source_finds_ids(const struct das_source *s)
{
    return !s->ops->blind_to_ids;
}

int64_t das_source_pace_ms(const struct das_source *s)
{
    return s->ops->pace_ms;
}

/* Why an order of that kind cannot be carried out here; NULL: it can. */
static const char *cannot(const struct das_source *s, enum das_kill_what what)
{
    const char *never = das_source_cannot_kill(s);

    if (never || what == DAS_KILL_SESSION || what == DAS_KILL_IDLE_SESSION)
        return never;
    return what == DAS_KILL_STATEMENT ? das_source_cannot_statement(s) : das_source_cannot_soft(s);
}

enum das_kill_result das_source_kill(struct das_source *s, const struct das_kill_order *order,
                                     struct das_err *err)
{
    const char *why = cannot(s, order->what);
    enum das_kill_result result = DAS_KILL_FAILED;

    if (why)
        das_fail(err, DAS_E_UNSUPPORTED, "%s", why);
    else
        result = s->ops->kill(s, order, err);
    if (s->listener)
        s->listener->killed(s->listener->arg, s, order, (int)result, err);
    return result;
}

const char *das_source_cannot_kill(const struct das_source *s)
{
    return s->ops->kill ? NULL : "a recorded list has no sessions to kill";
}

const char *das_source_cannot_soft(const struct das_source *s)
{
    if (!s->ops->kill)
        return das_source_cannot_kill(s);
    if (s->ops->cannot_statement)
        return s->ops->cannot_statement;
    return s->ops->cannot_soft ? s->ops->cannot_soft(s)
                               : "this kind of instance has no soft kill; kill = \"query\" or "
                                 "\"connection\" is possible";
}

const char *das_source_cannot_statement(const struct das_source *s)
{
    return s->ops->cannot_statement;
}

const char *das_source_kill_window(const struct das_source *s)
{
    return s->ops->kill_window;
}
