/* deliver.c - see deliver.h. */
#include "core/notify/deliver.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/digest.h"

#define WAIT_FIRST_MS 15000
#define WAIT_MAX_MS 1800000
#define ATTEMPT_MS 30000
#define LONG_TEXT 2000 /* bytes: some platforms cut what is longer */
#define TITLES_MAX 40 /* different ones that a digest tells */

/* --- into the outbox -------------------------------------------------------------------------- */

int das_notice_wrap(const struct das_channel *ch, const struct das_notice *n, struct das_buf *text,
                    struct das_outbox_new *m, struct das_err *err)
{
    *m = (struct das_outbox_new){.channel = ch->name,
                                 .dedup = n->dedup.ptr ? n->dedup : das_text("", 0),
                                 .dedup_ms = ch->dedup_ms,
                                 .event = n->event,
                                 .expire_ms = ch->expire_ms,
                                 /* what is answered or asked for cannot wait for others */
                                 .alone = n->alone || n->button_count > 0 || n->update.len > 0 ||
                                          n->thread.len > 0 || n->severity == DAS_CRITICAL};
    if (!n->title.len && !n->text.len)
        return das_fail(err, DAS_E_USAGE, "a message without title and text");
    if (das_channel_takes(ch, n, err) < 0)
        return -1;
    das_notice_write(n, text);
    m->message = das_buf_view(text);
    /* an edit is no new message: the same key would hold it back */
    if (n->update.len)
        m->dedup = das_text("", 0);
    return das_buf_ok(text, err);
}

int das_notice_queue(struct das_store *s, const struct das_channel *ch, const struct das_notice *n,
                     char id[DAS_DELIVERY_SIZE], struct das_err *err)
{
    struct das_outbox_new m;
    struct das_buf b = {0};
    int rc = das_notice_wrap(ch, n, &b, &m, err);

    if (rc == 0)
        rc = das_outbox_add(s, &m, das_clock_unix_ms(), id, err);
    das_buf_clear(&b);
    return rc;
}

/* --- digests ---------------------------------------------------------------------------------- */

struct line {
    struct das_text title;
    int64_t count;
    enum das_severity severity;
};

struct digest {
    struct line lines[TITLES_MAX];
    size_t count;
    int64_t messages, sessions, others; /* others: messages of titles that have no line */
    enum das_severity severity;
    int64_t from_ms;
};

static void count_one(struct digest *d, const struct das_notice *n, int64_t times)
{
    struct das_text title = n->title.len ? n->title : n->text;
    size_t i = 0;

    d->messages += times;
    d->sessions += n->row_total;
    d->severity = n->severity > d->severity ? n->severity : d->severity;
    d->from_ms = d->from_ms && d->from_ms < n->at_ms ? d->from_ms : n->at_ms;
    for (; i < d->count; i++) {
        if (das_text_eq(d->lines[i].title, title))
            break;
    }
    if (i == TITLES_MAX) {
        d->others += times;
        return;
    }
    if (i == d->count)
        d->lines[d->count++] = (struct line){title, 0, DAS_INFO};
    d->lines[i].count += times;
    d->lines[i].severity = n->severity > d->lines[i].severity ? n->severity : d->lines[i].severity;
}

static void write_lines(const struct digest *d, struct das_buf *b)
{
    struct das_page p;

    das_page_init(&p, b, DAS_MARKUP_NONE, DAS_UNIT_BYTES, DAS_NOTICE_TEXT);
    for (size_t i = 0; i < d->count; i++) {
        const struct line *l = &d->lines[i];
        das_buf_printf(b, "%s%lld \xc3\x97 ", i ? "\n" : "", (long long)l->count);
        if (l->severity != DAS_INFO)
            das_buf_printf(b, "[%s] ", das_severity_name(l->severity));
        das_page_text(&p, l->title, 150, false);
    }
    if (d->others)
        das_buf_printf(b, "\n\xe2\x80\xa6 and %lld more messages", (long long)d->others);
    if (d->sessions)
        das_buf_printf(b, "\n%lld session%s in all of them", (long long)d->sessions,
                       d->sessions == 1 ? "" : "s");
}

/* Many messages as one. parts: those that could be read. */
static int make_digest(const struct digest *d, struct das_notice *out, struct das_err *err)
{
    struct das_buf b = {0};
    char since[32], title[100];
    int rc = -1;

    das_clock_iso(d->from_ms / 1000, since, sizeof since);
    snprintf(title, sizeof title, "%lld messages since %s", (long long)d->messages, since);
    write_lines(d, &b);
    out->severity = d->severity;
    if (das_buf_ok(&b, err) == 0 &&
        das_notice_text(out, &out->title, das_text_of(title), DAS_NOTICE_TITLE, err) == 0)
        rc = das_notice_text(out, &out->text, das_buf_view(&b), DAS_NOTICE_TEXT, err);
    das_buf_clear(&b);
    return rc;
}

static int read_many(const struct das_outbox_take *t, struct das_notice *out, struct das_err *err)
{
    struct das_notice *parts = das_calloc(t->count, sizeof *parts);
    struct digest *d = das_calloc(1, sizeof *d);
    int rc = parts && d ? 0 : das_fail_nomem(err);

    for (size_t i = 0; i < t->count && rc == 0; i++) {
        const struct das_outbox_item *x = &t->items[i];
        struct das_err unreadable;
        if (das_notice_read(&parts[i], das_text(x->message, x->message_len), &unreadable) == 0)
            count_one(d, &parts[i], 1 + x->repeats);
        else
            d->others++, d->messages++;
    }
    if (rc == 0) {
        das_notice_init(out);
        rc = make_digest(d, out, err);
    }
    for (size_t i = 0; i < t->count && parts; i++)
        das_notice_clear(&parts[i]);
    das_free(parts);
    das_free(d);
    return rc;
}

int das_message_page(const char *delivery, struct das_text message, char out[DAS_PAGE_NAME_SIZE],
                     struct das_err *err)
{
    char hash[DAS_SHA256_HEX];

    if (das_sha256_hex(message, hash, err) < 0)
        return -1;
    snprintf(out, DAS_PAGE_NAME_SIZE, "%s.%.32s", delivery, hash);
    return 0;
}

/* What does not fit stands on a page of das serve, where there is one. */
static int add_page(const char *url, const struct das_channel *ch, const struct das_outbox_item *x,
                    struct das_notice *n, struct das_err *err)
{
    char name[DAS_PAGE_NAME_SIZE];
    struct das_buf b = {0};
    int rc;

    if (!url || n->link.len || (n->row_total <= ch->sessions && n->text.len <= LONG_TEXT))
        return 0;
    if (das_message_page(x->delivery, das_text(x->message, x->message_len), name, err) < 0)
        return -1;
    das_buf_printf(&b, "%s/messages/%s", url, name);
    rc = das_buf_ok(&b, err);
    if (rc == 0)
        rc = das_notice_link(n, das_buf_view(&b), err);
    das_buf_clear(&b);
    return rc;
}

static int read_one(const struct das_channel *ch, const char *url, const struct das_outbox_item *x,
                    struct das_notice *out, struct das_err *err)
{
    char times[60];

    if (das_notice_read(out, das_text(x->message, x->message_len), err) < 0 ||
        add_page(url, ch, x, out, err) < 0)
        return -1;
    if (!x->repeats || out->field_count == DAS_NOTICE_FIELDS)
        return 0;
    snprintf(times, sizeof times, "%lld more time%s", (long long)x->repeats,
             x->repeats == 1 ? "" : "s");
    return das_notice_field(out, das_text_of("said"), das_text_of(times), err);
}

/* --- out of the outbox ------------------------------------------------------------------------ */

static int64_t wait_ms(int64_t tries, int64_t asked_ms)
{
    int64_t ms = WAIT_FIRST_MS;

    if (asked_ms >= 0)
        return asked_ms < 1000 ? 1000 : asked_ms;
    for (int64_t i = 1; i < tries && ms < WAIT_MAX_MS; i++)
        ms *= 2;
    return ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS;
}

/* "" where the platform has no name for it: then it is a message of its own. */
static int find_ref(struct das_store *s, const struct das_channel *ch, struct das_text delivery,
                    char ref[DAS_REF_SIZE], struct das_err *err)
{
    char id[DAS_NOTICE_KEY + 4];

    ref[0] = '\0';
    if (!delivery.len || delivery.len >= sizeof id)
        return 0;
    snprintf(id, sizeof id, "%.*s", (int)delivery.len, delivery.ptr);
    return das_outbox_ref(s, ch->name, id, ref, DAS_REF_SIZE, err) < 0 ? -1 : 0;
}

static int settle(const struct das_delivering *d, struct das_store *s, const struct das_channel *ch,
                  const struct das_outbox_take *t, struct das_verdict *v, struct das_delivered *out,
                  struct das_err *err)
{
    struct das_delivery told = {.channel = ch,
                                .id = t->items[0].delivery,
                                .count = t->count,
                                .tries = t->items[0].tries,
                                .code = v->code,
                                .words = v->words};
    int64_t now = das_clock_unix_ms();
    int rc;

    if (v->kind == DAS_LATER && told.tries >= ch->tries)
        v->kind = DAS_REFUSED;
    if (v->kind == DAS_SENT) {
        rc = das_outbox_sent(s, t, v->ref, now, err);
        out->sent += t->count;
    } else if (v->kind == DAS_LATER) {
        told.until_ms = now + wait_ms(told.tries, v->after_ms);
        rc = das_outbox_later(s, t, ch->name, told.until_ms, v->code, v->words, err);
        out->later += t->count;
    } else {
        rc = das_outbox_failed(s, t, now, v->code, v->words, err);
        out->failed += t->count;
    }
    told.kind = v->kind;
    if (d->said)
        d->said(d->arg, &told);
    return rc;
}

static int send_taken(const struct das_delivering *d, struct das_store *s,
                      const struct das_channel *ch, const struct das_outbox_take *t,
                      int64_t left_ms, struct das_delivered *out, struct das_err *err)
{
    char ref[DAS_REF_SIZE], thread[DAS_REF_SIZE];
    struct das_notice n;
    struct das_verdict v = {.after_ms = -1};
    struct das_err unreadable;
    int rc = -1;

    memset(&n, 0, sizeof n);
    if ((t->count > 1 ? read_many(t, &n, &unreadable)
                      : read_one(ch, d->channels->url, &t->items[0], &n, &unreadable)) < 0) {
        das_verdict(&v, unreadable.code == DAS_E_NOMEM ? DAS_LATER : DAS_REFUSED,
                    das_code_name(unreadable.code), das_text_of(unreadable.msg));
        rc = settle(d, s, ch, t, &v, out, err);
    } else if (find_ref(s, ch, n.update, ref, err) == 0 &&
               find_ref(s, ch, n.thread, thread, err) == 0) {
        const struct das_sending what = {.channel = ch,
                                         .notice = &n,
                                         .id = t->items[0].delivery,
                                         .ref = *ref ? ref : NULL,
                                         .thread = *thread ? thread : NULL,
                                         .left_ms = left_ms < ATTEMPT_MS ? left_ms : ATTEMPT_MS,
                                         .cancel = d->cancel};
        das_sender_send(d->sender, &what, &v);
        rc = settle(d, s, ch, t, &v, out, err);
    }
    das_notice_clear(&n);
    return rc;
}

/* 1: something was done; 0: nothing is due. */
static int one_of(const struct das_delivering *d, struct das_store *s, const struct das_channel *ch,
                  int64_t left_ms, struct das_delivered *out, struct das_err *err)
{
    const struct das_pace pace = das_channel_pace(ch);
    const struct das_outbox_pace rule = {pace.burst, pace.every_ms, ch->digest_ms};
    struct das_outbox_take t;
    int rc = das_outbox_claim(s, ch->name, &rule, das_clock_unix_ms(), &t, err);

    if (rc >= 0 && t.expired) {
        const struct das_delivery told = {.channel = ch,
                                          .id = "",
                                          .count = (size_t)t.expired,
                                          .kind = DAS_REFUSED,
                                          .code = "expired",
                                          .words = "not sent in time"};
        out->failed += (size_t)t.expired;
        if (d->said)
            d->said(d->arg, &told);
    }
    if (rc > 0 && send_taken(d, s, ch, &t, left_ms, out, err) < 0)
        rc = -1;
    else if (rc == 0 && t.next_ms < out->next_ms)
        out->next_ms = t.next_ms;
    das_outbox_take_clear(&t);
    return rc;
}

int das_deliver(const struct das_delivering *d, struct das_store *s, struct das_delivered *out,
                struct das_err *err)
{
    int64_t until = das_clock_monotonic_ms() + d->budget_ms, left = d->budget_ms;
    bool more = true;

    memset(out, 0, sizeof *out);
    if (das_outbox_purge(s, das_clock_unix_ms(), err) < 0)
        return -1;
    while (more && left > 0) {
        more = false;
        out->next_ms = INT64_MAX;
        for (size_t i = 0; i < d->channels->count && left > 0; i++) {
            int rc = one_of(d, s, &d->channels->items[i], left, out, err);
            if (rc < 0)
                return -1;
            more |= rc > 0;
            left = d->cancel && atomic_load(d->cancel) ? 0 : until - das_clock_monotonic_ms();
        }
    }
    if (more)
        out->next_ms = das_clock_unix_ms();
    return 0;
}
