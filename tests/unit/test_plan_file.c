/* test_plan_file.c - a plan in a file: read back it is the plan that was written, and whatever is
 * not, byte for byte, what das writes is refused. */
#include "core/base/json.h"
#include "tests/unit/plan_kit.h"

/* --- the stage ------------------------------------------------------------------------------- */

static struct das_plan *read_text(const char *text, size_t len)
{
    memset(&err, 0, sizeof err);
    return das_plan_read(das_text(text, len), &err);
}

/* The line of a plan, with its newline; the plan is released. */
static struct das_buf line_of(struct das_plan *p)
{
    struct das_buf b = {0};

    das_plan_write(p, &b);
    das_plan_release(p);
    must(!b.failed && b.len > 100, "a line");
    return b;
}

/* One small plan with everything in it. */
static struct das_plan *small_plan(void)
{
    const struct das_asked asked = {.user = "alice", .script = "night.lua", .hook = ""};
    const struct das_kill_limits limits = {1, 2, 3, 4, 5000, 2.5, 6, INT64_MAX};
    struct das_filter *symptom = kit_filter("state", "Locked"), *f = kit_filter("user", "app");
    const struct das_plan_opts opts = {.mode = DAS_MODE_QUERY, .reason = "slow", .ttl_s = 90,
                                       .escalate_ms = 1500, .symptom = symptom, .asked = &asked,
                                       .limits = &limits};
    struct das_session s = kit_session(7);
    struct das_plan *p;

    s.sql_info = das_text("\xff'", 2);
    s.db = DAS_TEXT_NULL;
    s.query_id = 99;
    s.trx_time = DAS_ABSENT;
    s.rows_modified = 12;
    s.progress = 1500;
    p = plan_of(&s, 1, f, &opts);
    das_filter_release(f);
    das_filter_release(symptom);
    return p;
}

/* --- the same plan again --------------------------------------------------------------------- */

static void whole(void)
{
    struct das_plan *p = small_plan(), *q;
    struct das_buf line = {0}, json = {0};
    struct das_session a, b;
    const struct das_asked *asked;

    das_plan_write(p, &line);
    das_plan_json(p, &json);
    is_int(line.len, json.len + strlen(",\"sha256\":\"\"\n") + 64, "the JSON, the hash and a newline");
    ok(memcmp(line.ptr, json.ptr, json.len - 1) == 0, "in this order");
    has_str(line.ptr, das_plan_hash(p), "the hash");
    q = read_text(line.ptr, line.len);
    must(q, "is read: %s", err.msg);
    is_str(das_plan_hash(q), das_plan_hash(p), "the same hash");
    is_int(das_plan_mode(q), DAS_MODE_QUERY, "mode");
    is_int(das_plan_escalate_ms(q), 1500, "escalation");
    is_str(das_plan_reason(q), "slow", "reason");
    is_str(das_plan_instance(q), "fake", "instance");
    is_str(kit_text(das_plan_filter(q)), "{user=\"app\"}", "filter");
    is_str(kit_text(das_plan_symptom(q)), "{state=\"Locked\"}", "symptom");
    is_int(das_plan_created_ms(q), das_plan_created_ms(p), "made");
    is_int(das_plan_expires_ms(q) - das_plan_created_ms(q), 90000, "good for");
    asked = das_plan_asked(q);
    is_str(asked->user, "alice", "who asked");
    is_str(asked->hook, "", "an empty text stays one");
    ok(!asked->task && !asked->script_sha256, "and none stays none");
    ok(das_plan_limits(q)->percent == 2.5 && das_plan_limits(q)->rows_modified == INT64_MAX &&
           das_plan_limits(q)->min_left == 6,
       "limits");
    is_int(das_plan_victims(q), 1, "one victim");
    das_plan_victim(p, 0, &a);
    das_plan_victim(q, 0, &b);
    for (int i = 0; i < DAS_F_COUNT; i++) {
        enum das_field f = (enum das_field)i;
        ok(das_field_is_text(f) ? das_text_eq(das_session_text(&a, f), das_session_text(&b, f))
                                : das_session_int(&a, f) == das_session_int(&b, f),
           "its %s", das_field_name(f));
    }
    das_plan_release(q);
    q = read_text(line.ptr, line.len - 1);
    ok(q, "without its newline as well");
    das_plan_release(q);
    das_buf_char(&line, '\n');
    ok(!read_text(line.ptr, line.len), "but not with two");
    das_plan_release(p);
    das_buf_clear(&line);
    das_buf_clear(&json);
}

/* A plan that was read kills what it says, as the one that was made would. */
static void applied(void)
{
    struct das_session then = kit_session(7), now;
    struct das_filter *f = kit_filter("user", "app");
    const struct das_plan_opts opts = {.mode = DAS_MODE_CONNECTION};
    struct das_buf line;
    struct das_plan *p;
    struct das_report *r;

    then.query_id = 5;
    line = line_of(plan_of(&then, 1, f, &opts));
    p = read_text(line.ptr, line.len);
    must(p, "read");
    now = later(&then);
    fake_show(&fake, &now, 1, NOW);
    r = apply(p, false, NULL);
    ok(r && r->totals[DAS_O_DRY_RUN] == 1, "the same session: it would be killed");
    das_report_free(r);
    now.query_id = 6;
    fake_show(&fake, &now, 1, NOW);
    r = apply(p, false, NULL);
    ok(r && r->totals[DAS_O_CHANGED] == 1, "another statement: it is spared");
    das_report_free(r);
    fake.identity.start_unix_s += 100;
    fake_show(&fake, &now, 1, NOW);
    r = apply(p, false, NULL);
    ok(r && r->totals[DAS_O_REFUSED] == 1, "after a restart: refused");
    das_report_free(r);
    fake.identity.start_unix_s -= 100;
    das_plan_release(p);
    das_filter_release(f);
    das_buf_clear(&line);
}

/* --- any plan -------------------------------------------------------------------------------- */

static struct das_text any_text(char *room)
{
    static const char *const pieces[] = {"", "select ", "\xff", "\xc3\xa9", "\xc2\x9b", "\"", "\\", "\n",
                                         "\xed\xa0\x80", "\xf0\x9f\x92\xa9", "\x7f", "null", "\x1b["};
    size_t len = 0;

    if (kit_below(5) == 0)
        return DAS_TEXT_NULL;
    for (size_t n = kit_below(4); n > 0; n--) {
        const char *p = KIT_PICK(pieces);
        memcpy(room + len, p, strlen(p));
        len += strlen(p);
        if (kit_below(20) == 0)
            room[len++] = '\0';
    }
    return das_text(room, len);
}

static int64_t any_number(void)
{
    static const int64_t some[] = {DAS_UNKNOWN, DAS_ABSENT, 0, 1, 999, 1000, 100000, 123456789,
                                   INT32_MAX, INT64_MAX, INT64_MAX - 1, -5};

    return kit_below(3) ? some[kit_below(sizeof some / sizeof *some)] : (int64_t)(kit_random() >> kit_below(64));
}

static void any_session(struct das_session *s, int64_t id, char room[6][100])
{
    struct das_text *texts[] = {&s->user, &s->host, &s->db, &s->command, &s->state, &s->sql_info};

    *s = kit_session(id);
    for (size_t i = 0; i < 6; i++)
        *texts[i] = any_text(room[i]);
    s->state_duration = any_number();
    s->time_ms = any_number();
    s->query_id = any_number();
    s->trx_time = any_number();
    s->rows_modified = any_number();
    s->rows_examined = any_number();
    s->progress = any_number();
    s->blocked_by = any_number();
}

static const char *any_string(char *room)
{
    struct das_text t = any_text(room);

    if (!t.ptr)
        return NULL;
    room[t.len] = '\0';
    return room;
}

enum { ROUNDS = 1500, ROWS = 4 };

static void any(void)
{
    static struct das_session list[ROWS];
    static char room[ROWS][6][100], words[6][100];
    struct das_filter *all = kit_all(), *pair;
    size_t unread = 0, other = 0;
    uint64_t seed = kit_seed(20261125);

    pair = kit_not(kit_and(kit_filter("user", "\xff%"), kit_filter("id", "7")));
    for (size_t n = 0; n < ROUNDS; n++) {
        size_t rows = kit_below(ROWS + 1);
        const struct das_asked asked = {any_string(words[0]), any_string(words[1]),
                                        any_string(words[2]), any_string(words[3]),
                                        any_string(words[4])};
        const struct das_kill_limits limits = {
            .run = (int64_t)(kit_random() >> 1), .percent = (double)kit_below(100001) / 1000,
            .min_left = (int64_t)kit_below(2), .rows_modified = INT64_MAX};
        const struct das_plan_opts opts = {
            .mode = (enum das_kill_mode)(kit_below(2) ? DAS_MODE_SOFT : DAS_MODE_AUTO),
            .reason = any_string(words[5]), .ttl_s = 1 + (int64_t)kit_below(86400),
            .escalate_ms = (int64_t)kit_below(3), .symptom = kit_below(2) ? pair : NULL,
            .asked = kit_below(4) ? &asked : NULL, .limits = kit_below(4) ? &limits : NULL};
        struct das_plan *p, *q;
        struct das_buf a = {0}, b = {0};

        for (size_t i = 0; i < rows; i++)
            any_session(&list[i], (int64_t)(kit_random() << 2 | i), room[i]);
        p = plan_of(list, rows, all, &opts);
        das_plan_write(p, &a);
        q = read_text(a.ptr, a.len);
        if (!q && unread++ < 3)
            tap_diag("%s\n# %s", err.msg, a.ptr);
        if (q)
            das_plan_write(q, &b);
        other += q && !das_text_eq(das_buf_view(&a), das_buf_view(&b));
        das_buf_clear(&a);
        das_buf_clear(&b);
        das_plan_release(p);
        das_plan_release(q);
    }
    is_int(unread, 0, "each of %d plans is read back (SEED=%" PRIu64 ")", ROUNDS, seed);
    is_int(other, 0, "and says the same");
    das_filter_release(all);
    das_filter_release(pair);
}

/* --- a byte that is not as it was ------------------------------------------------------------ */

static void is_refused(const struct das_buf *b, size_t *wrong, size_t at, const char *how)
{
    struct das_plan *p = read_text(b->ptr, b->len);

    if (p || err.code != DAS_E_DATA || !err.msg[0]) {
        if ((*wrong)++ < 3)
            tap_diag("byte %zu %s: %s", at, how, p ? "taken" : err.msg);
    }
    das_plan_release(p);
}

static void bytes(void)
{
    struct das_buf line = line_of(small_plan()), b = {0};
    size_t flipped = 0, removed = 0, doubled = 0, cut = 0;

    for (size_t i = 0; i < line.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            line.ptr[i] = (char)(line.ptr[i] ^ 1 << bit);
            is_refused(&line, &flipped, i, "flipped");
            line.ptr[i] = (char)(line.ptr[i] ^ 1 << bit);
        }
        das_buf_reset(&b);
        das_buf_add(&b, line.ptr, i + 1);
        das_buf_add(&b, line.ptr + i, line.len - i);
        is_refused(&b, &doubled, i, "doubled");
        if (i == line.len - 1) /* the newline may be missing */
            break;
        das_buf_reset(&b);
        das_buf_add(&b, line.ptr, i);
        das_buf_add(&b, line.ptr + i + 1, line.len - i - 1);
        is_refused(&b, &removed, i, "removed");
        b.len = i;
        is_refused(&b, &cut, i, "and all after it removed");
    }
    is_int(flipped, 0, "no bit of %zu bytes may be another", line.len);
    is_int(removed, 0, "none may be missing");
    is_int(doubled, 0, "none may be there twice");
    is_int(cut, 0, "nor may the end");
    das_buf_clear(&b);
    das_buf_clear(&line);
}

/* --- changed by somebody who knows how to hash ----------------------------------------------- */

/* The line of a JSON object, hashed anew. */
static struct das_buf seal(struct das_text json)
{
    struct das_buf b = {0};
    char hex[DAS_SHA256_HEX];

    must(das_sha256_hex(json, hex, &err) == 0, "hashed");
    das_buf_add(&b, json.ptr, json.len - 1);
    das_buf_printf(&b, ",\"sha256\":\"%s\"}\n", hex);
    return b;
}

static struct das_buf replaced(const char *json, size_t at, size_t len, const char *by)
{
    struct das_buf b = {0};

    das_buf_add(&b, json, at);
    das_buf_str(&b, by);
    das_buf_str(&b, json + at + len);
    return b;
}

/* The small plan with `from` replaced by `to`, hashed anew. */
static void refuses(const char *from, const char *to, const char *message)
{
    struct das_plan *p = small_plan();
    struct das_buf json = {0}, changed, line;
    const char *at;

    das_plan_json(p, &json);
    das_plan_release(p);
    at = strstr(json.ptr, from);
    must(at, "the plan has %s", from);
    changed = replaced(json.ptr, (size_t)(at - json.ptr), strlen(from), to);
    line = seal(das_buf_view(&changed));
    p = read_text(line.ptr, line.len);
    ok(!p && err.code == DAS_E_DATA, "refused: %s", to);
    has_str(err.msg, message, "and why");
    das_plan_release(p);
    das_buf_clear(&json);
    das_buf_clear(&changed);
    das_buf_clear(&line);
}

static void tampered(void)
{
    refuses("\"version\":2", "\"version\":1", "it is of version 1; this das reads version 2");
    refuses("\"version\":2", "\"version\":3", "it is of version 3");
    refuses("\"version\":2", "\"version\":\"2\"", "version: expected a whole number");
    refuses("\"kill\":\"query\"", "\"kill\":\"all\"", "kill: expected auto, query, connection or soft");
    refuses("\"kill\":\"query\"", "\"kill\":\"connection\"", "escalate: expected kill to be query");
    refuses("\"escalate_ms\":1500", "\"escalate_ms\":3600001", "escalate: expected 1 to 3600000 ms");
    refuses("\"escalate_ms\":1500", "\"escalate_ms\":-1", "escalate: expected 1 to");
    refuses("\"reason\":\"slow\"", "\"reason\":null", "reason: expected text");
    refuses("\"reason\":\"slow\"", "\"reason\":\"a\\u0000b\"", "reason: expected text without NUL");
    refuses("\"filter\":{\"user\":\"app\"}", "\"filter\":{\"usr\":\"app\"}",
            "filter: unknown filter key \"usr\"");
    refuses("\"filter\":{\"user\":\"app\"}", "\"filter\":{\"user\":\"ap\"}", "does not write");
    refuses("{user=\\\"app\\\"}", "{all=true}", "does not write");
    refuses("\"run\":1", "\"run\":-1", "limits: run: expected 0 or more");
    refuses("\"percent\":2.5", "\"percent\":2", "limits: percent: expected a number with a point");
    refuses("\"percent\":2.5", "\"percent\":101.0", "limits: percent: expected 0 to 100");
    refuses("\"percent\":2.5", "\"percent\":2.50", "does not write");
    refuses("\"user\":\"alice\"", "\"user\":7", "asked: user: expected text or null");
    refuses("\"victims\":[", "\"victims\":[7,", "victims[1]: session: expected a session");
    refuses("\"session\":{\"id\":7", "\"session\":{\"id\":\"7\"", "victims[1]: id: expected a number");
    refuses("\"session\":{\"id\":7", "\"session\":{\"id\":7.0", "victims[1]: id: expected a number");
    refuses("\"session\":{\"id\":7", "\"session\":{\"id\":8,\"id\":7", "not valid JSON: duplicate");
    refuses("\"state_duration\":100", "\"state_duration\":-100", "does not write");
    refuses("\"progress\":1.500", "\"progress\":1.5001", "does not write");
    refuses("\"exact\":{\"sql_info\":\"ff27\"}", "\"exact\":{\"sql_info\":\"fe27\"}", "does not write");
    refuses("\"exact\":{\"sql_info\":\"ff27\"}", "\"exact\":{\"sql_info\":\"FF27\"}", "does not write");
    refuses("\"exact\":{\"sql_info\":\"ff27\"}", "\"exact\":{\"sql_info\":\"ff2\"}",
            "victims[1]: sql_info: not hex");
    refuses("\"exact\":{\"sql_info\":\"ff27\"},", "", "does not write");
    refuses("\"exact\":{\"sql_info\":\"ff27\"}", "\"exact\":{\"sql_info\":\"ff27\",\"user\":\"617070\"}",
            "does not write");
    refuses("\"started_ms\":", "\"started_ms\":1", "does not write");
    refuses("\"kill\":\"query\",\"escalate_ms\":1500", "\"escalate_ms\":1500,\"kill\":\"query\"",
            "does not write, at byte");
    refuses("{\"version\"", "{ \"version\"", "does not write");
    refuses("\"instance\":\"fake\"", "\"instance\":\"f\\u0061ke\"", "does not write");
    refuses("\"server\":\"server-1\"", "\"server\":\"server-1\",\"server_hex\":\"7365727665722d31\"",
            "does not write");
    refuses("\"data_sync_time\":1000000", "\"data_sync_time\":9999999999999999", "does not write");
    refuses("\"data_sync_time\":1000000", "\"data_sync_time\":1e6", "data_sync_time: expected a whole");
}

/* Victims that are there twice, times that no plan has. */
static void tampered_more(void)
{
    struct das_session s[2] = {kit_session(7), kit_session(8)};
    struct das_filter *f = kit_all();
    const struct das_plan_opts opts = {.ttl_s = 1};
    struct das_plan *p = plan_of(s, 2, f, &opts), *q;
    struct das_buf json = {0}, changed, line;
    char *at;

    das_plan_json(p, &json);
    at = strstr(json.ptr, "\"id\":8");
    must(at, "the second victim");
    at[5] = '7';
    line = seal(das_buf_view(&json));
    ok(!read_text(line.ptr, line.len), "a session that is there twice is refused");
    has_str(err.msg, "victims: session 7 is there twice", "and named");
    at[5] = '9';
    das_buf_clear(&line);
    line = seal(das_buf_view(&json));
    q = read_text(line.ptr, line.len);
    ok(q && strcmp(das_plan_hash(q), das_plan_hash(p)) != 0,
       "another session is another plan: by its hash they are told apart");
    das_plan_release(q);
    das_buf_clear(&line);

    static const char *const times[] = {"\"expires_ms\":0", "\"expires_ms\":9223372036854775807",
                                        "\"expires_ms\":-9223372036854775808"};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        const char *from = strstr(json.ptr, "\"expires_ms\":");
        changed = replaced(json.ptr, (size_t)(from - json.ptr), strcspn(from, ","), times[i]);
        line = seal(das_buf_view(&changed));
        ok(!read_text(line.ptr, line.len), "refused: %s", times[i]);
        has_str(err.msg, "expires_ms: expected at most 86400 seconds after created_ms", "and why");
        das_buf_clear(&line);
        das_buf_clear(&changed);
    }
    das_buf_clear(&json);
    das_plan_release(p);
    das_filter_release(f);
}

/* --- every member, by name and by kind ------------------------------------------------------- */

/* Where the JSON value at p ends. */
static const char *value_end(const char *p)
{
    int depth = 0;
    bool quoted = false;

    for (;; p++) {
        if (quoted) {
            p += *p == '\\';
            quoted = *p != '"';
        } else if (*p == '"') {
            quoted = true;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if ((*p == '}' || *p == ']' || *p == ',') && depth == 0) {
            return p;
        } else if (*p == '}' || *p == ']') {
            depth--;
        }
        if (depth == 0 && (*p == '}' || *p == ']' || (*p == '"' && !quoted)))
            return p + 1;
    }
}

static char kind_of(const char *v)
{
    return v[0] == '-' || das_is_digit((unsigned char)v[0]) ? '0' : v[0];
}

/* Which members take null: texts of a session and of who asked, numbers of a session. */
static bool takes_null(const char *name)
{
    return strcmp(name, "user") == 0 || strcmp(name, "script") == 0 ||
           strcmp(name, "script_sha256") == 0 || strcmp(name, "hook") == 0 ||
           strcmp(name, "task") == 0 || (das_field_find(das_text_of(name)) > DAS_F_ID);
}

/* A changed plan is refused, unless what it says now is just another plan. */
static bool refused_or(const struct das_buf *changed, bool may_be_another, const char *what)
{
    struct das_buf line = seal(das_buf_view(changed)), again = {0};
    struct das_plan *p = read_text(line.ptr, line.len);
    bool good = !p ? err.code == DAS_E_DATA && err.msg[0] : may_be_another;

    if (p) {
        das_plan_write(p, &again);
        good = good && das_text_eq(das_buf_view(&again), das_buf_view(&line));
    }
    if (!good)
        tap_diag("%s: %s", what, p ? changed->ptr : err.msg);
    das_plan_release(p);
    das_buf_clear(&again);
    das_buf_clear(&line);
    return good;
}

static void members(void)
{
    static const char *const values[] = {"null", "true", "7", "-7", "7.5", "\"x\"", "[]", "{}", "[1]"};
    struct das_plan *plan = small_plan();
    struct das_buf json = {0}, changed;
    size_t count = 0, renamed = 0, removed = 0, added = 0, retyped = 0;

    das_plan_json(plan, &json);
    das_plan_release(plan);
    for (const char *p = json.ptr; (p = strstr(p, "\":")) != NULL; p += 2) {
        const char *name = p, *value = p + 2, *end = value_end(value);
        char key[40];
        while (name[-1] != '"')
            name--;
        snprintf(key, sizeof key, "%.*s", (int)(p - name), name);
        if (strchr(key, ' ')) /* inside of a text */
            continue;
        count++;
        changed = replaced(json.ptr, (size_t)(p - json.ptr), 0, "x");
        renamed += !refused_or(&changed, false, key);
        das_buf_clear(&changed);
        changed = replaced(json.ptr, (size_t)(name - json.ptr), 0, "x\":null,\"");
        added += !refused_or(&changed, false, key);
        das_buf_clear(&changed);
        if (*end == ',') {
            changed = replaced(json.ptr, (size_t)(name - 1 - json.ptr), (size_t)(end + 1 - name + 1), "");
            /* a number that is not known has no member */
            removed += !refused_or(&changed, strcmp(key, "server_start") == 0 ||
                                       das_field_find(das_text_of(key)) > DAS_F_STATE_DURATION, key);
            das_buf_clear(&changed);
        }
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            bool same = kind_of(value) == kind_of(values[i]) ||
                        ((values[i][0] == 'n' || value[0] == 'n') && takes_null(key));
            changed = replaced(json.ptr, (size_t)(value - json.ptr), (size_t)(end - value), values[i]);
            retyped += !refused_or(&changed, same, key);
            das_buf_clear(&changed);
        }
    }
    ok(count > 45, "the plan has %zu members", count);
    is_int(renamed, 0, "none has another name");
    is_int(added, 0, "none more may be there");
    is_int(removed, 0, "none that always is may be missing");
    is_int(retyped, 0, "none may be of another kind, or say something that is lost");
    das_buf_clear(&json);
}

/* --- no plan at all -------------------------------------------------------------------------- */

static void refuses_line(const char *text, size_t len, const char *message)
{
    struct das_plan *p = read_text(text, len);

    ok(!p && err.code == DAS_E_DATA, "refused: %zu bytes", len);
    has_str(err.msg, message, "and why");
    das_plan_release(p);
}

static void refuses_sealed(const char *json, const char *message)
{
    struct das_buf line = seal(das_text_of(json));

    refuses_line(line.ptr, line.len, message);
    das_buf_clear(&line);
}

static void no_plan(void)
{
    struct das_buf b = {0}, line;

    refuses_line("", 0, "not a plan that can be trusted: it does not end in its hash");
    refuses_line("\n", 1, "it does not end in its hash");
    refuses_line("{}\n", 3, "it does not end in its hash");
    refuses_sealed("{}", "");
    refuses_sealed("[}", "not valid JSON");
    refuses_sealed("{\"version\":2}", "instance: expected text or null");
    das_buf_fill(&b, 'x', DAS_PLAN_LINE_MAX + 1);
    refuses_line(b.ptr, b.len, "it is longer than 16777216 bytes");
    das_buf_reset(&b);
    das_buf_str(&b, "{\"version\":");
    das_buf_fill(&b, '[', 100000);
    das_buf_char(&b, '}');
    refuses_sealed(b.ptr, "not valid JSON: maximum parsing depth reached");
    das_buf_reset(&b);
    das_buf_str(&b, "{\"version\":[");
    for (int i = 0; i < 5000000; i++)
        das_buf_str(&b, "[],");
    das_buf_str(&b, "7]}");
    refuses_sealed(b.ptr, "it has too many parts");
    das_buf_clear(&b);

    struct das_plan *p = small_plan();
    const char *at;
    das_plan_json(p, &b);
    das_plan_release(p);
    at = strstr(b.ptr, "\"victims\":[");
    b.len = (size_t)(at - b.ptr) + strlen("\"victims\":[");
    for (int i = 0; i < DAS_PLAN_VICTIMS_MAX; i++)
        das_buf_str(&b, "{},");
    das_buf_str(&b, "{}]}");
    line = seal(das_buf_view(&b));
    refuses_line(line.ptr, line.len, "victims: expected at most 100000, got 100001");
    das_buf_clear(&line);
    das_buf_clear(&b);
}

/* As many as a plan may have, each of a few bytes. */
static void large(void)
{
    enum { MANY = 40000 };
    struct das_session *list = das_grow(NULL, MANY, sizeof *list);
    struct das_filter *f = kit_all();
    const struct das_plan_opts opts = {.ttl_s = 1};
    struct das_buf line;
    struct das_plan *p;

    must(list, "memory");
    for (int64_t i = 0; i < MANY; i++)
        list[i] = kit_session(MANY - i);
    line = line_of(plan_of(list, MANY, f, &opts));
    p = read_text(line.ptr, line.len);
    ok(p && das_plan_victims(p) == MANY, "%d victims in %zu bytes", MANY, line.len);
    das_plan_release(p);
    das_buf_clear(&line);
    das_filter_release(f);
    das_free(list);
}

/* --- out of memory --------------------------------------------------------------------------- */

static void memory(void)
{
    struct das_plan *p = small_plan();
    struct das_buf line = {0}, b = {0};
    size_t wrong = 0;
    long n = 1;

    das_plan_write(p, &line);
    das_plan_release(p);
    p = NULL;
    for (; n < 2000 && !p; n++) {
        memset(&err, 0, sizeof err);
        das_alloc_fail_at(n);
        p = das_plan_read(das_buf_view(&line), &err);
        wrong += p ? das_alloc_failed() != 0 : err.code != DAS_E_NOMEM || !err.msg[0];
        das_alloc_fail_at(0);
    }
    ok(p && n > 30, "reading ends well once nothing fails (%ld allocations)", n - 1);
    is_int(wrong, 0, "each failure is clean and says so");
    for (n = 1; n < 100; n++) { /* half a line must not pass for one */
        das_buf_clear(&b);
        das_alloc_fail_at(n);
        das_plan_write(p, &b);
        wrong += das_alloc_failed() ? !b.failed : !das_text_eq(das_buf_view(&b), das_buf_view(&line));
        das_alloc_fail_at(0);
    }
    is_int(wrong, 0, "and so is one of writing");
    das_buf_clear(&b);
    das_buf_clear(&line);
    das_plan_release(p);
}

int main(void)
{
    fake_init(&fake);
    whole();
    applied();
    any();
    bytes();
    tampered();
    tampered_more();
    members();
    no_plan();
    large();
    memory();
    fake_clear(&fake);
    return tap_done();
}
