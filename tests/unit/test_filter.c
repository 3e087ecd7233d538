/* test_filter.c - each key: what it takes, what it refuses and how it says so; how filters print. */
#include "core/session/filter.h"

#include "tests/unit/kit.h"

static struct das_err err;

static void refuses_value(const char *key, const struct das_value *v, const char *message)
{
    struct das_filter *f = kit_filter(NULL, NULL);

    err.code = DAS_OK;
    ok(das_filter_set(f, key, v, &err) < 0 && err.code == DAS_E_USAGE, "%s refuses", key);
    is_str(err.msg, message, "and says what it wants");
    ok(das_filter_is_empty(f), "nothing was set");
    das_filter_release(f);
}

static void refuses(const char *key, const char *text, const char *message)
{
    const struct das_value v = {.kind = DAS_V_TEXT, .text = das_text_of(text)};

    refuses_value(key, &v, message);
}

static void takes_number(const char *key, const char *text, int64_t want)
{
    struct das_filter *f = kit_filter(key, text);
    struct das_criterion c;

    for (int k = 0; k < DAS_K_COUNT; k++) {
        if (strcmp(das_key_name((enum das_key)k), key) == 0)
            ok(das_filter_get(f, (enum das_key)k, &c) && c.number == want, "%s=\"%s\" is %lld",
               key, text, (long long)want);
    }
    das_filter_release(f);
}

static void numbers(void)
{
    static const struct das_value half = {.kind = DAS_V_NUMBER, .number = 1.5},
                                  huge = {.kind = DAS_V_NUMBER, .number = 1e300},
                                  nan_ = {.kind = DAS_V_NUMBER, .number = __builtin_nan("")},
                                  whole = {.kind = DAS_V_NUMBER, .number = 60.0},
                                  flag = {.kind = DAS_V_BOOL, .boolean = true},
                                  list = {.kind = DAS_V_INTS},
                                  other = {.kind = DAS_V_OTHER, .type_name = "function"};
    static const char *const bad_types[] = {"user", "host",    "db",        "command",
                                            "info", "state",   "task_type", "time",
                                            "id",   "trx_time", "rows_modified", "task_duration"};
    struct das_filter *f = kit_filter(NULL, NULL);

    takes_number("time", "0", 0);
    takes_number("time", "5m", 300);
    takes_number("time", "2147483646", DAS_TIME_MAX);
    takes_number("trx_time", "1d", 86400);
    takes_number("rows_modified", "9223372036854775807", INT64_MAX);
    takes_number("task_duration", "10", 10);
    takes_number("task_duration", "31535999", DAS_TASK_DURATION_MAX);
    refuses("time", "2147483647", "time: expected 0 to 2147483646, got 2147483647");
    refuses("time", "-1", "time: expected 0 to 2147483646, got -1");
    refuses("time", "soon",
            "time: expected whole seconds or a duration such as \"5m\", got \"soon\"");
    refuses("time", "99999999999999999999",
            "time: expected whole seconds or a duration such as \"5m\", got "
            "\"99999999999999999999\"");
    refuses("trx_time", "1.5",
            "trx_time: expected whole seconds or a duration such as \"5m\", got \"1.5\"");
    refuses("rows_modified", "5m", "rows_modified: expected a whole number, got \"5m\"");
    refuses("rows_modified", "-1",
            "rows_modified: expected 0 to 9223372036854775807, got -1");
    refuses("task_duration", "9", "task_duration: expected 10 to 31535999, got 9");
    refuses("task_duration", "31536000", "task_duration: expected 10 to 31535999, got 31536000");
    refuses_value("time", &half,
                  "time: expected whole seconds or a duration such as \"5m\", got 1.5");
    refuses_value("time", &huge,
                  "time: expected whole seconds or a duration such as \"5m\", got 1e+300");
    refuses_value("time", &nan_,
                  "time: expected whole seconds or a duration such as \"5m\", got nan");
    refuses_value("time", &flag,
                  "time: expected whole seconds or a duration such as \"5m\", got a boolean");
    refuses_value("user", &whole, "user: expected a string, got a number");
    for (size_t i = 0; i < sizeof bad_types / sizeof *bad_types; i++) {
        ok(das_filter_set(f, bad_types[i], &other, &err) < 0 && strstr(err.msg, "got function"),
           "%s takes no function", bad_types[i]);
        ok(strncmp(err.msg, bad_types[i], strlen(bad_types[i])) == 0, "and is named");
        if (strcmp(bad_types[i], "id") != 0)
            ok(das_filter_set(f, bad_types[i], &list, &err) < 0 && strstr(err.msg, "got a list"),
               "%s takes no list", bad_types[i]);
    }
    ok(das_filter_set(f, "time", &whole, &err) == 0, "a whole float is a number");
    is_str(kit_text(f), "{time=60}", "60.0 is 60");
    das_filter_release(f);
}

static void names(void)
{
    refuses("usr", "x", "unknown filter key \"usr\"; did you mean \"user\"?");
    refuses("User", "x", "unknown filter key \"User\"; did you mean \"user\"?");
    refuses("sql_info", "x", "unknown filter key \"sql_info\"; did you mean \"info\"?");
    refuses("state_duration", "1", "unknown filter key \"state_duration\"; did you mean \"time\"?");
    refuses("database", "x", "unknown filter key \"database\"; did you mean \"db\"?");
    refuses("zzzzzzzz", "x",
            "unknown filter key \"zzzzzzzz\"; expected user, host, db, command, time, info, state, "
            "id, trx_time, rows_modified, task_duration, task_type or all");
    refuses("", "x",
            "unknown filter key \"\"; expected user, host, db, command, time, info, state, id, "
            "trx_time, rows_modified, task_duration, task_type or all");
    refuses("command", "Qury", "command: no source knows \"Qury\"; did you mean \"Query\"?");
    refuses("command", "Query%", "command: no source knows \"Query%\"; did you mean \"Query\"?");
    refuses("command", "xxxxxxxxxxxx",
            "command: no source knows \"xxxxxxxxxxxx\"; expected a name such as \"Query\" or "
            "\"Sleep\"");
    refuses("command",
            "0123456789012345678901234567890123456789012345678901234567890123456789",
            "command: no source knows a name of 70 bytes");
    refuses("task_type", "Auto", "task_type: expected \"auto\" or \"manual\", got \"Auto\"");
    refuses("info", "~ ~", "info: no keyword between the \"~\", expected text");
    refuses("all", "true", "all: expected true or false, got a string");
    refuses("id", "x", "id: expected a session id or a list of ids, got a string");
    for (size_t i = 0; i < das_command_count; i++) {
        struct das_filter *f = kit_filter("command", das_command_names[i]);
        ok(!das_filter_is_empty(f), "command \"%s\" is known", das_command_names[i]);
        das_filter_release(f);
    }
    das_filter_release(kit_filter("command", "bInLoG dUmP gtid"));
}

static void ids(void)
{
    static int64_t many[DAS_IDS_MAX + 1];
    const int64_t few[] = {7, -3, 7, INT64_MAX, INT64_MIN, 7};
    struct das_value v = {.kind = DAS_V_INTS, .ints = few, .count = 6};
    struct das_filter *f = kit_filter(NULL, NULL);
    struct das_criterion c;

    ok(das_filter_set(f, "id", &v, &err) == 0 && das_filter_get(f, DAS_K_ID, &c), "a list of ids");
    ok(c.count == 4 && c.ids[0] == INT64_MIN && c.ids[3] == INT64_MAX, "sorted, without doubles");
    is_str(kit_text(f), "{id={-9223372036854775808, -3, 7, 9223372036854775807}}", "printed");
    v.count = 0;
    ok(das_filter_set(f, "id", &v, &err) < 0, "an empty list is no list");
    is_str(err.msg, "id: expected 1 to 100000 ids, got 0", "and said so");
    ok(das_filter_get(f, DAS_K_ID, &c) && c.count == 4, "the list before stays");
    v = (struct das_value){.kind = DAS_V_INTS, .ints = many, .count = DAS_IDS_MAX};
    ok(das_filter_set(f, "id", &v, &err) == 0, "100000 ids");
    v.count++;
    ok(das_filter_set(f, "id", &v, &err) < 0, "not 100001");
    ok(das_filter_set_text(f, "id", "42", &err) == 0, "an id as text");
    is_str(kit_text(f), "{id=42}", "printed alone");
    das_filter_release(f);
}

static void unset(void)
{
    struct das_value flag = {.kind = DAS_V_BOOL, .boolean = true};
    struct das_filter *f = kit_filter(NULL, NULL);
    struct das_criterion c;

    for (int k = 0; k < DAS_K_COUNT; k++) {
        const char *key = das_key_name((enum das_key)k);
        const char *value = k == DAS_K_COMMAND     ? "Query"
                            : k == DAS_K_TASK_TYPE ? "auto"
                                                   : "60";
        int rc = k == DAS_K_ALL ? das_filter_set(f, key, &flag, &err)
                                : das_filter_set_text(f, key, value, &err);
        ok(rc == 0 && das_filter_get(f, (enum das_key)k, &c), "%s is set", key);
        ok(das_filter_set_text(f, key, "", &err) == 0 && !das_filter_get(f, (enum das_key)k, &c),
           "\"\" unsets it");
    }
    is_str(kit_text(f), "{}", "nothing is left");
    ok(das_filter_set_text(f, "user", NULL, &err) == 0 && das_filter_is_empty(f),
       "NULL is unset too");
    flag.boolean = false;
    ok(das_filter_set(f, "all", &flag, &err) == 0 && !das_filter_can_match(f), "all = false is not");
    das_filter_release(f);

    /* a key that could not be changed is what it was: a wider filter would kill more */
    f = kit_filter2("user", "app", "info", "select");
    ok(das_filter_set_text(f, "info", "~", &err) < 0, "a bad value");
    is_str(kit_text(f), "{user=\"app\", info=\"select\"}", "leaves the good one");
    for (long n = 1; n < 10; n++) {
        int rc;
        das_alloc_fail_at(n);
        rc = das_filter_set_text(f, "user", "somebody%else", &err);
        if (!das_alloc_failed()) {
            das_alloc_fail_at(0);
            break;
        }
        das_alloc_fail_at(0);
        ok(rc < 0 && strstr(kit_text(f), "user=\"app\""), "so does failing allocation %ld", n);
    }
    das_filter_release(f);
}

/* Takes f over. */
static void prints(struct das_filter *f, const char *want)
{
    is_str(kit_text(f), want, "%s", want);
    das_filter_release(f);
}

static struct das_filter *u(const char *user)
{
    return kit_filter("user", user);
}

static void printing(void)
{
    struct das_filter *f = kit_filter(NULL, NULL);
    const struct das_value nul = {.kind = DAS_V_TEXT, .text = das_text("a\0\x1f\x7f\"\\\n\xc3\xa9", 9)};

    prints(kit_filter(NULL, NULL), "{}");
    prints(kit_all(), "{all=true}");
    prints(kit_filter2("time", "5m", "user", "app%"), "{user=\"app%\", time=300}");
    prints(kit_filter2("host", "h", "state", "s"), "{host=\"h\", state=\"s\"}");
    prints(kit_filter2("task_type", "auto", "task_duration", "10m"),
           "{task_duration=600, task_type=\"auto\"}");
    must(das_filter_set(f, "user", &nul, &err) == 0, "bytes of all kinds");
    prints(f, "{user=\"a\\000\\031\\127\\\"\\\\\\010\xc3\xa9\"}");
    prints(kit_not(u("a")), "~{user=\"a\"}");
    prints(kit_not(kit_not(u("a"))), "~~{user=\"a\"}");
    prints(kit_and(u("a"), kit_or(u("b"), u("c"))),
           "{user=\"a\"} & ({user=\"b\"} | {user=\"c\"})");
    prints(kit_or(u("a"), kit_and(u("b"), u("c"))), "{user=\"a\"} | {user=\"b\"} & {user=\"c\"}");
    prints(kit_not(kit_and(u("a"), u("b"))), "~({user=\"a\"} & {user=\"b\"})");
    prints(kit_not(kit_or(u("a"), u("b"))), "~({user=\"a\"} | {user=\"b\"})");
    prints(kit_and(kit_or(u("a"), u("b")), kit_not(u("c"))),
           "({user=\"a\"} | {user=\"b\"}) & ~{user=\"c\"}");
    prints(kit_and(kit_and(u("a"), u("b")), u("c")),
           "{user=\"a\"} & {user=\"b\"} & {user=\"c\"}");
}

static void can(struct das_filter *f, bool want)
{
    ok(das_filter_can_match(f) == want, "%s %s", kit_text(f), want ? "can match" : "cannot match");
    das_filter_release(f);
}

static struct das_filter *none(void)
{
    return kit_filter(NULL, NULL);
}

static void can_match(void)
{
    can(none(), false);
    can(kit_not(none()), false);
    can(kit_not(kit_not(none())), false);
    can(kit_filter("task_type", "auto"), false);
    can(kit_not(kit_filter("task_duration", "10")), false);
    can(kit_all(), true);
    can(kit_not(kit_all()), false);
    can(u("a"), true);
    can(kit_not(u("a")), true);
    can(kit_and(u("a"), none()), false);
    can(kit_and(none(), u("a")), false);
    can(kit_or(none(), none()), false);
    can(kit_or(u("a"), none()), true);
    can(kit_or(none(), kit_all()), true);
    can(kit_and(kit_all(), none()), false);
    can(kit_not(kit_and(u("a"), none())), true);  /* where a is a sure no */
    can(kit_not(kit_or(u("a"), none())), false);
    can(kit_and(kit_all(), kit_all()), true);
    can(kit_or(kit_not(kit_all()), none()), false);
}

/* A filter for each truth, on a session without db whose time is unknown. */
static struct das_filter *of(enum das_truth t)
{
    return t == DAS_YES ? u("app") : t == DAS_NO ? u("other") : kit_filter("time", "5");
}

static void truth_tables(void)
{
    struct das_session s = kit_session(1);
    static const enum das_truth N = DAS_NO, Y = DAS_YES, U = DAS_UNSURE;
    const enum das_truth and_[3][3] = {{N, N, N}, {N, Y, U}, {N, U, U}};
    const enum das_truth or_[3][3] = {{N, Y, U}, {Y, Y, Y}, {U, Y, U}};
    const enum das_truth not_[3] = {Y, N, U};

    s.state_duration = DAS_UNKNOWN;
    for (int a = 0; a < 3; a++) {
        struct das_filter *f = kit_not(of((enum das_truth)a));
        is_int(das_filter_test(f, &s), not_[a], "not %d", a);
        das_filter_release(f);
        for (int b = 0; b < 3; b++) {
            f = kit_and(of((enum das_truth)a), of((enum das_truth)b));
            is_int(das_filter_test(f, &s), and_[a][b], "%d and %d", a, b);
            das_filter_release(f);
            f = kit_or(of((enum das_truth)a), of((enum das_truth)b));
            is_int(das_filter_test(f, &s), or_[a][b], "%d or %d", a, b);
            das_filter_release(f);
        }
    }
}

static void depth(void)
{
    struct das_filter *f = u("a"), *last = NULL;
    int deep = 0;

    for (; deep < DAS_FILTER_DEPTH_MAX + 5; deep++) {
        last = das_filter_not(f, &err);
        if (!last)
            break;
        das_filter_release(f);
        f = last;
    }
    is_int(deep, DAS_FILTER_DEPTH_MAX, "as deep as promised");
    is_str(err.msg, "a filter nests more than 500 deep", "and no deeper");
    ok(das_filter_can_match(f), "it still works");
    das_filter_release(f);

    /* sharing makes a small graph that is a huge tree to whoever walks it */
    f = u("a");
    for (deep = 0; deep < 100; deep++) {
        last = das_filter_or(f, f, &err);
        if (!last)
            break;
        das_filter_release(f);
        f = last;
    }
    ok(deep < 30, "a filter made of itself ends after %d doublings", deep);
    has_str(err.msg, "a filter has more than", "and the reason is given");
    das_filter_release(f);
    das_filter_release(NULL);
}

static void no_memory(void)
{
    int bad = 0;
    long n;

    for (n = 1; n < 100; n++) {
        struct das_filter *a = NULL, *b = NULL, *c = NULL;
        struct das_buf text = {0};
        bool failed;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        a = das_filter_new(&err);
        if (a && das_filter_set_text(a, "user", "a%b", &err) == 0 &&
            das_filter_set_text(a, "host", "[::1]:%", &err) == 0 &&
            das_filter_set_text(a, "info", "x~y", &err) == 0 &&
            das_filter_set_text(a, "id", "4", &err) == 0)
            b = das_filter_not(a, &err);
        if (b)
            c = das_filter_and(a, b, &err);
        if (c) {
            das_filter_print(c, &text);
            (void)das_buf_ok(&text, &err);
        }
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed ? err.code != DAS_E_NOMEM : !c || text.failed;
        das_filter_release(a);
        das_filter_release(b);
        das_filter_release(c);
        das_buf_clear(&text);
        if (!failed)
            break;
    }
    ok(!bad && n < 100, "%ld failing allocations are each told", n - 1);
}

int main(void)
{
    numbers();
    names();
    ids();
    unset();
    printing();
    can_match();
    truth_tables();
    depth();
    no_memory();
    return tap_done();
}
