/* cmd_status.c - das status: whether das would kill at all, and what somebody should look at. Only
 * looks: makes no database and changes none. */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/cli/cli.h"
#include "core/cli/schedule_text.h"
#include "core/store/approval.h"
#include "core/store/habits.h"
#include "core/store/journal.h"
#include "core/store/outbox.h"
#include "core/store/runbook.h"

#define UNKNOWN_SHOWN 20

static const char help[] =
    "das status [-o table|json] [--config FILE]\n"
    "\n"
    "Shows the off switch (das stop), the breakers that are not closed, the kills whose outcome\n"
    "nobody knows and that nobody has acknowledged, requests for kills and runbooks that wait for\n"
    "people, messages that wait or were given up, the policies that das serve runs, and the head of\n"
    "the journal: note it elsewhere, and das audit verify can tell later whether anything before it\n"
    "was changed.\n"
    "\n"
    "  -o, --output FORMAT   table, json\n"
    "      --config FILE     instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                        /etc/das/das.lua\n"
    "\n"
    "Exit: 0 whatever it shows, 1 the journal cannot be read, 2 usage or configuration.\n";

static const struct option options[] = {DAS_COMMON_LONG, {NULL, 0, NULL, 0}};

/* What there is to say, in both forms. */
struct status {
    bool json;
    struct das_buf out;
    size_t breakers;
};

/* --- off switch ------------------------------------------------------------------------------- */

static void put_stops(struct status *s, char **files)
{
    size_t n = 0;

    if (s->json)
        das_buf_str(&s->out, "{\"stopped\":[");
    for (char **f = files; *f; f++) {
        const char *one[] = {*f, NULL};
        char why[600];
        if (!das_stopped(one, why, sizeof why))
            continue;
        if (s->json) {
            das_json_comma(&s->out);
            das_buf_char(&s->out, '{');
            das_json_key(&s->out, "file");
            das_json_str(&s->out, *f);
            das_json_key(&s->out, "why");
            das_json_str(&s->out, why);
            das_buf_char(&s->out, '}');
        } else {
            das_buf_printf(&s->out, "%-12s", n ? "" : "off switch");
            das_render_cell(das_text_of(why), sizeof why, &s->out);
            das_buf_char(&s->out, '\n');
        }
        n++;
    }
    if (s->json)
        das_buf_char(&s->out, ']');
    else if (!n)
        das_buf_str(&s->out, "off switch  not set: kills are possible\n");
}

/* --- breakers --------------------------------------------------------------------------------- */

static int put_breaker(void *arg, const struct das_breaker_row *row)
{
    struct status *s = arg;
    char since[32];

    if (row->breaker.state == DAS_BREAKER_CLOSED)
        return 0;
    das_clock_iso(row->breaker.since_ms / 1000, since, sizeof since);
    if (s->json) {
        das_json_comma(&s->out);
        das_buf_char(&s->out, '{');
        das_json_key(&s->out, "policy");
        das_json_str(&s->out, row->policy);
        das_json_key(&s->out, "instance");
        das_json_str(&s->out, row->instance);
        das_json_key(&s->out, "state");
        das_json_str(&s->out, das_breaker_name(row->breaker.state));
        das_json_key(&s->out, "since");
        das_json_str(&s->out, since);
        das_json_key(&s->out, "reason");
        das_json_str(&s->out, row->breaker.reason);
        das_buf_char(&s->out, '}');
    } else {
        das_buf_printf(&s->out, "%-12s%s since %s: ", s->breakers ? "" : "breakers",
                       das_breaker_name(row->breaker.state), since);
        das_render_cell(das_text_of(row->policy), 200, &s->out);
        das_buf_str(&s->out, " on ");
        das_render_cell(das_text_of(row->instance), 128, &s->out);
        das_buf_str(&s->out, ": ");
        das_render_cell(das_text_of(row->breaker.reason), sizeof row->breaker.reason, &s->out);
        das_buf_char(&s->out, '\n');
    }
    s->breakers++;
    return 0;
}

static int put_breakers(struct status *s, struct das_store *store, struct das_err *err)
{
    if (s->json) {
        das_json_key(&s->out, "breakers");
        das_buf_char(&s->out, '[');
    }
    if (store && das_breaker_each(store, put_breaker, s, err) < 0)
        return -1;
    if (s->json)
        das_buf_char(&s->out, ']');
    else if (!s->breakers)
        das_buf_str(&s->out, "breakers    none is open\n");
    return 0;
}

/* --- journal ---------------------------------------------------------------------------------- */

static int put_unknown(struct status *s, struct das_store *store, struct das_err *err)
{
    int64_t seqs[UNKNOWN_SHOWN], n = 0;

    if (store && (n = das_journal_unknown(store, seqs, UNKNOWN_SHOWN, err)) < 0)
        return -1;
    if (s->json) {
        das_json_key_int(&s->out, "unknown", n);
        das_json_key(&s->out, "unknown_records");
        das_buf_char(&s->out, '[');
    } else if (!n) {
        das_buf_str(&s->out, "unknown     of every kill the outcome is known\n");
    } else {
        das_buf_printf(&s->out, "unknown     of %lld kill%s the outcome is not known: record",
                       (long long)n, n == 1 ? "" : "s");
    }
    for (int64_t i = 0; i < n && i < UNKNOWN_SHOWN; i++) {
        if (s->json)
            das_json_comma(&s->out);
        das_buf_printf(&s->out, "%s%lld", s->json ? "" : i ? ", " : " ", (long long)seqs[i]);
    }
    if (s->json)
        das_buf_char(&s->out, ']');
    else if (n)
        das_buf_printf(&s->out, "%s (das audit acknowledge SEQ REASON)\n",
                       n > UNKNOWN_SHOWN ? ", ..." : "");
    return 0;
}

/* --- messages --------------------------------------------------------------------------------- */

static int put_messages(struct status *s, struct das_store *store, struct das_err *err)
{
    int64_t waiting = 0, failed = 0;

    if (store && (das_outbox_count(store, DAS_OUTBOX_WAITING, &waiting, err) < 0 ||
                  das_outbox_count(store, DAS_OUTBOX_FAILED, &failed, err) < 0))
        return -1;
    if (s->json) {
        das_json_key(&s->out, "messages");
        das_buf_char(&s->out, '{');
        das_json_key_int(&s->out, "waiting", waiting);
        das_json_key_int(&s->out, "failed", failed);
        das_buf_char(&s->out, '}');
    } else if (waiting || failed) { /* who sends none is not told so */
        das_buf_printf(&s->out, "messages    %lld waiting, %lld given up (das notify --queue)\n",
                       (long long)waiting, (long long)failed);
    }
    return 0;
}

/* --- people ----------------------------------------------------------------------------------- */

/* What waits for somebody to say yes, no, or what became of it. */
static int put_people(struct status *s, struct das_store *store, struct das_err *err)
{
    struct das_runbook_counts books = {.open = 0};
    int64_t waiting = 0, approved = 0;

    if (store && (das_approval_count(store, &waiting, &approved, err) < 0 ||
                  das_runbook_count(store, &books, err) < 0))
        return -1;
    if (s->json) {
        das_json_key(&s->out, "approvals");
        das_buf_char(&s->out, '{');
        das_json_key_int(&s->out, "waiting", waiting);
        das_json_key_int(&s->out, "approved", approved);
        das_buf_char(&s->out, '}');
        das_json_key(&s->out, "runbooks");
        das_buf_char(&s->out, '{');
        das_json_key_int(&s->out, "open", books.open);
        das_json_key_int(&s->out, "questions", books.questions);
        das_json_key_int(&s->out, "unknown", books.unknown);
        das_buf_char(&s->out, '}');
        return 0;
    }
    if (waiting || approved)
        das_buf_printf(&s->out,
                       "approvals   %lld waiting, %lld to be carried out (das approvals --open)\n",
                       (long long)waiting, (long long)approved);
    if (books.open)
        das_buf_printf(&s->out,
                       "runbooks    %lld open: %lld question%s, %lld of unknown outcome (das runbook "
                       "list --open)\n",
                       (long long)books.open, (long long)books.questions,
                       books.questions == 1 ? "" : "s", (long long)books.unknown);
    return 0;
}

static int put_journal(struct status *s, struct das_store *store, const char *dir,
                       struct das_err *err)
{
    struct das_head head = {0};

    if (store && das_journal_head(store, &head, err) < 0)
        return -1;
    if (s->json) {
        das_json_key(&s->out, "journal");
        das_buf_char(&s->out, '{');
        das_json_key(&s->out, "state");
        das_json_str(&s->out, dir);
        das_json_key_int(&s->out, "seq", head.seq);
        das_json_key(&s->out, "hash");
        das_json_text(&s->out, head.seq ? das_text_of(head.hash) : DAS_TEXT_NULL);
        das_buf_str(&s->out, "}}\n");
    } else if (head.seq) {
        das_buf_printf(&s->out, "journal     head %lld:%s in ", (long long)head.seq, head.hash);
        das_render_cell(das_text_of(das_store_path(store)), 400, &s->out);
        das_buf_char(&s->out, '\n');
    } else {
        das_buf_str(&s->out, "journal     none yet in ");
        das_render_cell(das_text_of(dir), 400, &s->out);
        das_buf_char(&s->out, '\n');
    }
    return 0;
}

/* The off switch is shown also when the configuration or the journal cannot be read. */
static int show(struct das_common *c)
{
    struct status s = {.json = c->output == DAS_OUT_JSON};
    struct das_store *store = NULL;
    struct das_err err;
    int rc = das_common_finish(c, &err);

    if (c->stop_files)
        put_stops(&s, c->stop_files);
    if (rc == 0)
        rc = das_common_need_state(c, &err);
    if (rc == 0)
        rc = das_store_open_to_read(c->state_dir.ptr, &store, &err);
    if (rc == 0)
        rc = put_breakers(&s, store, &err);
    if (rc == 0)
        rc = put_unknown(&s, store, &err);
    if (rc == 0)
        rc = put_people(&s, store, &err);
    if (rc == 0)
        rc = put_messages(&s, store, &err);
    if (rc == 0)
        rc = das_schedule_show(c->state_dir.ptr, s.json, das_terminal_width(), &s.out, &err);
    if (rc == 0)
        rc = put_journal(&s, store, c->state_dir.ptr, &err);
    if (rc == 0)
        rc = das_buf_ok(&s.out, &err);
    if (s.out.len && (rc == 0 || !s.json))
        fwrite(s.out.ptr, 1, s.out.len, stdout);
    das_store_close(store);
    das_buf_clear(&s.out);
    return rc < 0 ? das_complain("status", &err) : DAS_EXIT_DONE;
}

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    return das_common_option(arg, option, value, err);
}

static int parse(struct das_common *c, int argc, char **argv, struct das_err *err)
{
    const struct das_options o = {help, ":" DAS_COMMON_SHORT, options, take_option, c};
    int rc = das_options_read(&o, argc, argv, err);

    if (rc != 0)
        return rc;
    if (optind < argc || c->instance_count)
        return das_fail(err, DAS_E_USAGE, "das status is of this machine; it takes no %s",
                        c->instance_count ? "instance" : "words");
    if (c->output == DAS_OUT_CSV)
        return das_fail(err, DAS_E_USAGE, "-o: expected table or json, got \"csv\"");
    return 0;
}

int das_cmd_status(int argc, char **argv)
{
    struct das_common common;
    struct das_err err;
    int rc = das_common_init(&common, &err), parsed = -1;

    if (rc == 0)
        parsed = parse(&common, argc, argv, &err);
    if (parsed > 0)
        rc = DAS_EXIT_DONE;
    else if (parsed < 0)
        rc = das_complain("status", &err);
    else
        rc = show(&common);
    das_common_clear(&common);
    return rc;
}
