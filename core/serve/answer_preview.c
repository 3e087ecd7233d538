/* answer_preview.c - sessions that match, and process lists (see call.h): the handlers that only
 * look. All of them work on the shared list of the instance. */
#include <inttypes.h>
#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/serve/call.h"
#include "core/serve/criteria.h"

#define PREVIEW_MAX 200   /* sessions in one answer; total_count is true */
#define SESSION_BYTES 320 /* as JSON, mostly less */
#define PAGE_MAX 100

/* --- preview ---------------------------------------------------------------------------------- */

/* In a preview that says nothing of whom it means, everybody is meant: it only looks. */
static struct das_filter *criteria(struct das_call *call)
{
    const struct das_value all = {.kind = DAS_V_BOOL, .boolean = true};
    struct das_task t = {0};
    struct das_filter *f = das_body_criteria(call, false, &t);
    struct das_err err;

    if (!f || das_criteria_any(&t) || t.time || das_filter_set(f, "all", &all, &err) == 0)
        return f;
    das_refuse_err(call, &err);
    das_filter_release(f);
    return NULL;
}

static void write_preview(struct das_call *call, const struct das_selection *sel,
                          const struct das_seen_list *at)
{
    struct das_buf *b = &call->answer;
    size_t shown = sel->count < PREVIEW_MAX ? sel->count : PREVIEW_MAX;

    das_buf_reserve(b, 128 + shown * SESSION_BYTES); /* once, instead of growing to it */
    das_buf_char(b, '{');
    das_json_key_bool(b, "success", false); /* so does the API, whatever it means by it */
    das_json_key_int(b, "data_sync_time", at->taken_s);
    das_json_key_int(b, "total_count", sel->total);
    das_json_key(b, "processes");
    das_buf_char(b, '[');
    for (size_t i = 0; i < shown; i++) {
        if (i)
            das_buf_char(b, ',');
        das_written_add(at->written, sel->rows[i], b);
    }
    das_buf_str(b, "]}");
}

static int look(struct das_call *call, struct das_seen_list *at)
{
    struct das_err err;

    if (das_member_look(call->member, call->until_ms, at, &err) == 0)
        return 0;
    return das_refuse_err(call, &err);
}

int das_answer_preview(struct das_call *call)
{
    struct das_metrics *m = call->server->metrics;
    const char *kind = das_member_kind(call->member);
    struct das_filter *f = criteria(call);
    struct das_selection *sel = NULL;
    struct das_seen_list at = {0};
    struct das_err err;
    int64_t began = das_clock_monotonic_us();
    int rc = -1;

    if (!f)
        return -1;
    if (look(call, &at) == 0) {
        sel = das_select(at.snap, f, &err);
        if (!sel)
            das_refuse_err(call, &err);
    }
    if (sel) {
        write_preview(call, sel, &at);
        rc = 0;
    }
    das_metrics_preview(m, kind, rc == 0, (double)(das_clock_monotonic_us() - began) / 1e6,
                        at.snap ? das_snapshot_rows(at.snap) : 0, sel ? sel->count : 0);
    das_selection_free(sel);
    das_seen_list_clear(&at);
    das_filter_release(f);
    return rc;
}

/* --- process lists ---------------------------------------------------------------------------- */

/* What a page of a list is made from. */
struct page {
    struct das_seen_list at;
    struct das_selection *sel;
    int64_t offset, limit;
};

static void page_clear(struct page *p)
{
    das_selection_free(p->sel);
    das_seen_list_clear(&p->at);
}

/* Of all sessions those with exactly this user and db; NULL: any. */
static int page_take(struct das_call *call, struct das_text user, struct das_text db,
                     struct page *p)
{
    struct das_err err;
    struct das_filter *f = das_filter_new(&err);
    struct das_value all = {.kind = DAS_V_BOOL, .boolean = true};
    int rc = -1;

    if (f && das_filter_set_exactly(f, "user", user, &err) == 0 &&
        das_filter_set_exactly(f, "db", db, &err) == 0 &&
        (user.len || db.len || das_filter_set(f, "all", &all, &err) == 0))
        rc = 0;
    if (rc < 0)
        das_refuse_err(call, &err);
    else if ((rc = look(call, &p->at)) == 0 && !(p->sel = das_select(p->at.snap, f, &err)))
        rc = das_refuse_err(call, &err);
    das_filter_release(f);
    return rc;
}

static void put_number_text(struct das_buf *b, const char *key, int64_t v)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, v);
    das_json_key_text(b, key, das_known(v) ? das_text_of(text) : DAS_TEXT_NULL);
}

/* All of it texts: so this list has them. */
static void put_listed(struct das_buf *b, const struct das_session *s)
{
    das_json_comma(b);
    das_buf_char(b, '{');
    put_number_text(b, "id", s->id);
    das_json_key_text(b, "user", s->user);
    das_json_key_text(b, "host", s->host);
    das_json_key_text(b, "database", s->db);
    das_json_key_text(b, "command", s->command);
    put_number_text(b, "time", s->state_duration);
    das_json_key_text(b, "state", s->state);
    das_json_key_text(b, "sql", s->sql_info);
    put_number_text(b, "trx_executed_time", s->trx_time);
    das_buf_char(b, '}');
}

static void write_page(struct das_buf *b, const struct page *p)
{
    struct das_session s;

    das_buf_char(b, '[');
    for (int64_t i = p->offset; i < (int64_t)p->sel->count && i - p->offset < p->limit; i++) {
        das_snapshot_get(p->sel->snap, p->sel->rows[i], &s);
        put_listed(b, &s);
    }
    das_buf_char(b, ']');
}

int das_call_db_user(struct das_call *call, struct das_text id)
{
    if (das_text_is(id, das_member_db_user(call->member)))
        return 0;
    if (id.len == 36)
        return das_refuse(&call->refusal, 400, "DAS.220003", "The database user does not exist.");
    return das_refuse(&call->refusal, 400, "DAS.200112",
                      "The db_user_id value is invalid! Expected a UUID");
}

int das_answer_processes(struct das_call *call)
{
    struct page p = {.limit = PAGE_MAX};
    struct das_text db_user, user, db, node;
    int rc;

    if (das_query_text(call, "db_user_id", "DAS.200112", true, &db_user) < 0 ||
        das_call_db_user(call, db_user) < 0 ||
        das_query_text(call, "user", "DAS.200100", false, &user) < 0 ||
        das_query_text(call, "database", "DAS.200108", false, &db) < 0 ||
        das_query_text(call, "node_id", "DAS.200100", false, &node) < 0 ||
        das_query_int(call, "offset", "DAS.200103", (struct das_bounds){0, INT32_MAX, false},
                      &p.offset) < 0 ||
        das_query_int(call, "limit", "DAS.200104", (struct das_bounds){1, PAGE_MAX, false},
                      &p.limit) < 0)
        return -1;
    if (!user.ptr && !db.ptr)
        return das_refuse_parameter(call, "user: it or database is required");
    if (node.ptr && !das_text_is(node, das_member_node(call->member)))
        return das_refuse_parameter(call, "node_id: there is no such node");
    rc = page_take(call, user, db, &p);
    if (rc == 0) {
        das_buf_char(&call->answer, '{');
        das_json_key(&call->answer, "processes");
        write_page(&call->answer, &p);
        das_json_key_int(&call->answer, "count", (int64_t)p.sel->count);
        das_buf_char(&call->answer, '}');
    }
    page_clear(&p);
    return rc;
}

int das_answer_process_list(struct das_call *call)
{
    struct page p = {.limit = PAGE_MAX};
    struct das_text user, db, node;
    int64_t at = 1;
    int rc;

    if (das_query_text(call, "user", "DAS.200100", false, &user) < 0 ||
        das_query_text(call, "db", "DAS.200108", false, &db) < 0 ||
        das_query_text(call, "node_id", "DAS.200100", false, &node) < 0 ||
        das_query_int(call, "cur_page", "DAS.200103", (struct das_bounds){1, INT32_MAX, false},
                      &at) < 0 ||
        das_query_int(call, "per_page", "DAS.200104", (struct das_bounds){1, PAGE_MAX, false},
                      &p.limit) < 0)
        return -1;
    if (node.ptr && !das_text_is(node, das_member_node(call->member)))
        return das_refuse_parameter(call, "node_id: there is no such node");
    p.offset = (at - 1) * p.limit;
    rc = page_take(call, user, db, &p);
    if (rc == 0) {
        das_buf_char(&call->answer, '{');
        das_json_key_int(&call->answer, "data_sync_time", p.at.taken_s);
        das_json_key_int(&call->answer, "total", (int64_t)p.sel->count);
        das_json_key(&call->answer, "data");
        write_page(&call->answer, &p);
        das_buf_char(&call->answer, '}');
    }
    page_clear(&p);
    return rc;
}
