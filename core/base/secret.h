/*
 * secret.h - where secrets come from, and the values that one run has seen.
 *
 * The places are configuration: names and where to look, never a value. A vault holds what a run
 * has read: in memory that is neither swapped nor dumped and is wiped at the end, and known to
 * das_vault_redact(), which takes the values out of a text before it is shown to anybody.
 */
#ifndef DAS_BASE_SECRET_H
#define DAS_BASE_SECRET_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/text.h"

/* --- places ------------------------------------------------------------------------------------ */

enum das_secret_from {
    DAS_SECRET_FILE,       /* where: a path; the secret is the first line */
    DAS_SECRET_ENV,        /* a variable; all of it */
    DAS_SECRET_CREDENTIAL, /* a systemd credential: $CREDENTIALS_DIRECTORY/where, the first line */
    DAS_SECRET_GIVEN,      /* where is the value itself: for tests, where it is none */
};

struct das_secret_place {
    char *name;
    char *where;
    enum das_secret_from from;
};

struct das_secrets {
    struct das_secret_place *places;
    size_t count;
};

void das_secrets_init(struct das_secrets *s);
void das_secrets_clear(struct das_secrets *s);
/* DAS_E_CONFIG for a name that is not letters, digits, "_", "-" and ".", for one that is there
 * already, for an empty where, for a credential with a "/" in it. */
int das_secrets_add(struct das_secrets *s, const char *name, enum das_secret_from from,
                    const char *where, struct das_err *err);
/* NULL and err (DAS_E_USAGE, with the nearest name) when there is none. s may be NULL. */
const struct das_secret_place *das_secrets_find(const struct das_secrets *s, const char *name,
                                                struct das_err *err);

/* --- values ------------------------------------------------------------------------------------- */

#define DAS_VAULT_MAX 256    /* values at the most */
#define DAS_REDACT_MIN 4     /* shorter values are not looked for: they are everywhere */

struct das_secret; /* one value; lives as long as its vault */

struct das_vault {
    struct das_secret *first;
    size_t count;
};

void das_vault_init(struct das_vault *v);
void das_vault_clear(struct das_vault *v);
/* Reads the secret from its place, once for each vault. NULL: DAS_E_CONFIG, naming place and
 * reason, never the value. */
const struct das_secret *das_vault_read(struct das_vault *v, const struct das_secret_place *place,
                                        struct das_err *err);
/* before, the value of s, after: as one more value. DAS_E_USAGE when the vault is full. */
const struct das_secret *das_vault_join(struct das_vault *v, struct das_text before,
                                        const struct das_secret *s, struct das_text after,
                                        struct das_err *err);
/* Base64 of "user:value", as the scheme Basic wants it, with "Basic " before it. */
const struct das_secret *das_vault_basic(struct das_vault *v, struct das_text user,
                                         const struct das_secret *s, struct das_err *err);
/* What its base64 stands for. DAS_E_CONFIG when it is none. */
const struct das_secret *das_vault_base64_decode(struct das_vault *v, const struct das_secret *s,
                                                 struct das_err *err);
struct das_text das_secret_value(const struct das_secret *s);

/* Writes text to b with "***" for each value. */
void das_vault_redact(const struct das_vault *v, struct das_text text, struct das_buf *b);
/* The same in place, also for a value whose end was cut off with the message's. */
void das_vault_redact_err(const struct das_vault *v, struct das_err *err);
/* The same for values that are in no vault; NULL ones are passed over. */
void das_redact(char *text, const struct das_text *values, size_t count);

/* --- the process --------------------------------------------------------------------------------- */

/* From now on the whole process makes none, and no other of the same user can look into it. */
void das_no_core_dumps(void);

#endif
