/*
 * hook_say.c - answers to whoever asked (see hook_desk.h): into the open answer of the request
 * where somebody holds it open, to the address that came with the request while it is good, else
 * into the chat through the hook's channel.
 *
 * Sent now and a few times, and not kept: an answer of yesterday helps nobody.
 */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crypto.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/notify/reply.h"
#include "core/serve/hook_desk_impl.h"

#define TRIES 3
#define WAIT_MS 1000       /* before the second, and three times that before the third */
#define AFTER_MAX_MS 5000  /* a platform that asks for longer gets none */
#define SEND_MS 15000      /* for one */
#define ANSWERS_MAX 20     /* of one request */

/* True: somebody held the answer open, and has it now. */
static bool say_at_once(struct das_hook_job *j, const struct das_notice *n)
{
    struct das_hook_desk *d = j->desk;
    struct das_hook_ack ack = {0};
    struct das_err err;
    bool taken = false;

    if (!das_hook_answers_at_once(j->hook->platform) ||
        das_hook_ack_notice(j->hook, n, &ack, &err) < 0) {
        das_buf_clear(&ack.body);
        return false;
    }
    pthread_mutex_lock(&d->lock);
    if (j->waited_for && !j->answered) {
        j->at_once = ack;
        j->answered = taken = true;
        pthread_cond_broadcast(&d->back);
    }
    pthread_mutex_unlock(&d->lock);
    if (!taken)
        das_buf_clear(&ack.body);
    return taken;
}

/* Where it goes now. False: nowhere. */
static bool choose(struct das_hook_job *j, bool open, struct das_channel *ch, bool *by_url)
{
    const struct das_hook_ask *a = &j->ask;
    const struct das_hook *h = j->hook;
    const char *word = das_hook_platforms[h->platform].name;
    const struct das_channel *named;
    struct das_err err;

    *by_url = a->url && a->url_uses > 0 && das_clock_unix_ms() < a->url_until_ms &&
              das_reply_channel(word, a->url, open, h->insecure, ch);
    if (*by_url)
        return true;
    named = h->channel ? das_channels_find(&j->desk->conf.rules->channels, h->channel, &err) : NULL;
    if (!named)
        return false;
    *ch = *named;
    /* a channel of the same platform answers where it was asked */
    if (*a->chat && das_hook_people_word(h->platform) &&
        (strcmp(das_channel_word(named), das_hook_people_word(h->platform)) == 0 ||
         (strcmp(das_channel_word(named), "lark") == 0 && h->platform == DAS_HOOK_FEISHU)))
        das_reply_into(named, a->chat, ch);
    return true;
}

static int need_sender(struct das_hook_worker *w, struct das_err *err)
{
    if (!w->sender)
        w->sender = das_sender_new(err);
    return w->sender ? 0 : -1;
}

/* Until the next attempt; -1: there is none. */
static int64_t pause_ms(int tried, const struct das_verdict *v)
{
    int64_t own = tried == 1 ? WAIT_MS : 3 * WAIT_MS;

    if (v->kind != DAS_LATER || tried == TRIES || v->after_ms > AFTER_MAX_MS)
        return -1;
    return v->after_ms > own ? v->after_ms : own;
}

/* *refused: it was certainly not taken, and will not be there. */
static int send_now(struct das_hook_worker *w, struct das_hook_job *j, const struct das_channel *ch,
                    bool by_url, const struct das_notice *n, bool *refused, struct das_err *err)
{
    char id[40];
    struct das_sending what = {.channel = ch,
                               .notice = n,
                               .id = id,
                               .ref = by_url && j->ask.deferred ? "@original" : NULL,
                               .left_ms = SEND_MS};
    struct das_verdict v;

    memcpy(id, "msg_", 4);
    if (das_random_hex(id + 4, 12, err) < 0)
        return -1;
    for (int tried = 1;; tried++) {
        int64_t pause;
        if (by_url)
            j->ask.url_uses--;
        das_sender_send(w->sender, &what, &v);
        if (v.kind == DAS_SENT) {
            j->ask.deferred = false;
            return 0;
        }
        pause = pause_ms(tried, &v);
        if (pause < 0 || (by_url && j->ask.url_uses <= 0) || atomic_load(&j->desk->cancel))
            break;
        das_clock_sleep_ms(pause);
    }
    *refused = v.kind == DAS_REFUSED || v.after_ms >= 0;
    return das_fail(err, DAS_E_IO, "the answer was not taken: %s%s%s", v.code, *v.code ? ": " : "",
                    v.words);
}

/* To the one address after the other: what a platform refuses at the address that came with the
 * request (used too often, too old) goes the way of the channel. */
static int send_somewhere(struct das_hook_worker *w, struct das_hook_job *j,
                          const struct das_notice *n, bool open, struct das_err *err)
{
    struct das_channel ch;
    bool by_url = false, refused = false;
    int rc;

    rc = choose(j, open, &ch, &by_url)
             ? das_channel_takes(&ch, n, err)
             : das_fail(err, DAS_E_UNSUPPORTED,
                        "reply: there is nowhere to send it: the request has no address for "
                        "answers, or none any more, and hooks.%s has no channel",
                        j->hook->name);
    if (rc == 0)
        rc = send_now(w, j, &ch, by_url, n, &refused, err);
    if (rc < 0)
        das_hook_say_log(j->desk, j, DAS_LOG_WARN, "%s", err->msg);
    if (rc == 0 || !by_url || !refused || !j->hook->channel)
        return rc;
    j->ask.url_uses = 0;
    return send_somewhere(w, j, n, open, err);
}

int das_hook_say(struct das_hook_worker *w, struct das_hook_job *j, const struct das_notice *n,
                 bool open, struct das_err *err)
{
    if (j->answers >= ANSWERS_MAX)
        return das_fail(err, DAS_E_LIMIT, "reply: at most %d answers to one request", ANSWERS_MAX);
    j->answers++;
    if (say_at_once(j, n))
        return 0;
    return need_sender(w, err) < 0 ? -1 : send_somewhere(w, j, n, open, err);
}

int das_hook_say_words(struct das_hook_worker *w, struct das_hook_job *j, const char *words,
                       struct das_err *err)
{
    struct das_notice n;
    int rc;

    das_notice_init(&n);
    rc = das_notice_text(&n, &n.text, das_text_of(words), DAS_NOTICE_TEXT, err);
    if (rc == 0)
        rc = das_hook_say(w, j, &n, false, err);
    das_notice_clear(&n);
    return rc;
}
