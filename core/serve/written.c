/* written.c - see written.h. A row that two threads write at the same moment is written twice, and
 * one of the two is kept. */
#include "core/serve/written.h"

#include <stdatomic.h>

#include "core/base/json.h"
#include "core/base/mem.h"

struct line {
    size_t len;
    char bytes[];
};

struct das_written {
    struct das_snapshot *snap;
    atomic_uint refs;
    uint32_t rows;
    _Atomic(struct line *) lines[];
};

struct das_written *das_written_new(struct das_snapshot *s, struct das_err *err)
{
    uint32_t rows = das_snapshot_rows(s);
    struct das_written *w = das_calloc(1, sizeof *w + rows * sizeof w->lines[0]);

    if (!w) {
        das_fail_nomem(err);
        return NULL;
    }
    w->snap = das_snapshot_retain(s);
    w->rows = rows;
    atomic_init(&w->refs, 1);
    return w;
}

struct das_written *das_written_retain(struct das_written *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void das_written_release(struct das_written *w)
{
    if (!w || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (uint32_t i = 0; i < w->rows; i++)
        das_free(atomic_load_explicit(&w->lines[i], memory_order_relaxed));
    das_snapshot_release(w->snap);
    das_free(w);
}

/* Fields and their order as in the API's example; what is not known is null. */
static void write_session(const struct das_session *s, struct das_buf *b)
{
    das_buf_char(b, '{');
    das_json_key_int(b, "id", s->id);
    das_json_key_text(b, "user", s->user);
    das_json_key_text(b, "host", s->host);
    das_json_key_text(b, "db", s->db);
    das_json_key_text(b, "state", s->state);
    das_json_key_text(b, "command", s->command);
    das_json_key_text(b, "sql_info", s->sql_info);
    if (das_known(s->state_duration))
        das_json_key_int(b, "state_duration", s->state_duration);
    else
        das_buf_str(b, ",\"state_duration\":null");
    das_buf_char(b, '}');
}

static struct line *write_line(struct das_written *w, uint32_t row)
{
    struct line *line = NULL, *first = NULL;
    struct das_session s;
    struct das_buf b = {0};

    das_snapshot_get(w->snap, row, &s);
    write_session(&s, &b);
    if (!b.failed)
        line = das_alloc(sizeof *line + b.len);
    if (line) {
        line->len = b.len;
        memcpy(line->bytes, b.ptr, b.len);
        if (!atomic_compare_exchange_strong_explicit(&w->lines[row], &first, line,
                                                     memory_order_acq_rel, memory_order_acquire)) {
            das_free(line);
            line = first;
        }
    }
    das_buf_clear(&b);
    return line;
}

void das_written_add(struct das_written *w, uint32_t row, struct das_buf *b)
{
    struct line *line = atomic_load_explicit(&w->lines[row], memory_order_acquire);

    if (!line)
        line = write_line(w, row);
    if (line)
        das_buf_add(b, line->bytes, line->len);
    else
        b->failed = true;
}
