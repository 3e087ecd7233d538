/* deliver_cli.c - see deliver_cli.h. */
#include "core/cli/deliver_cli.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/cli/interrupt.h"

static void say_why(const struct das_delivery *x, struct das_buf *b)
{
    if (*x->code)
        das_buf_printf(b, ": %s", x->code);
    if (*x->words) {
        das_buf_str(b, *x->code ? " (" : ": ");
        das_render_cell(das_text_of(x->words), 200, b);
        das_buf_str(b, *x->code ? ")" : "");
    }
}

static void said(void *arg, const struct das_delivery *x)
{
    struct das_deliver_cli *d = arg;
    struct das_buf b = {0};
    char at[32];

    if (d->id && strcmp(d->id, x->id) == 0)
        d->fate = x->kind;
    if (x->kind == DAS_SENT && !d->chatty)
        return;
    das_buf_printf(&b, "das %s: ", d->command);
    if (x->count > 1)
        das_buf_printf(&b, "%zu messages to %s ", x->count, x->channel->name);
    else
        das_buf_printf(&b, "message to %s ", x->channel->name);
    if (x->kind == DAS_SENT) {
        das_buf_str(&b, "sent");
    } else if (x->kind == DAS_LATER) {
        das_clock_iso((x->until_ms + 999) / 1000, at, sizeof at);
        das_buf_str(&b, "not sent");
        say_why(x, &b);
        das_buf_printf(&b, "; tried again from %s on", at);
    } else {
        das_buf_str(&b, "given up");
        if (x->tries > 1)
            das_buf_printf(&b, " after %lld attempts", (long long)x->tries);
        say_why(x, &b);
    }
    if (b.ptr && !b.failed)
        fprintf(stderr, "%s\n", b.ptr);
    das_buf_clear(&b);
}

int das_deliver_cli(struct das_deliver_cli *d, struct das_store *s, struct das_err *err)
{
    struct das_delivering job = {
        .channels = d->channels, .budget_ms = d->budget_ms, .said = said, .arg = d,
        .cancel = das_interrupt_catch()};
    int rc = -1;

    d->fate = DAS_NEXT;
    job.sender = das_sender_new(err);
    if (job.sender)
        rc = das_deliver(&job, s, &d->out, err);
    das_sender_free(job.sender);
    return rc;
}
