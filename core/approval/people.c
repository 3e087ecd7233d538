/* people.c - see people.h. */
#include "core/approval/people.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"

const char *const das_people_words[DAS_PEOPLE_WORDS + 1] = {
    "slack",      "feishu",    "lark",   "dingtalk", "wecom", "teams", "discord", "telegram",
    "mattermost", "pagerduty", "github", "email",    "os",    "key",   NULL,
};

void das_people_init(struct das_people *p)
{
    memset(p, 0, sizeof *p);
}

static void person_clear(struct das_person *x)
{
    das_free(x->name);
    for (size_t i = 0; i < x->role_count; i++)
        das_free(x->roles[i]);
    das_free(x->roles);
    for (size_t i = 0; i < x->id_count; i++)
        das_free(x->ids[i].id);
    das_free(x->ids);
}

void das_people_clear(struct das_people *p)
{
    for (size_t i = 0; i < p->count; i++)
        person_clear(&p->items[i]);
    das_free(p->items);
    das_people_init(p);
}

static bool is_name(const char *s)
{
    size_t n = strlen(s);

    return n > 0 && n < DAS_PERSON_NAME_SIZE &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == n;
}

struct das_person *das_people_add(struct das_people *p, const char *name, struct das_err *err)
{
    struct das_person *bigger, *x;

    if (!is_name(name)) {
        das_fail(err, DAS_E_CONFIG,
                 "people: \"%.80s\": expected a name of letters, digits, \"_\", \"-\" and \".\", at"
                 " most %d",
                 name, DAS_PERSON_NAME_SIZE - 1);
        return NULL;
    }
    if (das_people_find(p, name)) {
        das_fail(err, DAS_E_CONFIG, "people.%s: is there twice", name);
        return NULL;
    }
    bigger = das_grow(p->items, p->count + 1, sizeof *bigger);
    if (!bigger) {
        das_fail_nomem(err);
        return NULL;
    }
    p->items = bigger;
    x = &p->items[p->count];
    memset(x, 0, sizeof *x);
    x->name = das_strdup(name);
    if (!x->name) {
        das_fail_nomem(err);
        return NULL;
    }
    p->count++;
    return x;
}

int das_person_add_role(struct das_person *x, const char *role, struct das_err *err)
{
    char **bigger;

    if (!is_name(role))
        return das_fail(
            err, DAS_E_CONFIG,
            "people.%s.roles: \"%.80s\": expected letters, digits, \"_\", \"-\" and \".\"", x->name,
            role);
    if (das_person_has_role(x, role))
        return 0;
    bigger = das_grow(x->roles, x->role_count + 1, sizeof *bigger);
    if (!bigger)
        return das_fail_nomem(err);
    x->roles = bigger;
    x->roles[x->role_count] = das_strdup(role);
    if (!x->roles[x->role_count])
        return das_fail_nomem(err);
    x->role_count++;
    return 0;
}

int das_person_add_id(const struct das_people *p, struct das_person *x, const char *word,
                      const char *id, struct das_err *err)
{
    const struct das_person *other = das_people_by(p, word, id);
    struct das_person_id *bigger;

    if (!*id || strlen(id) > 200 || id[strcspn(id, "\r\n\t ")])
        return das_fail(err, DAS_E_CONFIG, "people.%s.%s: expected an id without blanks", x->name,
                        word);
    if (other)
        return das_fail(err, DAS_E_CONFIG,
                        "people.%s.%s: \"%.100s\" is %s already: one id is one person", x->name,
                        word, id, other->name);
    bigger = das_grow(x->ids, x->id_count + 1, sizeof *bigger);
    if (!bigger)
        return das_fail_nomem(err);
    x->ids = bigger;
    x->ids[x->id_count].word = word;
    x->ids[x->id_count].id = das_strdup(id);
    if (!x->ids[x->id_count].id)
        return das_fail_nomem(err);
    x->id_count++;
    return 0;
}

const struct das_person *das_people_find(const struct das_people *p, const char *name)
{
    for (size_t i = 0; p && name && i < p->count; i++) {
        if (strcmp(p->items[i].name, name) == 0)
            return &p->items[i];
    }
    return NULL;
}

const struct das_person *das_people_by(const struct das_people *p, const char *word, const char *id)
{
    for (size_t i = 0; p && id && i < p->count; i++) {
        for (size_t k = 0; k < p->items[i].id_count; k++) {
            const struct das_person_id *x = &p->items[i].ids[k];
            if (strcmp(x->word, word) == 0 && strcmp(x->id, id) == 0)
                return &p->items[i];
        }
    }
    return NULL;
}

const struct das_person *das_people_who(const struct das_people *p, const char *who)
{
    const struct das_person *x = das_people_by(p, "os", who);
    size_t len = who ? strcspn(who, " ") : 0;

    for (size_t i = 0; !x && p && i < p->count && len && strncmp(who + len, " (", 2) == 0; i++) {
        if (strlen(p->items[i].name) == len && memcmp(p->items[i].name, who, len) == 0)
            x = &p->items[i];
    }
    return x;
}

bool das_person_has_role(const struct das_person *x, const char *role)
{
    for (size_t i = 0; i < x->role_count; i++) {
        if (strcmp(x->roles[i], role) == 0)
            return true;
    }
    return false;
}

bool das_person_has_id(const struct das_person *x, const char *word)
{
    for (size_t i = 0; i < x->id_count; i++) {
        if (strcmp(x->ids[i].word, word) == 0)
            return true;
    }
    return false;
}

bool das_people_role(const struct das_people *p, const char *role)
{
    for (size_t i = 0; p && i < p->count; i++) {
        if (das_person_has_role(&p->items[i], role))
            return true;
    }
    return false;
}
