/* cmd_notify.c - das notify: a message from the command line, the channels, and what waits. */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/cli/cli.h"
#include "core/cli/deliver_cli.h"
#include "core/store/outbox.h"

#define BUDGET_MS 30000
#define QUEUE_SHOWN 200

static const char help[] =
    "das notify [--title TITLE] [--severity WORD] [--event WORD] [--dedup KEY] [--link URL]\n"
    "           CHANNEL TEXT...\n"
    "das notify --list | --queue [CHANNEL] | --send   [-o table|json|csv] [--config FILE]\n"
    "\n"
    "Sends a message to a channel of das.lua, as das.notify() does for scripts. What does not get\n"
    "through waits in the state directory and is tried again by the next run that sends messages,\n"
    "by das serve, or by das notify --send.\n"
    "\n"
    "      --title TITLE     its first line\n"
    "      --severity WORD   info, warning, error, critical\n"
    "      --event WORD      trigger, acknowledge, resolve: for PagerDuty and Alertmanager\n"
    "      --dedup KEY       the same key is not said twice within an hour (das.lua: dedup)\n"
    "      --link URL        where there is more\n"
    "      --list            the channels that there are\n"
    "      --queue           what waits, was sent, or was given up, newest first\n"
    "      --send            send what is due, and nothing else\n"
    "  -o, --output FORMAT   of --list and --queue: table, json, csv\n"
    "      --config FILE     instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                        /etc/das/das.lua\n"
    "\n"
    "Examples\n"
    "  das notify ops 'orders: fail-over begins'\n"
    "  das notify --severity critical --dedup orders-lag --title 'orders lags' oncall '300 s "
    "behind'\n"
    "  das notify --event resolve --dedup orders-lag oncall 'orders has caught up'\n"
    "\n"
    "TEXT - is standard input. Exit: 0 sent, or queued where its channel is to wait; 1 not sent; "
    "2\n"
    "usage or configuration; 4 --send: some messages were not sent.\n";

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"title", required_argument, NULL, 1001},
    {"severity", required_argument, NULL, 1002},
    {"event", required_argument, NULL, 1003},
    {"dedup", required_argument, NULL, 1004},
    {"link", required_argument, NULL, 1005},
    {"list", no_argument, NULL, 1006},
    {"queue", no_argument, NULL, 1007},
    {"send", no_argument, NULL, 1008},
    {NULL, 0, NULL, 0},
};

struct notify {
    struct das_common common;
    const char *title, *severity, *event, *dedup, *link;
    bool list, queue, send;
    struct das_buf out;
    int64_t now_ms;
};

/* --- channels --------------------------------------------------------------------------------- */

static void list_one(struct notify *o, const struct das_channel *ch, size_t widest)
{
    const struct das_pace p = das_channel_pace(ch);
    struct das_buf *b = &o->out;

    if (o->common.output == DAS_OUT_JSON) {
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key_text(b, "name", das_text_of(ch->name));
        das_json_key_text(b, "kind", das_text_of(das_channel_word(ch)));
        das_json_key_text(b, "form", das_text_of(das_channel_form(ch)));
        das_json_key_int(b, "burst", p.burst);
        das_json_key_int(b, "every_ms", p.every_ms);
        das_json_key_int(b, "digest_ms", ch->digest_ms);
        das_json_key_bool(b, "redact", ch->redact);
        das_buf_char(b, '}');
    } else if (o->common.output == DAS_OUT_CSV) {
        das_render_csv_text(das_text_of(ch->name), b);
        das_buf_printf(b, ",%s,%s,%lld,%lld,%lld,%d\r\n", das_channel_word(ch),
                       das_channel_form(ch), (long long)p.burst, (long long)p.every_ms,
                       (long long)ch->digest_ms, ch->redact);
    } else {
        das_buf_printf(b, "%-*s %-13s %-20s", (int)widest, ch->name, das_channel_word(ch),
                       das_channel_form(ch));
        das_buf_printf(b, " %lld at once, then 1 in %.1f s", (long long)p.burst,
                       (double)p.every_ms / 1000);
        if (ch->digest_ms)
            das_buf_printf(b, "; digest of %lld s", (long long)(ch->digest_ms / 1000));
        das_buf_str(b, ch->redact ? "\n" : "; statements whole\n");
    }
}

static int list_channels(struct notify *o, struct das_err *err)
{
    const struct das_channels *c = &o->common.rules.channels;
    size_t widest = 7;

    for (size_t i = 0; i < c->count; i++)
        widest = strlen(c->items[i].name) > widest ? strlen(c->items[i].name) : widest;
    if (o->common.output == DAS_OUT_JSON)
        das_buf_char(&o->out, '[');
    else if (o->common.output == DAS_OUT_CSV)
        das_buf_str(&o->out, "name,kind,form,burst,every_ms,digest_ms,redact\r\n");
    else if (!c->count)
        das_buf_str(&o->out, "no channels in das.lua\n");
    for (size_t i = 0; i < c->count; i++)
        list_one(o, &c->items[i], widest);
    if (o->common.output == DAS_OUT_JSON)
        das_buf_str(&o->out, "]\n");
    return das_write_out(&o->out, err);
}

/* --- the queue -------------------------------------------------------------------------------- */

/* What a message is called: its title, or its text. NULL: it cannot be read. */
static void put_subject(const struct das_outbox_row *r, struct das_buf *b)
{
    struct das_notice n;
    struct das_err ignored;

    if (das_notice_read(&n, r->message, &ignored) == 0)
        das_render_cell(n.title.len ? n.title : n.text, 60, b);
    das_notice_clear(&n);
}

static const char *state_of(const struct das_outbox_row *r)
{
    return r->claimed ? "sending" : das_outbox_state_name(r->state);
}

static void queue_json(struct notify *o, const struct das_outbox_row *r, struct das_text subject)
{
    struct das_buf *b = &o->out;

    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_text(b, "id", das_text_of(r->delivery));
    das_json_key_text(b, "channel", das_text_of(r->channel));
    das_json_key_text(b, "state", das_text_of(state_of(r)));
    das_json_key_text(b, "subject", subject);
    das_json_key_text(b, "dedup", r->dedup);
    das_json_key_int(b, "created_ms", r->created_ms);
    if (r->state == DAS_OUTBOX_WAITING) {
        das_json_key_int(b, "due_ms", r->due_ms);
        das_json_key_int(b, "expires_ms", r->expires_ms);
    } else {
        das_json_key_int(b, "ended_ms", r->ended_ms);
    }
    das_json_key_int(b, "tries", r->tries);
    das_json_key_int(b, "repeats", r->repeats);
    if (*r->part_of)
        das_json_key_text(b, "part_of", das_text_of(r->part_of));
    if (*r->ref)
        das_json_key_text(b, "ref", das_text_of(r->ref));
    if (*r->code || *r->error) {
        das_json_key_text(b, "code", das_text_of(r->code));
        das_json_key_text(b, "error", das_text_of(r->error));
    }
    das_buf_char(b, '}');
}

static int queue_row(void *arg, const struct das_outbox_row *r)
{
    struct notify *o = arg;
    struct das_buf subject = {0}, *b = &o->out;
    char at[32];

    put_subject(r, &subject);
    das_clock_iso(r->created_ms / 1000, at, sizeof at);
    if (o->common.output == DAS_OUT_JSON) {
        queue_json(o, r, das_buf_view(&subject));
    } else if (o->common.output == DAS_OUT_CSV) {
        das_buf_printf(b, "%s,%s,%s,%s,%lld,", r->delivery, r->channel, state_of(r), at,
                       (long long)r->tries);
        das_render_csv_text(das_text_of(r->code), b);
        das_buf_char(b, ',');
        das_render_csv_text(das_text_of(r->error), b);
        das_buf_char(b, ',');
        das_render_csv_text(das_buf_view(&subject), b);
        das_buf_str(b, "\r\n");
    } else {
        das_buf_printf(b, "%s  %-12s %-8s %3lld  ", at, r->channel, state_of(r),
                       (long long)r->tries);
        das_buf_text(b, das_buf_view(&subject));
        if (*r->code || *r->error) {
            das_buf_str(b, "  -- ");
            das_render_cell(das_text_of(*r->code ? r->code : r->error), 60, b);
        }
        das_buf_char(b, '\n');
    }
    das_buf_clear(&subject);
    return 0;
}

static int show_queue(struct notify *o, const char *channel, struct das_err *err)
{
    struct das_store *s = NULL;
    int rc = das_store_open_to_read(o->common.state_dir.ptr, &s, err);

    if (o->common.output == DAS_OUT_JSON)
        das_buf_char(&o->out, '[');
    else if (o->common.output == DAS_OUT_CSV)
        das_buf_str(&o->out, "id,channel,state,created,tries,code,error,subject\r\n");
    if (rc == 0 && s)
        rc = das_outbox_each(s, channel, -1, o->now_ms, QUEUE_SHOWN, queue_row, o, err);
    if (o->common.output == DAS_OUT_JSON)
        das_buf_str(&o->out, "]\n");
    else if (o->common.output == DAS_OUT_TABLE && !o->out.len)
        das_buf_str(&o->out, "no messages\n");
    das_store_close(s);
    return rc < 0 ? -1 : das_write_out(&o->out, err);
}

/* --- sending ---------------------------------------------------------------------------------- */

static int send_due(struct notify *o, struct das_err *err)
{
    struct das_deliver_cli d = {.command = "notify",
                                .channels = &o->common.rules.channels,
                                .budget_ms = BUDGET_MS,
                                .chatty = true};
    struct das_store *s = NULL;
    int rc = das_store_open(o->common.state_dir.ptr, &s, err);

    if (rc == 0)
        rc = das_deliver_cli(&d, s, err);
    das_store_close(s);
    if (rc < 0)
        return -1;
    return !d.out.later && !d.out.failed ? DAS_EXIT_DONE
           : d.out.sent                  ? DAS_EXIT_PARTIAL
                                         : DAS_EXIT_FAILED;
}

static int word(const char *given, const char *option, int (*find)(const char *),
                const char *expected, int *to, struct das_err *err)
{
    *to = given ? find(given) : 0;
    if (*to >= 0)
        return 0;
    return das_fail(err, DAS_E_USAGE, "--%s: expected %s, got \"%.50s\"", option, expected, given);
}

static int fill(struct notify *o, struct das_notice *n, struct das_text text, struct das_err *err)
{
    int severity, event;

    if (word(o->severity, "severity", das_severity_find, "info, warning, error or critical",
             &severity, err) < 0 ||
        word(o->event, "event", das_event_find, "trigger, acknowledge or resolve", &event, err) < 0)
        return -1;
    n->severity = (enum das_severity)severity;
    n->event = (enum das_event)event;
    if ((o->link && das_notice_link(n, das_text_of(o->link), err) < 0) ||
        das_notice_text(n, &n->title, das_text_of(o->title), DAS_NOTICE_TITLE, err) < 0 ||
        das_notice_text(n, &n->dedup, das_text_of(o->dedup), DAS_NOTICE_KEY, err) < 0)
        return -1;
    return das_notice_text(n, &n->text, text, DAS_NOTICE_TEXT, err);
}

static int queue_and_send(struct notify *o, const struct das_channel *ch,
                          const struct das_notice *n, struct das_err *err)
{
    struct das_deliver_cli d = {
        .command = "notify", .channels = &o->common.rules.channels, .budget_ms = BUDGET_MS};
    char id[DAS_DELIVERY_SIZE];
    struct das_store *s = NULL;
    int rc = das_store_open(o->common.state_dir.ptr, &s, err);

    if (rc == 0)
        rc = das_notice_queue(s, ch, n, id, err);
    if (rc == 0) {
        fprintf(stderr, "das notify: the same was said before, as %s; not said again\n", id);
        das_store_close(s);
        return DAS_EXIT_DONE;
    }
    d.id = id;
    if (rc > 0)
        rc = das_deliver_cli(&d, s, err);
    das_store_close(s);
    if (rc < 0)
        return -1;
    if (d.fate == DAS_SENT)
        fprintf(stderr, "das notify: sent to %s as %s\n", ch->name, id);
    else if (d.fate == DAS_NEXT)
        fprintf(stderr, "das notify: queued as %s: channel %s is to wait\n", id, ch->name);
    return d.fate == DAS_SENT || d.fate == DAS_NEXT ? DAS_EXIT_DONE : DAS_EXIT_FAILED;
}

static int read_text(int argc, char **argv, struct das_buf *text, struct das_err *err)
{
    if (argc == 1 && strcmp(argv[0], "-") == 0)
        return das_script_read("-", text, err);
    for (int i = 0; i < argc; i++) {
        das_buf_str(text, i ? " " : "");
        das_buf_str(text, argv[i]);
    }
    return das_buf_ok(text, err);
}

static int send_one(struct notify *o, int argc, char **argv, struct das_err *err)
{
    const struct das_channel *ch;
    struct das_buf text = {0};
    struct das_notice n;
    int rc = -1;

    if (argc < 2)
        return das_fail(err, DAS_E_USAGE,
                        "expected a channel and a text; das notify --list shows "
                        "the channels");
    ch = das_channels_find(&o->common.rules.channels, argv[0], err);
    if (!ch)
        return -1;
    das_notice_init(&n);
    if (read_text(argc - 1, argv + 1, &text, err) == 0 &&
        fill(o, &n, das_buf_view(&text), err) == 0)
        rc = queue_and_send(o, ch, &n, err);
    das_notice_clear(&n);
    das_buf_clear(&text);
    return rc;
}

/* --- the command ------------------------------------------------------------------------------ */

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct notify *o = arg;
    const char **texts[] = {&o->title, &o->severity, &o->event, &o->dedup, &o->link};
    bool *flags[] = {&o->list, &o->queue, &o->send};

    if (option >= 1001 && option <= 1005)
        *texts[option - 1001] = value;
    else if (option >= 1006 && option <= 1008)
        *flags[option - 1006] = true;
    else
        return das_common_option(&o->common, option, value, err);
    return 0;
}

/* The exit code, or -1 with err. */
static int run(struct notify *o, int argc, char **argv, struct das_err *err)
{
    int modes = o->list + o->queue + o->send;

    if (o->common.instance_count)
        return das_fail(err, DAS_E_USAGE, "a message is of no instance: no -i here");
    if (modes > 1)
        return das_fail(err, DAS_E_USAGE, "--list, --queue or --send, not several");
    if (modes && argc > (o->queue ? 1 : 0))
        return das_fail(err, DAS_E_USAGE, "unexpected \"%.100s\"", argv[o->queue ? 1 : 0]);
    if (das_common_finish(&o->common, err) < 0)
        return -1;
    if (o->list)
        return list_channels(o, err);
    if (das_common_need_state(&o->common, err) < 0)
        return -1;
    if (o->queue)
        return show_queue(o, argc ? argv[0] : NULL, err);
    return o->send ? send_due(o, err) : send_one(o, argc, argv, err);
}

int das_cmd_notify(int argc, char **argv)
{
    struct notify o = {.now_ms = das_clock_unix_ms()};
    const struct das_options read = {help, "+:" DAS_COMMON_SHORT, options, take_option, &o};
    struct das_err err;
    int rc = -1;

    if (das_common_init(&o.common, &err) == 0)
        rc = das_options_read(&read, argc, argv, &err);
    if (rc > 0)
        rc = DAS_EXIT_DONE;
    else if (rc == 0)
        rc = run(&o, argc - optind, argv + optind, &err);
    if (rc < 0)
        rc = das_complain("notify", &err);
    das_common_clear(&o.common);
    das_buf_clear(&o.out);
    return rc;
}
