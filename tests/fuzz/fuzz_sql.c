/*
 * fuzz_sql.c - any bytes as SQL text: fingerprint, keywords, table cell, JSON, CSV.
 *
 * The first byte says where the input is cut into keywords and statement. What is checked: sizes
 * and stability of fingerprints, keywords against a slow search, cells that no terminal obeys,
 * JSON that jansson reads back.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/session/fingerprint.h"
#include "core/session/pattern.h"
#include "core/session/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct das_err err;

static void fingerprint(struct das_text sql)
{
    struct das_buf once = {0}, twice = {0};

    das_fingerprint(sql, &once);
    das_fingerprint(das_buf_view(&once), &twice);
    if (once.len > sql.len + 1 || !das_text_eq(das_buf_view(&once), das_buf_view(&twice)))
        abort();
    das_buf_clear(&once);
    das_buf_clear(&twice);
}

static size_t slow_find(struct das_text hay, struct das_text needle)
{
    for (size_t i = 0; i + needle.len <= hay.len; i++) {
        if (das_text_ieq(das_text(hay.ptr + i, needle.len), needle))
            return i;
    }
    return SIZE_MAX;
}

static void keywords(struct das_text words, struct das_text sql)
{
    struct das_keywords k;
    struct das_text rest = sql;
    size_t found = 0;

    if (das_keywords_init(&k, words, &err) < 0) {
        if (err.code != DAS_E_USAGE)
            abort();
        return;
    }
    for (; found < k.count; found++) {
        size_t at = slow_find(rest, k.words[found]);
        if (at == SIZE_MAX)
            break;
        rest.ptr += at + k.words[found].len;
        rest.len -= at + k.words[found].len;
    }
    if (das_keywords_found(&k, sql) != found)
        abort();
    das_keywords_clear(&k);
}

static void pattern(struct das_text source, struct das_text t, bool any_case)
{
    struct das_pattern p;

    if (das_pattern_init(&p, source, any_case, &err) < 0)
        abort();
    (void)das_pattern_match(&p, t);
    das_pattern_clear(&p);
}

static void cell(struct das_text t, size_t cells)
{
    struct das_buf b = {0};
    size_t used = das_render_cell(t, cells, &b), seen = 0;

    if (used > cells)
        abort();
    for (size_t i = 0, n; i < b.len; i += n) {
        uint32_t code;
        n = das_utf8_next(b.ptr + i, b.len - i, &code);
        if (!n || code < 0x20 || (code >= 0x7f && code < 0xa0) ||
            (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
            abort();
        seen += (size_t)das_utf8_cells(code);
    }
    if (seen != used)
        abort();
    das_buf_clear(&b);
}

static void json(struct das_text t)
{
    struct das_session s = {.id = 1, .user = t, .sql_info = t, .progress = 5};
    struct das_buf b = {0};
    json_t *v;
    const json_t *sql;

    das_render_session_json(&s, &b);
    v = das_json_parse(b.ptr, b.len, NULL, &err);
    sql = json_object_get(v, "sql_info");
    if (!v || (das_utf8_valid(t) &&
               !das_text_eq(t, das_text(json_string_value(sql), json_string_length(sql)))))
        abort();
    json_decref(v);
    das_buf_reset(&b);
    das_render_session_csv(&s, &b);
    if (b.failed || b.len < 2 || b.ptr[b.len - 1] != '\n')
        abort();
    das_buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct das_text words, sql;
    char *exact; /* a block that ends with the statement: reading further is seen */
    size_t cut;

    if (size < 2)
        return 0;
    cut = data[0] % size;
    words = das_text((const char *)data + 1, cut);
    if (cut + 1 > size)
        return 0;
    sql.len = size - 1 - cut;
    exact = malloc(sql.len ? sql.len : 1);
    if (!exact)
        abort();
    memcpy(exact, data + 1 + cut, sql.len);
    sql.ptr = exact;
    fingerprint(sql);
    keywords(words, sql);
    pattern(words, sql, data[0] & 1);
    cell(sql, data[0]);
    json(sql);
    free(exact);
    return 0;
}
