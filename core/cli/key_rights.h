/* key_rights.h - what a key may and where, as it is typed and as it is kept (store/access.h). */
#ifndef DAS_CLI_KEY_RIGHTS_H
#define DAS_CLI_KEY_RIGHTS_H

#include "core/base/buf.h"
#include "core/source/inventory.h"
#include "core/store/access.h"

/* "read,deleteProcess" into a->actions. DAS_E_USAGE naming --actions. */
int das_rights_actions(const char *text, struct das_access *a, struct das_err *err);
/* Does a->actions allow anything that kills or changes? */
bool das_rights_write(const struct das_access *a);
/* "orders,tag:prod" into a->instances. DAS_E_USAGE naming --instances. An instance that inv (may be
 * NULL) does not have is remarked on standard error. */
int das_rights_instances(const char *text, const char *command, const struct das_inventory *inv,
                         struct das_access *a, struct das_err *err);
/* A list of actions for a table, as it can be typed: "read,stopKillTask". */
void das_rights_show(const char *list, struct das_buf *b);

#endif
