/* test_pushdown.c - the SQL that a filter becomes, as golden strings, nasty names included. */
#include "core/source/pushdown.h"

#include "core/base/mem.h"
#include "tests/unit/tap.h"

static struct das_err err;

static struct das_filter *one(const char *key, const char *text)
{
    struct das_filter *f = das_filter_new(&err);

    if (!f || (key && das_filter_set_text(f, key, text, &err) < 0)) {
        tap_diag("%s: %s", key, err.msg);
        exit(1);
    }
    return f;
}

/* These take over what they are given. */
static struct das_filter *two(const char *k1, const char *t1, const char *k2, const char *t2)
{
    struct das_filter *f = one(k1, t1);

    if (das_filter_set_text(f, k2, t2, &err) < 0)
        exit(1);
    return f;
}

static struct das_filter *no(struct das_filter *a)
{
    struct das_filter *f = das_filter_not(a, &err);
    das_filter_release(a);
    return f;
}

static struct das_filter *both(struct das_filter *a, struct das_filter *b)
{
    struct das_filter *f = das_filter_and(a, b, &err);
    das_filter_release(a);
    das_filter_release(b);
    return f;
}

static struct das_filter *either(struct das_filter *a, struct das_filter *b)
{
    struct das_filter *f = das_filter_or(a, b, &err);
    das_filter_release(a);
    das_filter_release(b);
    return f;
}

static struct das_filter *all(void)
{
    struct das_filter *f = das_filter_new(&err);
    const struct das_value yes = {.kind = DAS_V_BOOL, .boolean = true};

    if (das_filter_set(f, "all", &yes, &err) < 0)
        exit(1);
    return f;
}

static void sql(struct das_filter *f, const char *want)
{
    struct das_buf b, name;

    das_buf_init(&b);
    das_buf_init(&name);
    das_filter_print(f, &name);
    ok(das_pushdown_where(f, &b, &err) == 0, "%s is translated", name.ptr);
    is_str(b.ptr ? b.ptr : "", want, "%s", name.ptr);
    das_buf_clear(&b);
    das_buf_clear(&name);
    das_filter_release(f);
}

static void names(void)
{
    sql(one("user", "app"), "CAST(USER AS BINARY) = x'617070'");
    sql(one("db", "App "), "CAST(DB AS BINARY) = x'41707020'");
    sql(one("user", "o'b\\r\"`;--"), "CAST(USER AS BINARY) = x'6f27625c7222603b2d2d'");
    sql(one("user", "caf\xc3\xa9"), "CAST(USER AS BINARY) = x'636166c3a9'");
    sql(one("db", "\xf0\x9f\x98\x80"), "CAST(DB AS BINARY) = x'f09f9880'");
    sql(one("user", "a_b"), "CAST(USER AS BINARY) = x'615f62'");
    sql(one("user", "a_b%"), "CAST(USER AS BINARY) LIKE x'617c5f6225' ESCAPE '|'");
    sql(one("user", "a|%b\\"), "CAST(USER AS BINARY) LIKE x'617c7c25625c' ESCAPE '|'");
    sql(one("user", "50\\%"), "CAST(USER AS BINARY) = x'353025'");
    sql(one("user", "50\\%%"), "CAST(USER AS BINARY) LIKE x'35307c2525' ESCAPE '|'");
    sql(one("db", "%"), "CAST(DB AS BINARY) LIKE x'25' ESCAPE '|'");
    sql(no(one("db", "x")), "NOT COALESCE(CAST(DB AS BINARY) = x'78', 0)");
    sql(no(one("db", "x%")), "NOT COALESCE(CAST(DB AS BINARY) LIKE x'7825' ESCAPE '|', 0)");
}

static void hosts(void)
{
    sql(one("host", "Db1"), "(CAST(LOWER(HOST) AS BINARY) = x'646231' OR CAST(LOWER(HOST) AS "
                            "BINARY) LIKE x'6462313a25' ESCAPE '|' OR HOST LIKE '[%')");
    sql(one("host", "10._%"),
        "(CAST(LOWER(HOST) AS BINARY) LIKE x'31302e7c5f25' ESCAPE '|' OR CAST(LOWER(HOST) AS "
        "BINARY) LIKE x'31302e7c5f253a25' ESCAPE '|' OR HOST LIKE '[%')");
    sql(no(one("host", "Db1")), "NOT COALESCE(CAST(HOST AS BINARY) = x'446231', 0)");
    sql(one("host", "[::1]"), "");
    sql(no(one("host", "[::1]:5")), "");
    sql(one("host", "\xc3\x89%"), "");
}

static void other_criteria(void)
{
    sql(one("command", "query"), "CAST(LOWER(COMMAND) AS BINARY) = x'7175657279'");
    sql(no(one("command", "qUERY")), "NOT COALESCE(CAST(COMMAND AS BINARY) = x'5175657279', 0)");
    sql(one("time", "60"), "(TIME >= 60 AND TIME <= 2147483646)");
    sql(no(one("time", "60")), "(TIME >= 0 AND TIME < 60)");
    sql(one("id", "7"), "ID IN (7)");
    sql(no(one("id", "7")), "ID NOT IN (7)");
    sql(one("info", "select~from"), "");
    sql(no(one("info", "select")), "");
    sql(one("state", "Sending%"), "");
    sql(one("trx_time", "5"), "");
    sql(no(one("rows_modified", "5")), "");
}

static void composition(void)
{
    sql(two("user", "a", "time", "5"),
        "(CAST(USER AS BINARY) = x'61' AND (TIME >= 5 AND TIME <= 2147483646))");
    sql(two("user", "a", "info", "x"), "CAST(USER AS BINARY) = x'61'");
    sql(no(two("user", "a", "time", "5")),
        "(NOT COALESCE(CAST(USER AS BINARY) = x'61', 0) OR (TIME >= 0 AND TIME < 5))");
    sql(no(two("user", "a", "info", "x")), "");
    sql(no(no(one("user", "a"))), "CAST(USER AS BINARY) = x'61'");
    sql(either(one("id", "1"), one("id", "2")), "(ID IN (1) OR ID IN (2))");
    sql(either(one("id", "1"), one("info", "x")), "");
    sql(both(one("id", "1"), one("info", "x")), "ID IN (1)");
    sql(no(either(one("id", "1"), one("info", "x"))), "ID NOT IN (1)");
    sql(no(both(one("id", "1"), one("info", "x"))), "");
    sql(both(one("id", "1"), either(one("id", "2"), one("id", "3"))),
        "(ID IN (1) AND (ID IN (2) OR ID IN (3)))");
    sql(both(one("id", "1"), no(both(one("id", "2"), one("id", "3")))),
        "(ID IN (1) AND (ID NOT IN (2) OR ID NOT IN (3)))");
}

static void empty_and_all(void)
{
    sql(one(NULL, NULL), "FALSE");
    sql(no(one(NULL, NULL)), "FALSE");
    sql(one("task_type", "auto"), "FALSE");
    sql(either(one(NULL, NULL), one("id", "1")), "ID IN (1)");
    sql(both(one(NULL, NULL), one("id", "1")), "FALSE");
    sql(no(both(one(NULL, NULL), one("id", "1"))), "ID NOT IN (1)");
    sql(all(), "");
    sql(no(all()), "FALSE");
    sql(both(all(), one("id", "1")), "ID IN (1)");
    sql(either(no(all()), one("id", "1")), "ID IN (1)");
}

static void limits(void)
{
    static int64_t ids[DAS_PUSHDOWN_IDS + 1];
    struct das_value v = {.kind = DAS_V_INTS, .ints = ids, .count = DAS_PUSHDOWN_IDS};
    struct das_filter *f = one("user", "a");
    struct das_buf b;

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        ids[i] = (int64_t)i + 1;
    das_buf_init(&b);
    must(das_filter_set(f, "id", &v, &err) == 0, "a long list of ids");
    ok(das_pushdown_where(f, &b, &err) == 0 && strstr(b.ptr, ",1000)"), "is pushed down");
    das_buf_reset(&b);
    v.count++;
    must(das_filter_set(f, "id", &v, &err) == 0, "a longer list");
    must(das_pushdown_where(f, &b, &err) == 0, "is translated");
    is_str(b.ptr, "CAST(USER AS BINARY) = x'61'", "but not pushed down");
    das_buf_clear(&b);
    das_filter_release(f);

    f = one("id", "1");
    for (int i = 0; i < 300; i++)
        f = either(f, one("user", "somebody with quite a long name, so that it adds up"));
    sql(f, "");
}

static void no_memory(void)
{
    struct das_filter *f = both(no(two("user", "a%", "host", "b")), one("command", "Query"));
    struct das_buf b;

    for (long n = 1; n < 20; n++) {
        int rc;
        das_buf_init(&b);
        das_alloc_fail_at(n);
        rc = das_pushdown_where(f, &b, &err);
        das_buf_clear(&b);
        if (!das_alloc_failed())
            break;
        ok(rc < 0 && err.code == DAS_E_NOMEM, "allocation %ld fails cleanly", n);
    }
    das_alloc_fail_at(0);
    das_filter_release(f);
}

int main(void)
{
    names();
    hosts();
    other_criteria();
    composition();
    empty_and_all();
    limits();
    no_memory();
    return tap_done();
}
