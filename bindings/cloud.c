/*
 * cloud.c - what only an instance behind Huawei Cloud DAS has, for scripts that look: kill tasks,
 * their switch and history, process lists, locks, transactions, nodes, users.
 *
 * Ends nothing: that is in cloud_act.c. Needs the grant "preview".
 */
#include "bindings/cloud_impl.h"

#include <stdio.h>
#include <string.h>

#include "core/source/das_cloud.h"

#define PAGE 100 /* the most that the API gives at a time */

/* --- what it is about ------------------------------------------------------------------------- */

static int no_cloud(lua_State *L, const char *name)
{
    struct das_err err;

    das_fail(&err, DAS_E_UNSUPPORTED, "%s is not behind Huawei Cloud DAS", name);
    return das_push_world_failure(L, &err);
}

int das_target_instance(lua_State *L, int arg, struct das_target *t)
{
    struct das_inventory *inv = das_run_of(L)->opts->inventory;
    size_t position = das_check_instance(L, arg);
    struct das_cloud_address unused;
    struct das_err err;

    *t = (struct das_target){.name = das_inventory_name(inv, position)};
    if (!das_inventory_address(inv, position, &unused))
        return no_cloud(L, t->name);
    t->source = das_inventory_open(inv, position, &err);
    if (!t->source)
        return das_push_world_failure(L, &err);
    return das_source_cloud(t->source, &t->cloud, &t->place) ? 0 : no_cloud(L, t->name);
}

static int looked_at(lua_State *L, struct das_target *t)
{
    das_need(L, "preview");
    return das_target_instance(L, 1, t);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void clear_answer(void *held)
{
    das_cloud_answer_clear(held);
}

static struct das_cloud_answer *hold_answer(lua_State *L)
{
    return das_hold(L, sizeof(struct das_cloud_answer), clear_answer);
}

/* What a method returns whose call has filled a. */
static int finish_list(lua_State *L, int rc, const struct das_target *t,
                       const struct das_cloud_call *call, const struct das_cloud_answer *a,
                       const struct das_err *err)
{
    if (rc < 0)
        return das_cloud_failed(L, t, call, err);
    das_run_check(L);
    das_push_shapes(L, &a->list);
    return 1;
}

/* --- kill tasks ------------------------------------------------------------------------------- */

/* instance:kill_tasks() */
static int kill_tasks(lua_State *L)
{
    struct das_cloud_answer *a;
    struct das_cloud_call call;
    struct das_target t;
    struct das_err err;
    int rc = looked_at(L, &t);

    if (rc)
        return rc;
    a = hold_answer(L);
    call = das_cloud_call_of(L);
    rc = das_cloud_tasks(t.cloud, &t.place, &call, a, &err);
    return finish_list(L, rc, &t, &call, a, &err);
}

/* instance:kill_task_switch() */
static int kill_task_switch(lua_State *L)
{
    enum das_cloud_switch now;
    struct das_cloud_call call;
    struct das_target t;
    struct das_err err;
    int rc = looked_at(L, &t);

    if (rc)
        return rc;
    call = das_cloud_call_of(L);
    if (das_cloud_switch_get(t.cloud, &t.place, &call, &now, &err) < 0)
        return das_cloud_failed(L, &t, &call, &err);
    das_run_check(L);
    lua_pushstring(L, das_cloud_switch_name(now));
    return 1;
}

/* --- history ---------------------------------------------------------------------------------- */

static int fetch_history(const struct das_pages *p, struct das_cloud_call *call,
                         struct das_cloud_answer *out, struct das_err *err)
{
    return das_cloud_history(p->target.cloud, &p->target.place, &p->ask.span, (int)p->page, call,
                             out, err);
}

static bool same_text(struct das_text a, struct das_text b)
{
    return a.len == b.len && (!a.len || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool same_killed(const void *one, const void *other)
{
    const struct das_cloud_killed *a = one, *b = other;

    return a->session_id == b->session_id && a->task_id == b->task_id &&
           a->kill_time == b->kill_time && same_text(a->node_id, b->node_id);
}

static void read_history(lua_State *L, int t, struct das_pages *p)
{
    static const char *const allowed[] = {"from", "to", "node_id"};
    static const char *const what = "kill_history";
    struct das_cloud_span *span = &p->ask.span;

    das_check_options(L, t, what, allowed, sizeof allowed / sizeof *allowed);
    das_opt_span(L, t, what, &span->from_ms, &span->to_ms);
    span->node_id = das_opt_word(L, t, what, "node_id", p->words[0]);
}

static int history_options(lua_State *L)
{
    struct das_pages p;

    read_history(L, 1, &p);
    return 0;
}

/* instance:kill_history{ from = "2h" }: a function that gives one killed session after the other */
static int kill_history(lua_State *L)
{
    struct das_pages *p;
    int rc;

    lua_settop(L, 2);
    p = das_pages_hold(L);
    read_history(L, 2, p);
    rc = looked_at(L, &p->target);
    p->fetch = fetch_history;
    p->same = same_killed;
    p->per_page = DAS_CLOUD_HISTORY_PAGE;
    return rc ? das_pages_failed(L, rc) : das_pages_each(L, p);
}

/* --- process lists ---------------------------------------------------------------------------- */

static int fetch_processes(const struct das_pages *p, struct das_cloud_call *call,
                           struct das_cloud_answer *out, struct das_err *err)
{
    struct das_cloud_page page = p->ask.page;

    page.offset += (p->page - 1) * page.limit;
    return das_cloud_processes(p->target.cloud, &p->target.place, &page, call, out, err);
}

static bool same_process(const void *a, const void *b)
{
    return ((const struct das_cloud_process *)a)->id == ((const struct das_cloud_process *)b)->id;
}

#define WHOSE "user", "db", "node_id"

static void read_whose(lua_State *L, int t, const char *what, struct das_pages *p)
{
    struct das_cloud_page *page = &p->ask.page;

    page->user = das_opt_word(L, t, what, "user", p->words[0]);
    page->db = das_opt_word(L, t, what, "db", p->words[1]);
    page->node_id = das_opt_word(L, t, what, "node_id", p->words[2]);
    page->limit = PAGE;
}

static void read_page(lua_State *L, int t, struct das_pages *p)
{
    static const char *const allowed[] = {WHOSE, "limit", "offset"};
    static const char *const what = "processes";
    struct das_cloud_page *page = &p->ask.page;
    int64_t limit = PAGE;

    das_check_options(L, t, what, allowed, sizeof allowed / sizeof *allowed);
    read_whose(L, t, what, p);
    page->offset = 0;
    das_opt_count(L, t, what, "limit", 1, PAGE, &limit);
    das_opt_count(L, t, what, "offset", 0, INT32_MAX, &page->offset);
    page->limit = (int)limit;
}

static int page_options(lua_State *L)
{
    struct das_pages p;

    read_page(L, 1, &p);
    return 0;
}

static void read_each(lua_State *L, int t, struct das_pages *p)
{
    static const char *const allowed[] = {WHOSE};

    das_check_options(L, t, "each_process", allowed, sizeof allowed / sizeof *allowed);
    read_whose(L, t, "each_process", p);
}

static int each_options(lua_State *L)
{
    struct das_pages p;

    read_each(L, 1, &p);
    return 0;
}

/* Through a registered user the list tells transactions, too; but only of one user or database. */
static void set_db_user(struct das_pages *p)
{
    if (p->ask.page.user || p->ask.page.db)
        p->ask.page.db_user_id = das_source_cloud_db_user(p->target.source);
}

/* instance:processes{ user = "app", limit = 100, offset = 0 }: one page */
static int processes(lua_State *L)
{
    struct das_cloud_call call;
    struct das_pages *p;
    struct das_err err;
    int rc;

    lua_settop(L, 2);
    p = das_pages_hold(L);
    read_page(L, 2, p);
    if (p->ask.page.offset % p->ask.page.limit != 0)
        return das_raise(L, "processes: offset: expected a multiple of the limit %d, got %d",
                         p->ask.page.limit, (int)p->ask.page.offset);
    rc = looked_at(L, &p->target);
    if (rc)
        return rc;
    set_db_user(p);
    call = das_cloud_call_of(L);
    p->page = 1;
    rc = finish_list(L, fetch_processes(p, &call, &p->now, &err), &p->target, &call, &p->now, &err);
    if (rc != 1)
        return rc;
    das_push_number(L, p->now.total == DAS_CLOUD_NOT_TOLD ? DAS_UNKNOWN : p->now.total);
    lua_setfield(L, -2, "total");
    lua_pushliteral(L,
                    "each page is a list of its own moment: what ends or begins between two pages "
                    "may be missing or there twice; a preview decides who is killed");
    lua_setfield(L, -2, "consistency");
    return 1;
}

/* instance:each_process{ user = "app" } */
static int each_process(lua_State *L)
{
    struct das_pages *p;
    int rc;

    lua_settop(L, 2);
    p = das_pages_hold(L);
    read_each(L, 2, p);
    rc = looked_at(L, &p->target);
    if (rc)
        return das_pages_failed(L, rc);
    set_db_user(p);
    p->fetch = fetch_processes;
    p->same = same_process;
    p->per_page = PAGE;
    return das_pages_each(L, p);
}

/* --- locks and transactions ------------------------------------------------------------------- */

static const char *db_user(lua_State *L, int t, const char *what, const struct das_target *target,
                           char to[DAS_WORD_SIZE])
{
    const char *given = das_opt_word(L, t, what, "db_user_id", to);

    return given || !target->source ? given : das_source_cloud_db_user(target->source);
}

static void clear_innodb(void *held)
{
    das_cloud_innodb_clear(held);
}

static int innodb_options(lua_State *L)
{
    static const char *const allowed[] = {"db_user_id"};
    const struct das_target nobody = {.source = NULL};
    char word[DAS_WORD_SIZE];

    das_check_options(L, 1, "innodb_locks", allowed, 1);
    db_user(L, 1, "innodb_locks", &nobody, word);
    return 0;
}

/* instance:innodb_locks{ db_user_id = ... } -> { transactions = {...}, waits = {...} } */
static int innodb_locks(lua_State *L)
{
    struct das_cloud_innodb *locks;
    struct das_cloud_call call;
    char word[DAS_WORD_SIZE];
    struct das_target t;
    struct das_err err;
    int rc;

    lua_settop(L, 2);
    lua_pushcfunction(L, innodb_options);
    lua_pushvalue(L, 2);
    lua_call(L, 1, 0);
    rc = looked_at(L, &t);
    if (rc)
        return rc;
    locks = das_hold(L, sizeof *locks, clear_innodb);
    call = das_cloud_call_of(L);
    if (das_cloud_innodb_locks(t.cloud, &t.place, db_user(L, 2, "innodb_locks", &t, word), &call,
                               locks, &err) < 0)
        return das_cloud_failed(L, &t, &call, &err);
    das_run_check(L);
    lua_createtable(L, 0, 2);
    das_push_shapes(L, &locks->transactions);
    lua_setfield(L, -2, "transactions");
    das_push_shapes(L, &locks->waits);
    lua_setfield(L, -2, "waits");
    return 1;
}

struct metadata_words {
    char user[DAS_WORD_SIZE], db[DAS_WORD_SIZE], table[DAS_WORD_SIZE], thread[24];
};

/* db_user_id is read when the instance is known. */
static void read_metadata(lua_State *L, int t, struct das_cloud_metadata_filter *f,
                          struct metadata_words *w)
{
    static const char *const allowed[] = {"db_user_id", "thread_id", "db", "table"};
    static const char *const what = "metadata_locks";
    const struct das_target nobody = {.source = NULL};
    int64_t thread = -1;

    das_check_options(L, t, what, allowed, sizeof allowed / sizeof *allowed);
    f->database = das_opt_word(L, t, what, "db", w->db);
    f->table = das_opt_word(L, t, what, "table", w->table);
    das_opt_count(L, t, what, "thread_id", 0, INT64_MAX, &thread);
    snprintf(w->thread, sizeof w->thread, "%lld", (long long)thread);
    f->thread_id = thread < 0 ? NULL : w->thread;
    f->db_user_id = db_user(L, t, what, &nobody, w->user);
}

static int metadata_options(lua_State *L)
{
    struct das_cloud_metadata_filter f;
    struct metadata_words w;

    read_metadata(L, 1, &f, &w);
    return 0;
}

/* instance:metadata_locks{ db = "shop", table = "orders", thread_id = 7 } */
static int metadata_locks(lua_State *L)
{
    struct das_cloud_metadata_filter f;
    struct das_cloud_answer *a;
    struct das_cloud_call call;
    struct metadata_words w;
    struct das_target t;
    struct das_err err;
    int rc;

    lua_settop(L, 2);
    read_metadata(L, 2, &f, &w);
    rc = looked_at(L, &t);
    if (rc)
        return rc;
    if (!f.db_user_id)
        f.db_user_id = das_source_cloud_db_user(t.source);
    a = hold_answer(L);
    call = das_cloud_call_of(L);
    rc = das_cloud_metadata_locks(t.cloud, &t.place, &f, &call, a, &err);
    return finish_list(L, rc, &t, &call, a, &err);
}

static int fetch_transactions(const struct das_pages *p, struct das_cloud_call *call,
                              struct das_cloud_answer *out, struct das_err *err)
{
    struct das_cloud_trx_filter filter = p->ask.trx;

    filter.page = (int)p->page;
    return das_cloud_transactions(p->target.cloud, &p->target.place, &filter, call, out, err);
}

static void read_seconds(lua_State *L, int t, const char *what, const char *key, int64_t *to)
{
    int64_t ms = -1;

    das_opt_ms(L, t, what, key, &ms);
    *to = ms < 0 ? DAS_CLOUD_NOT_TOLD : ms / 1000;
}

static void read_transactions(lua_State *L, int t, struct das_pages *p)
{
    static const char *const allowed[] = {"from", "to", "time", "max_time"};
    static const char *const what = "transactions";
    struct das_cloud_trx_filter *f = &p->ask.trx;

    das_check_options(L, t, what, allowed, sizeof allowed / sizeof *allowed);
    das_opt_span(L, t, what, &f->from_ms, &f->to_ms);
    read_seconds(L, t, what, "time", &f->min_s);
    read_seconds(L, t, what, "max_time", &f->max_s);
    f->limit = PAGE;
}

static int transactions_options(lua_State *L)
{
    struct das_pages p;

    read_transactions(L, 1, &p);
    return 0;
}

/* instance:transactions{ from = "2h", time = "30s" }: all of them */
static int transactions(lua_State *L)
{
    struct das_pages *p;
    int rc;

    lua_settop(L, 2);
    p = das_pages_hold(L);
    read_transactions(L, 2, p);
    rc = looked_at(L, &p->target);
    p->fetch = fetch_transactions;
    p->per_page = PAGE;
    return rc ? rc : das_pages_all(L, p, NULL);
}

/* --- users and nodes -------------------------------------------------------------------------- */

static int fetch_db_users(const struct das_pages *p, struct das_cloud_call *call,
                          struct das_cloud_answer *out, struct das_err *err)
{
    return das_cloud_db_users(p->target.cloud, &p->target.place, (p->page - 1) * PAGE, PAGE, call,
                              out, err);
}

/* instance:db_users() */
static int db_users(lua_State *L)
{
    struct das_pages *p;
    int rc;

    lua_settop(L, 1);
    p = das_pages_hold(L);
    rc = looked_at(L, &p->target);
    p->fetch = fetch_db_users;
    p->per_page = PAGE;
    return rc ? rc : das_pages_all(L, p, NULL);
}

/* instance:nodes{ datastore_type = "MySQL" } */
static int nodes(lua_State *L)
{
    struct das_cloud_answer *a;
    struct das_cloud_call call;
    char type[DAS_WORD_SIZE];
    struct das_target t;
    struct das_err err;
    int rc;

    lua_settop(L, 2);
    das_opt_type(L, 2, "nodes", type);
    rc = looked_at(L, &t);
    if (rc)
        return rc;
    a = hold_answer(L);
    call = das_cloud_call_of(L);
    rc = das_cloud_nodes(t.cloud, &t.place, type, &call, a, &err);
    return finish_list(L, rc, &t, &call, a, &err);
}

const luaL_Reg das_cloud_methods[] = {
    {"kill_tasks", kill_tasks},
    {"kill_task_switch", kill_task_switch},
    {"kill_history", kill_history},
    {"processes", processes},
    {"each_process", each_process},
    {"innodb_locks", innodb_locks},
    {"metadata_locks", metadata_locks},
    {"transactions", transactions},
    {"db_users", db_users},
    {"nodes", nodes},
    {NULL, NULL},
};

const luaL_Reg das_cloud_option_checks[] = {
    {"kill_history", history_options},
    {"processes", page_options},
    {"each_process", each_options},
    {"innodb_locks", innodb_options},
    {"metadata_locks", metadata_options},
    {"transactions", transactions_options},
    {NULL, NULL},
};
