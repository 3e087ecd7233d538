/*
 * blocks_kit.h - what the tests of binary recordings share: random snapshots, written and read
 * again, compared in everything that a snapshot tells.
 */
#ifndef DAS_TESTS_BLOCKS_KIT_H
#define DAS_TESTS_BLOCKS_KIT_H

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/source/recording.h"
#include "core/source/recording_writer.h"
#include "tests/unit/kit.h"

/* --- random sessions -------------------------------------------------------------------------- */

static inline struct das_text blocks_text(const char *const *list, size_t n)
{
    static char bytes[64];
    size_t pick = kit_below(n + 4);

    if (pick < n)
        return das_text_of(list[pick]);
    if (pick == n)
        return DAS_TEXT_NULL;
    if (pick == n + 1)
        return das_text("", 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)kit_random(); /* NUL, not UTF-8 */
    return das_text(bytes, kit_below(sizeof bytes));
}

static inline int64_t blocks_number(void)
{
    static const int64_t edges[] = {DAS_UNKNOWN,
                                    DAS_ABSENT,
                                    0,
                                    1,
                                    127,
                                    128,
                                    INT32_MAX - 1,
                                    INT32_MAX,
                                    INT64_MAX,
                                    INT64_MAX - 1,
                                    (int64_t)1 << 61,
                                    (int64_t)1 << 62};

    return kit_below(3) ? (int64_t)kit_below(100000)
                        : edges[kit_below(sizeof edges / sizeof *edges)];
}

/* Changes some of a session. */
static inline void blocks_change(struct das_session *s)
{
    static const char *const users[] = {"app", "root", "r\xc3\xa9mi"};
    static const char *const hosts[] = {"10.0.0.7:51000", "10.0.0.7:51001", "localhost", "[::1]:5"};
    static const char *const dbs[] = {"shop", "orders"};
    static const char *const commands[] = {"Query", "Sleep", "Binlog Dump"};
    static const char *const states[] = {"Sending data", "", "Waiting for table metadata lock"};
    static char sql[6][100];
    static unsigned next;
    char *statement = sql[next++ % 6];

#define MAYBE(field, value)     \
    do {                        \
        if (!kit_below(3))      \
            s->field = (value); \
    } while (0)
#define TEXT(list) blocks_text(list, sizeof(list) / sizeof *(list))
    snprintf(statement, sizeof sql[0], "select %zu from t where a = '%zu'", kit_below(5),
             kit_below(1000));
    MAYBE(sql_info, kit_below(4) ? das_text_of(statement) : DAS_TEXT_NULL);
    MAYBE(user, TEXT(users));
    MAYBE(host, das_text_of(hosts[kit_below(4)]));
    MAYBE(db, das_text_of(dbs[kit_below(2)]));
    MAYBE(command, das_text_of(commands[kit_below(3)]));
    MAYBE(state, das_text_of(states[kit_below(3)]));
    MAYBE(disputed, kit_below(2) == 0);
    MAYBE(state_duration, blocks_number());
    MAYBE(time_ms, blocks_number());
    MAYBE(query_id, blocks_number());
    MAYBE(trx_time, blocks_number());
    MAYBE(rows_modified, blocks_number());
    MAYBE(rows_examined, blocks_number());
    MAYBE(progress, blocks_number());
    MAYBE(trx_id, blocks_number());
#undef MAYBE
#undef TEXT
}

/* A list that came some time after before (or NULL): most sessions are still there, some are older,
 * some did something else, some are new. Text of `before` is copied. */
static inline struct das_snapshot *blocks_snapshot(const struct das_snapshot *before,
                                                   int64_t unix_s)
{
    struct das_err err = {0};
    struct das_snapshot *s = das_snapshot_new(&err);
    uint32_t rows = before ? das_snapshot_rows(before) : 0, news = (uint32_t)kit_below(6);
    struct das_identity id = {.start_unix_s = kit_below(2) ? DAS_UNKNOWN : 1700000000};
    struct das_session row;
    bool numbers = kit_below(5) > 0;

    if (!s)
        exit(1);
    for (uint32_t i = 0; i < rows + news; i++) {
        if (i < rows) {
            das_snapshot_get(before, i, &row);
            if (!kit_below(8))
                continue;
        } else {
            das_session_unknown(&row);
            row.id = (int64_t)kit_below(1000000);
            if (!kit_below(10))
                row.id = kit_below(2) ? INT64_MAX - (int64_t)kit_below(3) : -5;
            row.user = das_text_of("app");
        }
        if (das_known(row.time_ms))
            row.time_ms += 1000;
        if (das_known(row.state_duration))
            row.state_duration++;
        if (kit_below(2))
            blocks_change(&row);
        if (!numbers)
            row.time_ms = row.query_id = row.rows_examined = DAS_UNKNOWN;
        if (das_snapshot_add(s, &row, &err) < 0)
            exit(1);
    }
    snprintf(id.server, sizeof id.server, "server %zu", kit_below(2));
    das_snapshot_set_time(s, kit_below(9) ? unix_s : 0);
    das_snapshot_set_identity(s, &id);
    das_snapshot_set_complete(s, kit_below(3) > 0);
    das_snapshot_set_partial(s, kit_below(3) == 0);
    das_snapshot_set_cut(s, kit_below(3) == 0);
    das_snapshot_set_lag(s, (int64_t)kit_below(3));
    das_snapshot_set_spread(s, (int64_t)kit_below(3));
    if (kit_below(2))
        das_snapshot_set_total(s, (int64_t)kit_below(1000));
    for (size_t i = kit_below(3); i > 0; i--)
        das_snapshot_add_own(s, (int64_t)kit_below(100), &err);
    if (kit_below(2))
        das_snapshot_set_own_user(s, das_text_of("das"), &err);
    for (size_t i = kit_below(3); i > 0; i--)
        das_snapshot_warn(s, &err, "warning %zu", kit_below(10));
    return s;
}

/* --- everything that a snapshot tells --------------------------------------------------------- */

static inline void blocks_print_text(struct das_buf *b, struct das_text t)
{
    das_buf_char(b, t.ptr ? '\'' : 'N');
    for (size_t i = 0; i < t.len; i++)
        das_buf_printf(b, "%02x", (unsigned char)t.ptr[i]);
    das_buf_char(b, ' ');
}

/* das_free() it. */
static inline char *blocks_print(const struct das_snapshot *s)
{
    struct das_buf b = {0};
    const struct das_identity *id = das_snapshot_identity(s);
    struct das_session row;

    das_buf_printf(&b,
                   "time %lld server %s start %lld flags %d%d%d lag %lld spread %lld total %lld ",
                   (long long)das_snapshot_time(s), id->server, (long long)id->start_unix_s,
                   das_snapshot_complete(s), das_snapshot_partial(s), das_snapshot_cut(s),
                   (long long)das_snapshot_lag(s), (long long)das_snapshot_spread(s),
                   (long long)das_snapshot_total(s));
    blocks_print_text(&b, das_snapshot_own_user(s));
    for (size_t i = 0; i < das_snapshot_own_count(s); i++)
        das_buf_printf(&b, "own %lld ", (long long)das_snapshot_own(s, i));
    for (size_t i = 0; i < das_snapshot_warnings(s); i++)
        das_buf_printf(&b, "warning %s ", das_snapshot_warning(s, i));
    for (int f = 0; f < DAS_F_COUNT; f++)
        das_buf_printf(&b, "%d", das_snapshot_numbers(s, (enum das_field)f) != NULL);
    das_buf_char(&b, '\n');
    for (uint32_t i = 0; i < das_snapshot_rows(s); i++) {
        das_snapshot_get(s, i, &row);
        for (int f = 0; f < DAS_F_COUNT; f++) {
            if (das_field_is_text((enum das_field)f))
                blocks_print_text(&b, das_session_text(&row, (enum das_field)f));
            else
                das_buf_printf(&b, "%lld ", (long long)das_session_int(&row, (enum das_field)f));
        }
        das_buf_printf(&b, "%s\n", row.disputed ? "disputed" : "");
    }
    return das_buf_take(&b);
}

#endif
