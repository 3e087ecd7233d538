/*
 * coverage_hook.c - asks Lua which lines of a file can run, and counts those that do.
 *
 * lua_getinfo() tells the lines of functions that exist; a function that is never made has none.
 * So the lines are read from what lua_dump() writes of the whole file, whose form belongs to the
 * version of Lua and is checked first.
 */
#include "bindings/bind.h"

#include <string.h>

#include "bindings/coverage.h"

/* --- reading what lua_dump() wrote ----------------------------------------------------------------- */

struct dump {
    const unsigned char *p, *end;
    bool bad;
};

static const unsigned char *take(struct dump *d, size_t n)
{
    const unsigned char *at = d->p;

    if (d->bad || n > (size_t)(d->end - d->p)) {
        d->bad = true;
        return NULL;
    }
    d->p += n;
    return at;
}

static int take_byte(struct dump *d)
{
    const unsigned char *p = take(d, 1);

    return p ? *p : 0;
}

/* Seven bits a byte, the last one marked. */
static size_t take_size(struct dump *d)
{
    size_t n = 0;
    int byte = 0;

    do {
        byte = take_byte(d);
        if (n > SIZE_MAX >> 7)
            d->bad = true;
        n = n << 7 | (size_t)(byte & 0x7f);
    } while (!d->bad && !(byte & 0x80));
    return n;
}

static void skip_string(struct dump *d)
{
    size_t n = take_size(d); /* one more than its length; 0: there is none */

    if (n > 1)
        take(d, n - 1);
}

static void skip_constants(struct dump *d)
{
    for (size_t n = take_size(d); n > 0 && !d->bad; n--) {
        switch (take_byte(d)) {
        case 0x00: /* nil */
        case 0x01: /* false */
        case 0x11: /* true */
            break;
        case 0x03: /* integer */
        case 0x13: /* float */
            take(d, 8);
            break;
        case 0x04: /* strings, short and long */
        case 0x14:
            skip_string(d);
            break;
        default:
            d->bad = true;
        }
    }
}

#define IS_FAR ((signed char)-0x80) /* the line stands in the list of far ones */
#define DEPTH_MAX 250               /* Lua itself nests functions less */

struct lines {
    struct das_coverage *to;
    const char *path;
    struct das_err *err;
    int rc;
};

/* The lines of one function: each instruction's is told by its distance to the one before. The first
 * instruction of a function with ... only prepares it, and the last one is the return that Lua adds. */
static void read_lines(struct dump *d, struct lines *l, size_t defined, bool varargs)
{
    size_t n = take_size(d), line = defined;
    const unsigned char *steps = take(d, n);

    take_size(d); /* how many are far: as many as are marked */
    for (size_t pc = 0; pc < n && !d->bad; pc++) {
        signed char step = (signed char)steps[pc];
        if (step == IS_FAR) {
            take_size(d);
            line = take_size(d);
        } else {
            line = (size_t)((int64_t)line + step);
        }
        if ((pc == 0 && varargs) || pc + 1 == n || l->rc < 0)
            continue;
        l->rc = das_coverage_can(l->to, l->path, line, l->err);
    }
}

static void read_function(struct dump *d, struct lines *l, int depth)
{
    size_t defined, n;
    bool varargs;

    if (depth > DEPTH_MAX)
        d->bad = true;
    skip_string(d); /* source */
    defined = take_size(d);
    take_size(d); /* last line */
    take_byte(d); /* parameters */
    varargs = take_byte(d) != 0;
    take_byte(d); /* stack */
    n = take_size(d);
    take(d, n <= SIZE_MAX / 4 ? n * 4 : SIZE_MAX); /* code */
    skip_constants(d);
    n = take_size(d);
    take(d, n <= SIZE_MAX / 3 ? n * 3 : SIZE_MAX); /* upvalues */
    for (n = take_size(d); n > 0 && !d->bad; n--)
        read_function(d, l, depth + 1);
    read_lines(d, l, defined, varargs);
    for (n = take_size(d); n > 0 && !d->bad; n--) { /* names of locals */
        skip_string(d);
        take_size(d);
        take_size(d);
    }
    for (n = take_size(d); n > 0 && !d->bad; n--) /* and of upvalues */
        skip_string(d);
}

/* Lua 5.4: its number, the sizes of an instruction and of numbers, two numbers to compare. */
static bool known_form(struct dump *d)
{
    static const unsigned char head[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08";
    const int64_t integer = 0x5678;
    const double number = 370.5;
    const unsigned char *p = take(d, sizeof head - 1), *i = take(d, 8), *f = take(d, 8);

    return p && f && memcmp(p, head, sizeof head - 1) == 0 && memcmp(i, &integer, 8) == 0 &&
           memcmp(f, &number, 8) == 0;
}

static int write_dump(lua_State *L, const void *p, size_t n, void *to)
{
    struct das_buf *b = to;

    (void)L;
    das_buf_add(b, p, n);
    return b->failed;
}

void das_coverage_see(lua_State *L, const char *path)
{
    struct das_coverage *c = das_run_of(L)->opts->coverage;
    struct das_err err = {0};
    struct lines l = {c, path, &err, 0};
    struct das_buf *b;
    struct dump d = {0};

    if (!c)
        return;
    b = das_scratch(L); // function buffer
    lua_pushvalue(L, -2);
    lua_dump(L, write_dump, b, 0);
    lua_pop(L, 1);
    l.rc = das_buf_ok(b, &err);
    if (l.rc == 0) {
        d.p = (const unsigned char *)b->ptr;
        d.end = d.p + b->len;
        l.rc = das_coverage_can(c, path, 0, &err);
        if (known_form(&d)) {
            take_byte(&d); /* upvalues of the whole */
            read_function(&d, &l, 0);
        }
        if (l.rc == 0 && (d.bad || d.p != d.end))
            l.rc = das_fail(&err, DAS_E_UNSUPPORTED,
                            "%s: this version of Lua does not tell das which lines can run", path);
    }
    lua_pop(L, 1);
    if (l.rc < 0)
        das_raise(L, "coverage: %s", err.msg);
}

/* --- counting ------------------------------------------------------------------------------------- */

void das_coverage_hook(lua_State *L, lua_Debug *ar)
{
    if (ar->event != LUA_HOOKLINE) {
        das_run_hook(L, ar);
        return;
    }
    if (lua_getinfo(L, "S", ar) && ar->source[0] == '@' && ar->currentline > 0)
        das_coverage_ran(das_run_of(L)->opts->coverage, ar->source + 1, (size_t)ar->currentline, 1);
}

void das_run_set_hook(lua_State *L)
{
    if (das_run_of(L)->opts->coverage)
        lua_sethook(L, das_coverage_hook, LUA_MASKCOUNT | LUA_MASKLINE, DAS_HOOK_STEPS);
    else
        lua_sethook(L, das_run_hook, LUA_MASKCOUNT, DAS_HOOK_STEPS);
}
