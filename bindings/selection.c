/*
 * selection.c - what das.preview returns: a selection with its numbers, its sessions and the
 * choices that can be made among them; and .processes, which behaves like a Lua array.
 */
#include "bindings/bind.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/log.h"
#include "core/session/explain.h"
#include "core/session/render.h"
#include "core/source/preview.h"

static const char *const fields[] = {"processes", "total_count", "data_sync_time", "complete",
                                     "instance",  "warnings",    "filter"};

static struct das_selection *check_selection(lua_State *L, int arg)
{
    return das_box_check(L, arg, DAS_SELECTION)->object;
}

/* A missing privilege or a list that was cut must not go unseen because a script does not print
 * the warnings; but a policy that looks every second says it once. */
static void log_warnings(lua_State *L, const char *instance, const struct das_snapshot *snap)
{
    struct das_run *run = das_run_of(L);
    struct das_buf *line = das_scratch(L);
    struct das_log_event e = {.level = DAS_LOG_WARN, .who = "run", .own = true};

    for (size_t i = 0; run->opts->log && i < das_snapshot_warnings(snap); i++) {
        das_buf_reset(line);
        das_buf_printf(line, "%s: %s\n", instance, das_snapshot_warning(snap, i));
        if (line->failed || (run->warned.ptr && strstr(run->warned.ptr, line->ptr)))
            continue;
        das_buf_text(&run->warned, das_buf_view(line));
        e.message = das_text(line->ptr, line->len - 1);
        das_run_log(L, &e);
    }
    lua_pop(L, 1);
}

/* User value 1 of a selection's box is the box of its filter. */
static void charge_rows(lua_State *L, struct das_box *box, size_t rows)
{
    const struct das_selection *sel = box->object;

    das_box_charge(L, box, sizeof *sel + rows * sizeof *sel->rows);
}

int das_push_preview(lua_State *L, int filter_arg, int options_arg, struct das_source *source)
{
    struct das_filter *f = das_check_filter(L, filter_arg);
    struct das_snapshot *snap;
    struct das_box *box;
    struct das_err err;
    const struct das_engine_watch *watch = das_run_of(L)->opts->watch;
    /* a source that is blind to ids has a reading of its own, and cuts what it lists */
    bool whole = watch && watch->whole && das_source_finds_ids(source);
    unsigned flags = whole ? DAS_PREVIEW_WHOLE : 0;

    if (!lua_isnoneornil(L, options_arg)) {
        if (lua_getfield(L, options_arg, "pushdown") == LUA_TBOOLEAN && !lua_toboolean(L, -1))
            flags |= DAS_PREVIEW_WHOLE;
        if (lua_getfield(L, options_arg, "exhaustive") == LUA_TBOOLEAN && lua_toboolean(L, -1))
            flags |= DAS_PREVIEW_EXHAUSTIVE;
        lua_pop(L, 2);
    }
    fflush(das_run_of(L)->opts->out); // what was printed is seen before the server is waited for
    box = das_box_push(L, DAS_SELECTION);
    box->source = source;
    das_source_set_patience(source, &das_run_of(L)->patience);
    atomic_store(&das_run_of(L)->outside, 1);
    box->object = das_preview(source, f, flags, &err);
    atomic_store(&das_run_of(L)->outside, 0);
    das_source_set_patience(source, NULL);
    if (!box->object) {
        das_run_check(L);
        return das_push_world_failure(L, &err);
    }
    das_box_hold(L, filter_arg, 1);
    charge_rows(L, box, ((struct das_selection *)box->object)->count);
    snap = ((struct das_selection *)box->object)->snap;
    das_run_tell_previewed(das_run_of(L), das_source_name(source), box->object);
    das_run_check(L);
    log_warnings(L, das_source_name(source), snap);
    /* To the collector a preview is a few bytes; told its real size it frees the ones before. */
    lua_gc(L, LUA_GCSTEP, (int)(das_snapshot_bytes(snap) >> 10));
    return 1;
}

/* The box of a new selection of the same source, and so far of the same filter [-0, +1]. */
static struct das_box *derived(lua_State *L)
{
    struct das_source *source = das_box_check(L, 1, DAS_SELECTION)->source;
    struct das_box *box = das_box_push(L, DAS_SELECTION);

    box->source = source;
    lua_getiuservalue(L, 1, 1);
    lua_setiuservalue(L, -2, 1);
    return box;
}

/* What a function returns whose selection is in the box on top, or is not, for err. rows: that it
 * may have made room for. */
static int finish(lua_State *L, struct das_box *box, size_t rows, const struct das_err *err)
{
    if (!box->object)
        return das_push_failure(L, err);
    charge_rows(L, box, rows);
    return 1;
}

static int by_count(lua_State *L, const char *what,
                    struct das_selection *(*op)(const struct das_selection *, size_t,
                                                struct das_err *))
{
    struct das_selection *sel = check_selection(L, 1);
    int64_t n = das_check_count(L, 2, what);
    struct das_box *box = derived(L);
    struct das_err err;

    box->object = op(sel, (size_t)n, &err);
    return finish(L, box, sel->count, &err);
}

static int selection_oldest(lua_State *L)
{
    return by_count(L, "oldest", das_selection_oldest);
}

static int selection_newest(lua_State *L)
{
    return by_count(L, "newest", das_selection_newest);
}

static int selection_limit(lua_State *L)
{
    return by_count(L, "limit", das_selection_limit);
}

static int selection_except_oldest(lua_State *L)
{
    struct das_selection *sel = check_selection(L, 1);
    struct das_box *box = derived(L);
    struct das_err err;

    box->object = das_selection_except_oldest(sel, &err);
    return finish(L, box, sel->count, &err);
}

/* selection:where(filter); the prelude adds where(function). */
static int selection_where(lua_State *L)
{
    struct das_selection *sel = check_selection(L, 1);
    struct das_filter *f = das_check_filter(L, 2);
    struct das_box *box = derived(L), *both;
    struct das_err err;

    box->object = das_selection_where(sel, f, &err);
    if (!box->object)
        return das_push_failure(L, &err);
    both = das_box_push(L, DAS_FILTER); // box both
    both->object = das_filter_retain(((struct das_selection *)box->object)->filter);
    lua_getiuservalue(L, 1, 1);
    lua_setiuservalue(L, -2, 1);
    das_box_hold(L, 2, 2);
    das_box_charge(L, both, das_filter_bytes(both->object));
    lua_setiuservalue(L, -2, 1); // box
    return finish(L, box, sel->count, &err);
}

/* selection:pick{1, 3}: by position, in that order. */
static int selection_pick(lua_State *L)
{
    struct das_selection *sel = check_selection(L, 1);
    struct das_box *box;
    struct das_err err;
    uint32_t *places;
    lua_Unsigned n;

    luaL_checktype(L, 2, LUA_TTABLE);
    n = lua_rawlen(L, 2);
    if (n > sel->count)
        return das_raise(L, "pick: %d places, the selection has %d", (int)n, (int)sel->count);
    places = lua_newuserdatauv(L, (size_t)(n ? n : 1) * sizeof *places, 0);
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_Integer place;
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        place = das_check_count(L, -1, "pick");
        places[i] = place > 0 && place <= UINT32_MAX ? (uint32_t)(place - 1) : UINT32_MAX;
        lua_pop(L, 1);
    }
    box = derived(L);
    box->object = das_selection_pick(sel, places, (size_t)n, &err);
    return finish(L, box, (size_t)n, &err);
}

/* --- groups ----------------------------------------------------------------------------------- */

static int groups_gc(lua_State *L)
{
    das_groups_clear(luaL_checkudata(L, 1, "das.groups"));
    return 0;
}

/* selection:group_by(field): {{key=, count=, sessions=selection}, ...}, largest first. */
static int selection_group_by(lua_State *L)
{
    struct das_selection *sel = check_selection(L, 1);
    const char *key = luaL_checkstring(L, 2);
    struct das_groups *groups = lua_newuserdatauv(L, sizeof *groups, 0);
    struct das_err err;

    memset(groups, 0, sizeof *groups);
    if (luaL_newmetatable(L, "das.groups")) {
        lua_pushcfunction(L, groups_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    if (das_selection_group(sel, key, groups, &err) < 0)
        return das_push_failure(L, &err);
    lua_createtable(L, (int)groups->count, 0);
    for (size_t i = 0; i < groups->count; i++) {
        struct das_group *g = &groups->items[i];
        struct das_box *box;
        lua_createtable(L, 0, 3); // list group
        if (g->key) {
            lua_pushstring(L, g->key);
            lua_setfield(L, -2, "key");
        }
        lua_pushinteger(L, (lua_Integer)g->members->count);
        lua_setfield(L, -2, "count");
        box = derived(L); // list group box
        box->object = g->members;
        g->members = NULL; // the box has it now
        charge_rows(L, box, ((struct das_selection *)box->object)->count);
        lua_setfield(L, -2, "sessions");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* --- explain ---------------------------------------------------------------------------------- */

static size_t explanation_bytes(const struct das_explanation *e)
{
    size_t bytes = sizeof *e + e->count * sizeof *e->reasons;

    for (size_t i = 0; i < e->count; i++)
        bytes += strlen(e->reasons[i].criterion) + strlen(e->reasons[i].value) +
                 strlen(e->reasons[i].note) + 3;
    return bytes;
}

static int explanation_gc(lua_State *L)
{
    struct das_box *box = luaL_checkudata(L, 1, DAS_EXPLANATION);

    das_explanation_free(box->object);
    das_box_empty(L, box);
    return 0;
}

static int explanation_tostring(lua_State *L)
{
    struct das_box *box = das_box_check(L, 1, DAS_EXPLANATION);
    struct das_buf *b = das_scratch(L);

    das_explanation_print(box->object, b);
    if (b->len && b->ptr[b->len - 1] == '\n') // print() adds its own
        b->len--;
    das_push_buf(L, b);
    return 1;
}

static void push_reasons(lua_State *L, const struct das_explanation *e)
{
    lua_createtable(L, (int)e->count, 0);
    for (size_t i = 0; i < e->count; i++) {
        const struct das_reason *r = &e->reasons[i];
        lua_createtable(L, 0, 5);
        lua_pushinteger(L, r->depth);
        lua_setfield(L, -2, "depth");
        lua_pushstring(L, r->criterion);
        lua_setfield(L, -2, "criterion");
        lua_pushstring(L, r->value);
        lua_setfield(L, -2, "value");
        lua_pushstring(L, das_truth_word(r->truth));
        lua_setfield(L, -2, "result");
        lua_pushstring(L, r->note);
        lua_setfield(L, -2, "note");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static const char *const explanation_names[] = {"id", "selected", "reasons"};

static int explanation_fields(lua_State *L)
{
    return das_push_names(L, explanation_names,
                          sizeof explanation_names / sizeof *explanation_names);
}

static int explanation_index(lua_State *L)
{
    const struct das_explanation *e = das_box_check(L, 1, DAS_EXPLANATION)->object;
    const char *name = luaL_checkstring(L, 2);

    if (strcmp(name, "id") == 0)
        lua_pushinteger(L, e->id);
    else if (strcmp(name, "selected") == 0)
        lua_pushboolean(L, e->truth == DAS_YES);
    else if (strcmp(name, "reasons") == 0)
        push_reasons(L, e);
    else
        return das_no_field(L, "an explanation", name, explanation_names,
                            sizeof explanation_names / sizeof *explanation_names, 0);
    return 1;
}

/* The row of id in the selection's snapshot; when the source left it out because it could not
 * match, the whole list is fetched once more. [-0, +1]: a session, or nil and why. */
static int find_session(lua_State *L, const struct das_selection *sel, struct das_source *source,
                        int64_t id)
{
    int64_t row = das_snapshot_find(sel->snap, id);
    struct das_session_box *box;
    struct das_snapshot *all;
    struct das_err err;
    int rc;

    if (row >= 0) {
        das_push_session(L, sel->snap, (uint32_t)row);
        return 1;
    }
    if (das_snapshot_partial(sel->snap)) {
        box = lua_newuserdatauv(L, sizeof *box, 0);
        memset(box, 0, sizeof *box);
        luaL_setmetatable(L, DAS_SESSION);
        das_source_set_patience(source, &das_run_of(L)->patience);
        rc = das_source_list(source, NULL, &all, &err);
        das_source_set_patience(source, NULL);
        if (rc == 0)
            box->snap = all;
        das_run_check(L);
        if (rc < 0)
            return das_push_world_failure(L, &err);
        row = das_snapshot_find(all, id);
        if (row >= 0) {
            box->row = (uint32_t)row;
            return 1;
        }
    }
    lua_pushnil(L);
    lua_pushfstring(L, "no session %I on %s", (LUAI_UACINT)id, das_source_name(source));
    lua_pushliteral(L, "gone");
    return 3;
}

/* selection:explain(id or session) */
static int selection_explain(lua_State *L)
{
    struct das_box *self = das_box_check(L, 1, DAS_SELECTION), *box;
    struct das_selection *sel = self->object;
    struct das_session_box *row;
    struct das_session s;
    struct das_err err;

    if (!luaL_testudata(L, 2, DAS_SESSION)) {
        int results;
        if (!lua_isinteger(L, 2))
            return das_raise(L, "explain: expected a session or its id, got %s",
                             luaL_typename(L, 2));
        results = find_session(L, sel, self->source, lua_tointeger(L, 2));
        if (results != 1)
            return results;
        lua_replace(L, 2);
    }
    row = luaL_checkudata(L, 2, DAS_SESSION);
    luaL_argcheck(L, row->snap, 2, "this session was never finished");
    das_snapshot_get(row->snap, row->row, &s);
    box = das_box_push(L, DAS_EXPLANATION);
    box->object = das_explain(sel->filter, &s, &err);
    if (!box->object)
        return das_push_failure(L, &err);
    das_box_charge(L, box, explanation_bytes(box->object));
    return 1;
}

/* --- fields ------------------------------------------------------------------------------------ */

static void push_warnings(lua_State *L, const struct das_snapshot *snap)
{
    lua_createtable(L, (int)das_snapshot_warnings(snap), 0);
    for (size_t i = 0; i < das_snapshot_warnings(snap); i++) {
        lua_pushstring(L, das_snapshot_warning(snap, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static int push_place(lua_State *L, const struct das_selection *sel, lua_Integer place)
{
    if (place < 1 || (lua_Unsigned)place > sel->count)
        return 0;
    das_push_session(L, sel->snap, sel->rows[place - 1]);
    return 1;
}

static int selection_fields(lua_State *L)
{
    return das_push_names(L, fields, sizeof fields / sizeof *fields);
}

static int selection_index(lua_State *L)
{
    struct das_box *self = das_box_check(L, 1, DAS_SELECTION);
    struct das_selection *sel = self->object;
    const char *name;

    if (lua_isinteger(L, 2))
        return push_place(L, sel, lua_tointeger(L, 2));
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    name = luaL_checkstring(L, 2);
    if (strcmp(name, "processes") == 0) {
        das_box_push(L, DAS_PROCESSES); // owns nothing
        lua_pushvalue(L, 1);
        lua_setiuservalue(L, -2, 1); // keeps the selection alive
    } else if (strcmp(name, "total_count") == 0) {
        lua_pushinteger(L, sel->total);
    } else if (strcmp(name, "data_sync_time") == 0) {
        lua_pushinteger(L, das_snapshot_time(sel->snap));
    } else if (strcmp(name, "complete") == 0) {
        lua_pushboolean(L, das_snapshot_complete(sel->snap));
    } else if (strcmp(name, "instance") == 0) {
        lua_pushstring(L, das_source_name(self->source));
    } else if (strcmp(name, "warnings") == 0) {
        push_warnings(L, sel->snap);
    } else if (strcmp(name, "filter") == 0) {
        lua_getiuservalue(L, 1, 1);
    } else {
        return das_no_field(L, "a preview", name, fields, sizeof fields / sizeof *fields,
                            lua_upvalueindex(1));
    }
    return 1;
}

static int selection_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_selection(L, 1)->count);
    return 1;
}

static int selection_gc(lua_State *L)
{
    struct das_box *box = luaL_checkudata(L, 1, DAS_SELECTION);

    das_selection_free(box->object);
    das_box_empty(L, box);
    return 0;
}

static int selection_tostring(lua_State *L)
{
    struct das_box *box = das_box_check(L, 1, DAS_SELECTION);
    struct das_buf *b = das_scratch(L);

    das_render_preview(box->object, das_source_name(box->source), DAS_OUT_TABLE,
                       das_run_of(L)->opts->width, NULL, b);
    if (b->len && b->ptr[b->len - 1] == '\n')
        b->len--;
    das_push_buf(L, b);
    return 1;
}

/* for i, s in pairs(selection or processes): the sessions in order. Upvalue: the place before. */
static int places_next(lua_State *L)
{
    lua_Integer place = lua_tointeger(L, lua_upvalueindex(1)) + 1;

    lua_pushinteger(L, place);
    lua_replace(L, lua_upvalueindex(1));
    lua_pushinteger(L, place);
    if (lua_geti(L, 1, place) == LUA_TNIL)
        return 0;
    return 2;
}

static int places_pairs(lua_State *L)
{
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, places_next, 1);
    lua_pushvalue(L, 1);
    return 2;
}

/* --- processes --------------------------------------------------------------------------------- */

/* Asks the selection's own box each time: a finalizer of the script may hold .processes when the
 * selection has been collected before it. */
static struct das_selection *check_processes(lua_State *L, int arg)
{
    struct das_box *box;

    luaL_checkudata(L, arg, DAS_PROCESSES);
    lua_getiuservalue(L, arg, 1);
    box = das_box_test(L, -1, DAS_SELECTION);
    luaL_argcheck(L, box, arg, "its selection is gone");
    lua_pop(L, 1);
    return box->object;
}

static int processes_index(lua_State *L)
{
    struct das_selection *sel = check_processes(L, 1);

    if (!lua_isinteger(L, 2))
        return das_raise(L, "processes is an array: it has positions 1 to %d and #, not \"%s\"",
                         (int)sel->count, luaL_tolstring(L, 2, NULL));
    return push_place(L, sel, lua_tointeger(L, 2));
}

static int processes_len(lua_State *L)
{
    struct das_selection *sel = check_processes(L, 1);

    lua_pushinteger(L, (lua_Integer)sel->count);
    return 1;
}

static int processes_tostring(lua_State *L)
{
    struct das_selection *sel = check_processes(L, 1);

    lua_pushfstring(L, "%d processes", (int)sel->count);
    return 1;
}

void das_open_selection(lua_State *L)
{
    static const luaL_Reg processes_meta[] = {
        {"__len", processes_len},
        {"__pairs", places_pairs},
        {"__tostring", processes_tostring},
        {NULL, NULL},
    };
    static const luaL_Reg explanation_meta[] = {
        {"__tostring", explanation_tostring},
        {"__gc", explanation_gc},
        {"__fields", explanation_fields},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {
        {"__len", selection_len},       {"__pairs", places_pairs},
        {"__tostring", selection_tostring}, {"__gc", selection_gc},
        {"__fields", selection_fields}, {NULL, NULL},
    };
    static const luaL_Reg methods[] = {
        {"oldest", selection_oldest},     {"newest", selection_newest},
        {"limit", selection_limit},       {"except_oldest", selection_except_oldest},
        {"where", selection_where},       {"pick", selection_pick},
        {"group_by", selection_group_by}, {"explain", selection_explain},
        {"plan", das_selection_plan},     {"unprotected", das_selection_unprotected},
        {NULL, NULL},
    };

    das_class(L, DAS_PROCESSES, processes_meta, NULL, processes_index);
    lua_pop(L, 1);
    das_class(L, DAS_EXPLANATION, explanation_meta, NULL, explanation_index);
    lua_pop(L, 1);
    das_class(L, DAS_SELECTION, meta, methods, selection_index);
}
