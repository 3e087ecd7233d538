/* show.c - a request in words and as JSON (see approval.h). */
#include <string.h>

#include "core/approval/approval_impl.h"
#include "core/base/json.h"

/* Why the first of those was not killed; NULL: nobody said. */
static const char *first_note(const json_t *report, const char *outcome)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(report, "outcomes"), i, one)
    {
        const char *word = json_string_value(json_object_get(one, "outcome"));
        const char *note = json_string_value(json_object_get(one, "note"));
        if (word && strcmp(word, outcome) == 0 && note && *note)
            return note;
    }
    return NULL;
}

/* "2 killed, 1 refused (limits.kill.run: 3 and no more)" of the report in result. */
static void put_totals(const struct das_approval *a, struct das_buf *b)
{
    struct das_err ignored;
    json_t *r = a->result.len ? das_json_parse(a->result.ptr, a->result.len, NULL, &ignored) : NULL;
    const char *note;
    bool first = true;

    for (int k = 0; k < DAS_O_COUNT; k++) {
        const char *word = das_outcome_name((enum das_outcome_kind)k);
        json_int_t n = json_integer_value(json_object_get(r, word));
        if (n <= 0)
            continue;
        das_buf_printf(b, "%s%lld %s", first ? "; " : ", ", (long long)n, word);
        first = false;
        note = k == DAS_O_REFUSED || k == DAS_O_FAILED ? first_note(r, word) : NULL;
        if (note)
            das_buf_printf(b, " (%s)", note);
    }
    json_decref(r);
}

static void put_voters(const struct das_approval *a, bool yes, struct das_buf *b)
{
    bool first = true;

    for (size_t i = 0; i < a->vote_count; i++) {
        if (a->votes[i].yes != yes)
            continue;
        das_buf_printf(b, "%s%s", first ? " by " : ", ", a->votes[i].person);
        first = false;
    }
}

void das_approval_words(const struct das_approval *a, struct das_buf *b)
{
    bool no = a->state == DAS_APPROVAL_REJECTED;

    if (a->state == DAS_APPROVAL_WAITING) {
        das_buf_printf(b, "waits for %lld of %lld", (long long)a->need - (long long)a->yes_count,
                       (long long)a->need);
        if (a->yes_count) {
            das_buf_str(b, "; approved");
            put_voters(a, true, b);
        }
        return;
    }
    if (a->state == DAS_APPROVAL_EXPIRED) {
        das_buf_str(b, "expired: nothing is killed");
        return;
    }
    das_buf_str(b, no ? "rejected" : "approved");
    put_voters(a, !no, b);
    switch (a->state) {
    case DAS_APPROVAL_REJECTED:
        das_buf_str(b, ": nothing is killed");
        break;
    case DAS_APPROVAL_FAILED:
        das_buf_str(b, "; nothing was killed");
        break;
    case DAS_APPROVAL_UNKNOWN:
        das_buf_str(b, "; what became of it is not known");
        put_totals(a, b);
        break;
    case DAS_APPROVAL_APPLIED:
        put_totals(a, b);
        break;
    default:
        das_buf_str(b, "; it is carried out");
        break;
    }
    if (*a->note)
        das_buf_printf(b, ": %s", a->note);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_text(struct das_buf *b, const char *key, const char *value)
{
    das_json_key_text(b, key, *value ? das_text_of(value) : DAS_TEXT_NULL);
}

static void json_time(struct das_buf *b, const char *key, int64_t ms)
{
    if (ms)
        das_json_key_int(b, key, ms);
}

void das_approval_json(const struct das_approval *a, struct das_buf *b)
{
    das_buf_char(b, '{');
    json_text(b, "id", a->id);
    json_text(b, "state", das_approval_state_name(a->state));
    json_text(b, "instance", a->instance);
    json_text(b, "policy", a->policy);
    json_text(b, "channel", a->channel);
    json_text(b, "reason", a->reason);
    json_text(b, "by", a->by);
    json_text(b, "person", a->person);
    das_json_key_names(b, "roles", a->roles, a->role_count);
    das_json_key_names(b, "users", a->users, a->user_count);
    das_json_key_int(b, "need", a->need);
    das_json_key_int(b, "victims", a->victims);
    das_json_key_int(b, "created_ms", a->created_ms);
    das_json_key_int(b, "expires_ms", a->expires_ms);
    json_time(b, "decided_ms", a->decided_ms);
    json_time(b, "ended_ms", a->ended_ms);
    das_json_key(b, "votes");
    das_buf_char(b, '[');
    for (size_t i = 0; i < a->vote_count; i++) {
        das_json_comma(b);
        das_buf_char(b, '{');
        json_text(b, "person", a->votes[i].person);
        das_json_key_bool(b, "yes", a->votes[i].yes);
        json_text(b, "via", a->votes[i].via);
        json_text(b, "reason", a->votes[i].reason);
        das_json_key_int(b, "at_ms", a->votes[i].at_ms);
        das_buf_char(b, '}');
    }
    das_buf_char(b, ']');
    json_text(b, "note", a->note);
    json_text(b, "plan", a->hash);
    das_json_key(b, "report");
    if (a->result.len)
        das_buf_text(b, a->result);
    else
        das_buf_str(b, "null");
    das_buf_char(b, '}');
}
