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

/* Only what the JSON form carries, too. */
static bool blocks_json;

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
        bytes[i] = (char)(blocks_json ? kit_below(128) : kit_random()); /* NUL, not UTF-8 */
    return das_text(bytes, kit_below(sizeof bytes));
}

static inline int64_t blocks_number(bool of_state)
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

    int64_t edge = edges[kit_below(sizeof edges / sizeof *edges)];

    if (edge == DAS_ABSENT && blocks_json && of_state)
        edge = DAS_UNKNOWN;
    return kit_below(3) ? (int64_t)kit_below(100000) : edge;
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
    MAYBE(state_duration, blocks_number(true));
    MAYBE(time_ms, blocks_number(false));
    MAYBE(query_id, blocks_number(false));
    MAYBE(trx_time, blocks_number(false));
    MAYBE(rows_modified, blocks_number(false));
    MAYBE(rows_examined, blocks_number(false));
    MAYBE(progress, !blocks_json   ? blocks_number(false)
                    : kit_below(4) ? (int64_t)kit_below(100001)
                                   : DAS_ABSENT);
    MAYBE(trx_id, blocks_number(false));
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
        if (blocks_json && row.id < 0)
            row.id = 5;
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
        das_snapshot_set_total(s, das_snapshot_rows(s) + (int64_t)kit_below(1000));
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
    for (int f = 0; f < DAS_F_COUNT && !blocks_json; f++) /* which columns are there */
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

/* --- files of them -----------------------------------------------------------------------------
 */

#define BLOCKS_MANY 4000

/* One snapshot as it was given to the writer, or came from the reader. */
struct blocks_taken {
    char *instance, *text;
    int64_t ms;
};

struct blocks_list {
    struct blocks_taken at[BLOCKS_MANY];
    size_t count;
    int rc;
    struct das_err err;
    char note[600];
};

static inline void blocks_drop_last(struct blocks_list *l)
{
    l->count--;
    das_free(l->at[l->count].instance);
    das_free(l->at[l->count].text);
}

static inline void blocks_clear(struct blocks_list *l)
{
    while (l->count)
        blocks_drop_last(l);
}

static inline void blocks_add(struct blocks_list *l, const char *instance, int64_t ms,
                              const struct das_snapshot *s)
{
    if (l->count == BLOCKS_MANY)
        exit(1);
    l->at[l->count++] =
        (struct blocks_taken){instance ? das_strdup(instance) : NULL, blocks_print(s), ms};
}

/* All that path holds; only: of that instance. */
static inline struct blocks_list *blocks_read(const char *path, const char *only)
{
    struct blocks_list *l = calloc(1, sizeof *l);
    struct das_recording *r = NULL;
    struct das_snapshot *s;

    if (!l)
        exit(1);
    l->rc = das_recording_open(path, &r, &l->err);
    if (l->rc < 0)
        return l;
    das_recording_only_of(r, only);
    while ((l->rc = das_recording_next(r, &s, &l->err)) == 1) {
        blocks_add(l, das_recording_instance(r), das_recording_time_ms(r), s);
        das_snapshot_release(s);
    }
    if (das_recording_note(r))
        snprintf(l->note, sizeof l->note, "%s", das_recording_note(r));
    das_recording_close(r);
    return l;
}

static inline void blocks_free(struct blocks_list *l)
{
    blocks_clear(l);
    free(l);
}

/* Are the snapshots of that instance in got those of want, at most of them where some is true?
 * Gives how many differ. */
static inline size_t blocks_differences(const struct blocks_list *want,
                                        const struct blocks_list *got, const char *instance,
                                        bool some)
{
    size_t w = 0, wrong = 0;

    for (size_t g = 0; g < got->count; g++) {
        if (strcmp(got->at[g].instance, instance) != 0)
            continue;
        while (w < want->count && strcmp(want->at[w].instance, instance) != 0)
            w++;
        if (w == want->count)
            return wrong + 1;
        if (strcmp(want->at[w].text, got->at[g].text) != 0 || want->at[w].ms != got->at[g].ms) {
            if (!wrong)
                tap_diag("at %lld and %lld\n%s\n%s", (long long)want->at[w].ms,
                         (long long)got->at[g].ms, want->at[w].text, got->at[g].text);
            wrong++;
        }
        w++;
    }
    for (; w < want->count && !some; w++)
        wrong += strcmp(want->at[w].instance, instance) == 0;
    return wrong;
}

static const char *const blocks_names[] = {"db1", "db2",
                                           "a much longer name of an instance: \xc3\xa9"};
#define BLOCKS_NAMES (sizeof blocks_names / sizeof *blocks_names)

/* Appends random snapshots of several instances to path, and remembers them. */
static inline void blocks_write_random(const char *path, const struct das_recording_opts *opts,
                                       size_t count, int64_t from_ms, struct blocks_list *want)
{
    struct das_recording_writer *w;
    struct das_recording_stream *streams[BLOCKS_NAMES];
    struct das_snapshot *last[BLOCKS_NAMES] = {NULL};
    struct das_err err = {0};
    size_t failed = 0;

    must(das_recording_writer_open(path, opts, &w, &err) == 0, "the file is opened: %s", err.msg);
    for (size_t i = 0; i < BLOCKS_NAMES; i++)
        streams[i] = das_recording_writer_stream(w, blocks_names[i], &err);
    for (size_t i = 0; i < count; i++) {
        size_t which = kit_below(BLOCKS_NAMES);
        struct das_snapshot *s = blocks_snapshot(last[which], from_ms / 1000);

        from_ms += (int64_t)kit_below(2000);
        failed += das_recording_stream_add(streams[which], s, from_ms, &err) < 0;
        blocks_add(want, blocks_names[which], from_ms, s);
        das_snapshot_release(last[which]);
        last[which] = s;
    }
    for (size_t i = 0; i < BLOCKS_NAMES; i++)
        das_snapshot_release(last[i]);
    is_int(failed, 0, "all are taken: %s", err.msg);
    is_int(das_recording_writer_close(w, &err), 0, "and the file is closed");
}

#endif
