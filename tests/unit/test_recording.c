/* test_recording.c - printed process lists: every format, what is tolerated, what is damage. */
#include "tests/unit/recordings.h"

#define SEP(n) "*************************** " #n ". row ***************************\n"
#define ROW(n, id, info)                                                                        \
    SEP(n)                                                                                      \
    "     Id: " #id "\n   User: app\n   Host: h:1\n     db: NULL\nCommand: Query\n   Time: 5\n" \
    "  State: \n   Info: " info "\n"
#define P "Progress: 0.000\n"
#define PROW(n, id, info)                                                                \
    SEP(n)                                                                               \
    "      Id: " #id "\n    User: app\n    Host: h:1\n      db: shop\n Command: Query\n" \
    "    Time: 5\n   State: init\n    Info: " info "\n" P
#define APP(id, info) #id " 'app' 'h:1' NULL 'Query' '' " info "  t=5\n"
#define PAPP(id, info) #id " 'app' 'h:1' 'shop' 'Query' 'init' " info "  t=5 progress=0\n"

static void test_vertical(void)
{
    struct loaded l = load(ROW(1, 7, "NULL") ROW(2, 8, "select 1") "2 rows in set (0.000 sec)\n\n");

    is_int(l.rc, 0, "vertical: read to the end");
    is_int(l.count, 1, "vertical: one snapshot");
    is_rows(l, 0, APP(7, "NULL") APP(8, "'select 1'"), "vertical: rows");
    ok(das_snapshot_complete(l.at[0]), "vertical: complete");
    unload(&l);

    l = load(ROW(1, 7, "select 1,\n\n  2") ROW(2, 8, "a\n  State: x\n" SEP(9) "b\n\n")
                 ROW(3, 9, "c"));
    is_rows(l, 0,
            APP(7, "'select 1,\n\n  2'") APP(8, "'a\n  State: x\n" SEP(9) "b\n\n'") APP(9, "'c'"),
            "vertical: newlines, blank lines and look-alikes inside Info");
    unload(&l);

    l = load(PROW(1, 7, "a\nProgress: 9\nb\n   State: x") PROW(2, 8, "c\n" SEP(3) "d"));
    is_rows(l, 0, PAPP(7, "'a\nProgress: 9\nb\n   State: x'") PAPP(8, "'c\n" SEP(3) "d'"),
            "vertical: text that looks like the next column or the next separator");
    unload(&l);

    l = load(ROW(1, 7, "a\n Trx_id: 5") ROW(2, 8, "b") ROW(3, 9, "c"));
    is_rows(l, 0, APP(7, "'a\n Trx_id: 5'") APP(8, "'b'") APP(9, "'c'"),
            "vertical: an aligned name in one row only is text");
    unload(&l);

    l = load(ROW(1, 7, "a") ROW(1, 8, "b") "\nTS 1766655104.55 2025-12-25\n" ROW(1, 9, "c")
                 ROW(2, 10, "d") "\n# 2026-01-02T03:04:05\nmysql> show processlist\\G\n" ROW(
                     1, 11, "e") "Bye\n" ROW(1, 12, "f"));
    is_int(l.count, 5, "vertical: row 1 starts a snapshot (%s)", l.err.msg);
    is_rows(l, 2, APP(9, "'c'") APP(10, "'d'"), "vertical: third snapshot");
    is_int(das_snapshot_time(l.at[2]), 1766655104, "vertical: TS line is its time");
    is_int(das_snapshot_time(l.at[3]), 1767323045, "vertical: # line is its time");
    is_rows(l, 3, APP(11, "'e'"), "vertical: fourth snapshot");
    is_int(das_snapshot_time(l.at[4]), das_snapshot_time(l.at[0]),
           "vertical: a time before a list is that list's alone");
    unload(&l);

    l = load("****");
    ok(l.rc < 0, "what may become a list and is alone is none: %s", l.err.msg);
    unload(&l);

    l = load("--------------\nshow full processlist\n--------------\n\n" ROW(
        1, 7, "a") "1 row in set (0.01 sec)\n\n--------------\nshow full "
                   "processlist\n--------------\n\n" ROW(1, 8, "b") "1 row in set (0.01 sec)\n");
    is_int(l.count, 2, "vertical: echoed statements are skipped (%s)", l.err.msg);
    is_rows(l, 0, APP(7, "'a'"), "vertical: Info ends before the echo");
    unload(&l);

    l = load(SEP(1) "  ID: 4\nUSER: x\nCOMMAND: q\nTIME: 1\n");
    is_int(l.rc, -1, "vertical: names must be aligned");
    unload(&l);
    l = load(SEP(1) "     Id: 7\n   User:\n   Host: h\n     db:\nCommand: Sleep\n   Time: 5\n  "
                    "State:\n   Info:\n");
    is_rows(l, 0, "7 '' 'h' '' 'Sleep' '' ''  t=5\n", "vertical: trailing spaces may be gone");
    unload(&l);
}

/* The first row tells the columns: text in it must not teach wrong ones. */
static void test_vertical_first_row(void)
{
    struct loaded l = load(PROW(1, 7, "a\n" SEP(2)) PROW(2, 8, "b"));

    is_rows(l, 0, PAPP(7, "'a\n" SEP(2) "'") PAPP(8, "'b'"),
            "first row: a separator in its text, right before the next column");
    unload(&l);
    l = load(PROW(1, 7, "a\nProgress: 1\nb") PROW(2, 8, "b") PROW(3, 9, "c"));
    is_rows(l, 0, PAPP(7, "'a\nProgress: 1\nb'") PAPP(8, "'b'") PAPP(9, "'c'"),
            "first row: the name of a later column in its text");
    unload(&l);
    l = load(ROW(1, 7, "a\nCommand: x\n     Id: 3"));
    is_rows(l, 0, APP(7, "'a\nCommand: x\n     Id: 3'"), "first row: names that came already");
    unload(&l);
}

static void test_vertical_cut(void)
{
    static const char whole[] =
        PROW(1, 7, "a") PROW(2, 8, "b\nc") PROW(1, 9, "d") PROW(2, 10, "e\nf");
    size_t second = strlen(PROW(1, 7, "a") PROW(2, 8, "b\nc")), len = strlen(whole), bad = 0,
           whole_rows;
    struct loaded l;

    for (size_t n = second + 1; n < len; n++) {
        l = load_bytes(das_text(whole, n));
        whole_rows = n >= second + strlen(PROW(1, 9, "d"));
        if (n == second + strlen(PROW(1, 9, "d"))) /* a shorter list, by chance */
            bad += l.count != 2 || l.note[0];
        else if (n <= second + 28) /* may have become row 3 of the first */
            bad +=
                l.count != 1 || das_snapshot_complete(l.at[0]) || das_snapshot_rows(l.at[0]) != 2;
        else
            bad += l.rc != 0 || l.count != 1 || !strstr(l.note, "half-written") ||
                   !strstr(l.note, whole_rows ? "1 whole row" : "0 whole rows");
        if (bad)
            break;
        unload(&l);
    }
    is_int(bad, 0, "vertical: wherever the last snapshot is cut, the earlier one is kept");
    if (bad)
        tap_diag("rc %d count %zu note %s err %s", l.rc, l.count, l.note, l.err.msg);
    unload(&l);

    l = load(PROW(1, 7, "a") PROW(2, 8, "b") SEP(3) "      Id: 9\n    Us");
    is_int(l.count, 1, "vertical: the only snapshot is given though cut");
    ok(!das_snapshot_complete(l.at[0]), "vertical: marked incomplete");
    is_int(das_snapshot_rows(l.at[0]), 2, "vertical: whole rows kept");
    has_str(das_snapshot_warning(l.at[0], 0), "list:23, 2 whole rows kept",
            "vertical: warning says where");
    is_str(l.note, "", "vertical: nothing was left out");
    unload(&l);
}

static void test_vertical_damage(void)
{
    is_damaged(PROW(1, 7, "a") SEP(2) "      Id: 8\n    Host: h\n" PROW(3, 9, "b"),
               "list:13: found \"    Host: h\", expected the column \"User\" of row 2",
               "vertical: a column is missing");
    is_damaged(PROW(1, 7, "a") "rubbish\n" PROW(2, 9, "b") PROW(3, 9, "b"),
               "list:11: found \"rubbish\", expected row 2 or the end",
               "vertical: a line too much");
    is_damaged(PROW(1, 7, "a") PROW(2, x8, "b") PROW(3, 9, "c"),
               "list:12: column \"Id\": expected a number, found \"x8\"",
               "vertical: a number that is none");
    is_damaged(SEP(1) "     Id: 7\n   User: u\n", "column \"Command\"", "vertical: no Command");
    is_damaged(SEP(1) "   Id: 7\n User: u\nCommand: u\n", "column", "vertical: names not aligned");
    is_damaged("hello\n", "list:1: found \"hello\", expected a das recording", "no list at all");
    is_damaged("", "holds no list", "an empty file");
    is_damaged("\n\nmysql> \n", "list:4: the file holds no list", "chatter only");
}

#define B "+----+------+------+------+---------+------+-------+----------+\n"
#define H "| Id | User | Host | db   | Command | Time | State | Info     |\n"

static void test_table(void)
{
    struct loaded l = load("MariaDB [(none)]> show processlist;\n" B H B
                           "|  7 | a|b  | h:1  | NULL | Query   |   12 |       | x | y    |\n"
                           "|  8 | 日本 | h:1  | é    | Query   |    0 | init  | s\n|\t9 |  |\n"
                           "|  9 | 😀😀   | h:1  |      | Sleep   | NULL |       |          |\n" B
                           "3 rows in set (0.000 sec)\n\n");

    is_int(l.rc, 0, "table: read to the end (%s)", l.err.msg);
    is_rows(l, 0,
            "7 'a|b' 'h:1' NULL 'Query' '' 'x | y'  t=12\n"
            "8 '日本' 'h:1' 'é' 'Query' 'init' 's\n|\t9 |'  t=0\n"
            "9 '😀😀' 'h:1' '' 'Sleep' '' '' \n",
            "table: bars, newlines, tabs, wide and four-byte characters");
    unload(&l);

    l = load(B H B "|  8 | 日本 | h:1  | é   | Query   |    0 | init  | x        |\n" B);
    is_int(l.rc, -1, "table: a row padded half by cells and half by bytes fits nothing");
    unload(&l);
    l = load(B H B "|  8 | é日 | h:1  | é   | Query   |    0 | init  | x        |\n" B);
    is_int(l.rc, -1, "table: five bytes in four");
    unload(&l);
    l = load(B H B "|  8 | 日a | h:1  | é   | Query   |    0 | init  | x        |\n" B);
    is_rows(l, 0, "8 '日a' 'h:1' 'é' 'Query' 'init' 'x'  t=0\n", "table: padded by bytes");
    unload(&l);
    l = load(B H B "|  8 | 日本   | h:1  | é    | Query   |    0 | init  | x        |\n" B);
    is_rows(l, 0, "8 '日本' 'h:1' 'é' 'Query' 'init' 'x'  t=0\n", "table: padded by characters");
    unload(&l);

    l = load("Empty set (0.00 sec)\n\n" B H B B B H B
             "|  7 | a    | h:1  | NULL | Query   |   12 |       | x        |\n" B);
    is_int(l.count, 3, "table: an empty set, an empty table and a table");
    is_rows(l, 0, "", "table: empty set");
    is_rows(l, 1, "", "table: empty table");
    is_rows(l, 2, "7 'a' 'h:1' NULL 'Query' '' 'x'  t=12\n", "table: the third");
    unload(&l);

    l = load("\xef\xbb\xbf" B H B
             "|  7 | a    | h:1  | NULL | Query   |   12 |       | x        |\n"
             "+----+------+------+------+---------+------+-------+----------+");
    ok(l.count == 1 && das_snapshot_complete(l.at[0]), "table: BOM, and no newline at the end");
    unload(&l);
}

static void test_table_damage(void)
{
    static const char whole[] =
        B H B "|  7 | a    | h:1  | NULL | Query   |   12 |       | x        |\n" B B H B
              "|  8 | b    | h:1  | NULL | Query   |   12 |       | x        |\n"
              "|  9 | c    | h:1  | NULL | Query   |   12 |       | x        |\n" B;
    size_t line = strlen(B), first = 5 * line, bad = 0;
    struct loaded l;

    for (size_t n = first + 1; n < sizeof whole - 2; n++) {
        l = load_bytes(das_text(whole, n));
        bad += l.rc != 0 || l.count != 1 || !strstr(l.note, "half-written");
        if (bad) {
            tap_diag("at %zu: rc %d count %zu note %s err %s", n, l.rc, l.count, l.note, l.err.msg);
            unload(&l);
            break;
        }
        unload(&l);
    }
    is_int(bad, 0, "table: wherever the last table is cut, the first is kept");
    l = load_bytes(das_text(whole, 4 * line));
    ok(l.count == 1 && !das_snapshot_complete(l.at[0]) && das_snapshot_rows(l.at[0]) == 1,
       "table: the only one, without its closing border");
    unload(&l);
    is_damaged(
        B H B "|  7 | ab    | h:1  | NULL | Query   |   12 |       | x        |\n" B,
        "list:4: the row does not fit the border: expected \" |\" after 4 cells of column \"User\"",
        "table: a row too wide");
    is_damaged(B H B "|  7 | a    | h:1  | NULL | Query   |   12 |       | x        |\nx\n" B,
               "list:5: found", "table: a line too much");
    is_damaged(B "| Id | User | Host | db   | Command | Zeit | State | Info     |\n" B B,
               "list:2: expected a column \"Time\"", "table: no Time");
    is_damaged(B "| Id | User |\n" B, "list:2: expected a line of 8 column names",
               "table: short header");
    is_damaged("+---+---+x\n| a |\nb\n", "list:1: expected a border",
               "table: a border that is none");
    is_damaged(B H H B, "list:3: expected the border again", "table: no border below the names");
}

/* Columns wider than 1024: the client pads to 1024 and leaves longer values unpadded. */
static void test_table_wide(void)
{
    struct das_buf b;
    struct loaded l;
    struct das_session s;

    das_buf_init(&b);
    for (int round = 0; round < 2; round++) {
        das_buf_str(&b, "+----+------+---------+------+");
        das_buf_fill(&b, '-', 1502);
        das_buf_str(&b, "+----------+\n");
        if (round == 0) {
            das_buf_str(&b, "| Id | User | Command | Time | Info ");
            das_buf_fill(&b, ' ', 1020);
            das_buf_str(&b, "| Progress |\n");
        }
    }
    das_buf_str(&b, "|  1 | a    | Query   |    1 | short");
    das_buf_fill(&b, ' ', 1019);
    das_buf_str(&b, " |    0.000 |\n|  2 | b    | Query   |    1 | ");
    das_buf_fill(&b, 'x', 1100);
    das_buf_str(&b, " |\n| 99 | or ");
    das_buf_fill(&b, 'y', 387);
    das_buf_str(&b, " |   12.500 |\n+----+------+---------+------+");
    das_buf_fill(&b, '-', 1502);
    das_buf_str(&b, "+----------+\n");
    l = load_bytes(das_buf_view(&b));
    must(l.rc == 0 && l.count == 1 && das_snapshot_rows(l.at[0]) == 2, "wide: two rows (%s)",
         l.err.msg);
    das_snapshot_get(l.at[0], 0, &s);
    ok(das_text_is(s.sql_info, "short"), "wide: padded to 1024");
    das_snapshot_get(l.at[0], 1, &s);
    is_int(s.sql_info.len, 1500, "wide: a longer value stands unpadded, bars and all");
    is_int(s.progress, 12500, "wide: the column behind it");
    unload(&l);
    das_buf_clear(&b);
}

/* A long value in the last column may hold what ends a row; only a row or the border ends it. */
static void test_table_wide_last(void)
{
    struct das_buf b;
    struct loaded l;

    das_buf_init(&b);
    for (int round = 0; round < 3; round++) {
        if (round == 2)
            das_buf_printf(&b,
                           "|  1 | a    | Query   |    1 | %01050d |\n| 2 | b |\n and more |\n"
                           "|  3 | c    | Query   |    1 | %-1024s |\n",
                           7, "short");
        das_buf_str(&b, "+----+------+---------+------+");
        das_buf_fill(&b, '-', 1502);
        das_buf_str(&b, "+\n");
        if (round == 0)
            das_buf_printf(&b, "| Id | User | Command | Time | %-1024s |\n", "Info");
    }
    l = load_bytes(das_buf_view(&b));
    must(l.rc == 0 && l.count == 1, "wide last: read (%s)", l.err.msg);
    is_int(das_snapshot_rows(l.at[0]), 2, "wide last: two rows");
    is_int(das_snapshot_sql(l.at[0])[0].len, 1050 + 22, "wide last: the whole value");
    unload(&l);
    das_buf_reset(&b);
    for (int round = 0; round < 3; round++) {
        if (round == 2)
            das_buf_printf(&b, "| 1  | a    | Query   | 1    | %-1500s |\n", "padded");
        das_buf_str(&b, "+----+------+---------+------+");
        das_buf_fill(&b, '-', 1502);
        das_buf_str(&b, "+\n");
        if (round == 0)
            das_buf_printf(&b, "| Id | User | Command | Time | %-1500s |\n", "Info");
    }
    l = load_bytes(das_buf_view(&b));
    is_rows(l, 0, "1 'a' NULL NULL 'Query' NULL 'padded'  t=1\n", "wide: the admin tool pads all");
    unload(&l);
    das_buf_clear(&b);
}

#define TH "Id\tUser\tHost\tdb\tCommand\tTime\tState\tInfo\tProgress\n"

static void test_tsv(void)
{
    struct loaded l = load(TH "7\ta\\tb\th:1\tNULL\tQuery\t12\t\tselect\\n1 \\\\ \\0 \\x\t0.000\n"
                              "8\t\t\t\tSleep\tNULL\t\tNULL\t25.5\n");

    is_int(l.rc, 0, "tsv: read to the end (%s)", l.err.msg);
    is_int(l.count, 1, "tsv: one snapshot");
    ok(das_text_eq(das_snapshot_sql(l.at[0])[0], das_text("select\n1 \\ \0 \\x", 15)),
       "tsv: escapes, NUL");
    unload(&l);
    l = load(TH
             "7\ta\\tb\th:1\tNULL\tQuery\t12\t\tx\t0.000\n8\t\t\t\tSleep\tNULL\t\tNULL\t25.5\n" TH
             "9\ta\th\tNULL\tQuery\t12\t\ty\t0.000\n\n10\ta\th\tNULL\tQuery\t12\t\tz\t0.000\n"
             "TS 1766655104\n" TH "11\ta\th\tNULL\tQuery\t12\t\tz\t0.000\n");
    is_int(l.count, 4, "tsv: a header, a blank line and a time start snapshots (%s)", l.err.msg);
    is_rows(l, 0,
            "7 'a\tb' 'h:1' NULL 'Query' '' 'x'  t=12 progress=0\n8 '' '' '' 'Sleep' '' NULL  "
            "progress=25500\n",
            "tsv: NULL and empty are told apart");
    is_rows(l, 2, "10 'a' 'h' NULL 'Query' '' 'z'  t=12 progress=0\n",
            "tsv: rows behind a blank line");
    is_int(das_snapshot_time(l.at[3]), 1766655104, "tsv: time");
    unload(&l);

    l = load(TH "7\ta\th\tNULL\tQuery\t12\t\tx\t0.000\n8\ta\th\tNULL\tQuery\t1");
    ok(l.count == 1 && !das_snapshot_complete(l.at[0]) && das_snapshot_rows(l.at[0]) == 1,
       "tsv: last line cut");
    has_str(das_snapshot_warning(l.at[0], 0), "list:3, 1 whole row kept", "tsv: says where");
    unload(&l);
    l = load(TH "7\ta\th\tNULL\tQuery\t12\t\tx\t0.000\n" TH "8\ta\th\tNULL\tQuery\t12\t\tx");
    ok(l.count == 1 && strstr(l.note, "half-written"), "tsv: the cut second list is left out");
    unload(&l);
    l = load(TH "7\ta\th\tNULL\tQuery\t12\t\tx\t0.000\nId\tUser\tHo");
    ok(l.count == 1 && strstr(l.note, "half-written"), "tsv: a cut header too");
    unload(&l);
    l = load(TH "7\ta\th\tNULL\tQuery\t12\t\tx\t0.000");
    ok(l.count == 1 && das_snapshot_complete(l.at[0]) && das_snapshot_rows(l.at[0]) == 1,
       "tsv: a whole last line needs no newline");
    unload(&l);
    is_damaged(TH "7\ta\th\n8\ta\th\tNULL\tQuery\t12\t\tx\t0.000\n",
               "list:2: found 3 columns, expected 9", "tsv: too few");
    is_damaged(TH "8\ta\th\tNULL\tQuery\t12\t\tx\ty\t0.000\n",
               "list:2: found 10 columns, expected 9", "tsv: too many");
    is_damaged("Id\tHost\tCommand\tTime\n1\th\tq\t1\n", "list:1: expected a column \"User\"",
               "tsv: no User");
    is_damaged(TH "8\ta\th\tNULL\tQuery\tsoon\t\tx\t0.000\n",
               "list:2: column \"Time\": expected a number, found \"soon\"", "tsv: Time");
}

static void test_columns(void)
{
    struct loaded l;

    l = load(
        "INFO\tTIME_MS\tSTAGE\tMAX_"
        "STAGE\tPROGRESS\tID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tQUERY_ID\tEXAMINED_ROWS\tTID\n"
        "x\t1234.567\t2\t4\t50.000\t7\tu\th\td\tQuery\t1\ts\t99\t5\t1\n");
    is_rows(l, 0, "7 'u' 'h' 'd' 'Query' 's' 'x'  t=1 ms=1234 query=99 examined=5 progress=37500\n",
            "information_schema spelling, in any order; progress of the whole");
    unload(&l);
    l = load("Id\tUser\tCommand\tTime\tTrx_id\tBlocked_by\n"
             "7\tu\tQuery\t1\t281474976710657\t9\n8\tu\tSleep\t1\tNULL\tNULL\n");
    is_rows(l, 0,
            "7 'u' NULL NULL 'Query' NULL NULL  t=1 trx_id=281474976710657 blocked_by=9\n"
            "8 'u' NULL NULL 'Sleep' NULL NULL  t=1 trx_id=absent blocked_by=absent\n",
            "the number of a transaction and whom it waits for, or that there is none");
    unload(&l);
    l = load("THREAD_ID\tNAME\tPROCESSLIST_ID\tPROCESSLIST_USER\tPROCESSLIST_HOST\tPROCESSLIST_"
             "DB\tPROCESSLIST_COMMAND\t"
             "PROCESSLIST_TIME\tPROCESSLIST_STATE\tPROCESSLIST_INFO\n"
             "1\tthread/sql/main\tNULL\tNULL\tNULL\tNULL\tNULL\t5\tNULL\tNULL\n"
             "49\tthread/sql/one_connection\t8\tu\th\td\tQuery\t1\ts\tx\n");
    is_rows(l, 0, "8 'u' 'h' 'd' 'Query' 's' 'x'  t=1\n",
            "performance_schema.threads: server threads are no sessions");
    unload(&l);
    l = load("ID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\tEXECUTION_"
             "ENGINE\n8\tu\th\td\tQuery\t1\ts\tx\tPRIMARY\n");
    is_rows(l, 0, "8 'u' 'h' 'd' 'Query' 's' 'x'  t=1\n", "performance_schema.processlist");
    unload(&l);
    l = load("Id\tUser\tCommand\tTime\n1\tu\tq\t-5\n2\tu\tq\t4294967295\n3\tu\tq\t0."
             "123\n4\tu\tq\t2147483647\n"
             "5\tu\tq\t2147483646\n6\tu\tq\t18446744073709551615\n7\tu\tq\tNULL\n8\tu\tq\t-0."
             "5\n9223372036854775807\tu\tq\t1\n");
    ok(l.rc < 0 && strstr(l.err.msg, "list:10: column \"Id\""), "an id past int64 is damage (%s)",
       l.err.msg);
    unload(&l);
    l = load("Id\tUser\tCommand\tTime\n1\tu\tq\t-5\n2\tu\tq\t4294967295\n3\tu\tq\t0."
             "123\n4\tu\tq\t2147483647\n"
             "5\tu\tq\t2147483646\n6\tu\tq\t18446744073709551615\n7\tu\tq\tNULL\n8\tu\tq\t-0."
             "5\n9223372036854775806\tu\tq\t1\n");
    is_rows(l, 0,
            "1 'u' NULL NULL 'q' NULL NULL \n2 'u' NULL NULL 'q' NULL NULL \n3 'u' NULL NULL 'q' "
            "NULL NULL  t=0 ms=123\n"
            "4 'u' NULL NULL 'q' NULL NULL \n5 'u' NULL NULL 'q' NULL NULL  t=2147483646\n6 'u' "
            "NULL NULL 'q' NULL NULL \n"
            "7 'u' NULL NULL 'q' NULL NULL \n8 'u' NULL NULL 'q' NULL NULL \n9223372036854775806 "
            "'u' NULL NULL 'q' NULL NULL  t=1\n",
            "Time in every spelling");
    unload(&l);
}

/* Several formats in one file, each with Windows line ends too. */
static void test_mixed(void)
{
    static const char text[] = PROW(
        1, 7, "a\n b") "\n" B H B
                       "|  7 | a    | h:1  | NULL | Query   |   12 |       | x\ny      |\n" B TH
                       "7\ta\th\tNULL\tQuery\t12\t\tx\t0.000\n\n{\"processes\":[{\"id\":1,"
                       "\n\"user\":\"a\"}]}\n";
    size_t len;
    char *crlf = to_crlf(text, sizeof text - 1, &len);
    struct loaded a = load(text), b = load_bytes(das_text(crlf, len));

    is_int(a.count, 4, "four formats in one file (%s)", a.err.msg);
    is_int(b.count, 4, "the same with Windows line ends (%s)", b.err.msg);
    for (size_t i = 0; i < a.count && i < b.count; i++) {
        char *rows = print_rows(a.at[i], NULL);
        is_rows(b, i, rows, "list %zu is the same with Windows line ends", i);
        das_free(rows);
    }
    unload(&a);
    unload(&b);
    free(crlf);
}

int main(void)
{
    test_vertical();
    test_vertical_first_row();
    test_vertical_cut();
    test_vertical_damage();
    test_table();
    test_table_damage();
    test_table_wide();
    test_table_wide_last();
    test_tsv();
    test_columns();
    test_mixed();
    return tap_done();
}
