/*
 * plan_json.c - a plan as JSON: what its hash is of, and what stands in a file. Writes into a
 * buffer and nowhere else. Whatever is added here has to be read by plan_file.c.
 */
#include "core/plan/plan.h"

#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/plan/plan_impl.h"
#include "core/session/filter_json.h"
#include "core/session/session_json.h"

/* JSON shows bytes that are not UTF-8 as U+FFFD; then "KEY_hex" has what they are. */
static void put_text(struct das_buf *b, const char *key, struct das_text t)
{
    das_json_key_text(b, key, t);
    if (!t.ptr || das_utf8_valid(t))
        return;
    das_buf_printf(b, ",\"%s" DAS_PLAN_HEX "\":\"", key);
    das_hex_encode(t, b);
    das_buf_char(b, '"');
}

static void put_filter(struct das_buf *b, const char *key, const char *text_key,
                       const struct das_filter *f)
{
    struct das_buf text = {0};

    das_json_key(b, key);
    das_filter_json(f, b);
    das_filter_print(f, &text);
    if (text.failed)
        b->failed = true;
    das_json_key_text(b, text_key, das_buf_view(&text)); /* for people; made from the other */
    das_buf_clear(&text);
}

static void put_asked(struct das_buf *b, const struct das_asked *asked)
{
    struct das_asked a = *asked;

    das_json_key(b, "asked");
    das_buf_char(b, '{');
    for (size_t i = 0; i < DAS_ASKED_COUNT; i++)
        put_text(b, das_asked_names[i], das_text_of(*das_asked_slot(&a, i)));
    das_buf_char(b, '}');
}

static void put_limits(struct das_buf *b, const struct das_kill_limits *limits)
{
    struct das_kill_limits l = *limits;

    das_json_key(b, "limits");
    das_buf_char(b, '{');
    for (size_t i = 0; das_limit_name(i); i++)
        das_json_key_int(b, das_limit_name(i), *das_limit_slot(&l, i));
    das_json_key(b, "percent");
    das_json_real(b, l.percent);
    das_buf_char(b, '}');
}

static void put_victim(struct das_buf *b, const struct das_plan *p, size_t i)
{
    struct das_session s;
    int64_t started, slack;

    das_plan_victim(p, i, &s);
    started = das_plan_started_ms(p->victims->snap, &s, &slack);
    das_buf_char(b, '{');
    das_session_json(&s, b);
    if (das_known(started))
        das_json_key_int(b, "started_ms", started);
    das_buf_printf(b, ",\"sql_digest\":\"%016llx\"}", (unsigned long long)p->digests[i]);
}

void das_plan_json(const struct das_plan *p, struct das_buf *b)
{
    das_buf_char(b, '{');
    das_json_key_int(b, "version", DAS_PLAN_VERSION);
    das_json_key_int(b, "nonce", p->birth.nonce);
    put_text(b, "instance", das_text_of(p->instance));
    put_text(b, "server", das_text_of(p->server.server));
    if (das_known(p->server.start_unix_s))
        das_json_key_int(b, "server_start", p->server.start_unix_s);
    das_json_key(b, "kill");
    das_json_str(b, das_mode_name(p->mode));
    das_json_key_int(b, "escalate_ms", p->escalate_ms);
    if (p->trusts)
        das_json_key_bool(b, "trust_source", true);
    put_text(b, "reason", das_text_of(p->reason));
    put_filter(b, "filter", "filter_text", p->victims->filter);
    if (p->symptom)
        put_filter(b, "symptom", "symptom_text", p->symptom);
    put_asked(b, &p->asked);
    put_limits(b, &p->limits);
    das_json_key_int(b, "data_sync_time", das_snapshot_time(p->victims->snap));
    if (das_snapshot_spread(p->victims->snap))
        das_json_key_int(b, "data_sync_spread", das_snapshot_spread(p->victims->snap));
    das_json_key_int(b, "created_ms", p->birth.created_ms);
    das_json_key_int(b, "expires_ms", p->birth.expires_ms);
    das_json_key(b, "victims");
    das_buf_char(b, '[');
    for (size_t i = 0; i < p->victims->count; i++) {
        das_json_comma(b);
        put_victim(b, p, i);
    }
    das_buf_str(b, "]}");
}
