/* block_told.c - see block_told.h. */
#include "core/source/block_told.h"

#include <string.h>

void das_told_put(const struct das_snapshot *s, struct das_buf *out)
{
    const struct das_identity *id = das_snapshot_identity(s);
    size_t own = das_snapshot_own_count(s), warnings = das_snapshot_warnings(s);

    das_put_text(out, das_text_of(id->server));
    das_put_number(out, id->start_unix_s, 0);
    das_put_number(out, das_snapshot_lag(s), 0);
    das_put_number(out, das_snapshot_spread(s), 0);
    das_put_number(out, das_snapshot_total(s), 0);
    das_put_text(out, das_snapshot_own_user(s)); /* "" and NULL are the same here */
    das_put_varint(out, own);
    for (size_t i = 0; i < own; i++)
        das_put_number(out, das_snapshot_own(s, i), 0);
    das_put_varint(out, warnings);
    for (size_t i = 0; i < warnings; i++)
        das_put_text(out, das_text_of(das_snapshot_warning(s, i)));
}

/* Lag, spread and total: nobody adds anything to them that could run over. */
static int64_t sane(int64_t v, int64_t else_)
{
    return das_known(v) && v >= 0 && v <= INT32_MAX ? v : else_;
}

int das_told_read(struct das_bytes b, struct das_snapshot *s, struct das_err *err)
{
    struct das_identity id;
    struct das_text server = das_take_text(&b), user;
    size_t n = server.len < sizeof id.server - 1 ? server.len : sizeof id.server - 1;
    uint64_t count;

    memset(&id, 0, sizeof id);
    memcpy(id.server, server.ptr, n);
    id.start_unix_s = das_take_number(&b, 0);
    das_snapshot_set_identity(s, &id);
    das_snapshot_set_lag(s, sane(das_take_number(&b, 0), 0));
    das_snapshot_set_spread(s, sane(das_take_number(&b, 0), 0));
    das_snapshot_set_total(s, das_take_number(&b, 0));
    user = das_take_text(&b);
    if (das_snapshot_set_own_user(s, user, err) < 0)
        return -1;
    count = das_take_varint(&b);
    while (count-- && !b.bad) {
        if (das_snapshot_add_own(s, das_take_number(&b, 0), err) < 0)
            return -1;
    }
    count = das_take_varint(&b);
    while (count-- && !b.bad) {
        struct das_text warning = das_take_text(&b);

        if (das_snapshot_warn(s, err, "%.*s", (int)(warning.len & INT32_MAX), warning.ptr) < 0)
            return -1;
    }
    return 0;
}

void das_told_skip(struct das_bytes *b)
{
    uint64_t own, warnings;

    das_take_text(b);
    for (int i = 0; i < 4; i++)
        das_take_number(b, 0);
    das_take_text(b);
    own = das_take_varint(b);
    for (uint64_t i = 0; i < own && !b->bad; i++)
        das_take_number(b, 0);
    warnings = das_take_varint(b);
    for (uint64_t i = 0; i < warnings && !b->bad; i++)
        das_take_text(b);
    b->bad |= own > DAS_BLOCK_OWN_MAX || warnings > DAS_BLOCK_WARNINGS_MAX;
}
