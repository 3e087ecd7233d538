/*
 * record.c - what a recording costs: an hour of 1,000 busy sessions, a look a second, on a clock of
 * its own.
 *
 * A made-up application of a shop: forty statements with literals that are different each time, six
 * of ten sessions do something else than a second ago. Prints
 *   write BYTES ROWS WRITER_CPU_S ALL_CPU_S
 *   json BYTES_PACKED BYTES_PLAIN ROWS      (the same sessions as JSON lines through zstd -3)
 *   size BYTES                              (the same snapshots in das's form, for the ratio)
 *   read ROWS CPU_S
 *   filter ROWS CPU_S                       (with a filter that matches one in hundred)
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "core/base/clock.h"
#include "core/session/render.h"
#include "core/source/recording.h"
#include "core/source/recording_json.h"
#include "core/source/recording_writer.h"
#include "tests/unit/kit.h"

#define SESSIONS 1000

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* --- the application -------------------------------------------------------------------------- */

/* %d a number, %w a word, %t a date, %m an amount. */
static const char *const statements[] = {
    "SELECT c_discount, c_last, c_credit, w_tax FROM customer, warehouse WHERE w_id = %d AND "
    "c_w_id = "
    "w_id AND c_d_id = %d AND c_id = %d",
    "SELECT d_next_o_id, d_tax FROM district WHERE d_w_id = %d AND d_id = %d FOR UPDATE",
    "UPDATE district SET d_next_o_id = %d + 1 WHERE d_id = %d AND d_w_id = %d",
    "INSERT INTO orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local) VALUES "
    "(%d, %d, "
    "%d, %d, '%t', %d, 1)",
    "INSERT INTO new_order (no_o_id, no_d_id, no_w_id) VALUES (%d, %d, %d)",
    "SELECT i_price, i_name, i_data FROM item WHERE i_id = %d",
    "SELECT s_quantity, s_data, s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05 FROM stock "
    "WHERE "
    "s_i_id = %d AND s_w_id = %d FOR UPDATE",
    "UPDATE stock SET s_quantity = %d, s_ytd = s_ytd + %d, s_order_cnt = s_order_cnt + 1 WHERE "
    "s_i_id = "
    "%d AND s_w_id = %d",
    "INSERT INTO order_line (ol_o_id, ol_d_id, ol_w_id, ol_number, ol_i_id, ol_supply_w_id, "
    "ol_quantity, "
    "ol_amount, ol_dist_info) VALUES (%d, %d, %d, %d, %d, %d, %d, %m, '%w%w')",
    "UPDATE warehouse SET w_ytd = w_ytd + %m WHERE w_id = %d",
    "SELECT count(c_id) FROM customer WHERE c_w_id = %d AND c_d_id = %d AND c_last = '%w'",
    "SELECT c_first, c_middle, c_id, c_street_1, c_city, c_state, c_zip, c_phone, c_credit, "
    "c_balance FROM "
    "customer WHERE c_w_id = %d AND c_d_id = %d AND c_last = '%w' ORDER BY c_first",
    "UPDATE customer SET c_balance = %m, c_data = '%w %w %d %d %w' WHERE c_w_id = %d AND c_d_id = "
    "%d AND "
    "c_id = %d",
    "INSERT INTO history (h_c_d_id, h_c_w_id, h_c_id, h_d_id, h_w_id, h_date, h_amount, h_data) "
    "VALUES "
    "(%d, %d, %d, %d, %d, '%t', %m, '%w    %w')",
    "SELECT o_id, o_entry_d, COALESCE(o_carrier_id, 0) FROM orders WHERE o_w_id = %d AND o_d_id = "
    "%d AND "
    "o_c_id = %d AND o_id = (SELECT MAX(o_id) FROM orders WHERE o_w_id = %d AND o_d_id = %d AND "
    "o_c_id = "
    "%d)",
    "DELETE FROM new_order WHERE no_o_id = %d AND no_d_id = %d AND no_w_id = %d",
    "SELECT COUNT(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = %d AND ol_d_id = %d AND "
    "ol_o_id "
    "< %d AND ol_o_id >= %d AND s_w_id = %d AND s_i_id = ol_i_id AND s_quantity < %d",
    "select l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice * (1 - l_discount)) "
    "from "
    "lineitem where l_shipdate <= date '%t' - interval '%d' day group by l_returnflag, "
    "l_linestatus",
    "select o_orderpriority, count(*) from orders where o_orderdate >= date '%t' and exists "
    "(select * from "
    "lineitem where l_orderkey = o_orderkey and l_commitdate < l_receiptdate) group by "
    "o_orderpriority",
    "SELECT id, name, price FROM products WHERE category = '%w' AND price BETWEEN %m AND %m ORDER "
    "BY "
    "price LIMIT %d, 20",
    "SELECT * FROM sessions WHERE token = '%x' AND expires > '%t'",
    "UPDATE carts SET items = items + 1, updated_at = '%t' WHERE cart_id = %d AND user_id = %d",
    "SELECT u.id, u.email, a.city FROM users u JOIN addresses a ON a.user_id = u.id WHERE u.email "
    "= "
    "'%w.%w%d@example.com'",
    "INSERT INTO events (kind, user_id, payload, at) VALUES ('%w', %d, "
    "'{\"page\":\"/%w/%d\",\"ms\":%d}', "
    "'%t')",
};
#define STATEMENTS (sizeof statements / sizeof *statements)

static const char *const words[] = {
    "BAR",   "OUGHT", "ABLE",   "PRI",   "PRES",     "ESE",    "ANTI",   "CALLY",
    "ATION", "EING",  "garden", "shoes", "kitchen",  "music",  "travel", "books",
    "anna",  "peter", "maria",  "john",  "checkout", "search",
};

struct session {
    struct das_session s;
    char host[32], sql[700];
    int64_t started_ms;
};

static void put_statement(struct session *s, int64_t now_ms)
{
    const char *p = statements[kit_below(STATEMENTS)];
    char *to = s->sql, *end = s->sql + sizeof s->sql - 40;
    time_t day = (time_t)(now_ms / 1000 - (int64_t)kit_below(90 * 86400));
    struct tm tm;

    for (; *p && to < end; p++) {
        if (*p != '%') {
            *to++ = *p;
            continue;
        }
        switch (*++p) {
        case 'd':
            to += sprintf(to, "%zu", kit_below(kit_below(2) ? 100 : 300000));
            break;
        case 'm':
            to += sprintf(to, "%zu.%02zu", kit_below(5000), kit_below(100));
            break;
        case 'w':
            to += sprintf(to, "%s", KIT_PICK(words));
            break;
        case 'x':
            to += sprintf(to, "%016llx", (unsigned long long)kit_random());
            break;
        default:
            gmtime_r(&day, &tm);
            to += strftime(to, 40, "%Y-%m-%d %H:%M:%S", &tm);
        }
    }
    s->s.sql_info = das_text(s->sql, (size_t)(to - s->sql));
}

static const char *const states[] = {
    "Sending data", "statistics",          "Updating",
    "init",         "Creating sort index", "Waiting for table metadata lock"};

static void connect_session(struct session *s, int64_t id)
{
    static const char *const users[] = {"shop_app", "shop_app", "shop_app", "reporting", "batch"};

    s->s = kit_session(id);
    snprintf(s->host, sizeof s->host, "10.20.%zu.%zu:%zu", kit_below(3), kit_below(40),
             32768 + kit_below(28000));
    s->s.host = das_text_of(s->host);
    s->s.user = das_text_of(KIT_PICK(users));
    s->s.progress = 0;
    s->s.trx_time = s->s.rows_modified = s->s.trx_id = DAS_ABSENT;
}

/* Another statement, or between two. */
static void go_on(struct session *s, int64_t now_ms, int64_t query_id)
{
    bool idle = kit_below(100) < 15;

    s->started_ms = now_ms - (int64_t)kit_below(kit_below(4) ? 200 : 1000);
    s->s.query_id = query_id - (int64_t)kit_below(4000);
    s->s.command = das_text_of(idle ? "Sleep" : kit_below(5) ? "Query" : "Execute");
    s->s.state = idle ? das_text("", 0) : das_text_of(KIT_PICK(states));
    s->s.rows_examined = idle ? 0 : (int64_t)kit_below(kit_below(3) ? 50 : 100000);
    if (idle)
        s->s.sql_info = DAS_TEXT_NULL;
    else
        put_statement(s, now_ms);
    if (kit_below(3)) {
        s->s.trx_time = s->s.rows_modified = s->s.trx_id = DAS_ABSENT;
    } else {
        s->s.trx_time = (int64_t)kit_below(2);
        s->s.rows_modified = (int64_t)kit_below(30);
        s->s.trx_id = query_id / 3;
    }
}

static struct das_snapshot *look(struct session *list, int64_t second, int64_t now_ms)
{
    static int64_t next_id = 100000;
    struct das_err err;
    struct das_snapshot *snap = das_snapshot_new(&err);
    int64_t query_id = 5000000 + second * 4000;

    if (!snap)
        die("no memory");
    for (size_t i = 0; i < SESSIONS; i++) {
        struct session *s = &list[i];

        if (!s->s.id || !kit_below(3000))
            connect_session(s, s->s.id ? next_id++ : (int64_t)i + 50), s->started_ms = 0;
        if (!s->started_ms || kit_below(10) < 6)
            go_on(s, now_ms, query_id);
        else if (das_known(s->s.trx_time))
            s->s.trx_time++;
        s->s.time_ms = now_ms - s->started_ms;
        s->s.state_duration = s->s.time_ms / 1000;
        if (das_snapshot_add(snap, &s->s, &err) < 0)
            die(err.msg);
    }
    das_snapshot_set_time(snap, now_ms / 1000);
    return snap;
}

/* --- the measures ----------------------------------------------------------------------------- */

struct json_size {
    ZSTD_CCtx *zstd;
    char *room;
    uint64_t packed, plain;
};

static void count_json(struct json_size *j, struct das_text t, ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = {t.ptr, t.len, 0};
    size_t left;

    do {
        ZSTD_outBuffer out = {j->room, ZSTD_CStreamOutSize(), 0};

        left = ZSTD_compressStream2(j->zstd, &out, &in, how);
        if (ZSTD_isError(left))
            die("zstd");
        j->packed += out.pos;
    } while (in.pos < in.size || (how == ZSTD_e_end && left));
    j->plain += t.len;
}

static struct das_recording_stream *begin(const char *path, const struct das_recording_opts *opts,
                                          struct das_recording_writer **w)
{
    struct das_err err;
    struct das_recording_stream *stream = NULL;

    unlink(path);
    if (das_recording_writer_open(path, opts, w, &err) < 0 ||
        !(stream = das_recording_writer_stream(*w, "shop-db-1", &err)))
        die(err.msg);
    return stream;
}

static double write_file(const char *path, int64_t seconds, struct json_size *json, int level)
{
    const struct das_recording_opts opts = {.level = level};
    struct session *list = calloc(SESSIONS, sizeof *list);
    struct das_recording_writer *w;
    struct das_recording_stream *stream = begin(path, &opts, &w);
    struct das_clock clock;
    struct das_buf line = {0};
    struct das_err err;
    double spent = 0;

    if (!list)
        die("no memory");
    das_clock_init(&clock, 1766655104000);
    das_clock_enter(&clock);
    kit_seed(3);
    for (int64_t i = 0; i < seconds; i++) {
        int64_t now_ms = das_clock_unix_ms();
        struct das_snapshot *s = look(list, i, now_ms);
        double from = cpu_s();

        if (das_recording_stream_add(stream, s, now_ms, &err) < 0)
            die(err.msg);
        spent += cpu_s() - from;
        if (json) {
            das_recording_json(s, "shop-db-1", now_ms, NULL, &line);
            count_json(json, das_buf_view(&line), i + 1 == seconds ? ZSTD_e_end : ZSTD_e_continue);
            das_buf_reset(&line);
        }
        das_snapshot_release(s);
        das_clock_sleep_ms(1000);
    }
    das_clock_enter(NULL);
    if (das_recording_writer_close(w, &err) < 0)
        die(err.msg);
    das_buf_clear(&line);
    free(list);
    return spent;
}

static uint64_t read_file(const char *path, const struct das_filter *only)
{
    struct das_recording *r;
    struct das_snapshot *s;
    struct das_err err;
    uint64_t rows = 0;
    int rc;

    if (das_recording_open(path, &r, &err) < 0)
        die(err.msg);
    das_recording_only(r, only);
    while ((rc = das_recording_next(r, &s, &err)) == 1) {
        rows += das_snapshot_rows(s);
        das_snapshot_release(s);
    }
    if (rc < 0)
        die(err.msg);
    das_recording_close(r);
    return rows;
}

static uint64_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "record.das";
    int64_t seconds = argc > 2 ? atol(argv[2]) : 3600;
    int level = argc > 3 ? atoi(argv[3]) : 0;
    struct json_size json = {ZSTD_createCCtx(), malloc(ZSTD_CStreamOutSize()), 0, 0};
    struct das_filter *few = kit_filter2("user", "batch", "time", "3");
    double from, spent;
    uint64_t rows;

    if (!json.zstd || !json.room)
        die("no memory");
    from = cpu_s();
    spent = write_file(path, seconds, NULL, level);
    printf("write %llu %lld %.3f %.3f\n", (unsigned long long)size_of(path),
           (long long)seconds * SESSIONS, spent, cpu_s() - from);
    fflush(stdout);
    from = cpu_s();
    rows = read_file(path, NULL);
    printf("read %llu %.3f\n", (unsigned long long)rows, cpu_s() - from);
    from = cpu_s();
    rows = read_file(path, few);
    printf("filter %llu %.3f\n", (unsigned long long)rows, cpu_s() - from);
    ZSTD_CCtx_setParameter(json.zstd, ZSTD_c_compressionLevel, 3);
    write_file(path, seconds < 300 ? seconds : 300, &json, level);
    printf("json %llu %llu %llu\n", (unsigned long long)json.packed, (unsigned long long)json.plain,
           (unsigned long long)size_of(path));
    unlink(path);
    return 0;
}
