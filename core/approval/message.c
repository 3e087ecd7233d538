/* message.c - what is said in the channel about a request (see approval.h). */
#include <stdio.h>
#include <string.h>

#include "core/approval/approval_impl.h"
#include "core/base/clock.h"
#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/notify/deliver.h"

#define LINKS_MAX 10
#define TOKEN_BYTES 24
#define SILENT_MAX 200 /* requests in one look */

static void put_names(struct das_buf *b, const char *what, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        das_buf_printf(b, "%s%s%s", b->len ? ", " : "", what, list[i]);
}

/* --- the message ------------------------------------------------------------------------------ */

int das_approval_field(struct das_notice *n, const char *name, const char *value,
                       struct das_err *err)
{
    if (!value || !*value)
        return 0;
    return das_notice_field(n, das_text_of(name), das_text_of(value), err);
}

static int set_texts(const struct das_approval *a, const struct das_plan *plan,
                     struct das_notice *n, struct das_err *err)
{
    static const char *const titles[DAS_APPROVAL_STATES] = {"Approval wanted",
                                                            "Approved",
                                                            "Approved",
                                                            "Approved",
                                                            "Rejected",
                                                            "Expired",
                                                            "Approved, outcome unknown",
                                                            "Approved, nothing was killed"};
    struct das_buf title = {0}, text = {0}, filter = {0};
    int rc;

    das_buf_printf(&title, "%s: kill %lld session%s on %s", titles[a->state], (long long)a->victims,
                   a->victims == 1 ? "" : "s", a->instance);
    das_buf_str(&text, a->reason);
    das_filter_print(das_plan_filter(plan), &filter);
    das_buf_printf(&text, "%sFilter: %.*s\n", *a->reason ? "\n" : "", (int)filter.len,
                   filter.ptr ? filter.ptr : "");
    if (a->state == DAS_APPROVAL_WAITING)
        das_buf_printf(&text, "das approve %s, or das reject %s --reason TEXT\n", a->id, a->id);
    das_approval_words(a, &text);
    rc = das_buf_ok(&title, err) < 0 || das_buf_ok(&text, err) < 0 ? -1 : 0;
    if (rc == 0)
        rc = das_notice_text(n, &n->title, das_buf_view(&title), DAS_NOTICE_TITLE, err);
    if (rc == 0)
        rc = das_notice_text(n, &n->text, das_buf_view(&text), DAS_NOTICE_TEXT, err);
    if (rc == 0)
        rc = das_notice_text(n, &n->instance, das_text_of(a->instance), DAS_NOTICE_KEY, err);
    das_buf_clear(&title);
    das_buf_clear(&text);
    das_buf_clear(&filter);
    return rc;
}

static int set_fields(const struct das_approval *a, struct das_notice *n, struct das_err *err)
{
    struct das_buf who = {0};
    char until[32], need[40];
    int rc;

    put_names(&who, "role ", a->roles, a->role_count);
    put_names(&who, "", a->users, a->user_count);
    das_clock_iso(a->expires_ms / 1000, until, sizeof until);
    snprintf(need, sizeof need, "%lld", (long long)a->need);
    rc = das_buf_ok(&who, err);
    if (rc == 0 && (das_approval_field(n, "request", a->id, err) < 0 ||
                    das_approval_field(n, "asked by", *a->person ? a->person : a->by, err) < 0 ||
                    das_approval_field(n, "policy", a->policy, err) < 0 ||
                    das_approval_field(n, "may decide", who.ptr, err) < 0 ||
                    das_approval_field(n, "needed", need, err) < 0 ||
                    (a->state == DAS_APPROVAL_WAITING &&
                     das_approval_field(n, "until", until, err) < 0)))
        rc = -1;
    for (size_t i = 0; i < a->vote_count && rc == 0; i++) {
        const struct das_approval_vote *v = &a->votes[i];
        das_buf_reset(&who);
        das_buf_printf(&who, "%s (%s)%s%s", v->yes ? "yes" : "no", v->via, *v->reason ? ": " : "",
                       v->reason);
        rc = das_buf_ok(&who, err) < 0 ? -1 : das_approval_field(n, v->person, who.ptr, err);
    }
    das_buf_clear(&who);
    return rc;
}

static int set_rows(const struct das_approval *a, const struct das_plan *plan, bool shape,
                    struct das_notice *n, struct das_err *err)
{
    struct das_err ignored;
    json_t *r = a->result.len ? das_json_parse(a->result.ptr, a->result.len, NULL, &ignored) : NULL;
    const json_t *outcomes = json_object_get(r, "outcomes");
    size_t count = das_plan_victims(plan);
    int rc = das_notice_rows(n, count, (int64_t)count, err);

    for (size_t i = 0; i < count && i < DAS_NOTICE_ROWS && rc == 0; i++) {
        const char *word =
            json_string_value(json_object_get(json_array_get(outcomes, i), "outcome"));
        struct das_session s;
        das_plan_victim(plan, i, &s);
        rc = das_notice_row(n, &s, das_text_of(word), shape, err);
    }
    json_decref(r);
    return rc;
}

int das_approval_notice(const struct das_approval *a, const struct das_plan *plan,
                        const struct das_channel *ch, struct das_notice *n, struct das_err *err)
{
    n->severity = a->state == DAS_APPROVAL_UNKNOWN || a->state == DAS_APPROVAL_FAILED ? DAS_ERROR
                  : a->state == DAS_APPROVAL_WAITING                                  ? DAS_WARNING
                                                                                      : DAS_INFO;
    if (set_texts(a, plan, n, err) < 0 || set_fields(a, n, err) < 0 ||
        set_rows(a, plan, ch && ch->redact, n, err) < 0)
        return -1;
    return 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

static int add_buttons(const struct das_approval *a, struct das_notice *n, struct das_err *err)
{
    char yes[DAS_APPROVAL_VALUE_SIZE], no[DAS_APPROVAL_VALUE_SIZE];

    das_approval_value(a, true, yes);
    das_approval_value(a, false, no);
    if (das_notice_button(n, das_text_of("Approve"), das_text_of(yes), false, err) < 0)
        return -1;
    return das_notice_button(n, das_text_of("Reject"), das_text_of(no), true, err);
}

static int make_link(struct das_store *s, const struct das_approval *a, const char *person,
                     const char *url, struct das_buf *out, struct das_err *err)
{
    char token[2 * TOKEN_BYTES + 1], hash[DAS_SHA256_HEX];

    if (das_random_hex(token, TOKEN_BYTES, err) < 0 ||
        das_sha256_hex(das_text_of(token), hash, err) < 0 ||
        das_approval_link_add(s, hash, a->id, person, err) < 0)
        return -1;
    das_buf_printf(out, "%s/approvals/%s", url, token);
    return das_buf_ok(out, err);
}

/* Each is good for one person, who has to sign in besides: so they may stand in a channel. */
static int add_links(struct das_store *s, const struct das_approval *a,
                     const struct das_people *people, const char *url, struct das_notice *n,
                     struct das_err *err)
{
    const struct das_person *able[LINKS_MAX];
    char why[200], name[100];
    size_t count = 0;
    int rc = 0;

    for (size_t i = 0; people && i < people->count && count < LINKS_MAX; i++) {
        const struct das_person *x = &people->items[i];
        if (das_person_has_id(x, "key") && das_approval_may(a, people, x->name, why, sizeof why))
            able[count++] = x;
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct das_buf link = {0};
        rc = make_link(s, a, able[i]->name, url, &link, err);
        if (rc == 0 && count == 1)
            rc = das_notice_link(n, das_buf_view(&link), err);
        snprintf(name, sizeof name, "page of %s", able[i]->name);
        if (rc == 0)
            rc = das_approval_field(n, name, link.ptr, err);
        das_buf_clear(&link);
    }
    return rc;
}

static int post(struct das_store *s, const struct das_approval *a, const struct das_plan *plan,
                const struct das_channel *ch, const struct das_approval_audience *to,
                struct das_err *err)
{
    char delivery[DAS_DELIVERY_SIZE];
    struct das_notice n;
    int rc;

    das_notice_init(&n);
    n.at_ms = a->created_ms;
    n.alone = true; /* a digest has only titles */
    rc = das_approval_notice(a, plan, ch, &n, err);
    if (rc == 0 && das_channel_clicks(ch))
        rc = add_buttons(a, &n, err);
    /* whoever listens at a webhook may do nothing with buttons */
    if (rc == 0 && to->url &&
        (!das_channel_clicks(ch) || strcmp(das_channel_word(ch), "webhook") == 0))
        rc = add_links(s, a, to->people, to->url, &n, err);
    if (rc == 0)
        rc = das_notice_queue(s, ch, &n, delivery, err) < 0 ? -1 : 0;
    if (rc == 0)
        rc = das_approval_set_delivery(s, a->id, delivery, err);
    das_notice_clear(&n);
    return rc;
}

int das_approval_post(struct das_store *s, const struct das_approval *a,
                      const struct das_approval_audience *to, struct das_err *err)
{
    const struct das_channel *ch;
    struct das_plan *plan;
    struct das_err none;
    int rc = das_approval_is_untold(s, a, err);

    if (rc <= 0)
        return rc;
    ch = das_channels_find(to->channels, a->channel, &none);
    if (!ch)
        return 0;
    plan = das_approval_plan(a, err);
    rc = plan ? post(s, a, plan, ch, to, err) : -1;
    das_plan_release(plan);
    return rc < 0 ? -1 : 1;
}

int das_approval_post_all(struct das_store *s, const struct das_approval_audience *to,
                          struct das_err *err)
{
    struct das_approval_key keys[SILENT_MAX];
    int n = das_approval_silent(s, keys, SILENT_MAX, err), done = 0, rc = n < 0 ? -1 : 0;

    for (int i = 0; i < n && rc >= 0; i++) {
        struct das_approval *a = NULL;
        rc = das_approval_get(s, keys[i].id, &a, err);
        if (rc == 0 && a)
            rc = das_approval_post(s, a, to, err);
        if (rc < 0 && err->code == DAS_E_DATA)
            rc = 0; /* was tampered with: das approvals says so */
        done += rc > 0;
        das_approval_free(a);
    }
    return rc < 0 ? -1 : done;
}

/* --- afterwards ------------------------------------------------------------------------------- */

static int tell(struct das_store *s, const struct das_approval *a, const struct das_channel *ch,
                struct das_err *err)
{
    struct das_plan *plan = das_approval_plan(a, err);
    char delivery[DAS_DELIVERY_SIZE];
    struct das_notice n;
    int rc = -1;

    if (!plan)
        return -1;
    das_notice_init(&n);
    n.at_ms = das_clock_unix_ms();
    if (das_approval_notice(a, plan, ch, &n, err) == 0 &&
        das_notice_text(&n, das_channel_edits(ch) ? &n.update : &n.thread, das_text_of(a->delivery),
                        DAS_NOTICE_KEY, err) == 0)
        rc = 0;
    /* an edit takes the buttons away: they are still needed */
    if (rc == 0 && a->state == DAS_APPROVAL_WAITING && das_channel_clicks(ch))
        rc = add_buttons(a, &n, err);
    if (rc == 0)
        rc = das_notice_queue(s, ch, &n, delivery, err) < 0 ? -1 : 0;
    das_notice_clear(&n);
    das_plan_release(plan);
    return rc;
}

int das_approval_tell(struct das_store *s, const char *id, const struct das_channels *channels,
                      struct das_err *err)
{
    const struct das_channel *ch = NULL;
    struct das_approval *a;
    struct das_err none;
    int rc = das_approval_get(s, id, &a, err);

    if (rc == 0 && a && *a->channel && *a->delivery)
        ch = das_channels_find(channels, a->channel, &none);
    /* the outcome follows in a moment: where a message cannot be edited, one is enough */
    if (ch && !das_channel_edits(ch) &&
        (a->state == DAS_APPROVAL_APPROVED || a->state == DAS_APPROVAL_APPLYING))
        ch = NULL;
    if (ch)
        rc = tell(s, a, ch, err);
    das_approval_free(a);
    return rc;
}
