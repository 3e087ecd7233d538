/*
 * answer_kill.c - sessions that a client wants ended now (see call.h). Each is previewed, planned
 * and applied like everybody's (killer.h); the answer says what became of it.
 */
#include <stdio.h>

#include "core/base/json.h"
#include "core/serve/call.h"

#define KILLS_MAX 1000 /* ids in one request */

/* --- whom ------------------------------------------------------------------------------------- */

/* Joined in halves, because filters may nest only so deep. n is at least 1; retains all of them. */
static struct das_filter *any_of(struct das_filter *const *all, size_t n, struct das_err *err)
{
    struct das_filter *left, *right, *both;

    if (n == 1)
        return das_filter_retain(all[0]);
    left = any_of(all, n / 2, err);
    right = left ? any_of(all + n / 2, n - n / 2, err) : NULL;
    both = right ? das_filter_or(left, right, err) : NULL;
    das_filter_release(left);
    das_filter_release(right);
    return both;
}

/* {id = {...}, user = ..., db = ...}: NULL and 0 are not said. */
static struct das_filter *these(const int64_t *ids, size_t n, struct das_text user,
                                struct das_text db, struct das_err *err)
{
    const struct das_value id = {.kind = DAS_V_INTS, .ints = ids, .count = n};
    struct das_filter *f = das_filter_new(err);

    if (f && (!n || das_filter_set(f, "id", &id, err) == 0) &&
        das_filter_set_exactly(f, "user", user, err) == 0 &&
        das_filter_set_exactly(f, "db", db, err) == 0)
        return f;
    das_filter_release(f);
    return NULL;
}

/* The list processes: sessions by id, each with the user that it has to belong to. */
struct wanted {
    int64_t id;
    struct das_text user;
    bool taken;
};

static int read_one(struct das_call *call, const json_t *item, size_t i, struct wanted *w)
{
    const json_t *id = json_object_get(item, "id"), *user = json_object_get(item, "user");

    if (!json_is_object(item))
        return das_refuse_parameter(call, "processes[%zu]: expected an object", i);
    if (!json_is_integer(id))
        return das_refuse_parameter(call, "processes[%zu].id: expected a whole number", i);
    if (!json_is_string(user) || !json_string_length(user))
        return das_refuse_parameter(call, "processes[%zu].user: expected the user of the session",
                                    i);
    *w = (struct wanted){json_integer_value(id),
                         das_text(json_string_value(user), json_string_length(user)), false};
    return 0;
}

/* {user = the user of wanted[from], id = all of them that have this user} */
static struct das_filter *of_one_user(struct wanted *wanted, size_t n, size_t from,
                                      struct das_err *err)
{
    int64_t ids[KILLS_MAX];
    size_t count = 0;

    for (size_t i = from; i < n; i++) {
        if (wanted[i].taken || !das_text_eq(wanted[i].user, wanted[from].user))
            continue;
        wanted[i].taken = true;
        ids[count++] = wanted[i].id;
    }
    return these(ids, count, wanted[from].user, DAS_TEXT_NULL, err);
}

static int any_wanted(struct wanted *wanted, size_t n, struct das_filter **out, struct das_err *err)
{
    struct das_filter *all[KILLS_MAX];
    size_t count = 0;
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++) {
        if (wanted[i].taken)
            continue;
        all[count] = of_one_user(wanted, n, i, err);
        if (all[count])
            count++;
        else
            rc = -1;
    }
    if (rc == 0 && !(*out = any_of(all, count, err)))
        rc = -1;
    while (count)
        das_filter_release(all[--count]);
    return rc;
}

/* The caller releases *out, also after an error. */
static int read_processes(struct das_call *call, struct das_filter **out)
{
    const json_t *list = json_object_get(call->body, "processes");
    struct wanted wanted[KILLS_MAX];
    size_t n = json_array_size(list);
    struct das_err err;

    if (n == 0 || n > KILLS_MAX)
        return das_refuse_parameter(call, "processes: expected a list of 1 to %d", KILLS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (read_one(call, json_array_get(list, i), i, &wanted[i]) < 0)
            return -1;
    }
    return any_wanted(wanted, n, out, &err) < 0 ? das_refuse_err(call, &err) : 0;
}

/* --- the kill --------------------------------------------------------------------------------- */

static void put_outcomes(const struct das_report *r, struct das_buf *b)
{
    struct das_session s;

    das_json_key(b, "outcomes");
    das_buf_char(b, '[');
    for (size_t i = 0; r && i < r->count; i++) {
        das_plan_victim(r->plan, i, &s);
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key_int(b, "id", s.id);
        das_json_key_text(b, "outcome", das_text_of(das_outcome_name(r->items[i].kind)));
        if (r->items[i].note && *r->items[i].note)
            das_json_key_text(b, "note", das_text_of(r->items[i].note));
        das_buf_char(b, '}');
    }
    das_buf_char(b, ']');
}

static const char *first_note(const struct das_report *r, enum das_outcome_kind kind)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->items[i].kind == kind && r->items[i].note && *r->items[i].note)
            return r->items[i].note;
    }
    return das_outcome_name(kind);
}

static size_t ended(const struct das_report *r)
{
    return r ? r->totals[DAS_O_KILLED] + r->totals[DAS_O_KILLING] : 0;
}

/* What is said where nobody was ended; 0: there is nothing to complain of. */
static int complain(struct das_call *call, const struct das_report *r)
{
    if (r->totals[DAS_O_UNKNOWN])
        return das_refuse(
            &call->refusal, 500, "APIGW.0201",
            "Backend unavailable. %zu kills were sent and nobody knows what became of them: "
            "%.300s",
            r->totals[DAS_O_UNKNOWN], first_note(r, DAS_O_UNKNOWN));
    if (ended(r))
        return 0;
    if (r->totals[DAS_O_REFUSED])
        return das_refuse(&call->refusal, 400, "DAS.200100", "Refused. %.400s",
                          first_note(r, DAS_O_REFUSED));
    if (r->totals[DAS_O_PROTECTED])
        return das_refuse(&call->refusal, 400, "DAS.200100",
                          "Refused. The session is protected: %.400s",
                          first_note(r, DAS_O_PROTECTED));
    if (r->totals[DAS_O_FAILED])
        return das_refuse(&call->refusal, 500, "APIGW.0201", "Backend unavailable. %.400s",
                          first_note(r, DAS_O_FAILED));
    return 0;
}

/* Kills whom f selects; the caller owns *out. */
static int kill_them(struct das_call *call, struct das_filter *f, const char *reason,
                     struct das_report **out)
{
    char who[100], why[200];
    struct das_kill_ask ask = {
        .filter = f, .policy = "serve:kill", .who = who, .reason = why, .until_ms = call->until_ms};
    size_t matched = 0;
    struct das_err err;

    das_call_who(call, who, sizeof who);
    snprintf(why, sizeof why, "%s, request %s", reason, call->request_id);
    if (das_killer_kill(&call->server->killer, call->member, &ask, &matched, out, &err) < 0)
        return das_refuse_err(call, &err);
    das_count_outcomes(call->server, "kill", *out);
    return *out ? complain(call, *out) : 0;
}

static int answer_count(struct das_call *call, struct das_filter *f, const char *reason)
{
    struct das_report *r = NULL;
    int rc = kill_them(call, f, reason, &r);

    if (rc == 0) {
        das_buf_char(&call->answer, '{');
        das_json_key_int(&call->answer, "count", (int64_t)ended(r));
        put_outcomes(r, &call->answer);
        das_buf_char(&call->answer, '}');
    }
    das_report_free(r);
    return rc;
}

int das_answer_kill_process(struct das_call *call)
{
    static const char *const engines[] = {"mysql", "mariadb", "taurusdb"};
    struct das_filter *f = NULL;
    struct das_text engine;
    bool known = false;
    int rc;

    if (das_body_text(call, "engine_type", true, &engine) < 0)
        return -1;
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
        known |= das_text_iis(engine, engines[i]);
    if (!known)
        return das_refuse(&call->refusal, 400, "DAS.200107",
                          "The datastore_type is invalid. engine_type: expected MySQL");
    rc = read_processes(call, &f);
    if (rc == 0)
        rc = answer_count(call, f, "kill-process");
    das_filter_release(f);
    return rc;
}

/* --- DELETE process --------------------------------------------------------------------------- */

static int read_ids(struct das_call *call, int64_t ids[KILLS_MAX], size_t *n)
{
    const json_t *list = json_object_get(call->body, "process_ids"), *item;

    *n = 0;
    if (!list || json_is_null(list))
        return 0;
    /* an empty one might be meant as none, or as all */
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > KILLS_MAX)
        return das_refuse_parameter(call, "process_ids: expected a list of 1 to %d", KILLS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        item = json_array_get(list, i);
        if (json_is_integer(item))
            ids[i] = json_integer_value(item);
        else if (!json_is_string(item) ||
                 !das_parse_int(das_text(json_string_value(item), json_string_length(item)),
                                &ids[i]))
            return das_refuse_parameter(call, "process_ids[%zu]: expected the id of a session", i);
    }
    *n = json_array_size(list);
    return 0;
}

/* Where several are given all have to be met: in doubt fewer die. */
int das_answer_delete_process(struct das_call *call)
{
    struct das_text db_user, user, db;
    struct das_report *r = NULL;
    int64_t ids[KILLS_MAX];
    struct das_filter *f;
    struct das_err err;
    size_t n;
    int rc;

    if (das_body_text(call, "db_user_id", true, &db_user) < 0 ||
        das_call_db_user(call, db_user) < 0 || das_body_text(call, "user", false, &user) < 0 ||
        das_body_text(call, "database", false, &db) < 0 || read_ids(call, ids, &n) < 0)
        return -1;
    if (!n && !user.ptr && !db.ptr)
        return das_refuse_parameter(call, "process_ids: it, user or database is required");
    f = these(ids, n, user, db, &err);
    if (!f)
        return das_refuse_err(call, &err);
    rc = kill_them(call, f, "DELETE process", &r);
    das_report_free(r);
    das_filter_release(f);
    return rc; /* an empty body: so does the API */
}

/* --- kill all --------------------------------------------------------------------------------- */

static int need_switch(struct das_call *call)
{
    bool on;

    if (das_call_switch(call, &on) < 0)
        return -1;
    return on ? 0
              : das_refuse(&call->refusal, 400, "DAS.200100",
                           "Refused. The kill task switch of this instance is off");
}

int das_answer_kill_all(struct das_call *call)
{
    const struct das_value all = {.kind = DAS_V_BOOL, .boolean = true};
    struct das_report *r = NULL;
    struct das_filter *f;
    struct das_err err;
    bool good;
    int rc;

    if (need_switch(call) < 0)
        return -1;
    f = das_filter_new(&err);
    if (!f || das_filter_set(f, "all", &all, &err) < 0)
        rc = das_refuse_err(call, &err);
    else
        rc = kill_them(call, f, "kill-all-session", &r);
    if (rc == 0) {
        good = !r || !(r->totals[DAS_O_FAILED] + r->totals[DAS_O_REFUSED]);
        das_buf_char(&call->answer, '{');
        das_json_key_bool(&call->answer, "success", good);
        das_json_key_int(&call->answer, "count", (int64_t)ended(r));
        if (!good)
            put_outcomes(r, &call->answer);
        das_buf_char(&call->answer, '}');
    }
    das_report_free(r);
    das_filter_release(f);
    return rc;
}
