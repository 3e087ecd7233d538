/*
 * people.h - who is who: the people of the configuration, their roles, and what they are called
 * elsewhere.
 *
 * A person is known by the ids that a platform, the machine or das itself vouches for: a member id
 * of Slack, a user of this machine, an access key of das serve. Never by a name that they chose.
 */
#ifndef DAS_APPROVAL_PEOPLE_H
#define DAS_APPROVAL_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

#define DAS_PERSON_NAME_SIZE 65
#define DAS_PEOPLE_WORDS 14

/* Where ids come from, as das.lua has them: "slack", ..., "os" (a user of this machine), "key" (the
 * id of an access key or token of das serve). Ends with NULL. */
extern const char *const das_people_words[DAS_PEOPLE_WORDS + 1];

struct das_person {
    char *name;
    char **roles;
    size_t role_count;
    struct das_person_id {
        const char *word; /* of das_people_words */
        char *id;
    } * ids;
    size_t id_count;
};

struct das_people {
    struct das_person *items;
    size_t count;
};
void das_people_init(struct das_people *p);
void das_people_clear(struct das_people *p);

/* One more; NULL: no memory, a name that is there, or one that is not letters, digits, "_", "-" and
 * "." (DAS_E_CONFIG). Until the next is added. */
struct das_person *das_people_add(struct das_people *p, const char *name, struct das_err *err);
int das_person_add_role(struct das_person *x, const char *role, struct das_err *err);
/* DAS_E_CONFIG where somebody has that id already. x is one of p's. */
int das_person_add_id(const struct das_people *p, struct das_person *x, const char *word,
                      const char *id, struct das_err *err);

/* NULL: nobody. p may be NULL. */
const struct das_person *das_people_find(const struct das_people *p, const char *name);
const struct das_person *das_people_by(const struct das_people *p, const char *word,
                                       const char *id);
/* The person that was written down as who began something: a user of the machine, or a person whom
 * a hook vouched for, "alice (slack)". NULL: nobody. */
const struct das_person *das_people_who(const struct das_people *p, const char *who);
bool das_person_has_role(const struct das_person *x, const char *role);
bool das_person_has_id(const struct das_person *x, const char *word);
/* Has anybody this role? */
bool das_people_role(const struct das_people *p, const char *role);

#endif
