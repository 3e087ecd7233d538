/* session_json.c - see session_json.h. */
#include "core/session/session_json.h"

#include "core/base/crypto.h"
#include "core/session/render.h"

/* From here on (in thousandths of a per cent) a double may not keep each progress apart. No server
 * tells one; a damaged list may. */
#define PROGRESS_INEXACT ((int64_t)1000000000000)

/* --- writing ------------------------------------------------------------------------------------ */

/* What the session's own form shows only roughly: bytes in hex, a huge progress. */
static void put_exact(struct das_buf *b, const struct das_session *s)
{
    bool open = false;

    for (int f = 0; f < DAS_F_COUNT; f++) {
        struct das_text t = das_session_text(s, (enum das_field)f);
        bool number = f == DAS_F_PROGRESS && s->progress >= PROGRESS_INEXACT;
        if (!number && (!t.ptr || das_utf8_valid(t)))
            continue;
        if (!open)
            das_buf_str(b, ",\"exact\":{");
        open = true;
        das_json_key(b, das_field_name((enum das_field)f));
        if (number) {
            das_buf_int(b, s->progress);
        } else {
            das_buf_char(b, '"');
            das_hex_encode(t, b);
            das_buf_char(b, '"');
        }
    }
    if (open)
        das_buf_char(b, '}');
}

void das_session_json(const struct das_session *s, struct das_buf *b)
{
    das_json_key(b, "session");
    das_render_session_json(s, b);
    put_exact(b, s);
}

/* --- reading ------------------------------------------------------------------------------------ */

static int missing(struct das_err *err, const char *key, const char *expected)
{
    return das_fail(err, DAS_E_DATA, "%s: expected %s", key, expected);
}

static int from_hex(const json_t *hex, const char *key, struct das_arena *arena,
                    struct das_text *out, struct das_err *err)
{
    struct das_buf bytes = {0};
    int rc = -1;

    if (!json_is_string(hex))
        return missing(err, key, "bytes in hex");
    if (das_hex_decode(das_text(json_string_value(hex), json_string_length(hex)), &bytes, err) <
        0) {
        das_err_prefix(err, "%s", key);
    } else if (das_buf_ok(&bytes, err) == 0) {
        *out = das_text(das_arena_dup(arena, bytes.ptr ? bytes.ptr : "", bytes.len), bytes.len);
        rc = out->ptr ? 0 : das_fail_nomem(err);
    }
    das_buf_clear(&bytes);
    return rc;
}

int das_json_exact_text(const json_t *v, const json_t *hex, const char *key,
                        struct das_arena *arena, struct das_text *out, struct das_err *err)
{
    *out = DAS_TEXT_NULL;
    if (!v || !(json_is_string(v) || json_is_null(v)))
        return missing(err, key, "text or null");
    if (hex)
        return from_hex(hex, key, arena, out, err);
    if (json_is_string(v))
        *out = das_text(json_string_value(v), json_string_length(v));
    return 0;
}

static int read_number(const json_t *session, const json_t *exact, enum das_field f,
                       struct das_session *out, struct das_err *err)
{
    const char *key = das_field_name(f);
    const json_t *v = json_object_get(session, key);
    int64_t *to = das_session_int_at(out, f);

    if (f == DAS_F_PROGRESS && json_object_get(exact, key))
        v = json_object_get(exact, key);
    if (json_is_integer(v))
        *to = json_integer_value(v);
    else if (json_is_real(v) && f == DAS_F_PROGRESS && json_real_value(v) >= 0 &&
             json_real_value(v) < 1e15)
        *to = (int64_t)(json_real_value(v) * 1000 + 0.5);
    else if (json_is_null(v) && f != DAS_F_ID)
        *to = f == DAS_F_STATE_DURATION ? DAS_UNKNOWN : DAS_ABSENT;
    else if (v || f == DAS_F_ID)
        return missing(err, key, "a number");
    return 0; /* not there: unknown */
}

int das_session_json_read(const json_t *object, struct das_arena *arena, struct das_session *out,
                          struct das_err *err)
{
    const json_t *session = json_object_get(object, "session");
    const json_t *exact = json_object_get(object, "exact");

    if (!json_is_object(session))
        return missing(err, "session", "a session");
    das_session_unknown(out);
    out->disputed = json_is_true(json_object_get(session, "disputed"));
    for (int i = 0; i < DAS_F_COUNT; i++) {
        enum das_field f = (enum das_field)i;
        const char *key = das_field_name(f);
        int rc = das_field_is_text(f)
                     ? das_json_exact_text(json_object_get(session, key), json_object_get(exact, key),
                                           key, arena, das_session_text_at(out, f), err)
                     : read_number(session, exact, f, out, err);
        if (rc < 0)
            return -1;
    }
    return 0;
}
