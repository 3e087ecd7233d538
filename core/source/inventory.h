/*
 * inventory.h - the instances that a run may touch: by name, opened when first used, kept open.
 *
 * Filled from the configuration and from -i before a run; scripts can only name what is in it.
 */
#ifndef DAS_SOURCE_INVENTORY_H
#define DAS_SOURCE_INVENTORY_H

#include "core/cloud/cloud.h"
#include "core/source/source.h"

struct das_inventory;

struct das_inventory *das_inventory_new(struct das_err *err);
void das_inventory_free(struct das_inventory *inv); /* closes all; NULL is fine */

/* Copies conf. A name that is already there is refused (DAS_E_CONFIG). */
int das_inventory_add(struct das_inventory *inv, const struct das_source_conf *conf,
                      struct das_err *err);

/* Accounts at Huawei Cloud, by name. A name that is there already is refused (DAS_E_CONFIG). */
int das_inventory_add_cloud(struct das_inventory *inv, const struct das_cloud_conf *conf,
                            struct das_err *err);
/* The account of that name; NULL: the one named "default", else one from the SDK's environment
 * variables, which is made when first asked for. It belongs to the inventory. NULL and err
 * (DAS_E_CONFIG, with a suggestion) when there is none. */
struct das_cloud *das_inventory_cloud(struct das_inventory *inv, const char *name,
                                      struct das_err *err);

/* Chooses by name or, when text is a spec, adds it. Chosen instances are what a run works on; with
 * none chosen it may use all of them. */
int das_inventory_choose(struct das_inventory *inv, const char *text, struct das_err *err);

/* Has anybody chosen, so that the others are out of reach? */
bool das_inventory_chosen(const struct das_inventory *inv);

/* The instances of the run, in order. */
size_t das_inventory_count(const struct das_inventory *inv);
const char *const *das_inventory_tags(const struct das_inventory *inv, size_t i, size_t *count);
/* Is the instance at position i among words: names, "tag:TAG", "*"? */
bool das_inventory_among(const struct das_inventory *inv, size_t i, const char *const *words,
                         size_t count);
/* Has any instance that tag? */
bool das_inventory_tagged(const struct das_inventory *inv, const char *tag);
const char *das_inventory_name(const struct das_inventory *inv, size_t i);

/* Where the instance at position i is at Huawei Cloud; false: it is not there. Opens nothing. */
bool das_inventory_address(const struct das_inventory *inv, size_t i,
                           struct das_cloud_address *out);
/* Position of the instance at place; unless it is there, under whatever name, it is added as
 * "das://REGION/PROJECT/INSTANCE" behind the account of that name (as in das_inventory_cloud()). -1.
 * For an inventory from which nobody has chosen. */
int das_inventory_add_place(struct das_inventory *inv, const char *cloud,
                            const struct das_cloud_place *place, struct das_err *err);

/* An instance whose source is there already (conf->spec says where from, for people); inv takes it
 * over, also when it fails. */
int das_inventory_add_source(struct das_inventory *inv, const struct das_source_conf *conf,
                             struct das_source *source, struct das_err *err);
/* From here on l hears of what sources show and do that are opened by das_inventory_open(). */
void das_inventory_listen(struct das_inventory *inv, const struct das_source_listener *l);

/* Position of a name, or -1 and a suggestion in err. */
int das_inventory_find(const struct das_inventory *inv, const char *name, struct das_err *err);

/* The opened source at position i; owned by the inventory. NULL and err when it cannot be. */
struct das_source *das_inventory_open(struct das_inventory *inv, size_t i, struct das_err *err);

/* One more handle on it, the caller's own, for another thread. After das_inventory_open(). */
int das_inventory_open_again(struct das_inventory *inv, size_t i, struct das_source **out,
                             struct das_err *err);
/* An inventory of that instance alone, through a handle of its own, that shares the accounts: for a
 * thread of its own. After das_inventory_open(). The caller's; NULL and err. */
struct das_inventory *das_inventory_split(struct das_inventory *inv, size_t i,
                                          struct das_err *err);
/* The same of all that wants says yes to; NULL: of all. */
struct das_inventory *das_inventory_pick(struct das_inventory *inv,
                                         bool (*wants)(void *arg, struct das_inventory *inv,
                                                       size_t i),
                                         void *arg, struct das_err *err);
/* The id for das serve as configured, or NULL. */
const char *das_inventory_id(const struct das_inventory *inv, size_t i);
const char *das_inventory_spec(const struct das_inventory *inv, size_t i);

#endif
