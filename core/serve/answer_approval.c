/*
 * answer_approval.c - requests for a kill over HTTP: the list, a vote with a key, and the vote that
 * a page sends (see call.h). The page itself is page_html.c.
 *
 * Who votes is the person that people of das.lua has for the access key or token. Nothing is killed
 * on a thread that answers requests: the approver does it.
 */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/serve/page_html.h"
#include "core/serve/call.h"

#define LIST_MAX 200

static const struct das_people *people_of(const struct das_call *call)
{
    return call->server->opts->rules ? &call->server->opts->rules->people : NULL;
}

/* May the caller do that to requests for this instance? One that is not served here has no tags. */
static bool may(const struct das_call *call, enum das_action action, const char *instance)
{
    const struct das_member *m = das_fleet_named(call->server->fleet, instance);
    const char *const *tags = NULL;
    size_t count = 0;

    if (m)
        tags = das_member_tags(m, &count);
    return das_auth_may(&call->caller, das_actions[action].name, instance, tags, count);
}

/* --- voting ----------------------------------------------------------------------------------- */

static int vote(struct das_call *call, struct das_ballot *ballot, struct das_ballot_result *result)
{
    struct das_server *server = call->server;
    struct das_store *s = das_desk_take(server);
    struct das_err err;
    int rc = das_approval_vote(s, people_of(call), server->opts->vault, ballot, result, &err);

    if (rc == 0 && result->changed && server->opts->rules)
        rc = das_approval_tell(s, ballot->id, &server->opts->rules->channels, &err);
    das_desk_return(server);
    if (rc < 0)
        return das_refuse_err(call, &err);
    das_approver_wake(server->approver);
    return 0;
}

int das_call_vote(struct das_call *call, const struct das_approval *a, struct das_ballot *ballot,
                  struct das_ballot_result *result)
{
    const struct das_person *x = das_people_by(people_of(call), "key", call->caller.id);

    if (!may(call, DAS_A_DECIDE_APPROVAL, a->instance))
        return das_refuse(&call->refusal, 403, "APIGW.0302",
                          "Policy doesn't allow %s to be performed on this instance",
                          das_actions[DAS_A_DECIDE_APPROVAL].name);
    if (!x)
        return das_refuse(&call->refusal, 403, "APIGW.0302",
                          "The key %s is nobody's in people of das.lua", call->caller.id);
    ballot->person = x->name;
    return vote(call, ballot, result);
}

/* --- with a key ------------------------------------------------------------------------------- */

/* One that was tampered with is not shown; das approvals says what is wrong with it. */
static int put_one(struct das_call *call, struct das_store *s, const char *id, struct das_err *err)
{
    struct das_approval *a;

    if (das_approval_get(s, id, &a, err) < 0)
        return err->code == DAS_E_DATA ? 0 : -1;
    if (a && may(call, DAS_A_LIST_APPROVAL, a->instance)) {
        das_json_comma(&call->answer);
        das_approval_json(a, &call->answer);
    }
    das_approval_free(a);
    return 0;
}

int das_answer_approvals(struct das_call *call)
{
    struct das_approval_key *keys = das_calloc(LIST_MAX, sizeof *keys);
    struct das_text state = DAS_TEXT_NULL;
    struct das_store *s;
    struct das_err err;
    int n, rc;

    if (!keys)
        return das_refuse(&call->refusal, 503, "APIGW.0201", "Backend unavailable. Out of memory");
    if (das_query_text(call, "state", "DAS.200100", false, &state) < 0) {
        das_free(keys);
        return -1;
    }
    if (state.len && !das_text_is(state, "open")) {
        das_free(keys);
        return das_refuse_parameter(call, "state: expected open, or nothing");
    }
    das_buf_str(&call->answer, "{\"approvals\":[");
    s = das_desk_take(call->server);
    n = das_approval_list(s, state.len > 0, keys, LIST_MAX, &err);
    rc = n < 0 ? -1 : 0;
    for (int i = 0; i < n && rc == 0; i++)
        rc = put_one(call, s, keys[i].id, &err);
    das_desk_return(call->server);
    das_free(keys);
    das_buf_str(&call->answer, "]}");
    return rc < 0 ? das_refuse_err(call, &err) : 0;
}

/* The request of that id, or refused. The caller's to free. */
static int find(struct das_call *call, const char *id, struct das_approval **out)
{
    struct das_store *s = das_desk_take(call->server);
    struct das_err err;
    int rc = das_approval_get(s, id, out, &err);

    das_desk_return(call->server);
    if (rc < 0)
        return das_refuse_err(call, &err);
    return *out ? 0
                : das_refuse(&call->refusal, 404, "DAS.200100",
                             "The parameter is invalid. id: there is no such request");
}

static const char *const kind_words[] = {"counted", "approved", "rejected", "refused"};

int das_answer_approval_decide(struct das_call *call)
{
    const json_t *yes = json_object_get(call->body, "approve");
    struct das_text id, hash, reason = DAS_TEXT_NULL;
    char name[DAS_APPROVAL_ID_SIZE], prefix[DAS_SHA256_HEX];
    struct das_ballot ballot = {.id = name, .hash_prefix = prefix, .via = "api"};
    struct das_ballot_result r;
    struct das_approval *a;
    char *why = NULL;
    int rc = -1;

    if (das_body_text(call, "id", true, &id) < 0 || das_body_text(call, "plan", true, &hash) < 0 ||
        das_body_text(call, "reason", false, &reason) < 0)
        return -1;
    if (!json_is_boolean(yes))
        return das_refuse_parameter(call, "approve: expected true or false");
    if (id.len >= sizeof name || hash.len >= sizeof prefix)
        return das_refuse_parameter(call, "id, plan: expected an id and digits of the plan's hash");
    snprintf(name, sizeof name, "%.*s", (int)id.len, id.ptr);
    snprintf(prefix, sizeof prefix, "%.*s", (int)hash.len, hash.ptr);
    ballot.yes = json_is_true(yes);
    if (!ballot.yes && !das_text_trim(reason).len)
        return das_refuse_parameter(call, "reason: expected why not");
    if (reason.len && !(why = das_strndup(reason.ptr, reason.len)))
        return das_refuse(&call->refusal, 503, "APIGW.0201", "Backend unavailable. Out of memory");
    ballot.reason = why;
    if (find(call, name, &a) == 0) {
        rc = das_call_vote(call, a, &ballot, &r);
        if (rc == 0 && r.kind == DAS_BALLOT_REFUSED)
            rc = das_refuse(&call->refusal, 409, "DAS.200100", "Refused. %.400s", r.words);
        if (rc == 0) {
            das_buf_str(&call->answer, "{\"result\":\"");
            das_buf_printf(&call->answer, "%s\"", kind_words[r.kind]);
            das_json_key_text(&call->answer, "message", das_text_of(r.words));
            das_json_key_int(&call->answer, "yes", r.yes);
            das_json_key_int(&call->answer, "need", r.need);
            das_buf_char(&call->answer, '}');
        }
        das_approval_free(a);
    }
    das_free(why);
    return rc;
}
