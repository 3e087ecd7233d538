/* runbook_impl.h - what the bindings of runbooks share. Stays in bindings/runbook.c and step.c. */
#ifndef DAS_BINDINGS_RUNBOOK_IMPL_H
#define DAS_BINDINGS_RUNBOOK_IMPL_H

#include "bindings/bind.h"

#define DAS_STEP_NAME_MAX 120 /* bytes */

/* Raises unless the script is a runbook: "WHAT: ...". */
struct das_runbook_go *das_need_runbook(lua_State *L, const char *what);
/* The run is over its timeout: it ends. Before anything that is new. */
void das_check_until(lua_State *L);
/* Ends the run with an error of the store, unless rc is 0 or more. */
int das_or_park(lua_State *L, int rc, const struct das_err *err);
/* No two steps of a run have the same name, nor does one begin inside another: raises. */
void das_take_step_name(lua_State *L, const char *what, const char *name);
/* The step of that name, from the store or new, becomes the run's current one. True: it was there.
 * Raises where it is one of another kind. */
bool das_find_step(lua_State *L, const char *what, const char *name, enum das_step_kind kind);
/* JSON as a value; null is nil [-0, +1]. */
void das_push_json(lua_State *L, const char *json);

/* Modules that were required before das.runbook{}: they are checked now. */
void das_check_modules(lua_State *L);

int das_lua_ask(lua_State *L); /* das.step.ask */

#endif
