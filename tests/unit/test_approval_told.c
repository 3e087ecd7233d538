/* test_approval_told.c - whom a request for a kill is told, and that it is told although a process
 * dies. */
#include "tests/unit/approval_kit.h"

#include "core/notify/deliver.h"
#include "core/store/outbox.h"

static struct das_channels channels;
static struct das_approval_audience audience = {.channels = &channels, .people = &people};

static void channel_new(void)
{
    struct das_channel *ch = das_channels_add(&channels, "ops", &err);

    need_ok(ch ? 0 : -1);
    ch->secrets[DAS_CHANNEL_URL] = (struct das_secret_place){
        das_strdup("url"), das_strdup("APPROVAL_TEST_URL"), DAS_SECRET_ENV};
    ch->insecure = true;
    need_ok(das_channel_settle(ch, "discord", &err));
}

static int64_t waiting(void)
{
    int64_t n;

    need_ok(das_outbox_count(store, DAS_OUTBOX_WAITING, &n, &err));
    return n;
}

static void must_request_in(const char *channel, int64_t need)
{
    struct das_approval_ask ask = ask_of(NULL);

    ask.channel = channel;
    ask.need = need;
    need_ok(request(&ask));
}

static int post_one(struct das_store *s)
{
    struct das_approval *a;
    int rc;

    need_ok(das_approval_get(s, id, &a, &err));
    rc = das_approval_post(s, a, &audience, &err);
    das_approval_free(a);
    return rc;
}

static void once(void)
{
    begin();
    must_request_in("ops", 1);
    is_int(post_one(store), 1, "who asked posts it");
    is_int(post_one(store), 0, "once");
    is_int(das_approval_post_all(store, &audience, &err), 0, "and nobody else does");
    is_int(waiting(), 1, "one message");
}

/* Between the request and its message a process can die: then nobody would ever know of it. */
static void left_behind(void)
{
    struct das_store *other;

    begin();
    must_request_in("ops", 1);
    other = store_open(dir);
    is_int(das_approval_post_all(other, &audience, &err), 0, "who asked lives: it is about to post");
    das_store_close(store);
    store = other;
    is_int(das_approval_post_all(store, &audience, &err), 1, "it has died: another one posts");
    is_int(das_approval_post_all(store, &audience, &err), 0, "once");
    is_int(waiting(), 1, "one message");
    begin();
    must_request_in("ops", 1);
    again();
    must_request_in("ops", 1);
    is_int(post_one(store), 1, "so does whoever asks for the same again");
    is_int(waiting(), 1, "one message");
}

static void nobody_to_tell(void)
{
    begin();
    must_request(1);
    is_int(das_approval_post_all(store, &audience, &err), 0, "a request without a channel");
    victims[0].query_id = 500;
    must_request_in("gone", 1);
    is_int(das_approval_post_all(store, &audience, &err), 0, "a channel that is no more");
    victims[0].query_id = 501;
    must_request_in("ops", 1);
    vote("alice", false);
    is_int(das_approval_post_all(store, &audience, &err), 0, "one that was decided meanwhile");
    victims[0].query_id = 502;
    must_request_in("ops", 1);
    pass(TTL_MS);
    is_int(das_approval_post_all(store, &audience, &err), 0, "one whose time is over");
    is_int(waiting(), 0, "no message");
    victims[0].query_id = 503;
    must_request_in("ops", 1);
    victims[0].query_id = 504;
    must_request_in("ops", 1);
    store_sql(dir, "UPDATE approvals SET seq = 1 WHERE n = 5");
    is_int(das_approval_post_all(store, &audience, &err), 1,
           "one that was tampered with is left out, and hides no other");
}

static int see_buttons(void *arg, const struct das_outbox_row *r)
{
    ((int *)arg)[memmem(r->message.ptr, r->message.len, "\"update\":", 9) != NULL] +=
        memmem(r->message.ptr, r->message.len, "das:approval:", 13) != NULL;
    return 0;
}

/* An edit replaces the message: while votes are wanted it has to have the buttons, too. */
static void edited(void)
{
    struct das_channel *ch = &channels.items[0];
    int buttons[2] = {0}; /* in the first message, in edits */

    ch->secrets[DAS_CHANNEL_TOKEN] = ch->secrets[DAS_CHANNEL_URL];
    memset(&ch->secrets[DAS_CHANNEL_URL], 0, sizeof ch->secrets[0]);
    ch->texts[DAS_CHANNEL_CHANNEL] = das_strdup("C1");
    need_ok(das_channel_settle(ch, "slack", &err));
    begin();
    must_request_in("ops", 2);
    is_int(post_one(store), 1, "posted");
    vote("alice", true);
    need_ok(das_approval_tell(store, id, &channels, &err));
    vote("bob", false);
    need_ok(das_approval_tell(store, id, &channels, &err));
    need_ok(das_outbox_each(store, "ops", -1, das_clock_unix_ms(), 10, see_buttons, buttons, &err));
    is_int(waiting(), 3, "a message and two edits");
    is_int(buttons[0], 1, "the message has buttons");
    is_int(buttons[1], 1, "so has the edit while it waits, and not the one when it is decided");
}

/* --- in words --------------------------------------------------------------------------------- */

static void outcome_in_words(void)
{
    static struct das_approval_vote vote = {.person = "bob", .yes = true};
    static const char result[] =
        "{\"killed\":2,\"gone\":1,\"refused\":2,\"failed\":0,\"outcomes\":["
        "{\"id\":1,\"outcome\":\"killed\",\"note\":\"as asked\"},{\"id\":2,\"outcome\":\"refused\"},"
        "{\"id\":3,\"outcome\":\"refused\",\"note\":\"limits.kill.run: 2\"}]}";
    struct das_approval a = {.state = DAS_APPROVAL_APPLIED,
                             .votes = &vote,
                             .vote_count = 1,
                             .note = "",
                             .result = das_text_of(result)};
    struct das_buf words = {0};

    das_approval_words(&a, &words);
    das_buf_char(&words, '\0');
    is_str(words.ptr, "approved by bob; 2 killed, 1 gone, 2 refused (limits.kill.run: 2)",
           "what was refused says why, what was killed need not");
    das_buf_clear(&words);
}

int main(void)
{
    stage_begin();
    outcome_in_words();
    channel_new();
    once();
    left_behind();
    nobody_to_tell();
    edited();
    das_channels_clear(&channels);
    return stage_end();
}
