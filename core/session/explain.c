/* explain.c - see explain.h. */
#include "core/session/explain.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/session/filter_impl.h"

const char *das_truth_word(enum das_truth t)
{
    return t == DAS_YES ? "in" : t == DAS_NO ? "out" : "unknown";
}

void das_explanation_free(struct das_explanation *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->count; i++) {
        das_free(e->reasons[i].criterion);
        das_free(e->reasons[i].value);
        das_free(e->reasons[i].note);
    }
    das_free(e->reasons);
    das_free(e);
}

/* Takes what the three buffers hold. Returns the line's place, or -1. */
static int add_line(struct das_explanation *e, int depth, struct das_buf *criterion,
                    struct das_buf *value, struct das_buf *note)
{
    struct das_reason *bigger = das_grow(e->reasons, e->count + 1, sizeof *bigger), *r;

    if (bigger)
        e->reasons = bigger;
    if (!bigger || criterion->failed || value->failed || note->failed) {
        das_buf_clear(criterion);
        das_buf_clear(value);
        das_buf_clear(note);
        return -1;
    }
    r = &e->reasons[e->count++];
    memset(r, 0, sizeof *r);
    r->depth = depth;
    r->criterion = das_buf_take(criterion);
    r->value = das_buf_take(value);
    r->note = das_buf_take(note);
    return r->criterion && r->value && r->note ? (int)e->count - 1 : -1;
}

static void put_quoted(struct das_buf *b, struct das_text t)
{
    struct das_text cut = t;

    if (!t.ptr) {
        das_buf_str(b, "NULL");
        return;
    }
    cut.len = t.len > 44 ? 41 : t.len;
    das_json_text(b, cut);
    if (cut.len < t.len)
        das_buf_str(b, "...");
}

static void put_number(struct das_buf *b, int64_t v, const char *unit)
{
    if (v == DAS_UNKNOWN)
        das_buf_str(b, "unknown");
    else if (v == DAS_ABSENT)
        das_buf_str(b, "none");
    else
        das_buf_printf(b, "%lld%s", (long long)v, unit);
}

struct bound {
    int64_t value, want;
    const char *unit, *short_of; /* " s", "too young" */
};

static void explain_bound(const struct bound *n, const char *name, struct das_buf *criterion,
                          struct das_buf *value, struct das_buf *note)
{
    das_buf_printf(criterion, "%s >= %lld%s", name, (long long)n->want, n->unit);
    put_number(value, n->value, n->unit);
    if (das_known(n->value) && n->value < n->want)
        das_buf_printf(note, "%lld%s %s", (long long)(n->want - n->value), n->unit, n->short_of);
    else if (n->value == DAS_ABSENT)
        das_buf_str(note, "no open transaction");
    else if (n->value == DAS_UNKNOWN)
        das_buf_str(note, "the source does not tell");
}

static void explain_info(const struct das_filter *f, const struct das_session *s,
                         struct das_buf *note)
{
    size_t found = das_keywords_found(&f->info, s->sql_info);

    if (found == f->info.count)
        return;
    if (!s->sql_info.ptr) {
        das_buf_str(note, "no statement");
        return;
    }
    das_buf_printf(note, "keyword %zu of %zu, ", found + 1, f->info.count);
    put_quoted(note, f->info.words[found]);
    das_buf_str(note, found ? ", not found after the one before it" : ", not found");
}

static void explain_text(const struct das_filter *f, enum das_key k, struct das_text value_text,
                         struct das_buf *criterion, struct das_buf *value)
{
    struct das_text want = das_text(f->text[k], f->text_len[k]);

    das_buf_printf(criterion, "%s %s ", das_key_names[k],
                   k == DAS_K_INFO ? "has" : memchr(want.ptr, '%', want.len) ? "like" : "=");
    put_quoted(criterion, want);
    put_quoted(value, value_text);
}

static void explain_one(const struct das_filter *f, enum das_key k, const struct das_session *s,
                        struct das_buf *criterion, struct das_buf *value, struct das_buf *note)
{
    struct bound n = {0};

    switch (k) {
    case DAS_K_TIME:
        n = (struct bound){s->state_duration, f->number[k], " s", "too young"};
        explain_bound(&n, "time", criterion, value, note);
        break;
    case DAS_K_TRX_TIME:
        n = (struct bound){s->trx_time, f->number[k], " s", "too young"};
        explain_bound(&n, "trx_time", criterion, value, note);
        break;
    case DAS_K_ROWS_MODIFIED:
        n = (struct bound){s->rows_modified, f->number[k], " rows", "too few"};
        explain_bound(&n, "rows_modified", criterion, value, note);
        break;
    case DAS_K_ID:
        if (f->id_count == 1)
            das_buf_printf(criterion, "id = %lld", (long long)f->ids[0]);
        else
            das_buf_printf(criterion, "id among %zu", f->id_count);
        das_buf_int(value, s->id);
        break;
    case DAS_K_INFO:
        explain_text(f, k, s->sql_info, criterion, value);
        explain_info(f, s, note);
        break;
    default: {
        struct das_text t = k == DAS_K_USER      ? s->user
                            : k == DAS_K_HOST    ? s->host
                            : k == DAS_K_DB      ? s->db
                            : k == DAS_K_COMMAND ? s->command
                                                 : s->state;
        explain_text(f, k, t, criterion, value);
    }
    }
}

static int explain_criterion(struct das_explanation *e, int depth, const struct das_filter *f,
                             enum das_key k, const struct das_session *s, enum das_truth *truth)
{
    struct das_buf criterion = {0}, value = {0}, note = {0};
    int at;

    *truth = das_criterion_test(f, k, s);
    explain_one(f, k, s, &criterion, &value, &note);
    at = add_line(e, depth, &criterion, &value, &note);
    if (at >= 0)
        e->reasons[at].truth = *truth;
    return at;
}

/* A number that is too high: only a "not" can mind. */
static void explain_excess(const struct das_miss *m, const struct das_session *s,
                           struct das_buf *note)
{
    int64_t bound = m->table->number[m->key];

    if (m->key == DAS_K_ROWS_MODIFIED)
        das_buf_printf(note, "%lld rows too many", (long long)(s->rows_modified - bound + 1));
    else if (m->key == DAS_K_TIME || m->key == DAS_K_TRX_TIME)
        das_buf_printf(note, "%lld s too old",
                       (long long)((m->key == DAS_K_TIME ? s->state_duration : s->trx_time) -
                                   bound + 1));
}

void das_explain_miss(const struct das_miss *m, const struct das_session *s,
                      struct das_buf *criterion, struct das_buf *value, struct das_buf *note)
{
    struct das_buf c = {0}, v = {0}, n = {0};

    if (m->negated)
        das_buf_str(&c, "not ");
    explain_one(m->table, m->key, s, &c, &v, &n);
    if (m->negated && m->truth == DAS_YES && m->gap > 0)
        explain_excess(m, s, &n);
    for (int i = 0; i < 3; i++) {
        struct das_buf *from = i == 0 ? &c : i == 1 ? &v : &n;
        struct das_buf *to = i == 0 ? criterion : i == 1 ? value : note;
        if (to && from->failed)
            to->failed = true;
        else if (to)
            das_buf_text(to, das_buf_view(from));
        das_buf_clear(from);
    }
}

void das_explain_distance(const struct das_distance *d, const struct das_session *s,
                          struct das_buf *b)
{
    struct das_buf note = {0};

    if (d->never)
        das_buf_str(b, "no criterion: selects nothing");
    for (uint32_t i = 0; i < d->told && !d->never; i++) {
        struct das_buf value = {0};
        das_buf_reset(&note);
        if (i)
            das_buf_str(b, "; ");
        das_explain_miss(&d->misses[i], s, b, &value, &note);
        das_buf_str(b, ": ");
        das_buf_text(b, das_buf_view(&value));
        if (note.len)
            das_buf_printf(b, " (%s)", note.ptr);
        b->failed = b->failed || value.failed || note.failed;
        das_buf_clear(&value);
    }
    if (!d->never && das_distance_misses(d) > d->told)
        das_buf_printf(b, "; and %u more", (unsigned)(das_distance_misses(d) - d->told));
    das_buf_clear(&note);
}

static int add_heading(struct das_explanation *e, int depth, const char *text)
{
    struct das_buf criterion = {0}, value = {0}, note = {0};
    int at;

    das_buf_str(&criterion, text);
    at = add_line(e, depth, &criterion, &value, &note);
    if (at >= 0)
        e->reasons[at].heading = true;
    return at;
}

static int explain_table(struct das_explanation *e, int depth, const struct das_filter *f,
                         const struct das_session *s, enum das_truth *truth)
{
    int set = 0, heading = -1;
    enum das_truth one;

    for (size_t i = 0; i < das_key_order_count; i++)
        set += f->set[das_key_order[i]];
    if (set == 0) {
        *truth = f->set[DAS_K_ALL] ? DAS_YES : DAS_UNSURE;
        heading = add_heading(e, depth, f->set[DAS_K_ALL] ? "all sessions"
                                                          : "no criterion: selects nothing");
        if (heading >= 0)
            e->reasons[heading].truth = *truth;
        return heading < 0 ? -1 : 0;
    }
    if (set > 1) {
        heading = add_heading(e, depth, "all of");
        if (heading < 0)
            return -1;
        depth++;
    }
    *truth = DAS_YES;
    for (int k = 0; k < DAS_K_COUNT; k++) { /* in the order in which it is printed */
        if (!f->set[k] || k >= DAS_K_TASK_DURATION)
            continue;
        if (explain_criterion(e, depth, f, (enum das_key)k, s, &one) < 0)
            return -1;
        *truth = das_truth_and(*truth, one);
    }
    if (heading >= 0)
        e->reasons[heading].truth = *truth;
    return 0;
}

static int explain_node(struct das_explanation *e, int depth, const struct das_filter *f,
                        const struct das_session *s, enum das_truth *truth);

/* a & b & c is one list, not a staircase. */
static int explain_branch(struct das_explanation *e, int depth, enum das_filter_op op,
                          const struct das_filter *f, const struct das_session *s,
                          enum das_truth *truth)
{
    enum das_truth left, right;

    if (f->op != op)
        return explain_node(e, depth, f, s, truth);
    if (explain_branch(e, depth, op, f->left, s, &left) < 0 ||
        explain_branch(e, depth, op, f->right, s, &right) < 0)
        return -1;
    *truth = op == DAS_FILTER_AND ? das_truth_and(left, right) : das_truth_or(left, right);
    return 0;
}

static int explain_node(struct das_explanation *e, int depth, const struct das_filter *f,
                        const struct das_session *s, enum das_truth *truth)
{
    int heading;

    if (f->op == DAS_FILTER_TABLE)
        return explain_table(e, depth, f, s, truth);
    heading = add_heading(e, depth,
                          f->op == DAS_FILTER_AND  ? "all of"
                          : f->op == DAS_FILTER_OR ? "any of"
                                                   : "not");
    if (heading < 0)
        return -1;
    if (f->op == DAS_FILTER_NOT) {
        if (explain_node(e, depth + 1, f->left, s, truth) < 0)
            return -1;
        *truth = das_truth_not(*truth);
    } else if (explain_branch(e, depth + 1, f->op, f, s, truth) < 0) {
        return -1;
    }
    e->reasons[heading].truth = *truth;
    return 0;
}

struct das_explanation *das_explain(const struct das_filter *f, const struct das_session *s,
                                    struct das_err *err)
{
    struct das_explanation *e = das_calloc(1, sizeof *e);

    if (!e || explain_node(e, 0, f, s, &e->truth) < 0) {
        das_explanation_free(e);
        das_fail_nomem(err);
        return NULL;
    }
    e->id = s->id;
    return e;
}

void das_explanation_print(const struct das_explanation *e, struct das_buf *b)
{
    size_t wide = 0, wide_value = 0;

    for (size_t i = 0; i < e->count; i++) {
        const struct das_reason *r = &e->reasons[i];
        size_t w = strlen(r->criterion) + 2 * (size_t)r->depth, v = strlen(r->value);
        if (w > wide)
            wide = w;
        if (v > wide_value)
            wide_value = v;
    }
    das_buf_printf(b, "session %lld: %s\n", (long long)e->id, e->truth == DAS_YES ? "in" : "out");
    for (size_t i = 0; i < e->count; i++) {
        const struct das_reason *r = &e->reasons[i];
        das_buf_fill(b, ' ', 2 + 2 * (size_t)r->depth);
        das_buf_printf(b, "%-*s  %-*s  %s", (int)(wide - 2 * (size_t)r->depth), r->criterion,
                       (int)wide_value, r->value, das_truth_word(r->truth));
        if (r->note[0])
            das_buf_printf(b, "  (%s)", r->note);
        das_buf_char(b, '\n');
    }
}
