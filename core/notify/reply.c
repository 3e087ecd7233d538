/* reply.c - see reply.h. What a platform's own file makes is taken, and what only answers have is
 * put into it. */
#include "core/notify/reply.h"

#include <string.h>

/* Right behind the first bracket of the object that was made. */
static int insert(struct das_post *p, const char *members, struct das_err *err)
{
    struct das_buf b = {0};
    int rc;

    das_buf_char(&b, '{');
    das_buf_str(&b, members);
    if (p->body.len > 2)
        das_buf_char(&b, ',');
    if (p->body.len)
        das_buf_add(&b, p->body.ptr + 1, p->body.len - 1);
    rc = das_buf_ok(&b, err);
    if (rc == 0) {
        das_buf_reset(&p->body);
        das_buf_text(&p->body, das_buf_view(&b));
        rc = das_buf_ok(&p->body, err);
    }
    das_buf_clear(&b);
    return rc;
}

#define OPEN "\"response_type\":\"in_channel\",\"replace_original\":false"
#define CLOSED "\"response_type\":\"ephemeral\",\"replace_original\":false"

static int slack_open(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    return das_kind_slack_hook.make(t, p, err) < 0 ? -1 : insert(p, OPEN, err);
}

static int slack_closed(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    return das_kind_slack_hook.make(t, p, err) < 0 ? -1 : insert(p, CLOSED, err);
}

static int mattermost_open(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    return das_kind_mattermost.make(t, p, err) < 0
               ? -1
               : insert(p, "\"response_type\":\"in_channel\"", err);
}

static int mattermost_closed(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    return das_kind_mattermost.make(t, p, err) < 0
               ? -1
               : insert(p, "\"response_type\":\"ephemeral\"", err);
}

/* Flag 64: only the person sees it. What is edited has it already. */
static int discord_closed(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    if (das_kind_discord.make(t, p, err) < 0)
        return -1;
    return t->ref ? 0 : insert(p, "\"flags\":64", err);
}

/* "ok", or the platform's JSON: only the status counts. */
static void read_plain(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    (void)t;
    das_read_status(a, v);
}

static const struct das_kind replies[][2] = {
    {{.word = "slack",
      .form = "reply",
      .make = slack_closed,
      .read = read_plain,
      .button_bytes = 2000},
     {.word = "slack",
      .form = "reply",
      .make = slack_open,
      .read = read_plain,
      .button_bytes = 2000}},
    {{.word = "mattermost", .form = "reply", .make = mattermost_closed, .read = read_plain},
     {.word = "mattermost", .form = "reply", .make = mattermost_open, .read = read_plain}},
    {{.word = "discord",
      .form = "reply",
      .make = discord_closed,
      .read = read_plain,
      .edits = true},
     {.word = "discord",
      .form = "reply",
      .make = discord_closed,
      .read = read_plain,
      .edits = true}},
};

static const struct das_kind *find(const char *platform, bool open)
{
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        if (strcmp(replies[i][0].word, platform) == 0)
            return &replies[i][open];
    }
    return strcmp(platform, "dingtalk") == 0 ? &das_kind_dingtalk : NULL;
}

bool das_reply_channel(const char *platform, const char *url, bool open, bool insecure,
                       struct das_channel *out)
{
    const struct das_kind *k = find(platform, open);

    if (!k)
        return false;
    *out = das_channel_default;
    out->name = (char *)(uintptr_t) "reply";
    out->kind = k;
    out->insecure = insecure;
    out->secrets[DAS_CHANNEL_URL] = (struct das_secret_place){.name = (char *)(uintptr_t) "url",
                                                              .where = (char *)(uintptr_t)url,
                                                              .from = DAS_SECRET_GIVEN};
    return true;
}

bool das_reply_into(const struct das_channel *ch, const char *chat, struct das_channel *out)
{
    if (!ch->texts[DAS_CHANNEL_CHANNEL])
        return false;
    *out = *ch;
    out->texts[DAS_CHANNEL_CHANNEL] = (char *)(uintptr_t)chat;
    return true;
}

int das_reply_body(const char *platform, const struct das_notice *n, bool open, struct das_buf *b,
                   struct das_err *err)
{
    const struct das_kind *k =
        strcmp(platform, "teams") == 0 ? &das_kind_teams : find(platform, open);
    struct das_channel ch = das_channel_default;
    char token[DAS_NOTIFY_TOKEN_SIZE] = "";
    int64_t until_ms = 0;
    struct das_turn t = {.channel = &ch,
                         .notice = n,
                         .id = "reply",
                         .now_ms = n->at_ms,
                         .token = token,
                         .token_until_ms = &until_ms};
    struct das_post p;
    int rc;

    if (!k || k == &das_kind_dingtalk)
        return das_fail(err, DAS_E_UNSUPPORTED, "%s takes no answer to a request", platform);
    ch.kind = k;
    t.secrets[DAS_CHANNEL_URL] = das_text_of("https://reply.invalid/");
    das_post_init(&p);
    rc = k->make(&t, &p, err);
    if (rc == 0)
        rc = das_buf_ok(&p.body, err);
    if (rc == 0 && k->word[0] == 'd') { /* discord: a message that answers the interaction */
        das_buf_str(b, "{\"type\":4,\"data\":");
        das_buf_text(b, das_buf_view(&p.body));
        das_buf_char(b, '}');
    } else if (rc == 0) {
        das_buf_text(b, das_buf_view(&p.body));
    }
    das_post_clear(&p);
    return rc < 0 ? -1 : das_buf_ok(b, err);
}
