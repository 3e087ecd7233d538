/*
 * standing.c - how das itself stands: das.status(), das.history{}, and das.stop(), the off switch.
 *
 * They look at the state directory and change nothing but the off switch, which a script can turn
 * on and never off.
 */
#include "bindings/bind.h"

#include <string.h>

#include "core/approval/approval.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/plan/stop.h"
#include "core/store/habits.h"
#include "core/store/journal.h"
#include "core/store/runbook.h"
#include "core/store/task.h"

#define HISTORY_MOST 100
#define DAY_MS ((int64_t)86400 * 1000)

/* A handle on the state directory, to read or to write; *own: it is the caller's to close. NULL
 * with *rc 0: there is none yet. */
static struct das_store *open_store(struct das_run *run, bool write, bool *own, int *rc,
                                    struct das_err *err)
{
    struct das_store *s = run->opts->store ? run->opts->store : run->guard.store;

    *own = false;
    *rc = 0;
    if (s)
        return s;
    if (!run->opts->state_dir)
        return NULL;
    *own = true;
    *rc = write ? das_store_open(run->opts->state_dir, &s, err)
                : das_store_open_to_read(run->opts->state_dir, &s, err);
    return s;
}

static void set_text(lua_State *L, const char *key, struct das_text t)
{
    if (!t.ptr)
        return;
    das_push_text(L, t);
    lua_setfield(L, -2, key);
}

static void set_int(lua_State *L, const char *key, int64_t n)
{
    lua_pushinteger(L, n);
    lua_setfield(L, -2, key);
}

/* --- status ----------------------------------------------------------------------------------- */

struct standing {
    struct das_breaker_row_copy {
        char policy[300], instance[128], state[16], reason[300];
    } breakers[20];
    size_t breaker_count, open_breakers;
    int64_t unknown, waiting, working;
    struct das_runbook_counts runbooks;
};

/* Lua may raise: so first all is copied, then pushed. */
static int see_breaker(void *arg, const struct das_breaker_row *row)
{
    struct standing *s = arg;
    struct das_breaker_row_copy *c = &s->breakers[s->breaker_count];

    if (row->breaker.state == DAS_BREAKER_CLOSED)
        return 0;
    s->open_breakers++;
    if (s->breaker_count == sizeof s->breakers / sizeof *s->breakers)
        return 0;
    snprintf(c->policy, sizeof c->policy, "%s", row->policy);
    snprintf(c->instance, sizeof c->instance, "%s", row->instance);
    snprintf(c->state, sizeof c->state, "%s", das_breaker_name(row->breaker.state));
    snprintf(c->reason, sizeof c->reason, "%.*s", (int)sizeof c->reason - 1, row->breaker.reason);
    s->breaker_count++;
    return 0;
}

static int look(struct das_run *run, struct standing *s, struct das_err *err)
{
    struct das_store *store;
    bool own;
    int rc;

    store = open_store(run, false, &own, &rc, err);
    if (!store)
        return rc;
    rc = das_breaker_each(store, see_breaker, s, err);
    if (rc == 0)
        s->unknown = das_journal_unknown(store, NULL, 0, err);
    if (rc == 0 && s->unknown < 0)
        rc = -1;
    if (rc == 0)
        rc = das_approval_count(store, &s->waiting, &s->working, err);
    if (rc == 0)
        rc = das_runbook_count(store, &s->runbooks, err);
    if (own)
        das_store_close(store);
    return rc;
}

int das_lua_status(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    struct standing *s;
    char why[600];
    struct das_err err;

    das_need(L, "preview");
    s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    if (look(run, s, &err) < 0)
        return das_push_failure(L, &err);
    lua_newtable(L);
    if (run->opts->stop_files && das_stopped(run->opts->stop_files, why, sizeof why))
        set_text(L, "stopped", das_text_of(why));
    set_int(L, "unknown", s->unknown);
    set_int(L, "approvals", s->waiting + s->working);
    set_int(L, "runbooks", s->runbooks.open);
    set_int(L, "questions", s->runbooks.questions);
    lua_newtable(L);
    for (size_t i = 0; i < s->breaker_count; i++) {
        lua_newtable(L);
        set_text(L, "policy", das_text_of(s->breakers[i].policy));
        set_text(L, "instance", das_text_of(s->breakers[i].instance));
        set_text(L, "state", das_text_of(s->breakers[i].state));
        set_text(L, "reason", das_text_of(s->breakers[i].reason));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "breakers");
    return 1;
}

/* --- history ---------------------------------------------------------------------------------- */

struct kills {
    struct das_killed rows[HISTORY_MOST];
    size_t count;
    struct das_arena arena;
};

static int kills_gc(lua_State *L)
{
    struct kills *k = luaL_checkudata(L, 1, "das.kills");

    das_arena_clear(&k->arena);
    return 0;
}

static struct das_text keep(struct kills *k, struct das_text t)
{
    char *p = t.ptr ? das_arena_dup(&k->arena, t.ptr, t.len) : NULL;

    return p ? das_text(p, t.len) : DAS_TEXT_NULL;
}

/* A word of a few that are known: theirs may be gone when it is pushed. */
static const char *source_word(const char *word)
{
    static const char *const words[] = {"task", "api", "policy", "person"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], word) == 0)
            return words[i];
    }
    return "other";
}

/* Lua may raise: so first all is copied, then pushed. */
static int see_kill(void *arg, const struct das_killed *from)
{
    struct kills *k = arg;
    struct das_killed *to = &k->rows[k->count++];

    *to = *from;
    to->instance = NULL;
    to->source = source_word(from->source);
    to->user = keep(k, from->user);
    to->host = keep(k, from->host);
    to->db = keep(k, from->db);
    to->command = keep(k, from->command);
    to->state = keep(k, from->state);
    to->info = keep(k, from->info);
    return 0;
}

static void push_kill(lua_State *L, const struct das_killed *k)
{
    lua_newtable(L);
    set_int(L, "id", k->session_id);
    set_int(L, "at", k->kill_ms / 1000);
    set_text(L, "user", k->user);
    set_text(L, "host", k->host);
    set_text(L, "db", k->db);
    set_text(L, "command", k->command);
    set_text(L, "state", k->state);
    set_text(L, "sql_info", k->info);
    if (k->time != INT64_MIN)
        set_int(L, "state_duration", k->time);
    set_text(L, "source", das_text_of(k->source));
    lua_pushboolean(L, k->unknown);
    lua_setfield(L, -2, "unknown");
}

/* das.history{ instance =, from = "1d", limit = 20 } */
int das_lua_history(lua_State *L)
{
    static const char *const allowed[] = {"instance", "from", "limit"};
    struct das_run *run = das_run_of(L);
    int64_t now = das_clock_unix_ms(), from_s = DAY_MS / 1000, limit = 20, total = 0;
    struct das_store *store;
    struct kills *k;
    const char *name, *text;
    struct das_err err;
    int rc, at;
    bool own;

    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    das_check_options(L, 1, "history", allowed, 3);
    das_need(L, "preview");
    lua_getfield(L, 1, "instance");
    name = lua_tostring(L, -1); // it stays
    if (!name)
        return das_raise(L, "history: instance: expected a name, got %s", luaL_typename(L, -1));
    lua_pushcfunction(L, das_lua_instance); // may the run touch it?
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
    if (lua_getfield(L, 1, "from") != LUA_TNIL) {
        text = luaL_tolstring(L, -1, NULL);
        if (!das_parse_duration(das_text_of(text), &from_s) || from_s <= 0)
            return das_raise(L, "history: from: expected how long ago, such as \"1d\", got %s",
                             text);
    }
    if (lua_getfield(L, 1, "limit") != LUA_TNIL) {
        limit = lua_tointegerx(L, -1, &at);
        if (!at || limit < 1 || limit > HISTORY_MOST)
            return das_raise(L, "history: limit: expected 1 to %d", HISTORY_MOST);
    }
    k = lua_newuserdatauv(L, sizeof *k, 0);
    memset(k, 0, sizeof *k);
    das_arena_init(&k->arena);
    if (luaL_newmetatable(L, "das.kills")) {
        lua_pushcfunction(L, kills_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    store = open_store(run, true, &own, &rc, &err); // what the journal has comes into it first
    if (store)
        rc = das_history_catch_up(store, &err);
    if (store && rc == 0)
        rc = das_history_page(store, name, now - from_s * 1000, now, 1, limit, see_kill, k, &total,
                              &err);
    if (store && own)
        das_store_close(store);
    if (rc < 0)
        return das_push_failure(L, &err);
    lua_createtable(L, (int)k->count, 1);
    for (size_t i = 0; i < k->count; i++) {
        push_kill(L, &k->rows[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    set_int(L, "total", total);
    return 1;
}

/* --- the off switch --------------------------------------------------------------------------- */

static int tell_journal(const struct das_run *run, const char *who, const char *reason,
                        struct das_err *err)
{
    struct das_record r = {.kind = "stop"};
    struct das_store *store = NULL;
    struct das_buf b = {0};
    int rc;

    das_buf_str(&b, "\"who\":");
    das_json_str(&b, who);
    das_json_key(&b, "reason");
    das_json_str(&b, reason);
    r.members = das_buf_view(&b);
    rc = das_buf_ok(&b, err);
    if (rc == 0)
        rc = das_store_open(run->opts->state_dir, &store, err);
    if (rc == 0)
        rc = das_journal_add(store, &r, 1, err);
    das_store_close(store);
    das_buf_clear(&b);
    return rc;
}

/* How many places it was written to, or was on at already. */
static size_t write_all(const char *const *files, struct das_text line, struct das_err *err)
{
    size_t done = 0;

    das_fail(err, DAS_E_IO, "NOT stopped: no file could be written");
    for (; files && *files; files++) {
        struct das_err one;
        enum das_stop_result r = das_stop_write(*files, line, &one);
        done += r == DAS_STOP_WRITTEN || r == DAS_STOP_ALREADY;
        if (r == DAS_STOP_FAILED)
            das_fail(err, DAS_E_IO, "NOT stopped: %.900s", one.msg);
    }
    return done;
}

/* das.stop(reason): true, or nil, message, code. */
int das_lua_stop(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    const char *reason = luaL_checkstring(L, 1), *who = run->opts->user ? run->opts->user : "";
    struct das_buf *line;
    char now[32];
    struct das_err err;

    das_need(L, "stop");
    if (!*reason || strlen(reason) > 500 || reason[strcspn(reason, "\r\n")])
        return das_raise(L, "stop: expected a reason of one line");
    if (das_in_process(run)) {
        lua_pushboolean(L, true);
        return 1;
    }
    das_clock_iso(das_clock_unix_ms() / 1000, now, sizeof now);
    line = das_scratch(L);
    das_buf_printf(line, "%s %s: %s\n", now, who, reason);
    if (line->failed)
        return das_raise(L, "out of memory");
    if (!write_all(run->opts->stop_files, das_buf_view(line), &err))
        return das_push_failure(L, &err);
    if (run->opts->state_dir && tell_journal(run, who, reason, &err) < 0 && run->opts->log)
        fprintf(run->opts->log, "stop: not in the journal: %s\n", err.msg);
    lua_pushboolean(L, true);
    return 1;
}
