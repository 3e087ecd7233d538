/* test_plan_making.c - making a plan: its limits, its hash, that it never changes; and how it and
 * its report read. */
#include "core/base/json.h"
#include "tests/unit/plan_kit.h"

static void options(void)
{
    struct das_session s = kit_session(7);
    struct das_selection *sel = kit_select(&s, 1);
    char long_reason[DAS_PLAN_REASON_MAX + 2];
    struct das_plan_opts opts = {.ttl_s = -1};
    struct das_plan *p;

    ok(!das_plan_new(sel, fake.name, &opts, &err) && err.code == DAS_E_USAGE, "no negative ttl");
    opts.ttl_s = DAS_PLAN_TTL_MAX + 1;
    ok(!das_plan_new(sel, fake.name, &opts, &err), "nor more than a day");
    is_str(err.msg, "ttl: expected 1 to 86400 seconds, got 86401", "and said so");
    opts.ttl_s = DAS_PLAN_TTL_MAX;
    memset(long_reason, 'x', sizeof long_reason);
    long_reason[sizeof long_reason - 1] = '\0';
    opts.reason = long_reason;
    ok(!das_plan_new(sel, fake.name, &opts, &err), "no endless reason");
    long_reason[DAS_PLAN_REASON_MAX] = '\0';
    p = das_plan_new(sel, fake.name, &opts, &err);
    ok(p != NULL, "1000 bytes are fine");
    das_plan_release(p);
    das_selection_free(sel);
}

static void refuses(const struct das_selection *sel, const struct das_plan_opts *opts,
                    const char *message)
{
    struct das_plan *p = das_plan_new(sel, fake.name, opts, &err);

    ok(!p && err.code == DAS_E_USAGE, "refused");
    is_str(err.msg, message, "and why");
    das_plan_release(p);
}

static void more_options(void)
{
    struct das_session s = kit_session(7);
    struct das_selection *sel = kit_select(&s, 1);
    struct das_kill_limits limits = das_kill_limits_default;
    struct das_plan_opts opts = {.escalate_ms = -1}, limited = {.limits = &limits};
    struct das_plan *p;

    refuses(sel, &opts, "escalate: expected 1 to 3600000 ms, got -1");
    opts.escalate_ms = DAS_PLAN_ESCALATE_MAX + 1;
    refuses(sel, &opts, "escalate: expected 1 to 3600000 ms, got 3600001");
    for (int mode = DAS_MODE_AUTO; mode <= DAS_MODE_SOFT; mode++) {
        opts = (struct das_plan_opts){.mode = (enum das_kill_mode)mode,
                                      .escalate_ms = DAS_PLAN_ESCALATE_MAX};
        if (mode == DAS_MODE_CONNECTION) {
            refuses(sel, &opts, "escalate: expected kill to be query, soft or auto, got connection: "
                                "there is nothing beyond it");
            continue;
        }
        p = das_plan_new(sel, fake.name, &opts, &err);
        ok(p && das_plan_escalate_ms(p) == DAS_PLAN_ESCALATE_MAX, "%s escalates",
           das_mode_name((enum das_kill_mode)mode));
        das_plan_release(p);
        is_int(das_mode_find(das_mode_name((enum das_kill_mode)mode)), mode, "and has a name");
    }
    limits.user = -1;
    refuses(sel, &limited, "limits: user: expected 0 or more, got -1");
    limits = das_kill_limits_default;
    limits.percent = __builtin_nan("");
    refuses(sel, &limited, "limits: percent: expected 0 to 100, got nan");
    limits.percent = 100.5;
    refuses(sel, &limited, "limits: percent: expected 0 to 100, got 100.5");
    for (size_t i = 0; i < 2; i++) { /* what nothing matches cannot become less */
        struct das_filter *never = i ? kit_not(kit_all()) : kit_filter(NULL, NULL);
        opts = (struct das_plan_opts){.symptom = never};
        refuses(sel, &opts,
                "symptom: expected a filter with a criterion: this one matches no session");
        das_filter_release(never);
    }
    opts = (struct das_plan_opts){.reason = NULL};
    p = das_plan_new(sel, fake.name, &opts, &err);
    must(p, "a plan of nobody");
    ok(!das_plan_asked(p)->user && !das_plan_symptom(p) && das_plan_escalate_ms(p) == 0,
       "asked for by nobody, with no symptom and no escalation");
    is_int(das_plan_limits(p)->run, das_kill_limits_default.run, "under the default limits");
    das_plan_release(p);
    das_selection_free(sel);
}

static void immutable(void)
{
    struct das_session list[] = {kit_session(1), kit_session(2)}, s;
    char name[] = "changing";
    struct das_filter *f = kit_all();
    struct das_selection *sel;
    struct das_plan *p;
    struct das_plan_opts opts = {.mode = DAS_MODE_QUERY, .reason = name};
    struct das_buf before = {0}, after = {0};

    fake_show(&fake, list, 2, THEN);
    sel = das_select(fake.list, f, &err);
    p = das_plan_new(sel, fake.name, &opts, &err);
    must(p, "a plan");
    das_plan_json(p, &before);
    sel->rows[0] = sel->rows[1]; /* whatever becomes of the selection */
    sel->count = 1;
    das_selection_free(sel);
    das_filter_release(f);
    fake_clear(&fake);
    memset(name, 'z', sizeof name - 1);
    das_plan_json(p, &after);
    ok(das_text_eq(das_buf_view(&before), das_buf_view(&after)),
       "a plan outlives its selection unchanged");
    is_int(das_plan_victims(p), 2, "two victims");
    das_plan_victim(p, 0, &s);
    ok(s.id == 1 && das_text_is(s.user, "app"), "the first one");
    is_str(das_plan_reason(p), "changing", "its reason is its own");
    is_str(das_plan_instance(p), "fake", "so is the instance");
    is_int(das_plan_mode(p), DAS_MODE_QUERY, "and the mode");
    is_str(kit_text(das_plan_filter(p)), "{all=true}", "and the filter");
    das_plan_release(das_plan_retain(p));
    das_plan_release(p);
    das_plan_release(NULL);
    das_buf_clear(&before);
    das_buf_clear(&after);
}

/* What a plan says of itself but for its birth; the hash is checked on the way. */
static char *told(const struct das_session *s, const struct das_plan_opts *opts,
                  struct das_filter *f)
{
    struct das_plan *p = plan_of(s, 1, f, opts);
    struct das_buf b = {0};
    char hex[DAS_SHA256_HEX], *text;
    json_t *v;

    das_plan_json(p, &b);
    must(das_sha256_hex(das_buf_view(&b), hex, &err) == 0, "hashed");
    is_str(das_plan_hash(p), hex, "the hash is of the JSON");
    v = das_json_parse(b.ptr, b.len, NULL, &err);
    must(v, "which is valid");
    json_object_set_new(v, "nonce", json_integer(0)); /* random, as is the next plan's */
    json_object_set_new(v, "created_ms", json_integer(0));
    json_object_set_new(v, "expires_ms", json_integer(0));
    text = json_dumps(v, JSON_COMPACT);
    json_decref(v);
    das_buf_clear(&b);
    das_plan_release(p);
    return text;
}

static void hash_one(const char *what, const struct das_session *s, const struct das_plan_opts *opts,
                     struct das_filter *f, const char *first)
{
    char *text = told(s, opts, f);

    ok(strcmp(text, first) != 0, "%s is in the hash", what);
    das_free(text);
}

static void hashes(void)
{
    struct das_session s = kit_session(7), t;
    struct das_plan_opts opts = {.mode = DAS_MODE_AUTO, .reason = "r"}, o;
    struct das_filter *f = kit_all(), *g = kit_filter("user", "app");
    char *first = told(&s, &opts, f), *again = told(&s, &opts, f);

    is_str(again, first, "the same plan says the same");
    das_free(again);
    for (int i = 0; i < DAS_F_COUNT; i++) {
        t = s;
        switch ((enum das_field)i) {
        case DAS_F_ID:
            t.id = 8;
            break;
        case DAS_F_USER:
            t.user = das_text_of("u");
            break;
        case DAS_F_HOST:
            t.host = das_text_of("h");
            break;
        case DAS_F_DB:
            t.db = DAS_TEXT_NULL;
            break;
        case DAS_F_COMMAND:
            t.command = das_text_of("Sleep");
            break;
        case DAS_F_STATE:
            t.state = das_text("", 0);
            break;
        case DAS_F_SQL_INFO:
            t.sql_info = das_text("\xff", 1);
            break;
        case DAS_F_STATE_DURATION:
            t.state_duration = 99;
            break;
        case DAS_F_TIME_MS:
            t.time_ms = 1;
            break;
        case DAS_F_QUERY_ID:
            t.query_id = 1;
            break;
        case DAS_F_TRX_TIME:
            t.trx_time = DAS_ABSENT;
            break;
        case DAS_F_ROWS_MODIFIED:
            t.rows_modified = 1;
            break;
        case DAS_F_ROWS_EXAMINED:
            t.rows_examined = 1;
            break;
        case DAS_F_PROGRESS:
            t.progress = 1;
            break;
        case DAS_F_TRX_ID:
            t.trx_id = 1;
            break;
        case DAS_F_BLOCKED_BY:
            t.blocked_by = 1;
            break;
        default:
            break;
        }
        hash_one(das_field_name((enum das_field)i), &t, &opts, f, first);
    }
    o = opts;
    o.mode = DAS_MODE_QUERY;
    hash_one("mode", &s, &o, f, first);
    o = opts;
    o.reason = "s";
    hash_one("reason", &s, &o, f, first);
    o = opts;
    o.escalate_ms = 1;
    hash_one("escalation", &s, &o, f, first);
    o = opts;
    o.symptom = g;
    hash_one("symptom", &s, &o, f, first);
    for (size_t i = 0; i < 5; i++) {
        struct das_asked asked = {0};
        const char **const texts[] = {&asked.user, &asked.script, &asked.script_sha256, &asked.hook,
                                      &asked.task};
        o = opts;
        o.asked = &asked;
        *texts[i] = "";
        hash_one("who asked", &s, &o, f, first);
    }
    for (size_t i = 0; i < 8; i++) {
        struct das_kill_limits l = das_kill_limits_default;
        int64_t *const numbers[] = {&l.run,       &l.minute,   &l.instance,     &l.user,
                                    &l.window_ms, &l.min_left, &l.rows_modified};
        o = opts;
        o.limits = &l;
        if (i < 7)
            ++*numbers[i];
        else
            l.percent = 5.5;
        hash_one("a limit", &s, &o, f, first);
    }
    hash_one("filter", &s, &opts, g, first);
    strcpy(fake.identity.server, "server-9");
    hash_one("server", &s, &opts, f, first);
    strcpy(fake.identity.server, "server-1");
    fake.identity.start_unix_s++;
    hash_one("server start", &s, &opts, f, first);
    fake.identity.start_unix_s--;
    strcpy(fake.name, "other");
    hash_one("instance", &s, &opts, f, first);
    strcpy(fake.name, "fake");
    das_free(first);
    /* two statements that JSON shows alike (bad bytes) differ by their digest */
    s.sql_info = das_text("\xfe", 1);
    first = told(&s, &opts, f);
    s.sql_info = das_text("\xff", 1);
    hash_one("bytes that are no UTF-8", &s, &opts, f, first);
    das_free(first);
    das_filter_release(f);
    das_filter_release(g);
}

static void printing(void)
{
    struct das_session then[2] = {kit_session(7), kit_session(8)}, now[2];
    struct das_filter *f = kit_all();
    const struct das_plan_opts opts = {.mode = DAS_MODE_QUERY, .reason = "slow"};
    struct das_plan *p = plan_of(then, 2, f, &opts);
    struct das_report *r;
    struct das_buf b = {0};
    json_t *v;

    then[1].user = das_text_of("\x1b[31m");
    now[0] = later(&then[0]);
    now[1] = later(&then[1]);
    fake_show(&fake, now, 2, NOW);
    r = apply(p, false, NULL);
    das_report_print(r, 120, &b);
    is_str(b.ptr,
           "dry run: 1 would be killed, 1 changed\n"
           "  dry_run   query       7 app@10.0.0.7:51000  select * from orders\n"
           "  changed               8 app@10.0.0.7:51000  another user: [31m\n",
           "a report");
    das_buf_reset(&b);
    das_report_json(r, &b);
    v = das_json_parse(b.ptr, b.len, NULL, &err);
    ok(v && json_is_true(json_object_get(v, "dry_run")) &&
           json_integer_value(json_object_get(v, "would_kill")) == 1 &&
           json_integer_value(json_object_get(v, "killed")) == 0 &&
           json_integer_value(json_object_get(v, "changed")) == 1 &&
           json_array_size(json_object_get(v, "outcomes")) == 2,
       "as JSON");
    json_decref(v);
    das_buf_reset(&b);
    das_plan_print(p, 120, &b);
    has_str(b.ptr, ": kill the statement of 2 on fake: slow, good for 60 s\nbecause of {all=true}\n",
            "a plan");
    das_buf_clear(&b);
    das_report_free(r);
    das_report_free(NULL);
    das_plan_release(p);
    das_filter_release(f);
}

/* All lines that a plan may have. */
static void printing_all(void)
{
    const struct das_asked asked = {.user = "al\x1bice", .script = "night.lua",
                                    .script_sha256 = "0123456789abcdef", .task = "7"};
    struct das_kill_limits limits = das_kill_limits_default;
    struct das_filter *f = kit_filter("user", "app"), *symptom = kit_filter("state", "a\xc2\x9b");
    struct das_plan_opts opts = {.mode = DAS_MODE_SOFT, .reason = "r", .escalate_ms = 2500,
                                 .symptom = symptom, .asked = &asked, .limits = &limits};
    struct das_session list[5];
    static const int64_t rows[5] = {0, 1, 1200, 1201, DAS_ABSENT};
    struct das_plan *p;
    struct das_buf b = {0};

    limits.rows_modified = 1200;
    for (int i = 0; i < 5; i++) {
        list[i] = kit_session(i + 1);
        list[i].rows_modified = rows[i];
    }
    p = plan_of(list, 5, f, &opts);
    das_plan_print(p, 120, &b);
    has_str(b.ptr,
            ": kill the statement (soft) of 5 on fake: r, good for 60 s\n"
            "because of {user=\"app\"}\n"
            "a statement that goes on for 2.500 s after its kill: then its connection\n"
            "to be cured: {state=\"a \"}\n"
            "asked for by al ice, script night.lua (sha256 0123456789ab), task 7\n"
            "id  user",
            "the lines before the victims");
    has_str(b.ptr,
            "\n  2 has changed 1 row, those of its statement to be rolled back\n"
            "  3 has changed 1200 rows, those of its statement to be rolled back\n"
            "  4 has changed 1201 rows: more than 1200, it would be refused\n",
            "and those after them");
    ok(!strstr(b.ptr, "  1 has changed") && !strstr(b.ptr, "  5 has changed"),
       "none where nothing was changed");
    das_plan_release(p);
    opts = (struct das_plan_opts){.mode = DAS_MODE_CONNECTION};
    p = plan_of(&list[2], 1, f, &opts);
    das_buf_reset(&b);
    das_plan_print(p, 120, &b);
    has_str(b.ptr, "\n  3 has changed 1200 rows, to be rolled back\n", "a connection: all of them");
    ok(!strstr(b.ptr, "asked for") && !strstr(b.ptr, "cured") && !strstr(b.ptr, "goes on"),
       "what was not said is not printed");
    das_plan_release(p);
    das_filter_release(f);
    das_filter_release(symptom);
    das_buf_clear(&b);
}

int main(void)
{
    fake_init(&fake);
    options();
    more_options();
    immutable();
    hashes();
    printing();
    printing_all();
    fake_clear(&fake);
    return tap_done();
}
