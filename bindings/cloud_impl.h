/*
 * cloud_impl.h - what the files that offer Huawei Cloud to scripts share. Stays in
 * bindings/cloud*.c and instance.c.
 *
 *   cloud.c          methods of an instance that look
 *   cloud_act.c      methods that make the cloud end sessions
 *   cloud_account.c  das.cloud{...}
 *   cloud_pages.c    lists that come in pages: all of them, or one after the other
 *   cloud_args.c     tables of options
 *   cloud_push.c     what came, as Lua values
 *
 * A method reads: check all, what it is about, hold, call, push. What a call hands over is held by
 * the state before the call is made, so that an error leaks nothing.
 */
#ifndef DAS_BINDINGS_CLOUD_IMPL_H
#define DAS_BINDINGS_CLOUD_IMPL_H

#include "bindings/bind.h"
#include "core/cloud/api.h"

/* --- what a call is about --------------------------------------------------------------------- */

/* Borrowed from the inventory, which outlives the run. */
struct das_target {
    const char *name;          /* the instance's, or the account's; in messages */
    struct das_source *source; /* NULL: an account */
    struct das_cloud *cloud;
    struct das_cloud_place place;
};

/* The instance at arg. Raises unless the run may touch it. 0, or the number of results that say why
 * there is no such target: nil, message, code. */
int das_target_instance(lua_State *L, int arg, struct das_target *t);
/* instance.c: the position of the instance at arg, which the run may touch; and one as a value. */
size_t das_check_instance(lua_State *L, int arg);
void das_push_instance(lua_State *L, size_t position);

/* A call of this run. What was printed is seen before anybody is waited for. */
struct das_cloud_call das_cloud_call_of(lua_State *L);
/* What a method returns when its call failed: nil, message, code, details. Raises when the run is
 * over, or the script asked for what makes no sense. */
int das_cloud_failed(lua_State *L, const struct das_target *t, const struct das_cloud_call *call,
                     const struct das_err *err);

/* size bytes of zeros that the state owns; clear is called with them [-0, +1]. */
void *das_hold(lua_State *L, size_t size, void (*clear)(void *));
void *das_held(lua_State *L, int index);

/* --- values ----------------------------------------------------------------------------------- */

/* A struct as a table [-0, +1]: what is NULL, empty or not told is nil. */
void das_push_shape(lua_State *L, const struct das_shape *shape, const void *item);
void das_push_shapes(lua_State *L, const struct das_cloud_list *list); /* [-0, +1] an array */

/* --- options: of the table at t (or nil), for the method what. All raise. --------------------- */

#define DAS_WORD_SIZE 260

/* A text without NUL bytes, copied; NULL: it is not there, or empty. */
const char *das_opt_word(lua_State *L, int t, const char *what, const char *key,
                         char to[DAS_WORD_SIZE]);
/* The same, of any length, left on the stack [-0, +1]. */
const char *das_opt_text(lua_State *L, int t, const char *what, const char *key);
/* *to stays as it is when the option is not there. */
void das_opt_count(lua_State *L, int t, const char *what, const char *key, int64_t least,
                   int64_t most, int64_t *to);
/* Seconds, or text such as "500ms", as milliseconds. */
void das_opt_ms(lua_State *L, int t, const char *what, const char *key, int64_t *to);
/* The options from and to: Unix s or ms, "2h" before now, or "2026-11-24T03:17:05Z", as Unix ms.
 * Without them: the last 24 h. */
void das_opt_span(lua_State *L, int t, const char *what, int64_t *from_ms, int64_t *to_ms);

/* --- pages ------------------------------------------------------------------------------------ */

struct das_pages {
    struct das_target target;
    int (*fetch)(const struct das_pages *p, struct das_cloud_call *call,
                 struct das_cloud_answer *out, struct das_err *err);
    bool (*same)(const void *a, const void *b); /* one that moved on to the next page; or NULL */
    int64_t page;                               /* that was fetched last, from 1 on */
    int per_page;
    union {
        struct das_cloud_span span;
        struct das_cloud_page page;
        struct das_cloud_trx_filter trx;
        const char *datastore_type;
    } ask;
    char words[4][DAS_WORD_SIZE]; /* what ask points to */

    struct das_cloud_answer now, before;
    size_t at;    /* in now */
    int64_t rows; /* of all pages so far */
    bool ended;
};

/* Held, still to be filled [-0, +1]. */
struct das_pages *das_pages_hold(lua_State *L);
/* All of them as an array [-0, +1], or what a method returns on a failure. each is called with each
 * of their tables on top [-0, +0]; or NULL. Returns how many results. */
int das_pages_all(lua_State *L, struct das_pages *p,
                  void (*each)(lua_State *L, const struct das_pages *p, const void *item));
/* The pages on top as a function that gives one after the other [-1, +1]. The first page is fetched
 * here; a later one that cannot be had raises. Returns how many results. */
int das_pages_each(lua_State *L, struct das_pages *p);
/* What such a function's maker returns when it has failed with so many results, which are on top.
 */
int das_pages_failed(lua_State *L, int results);

/* --- methods ---------------------------------------------------------------------------------- */

/* For the methods table of an instance; and of functions that raise when the table at 1 has an
 * option that a method does not know or take, for das check. */
extern const luaL_Reg das_cloud_methods[], das_cloud_act_methods[];
extern const luaL_Reg das_cloud_option_checks[], das_cloud_act_option_checks[];
int das_cloud_account_options(lua_State *L); /* of das.cloud */
int das_cloud_type_options(lua_State *L);    /* of lists of instances and nodes */
/* { datastore_type = "MySQL" } */
void das_opt_type(lua_State *L, int t, const char *what, char to[DAS_WORD_SIZE]);

#endif
