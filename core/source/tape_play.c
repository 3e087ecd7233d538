/* tape_play.c - see tape.h: the half that plays a recorded run back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/session/session_json.h"
#include "core/source/tape_impl.h"

#define LINE_MAX_BYTES ((size_t)1 << 30)

struct line {
    json_t *value;
    struct das_text text; /* owned */
    bool event;           /* a list or a kill */
};

/* An instance that was shown, or whose session was killed. The texts are the lines'. */
struct shown {
    const char *name;
    const json_t *first; /* list; NULL: there is none */
};

struct das_playback {
    char *path;
    struct line *lines;
    size_t count, room;
    struct shown *shown;
    size_t shown_count, shown_room;
    size_t next; /* line that the run has to ask for next */
    char *differs, *beyond;
};

struct player {
    struct das_source base;
    struct das_source_ops ops; /* what it can do was told by the tape */
    struct das_playback *play;
    const json_t *traits; /* of its last list */
};

/* --- reading the file ------------------------------------------------------------------------------ */

static int bad(const struct das_playback *p, size_t n, struct das_err *err, const char *expected)
{
    return das_fail(err, DAS_E_DATA, "%s:%zu: expected %s", p->path, n + 1, expected);
}

/* Who a line is about; NULL: it is the caller's. */
static const char *instance_of(const struct line *l)
{
    const char *name = json_string_value(json_object_get(l->value, "list"));

    return name ? name : json_string_value(json_object_get(l->value, "order"));
}

/* Room for one more behind count items; NULL: out of memory, and items is as it was. */
static void *grow(void *items, size_t count, size_t *room, size_t size)
{
    size_t n = *room ? *room * 2 : 32;

    if (count < *room)
        return items;
    items = das_grow(items, n, size);
    if (items)
        *room = n;
    return items;
}

static struct shown *find_shown(const struct das_playback *p, const char *instance)
{
    for (size_t i = 0; i < p->shown_count; i++) {
        if (strcmp(p->shown[i].name, instance) == 0)
            return &p->shown[i];
    }
    return NULL;
}

static int add_shown(struct das_playback *p, const struct line *l, struct das_err *err)
{
    struct shown *s = find_shown(p, instance_of(l));

    if (!s) {
        s = grow(p->shown, p->shown_count, &p->shown_room, sizeof *s);
        if (!s)
            return das_fail_nomem(err);
        p->shown = s;
        s = &p->shown[p->shown_count++];
        *s = (struct shown){.name = instance_of(l)};
    }
    if (!s->first && json_object_get(l->value, "list"))
        s->first = l->value;
    return 0;
}

static int add_line(struct das_playback *p, const char *text, size_t len, struct das_err *err)
{
    struct line *l = grow(p->lines, p->count, &p->room, sizeof *l);

    if (!l)
        return das_fail_nomem(err);
    p->lines = l;
    l = &p->lines[p->count];
    *l = (struct line){.value = das_json_parse(text, len, NULL, err)};
    if (!l->value) {
        das_err_prefix(err, "%s:%zu", p->path, p->count + 1);
        return -1;
    }
    l->text = das_text(das_strndup(text, len), len);
    p->count++;
    if (!l->text.ptr)
        return das_fail_nomem(err);
    l->event = instance_of(l) != NULL;
    if (!json_is_object(l->value))
        return bad(p, p->count - 1, err, "an object");
    if (l->event && !json_is_integer(json_object_get(l->value, "at_ms")))
        return bad(p, p->count - 1, err, "at_ms, Unix milliseconds");
    return l->event ? add_shown(p, l, err) : 0;
}

static int read_lines(struct das_playback *p, FILE *f, struct das_err *err)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t n;
    int rc = 0;

    while (rc == 0 && (n = getline(&text, &room, f)) > 0) {
        size_t len = (size_t)n;
        if (text[len - 1] != '\n') /* the program died in the middle of it */
            break;
        rc = len > LINE_MAX_BYTES ? bad(p, p->count, err, "a shorter line")
                                  : add_line(p, text, len - 1, err);
    }
    if (rc == 0 && ferror(f))
        rc = das_fail(err, DAS_E_IO, "%s: %s", p->path, strerror(errno));
    free(text);
    return rc;
}

int das_playback_open(const char *path, struct das_playback **out, struct das_err *err)
{
    struct das_playback *p = das_calloc(1, sizeof *p);
    FILE *f = NULL;
    int rc = -1;

    *out = NULL;
    if (!p)
        return das_fail_nomem(err);
    p->path = das_strdup(path);
    if (!p->path)
        das_fail_nomem(err);
    else if (!(f = fopen(path, "re")))
        das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
    else
        rc = read_lines(p, f, err);
    if (f)
        fclose(f);
    if (rc < 0)
        das_playback_close(p);
    else
        *out = p;
    return rc;
}

void das_playback_close(struct das_playback *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++) {
        json_decref(p->lines[i].value);
        das_free((void *)(uintptr_t)p->lines[i].text.ptr);
    }
    das_free(p->lines);
    das_free(p->shown);
    das_free(p->differs);
    das_free(p->beyond);
    das_free(p->path);
    das_free(p);
}

const json_t *das_playback_next(const struct das_playback *p, size_t *at, struct das_text *text)
{
    while (*at < p->count) {
        const struct line *l = &p->lines[(*at)++];
        if (l->event)
            continue;
        *text = l->text;
        return l->value;
    }
    return NULL;
}

const char *das_playback_instance(const struct das_playback *p, size_t i)
{
    return i < p->shown_count ? p->shown[i].name : NULL;
}

static int64_t at_ms(const struct line *l)
{
    return json_integer_value(json_object_get(l->value, "at_ms"));
}

size_t das_playback_left(const struct das_playback *p)
{
    size_t left = 0;

    for (size_t n = p->next; n < p->count; n++)
        left += p->lines[n].event;
    return left;
}

const char *das_playback_differs(const struct das_playback *p)
{
    return p->differs;
}

const char *das_playback_beyond(const struct das_playback *p)
{
    return p->beyond;
}

/* --- playing -------------------------------------------------------------------------------------- */

static int differs(struct das_playback *p, const struct line *l, struct das_err *err,
                   const char *asked)
{
    char **told = l ? &p->differs : &p->beyond;
    struct das_buf b = {0};

    if (l)
        das_buf_printf(&b, "%s:%zu: the run asks for %s, the recorded one for a %s of %s", p->path,
                       (size_t)(l - p->lines) + 1, asked,
                       json_object_get(l->value, "list") ? "list" : "kill", instance_of(l));
    else
        das_buf_printf(&b, "%s: the run asks for %s, the recorded one had ended", p->path, asked);
    if (!*told)
        *told = das_buf_take(&b);
    das_buf_clear(&b);
    return das_fail(err, DAS_E_DATA, "%s", *told ? *told : "the run differs");
}

/* The next list or kill, whoever it is of; NULL: there is none left. */
static const struct line *next_event(struct das_playback *p)
{
    while (p->next < p->count && !p->lines[p->next].event)
        p->next++;
    return p->next < p->count ? &p->lines[p->next] : NULL;
}

/* It is what was asked for: taken, at its time. */
static void take(struct das_playback *p, const struct line *l)
{
    p->next++;
    if (das_clock_entered())
        das_clock_move_to(das_clock_entered(), at_ms(l));
}

static int recorded_error(const struct line *l, struct das_err *err)
{
    const char *message = json_string_value(json_object_get(l->value, "error"));
    int64_t code = json_integer_value(json_object_get(l->value, "code"));

    return das_fail(err, code > 0 && code <= DAS_E_INTERNAL ? (enum das_code)code : DAS_E_DATA,
                    "%s", message ? message : "the recorded list failed");
}

static int64_t number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static bool flag(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

static int add_sessions(struct das_snapshot *s, const json_t *list, struct das_err *err)
{
    struct das_arena arena;
    struct das_session session;
    int rc = 0;

    das_arena_init(&arena);
    for (size_t i = 0; i < json_array_size(list) && rc == 0; i++) {
        const json_t *o = json_array_get(list, i);
        rc = das_session_json_read(o, &arena, &session, err);
        if (rc == 0)
            rc = das_snapshot_add(s, &session, err);
        if (rc == 0 && flag(o, "own"))
            rc = das_snapshot_add_own(s, session.id, err);
    }
    das_arena_clear(&arena);
    return rc;
}

static int fill(struct das_snapshot *s, const json_t *o, struct das_err *err)
{
    const json_t *own = json_object_get(o, "own_user"), *warnings = json_object_get(o, "warnings");
    const char *server = json_string_value(json_object_get(o, "server"));
    struct das_identity id = {.start_unix_s = number(o, "server_start")};

    snprintf(id.server, sizeof id.server, "%s", server ? server : "");
    das_snapshot_set_identity(s, &id);
    das_snapshot_set_time(s, number(o, "time"));
    das_snapshot_set_complete(s, flag(o, "complete"));
    das_snapshot_set_partial(s, flag(o, "partial"));
    das_snapshot_set_cut(s, flag(o, "cut"));
    das_snapshot_set_lag(s, number(o, "lag"));
    das_snapshot_set_spread(s, number(o, "spread"));
    das_snapshot_set_total(s, number(o, "total"));
    if (json_is_string(own) &&
        das_snapshot_set_own_user(s, das_text(json_string_value(own), json_string_length(own)),
                                  err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const char *text = json_string_value(json_array_get(warnings, i));
        if (das_snapshot_warn(s, err, "%s", text ? text : "") < 0)
            return -1;
    }
    return add_sessions(s, json_object_get(o, "sessions"), err);
}

/* The texts live as long as the tape. */
static void take_traits(struct player *s, const json_t *o);

static int play_list(struct das_source *base, const struct das_query *q,
                     struct das_snapshot **out, struct das_err *err)
{
    struct player *s = (struct player *)base;
    const struct line *l = next_event(s->play);
    char asked[300];

    (void)q; /* it shaped the recorded list already */
    snprintf(asked, sizeof asked, "a list of %s", base->name);
    if (!l || !json_object_get(l->value, "list") || strcmp(instance_of(l), base->name) != 0)
        return differs(s->play, l, err, asked);
    take(s->play, l);
    take_traits(s, l->value);
    if (json_object_get(l->value, "error"))
        return recorded_error(l, err);
    *out = das_snapshot_new(err);
    if (*out && fill(*out, l->value, err) < 0) {
        das_err_prefix(err, "%s:%zu", s->play->path, (size_t)(l - s->play->lines) + 1);
        das_snapshot_release(*out);
        *out = NULL;
    }
    return *out ? 0 : -1;
}

static int find(const char *const *words, size_t n, const char *word)
{
    for (size_t i = 0; word && i < n; i++) {
        if (strcmp(words[i], word) == 0)
            return (int)i;
    }
    return -1;
}

static enum das_kill_result play_kill(struct das_source *base, const struct das_kill_order *order,
                                      struct das_err *err)
{
    struct player *s = (struct player *)base;
    const struct line *l = next_event(s->play);
    const json_t *o = l ? l->value : NULL;
    char asked[300];
    int result;

    snprintf(asked, sizeof asked, "the kill of %s %lld on %s", das_tape_whats[order->what],
             (long long)order->id, base->name);
    result = find(das_tape_results, 5, json_string_value(json_object_get(o, "result")));
    if (!l || !json_object_get(o, "order") || strcmp(instance_of(l), base->name) != 0 ||
        find(das_tape_whats, 4, json_string_value(json_object_get(o, "what"))) !=
            (int)order->what ||
        number(o, "id") != order->id || result < 0) {
        differs(s->play, l, err, asked);
        return DAS_KILL_FAILED;
    }
    take(s->play, l);
    if (json_object_get(o, "error"))
        recorded_error(l, err);
    return (enum das_kill_result)result;
}

static const char *play_cannot_soft(const struct das_source *base)
{
    return json_string_value(
        json_object_get(((const struct player *)base)->traits, "cannot_soft"));
}

static void play_close(struct das_source *base)
{
    (void)base;
}

static void take_traits(struct player *s, const json_t *o)
{
    s->traits = o;
    s->ops.kill = json_is_string(json_object_get(o, "cannot_kill")) ? NULL : play_kill;
    s->ops.cannot_statement = json_string_value(json_object_get(o, "cannot_statement"));
    s->ops.kill_window = json_string_value(json_object_get(o, "kill_window"));
    s->ops.blind_to_ids = !flag(o, "finds_ids");
    s->ops.pace_ms = number(o, "pace_ms");
}

int das_playback_source(struct das_playback *p, const char *instance, struct das_source **out,
                        struct das_err *err)
{
    struct player *s = das_calloc(1, sizeof *s);
    const struct shown *shown = find_shown(p, instance);

    *out = NULL;
    if (!s)
        return das_fail_nomem(err);
    s->play = p;
    s->ops = (struct das_source_ops){.list = play_list, .close = play_close,
                                     .cannot_soft = play_cannot_soft};
    s->base.ops = &s->ops;
    take_traits(s, shown ? shown->first : NULL); /* known of it before the run has asked */
    if (das_source_set_name(&s->base, instance, err) < 0) {
        das_free(s);
        return -1;
    }
    *out = &s->base;
    return 0;
}
