/* cloud_cover.c - see cloud_cover.h. */
#include "core/source/cloud_cover.h"

#include <string.h>

#include "core/base/buf.h"
#include "core/base/mem.h"

const char *const das_cloud_commands[] = {
    "Sleep",       "Query",      "Execute",    "Connect",    "Daemon",         "Prepare",
    "Fetch",       "Init DB",    "Field List", "Close stmt", "Reset stmt",     "Long Data",
    "Set option",  "Statistics", "Ping",       "Quit",       "Kill",           "Change user",
    "Create DB",   "Drop DB",    "Refresh",    "Shutdown",   "Processlist",    "Connect Out",
    "Debug",       "Time",       "Error",      "Table Dump", "Delayed insert",
};
const size_t das_cloud_command_count = sizeof das_cloud_commands / sizeof *das_cloud_commands;

#define INFO_MAX 1000 /* bytes of a keyword rule that the cloud takes */
#define DEPTH_MAX 100

/* --- what can be sent ------------------------------------------------------------------------------- */

static bool has_any(struct das_text t, const char *bytes)
{
    for (size_t i = 0; i < t.len; i++) {
        if (strchr(bytes, t.ptr[i]) || t.ptr[i] == '\0')
            return true;
    }
    return false;
}

/* As the API spells it; NULL: it does not know that command. */
static const char *known_command(struct das_text t)
{
    for (size_t i = 0; i < das_cloud_command_count; i++) {
        if (das_text_iis(t, das_cloud_commands[i]))
            return das_cloud_commands[i];
    }
    return NULL;
}

/* "a ~ ~b" as "a~b": the cloud's grammar has no empty keywords. NULL text: no memory. */
static struct das_text clean_info(struct das_cover *c, struct das_text info)
{
    char *to = das_arena_alloc(&c->arena, info.len + 1);
    size_t n = 0;

    if (!to)
        return DAS_TEXT_NULL;
    while (info.len) {
        const char *tilde = memchr(info.ptr, '~', info.len);
        size_t len = tilde ? (size_t)(tilde - info.ptr) : info.len;
        struct das_text word = das_text_trim(das_text(info.ptr, len));
        if (word.len) {
            if (n)
                to[n++] = '~';
            memcpy(to + n, word.ptr, word.len);
            n += word.len;
        }
        len += tilde != NULL;
        info.ptr += len;
        info.len -= len;
    }
    return das_text(to, n);
}

/* What the API can be given for one criterion, whichever reading decides. 1: sent, 0: cannot be, -1:
 * no memory. */
static int send_given(struct das_cover *c, enum das_key k, const struct das_criterion *x,
                      struct das_cloud_criteria *to)
{
    struct das_text info;
    const char *command;

    if (k != DAS_K_TIME && x->text.len && !das_utf8_valid(x->text))
        return 0;
    switch (k) {
    case DAS_K_USER:
    case DAS_K_DB: /* one name, no wildcard */
        if (has_any(x->text, "%\\"))
            return 0;
        *(k == DAS_K_USER ? &to->user : &to->db) = x->text;
        return 1;
    case DAS_K_HOST:
        if (has_any(x->text, "\\[]"))
            return 0;
        to->host = x->text;
        return 1;
    case DAS_K_COMMAND:
        command = known_command(x->text);
        to->command = das_text_of(command);
        return command != NULL;
    case DAS_K_INFO:
        info = clean_info(c, x->text);
        if (!info.ptr)
            return -1;
        if (info.len == 0 || info.len > INFO_MAX || has_any(info, "\\"))
            return 0;
        to->info = info;
        return 1;
    case DAS_K_TIME:
        to->time = x->number;
        return 1;
    default:
        return 0;
    }
}

/* How many of the first n bytes of t are among these. */
static size_t strspn_text(struct das_text t, size_t n, const char *bytes)
{
    size_t i = 0;

    while (i < n && t.ptr[i] && strchr(bytes, t.ptr[i]))
        i++;
    return i;
}

/* The beginning of a host that every match has: "10.1.%" and "10.1.2.3", which matches "10.1.2.3:5",
 * too. Both as a pattern for what the server prints and for the part before the port. */
static int cover_host(struct das_cover *c, struct das_text host, struct das_text *out)
{
    size_t n = 0, colon;
    char *to;

    if (has_any(host, "\\[]_"))
        return 0;
    while (n < host.len && host.ptr[n] != '%')
        n++;
    colon = n;
    for (size_t i = 0; i < n; i++) {
        if (host.ptr[i] == ':') {
            colon = i;
            break;
        }
    }
    n = colon;
    /* what could begin an IPv6 address matches one in brackets as well */
    if (strspn_text(host, n, "0123456789abcdefABCDEF") == n)
        return 0;
    to = das_arena_alloc(&c->arena, n + 1);
    if (!to)
        return -1;
    memcpy(to, host.ptr, n);
    to[n] = '%';
    *out = das_text(to, n + 1);
    return 1;
}

/* The same for a composition: only what the API cannot read more narrowly than das does. */
static int send_cover(struct das_cover *c, enum das_key k, const struct das_criterion *x,
                      struct das_cloud_criteria *to)
{
    if (k == DAS_K_INFO) /* nobody says how the API reads it */
        return 0;
    if (k == DAS_K_HOST)
        return das_utf8_valid(x->text) ? cover_host(c, x->text, &to->host) : 0;
    return send_given(c, k, x, to);
}

/* --- one conjunction, as it stands ------------------------------------------------------------------ */

#define FILTERS(k) ((k) != DAS_K_TASK_DURATION && (k) != DAS_K_TASK_TYPE && (k) != DAS_K_ALL)

/* Tables joined by &, no key twice: then it is one table. set: the keys met so far. */
static bool is_conjunction(const struct das_filter *f, bool set[DAS_K_COUNT], int depth)
{
    struct das_criterion x;

    if (depth > DEPTH_MAX)
        return false;
    if (das_filter_op(f) == DAS_FILTER_AND)
        return is_conjunction(das_filter_left(f), set, depth + 1) &&
               is_conjunction(das_filter_right(f), set, depth + 1);
    if (das_filter_op(f) != DAS_FILTER_TABLE || !das_filter_can_match(f))
        return false;
    for (int i = 0; i < DAS_K_COUNT; i++) {
        enum das_key k = (enum das_key)i;
        if (!das_filter_get(f, k, &x))
            continue;
        if (set[k])
            return false;
        set[k] = true;
    }
    return true;
}

static int add_rest(struct das_cover *c, enum das_key k, const struct das_criterion *x,
                    struct das_err *err)
{
    struct das_value v = {.kind = DAS_V_INT, .integer = x->number};

    if (!c->rest && !(c->rest = das_filter_new(err)))
        return -1;
    if (k == DAS_K_ID)
        v = (struct das_value){.kind = DAS_V_INTS, .ints = x->ids, .count = x->count};
    else if (x->text.ptr)
        v = (struct das_value){.kind = DAS_V_TEXT, .text = x->text};
    return das_filter_set(c->rest, das_key_name(k), &v, err);
}

static int give(struct das_cover *c, const struct das_filter *f, struct das_cloud_criteria *to,
                struct das_err *err)
{
    struct das_criterion x;

    if (das_filter_op(f) == DAS_FILTER_AND)
        return give(c, das_filter_left(f), to, err) < 0 ? -1 : give(c, das_filter_right(f), to, err);
    for (int i = 0; i < DAS_K_COUNT; i++) {
        enum das_key k = (enum das_key)i;
        int sent;
        if (!das_filter_get(f, k, &x))
            continue;
        if (k == DAS_K_TASK_DURATION)
            to->task_duration = x.number;
        if (k == DAS_K_TASK_TYPE)
            to->task_type = x.text.ptr;
        if (!FILTERS(k))
            continue;
        sent = send_given(c, k, &x, to);
        if (sent < 0)
            return das_fail_nomem(err);
        if (sent == 0 && add_rest(c, k, &x, err) < 0)
            return -1;
    }
    return 0;
}

/* --- a composition ---------------------------------------------------------------------------------- */

/* Conjunctions of which a session has to match one. */
struct terms {
    struct das_cloud_criteria items[DAS_COVER_CALLS_MAX];
    size_t count;
};

/* Every session: what nothing can be said about. */
static void everything(struct terms *t)
{
    memset(t, 0, sizeof *t);
    t->count = 1;
}

static bool same(struct das_text a, struct das_text b)
{
    return a.len == b.len && (!a.len || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* "10.%" and "10.1.%": the first lets all through that the second does. */
static bool wider_host(struct das_text wide, struct das_text narrow)
{
    return wide.len <= narrow.len && wide.len && wide.ptr[wide.len - 1] == '%' && narrow.len &&
           narrow.ptr[narrow.len - 1] == '%' && memcmp(wide.ptr, narrow.ptr, wide.len - 1) == 0;
}

/* Does a find every session that b finds? */
static bool wider(const struct das_cloud_criteria *a, const struct das_cloud_criteria *b)
{
    return (!a->user.len || same(a->user, b->user)) && (!a->db.len || same(a->db, b->db)) &&
           (!a->command.len || same(a->command, b->command)) &&
           (!a->host.len || same(a->host, b->host) || wider_host(a->host, b->host)) &&
           a->time <= b->time;
}

/* What all of them have in common. */
static void coarsen(struct terms *t)
{
    struct das_cloud_criteria c = t->items[0];

    for (size_t i = 1; i < t->count; i++) {
        const struct das_cloud_criteria *x = &t->items[i];
        if (!same(c.user, x->user))
            c.user = DAS_TEXT_NULL;
        if (!same(c.db, x->db))
            c.db = DAS_TEXT_NULL;
        if (!same(c.command, x->command))
            c.command = DAS_TEXT_NULL;
        if (!same(c.host, x->host))
            c.host = DAS_TEXT_NULL;
        if (x->time < c.time)
            c.time = x->time;
    }
    t->items[0] = c;
    t->count = 1;
}

/* One more conjunction, unless another finds all of it; those that it finds go. */
static void add_term(struct terms *t, const struct das_cloud_criteria *c)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->count; i++) {
        if (wider(&t->items[i], c))
            return;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (!wider(c, &t->items[i]))
            t->items[kept++] = t->items[i];
    }
    t->count = kept;
    if (t->count == DAS_COVER_CALLS_MAX)
        coarsen(t);
    if (t->count == 1 && wider(&t->items[0], c))
        return;
    t->items[t->count++] = *c;
}

/* One of the two; false: no text is both. */
static bool join_text(struct das_text *to, struct das_text more)
{
    if (!to->len)
        *to = more;
    return !more.len || same(*to, more);
}

/* Both; false: no session is. */
static bool join(struct das_cloud_criteria *to, const struct das_cloud_criteria *more)
{
    if (!join_text(&to->user, more->user) || !join_text(&to->db, more->db) ||
        !join_text(&to->command, more->command))
        return false;
    if (!to->host.len || wider_host(to->host, more->host))
        to->host = more->host;
    if (more->time > to->time)
        to->time = more->time;
    return true;
}

static int cover_table(struct das_cover *c, const struct das_filter *f, struct terms *out)
{
    struct das_cloud_criteria to = {0};
    struct das_criterion x;

    out->count = 0;
    if (!das_filter_can_match(f))
        return 0;
    for (int i = 0; i < DAS_K_COUNT; i++) {
        if (das_filter_get(f, (enum das_key)i, &x) && send_cover(c, (enum das_key)i, &x, &to) < 0)
            return -1;
    }
    add_term(out, &to);
    return 0;
}

static int cover(struct das_cover *c, const struct das_filter *f, int depth, struct terms *out)
{
    enum das_filter_op op = das_filter_op(f);
    struct terms *sides;
    int rc = -1;

    if (op == DAS_FILTER_TABLE)
        return cover_table(c, f, out);
    if (op == DAS_FILTER_NOT || depth > DEPTH_MAX) { /* the API knows no "not" */
        everything(out);
        return 0;
    }
    sides = das_calloc(2, sizeof *sides);
    if (!sides)
        return -1;
    if (cover(c, das_filter_left(f), depth + 1, &sides[0]) < 0 ||
        cover(c, das_filter_right(f), depth + 1, &sides[1]) < 0)
        goto done;
    out->count = 0;
    for (size_t i = 0; i < sides[0].count; i++) {
        for (size_t k = 0; op == DAS_FILTER_AND && k < sides[1].count; k++) {
            struct das_cloud_criteria both = sides[0].items[i];
            if (join(&both, &sides[1].items[k]))
                add_term(out, &both);
        }
        if (op == DAS_FILTER_OR)
            add_term(out, &sides[0].items[i]);
    }
    for (size_t k = 0; op == DAS_FILTER_OR && k < sides[1].count; k++)
        add_term(out, &sides[1].items[k]);
    rc = 0;
done:
    das_free(sides);
    return rc;
}

int das_cover_init(struct das_cover *c, const struct das_filter *f, bool own_reading,
                   struct das_err *err)
{
    bool set[DAS_K_COUNT] = {false};
    struct terms terms;

    memset(c, 0, sizeof *c);
    das_arena_init(&c->arena);
    everything(&terms);
    if (f && !own_reading && is_conjunction(f, set, 0)) {
        c->given = true;
        if (give(c, f, &terms.items[0], err) < 0)
            goto fail;
    } else if (f && cover(c, f, 0, &terms) < 0) {
        das_fail_nomem(err);
        goto fail;
    }
    c->calls = das_arena_alloc(&c->arena, sizeof terms.items);
    if (!c->calls) {
        das_fail_nomem(err);
        goto fail;
    }
    memcpy(c->calls, terms.items, terms.count * sizeof *c->calls);
    c->count = terms.count;
    return 0;
fail:
    das_cover_clear(c);
    return -1;
}

void das_cover_clear(struct das_cover *c)
{
    das_filter_release(c->rest);
    das_arena_clear(&c->arena);
    memset(c, 0, sizeof *c);
}
