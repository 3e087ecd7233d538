/*
 * fleet.h - the instances that are served: their ids, one shared list each, and one place at which
 * kills are made.
 *
 * Looking and killing go over two handles, so that a kill that waits for its outcome keeps no
 * preview waiting. At most one list for previews is in flight for each instance, whoever asks
 * meanwhile shares it, and one that failed is not asked for again at once: its error is shared,
 * too. An apply never uses a shared list: it has the handle and looks itself.
 */
#ifndef DAS_SERVE_FLEET_H
#define DAS_SERVE_FLEET_H

#include "core/serve/written.h"
#include "core/source/inventory.h"

struct das_fleet;
struct das_member; /* one instance; lives as long as its fleet */

struct das_fleet_conf {
    int64_t share_ms; /* so old may a list be that a preview is made from */
};

/* All instances of the inventory, which stays the caller's and outlives the fleet. Opens them all,
 * which touches no network. DAS_E_CONFIG: two with one id. */
int das_fleet_new(struct das_inventory *inv, const struct das_fleet_conf *conf,
                  struct das_fleet **out, struct das_err *err);
void das_fleet_free(struct das_fleet *f); /* when nobody looks or acts any more; NULL is fine */

size_t das_fleet_count(const struct das_fleet *f);
struct das_member *das_fleet_at(const struct das_fleet *f, size_t i);
/* By id, of 32 or 36 characters: the first 32 decide, and what follows ("in01") where both have it.
 * NULL. */
struct das_member *das_fleet_find(const struct das_fleet *f, struct das_text id);
struct das_member *das_fleet_named(const struct das_fleet *f, const char *name); /* or NULL */

const char *das_member_name(const struct das_member *m);
const char *das_member_id(const struct das_member *m);   /* 36 characters */
const char *das_member_node(const struct das_member *m); /* id of its one node: 32 and "no01" */
const char *
das_member_db_user(const struct das_member *m); /* UUID: id of the one database user there is */
const char *const *das_member_tags(const struct das_member *m, size_t *count);
const char *das_member_kind(const struct das_member *m);   /* "file", "mem", "mysql", "das" */
struct das_source *das_member_source(const struct das_member *m); /* only to ask what it can do */

struct das_seen_list {
    struct das_snapshot *snap;
    struct das_written *written; /* its sessions as JSON */
    int64_t taken_s;           /* Unix: when, as the source tells, else when it was asked */
    bool shared;               /* it was made for somebody else */
};
void das_seen_list_clear(struct das_seen_list *l); /* {0} is fine */
/* All sessions, for previews. A list that is in flight or young enough is shared. until_ms:
 * monotonic, how long to wait (DAS_E_TIMEOUT). out is emptied on failure. */
int das_member_look(struct das_member *m, int64_t until_ms, struct das_seen_list *out,
                    struct das_err *err);

/* The one place for kills on this instance: waits for its turn until until_ms (monotonic).
 * DAS_E_TIMEOUT. The source is the caller's until das_member_leave(). */
int das_member_enter(struct das_member *m, int64_t until_ms, struct das_source **out,
                     struct das_err *err);
void das_member_leave(struct das_member *m);

/* How it went lately, for /readyz. */
struct das_member_health {
    bool asked;             /* it was listed at least once */
    bool good;              /* the last list came */
    int64_t age_ms;         /* of the last good list; -1: none yet */
    char why[300];          /* what was wrong */
    uint64_t lists, shared; /* begun; looks that needed none of their own */
};
void das_member_health(struct das_member *m, struct das_member_health *out);

#endif
