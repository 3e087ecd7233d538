/* inventory.c - see inventory.h. */
#include "core/source/inventory.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/mem.h"

struct entry {
    struct das_source_conf conf; /* owned strings */
    struct das_source *source;   /* NULL until used */
};

struct account {
    char *name; /* NULL: the one from the environment */
    struct das_cloud *cloud;
};

struct das_inventory {
    struct account *accounts;
    size_t account_count;
    struct entry *entries;
    size_t count;
    size_t *chosen; /* positions in entries */
    size_t chosen_count;
    const struct das_source_listener *listener; /* of what is opened from now on; or NULL */
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
    const char *owned[] = {c->name,         c->id,    c->spec,      c->password_file,
                           c->password_env, c->cloud, c->db_user_id};

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
    for (size_t i = 0; i < inv->account_count; i++) {
        das_cloud_release(inv->accounts[i].cloud);
        das_free(inv->accounts[i].name);
    }
    das_free(inv->accounts);
    das_free(inv->entries);
    das_free(inv->chosen);
    das_free(inv);
}

/* NULL of NULL. */
static int text_copy(const char **to, const char *from)
{
    *to = from ? das_strdup(from) : NULL;
    return *to || !from ? 0 : -1;
}

static int conf_copy(struct das_source_conf *to, const struct das_source_conf *from)
{
    memset(to, 0, sizeof *to);
    if (text_copy(&to->name, from->name ? from->name : from->spec) == 0 &&
        text_copy(&to->id, from->id) == 0 && text_copy(&to->spec, from->spec) == 0 &&
        text_copy(&to->password_file, from->password_file) == 0 &&
        text_copy(&to->password_env, from->password_env) == 0 &&
        text_copy(&to->cloud, from->cloud) == 0 &&
        text_copy(&to->db_user_id, from->db_user_id) == 0 && tags_copy(to, from) == 0)
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

int das_inventory_add_source(struct das_inventory *inv, const struct das_source_conf *conf,
                             struct das_source *source, struct das_err *err)
{
    if (das_inventory_add(inv, conf, err) < 0) {
        das_source_close(source);
        return -1;
    }
    inv->entries[inv->count - 1].source = source;
    return 0;
}

void das_inventory_listen(struct das_inventory *inv, const struct das_source_listener *l)
{
    inv->listener = l;
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
                    "file:PATH, mem:PATH, mysql://user@host:port/ or "
                    "das://REGION/PROJECT/INSTANCE",
                    (int)strcspn(name, ":"), name); /* what follows may hold a password */
}

int das_inventory_choose(struct das_inventory *inv, const char *text, struct das_err *err)
{
    struct das_source_conf conf = {.name = text, .spec = text};
    long at = position(inv, text);
    size_t *bigger;
    struct stat st;

    if (at < 0 && stat(text, &st) == 0 && S_ISREG(st.st_mode))
        return das_fail(err, DAS_E_USAGE, "\"%s\" is a file: say file:%s to look at it, mem:%s to try "
                        "kills on it", text, text, text);
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

const char *const *das_inventory_tags(const struct das_inventory *inv, size_t i, size_t *count)
{
    const struct das_source_conf *c = &entry_at(inv, i)->conf;

    *count = c->tag_count;
    return c->tags;
}

static bool has_tag(const struct das_inventory *inv, size_t i, const char *tag)
{
    size_t n;
    const char *const *tags = das_inventory_tags(inv, i, &n);

    for (size_t k = 0; k < n; k++) {
        if (strcmp(tags[k], tag) == 0)
            return true;
    }
    return false;
}

bool das_inventory_among(const struct das_inventory *inv, size_t i, const char *const *words,
                         size_t count)
{
    for (size_t k = 0; k < count; k++) {
        const char *word = words[k];
        bool tag = strncmp(word, "tag:", 4) == 0;
        if (strcmp(word, "*") == 0 || (tag ? has_tag(inv, i, word + 4)
                                           : strcmp(word, das_inventory_name(inv, i)) == 0))
            return true;
    }
    return false;
}

bool das_inventory_tagged(const struct das_inventory *inv, const char *tag)
{
    for (size_t i = 0; i < das_inventory_count(inv); i++) {
        if (has_tag(inv, i, tag))
            return true;
    }
    return false;
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

    if (e->source)
        return e->source;
    if (das_source_needs_cloud(e->conf.spec)) {
        e->conf.account = das_inventory_cloud(inv, e->conf.cloud, err);
        if (!e->conf.account)
            return NULL;
    }
    if (das_source_open(&e->conf, &e->source, err) < 0)
        return NULL;
    das_source_listen(e->source, inv->listener);
    return e->source;
}

int das_inventory_open_again(struct das_inventory *inv, size_t i, struct das_source **out,
                             struct das_err *err)
{
    const struct entry *e = entry_at(inv, i);

    *out = NULL;
    if (!e->source)
        return das_fail(err, DAS_E_INTERNAL, "instance \"%s\" is not open yet", e->conf.name);
    return das_source_open_again(e->source, &e->conf, out, err);
}

const char *das_inventory_id(const struct das_inventory *inv, size_t i)
{
    return entry_at(inv, i)->conf.id;
}

const char *das_inventory_spec(const struct das_inventory *inv, size_t i)
{
    return entry_at(inv, i)->conf.spec;
}

bool das_inventory_chosen(const struct das_inventory *inv)
{
    return inv->chosen_count > 0;
}

/* --- accounts ------------------------------------------------------------------------------------ */

#define DEFAULT_ACCOUNT "default"

static bool same_name(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct das_cloud *account(const struct das_inventory *inv, const char *name)
{
    for (size_t i = 0; i < inv->account_count; i++) {
        if (same_name(inv->accounts[i].name, name))
            return inv->accounts[i].cloud;
    }
    return NULL;
}

static int add_account(struct das_inventory *inv, const char *name, const struct das_cloud_conf *conf,
                       struct das_err *err)
{
    struct account *bigger = das_grow(inv->accounts, inv->account_count + 1, sizeof *bigger), *a;

    if (!bigger)
        return das_fail_nomem(err);
    inv->accounts = bigger;
    a = &bigger[inv->account_count];
    *a = (struct account){.cloud = das_cloud_new(conf, err)};
    if (!a->cloud)
        return -1;
    if (name && !(a->name = das_strdup(name))) {
        das_cloud_release(a->cloud);
        return das_fail_nomem(err);
    }
    inv->account_count++;
    return 0;
}

int das_inventory_add_cloud(struct das_inventory *inv, const struct das_cloud_conf *conf,
                            struct das_err *err)
{
    if (account(inv, conf->name))
        return das_fail(err, DAS_E_CONFIG, "cloud \"%s\" is there twice", conf->name);
    return add_account(inv, conf->name, conf, err);
}

static int unknown_account(const struct das_inventory *inv, const char *name, struct das_err *err)
{
    const char *near = NULL, **names = das_grow(NULL, inv->account_count, sizeof *names);
    size_t n = 0;

    if (names) {
        for (size_t i = 0; i < inv->account_count; i++) {
            if (inv->accounts[i].name)
                names[n++] = inv->accounts[i].name;
        }
        near = das_nearest(name, names, n);
        das_free(names);
    }
    if (near)
        return das_fail(err, DAS_E_CONFIG, "no cloud \"%s\"; did you mean \"%s\"?", name, near);
    return das_fail(err, DAS_E_CONFIG, "no cloud \"%s\" in the configuration (clouds)", name);
}

struct das_cloud *das_inventory_cloud(struct das_inventory *inv, const char *name,
                                      struct das_err *err)
{
    struct das_cloud *found = account(inv, name ? name : DEFAULT_ACCOUNT);
    struct das_cloud_conf conf = das_cloud_conf_default;

    if (!found && name) {
        unknown_account(inv, name, err);
        return NULL;
    }
    if (!found)
        found = account(inv, NULL);
    if (!found && add_account(inv, NULL, &conf, err) == 0)
        found = account(inv, NULL);
    return found;
}

/* --- what an account has found --------------------------------------------------------------------- */

static bool address_of(const struct entry *e, struct das_cloud_address *out)
{
    const char *spec = e->conf.spec;
    struct das_err ignored;

    return das_source_needs_cloud(spec) &&
           das_cloud_address_parse(strchr(spec, ':') + 1, out, &ignored) == 0;
}

bool das_inventory_address(const struct das_inventory *inv, size_t i, struct das_cloud_address *out)
{
    return address_of(entry_at(inv, i), out);
}

/* An instance's id is its own all over the cloud, whichever account sees it. */
static bool is_at(const struct entry *e, const struct das_cloud_place *place)
{
    struct das_cloud_address a;

    return strstr(e->conf.spec, place->instance) && address_of(e, &a) &&
           strcmp(a.instance, place->instance) == 0 && strcmp(a.region, place->region) == 0;
}

int das_inventory_add_place(struct das_inventory *inv, const char *cloud,
                            const struct das_cloud_place *place, struct das_err *err)
{
    struct das_source_conf conf = {.cloud = cloud};
    struct das_cloud_address checked;
    char spec[256];

    for (size_t i = 0; i < inv->count; i++) {
        if (is_at(&inv->entries[i], place))
            return (int)i;
    }
    snprintf(spec, sizeof spec, "das://%s/%s/%s", place->region, place->project, place->instance);
    conf.name = conf.spec = spec;
    if (das_cloud_address_parse(spec + 4, &checked, err) < 0 ||
        das_inventory_add(inv, &conf, err) < 0)
        return -1;
    return (int)inv->count - 1;
}

/* --- some instances by themselves ------------------------------------------------------------------------ */

static int share_accounts(struct das_inventory *to, const struct das_inventory *from,
                          struct das_err *err)
{
    to->accounts = das_calloc(from->account_count, sizeof *to->accounts);
    if (!to->accounts && from->account_count)
        return das_fail_nomem(err);
    for (; to->account_count < from->account_count; to->account_count++) {
        const struct account *a = &from->accounts[to->account_count];
        char *name = a->name ? das_strdup(a->name) : NULL;
        if (a->name && !name)
            return das_fail_nomem(err);
        to->accounts[to->account_count] = (struct account){name, das_cloud_retain(a->cloud)};
    }
    return 0;
}

static int add_again(struct das_inventory *out, struct das_inventory *inv, size_t i,
                     struct das_err *err)
{
    struct das_source *source;

    if (das_inventory_open_again(inv, i, &source, err) < 0)
        return -1;
    return das_inventory_add_source(out, &entry_at(inv, i)->conf, source, err);
}

struct das_inventory *das_inventory_pick(struct das_inventory *inv,
                                         bool (*wants)(void *arg, struct das_inventory *inv,
                                                       size_t i),
                                         void *arg, struct das_err *err)
{
    struct das_inventory *out = das_inventory_new(err);
    int rc;

    if (!out)
        return NULL;
    rc = share_accounts(out, inv, err);
    for (size_t i = 0; rc == 0 && i < das_inventory_count(inv); i++) {
        if (!wants || wants(arg, inv, i))
            rc = add_again(out, inv, i, err);
    }
    if (rc < 0) {
        das_inventory_free(out);
        return NULL;
    }
    return out;
}

struct split {
    size_t i;
};

static bool is_it(void *arg, struct das_inventory *inv, size_t i)
{
    (void)inv;
    return ((const struct split *)arg)->i == i;
}

struct das_inventory *das_inventory_split(struct das_inventory *inv, size_t i, struct das_err *err)
{
    struct split one = {i};

    return das_inventory_pick(inv, is_it, &one, err);
}
