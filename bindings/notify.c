/*
 * notify.c - das.notify(channel, message): a message into the outbox, as far as the run's grants
 * reach.
 *
 * Nothing is sent here: whoever runs sends what waits (core/notify/deliver.h), a run at its end.
 * Where a run's requests are answered in the process, as in a replay or a test, nothing is queued
 * either: the watch is told what would have been.
 */
#include "bindings/bind.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/notify/deliver.h"

#define NOTICE "das.notice"
#define SESSIONS_EXPECTED \
    "notify: sessions: expected a preview, a plan, a report or a list of sessions, got %s"

/* --- the message, which the state owns ---------------------------------------------------------
 */

static int notice_gc(lua_State *L)
{
    das_notice_clear(luaL_checkudata(L, 1, NOTICE));
    return 0;
}

static struct das_notice *push_notice(lua_State *L)
{
    struct das_notice *n = lua_newuserdatauv(L, sizeof *n, 0);

    das_notice_init(n);
    if (luaL_newmetatable(L, NOTICE)) {
        lua_pushcfunction(L, notice_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return n;
}

static void must(lua_State *L, int rc, const struct das_err *err)
{
    if (rc < 0)
        das_raise(L, "notify: %s", err->msg);
}

/* The value on top as text that holds no secret of the run's; numbers and booleans too. What holds
 * it takes its place [-0, +0]. */
static struct das_text clean(lua_State *L, const char *key)
{
    const struct das_vault *vault = &das_run_of(L)->vault;
    struct das_text t;
    struct das_buf *b;

    if (das_secret_test(L, -1))
        das_raise(L, "notify: %s: a secret is not for people", key);
    if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER &&
        lua_type(L, -1) != LUA_TBOOLEAN)
        das_raise(L, "notify: %s: expected a string, got %s", key, luaL_typename(L, -1));
    luaL_tolstring(L, -1, NULL);
    lua_replace(L, -2);
    t.ptr = lua_tolstring(L, -1, &t.len);
    if (!vault->first)
        return t;
    b = das_scratch(L);
    das_vault_redact(vault, t, b);
    lua_replace(L, -2);
    return das_buf_view(b);
}

static void get_text(lua_State *L, int table, const char *key, struct das_notice *n,
                     struct das_text *to, size_t most)
{
    struct das_err err;

    if (lua_getfield(L, table, key) != LUA_TNIL)
        must(L, das_notice_text(n, to, clean(L, key), most, &err), &err);
    lua_pop(L, 1);
}

static int get_word(lua_State *L, int table, const char *key, int (*find)(const char *),
                    const char *expected)
{
    const char *word;
    int found = 0;

    if (lua_getfield(L, table, key) != LUA_TNIL) {
        word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
        found = find(word);
        if (found < 0)
            das_raise(L, "notify: %s: expected %s, got %s", key, expected,
                      luaL_tolstring(L, -1, NULL));
    }
    lua_pop(L, 1);
    return found;
}

/* --- fields and buttons ------------------------------------------------------------------------
 */

static void add_field(lua_State *L, struct das_notice *n, int name, int value)
{
    struct das_err err;
    struct das_text a, b;

    lua_pushvalue(L, name);
    a = clean(L, "fields");
    lua_pushvalue(L, value);
    b = clean(L, "fields");
    must(L, das_notice_field(n, a, b, &err), &err);
    lua_pop(L, 2);
}

/* { user = "app" } by name, or { { "user", "app" }, ... } in that order. */
static void get_fields(lua_State *L, int table, struct das_notice *n)
{
    int fields, names, count = 0;

    if (lua_getfield(L, table, "fields") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    fields = lua_gettop(L);
    if (!lua_istable(L, fields))
        das_raise(L, "notify: fields: expected a table, got %s", luaL_typename(L, fields));
    for (lua_Integer i = 1; lua_rawgeti(L, fields, i) != LUA_TNIL; i++) {
        int pair = lua_gettop(L);
        if (!lua_istable(L, pair))
            das_raise(L, "notify: fields: expected { name = value } or a list of { name, value }");
        lua_rawgeti(L, pair, 1);
        lua_rawgeti(L, pair, 2);
        add_field(L, n, pair + 1, pair + 2);
        lua_settop(L, fields);
    }
    lua_settop(L, fields);
    lua_newtable(L); // names, sorted: a table has no order, a message has
    names = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, fields)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            continue;
        lua_pushvalue(L, -1);
        for (int at = ++count; at >= 1; at--) {
            bool before = false;
            if (at > 1) {
                lua_rawgeti(L, names, at - 1);
                before = strcmp(lua_tostring(L, -2), lua_tostring(L, -1)) < 0;
                if (before)
                    lua_rawseti(L, names, at);
                else
                    lua_pop(L, 1);
            }
            if (!before) {
                lua_rawseti(L, names, at);
                break;
            }
        }
    }
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, names, i);
        lua_pushvalue(L, -1);
        lua_rawget(L, fields);
        add_field(L, n, names + 1, names + 2);
        lua_settop(L, names);
    }
    lua_settop(L, fields - 1);
}

static void get_buttons(lua_State *L, int table, struct das_notice *n)
{
    static const char *const allowed[] = {"label", "value", "danger"};
    int buttons;

    if (lua_getfield(L, table, "buttons") != LUA_TNIL && !lua_istable(L, -1))
        das_raise(L, "notify: buttons: expected a list, got %s", luaL_typename(L, -1));
    buttons = lua_gettop(L);
    for (lua_Integer i = 1; lua_istable(L, buttons) && lua_rawgeti(L, buttons, i) != LUA_TNIL;
         i++) {
        int one = lua_gettop(L);
        struct das_text label, value;
        struct das_err err;
        if (!lua_istable(L, one))
            das_raise(L, "notify: buttons: expected a list of { label = ..., value = ... }");
        das_check_options(L, one, "notify: buttons", allowed, 3);
        lua_getfield(L, one, "label");
        label = clean(L, "buttons");
        lua_getfield(L, one, "value");
        value = clean(L, "buttons");
        lua_getfield(L, one, "danger");
        must(L, das_notice_button(n, label, value, lua_toboolean(L, -1), &err), &err);
        lua_settop(L, buttons);
    }
    lua_settop(L, buttons - 1);
}

/* --- sessions ----------------------------------------------------------------------------------
 */

static void name_instance(lua_State *L, struct das_notice *n, const char *name)
{
    struct das_err err;

    if (!n->instance.ptr)
        must(L, das_notice_text(n, &n->instance, das_text_of(name), DAS_NOTICE_KEY, &err), &err);
}

static int add_plan(struct das_notice *n, const struct das_plan *p, const struct das_report *report,
                    bool shape, struct das_err *err)
{
    size_t count = das_plan_victims(p);

    if (das_notice_rows(n, count, (int64_t)count, err) < 0)
        return -1;
    for (size_t i = 0; i < count && i < DAS_NOTICE_ROWS; i++) {
        const char *note = report ? das_outcome_name(report->items[i].kind) : NULL;
        struct das_session s;
        das_plan_victim(p, i, &s);
        if (das_notice_row(n, &s, das_text_of(note), shape, err) < 0)
            return -1;
    }
    return 0;
}

/* A list of session objects, as ipairs() of a preview gives them. */
static void add_list(lua_State *L, int list, struct das_notice *n, bool shape)
{
    lua_Unsigned count = lua_rawlen(L, list);
    struct das_err err;

    must(L, das_notice_rows(n, (size_t)count, (int64_t)count, &err), &err);
    for (lua_Unsigned i = 1; i <= count && i <= DAS_NOTICE_ROWS; i++) {
        const struct das_session_box *box;
        struct das_session s;
        lua_rawgeti(L, list, (lua_Integer)i);
        box = luaL_testudata(L, -1, DAS_SESSION);
        if (!box)
            das_raise(L, SESSIONS_EXPECTED, luaL_typename(L, -1));
        das_snapshot_get(box->snap, box->row, &s);
        must(L, das_notice_row(n, &s, DAS_TEXT_NULL, shape, &err), &err);
        lua_pop(L, 1);
    }
}

static void add_sessions(lua_State *L, int arg, struct das_notice *n, bool shape)
{
    const struct das_box *box;
    struct das_err err;

    if ((box = das_box_test(L, arg, DAS_SELECTION))) {
        name_instance(L, n, das_source_name(box->source));
        must(L, das_notice_sessions(n, box->object, shape, &err), &err);
    } else if ((box = das_box_test(L, arg, DAS_PLAN))) {
        name_instance(L, n, das_plan_instance(box->object));
        must(L, add_plan(n, box->object, NULL, shape, &err), &err);
    } else if ((box = das_box_test(L, arg, DAS_REPORT))) {
        const struct das_report *r = box->object;
        name_instance(L, n, das_plan_instance(r->plan));
        must(L, add_plan(n, r->plan, r, shape, &err), &err);
    } else if (lua_istable(L, arg)) {
        add_list(L, arg, n, shape);
    } else {
        das_raise(L, SESSIONS_EXPECTED, luaL_typename(L, arg));
    }
}

/* ch NULL: statements as shapes. reply: to whoever asked, not to a channel. */
static void read_message(lua_State *L, int arg, const struct das_channel *ch, bool reply,
                         struct das_notice *n)
{
    static const char *const allowed[] = {"title",    "text",   "severity", "event",
                                          "instance", "link",   "dedup",    "update",
                                          "thread",   "fields", "buttons",  "sessions"};
    static const char *const replies[] = {"title",    "text",   "severity", "instance", "link",
                                          "fields",   "buttons", "sessions", "public"};
    struct das_err err;

    if (!lua_istable(L, arg)) {
        lua_pushvalue(L, arg);
        must(L, das_notice_text(n, &n->text, clean(L, "message"), DAS_NOTICE_TEXT, &err), &err);
        lua_pop(L, 1);
        return;
    }
    if (reply)
        das_check_options(L, arg, "reply", replies, sizeof replies / sizeof *replies);
    else
        das_check_options(L, arg, "notify", allowed, sizeof allowed / sizeof *allowed);
    get_text(L, arg, "title", n, &n->title, DAS_NOTICE_TITLE);
    get_text(L, arg, "text", n, &n->text, DAS_NOTICE_TEXT);
    get_text(L, arg, "instance", n, &n->instance, DAS_NOTICE_KEY);
    get_text(L, arg, "dedup", n, &n->dedup, DAS_NOTICE_KEY);
    get_text(L, arg, "update", n, &n->update, DAS_NOTICE_KEY);
    get_text(L, arg, "thread", n, &n->thread, DAS_NOTICE_KEY);
    n->severity = (enum das_severity)get_word(L, arg, "severity", das_severity_find,
                                              "info, warning, error or critical");
    n->event = (enum das_event)get_word(L, arg, "event", das_event_find,
                                        "trigger, acknowledge or resolve");
    if (lua_getfield(L, arg, "link") != LUA_TNIL)
        must(L, das_notice_link(n, clean(L, "link"), &err), &err);
    lua_pop(L, 1);
    get_fields(L, arg, n);
    get_buttons(L, arg, n);
    if (lua_getfield(L, arg, "sessions") != LUA_TNIL)
        add_sessions(L, lua_gettop(L), n, !ch || ch->redact);
    lua_pop(L, 1);
}

/* --- sending it on its way ----------------------------------------------------------------------
 */

/* ch NULL: in the process, where nobody knows the channels. The name is at 1. */
static int queue(lua_State *L, const struct das_channel *ch, const struct das_notice *n)
{
    struct das_run *run = das_run_of(L);
    char id[DAS_DELIVERY_SIZE];
    struct das_store *store;
    struct das_err err;
    int rc;

    if (!das_run_count_http(run, 1, 0)) {
        das_run_check(L);
        return das_raise(L, "notify: a limit of the run");
    }
    if (das_in_process(run)) {
        if (ch)
            must(L, das_channel_takes(ch, n, &err), &err);
        if (run->opts->watch && run->opts->watch->notified)
            run->opts->watch->notified(run->opts->watch->arg, lua_tostring(L, 1), n);
        lua_pushboolean(L, true);
        lua_pushfstring(L, "msg_%d", (int)++run->notified);
        return 2;
    }
    store = das_run_outbox(run, &err);
    rc = store ? das_notice_queue(store, ch, n, id, &err) : -1;
    if (rc < 0 && err.code == DAS_E_USAGE)
        must(L, rc, &err);
    if (rc < 0)
        return das_push_failure(L, &err);
    run->notified++;
    if (run->opts->watch && run->opts->watch->notified)
        run->opts->watch->notified(run->opts->watch->arg, ch->name, n);
    lua_pushboolean(L, true);
    lua_pushstring(L, id);
    return 2;
}

/* das.notify(channel, message): true and the delivery's id, or nil, message, code. */
int das_lua_notify(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    const struct das_channel *ch;
    struct das_notice *n;
    struct das_err err;
    const char *name;

    lua_settop(L, 2);
    luaL_checktype(L, 1, LUA_TSTRING);
    name = lua_tostring(L, 1);
    if (!das_may(L, "notify"))
        das_need(L, "notify:%s", name);
    ch = das_channels_find(run->opts->channels, name, &err);
    if (!ch && (run->opts->channels || !das_in_process(run)))
        return das_raise(L, "notify: %s", err.msg);
    n = push_notice(L);
    read_message(L, 2, ch, false, n);
    if (!n->title.len && !n->text.len)
        return das_raise(L, "notify: expected a text, or a table with title or text");
    das_run_acts(L, "notify", !das_in_process(run), name);
    return queue(L, ch, n);
}

struct das_notice *das_read_reply(lua_State *L, int arg)
{
    struct das_notice *n = push_notice(L);

    n->at_ms = das_clock_unix_ms();
    read_message(L, arg, NULL, true, n);
    return n;
}
