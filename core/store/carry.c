/* carry.c - see carry.h. */
#include "core/store/carry.h"

#include <string.h>

#include "core/base/crypto.h"
#include "core/store/store_impl.h"

/* A table: 'i' whole number, 's' text, 'b' bytes, in the order of the columns. Reading takes a
 * number (?1): rows from then on. */
static const struct {
    const char *name, *kinds;
    enum das_query all, add;
} tables[] = {
    {"kills", "sssbii", DAS_Q_CARRY_KILLS, DAS_Q_CARRY_KILL},
    {"breakers", "ssiiis", DAS_Q_CARRY_BREAKERS, DAS_Q_BREAKER_PUT},
    {"matches", "ssi", DAS_Q_CARRY_MATCHES, DAS_Q_MATCHES_ADD},
};
#define TABLES (sizeof tables / sizeof *tables)
#define COLUMNS 6

/* --- writing -------------------------------------------------------------------------------------- */

static void put_row(sqlite3_stmt *st, const char *kinds, struct das_buf *b)
{
    das_json_comma(b);
    das_buf_char(b, '[');
    for (int i = 0; kinds[i]; i++) {
        das_json_comma(b);
        if (kinds[i] == 'i') {
            das_buf_int(b, sqlite3_column_int64(st, i));
        } else if (kinds[i] == 's') {
            das_json_text(b, das_column(st, i));
        } else {
            das_buf_char(b, '"');
            das_hex_encode(das_column(st, i), b);
            das_buf_char(b, '"');
        }
    }
    das_buf_char(b, ']');
}

static int write_table(struct das_store *s, size_t t, int64_t since_ms, struct das_buf *b,
                       struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, tables[t].all, "i", since_ms);
    int rc = st ? 0 : -1;

    das_json_key(b, tables[t].name);
    das_buf_char(b, '[');
    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        put_row(st, tables[t].kinds, b);
        rc = 0;
    }
    das_buf_char(b, ']');
    return rc;
}

int das_carry_write(struct das_store *s, int64_t since_ms, struct das_buf *b, struct das_err *err)
{
    int rc = das_begin_read(s, err);

    if (rc < 0)
        return -1;
    das_buf_char(b, '{');
    for (size_t t = 0; t < TABLES && rc == 0; t++)
        rc = write_table(s, t, since_ms, b, err);
    das_buf_char(b, '}');
    rc = das_end(s, rc, err);
    return rc < 0 ? -1 : das_buf_ok(b, err);
}

/* --- reading -------------------------------------------------------------------------------------- */

/* One row's values, as das_do() wants them. */
struct row {
    int64_t numbers[COLUMNS];
    const char *strings[COLUMNS];
    struct das_buf bytes[COLUMNS];
};

static int wrong(size_t t, size_t n, struct das_err *err)
{
    return das_fail(err, DAS_E_DATA, "%s[%zu]: expected %zu values as das writes them",
                    tables[t].name, n + 1, strlen(tables[t].kinds));
}

static int take_row(const json_t *from, size_t t, size_t n, struct row *r, struct das_err *err)
{
    const char *kinds = tables[t].kinds;

    if (json_array_size(from) != strlen(kinds))
        return wrong(t, n, err);
    for (size_t i = 0; kinds[i]; i++) {
        const json_t *v = json_array_get(from, i);
        if (kinds[i] == 'i' ? !json_is_integer(v) : !json_is_string(v))
            return wrong(t, n, err);
        r->numbers[i] = json_integer_value(v);
        r->strings[i] = json_string_value(v);
        das_buf_reset(&r->bytes[i]);
        if (kinds[i] == 'b' &&
            das_hex_decode(das_text(json_string_value(v), json_string_length(v)), &r->bytes[i],
                           err) < 0)
            return wrong(t, n, err);
        if (kinds[i] == 'b' && das_buf_ok(&r->bytes[i], err) < 0)
            return -1;
    }
    return 0;
}

static int add_row(struct das_store *s, size_t t, const struct row *r, struct das_err *err)
{
    switch (tables[t].all) {
    case DAS_Q_CARRY_KILLS:
        return das_do(s, err, tables[t].add, "sssbii", r->strings[0], r->strings[1],
                      r->strings[2], das_buf_view(&r->bytes[3]), r->numbers[4], r->numbers[5]);
    case DAS_Q_CARRY_BREAKERS:
        return das_do(s, err, tables[t].add, "ssiiis", r->strings[0], r->strings[1],
                      r->numbers[2], r->numbers[3], r->numbers[4], r->strings[5]);
    default:
        return das_do(s, err, tables[t].add, "ssi", r->strings[0], r->strings[1], r->numbers[2]);
    }
}

static int read_table(struct das_store *s, const json_t *object, size_t t, struct row *r,
                      struct das_err *err)
{
    const json_t *rows = json_object_get(object, tables[t].name);

    if (!json_is_array(rows))
        return das_fail(err, DAS_E_DATA, "%s: expected a list", tables[t].name);
    for (size_t n = 0; n < json_array_size(rows); n++) {
        if (take_row(json_array_get(rows, n), t, n, r, err) < 0 || add_row(s, t, r, err) < 0)
            return -1;
    }
    return 0;
}

int das_carry_read(struct das_store *s, const json_t *object, struct das_err *err)
{
    struct row r = {0};
    int rc = das_begin(s, err);

    if (rc < 0)
        return -1;
    for (size_t t = 0; t < TABLES && rc == 0; t++)
        rc = read_table(s, object, t, &r, err);
    for (size_t i = 0; i < COLUMNS; i++)
        das_buf_clear(&r.bytes[i]);
    return das_end(s, rc, err);
}
