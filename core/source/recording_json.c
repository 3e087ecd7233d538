/* recording_json.c - see recording_json.h. */
#include "core/source/recording_json.h"

#include "core/base/json.h"

static void put_known(struct das_buf *b, const char *key, int64_t v)
{
    if (das_known(v))
        das_json_key_int(b, key, v);
}

/* Keys that other readers of such lines pass over, where there is something to tell. */
static void put_details(const struct das_snapshot *s, int64_t time_ms, struct das_buf *b)
{
    const struct das_identity *id = das_snapshot_identity(s);

    das_json_key_int(b, "taken_ms", time_ms);
    if (das_snapshot_partial(s))
        das_json_key_bool(b, "partial", true);
    if (das_snapshot_cut(s))
        das_json_key_bool(b, "cut", true);
    if (das_snapshot_lag(s))
        das_json_key_int(b, "lag", das_snapshot_lag(s));
    if (das_snapshot_spread(s))
        das_json_key_int(b, "spread", das_snapshot_spread(s));
    put_known(b, "source_total", das_snapshot_total(s));
    if (id->server[0])
        das_json_key_text(b, "server", das_text_of(id->server));
    put_known(b, "server_start", id->start_unix_s);
    if (das_snapshot_own_count(s)) {
        das_json_key(b, "own_ids");
        das_buf_char(b, '[');
        for (size_t i = 0; i < das_snapshot_own_count(s); i++) {
            das_json_comma(b);
            das_buf_int(b, das_snapshot_own(s, i));
        }
        das_buf_char(b, ']');
    }
    if (das_snapshot_own_user(s).ptr)
        das_json_key_text(b, "own_user", das_snapshot_own_user(s));
}

static void put_warnings(const struct das_snapshot *s, struct das_buf *b)
{
    das_json_key(b, "warnings");
    das_buf_char(b, '[');
    for (size_t i = 0; i < das_snapshot_warnings(s); i++) {
        das_json_comma(b);
        das_json_str(b, das_snapshot_warning(s, i));
    }
    das_buf_char(b, ']');
}

void das_recording_json(const struct das_snapshot *s, const char *instance, int64_t time_ms,
                        const struct das_flush *flush, struct das_buf *b)
{
    uint32_t rows = das_snapshot_rows(s);
    int64_t total = das_snapshot_total(s);
    struct das_session row;

    das_buf_char(b, '{');
    das_json_key_int(b, "data_sync_time", das_snapshot_time(s));
    das_json_key_int(b, "total_count", total > rows && !das_snapshot_complete(s) ? total : rows);
    das_json_key_bool(b, "complete", das_snapshot_complete(s));
    das_json_key(b, "instance");
    das_json_str(b, instance);
    put_details(s, time_ms, b);
    put_warnings(s, b);
    das_json_key(b, "processes");
    das_buf_char(b, '[');
    for (uint32_t i = 0; i < rows; i++) {
        das_snapshot_get(s, i, &row);
        if (i)
            das_buf_char(b, ',');
        das_render_session_json(&row, b);
        if (flush && b->len >= ((size_t)1 << 16))
            flush->call(b, flush->arg);
    }
    das_buf_str(b, "]}\n");
}
