/* schedule_text.c - see schedule_text.h. */
#include "core/cli/schedule_text.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cli/shape_text.h"
#include "core/serve/schedule.h"

#define SHOWN_MAX 40 /* rows of the table */

struct turn {
    struct das_text policy, instance, mode, result, error;
    int running, away;
    int64_t last, ended, next; /* Unix ms */
    int64_t took_ms, late_ms, failures, runs, failed, skipped, killed, refused, would_kill;
};

static const struct das_shape_field fields[] = {
    DAS_FIELD(turn, policy, "policy", DAS_SHAPE_TEXT, true),
    DAS_FIELD(turn, instance, "instance", DAS_SHAPE_TEXT, true),
    DAS_FIELD(turn, mode, "mode", DAS_SHAPE_TEXT, false),
    DAS_FIELD(turn, result, "result", DAS_SHAPE_TEXT, false),
    DAS_FIELD(turn, error, "error", DAS_SHAPE_TEXT, false),
    DAS_FIELD(turn, running, "running", DAS_SHAPE_BOOL, false),
    DAS_FIELD(turn, away, "away", DAS_SHAPE_BOOL, false),
    DAS_FIELD(turn, last, "began_ms", DAS_SHAPE_MS, false),
    DAS_FIELD(turn, ended, "ended_ms", DAS_SHAPE_MS, false),
    DAS_FIELD(turn, next, "next_ms", DAS_SHAPE_MS, false),
    DAS_FIELD(turn, took_ms, "took_ms", DAS_SHAPE_INT, false),
    DAS_FIELD(turn, late_ms, "late_ms", DAS_SHAPE_INT, false),
    DAS_FIELD(turn, failures, "failures", DAS_SHAPE_INT, false),
    DAS_FIELD(turn, runs, "runs", DAS_SHAPE_INT, false),
    DAS_FIELD(turn, failed, "failed", DAS_SHAPE_INT, false),
    DAS_FIELD(turn, skipped, "skipped", DAS_SHAPE_INT, false),
    DAS_FIELD(turn, killed, "killed", DAS_SHAPE_INT, false),
    DAS_FIELD(turn, refused, "refused", DAS_SHAPE_INT, false),
    DAS_FIELD(turn, would_kill, "would_kill", DAS_SHAPE_INT, false),
};
static const struct das_shape shape = DAS_SHAPE("policy", turn, fields);

static const char *const columns[] = {"policy", "instance", "mode",    "result", "last",
                                      "next",   "failures", "-killed", "-error", NULL};

/* Those that fail in front; each half stays in its order. */
static int sort(const struct das_cloud_list *from, struct das_cloud_list *to, struct das_err *err)
{
    struct turn *items = das_calloc(from->count + 1, sizeof *items);
    size_t n = 0;

    if (!items)
        return das_fail_nomem(err);
    for (int good = 0; good < 2; good++) {
        for (size_t i = 0; i < from->count; i++) {
            const struct turn *t = das_cloud_item(from, i);
            if ((t->failures <= 0) == good)
                items[n++] = *t;
        }
    }
    *to = (struct das_cloud_list){&shape, items, n};
    return 0;
}

static int put_table(const struct das_cloud_list *all, bool held, const char *written, size_t width,
                     struct das_buf *b, struct das_err *err)
{
    struct das_cloud_list list;
    struct das_shape_rows rows = {&shape, &list, 1};
    size_t failing = 0, n = all->count;

    for (size_t i = 0; i < n; i++)
        failing += ((const struct turn *)das_cloud_item(all, i))->failures > 0;
    if (sort(all, &list, err) < 0)
        return -1;
    das_buf_printf(b, "policies    %zu scheduled, of which %zu fail%s; as of %s%s\n", n, failing,
                   failing == 1 ? "s" : "", written, held ? "" : ", when das serve ended");
    list.count = n < SHOWN_MAX ? n : SHOWN_MAX;
    das_shape_table(&rows, columns, width, b);
    if (n > SHOWN_MAX)
        das_buf_printf(b, "and %zu more: das status -o json\n", n - SHOWN_MAX);
    das_free(list.items);
    return 0;
}

static void put_json(const struct das_cloud_list *all, bool held, const char *written,
                     struct das_buf *b)
{
    const struct das_shape_rows rows = {&shape, all, 1};

    das_buf_char(b, '{');
    das_json_key_bool(b, "running", held);
    das_json_key_text(b, "written", das_text_of(written));
    das_json_key(b, "policies");
    das_shape_json(&rows, b);
    das_buf_char(b, '}');
}

static int put(const json_t *file, bool held, bool json, size_t width, struct das_buf *b,
               struct das_err *err)
{
    struct das_cloud_list list = {&shape, NULL, 0};
    struct das_arena arena;
    char written[32];
    int rc;

    das_arena_init(&arena);
    das_clock_iso(json_integer_value(json_object_get(file, "written_ms")) / 1000, written,
                  sizeof written);
    rc = das_shape_read_list(&shape, json_object_get(file, "turns"), &list, &arena, err);
    if (rc == 0 && json)
        put_json(&list, held, written, b);
    else if (rc == 0)
        rc = put_table(&list, held, written, width, b, err);
    das_arena_clear(&arena);
    return rc;
}

int das_schedule_show(const char *state_dir, bool json, size_t width, struct das_buf *b,
                      struct das_err *err)
{
    json_t *file;
    int rc = das_schedule_read(state_dir, &file, err);

    if (rc == 0 && json)
        das_json_key(b, "schedule");
    if (rc == 0 && file)
        rc = put(file, das_schedule_is_held(state_dir), json, width, b, err);
    else if (rc == 0)
        das_buf_str(b, json ? "null" : "policies    none is scheduled\n");
    json_decref(file);
    return rc;
}
