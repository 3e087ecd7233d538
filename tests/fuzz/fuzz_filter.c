/*
 * fuzz_filter.c - bytes as a program that builds a filter, and the sessions it is asked about.
 *
 * The input is lines; the first byte of a line says what to do: set a key of the table at hand,
 * begin a new table, compose, or add a session. In the end matcher, test and explanation must say
 * the same of each session, and a filter that cannot match must not.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/session/explain.h"
#include "core/session/selection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STACK_MAX 8
#define SESSIONS_MAX 12

struct machine {
    struct das_filter *stack[STACK_MAX]; /* the last is at hand */
    bool shared[STACK_MAX];              /* a filter that is shared takes no more keys */
    size_t depth;
    struct das_session sessions[SESSIONS_MAX];
    size_t count;
};

static struct das_err err;

static void push(struct machine *m, struct das_filter *f)
{
    if (f && m->depth < STACK_MAX) {
        m->shared[m->depth] = false;
        m->stack[m->depth++] = f;
    } else {
        das_filter_release(f);
    }
}

static void set(struct machine *m, struct das_text line)
{
    const char *eq = memchr(line.ptr, '=', line.len);
    struct das_value v = {.kind = DAS_V_TEXT};
    struct das_filter *f = m->stack[m->depth - 1];
    char key[32];
    size_t n;

    if (!eq || m->shared[m->depth - 1] || das_filter_op(f) != DAS_FILTER_TABLE)
        return;
    n = (size_t)(eq - line.ptr);
    if (n >= sizeof key)
        return;
    memcpy(key, line.ptr, n);
    key[n] = '\0';
    v.text = das_text(eq + 1, line.len - n - 1);
    if (strcmp(key, "all") == 0)
        v = (struct das_value){.kind = DAS_V_BOOL, .boolean = v.text.len % 2 == 0};
    err.msg[0] = '\0';
    if (das_filter_set(f, key, &v, &err) < 0 && !err.msg[0])
        abort(); /* an error says what it is */
}

static void compose(struct machine *m, char op)
{
    struct das_filter *b, *a, *made;

    if (m->depth < (op == '~' ? 1u : 2u))
        return;
    b = m->stack[--m->depth];
    if (op == '~') {
        made = das_filter_not(b, &err);
        a = NULL;
    } else {
        a = m->stack[--m->depth];
        made = op == '&' ? das_filter_and(a, b, &err) : das_filter_or(a, b, &err);
    }
    if (made) {
        das_filter_release(a);
        das_filter_release(b);
        push(m, made);
        return;
    }
    if (a) /* too deep or too large: what was composed stays apart */
        push(m, a);
    push(m, b);
}

/* user|host|db|command|state|sql|number: an empty field is NULL, "-" is "". */
static void add_session(struct machine *m, struct das_text line)
{
    struct das_session *s = &m->sessions[m->count];
    struct das_text *texts[] = {&s->user, &s->host, &s->db, &s->command, &s->state, &s->sql_info};
    int64_t numbers[3] = {DAS_UNKNOWN, DAS_UNKNOWN, DAS_UNKNOWN};

    if (m->count == SESSIONS_MAX)
        return;
    memset(s, 0, sizeof *s);
    s->id = (int64_t)m->count;
    for (size_t i = 0; i < 9 && line.ptr; i++) {
        const char *bar = memchr(line.ptr, '|', line.len);
        struct das_text field = das_text(line.ptr, bar ? (size_t)(bar - line.ptr) : line.len);
        int64_t n;
        if (i < 6)
            *texts[i] = !field.len              ? DAS_TEXT_NULL
                        : das_text_is(field, "-") ? das_text("", 0)
                                                  : field;
        else if (das_parse_int(field, &n) && n >= 0)
            numbers[i - 6] = n;
        else if (das_text_is(field, "none") && i > 6)
            numbers[i - 6] = DAS_ABSENT;
        line = bar ? das_text(bar + 1, line.len - field.len - 1) : DAS_TEXT_NULL;
    }
    s->state_duration = numbers[0];
    s->trx_time = numbers[1];
    s->rows_modified = numbers[2];
    s->time_ms = s->query_id = s->rows_examined = s->progress = s->trx_id =
        s->blocked_by = DAS_UNKNOWN;
    m->count++;
}

static void ask(const struct das_filter *f, const struct das_snapshot *snap)
{
    struct das_matcher *m = das_matcher_new(f, snap, &err);
    struct das_filter *no = das_filter_not((struct das_filter *)(uintptr_t)f, &err);
    bool can = das_filter_can_match(f);
    struct das_buf b = {0};

    if (!m)
        abort();
    for (uint32_t row = 0; row < das_snapshot_rows(snap); row++) {
        struct das_session s;
        struct das_explanation *e;
        enum das_truth t;
        das_snapshot_get(snap, row, &s);
        t = das_filter_test(f, &s);
        e = das_explain(f, &s, &err);
        if (!e || e->truth != t || das_matcher_test(m, row) != t || (t == DAS_YES && !can))
            abort();
        if (no && das_filter_test(no, &s) != (t == DAS_UNSURE ? t : t == DAS_YES ? DAS_NO : DAS_YES))
            abort();
        das_explanation_print(e, &b);
        das_explanation_free(e);
    }
    das_buf_reset(&b);
    das_filter_print(f, &b);
    if (b.failed || !b.len)
        abort();
    das_buf_clear(&b);
    das_filter_release(no);
    das_matcher_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine m = {.depth = 0};
    struct das_text rest = das_text((const char *)data, size);
    struct das_snapshot *snap = das_snapshot_new(&err);

    push(&m, das_filter_new(&err));
    for (int lines = 0; rest.len && lines < 200; lines++) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        struct das_text line = das_text(rest.ptr, end ? (size_t)(end - rest.ptr) : rest.len);
        if (line.len) {
            switch (line.ptr[0]) {
            case '{':
                push(&m, das_filter_new(&err));
                break;
            case '&':
            case '|':
            case '~':
                compose(&m, line.ptr[0]);
                break;
            case 'd': /* the one at hand once more: sharing */
                m.shared[m.depth - 1] = true;
                push(&m, das_filter_retain(m.stack[m.depth - 1]));
                m.shared[m.depth - 1] = true;
                break;
            case 's':
                add_session(&m, das_text(line.ptr + 1, line.len - 1));
                break;
            default:
                set(&m, line);
            }
        }
        rest.ptr += line.len + (end ? 1 : 0);
        rest.len -= line.len + (end ? 1 : 0);
    }
    for (size_t i = 0; i < m.count; i++) {
        if (das_snapshot_add(snap, &m.sessions[i], &err) < 0)
            abort();
    }
    for (size_t i = 0; i < m.depth; i++) {
        ask(m.stack[i], snap);
        das_filter_release(m.stack[i]);
    }
    das_snapshot_release(snap);
    return 0;
}
