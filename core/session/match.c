/*
 * match.c - does a session match a filter: for one session, and for a whole snapshot.
 *
 * Both ways ask the same criterion functions; the matcher only remembers the answer for each
 * distinct user, host part, db, command and state.
 */
#include "core/session/filter_impl.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

const enum das_key das_key_order[] = {
    DAS_K_TIME, DAS_K_COMMAND, DAS_K_USER,     DAS_K_DB,            DAS_K_STATE,
    DAS_K_ID,   DAS_K_HOST,    DAS_K_TRX_TIME, DAS_K_ROWS_MODIFIED, DAS_K_INFO,
};
const size_t das_key_order_count = sizeof das_key_order / sizeof das_key_order[0];

enum das_truth das_at_least(int64_t value, int64_t bound)
{
    if (value == DAS_UNKNOWN)
        return DAS_UNSURE;
    return das_truth_of(value != DAS_ABSENT && value >= bound);
}

/* A pattern without brackets sees an IPv6 address without them as well. */
static bool part_matches(const struct das_filter *f, struct das_text part)
{
    if (part.len >= 2 && part.ptr[0] == '[' && part.ptr[part.len - 1] == ']')
        part = das_text(part.ptr + 1, part.len - 2);
    return das_pattern_match(&f->host, part);
}

/* The end of the address of "[address]" or "[address]:port"; NULL for any other host. */
static const char *closing_bracket(struct das_text host)
{
    const char *close = host.len && host.ptr[0] == '[' ? memchr(host.ptr, ']', host.len) : NULL;
    const char *end = host.ptr + host.len;

    return close && (close + 1 == end || close[1] == ':') ? close : NULL;
}

static bool address_matches(const struct das_filter *f, struct das_text address,
                            struct das_text rest)
{
    bool any_rest = das_pattern_plain(&f->host_rest) && !f->host_rest.parts[0].len;

    return memchr(address.ptr, ':', address.len) && das_pattern_match(&f->host, address) &&
           (any_rest || das_pattern_match(&f->host_rest, rest));
}

/* A pattern in brackets against an IPv6 host, which servers print with brackets or without. */
static bool bracketed_matches(const struct das_filter *f, struct das_text host)
{
    const char *close = closing_bracket(host), *end = host.ptr + host.len;
    struct das_text address = das_host_part(host), rest;

    if (close)
        address = das_text(host.ptr + 1, (size_t)(close - host.ptr) - 1);
    rest.ptr = close ? close + 1 : address.ptr + address.len;
    rest.len = (size_t)(end - rest.ptr);
    if (address_matches(f, address, rest))
        return true;
    /* "fe80::1" may be an address without a port */
    return !close && memchr(address.ptr, ':', address.len) &&
           address_matches(f, host, das_text(end, 0));
}

static bool host_matches(const struct das_filter *f, struct das_text host)
{
    const char *close;
    char bare[512];
    size_t inner;

    if (!host.ptr)
        return false;
    if (f->host_bracketed)
        return bracketed_matches(f, host);
    if (part_matches(f, das_host_part(host)))
        return true;
    close = closing_bracket(host);
    if (!close || host.len > sizeof bare)
        return das_pattern_match(&f->host, host);
    inner = (size_t)(close - host.ptr) - 1;
    memcpy(bare, host.ptr + 1, inner);
    memcpy(bare + inner, close + 1, host.len - inner - 2);
    return das_pattern_match(&f->host, das_text(bare, host.len - 2));
}

static bool has_id(const struct das_filter *f, int64_t id)
{
    size_t lo = 0, hi = f->id_count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (f->ids[mid] == id)
            return true;
        if (f->ids[mid] < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

enum das_truth das_criterion_test(const struct das_filter *f, enum das_key k,
                                  const struct das_session *s)
{
    switch (k) {
    case DAS_K_USER:
        return das_truth_of(das_pattern_match(&f->user, s->user));
    case DAS_K_HOST:
        return das_truth_of(host_matches(f, s->host));
    case DAS_K_DB:
        return das_truth_of(das_pattern_match(&f->db, s->db));
    case DAS_K_STATE:
        return das_truth_of(das_pattern_match(&f->state, s->state));
    case DAS_K_COMMAND:
        return das_truth_of(s->command.ptr &&
                            das_text_ieq(s->command,
                                         das_text(f->text[k], f->text_len[k])));
    case DAS_K_TIME:
        return das_at_least(s->state_duration, f->number[k]);
    case DAS_K_TRX_TIME:
        return das_at_least(s->trx_time, f->number[k]);
    case DAS_K_ROWS_MODIFIED:
        return das_at_least(s->rows_modified, f->number[k]);
    case DAS_K_ID:
        return das_truth_of(has_id(f, s->id));
    case DAS_K_INFO:
        return das_truth_of(das_keywords_found(&f->info, s->sql_info) == f->info.count);
    default:
        return DAS_YES;
    }
}

static enum das_truth test_table(const struct das_filter *f, const struct das_session *s)
{
    enum das_truth truth = DAS_YES;

    if (das_filter_is_empty(f))
        return f->set[DAS_K_ALL] ? DAS_YES : DAS_UNSURE;
    for (size_t i = 0; i < das_key_order_count && truth != DAS_NO; i++) {
        if (f->set[das_key_order[i]])
            truth = das_truth_and(truth, das_criterion_test(f, das_key_order[i], s));
    }
    return truth;
}

enum das_truth das_filter_test(const struct das_filter *f, const struct das_session *s)
{
    enum das_truth left;

    if (f->op == DAS_FILTER_TABLE)
        return test_table(f, s);
    left = das_filter_test(f->left, s);
    if (f->op == DAS_FILTER_NOT)
        return das_truth_not(left);
    if (f->op == DAS_FILTER_AND)
        return left == DAS_NO ? left : das_truth_and(left, das_filter_test(f->right, s));
    return left == DAS_YES ? left : das_truth_or(left, das_filter_test(f->right, s));
}

/* --- the matcher ------------------------------------------------------------------------------ */

/* Which criterion a dictionary answers. */
static const enum das_key dict_keys[DAS_D_COUNT] = {DAS_K_USER, DAS_K_HOST, DAS_K_DB, DAS_K_COMMAND,
                                                    DAS_K_STATE};

struct node {
    const struct das_filter *f;
    struct node *left, *right;
    bool empty;
    bool whole_host; /* "ip:port" has to be looked at, row by row */
    /* a table: one byte for each distinct value, or NULL when the key is not set */
    unsigned char *dict_hit[DAS_D_COUNT];
};

struct das_matcher {
    struct node *root;
    const struct das_snapshot *snap;
    const uint32_t *dict_cols[DAS_D_COUNT];
    const int64_t *ids, *trx_time, *rows_modified;
    const struct das_text *sql;
    const int32_t *durations;
};

static void node_free(struct node *n)
{
    if (!n)
        return;
    node_free(n->left);
    node_free(n->right);
    for (int d = 0; d < DAS_D_COUNT; d++)
        das_free(n->dict_hit[d]);
    das_free(n);
}

static int fill_dict(struct node *n, enum das_dict d, const struct das_snapshot *snap)
{
    uint32_t count = das_snapshot_dict_size(snap, d);
    unsigned char *hit = das_alloc(count);

    if (!hit)
        return -1;
    n->dict_hit[d] = hit;
    for (uint32_t i = 0; i < count; i++) {
        struct das_text t = das_snapshot_dict_text(snap, d, i);
        /* one dictionary value stands in a session that has nothing else */
        struct das_session s = {.user = t, .db = t, .command = t, .state = t};
        hit[i] = d == DAS_D_HOST_PART
                     ? !n->f->host_bracketed && part_matches(n->f, t)
                     : das_criterion_test(n->f, dict_keys[d], &s) == DAS_YES;
    }
    return 0;
}

static struct node *node_new(const struct das_filter *f, const struct das_snapshot *snap)
{
    struct node *n = das_calloc(1, sizeof *n);

    if (!n)
        return NULL;
    n->f = f;
    n->empty = das_filter_is_empty(f);
    if (f->op != DAS_FILTER_TABLE) {
        n->left = node_new(f->left, snap);
        n->right = f->right ? node_new(f->right, snap) : NULL;
        if (!n->left || (f->right && !n->right))
            goto fail;
        return n;
    }
    for (int d = 0; d < DAS_D_COUNT; d++) {
        if (f->set[dict_keys[d]] && fill_dict(n, (enum das_dict)d, snap) < 0)
            goto fail;
    }
    if (f->set[DAS_K_HOST])
        n->whole_host = f->host_bracketed || !das_pattern_plain(&f->host) ||
                        memchr(f->host.parts[0].ptr, ':', f->host.parts[0].len);
    return n;
fail:
    node_free(n);
    return NULL;
}

struct das_matcher *das_matcher_new(const struct das_filter *f, const struct das_snapshot *s,
                                    struct das_err *err)
{
    struct das_matcher *m = das_calloc(1, sizeof *m);

    if (!m || !(m->root = node_new(f, s))) {
        das_free(m);
        das_fail_nomem(err);
        return NULL;
    }
    m->snap = s;
    for (int d = 0; d < DAS_D_COUNT; d++)
        m->dict_cols[d] = das_snapshot_dict_column(s, (enum das_dict)d);
    m->ids = das_snapshot_ids(s);
    m->durations = das_snapshot_durations(s);
    m->sql = das_snapshot_sql(s);
    m->trx_time = das_snapshot_numbers(s, DAS_F_TRX_TIME);
    m->rows_modified = das_snapshot_numbers(s, DAS_F_ROWS_MODIFIED);
    return m;
}

void das_matcher_free(struct das_matcher *m)
{
    if (!m)
        return;
    node_free(m->root);
    das_free(m);
}

static bool host_hit(const struct das_matcher *m, const struct node *n, uint32_t row)
{
    struct das_session s;

    if (n->dict_hit[DAS_D_HOST_PART][m->dict_cols[DAS_D_HOST_PART][row]])
        return true;
    if (!n->whole_host)
        return false;
    das_snapshot_get(m->snap, row, &s);
    return host_matches(n->f, s.host);
}

/* The same conjunction as test_table(), cheap columns first. */
static enum das_truth match_table(const struct das_matcher *m, const struct node *n, uint32_t row)
{
    static const enum das_dict plain_dicts[] = {DAS_D_COMMAND, DAS_D_USER, DAS_D_DB, DAS_D_STATE};
    const struct das_filter *f = n->f;
    enum das_truth truth = DAS_YES;

    if (n->empty)
        return f->set[DAS_K_ALL] ? DAS_YES : DAS_UNSURE;
    if (f->set[DAS_K_TIME]) {
        int32_t d = m->durations[row];
        truth = d < 0 ? DAS_UNSURE : das_truth_of(d >= f->number[DAS_K_TIME]);
    }
    for (size_t i = 0; i < sizeof plain_dicts / sizeof *plain_dicts && truth != DAS_NO; i++) {
        enum das_dict d = plain_dicts[i];
        if (n->dict_hit[d] && !n->dict_hit[d][m->dict_cols[d][row]])
            return DAS_NO;
    }
    if (truth == DAS_NO || (f->set[DAS_K_ID] && !has_id(f, m->ids[row])) ||
        (f->set[DAS_K_HOST] && !host_hit(m, n, row)))
        return DAS_NO;
    if (f->set[DAS_K_TRX_TIME])
        truth = das_truth_and(truth, das_at_least(m->trx_time ? m->trx_time[row] : DAS_UNKNOWN,
                                                  f->number[DAS_K_TRX_TIME]));
    if (f->set[DAS_K_ROWS_MODIFIED])
        truth = das_truth_and(truth,
                              das_at_least(m->rows_modified ? m->rows_modified[row] : DAS_UNKNOWN,
                                           f->number[DAS_K_ROWS_MODIFIED]));
    if (truth != DAS_NO && f->set[DAS_K_INFO] &&
        das_keywords_found(&f->info, m->sql[row]) != f->info.count)
        return DAS_NO;
    return truth;
}

static enum das_truth match_node(const struct das_matcher *m, const struct node *n, uint32_t row)
{
    enum das_truth left;

    if (n->f->op == DAS_FILTER_TABLE)
        return match_table(m, n, row);
    left = match_node(m, n->left, row);
    if (n->f->op == DAS_FILTER_NOT)
        return das_truth_not(left);
    if (n->f->op == DAS_FILTER_AND)
        return left == DAS_NO ? left : das_truth_and(left, match_node(m, n->right, row));
    return left == DAS_YES ? left : das_truth_or(left, match_node(m, n->right, row));
}

enum das_truth das_matcher_test(const struct das_matcher *m, uint32_t row)
{
    return match_node(m, m->root, row);
}
