/* tape.c - see tape.h: the recording half. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/session/session_json.h"
#include "core/source/tape_impl.h"

const char *const das_tape_whats[4] = {"statement", "statement_soft", "session", "idle_session"};
const char *const das_tape_results[5] = {"killed", "gone", "failed", "late", "unknown"};

struct das_tape {
    FILE *file;
    char *path;
    struct das_buf line;
    struct das_source_listener listener;
    struct das_err failed; /* code DAS_OK, or why the tape ends here */
};

static void fail(struct das_tape *t)
{
    if (t->failed.code == DAS_OK)
        das_fail(&t->failed, DAS_E_IO, "%s: %s", t->path, strerror(errno));
}

void das_tape_line(struct das_tape *t, struct das_text line)
{
    if (t->failed.code != DAS_OK) /* behind half a line nothing can be read */
        return;
    if (fwrite(line.ptr, 1, line.len, t->file) != line.len || fputc('\n', t->file) == EOF ||
        fflush(t->file) != 0)
        fail(t);
}

static void put_line(struct das_tape *t)
{
    struct das_err err;

    das_buf_char(&t->line, '}');
    if (das_buf_ok(&t->line, &err) == 0)
        das_tape_line(t, das_buf_view(&t->line));
    else if (t->failed.code == DAS_OK)
        t->failed = err;
}

static struct das_buf *begin(struct das_tape *t, const char *what, const struct das_source *s)
{
    struct das_buf *b = &t->line;

    das_buf_reset(b);
    das_buf_char(b, '{');
    das_json_key(b, what);
    das_json_str(b, das_source_name(s));
    das_json_key_int(b, "at_ms", das_clock_unix_ms());
    return b;
}

static void put_str(struct das_buf *b, const char *key, const char *value)
{
    das_json_key(b, key);
    das_json_str(b, value);
}

static void put_error(struct das_buf *b, const struct das_err *err)
{
    das_json_key_int(b, "code", (int64_t)err->code);
    put_str(b, "error", err->msg);
}

/* --- lists ---------------------------------------------------------------------------------------- */

/* What the source can do is known once it was asked, and decides, too. */
static void put_traits(struct das_buf *b, const struct das_source *s)
{
    put_str(b, "cannot_kill", das_source_cannot_kill(s));
    put_str(b, "cannot_soft", das_source_cannot_soft(s));
    put_str(b, "cannot_statement", das_source_cannot_statement(s));
    put_str(b, "kill_window", das_source_kill_window(s));
    das_json_key_bool(b, "finds_ids", das_source_finds_ids(s));
    das_json_key_int(b, "pace_ms", das_source_pace_ms(s));
}

static void put_session(struct das_buf *b, const struct das_snapshot *snap, uint32_t row)
{
    struct das_session s;

    das_snapshot_get(snap, row, &s);
    das_json_comma(b);
    das_buf_char(b, '{');
    das_session_json(&s, b);
    if (das_snapshot_is_own(snap, s.id))
        das_json_key_bool(b, "own", true);
    das_buf_char(b, '}');
}

static void put_snapshot(struct das_buf *b, const struct das_snapshot *s)
{
    const struct das_identity *id = das_snapshot_identity(s);

    put_str(b, "server", id->server);
    das_json_key_int(b, "server_start", id->start_unix_s);
    das_json_key_int(b, "time", das_snapshot_time(s));
    das_json_key_bool(b, "complete", das_snapshot_complete(s));
    das_json_key_bool(b, "partial", das_snapshot_partial(s));
    das_json_key_bool(b, "cut", das_snapshot_cut(s));
    das_json_key_int(b, "lag", das_snapshot_lag(s));
    das_json_key_int(b, "spread", das_snapshot_spread(s));
    das_json_key_int(b, "total", das_snapshot_total(s));
    das_json_key_text(b, "own_user", das_snapshot_own_user(s));
    das_json_key(b, "warnings");
    das_buf_char(b, '[');
    for (size_t i = 0; i < das_snapshot_warnings(s); i++) {
        das_json_comma(b);
        das_json_str(b, das_snapshot_warning(s, i));
    }
    das_buf_char(b, ']');
    das_json_key(b, "sessions");
    das_buf_char(b, '[');
    for (uint32_t row = 0; row < das_snapshot_rows(s); row++)
        put_session(b, s, row);
    das_buf_char(b, ']');
}

static void heard_list(void *arg, struct das_source *s, struct das_snapshot *snap,
                       const struct das_err *err)
{
    struct das_tape *t = arg;
    struct das_buf *b = begin(t, "list", s);

    put_traits(b, s);
    if (snap)
        put_snapshot(b, snap);
    else
        put_error(b, err);
    put_line(t);
}

/* --- kills ---------------------------------------------------------------------------------------- */

static void heard_kill(void *arg, struct das_source *s, const struct das_kill_order *order,
                       int result, const struct das_err *err)
{
    struct das_tape *t = arg;
    struct das_buf *b = begin(t, "order", s);

    put_str(b, "what", das_tape_whats[order->what]);
    das_json_key_int(b, "id", order->id);
    das_json_key_int(b, "query_id", order->query_id);
    put_str(b, "result", das_tape_results[result]);
    if (result == DAS_KILL_FAILED || result == DAS_KILL_LATE || result == DAS_KILL_UNKNOWN)
        put_error(b, err);
    put_line(t);
}

/* --- the file ------------------------------------------------------------------------------------- */

const struct das_source_listener *das_tape_listener(struct das_tape *t)
{
    return &t->listener;
}

int das_tape_create(const char *path, struct das_tape **out, struct das_err *err)
{
    struct das_tape *t = das_calloc(1, sizeof *t);
    int fd;

    *out = NULL;
    if (!t)
        return das_fail_nomem(err);
    t->listener = (struct das_source_listener){t, heard_list, heard_kill};
    t->path = das_strdup(path);
    if (!t->path) {
        das_free(t);
        return das_fail_nomem(err);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
    t->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!t->file) {
        das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        das_free(t->path);
        das_free(t);
        return -1;
    }
    *out = t;
    return 0;
}

int das_tape_close(struct das_tape *t, struct das_err *err)
{
    int rc;

    if (!t)
        return 0;
    if (fdatasync(fileno(t->file)) != 0)
        fail(t);
    if (fclose(t->file) != 0)
        fail(t);
    rc = t->failed.code == DAS_OK ? 0 : -1;
    if (rc < 0)
        *err = t->failed;
    das_buf_clear(&t->line);
    das_free(t->path);
    das_free(t);
    return rc;
}
