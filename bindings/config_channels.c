/*
 * config_channels.c - the part of das.lua that says where messages go: the table channels (see
 * config.h). It reads no secret, only where they are.
 */
#include "bindings/config_impl.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/store/outbox.h"

#define RATE_MAX 100000
#define TRIES_MAX 1000

static char *copy(lua_State *L, const char *text)
{
    char *p = das_strdup(text);

    if (!p)
        luaL_error(L, "out of memory");
    return p;
}

/* A text that is not empty and has no line breaks; NULL: there is none. */
static const char *text(lua_State *L, int t, const char *where, const char *key)
{
    const char *p = das_config_text(L, t, where, key);

    if (p && (!*p || p[strcspn(p, "\r\n")]))
        luaL_error(L, "%s.%s: expected a text of one line, got %s", where, key,
                   *p ? "several" : "an empty one");
    return p;
}

static void read_secrets(lua_State *L, int t, const char *where, struct das_channel *ch)
{
    for (int i = 0; i < DAS_CHANNEL_SECRETS; i++) {
        const char *key = das_channel_secret_names[i], *in;
        struct das_secret_place place;
        if (das_config_has(L, t, key)) {
            in = lua_pushfstring(L, "%s.%s", where, key);
            place = das_config_place(L, lua_gettop(L) - 1, in);
            if (!*place.where)
                luaL_error(L, "%s: expected a text, got an empty one", in);
            ch->secrets[i].from = place.from;
            ch->secrets[i].name = copy(L, in);
            ch->secrets[i].where = copy(L, place.where);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
}

static void read_to(lua_State *L, int t, const char *where, struct das_channel *ch)
{
    const char *one, **list = &one;
    size_t n = 1;
    bool several;

    if (!das_config_has(L, t, "to")) {
        lua_pop(L, 1);
        return;
    }
    several = lua_istable(L, -1);
    lua_pop(L, 1);
    if (several)
        list = das_config_list(L, t, where, "to", &n); // on the stack
    else
        one = text(L, t, where, "to");
    if (!n)
        luaL_error(L, "%s.to: expected an address or a list of them", where);
    ch->to = das_calloc(n, sizeof *ch->to);
    if (!ch->to)
        luaL_error(L, "out of memory");
    for (size_t i = 0; i < n; i++) {
        ch->to[i] = copy(L, list[i]);
        ch->to_count++;
    }
    if (several)
        lua_pop(L, 1);
}

static void read_count(lua_State *L, int t, const char *prefix, const char *key, int64_t most,
                       int64_t *to)
{
    int64_t n = *to;

    das_config_count(L, t, prefix, key, 1, &n);
    if (n > most)
        luaL_error(L, "%s%s: expected 1 to %I, got %I", prefix, key, (LUAI_UACINT)most,
                   (LUAI_UACINT)n);
    *to = n;
}

/* Its table at the top of the stack. */
static void read_channel(lua_State *L, const char *name, struct das_channels *to)
{
    static const char *const allowed[] = {
        "kind",  "url",    "token",  "secret",   "password", "endpoint", "channel", "app",
        "user",  "from",   "source", "callback", "to",       "ca",       "rate",    "digest",
        "dedup", "expire", "tries",  "sessions", "redact",   "insecure"};
    int t = lua_gettop(L);
    const char *where, *prefix, *kind, *value;
    struct das_channel *ch;
    struct das_err err;

    luaL_checkstack(L, 20, NULL);
    where = lua_pushfstring(L, "channels.%s", name);
    prefix = lua_pushfstring(L, "%s.", where);
    if (!lua_istable(L, t))
        luaL_error(L, "%s: expected a table, got %s", where, luaL_typename(L, t));
    das_config_keys(L, t, where, allowed, sizeof allowed / sizeof *allowed);
    ch = das_channels_add(to, name, &err);
    if (!ch)
        luaL_error(L, "%s", err.msg);
    kind = text(L, t, where, "kind");
    if (!kind)
        luaL_error(L, "%skind: expected one, such as \"slack\"", prefix);
    read_secrets(L, t, where, ch);
    for (int i = 0; i < DAS_CHANNEL_TEXTS; i++) {
        value = text(L, t, where, das_channel_text_names[i]);
        ch->texts[i] = value ? copy(L, value) : NULL;
    }
    read_to(L, t, where, ch);
    value = text(L, t, where, "ca");
    ch->ca = value ? copy(L, value) : NULL;
    das_config_bool(L, t, prefix, "insecure", &ch->insecure);
    das_config_bool(L, t, prefix, "redact", &ch->redact);
    read_count(L, t, prefix, "rate", RATE_MAX, &ch->rate);
    read_count(L, t, prefix, "tries", TRIES_MAX, &ch->tries);
    read_count(L, t, prefix, "sessions", DAS_NOTICE_ROWS, &ch->sessions);
    das_config_duration(L, t, prefix, "digest", DAS_CONFIG_YEAR_MS, &ch->digest_ms);
    das_config_duration(L, t, prefix, "dedup", DAS_CONFIG_YEAR_MS, &ch->dedup_ms);
    if (ch->dedup_ms > DAS_OUTBOX_KEEP_MS)
        luaL_error(L, "%sdedup: at most \"14d\"; so long it is kept what was sent", prefix);
    das_config_duration(L, t, prefix, "expire", DAS_CONFIG_YEAR_MS, &ch->expire_ms);
    if (das_channel_settle(ch, kind, &err) < 0)
        luaL_error(L, "%s%s", err.code == DAS_E_CONFIG ? prefix : "", err.msg);
    lua_settop(L, t);
}

void das_config_channels(lua_State *L, int t, struct das_channels *to)
{
    int channels;

    if (das_config_has(L, t, "channels")) {
        channels = lua_gettop(L);
        if (!lua_istable(L, channels))
            das_config_expected(L, "", "channels", "a table");
        lua_pushnil(L);
        while (lua_next(L, channels)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(L, "channels: expected names, got a %s", luaL_typename(L, -2));
            read_channel(L, lua_tostring(L, -2), to);
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
    das_channels_sort(to);
}
