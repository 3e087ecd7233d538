/* tally.c - sums over the victims of a replay, and what two policies have in common (report.h). */
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/idmap.h"
#include "core/replay/report.h"

const char *das_tally_name(enum das_tally_by by)
{
    static const char *const names[] = {"hour", "user", "db", "host", "fingerprint", "kill"};

    return names[by];
}

#define HOUR_MS 3600000

static int hour_of(const struct das_replay_victim *v, struct das_arena *texts, struct das_text *key)
{
    int64_t hour = v->at_ms / HOUR_MS - (v->at_ms % HOUR_MS < 0);
    char iso[32];

    das_clock_iso(hour * 3600, iso, sizeof iso);
    key->len = strlen(iso);
    key->ptr = das_arena_dup(texts, iso, key->len);
    return key->ptr ? 0 : -1;
}

static int key_of(const struct das_replay_victim *v, enum das_tally_by by, struct das_arena *texts,
                  struct das_text *key)
{
    switch (by) {
    case DAS_BY_HOUR:
        return hour_of(v, texts, key);
    case DAS_BY_USER:
        *key = v->was.user;
        break;
    case DAS_BY_DB:
        *key = v->was.db;
        break;
    case DAS_BY_HOST:
        *key = das_host_part(v->was.host);
        break;
    case DAS_BY_FINGERPRINT:
        *key = v->fingerprint;
        break;
    case DAS_BY_KILL:
    case DAS_BY_COUNT:
        *key = das_text_of(v->kill);
        break;
    }
    return 0;
}

static int compare_text(struct das_text a, struct das_text b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;

    if (!a.ptr || !b.ptr)
        return (a.ptr != NULL) - (b.ptr != NULL);
    return c ? c : a.len < b.len ? -1 : a.len > b.len;
}

static int by_key(const void *a, const void *b)
{
    return compare_text(((const struct das_tally_row *)a)->key,
                        ((const struct das_tally_row *)b)->key);
}

static int by_count(const void *a, const void *b)
{
    const struct das_tally_row *x = a, *y = b;

    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return compare_text(x->key, y->key);
}

int das_tally_make(const struct das_replay_result *r, enum das_tally_by by, struct das_arena *texts,
                   struct das_tally *out)
{
    size_t n = 0;

    *out = (struct das_tally){0};
    if (!r->victim_count)
        return 0;
    out->rows = das_calloc(r->victim_count, sizeof *out->rows);
    if (!out->rows)
        return -1;
    for (size_t i = 0; i < r->victim_count; i++) {
        out->rows[i].count = 1;
        out->rows[i].other = r->victims[i].wasted;
        if (key_of(&r->victims[i], by, texts, &out->rows[i].key) < 0)
            return -1;
    }
    qsort(out->rows, r->victim_count, sizeof *out->rows, by_key);
    for (size_t i = 1; i < r->victim_count; i++) {
        if (by_key(&out->rows[n], &out->rows[i]) == 0) {
            out->rows[n].count++;
            out->rows[n].other += out->rows[i].other;
        } else {
            out->rows[++n] = out->rows[i];
        }
    }
    out->count = n + 1;
    if (by != DAS_BY_HOUR)
        qsort(out->rows, out->count, sizeof *out->rows, by_count);
    return 0;
}

void das_tally_clear(struct das_tally *t)
{
    das_free(t->rows);
    *t = (struct das_tally){0};
}

uint64_t das_replay_wasted(const struct das_replay_result *r)
{
    uint64_t n = 0;

    for (size_t i = 0; i < r->victim_count; i++)
        n += r->victims[i].wasted;
    return n;
}

int64_t das_replay_saved_ms(const struct das_replay_result *r)
{
    int64_t sum = 0;

    for (size_t i = 0; i < r->victim_count; i++)
        sum += r->victims[i].lived_on_ms;
    return sum;
}

int64_t das_replay_saved_wait_ms(const struct das_replay_result *r, bool *told)
{
    int64_t sum = 0;

    *told = false;
    for (size_t i = 0; i < r->victim_count; i++) {
        *told |= r->victims[i].blocked != DAS_UNKNOWN;
        sum += das_known(r->victims[i].blocked_ms) ? r->victims[i].blocked_ms : 0;
    }
    return sum;
}

uint64_t das_replay_respawns(const struct das_replay_result *r)
{
    uint64_t n = 0;

    for (size_t i = 0; i < r->victim_count; i++)
        n += (uint64_t)r->victims[i].respawned;
    return n;
}

/* --- two policies ----------------------------------------------------------------------------- */

static int64_t id_of(const struct das_replay_victim *v)
{
    uint64_t h = v->key;

    for (const char *p = v->instance; *p; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    return (int64_t)h;
}

/* Places of victims of a that are none of b. */
static int only_in(const struct das_replay_result *a, const struct das_replay_result *b,
                   size_t **out, size_t *count)
{
    struct das_idmap there = {0};
    int rc = 0;

    *out = das_grow(NULL, a->victim_count, sizeof **out);
    if (a->victim_count && !*out)
        return -1;
    for (size_t i = 0; i < b->victim_count && rc == 0; i++)
        rc = das_idmap_put(&there, id_of(&b->victims[i]), 0);
    for (size_t i = 0; i < a->victim_count && rc == 0; i++) {
        if (das_idmap_get(&there, id_of(&a->victims[i])) == DAS_IDMAP_NONE)
            (*out)[(*count)++] = i;
    }
    das_idmap_clear(&there);
    return rc;
}

int das_replay_compare(const struct das_replay_result *a, const struct das_replay_result *b,
                       struct das_replay_difference *out)
{
    *out = (struct das_replay_difference){0};
    if (only_in(a, b, &out->only_first, &out->first_count) < 0 ||
        only_in(b, a, &out->only_second, &out->second_count) < 0)
        return -1;
    out->both = a->victim_count - out->first_count;
    return 0;
}

void das_replay_difference_clear(struct das_replay_difference *d)
{
    das_free(d->only_first);
    das_free(d->only_second);
}
