/* inventory.c - see inventory.h. */
#include "core/source/inventory.h"

#include <string.h>

#include "core/base/mem.h"

struct entry {
    struct das_source_conf conf; /* owned strings */
    struct das_source *source;   /* NULL until used */
};

struct das_inventory {
    struct entry *entries;
    size_t count;
    size_t *chosen; /* positions in entries */
    size_t chosen_count;
};

struct das_inventory *das_inventory_new(struct das_err *err)
{
    struct das_inventory *inv = das_calloc(1, sizeof *inv);

    if (!inv)
        das_fail_nomem(err);
    return inv;
}

static void conf_clear(struct das_source_conf *c)
{
    const char *owned[] = {c->name, c->spec, c->password_file, c->password_env};

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        das_free((void *)(uintptr_t)owned[i]);
    for (size_t i = 0; c->tags && i < c->tag_count; i++)
        das_free((void *)(uintptr_t)c->tags[i]);
    das_free((void *)(uintptr_t)c->tags);
}

static int tags_copy(struct das_source_conf *to, const struct das_source_conf *from)
{
    const char **tags = das_calloc(from->tag_count, sizeof *tags);

    if (!tags)
        return -1;
    to->tags = tags;
    for (; to->tag_count < from->tag_count; to->tag_count++) {
        tags[to->tag_count] = das_strdup(from->tags[to->tag_count]);
        if (!tags[to->tag_count])
            return -1;
    }
    return 0;
}

void das_inventory_free(struct das_inventory *inv)
{
    if (!inv)
        return;
    for (size_t i = 0; i < inv->count; i++) {
        das_source_close(inv->entries[i].source);
        conf_clear(&inv->entries[i].conf);
    }
    das_free(inv->entries);
    das_free(inv->chosen);
    das_free(inv);
}

static int conf_copy(struct das_source_conf *to, const struct das_source_conf *from)
{
    memset(to, 0, sizeof *to);
    to->name = das_strdup(from->name ? from->name : from->spec);
    to->spec = das_strdup(from->spec);
    to->password_file = from->password_file ? das_strdup(from->password_file) : NULL;
    to->password_env = from->password_env ? das_strdup(from->password_env) : NULL;
    if (to->name && to->spec && (to->password_file || !from->password_file) &&
        (to->password_env || !from->password_env) && tags_copy(to, from) == 0)
        return 0;
    conf_clear(to);
    return -1;
}

static long position(const struct das_inventory *inv, const char *name)
{
    for (size_t i = 0; i < inv->count; i++) {
        if (strcmp(inv->entries[i].conf.name, name) == 0)
            return (long)i;
    }
    return -1;
}

int das_inventory_add(struct das_inventory *inv, const struct das_source_conf *conf,
                      struct das_err *err)
{
    struct entry *bigger;

    if (position(inv, conf->name ? conf->name : conf->spec) >= 0)
        return das_fail(err, DAS_E_CONFIG, "instance \"%s\" is there twice",
                        conf->name ? conf->name : conf->spec);
    bigger = das_grow(inv->entries, inv->count + 1, sizeof *bigger);
    if (!bigger)
        return das_fail_nomem(err);
    inv->entries = bigger;
    if (conf_copy(&bigger[inv->count].conf, conf) < 0)
        return das_fail_nomem(err);
    bigger[inv->count++].source = NULL;
    return 0;
}

static int unknown_name(const struct das_inventory *inv, const char *name, struct das_err *err)
{
    const char *near = NULL, **names = das_grow(NULL, inv->count, sizeof *names);

    if (names) {
        for (size_t i = 0; i < inv->count; i++)
            names[i] = inv->entries[i].conf.name;
        near = das_nearest(name, names, inv->count);
        das_free(names);
    }
    if (near)
        return das_fail(err, DAS_E_USAGE, "no instance \"%s\"; did you mean \"%s\"?", name, near);
    return das_fail(err, DAS_E_USAGE,
                    "no instance \"%.*s\" in the configuration; expected one of its names, "
                    "file:PATH, mem:PATH or mysql://user@host:port/",
                    (int)strcspn(name, ":"), name); /* what follows may hold a password */
}

int das_inventory_choose(struct das_inventory *inv, const char *text, struct das_err *err)
{
    struct das_source_conf conf = {.name = text, .spec = text};
    long at = position(inv, text);
    size_t *bigger;

    if (at < 0 && !das_source_is_spec(text))
        return unknown_name(inv, text, err);
    if (at < 0) {
        if (das_inventory_add(inv, &conf, err) < 0)
            return -1;
        at = (long)inv->count - 1;
    }
    for (size_t i = 0; i < inv->chosen_count; i++) {
        if (inv->chosen[i] == (size_t)at)
            return das_fail(err, DAS_E_USAGE, "instance \"%s\" is chosen twice", text);
    }
    bigger = das_grow(inv->chosen, inv->chosen_count + 1, sizeof *bigger);
    if (!bigger)
        return das_fail_nomem(err);
    inv->chosen = bigger;
    inv->chosen[inv->chosen_count++] = (size_t)at;
    return 0;
}

static struct entry *entry_at(const struct das_inventory *inv, size_t i)
{
    return &inv->entries[inv->chosen_count ? inv->chosen[i] : i];
}

size_t das_inventory_count(const struct das_inventory *inv)
{
    return inv->chosen_count ? inv->chosen_count : inv->count;
}

const char *das_inventory_name(const struct das_inventory *inv, size_t i)
{
    return entry_at(inv, i)->conf.name;
}

const char *das_inventory_tag(const struct das_inventory *inv, size_t i, size_t n)
{
    const struct das_source_conf *c = &entry_at(inv, i)->conf;

    return n < c->tag_count ? c->tags[n] : NULL;
}

int das_inventory_find(const struct das_inventory *inv, const char *name, struct das_err *err)
{
    for (size_t i = 0; i < das_inventory_count(inv); i++) {
        if (strcmp(entry_at(inv, i)->conf.name, name) == 0)
            return (int)i;
    }
    if (position(inv, name) >= 0)
        return das_fail(err, DAS_E_DENIED, "instance \"%s\" is not among those chosen with -i",
                        name);
    return unknown_name(inv, name, err);
}

struct das_source *das_inventory_open(struct das_inventory *inv, size_t i, struct das_err *err)
{
    struct entry *e = entry_at(inv, i);

    if (!e->source && das_source_open(&e->conf, &e->source, err) < 0)
        return NULL;
    return e->source;
}
