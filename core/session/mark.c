/* mark.c - see mark.h. */
#include "core/session/mark.h"

#include <string.h>

#define PRIME 0x100000001b3u

static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

uint64_t das_hash_text(uint64_t seed, struct das_text t)
{
    uint64_t h = mix(seed + (t.ptr ? t.len + 1 : 0)), word;
    size_t i = 0;

    for (; i + sizeof word <= t.len; i += sizeof word) {
        memcpy(&word, t.ptr + i, sizeof word);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    for (; i < t.len; i++)
        h = (h ^ (unsigned char)t.ptr[i]) * PRIME;
    return mix(h);
}

int64_t das_session_since_ms(const struct das_session *s, int64_t at_ms, int64_t *slack_ms)
{
    *slack_ms = das_known(s->time_ms) ? 1 : 999;
    if (das_known(s->time_ms))
        return at_ms - s->time_ms;
    return das_known(s->state_duration) ? at_ms - s->state_duration * 1000 : DAS_UNKNOWN;
}

static int64_t trx_since_ms(const struct das_session *s, int64_t at_ms)
{
    return das_known(s->trx_time) ? at_ms - s->trx_time * 1000 : s->trx_time;
}

void das_mark_take(struct das_mark *m, const struct das_session *s, int64_t at_ms)
{
    m->id = s->id;
    m->owner = das_hash_text(das_hash_text(0, s->user), s->host);
    m->sql = das_hash_text(1, s->sql_info);
    m->query_id = s->query_id;
    m->started_ms = das_session_since_ms(s, at_ms, &m->slack_ms);
    m->trx_id = s->trx_id;
    m->trx_started_ms = trx_since_ms(s, at_ms);
    m->sleeps = das_text_iis(s->command, "Sleep");
    m->connects = das_text_iis(s->command, "Connect");
}

bool das_mark_same_owner(const struct das_mark *m, const struct das_session *s)
{
    return m->owner == das_hash_text(das_hash_text(0, s->user), s->host) &&
           (m->connects || !das_text_iis(s->command, "Connect"));
}

/* Lists tell ages in whole seconds, and are taken a little after their time. */
#define APART_MS 1500

static bool near(int64_t a, int64_t b, int64_t slack)
{
    return a - b <= slack && b - a <= slack;
}

bool das_mark_same_statement(const struct das_mark *m, const struct das_session *s, int64_t at_ms)
{
    int64_t slack, since = das_session_since_ms(s, at_ms, &slack);

    if (m->sleeps != das_text_iis(s->command, "Sleep"))
        return false;
    if (das_known(m->query_id) && das_known(s->query_id))
        return m->query_id == s->query_id;
    if (m->sql != das_hash_text(1, s->sql_info))
        return false;
    return !das_known(since) || !das_known(m->started_ms) ||
           near(since, m->started_ms, APART_MS + (slack > m->slack_ms ? slack : m->slack_ms));
}

/* MySQL numbers a transaction that only reads by its address: it gets a real number with its first
 * write, so a number that changes proves nothing as long as the begin stays. */
bool das_mark_same_transaction(const struct das_mark *m, const struct das_session *s, int64_t at_ms)
{
    int64_t since = trx_since_ms(s, at_ms);

    if (since == DAS_ABSENT)
        return m->trx_started_ms == DAS_ABSENT;
    if (!das_known(since) || !das_known(m->trx_started_ms))
        return true;
    if (das_known(m->trx_id) && m->trx_id > 0 && m->trx_id == s->trx_id)
        return true;
    return near(since, m->trx_started_ms, APART_MS + 999);
}

uint64_t das_mark_key(const struct das_mark *m)
{
    uint64_t h = mix((uint64_t)m->id * PRIME ^ m->owner);

    return mix(h ^ (das_known(m->query_id) ? (uint64_t)m->query_id : m->sql));
}
