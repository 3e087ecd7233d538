/* cloud_list.c - what das cloud only shows (see cloud_cli.h). */
#include <stdio.h>
#include <string.h>

#include "core/base/calendar.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cli/cloud_cli.h"
#include "core/cli/shape_text.h"
#include "core/source/das_cloud.h"

/* --- pages --------------------------------------------------------------------------------------- */

struct pages {
    const struct das_shape *shape;
    struct das_cloud_answer *answers;
    size_t count;
    int64_t rows, total; /* total: as the API counts, or DAS_CLOUD_NOT_TOLD */
};

static void pages_clear(struct pages *p)
{
    for (size_t i = 0; i < p->count; i++)
        das_cloud_answer_clear(&p->answers[i]);
    das_free(p->answers);
}

/* One more, or NULL and err. */
static struct das_cloud_answer *pages_next(struct pages *p, struct das_err *err)
{
    struct das_cloud_answer *bigger = das_grow(p->answers, p->count + 1, sizeof *bigger);

    if (!bigger) {
        das_fail_nomem(err);
        return NULL;
    }
    p->answers = bigger;
    bigger[p->count] = (struct das_cloud_answer){0};
    return &bigger[p->count++];
}

/* What the page just read brings; false: it is the last one. */
static bool pages_took(struct pages *p, int64_t page, int64_t limit)
{
    struct das_cloud_answer *a = &p->answers[p->count - 1];
    int64_t got = (int64_t)a->list.count;

    if (p->count == 1 || a->total != DAS_CLOUD_NOT_TOLD)
        p->total = a->total;
    if (p->rows + got > limit)
        a->list.count = (size_t)(limit - p->rows);
    p->rows += (int64_t)a->list.count;
    return got == page && p->rows < limit &&
           (p->total == DAS_CLOUD_NOT_TOLD || p->rows < p->total);
}

/* --- showing ------------------------------------------------------------------------------------- */

/* {"instance":"orders","total_count":2,"tasks":[...]} */
static void put_json(const struct das_cloud_job *j, const struct pages *p, const char *member,
                     const struct das_shape_rows *rows, struct das_buf *b)
{
    das_buf_char(b, '{');
    if (j->name)
        das_json_key_text(b, "instance", das_text_of(j->name));
    if (p->total != DAS_CLOUD_NOT_TOLD)
        das_json_key_int(b, "total_count", p->total);
    das_json_key(b, member);
    das_shape_json(rows, b);
    das_buf_str(b, "}\n");
}

static int show(const struct das_cloud_job *j, const struct pages *p, const char *member,
                const char *const *columns, struct das_err *err)
{
    struct das_cloud_list *lists = das_calloc(p->count + 1, sizeof *lists);
    const struct das_shape_rows rows = {p->shape, lists, p->count};
    struct das_buf b = {0};
    int rc;

    if (!lists)
        return das_fail_nomem(err);
    for (size_t i = 0; i < p->count; i++)
        lists[i] = p->answers[i].list;
    if (j->format == DAS_CF_JSON)
        put_json(j, p, member, &rows, &b);
    else if (j->format == DAS_CF_CSV)
        das_shape_csv(&rows, &b);
    else
        das_shape_table(&rows, columns, das_terminal_width(), &b);
    rc = das_cloud_write(&b, err);
    if (rc == 0 && p->total > p->rows)
        fprintf(stderr, "das cloud: %lld of %lld are shown\n", (long long)p->rows,
                (long long)p->total);
    das_free(lists);
    das_buf_clear(&b);
    return rc;
}

/* What was read is shown, or why it could not be. */
static int finish(const struct das_cloud_job *j, struct pages *p, int rc, const char *member,
                  const char *const *columns, struct das_err *err)
{
    if (rc == 0)
        rc = show(j, p, member, columns, err);
    pages_clear(p);
    return rc < 0 ? das_complain("cloud", err) : DAS_EXIT_DONE;
}

/* --- tasks --------------------------------------------------------------------------------------- */

int das_cloud_verb_tasks(struct das_cloud_job *j)
{
    static const char *const columns[] = {"task_id", "task_type", "time", "-task_duration",
                                          "-end_time", "-start_time", "-task_state", "user", "host",
                                          "db", "command", "info", NULL};
    struct das_cloud_call call = das_cloud_job_call(j);
    struct pages p = {.shape = &das_cloud_task_shape, .total = DAS_CLOUD_NOT_TOLD};
    struct das_err err;
    struct das_cloud_answer *a = pages_next(&p, &err);

    return finish(j, &p, a ? das_cloud_tasks(j->cloud, &j->place, &call, a, &err) : -1, "tasks",
                  columns, &err);
}

/* --- history ------------------------------------------------------------------------------------- */

#define HISTORY_DEFAULT_S 86400
#define LIMIT_DEFAULT 100

/* "24h": so long ago; else a moment. */
static int parse_when(const char *name, const char *text, int64_t now_ms, int64_t *out_ms,
                      struct das_err *err)
{
    struct das_err ignored;
    int64_t s;

    if (das_parse_duration(das_text_of(text), &s) && s >= 0 && s <= now_ms / 1000)
        *out_ms = now_ms - s * 1000;
    else if (das_time_parse(das_text_of(text), &s, &ignored) == 0 && s >= 0)
        *out_ms = s * 1000;
    else
        return das_fail(err, DAS_E_USAGE, "--%s: expected so long ago (90m, 24h) or a moment "
                        "(2026-11-24T03:17:05Z), got \"%s\"", name, text);
    return 0;
}

static int read_span(const struct das_cloud_job *j, struct das_cloud_span *span, struct das_err *err)
{
    int64_t now = das_clock_unix_ms();

    *span = (struct das_cloud_span){j->value[DAS_CO_NODE], now - HISTORY_DEFAULT_S * 1000, now};
    if (j->value[DAS_CO_TO] && parse_when("to", j->value[DAS_CO_TO], now, &span->to_ms, err) < 0)
        return -1;
    span->from_ms = span->to_ms - HISTORY_DEFAULT_S * 1000;
    if (j->value[DAS_CO_FROM] &&
        parse_when("from", j->value[DAS_CO_FROM], now, &span->from_ms, err) < 0)
        return -1;
    if (span->from_ms < 0)
        span->from_ms = 0;
    if (span->from_ms <= span->to_ms)
        return 0;
    return das_fail(err, DAS_E_USAGE, "--from lies after --to");
}

int das_cloud_verb_history(struct das_cloud_job *j)
{
    static const char *const columns[] = {"kill_time", "-task_id", "session_id", "user", "host",
                                          "-db", "-command", "time", "-killed_source", "info", NULL};
    struct pages p = {.shape = &das_cloud_killed_shape, .total = DAS_CLOUD_NOT_TOLD};
    struct das_cloud_span span;
    struct das_err err;
    int64_t limit;
    int rc = -1;

    if (das_cloud_limit(j, LIMIT_DEFAULT, &limit, &err) < 0 || read_span(j, &span, &err) < 0)
        return das_complain("cloud", &err);
    for (int page = 1;; page++) {
        struct das_cloud_call call = das_cloud_job_call(j);
        struct das_cloud_answer *a = pages_next(&p, &err);
        rc = a ? das_cloud_history(j->cloud, &j->place, &span, page, &call, a, &err) : -1;
        if (rc < 0 || !pages_took(&p, DAS_CLOUD_HISTORY_PAGE, limit))
            break;
    }
    return finish(j, &p, rc, "history", columns, &err);
}

/* --- processes ----------------------------------------------------------------------------------- */

#define PROCESSES_PAGE 100

int das_cloud_verb_processes(struct das_cloud_job *j)
{
    static const char *const columns[] = {"id", "user", "host", "db", "command", "state_duration",
                                          "-trx_time", "-state", "sql_info", NULL};
    struct das_cloud_page page = {.user = j->value[DAS_CO_USER], .db = j->value[DAS_CO_DB],
                                  .node_id = j->value[DAS_CO_NODE], .limit = PROCESSES_PAGE};
    struct pages p = {.shape = &das_cloud_process_shape, .total = DAS_CLOUD_NOT_TOLD};
    struct das_err err;
    int64_t limit;
    int rc = -1;

    if (das_cloud_limit(j, LIMIT_DEFAULT, &limit, &err) < 0)
        return das_complain("cloud", &err);
    if (page.user || page.db) /* without one of them, that list cannot be had */
        page.db_user_id = das_source_cloud_db_user(j->source);
    for (;; page.offset += PROCESSES_PAGE) {
        struct das_cloud_call call = das_cloud_job_call(j);
        struct das_cloud_answer *a = pages_next(&p, &err);
        rc = a ? das_cloud_processes(j->cloud, &j->place, &page, &call, a, &err) : -1;
        if (rc < 0 || !pages_took(&p, PROCESSES_PAGE, limit))
            break;
    }
    return finish(j, &p, rc, "processes", columns, &err);
}

/* --- nodes --------------------------------------------------------------------------------------- */

static const char *engine(const struct das_cloud_job *j)
{
    return j->value[DAS_CO_TYPE] ? j->value[DAS_CO_TYPE] : "MySQL";
}

int das_cloud_verb_nodes(struct das_cloud_job *j)
{
    static const char *const columns[] = {"id", "role", "status", "type", "name", NULL};
    struct das_cloud_call call = das_cloud_job_call(j);
    struct pages p = {.shape = &das_cloud_node_shape, .total = DAS_CLOUD_NOT_TOLD};
    struct das_err err;
    struct das_cloud_answer *a = pages_next(&p, &err);

    return finish(j, &p, a ? das_cloud_nodes(j->cloud, &j->place, engine(j), &call, a, &err) : -1,
                  "nodes", columns, &err);
}

/* --- instances ----------------------------------------------------------------------------------- */

#define INSTANCES_PAGE 200
#define INSTANCES_MAX 100000 /* a server that never ends its list */

static const struct das_cloud_instance *instance_at(const struct pages *p, size_t page, size_t i)
{
    return das_cloud_item(&p->answers[page].list, i);
}

static bool is_only_one(const struct pages *p, struct das_text name)
{
    size_t n = 0;

    for (size_t page = 0; page < p->count; page++) {
        for (size_t i = 0; i < p->answers[page].list.count; i++)
            n += das_text_eq(instance_at(p, page, i)->instance_name, name);
    }
    return n == 1;
}

/* A Lua string: what is no plain character is escaped, so that it is read back as it was. */
static void put_lua(struct das_text t, struct das_buf *b)
{
    das_buf_char(b, '"');
    while (t.len) {
        uint32_t code = 0;
        size_t n = das_utf8_next(t.ptr, t.len, &code);
        if (!n || code < 0x20 || code == '"' || code == '\\' || (code >= 0x7f && code < 0xa0))
            for (size_t i = 0; i < (n ? n : 1); i++)
                das_buf_printf(b, "\\%03u", (unsigned char)t.ptr[i]);
        else if (das_utf8_cells(code) < 1 || (code >= 0x2028 && code <= 0x202e))
            das_buf_printf(b, "\\u{%x}", (unsigned)code);
        else
            das_buf_add(b, t.ptr, n);
        t.ptr += n ? n : 1;
        t.len -= n ? n : 1;
    }
    das_buf_char(b, '"');
}

/* The account's name where an entry has to say it. */
static const char *account_name(const struct das_cloud_job *j)
{
    const char *name = das_cloud_name(j->cloud);
    struct das_err ignored;

    if (strcmp(name, "default") == 0 ||
        das_inventory_cloud(j->common.inventory, name, &ignored) != j->cloud)
        return NULL;
    return name;
}

static void put_lua_entry(const struct das_cloud_job *j, const struct pages *p,
                          const struct das_cloud_instance *at, struct das_buf *b)
{
    const struct das_cloud_place *place = &j->place;
    struct das_buf source = {0};

    das_buf_printf(&source, "das://%s/", place->region);
    if (place->project && *place->project)
        das_buf_printf(&source, "%s/", place->project);
    das_buf_text(&source, at->instance_id);
    if (place->endpoint && *place->endpoint)
        das_buf_printf(&source, "?endpoint=%s", place->endpoint);
    das_buf_str(b, "[");
    put_lua(at->instance_name.len && is_only_one(p, at->instance_name) ? at->instance_name
                                                                       : at->instance_id, b);
    das_buf_str(b, "] = { source = ");
    put_lua(das_buf_view(&source), b);
    if (account_name(j)) {
        das_buf_str(b, ", cloud = ");
        put_lua(das_text_of(account_name(j)), b);
    }
    das_buf_str(b, " },\n");
    b->failed |= source.failed;
    das_buf_clear(&source);
}

static int show_lua(const struct das_cloud_job *j, const struct pages *p, struct das_err *err)
{
    struct das_buf b = {0};
    int rc;

    for (size_t page = 0; page < p->count; page++) {
        for (size_t i = 0; i < p->answers[page].list.count; i++)
            put_lua_entry(j, p, instance_at(p, page, i), &b);
    }
    rc = das_cloud_write(&b, err);
    das_buf_clear(&b);
    return rc;
}

int das_cloud_verb_instances(struct das_cloud_job *j)
{
    static const char *const columns[] = {"instance_id", "instance_status", "-engine_type",
                                          "-version", "-ip", "-port", "instance_name", NULL};
    struct pages p = {.shape = &das_cloud_instance_shape, .total = DAS_CLOUD_NOT_TOLD};
    struct das_err err;
    int rc = -1;

    for (int64_t offset = 0;; offset += INSTANCES_PAGE) {
        struct das_cloud_call call = das_cloud_job_call(j);
        struct das_cloud_answer *a = pages_next(&p, &err);
        rc = a ? das_cloud_instances(j->cloud, &j->place, engine(j), offset, INSTANCES_PAGE, &call,
                                     a, &err)
               : -1;
        if (rc < 0 || !pages_took(&p, INSTANCES_PAGE, INSTANCES_MAX))
            break;
    }
    if (rc < 0 || j->format != DAS_CF_LUA)
        return finish(j, &p, rc, "instances", columns, &err);
    rc = show_lua(j, &p, &err);
    pages_clear(&p);
    return rc < 0 ? das_complain("cloud", &err) : DAS_EXIT_DONE;
}
