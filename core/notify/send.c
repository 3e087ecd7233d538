/* send.c - see send.h. */
#include "core/notify/send.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"

#define CONNECT_MS 5000
#define TOTAL_MS 15000
#define ANSWER_MAX 65536
#define STEPS_MAX 4
#define PIECES_MAX 40 /* of secrets, to be taken out of texts */
#define PIECE_MIN 6
#define WORD_MAX 12

/* What a platform gave to a channel, kept as long as the process runs. */
struct pass {
    char *channel;
    char token[DAS_NOTIFY_TOKEN_SIZE];
    int64_t until_ms;
};

struct das_sender {
    struct das_http_client *client;
    struct pass **passes;
    size_t count;
    bool in_process;
    int64_t until_ms; /* monotonic: the end of what is being sent */
    const atomic_int *cancel;
};

struct das_sender *das_sender_new(struct das_err *err)
{
    struct das_sender *s = das_calloc(1, sizeof *s);

    if (!s)
        das_fail_nomem(err);
    return s;
}

void das_sender_free(struct das_sender *s)
{
    if (!s)
        return;
    das_http_client_free(s->client);
    for (size_t i = 0; i < s->count; i++) {
        das_free(s->passes[i]->channel);
        das_locked_free(s->passes[i], sizeof **s->passes);
    }
    das_free(s->passes);
    das_free(s);
}

static int need_client(struct das_sender *s, struct das_err *err)
{
    if (!s->client)
        s->client = das_http_client_new(err);
    return s->client ? 0 : -1;
}

void das_sender_answered_by(struct das_sender *s,
                            int (*answer)(void *arg, const struct das_http_request *req,
                                          struct das_http_response *resp, struct das_err *err),
                            void *arg)
{
    struct das_err ignored;

    s->in_process = true;
    if (need_client(s, &ignored) == 0)
        das_http_client_answered_by(s->client, answer, arg);
}

static struct pass *find_pass(struct das_sender *s, const char *channel)
{
    struct pass **bigger, *p;

    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->passes[i]->channel, channel) == 0)
            return s->passes[i];
    }
    bigger = das_grow(s->passes, s->count + 1, sizeof *bigger);
    if (!bigger)
        return NULL;
    s->passes = bigger;
    p = das_locked_alloc(sizeof *p);
    if (p)
        p->channel = das_strdup(channel);
    if (!p || !p->channel) {
        das_locked_free(p, sizeof *p);
        return NULL;
    }
    return s->passes[s->count++] = p;
}

/* --- secrets ---------------------------------------------------------------------------------- */

struct pieces {
    struct das_text items[PIECES_MAX];
    size_t count;
};

static void add_piece(struct pieces *p, struct das_text t)
{
    if (t.len >= PIECE_MIN && p->count < PIECES_MAX)
        p->items[p->count++] = t;
}

/* "services", "access_token": in every such URL, and in what is said about it. */
static bool is_word(struct das_text t)
{
    size_t n = 0;

    while (n < t.len && ((t.ptr[n] >= 'a' && t.ptr[n] <= 'z') || strchr("_-.", t.ptr[n])))
        n++;
    return n == t.len && n <= WORD_MAX;
}

/* The whole, what is behind the host, and each part of that: a server may repeat any of them. */
static void add_url(struct pieces *p, struct das_text url)
{
    const char *end = url.ptr + url.len, *at = memmem(url.ptr, url.len, "://", 3), *from;

    add_piece(p, url);
    at = at ? memchr(at + 3, '/', (size_t)(end - at - 3)) : NULL;
    if (!at)
        return;
    add_piece(p, das_text(at, (size_t)(end - at)));
    for (from = at + 1; from < end; from = at + 1) {
        for (at = from; at < end && !strchr("/?&=", *at); at++)
            ;
        if (!is_word(das_text(from, (size_t)(at - from))))
            add_piece(p, das_text(from, (size_t)(at - from)));
    }
}

static void find_pieces(const struct das_turn *t, struct pieces *p)
{
    p->count = 0;
    for (int i = 0; i < DAS_CHANNEL_SECRETS; i++) {
        if (!t->secrets[i].ptr)
            continue;
        if (i == DAS_CHANNEL_URL)
            add_url(p, t->secrets[i]);
        else
            add_piece(p, t->secrets[i]);
    }
    add_piece(p, das_text_of(t->token));
}

/* All that is said of it, so that no kind has to think of it. */
static void redact(const struct das_turn *t, struct das_verdict *v)
{
    struct pieces p;

    find_pieces(t, &p);
    das_redact(v->words, p.items, p.count);
    das_redact(v->code, p.items, p.count);
    das_redact(v->ref, p.items, p.count);
}

static int read_secrets(const struct das_channel *ch, struct das_vault *vault, struct das_turn *t,
                        struct das_err *err)
{
    for (int i = 0; i < DAS_CHANNEL_SECRETS; i++) {
        const struct das_secret *s;
        t->secrets[i] = DAS_TEXT_NULL;
        if (!ch->secrets[i].where)
            continue;
        s = das_vault_read(vault, &ch->secrets[i], err);
        if (!s)
            return -1;
        t->secrets[i] = das_secret_value(s);
        if (i == DAS_CHANNEL_URL && !ch->insecure &&
            (t->secrets[i].len < 8 || memcmp(t->secrets[i].ptr, "https://", 8) != 0))
            return das_fail(err, DAS_E_CONFIG, "url: expected https://..., or insecure = true");
    }
    return 0;
}

/* --- HTTP ------------------------------------------------------------------------------------- */

/* The configuration names the host: it may be inside. */
static int begin(void *ctx, const char *host, bool *inside, struct das_err *err)
{
    (void)ctx;
    (void)host;
    (void)err;
    *inside = true;
    return 0;
}

static int spend(void *ctx, uint64_t bytes, struct das_err *err)
{
    (void)ctx;
    (void)bytes;
    (void)err;
    return 0;
}

static int64_t left_ms(void *ctx)
{
    const struct das_sender *s = ctx;
    int64_t left = s->until_ms - das_clock_monotonic_ms();

    return left <= 0 || (s->cancel && atomic_load(s->cancel)) ? 0 : left;
}

static void unanswered(const struct das_err *err, struct das_verdict *v)
{
    bool lasting =
        err->code == DAS_E_USAGE || err->code == DAS_E_CONFIG || err->code == DAS_E_UNSUPPORTED;

    das_verdict(v, lasting ? DAS_REFUSED : DAS_LATER, das_code_name(err->code),
                das_text_of(err->msg));
}

static void post_http(struct das_sender *s, struct das_turn *t, const struct das_post *p,
                      struct das_verdict *v)
{
    const struct das_http_guard guard = {s, begin, spend, left_ms};
    struct das_http_request req = das_http_request_default;
    struct das_http_response resp;
    struct das_answer a;
    struct das_err err;

    req.method = p->method;
    req.url = p->url.ptr;
    req.headers = &p->headers;
    req.body = das_buf_view(&p->body);
    req.body_secret = true;
    req.connect_ms = CONNECT_MS;
    req.total_ms = TOTAL_MS;
    req.max_bytes = ANSWER_MAX;
    req.redirects = 0;
    req.ca = t->channel->ca;
    req.idempotent = true; /* an id goes along: rather twice than not at all */
    das_http_response_init(&resp);
    if (need_client(s, &err) < 0 || das_http_perform(s->client, &req, &guard, &resp, &err) < 0) {
        unanswered(&err, v);
    } else {
        a = (struct das_answer){resp.status, &resp.headers, das_buf_view(&resp.body), NULL};
        a.json = a.body.len ? das_json_parse(a.body.ptr, a.body.len, NULL, &err) : NULL;
        t->channel->kind->read(t, &a, v);
        json_decref(a.json);
    }
    das_http_response_clear(&resp);
}

/* --- mail ------------------------------------------------------------------------------------- */

static void post_mail(struct das_sender *s, struct das_turn *t, const struct das_post *p,
                      struct das_verdict *v)
{
    const struct das_channel *ch = t->channel;
    const struct das_mail mail = {.server = p->url.ptr,
                                  .user = ch->texts[DAS_CHANNEL_USER],
                                  .password = t->secrets[DAS_CHANNEL_PASSWORD],
                                  .ca = ch->ca,
                                  .insecure = ch->insecure,
                                  .from = ch->texts[DAS_CHANNEL_FROM],
                                  .to = (const char *const *)ch->to,
                                  .to_count = ch->to_count,
                                  .data = das_buf_view(&p->body),
                                  .connect_ms = CONNECT_MS,
                                  .total_ms = TOTAL_MS * 2,
                                  .left_ms = left_ms,
                                  .arg = s};
    struct das_answer a = {0};
    struct das_err err;
    long code = 0;

    if (!s->in_process && das_mail_send(&mail, &code, &err) < 0) {
        if (code < 400) {
            unanswered(&err, v);
            return;
        }
        a.status = (int)code;
        a.body = das_text_of(err.msg);
    }
    ch->kind->read(t, &a, v);
}

/* --- all of it -------------------------------------------------------------------------------- */

static void take_step(struct das_sender *s, struct das_turn *t, struct das_verdict *v)
{
    struct das_post p;
    struct das_err err;

    das_post_init(&p);
    if (t->channel->kind->make(t, &p, &err) < 0 || das_buf_ok(&p.url, &err) < 0 ||
        das_buf_ok(&p.body, &err) < 0)
        unanswered(&err, v);
    else if (p.mail)
        post_mail(s, t, &p, v);
    else
        post_http(s, t, &p, v);
    das_post_clear(&p);
}

void das_sender_send(struct das_sender *s, const struct das_sending *what, struct das_verdict *v)
{
    struct pass *pass = find_pass(s, what->channel->name);
    struct das_turn t = {.channel = what->channel,
                         .notice = what->notice,
                         .id = what->id,
                         .ref = what->channel->kind->edits ? what->ref : NULL,
                         .thread = what->thread};
    struct das_vault vault;
    struct das_err err;

    memset(v, 0, sizeof *v);
    v->after_ms = -1;
    if (!pass) {
        das_fail_nomem(&err);
        unanswered(&err, v);
        return;
    }
    t.token = pass->token;
    t.token_until_ms = &pass->until_ms;
    s->until_ms = das_clock_monotonic_ms() + what->left_ms;
    s->cancel = what->cancel;
    das_vault_init(&vault);
    if (read_secrets(what->channel, &vault, &t, &err) < 0) {
        /* a file that cannot be read now may be there later */
        das_verdict(v, DAS_LATER, das_code_name(err.code), das_text_of(err.msg));
    } else {
        v->kind = DAS_NEXT;
        for (; t.step < STEPS_MAX && v->kind == DAS_NEXT; t.step++) {
            t.now_ms = das_clock_unix_ms();
            take_step(s, &t, v);
        }
        if (v->kind == DAS_NEXT)
            das_verdict(v, DAS_LATER, "", das_text_of("it came to no end"));
    }
    redact(&t, v);
    das_vault_clear(&vault);
}
