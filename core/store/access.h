/*
 * access.h - who may ask `das serve`: access keys and tokens, in the state database.
 *
 * The secret of an access key has to be known to verify a signature, so it is kept sealed
 * (AES-256-GCM) with a master key that is not in the database: the file serve.key in the state
 * directory, 0600, made when the first key is, or when das serve has hooks. Of a token only the
 * SHA-256 is kept. This room seals nothing itself.
 */
#ifndef DAS_STORE_ACCESS_H
#define DAS_STORE_ACCESS_H

#include "core/base/text.h"
#include "core/store/store.h"

#define DAS_ACCESS_ID_SIZE 24 /* "DAS" and 17 letters and digits, as an access key id looks */
#define DAS_ACCESS_NAME_SIZE 65
#define DAS_ACCESS_LIST_SIZE 1025

enum das_access_kind { DAS_ACCESS_KEY, DAS_ACCESS_TOKEN };

struct das_access {
    char id[DAS_ACCESS_ID_SIZE];
    enum das_access_kind kind;
    char name[DAS_ACCESS_NAME_SIZE];    /* whose it is, for people: "ci" */
    char actions[DAS_ACCESS_LIST_SIZE]; /* "das:clouddba:listProcess das:clouddba:*", blanks between
                                         */
    char instances[DAS_ACCESS_LIST_SIZE];       /* names, "tag:prod", "*" */
    int64_t created_ms, expires_ms, revoked_ms; /* Unix; 0: never */
    struct das_text secret;                     /* key: sealed; token: its SHA-256. Borrowed */
};

/* A record "access" (created, revoked; never a secret) goes to the journal in the same transaction,
 * with by as who did it. DAS_E_USAGE for an id that is there. */
int das_access_add(struct das_store *s, const struct das_access *a, const char *by,
                   struct das_err *err);
/* DAS_E_USAGE when there is none of that id, or it was revoked before. */
int das_access_revoke(struct das_store *s, const char *id, const char *by, struct das_err *err);
/* All, oldest first; anything but 0 ends the walk and is returned. */
typedef int das_access_fn(void *arg, const struct das_access *a);
int das_access_each(struct das_store *s, das_access_fn *fn, void *arg, struct das_err *err);

/* A number that changes when another handle has changed the database. */
int das_store_version(struct das_store *s, int64_t *out, struct das_err *err);

/* Notes a signature (any bytes) until until_ms; 1: it is new, 0: it was noted before, -1. Those
 * whose time is over at now_ms are forgotten. On the disk when it returns. */
int das_seen_note(struct das_store *s, struct das_text signature, int64_t until_ms, int64_t now_ms,
                  struct das_err *err);

#endif
