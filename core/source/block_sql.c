/* block_sql.c - see block_sql.h. */
#include "core/source/block_sql.h"

#include <string.h>

#include "core/base/mem.h"

#define DIGITS_MAX 18 /* of one number: it fits into 64 bits */

static bool is_word(unsigned char c)
{
    return (das_lower(c) >= 'a' && das_lower(c) <= 'z') || das_is_digit(c) || c == '_' ||
           c == '$' || c >= 0x80;
}

/* --- taking apart ----------------------------------------------------------------------------- */

/* A number at p: its leading zeros, its value. Returns behind it. */
static const char *put_number(const char *p, const char *end, struct das_buf *streams)
{
    uint64_t v = 0, zeros = 0;
    const char *from = p, *stop = end - p > DIGITS_MAX ? p + DIGITS_MAX : end;

    for (; p < stop && das_is_digit((unsigned char)*p); p++)
        v = v * 10 + (uint64_t)(*p - '0');
    while (from + zeros + 1 < p && from[zeros] == '0')
        zeros++;
    das_put_varint(&streams[DAS_BS_SQL_NUMBERS], v);
    das_buf_char(&streams[DAS_BS_SQL_ZEROS], (char)zeros);
    return p;
}

static void put_string(struct das_text t, struct das_buf *streams)
{
    das_put_varint(&streams[DAS_BS_SQL_LENGTHS], t.len);
    das_buf_text(&streams[DAS_BS_SQL_STRINGS], t);
}

/* Does it have to be kept as it is? What is only digits and marks (a date) is better off as the
 * numbers in it. */
static bool has_letters(const char *p, const char *end)
{
    while (p < end && (das_is_digit((unsigned char)*p) || !is_word((unsigned char)*p)))
        p++;
    return p < end;
}

/* The string whose opening quote is at p: the quotes stay in the shape. Returns behind it; NULL
 * when it does not close, or holds no more than numbers. */
static const char *take_string(struct das_sql_writer *w, const char *p, const char *end,
                               struct das_buf *streams)
{
    const char *close = memchr(p + 1, *p, (size_t)(end - p - 1));

    if (!close || !has_letters(p + 1, close))
        return NULL;
    das_buf_char(&w->shape, *p);
    das_buf_char(&w->shape, DAS_SQL_STRING);
    das_buf_char(&w->shape, *p);
    put_string(das_text(p + 1, (size_t)(close - p - 1)), streams);
    return close + 1;
}

static void take_apart(struct das_sql_writer *w, struct das_text sql, struct das_buf *streams)
{
    const char *p = sql.ptr, *end = p + sql.len, *kept = p;

    while (p < end) {
        const char *next = NULL;
        unsigned char c = (unsigned char)*p;

        if (das_is_digit(c) && (p == sql.ptr || p == kept || !is_word((unsigned char)p[-1]))) {
            das_buf_add(&w->shape, kept, (size_t)(p - kept));
            das_buf_char(&w->shape, DAS_SQL_NUMBER);
            next = put_number(p, end, streams);
        } else if (c == '\'' || c == '"') {
            das_buf_add(&w->shape, kept, (size_t)(p - kept));
            kept = p;
            next = take_string(w, p, end, streams);
        }
        if (next)
            kept = next;
        p = next ? next : p + 1;
    }
    das_buf_add(&w->shape, kept, (size_t)(p - kept));
}

static bool has_holes(struct das_text sql)
{
    return memchr(sql.ptr, DAS_SQL_NUMBER, sql.len) || memchr(sql.ptr, DAS_SQL_STRING, sql.len);
}

int das_sql_put(struct das_sql_writer *w, struct das_text sql, struct das_buf *streams)
{
    uint32_t known = w->shapes.count, number;
    struct das_text shape;

    das_buf_reset(&w->shape);
    if (sql.len && has_holes(sql)) {
        das_buf_char(&w->shape, DAS_SQL_STRING);
        put_string(sql, streams);
    } else if (sql.len) {
        take_apart(w, sql, streams);
    }
    shape = das_buf_view(&w->shape);
    if (w->shape.failed || das_texts_number(&w->shapes, &w->arena, shape, &number) < 0)
        return -1;
    if (w->shapes.count > known) {
        das_put_varint(&streams[DAS_BS_LENGTHS + DAS_BT_SQL], shape.len);
        das_buf_text(&streams[DAS_BS_TEXTS + DAS_BT_SQL], shape);
    }
    das_put_varint(&streams[DAS_BS_SQL_SHAPES], number);
    return 0;
}

void das_sql_writer_clear(struct das_sql_writer *w)
{
    das_texts_clear(&w->shapes);
    das_arena_clear(&w->arena);
    das_buf_clear(&w->shape);
}

/* --- putting together ------------------------------------------------------------------------- */

static int damaged(struct das_err *err)
{
    return das_fail(err, DAS_E_DATA, "a block whose statements have no sense");
}

/* How many shapes and spans there are, at most. */
static void count_spans(const struct das_bytes *lengths, const struct das_bytes *bytes,
                        size_t *shapes, size_t *spans)
{
    *shapes = 0;
    for (const unsigned char *p = lengths->p; p < lengths->end; p++)
        *shapes += *p < 0x80;
    *spans = *shapes;
    for (const unsigned char *p = bytes->p; p < bytes->end; p++)
        *spans += *p == DAS_SQL_NUMBER || *p == DAS_SQL_STRING;
}

static uint32_t cut_shape(struct das_sql_reader *r, const char *base, const char *p,
                          const char *end, uint32_t span)
{
    const char *from = p;

    for (; p < end; p++) {
        if (*p != DAS_SQL_NUMBER && *p != DAS_SQL_STRING)
            continue;
        r->spans[span++] = (struct das_sql_span){(uint32_t)(from - base), (uint32_t)(p - from), *p};
        from = p + 1;
    }
    r->spans[span++] = (struct das_sql_span){(uint32_t)(from - base), (uint32_t)(p - from), 'e'};
    return span;
}

int das_sql_reader_init(struct das_sql_reader *r, struct das_bytes *streams, struct das_err *err)
{
    struct das_bytes *lengths = &streams[DAS_BS_LENGTHS + DAS_BT_SQL];
    struct das_bytes bytes = streams[DAS_BS_TEXTS + DAS_BT_SQL];
    const char *base = (const char *)bytes.p;
    size_t shapes, spans;
    uint32_t span = 0;

    count_spans(lengths, &bytes, &shapes, &spans);
    if (shapes > DAS_BLOCK_TEXTS_MAX)
        return damaged(err);
    r->spans = das_grow(NULL, spans, sizeof *r->spans);
    r->first = das_grow(NULL, shapes + 1, sizeof *r->first);
    if (!r->spans || !r->first)
        return das_fail_nomem(err);
    for (r->count = 0; lengths->p < lengths->end; r->count++) {
        uint64_t len = das_take_varint(lengths);
        const char *p = das_take_bytes(&bytes, len);

        if (!p || lengths->bad)
            return damaged(err);
        r->first[r->count] = span;
        span = cut_shape(r, base, p, p + len, span);
    }
    r->first[r->count] = span;
    return bytes.p == bytes.end ? 0 : damaged(err);
}

static size_t print_number(uint64_t v, char out[20])
{
    char reversed[20];
    size_t n = 0;

    do {
        reversed[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

static void take_number(struct das_bytes *streams, struct das_buf *out)
{
    struct das_bytes *zeros = &streams[DAS_BS_SQL_ZEROS];
    uint64_t v = das_take_varint(&streams[DAS_BS_SQL_NUMBERS]);
    const char *z = das_take_bytes(zeros, 1);
    char digits[20];

    if (!z)
        return;
    if (*z)
        das_buf_fill(out, '0', (unsigned char)*z);
    das_buf_add(out, digits, print_number(v, digits));
}

static void take_string_back(struct das_bytes *streams, struct das_buf *out)
{
    uint64_t len = das_take_varint(&streams[DAS_BS_SQL_LENGTHS]);
    const char *p = das_take_bytes(&streams[DAS_BS_SQL_STRINGS], len);

    if (p)
        das_buf_add(out, p, (size_t)len);
}

bool das_sql_take(struct das_sql_reader *r, struct das_bytes *streams, struct das_buf *out)
{
    const char *base = (const char *)streams[DAS_BS_TEXTS + DAS_BT_SQL].p;
    uint64_t number = das_take_varint(&streams[DAS_BS_SQL_SHAPES]);

    if (streams[DAS_BS_SQL_SHAPES].bad || number >= r->count)
        return false;
    for (uint32_t i = r->first[number]; i < r->first[number + 1]; i++) {
        const struct das_sql_span *span = &r->spans[i];

        das_buf_add(out, base + span->at, span->len);
        if (span->hole == DAS_SQL_NUMBER)
            take_number(streams, out);
        else if (span->hole == DAS_SQL_STRING)
            take_string_back(streams, out);
    }
    return !streams[DAS_BS_SQL_NUMBERS].bad && !streams[DAS_BS_SQL_ZEROS].bad &&
           !streams[DAS_BS_SQL_LENGTHS].bad && !streams[DAS_BS_SQL_STRINGS].bad;
}

void das_sql_reader_clear(struct das_sql_reader *r)
{
    das_free(r->spans);
    das_free(r->first);
    *r = (struct das_sql_reader){0};
}
