/*
 * schedule_file.c - the lock and the small file of a schedule in the state directory (see
 * schedule.h). The file is for people and for the next start; losing it loses nothing else, so it
 * is not forced to the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/write_file.h"
#include "core/serve/schedule_impl.h"

#define SAVE_LEAST_MS 2000 /* between two files, and longer with many turns: */
#define SAVE_MOST_MS 10000
#define SAVE_TURN_MS 10
#define FILE_MAX ((size_t)64 << 20)

static int path_of(const char *dir, const char *name, struct das_buf *b, struct das_err *err)
{
    das_buf_printf(b, "%s/%s", dir, name);
    return das_buf_ok(b, err);
}

/* --- the lock --------------------------------------------------------------------------------- */

/* The open file, or -1 with errno. */
static int open_lock(const char *dir, int flags)
{
    struct das_buf path = {0};
    struct das_err err;
    int fd = -1;

    if (path_of(dir, DAS_SCHEDULE_LOCK, &path, &err) == 0)
        fd = open(path.ptr, flags | O_CLOEXEC, 0600);
    if (fd >= 0 && flags & O_CREAT)
        das_give_to_owner(dir, path.ptr);
    das_buf_clear(&path);
    return fd;
}

int das_schedule_hold(struct das_schedule *s, struct das_err *err)
{
    s->lock_fd = open_lock(s->opts.state_dir, O_RDWR | O_CREAT);
    if (s->lock_fd < 0)
        return das_fail(err, DAS_E_IO, "%s/" DAS_SCHEDULE_LOCK ": %s", s->opts.state_dir,
                        strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return das_fail(err, DAS_E_BUSY,
                    "another das serve runs the policies of %s; two would run each of them twice",
                    s->opts.state_dir);
}

void das_schedule_let_go(struct das_schedule *s)
{
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    s->lock_fd = -1;
}

bool das_schedule_is_held(const char *state_dir)
{
    int fd = open_lock(state_dir, O_RDONLY);
    bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;

    if (fd >= 0)
        close(fd);
    return held;
}

void das_schedule_forget(const char *state_dir)
{
    struct das_buf path = {0};
    struct das_err err;

    if (!das_schedule_is_held(state_dir) && path_of(state_dir, DAS_SCHEDULE_FILE, &path, &err) == 0)
        unlink(path.ptr);
    das_buf_clear(&path);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void write_ms(struct das_buf *b, const char *key, int64_t ms)
{
    if (ms > 0 && ms != DAS_NEVER)
        das_json_key_int(b, key, ms);
    else
        das_json_key_text(b, key, DAS_TEXT_NULL);
}

static void write_turn(const struct das_schedule *s, size_t i, struct das_buf *b)
{
    const struct das_slot *slot = das_timetable_slot(s->table, i);
    const struct das_turn *t = &s->turns[i];
    const char *result = t->result ? t->result : t->was[0] ? t->was : NULL;

    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_text(b, "policy", das_text_of(t->entry->name));
    das_json_key_text(b, "instance", das_text_of(t->instance));
    das_json_key_text(b, "mode", das_text_of(das_policy_mode_name(t->entry->rules.mode)));
    das_json_key_text(b, "result", das_text_of(result));
    das_json_key_text(b, "error", das_text_of(t->error[0] ? t->error : NULL));
    das_json_key_bool(b, "running", slot->state == DAS_SLOT_RUNS);
    das_json_key_bool(b, "away", slot->state == DAS_SLOT_AWAY);
    write_ms(b, "began_ms", slot->began_ms);
    write_ms(b, "ended_ms", slot->ended_ms);
    das_json_key_int(b, "took_ms", t->took_ms);
    das_json_key_int(b, "late_ms", slot->late_ms);
    write_ms(b, "next_ms", slot->state == DAS_SLOT_WAITS ? slot->tick_ms : 0);
    das_json_key_int(b, "failures", slot->failures);
    das_json_key_int(b, "runs", slot->runs);
    das_json_key_int(b, "failed", slot->failed);
    das_json_key_int(b, "skipped", slot->skipped);
    das_json_key_int(b, "killed", t->killed);
    das_json_key_int(b, "refused", t->refused);
    das_json_key_int(b, "would_kill", t->would);
    das_buf_char(b, '}');
}

static void write_all(struct das_schedule *s, struct das_buf *b)
{
    das_buf_char(b, '{');
    das_json_key_int(b, "written_ms", das_clock_unix_ms());
    das_json_key_int(b, "pid", getpid());
    das_json_key(b, "turns");
    das_buf_char(b, '[');
    pthread_mutex_lock(&s->lock);
    s->saved = s->changes;
    for (size_t i = 0; i < s->count; i++)
        write_turn(s, i, b);
    pthread_mutex_unlock(&s->lock);
    das_buf_str(b, "]}\n");
}

static bool has_changed(struct das_schedule *s)
{
    bool changed;

    pthread_mutex_lock(&s->lock);
    changed = s->changes != s->saved;
    pthread_mutex_unlock(&s->lock);
    return changed;
}

static void complain(struct das_schedule *s, const struct das_err *err)
{
    if (!s->save_failed && s->count)
        das_turn_say(&s->turns[0], DAS_LOG_ERROR, "das status will not see how policies run: %s",
                     err->msg);
    s->save_failed = true;
}

void das_schedule_save(struct das_schedule *s, bool now)
{
    int64_t pause = (int64_t)s->count * SAVE_TURN_MS, at = das_clock_machine_ms();
    struct das_buf path = {0}, b = {0};
    struct das_err err;

    pause = pause < SAVE_LEAST_MS ? SAVE_LEAST_MS : pause > SAVE_MOST_MS ? SAVE_MOST_MS : pause;
    if (!now && (at - s->saved_ms < pause || !has_changed(s)))
        return;
    s->saved_ms = at;
    write_all(s, &b);
    if (path_of(s->opts.state_dir, DAS_SCHEDULE_FILE, &path, &err) < 0 ||
        das_buf_ok(&b, &err) < 0 || das_write_file_soon(path.ptr, 0600, das_buf_view(&b), &err) < 0)
        complain(s, &err);
    else
        s->save_failed = false;
    das_buf_clear(&path);
    das_buf_clear(&b);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* 1; 0: there is none; -1. */
static int read_file(const char *path, struct das_buf *b, struct das_err *err)
{
    FILE *f = fopen(path, "re");
    size_t n;

    if (!f && errno == ENOENT)
        return 0;
    if (!f)
        return das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
    do {
        char *to = das_buf_reserve(b, 65536);
        n = to ? fread(to, 1, 65536, f) : 0;
        b->len += n;
    } while (n > 0 && b->len < FILE_MAX);
    fclose(f);
    return das_buf_ok(b, err) < 0 ? -1 : 1;
}

static int64_t number(const json_t *o, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(o, key));

    return n > 0 ? n : 0;
}

static bool is(const json_t *o, const char *key, const char *want)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text && strcmp(text, want) == 0;
}

static void recall(struct das_schedule *s, size_t i, const json_t *o)
{
    const struct das_slot was = {.began_ms = number(o, "began_ms"),
                                 .ended_ms = number(o, "ended_ms"),
                                 .late_ms = number(o, "late_ms"),
                                 .failures = number(o, "failures")};
    const char *result = json_string_value(json_object_get(o, "result"));
    const char *error = json_string_value(json_object_get(o, "error"));
    struct das_turn *t = &s->turns[i];

    if (!result)
        return;
    snprintf(t->was, sizeof t->was, "%s", result);
    snprintf(t->error, sizeof t->error, "%s", error ? error : "");
    t->took_ms = number(o, "took_ms");
    das_timetable_recall(s->table, i, &was);
}

/* Both are in the order of the configuration, which seldom changes. */
static void recall_all(struct das_schedule *s, const json_t *turns)
{
    size_t n = json_array_size(turns), at = 0;

    for (size_t i = 0; i < s->count && n; i++) {
        for (size_t k = 0; k < n; k++) {
            const json_t *o = json_array_get(turns, (at + k) % n);
            if (!is(o, "instance", s->turns[i].instance) ||
                !is(o, "policy", s->turns[i].entry->name))
                continue;
            recall(s, i, o);
            at = (at + k + 1) % n;
            break;
        }
    }
}

int das_schedule_read(const char *state_dir, json_t **out, struct das_err *err)
{
    struct das_buf path = {0}, b = {0};
    int rc = path_of(state_dir, DAS_SCHEDULE_FILE, &path, err);

    *out = NULL;
    if (rc == 0)
        rc = read_file(path.ptr, &b, err);
    if (rc > 0 && !(*out = das_json_parse(b.ptr ? b.ptr : "", b.len, NULL, err))) {
        das_err_prefix(err, "%s", path.ptr);
        rc = -1;
    }
    das_buf_clear(&path);
    das_buf_clear(&b);
    return rc < 0 ? -1 : 0;
}

void das_schedule_recall(struct das_schedule *s)
{
    struct das_err ignored;
    json_t *all;

    das_schedule_read(s->opts.state_dir, &all, &ignored);
    recall_all(s, json_object_get(all, "turns"));
    json_decref(all);
}
