/*
 * test_log.c - lines of the log: both formats, what cannot be forged, levels.
 */
#include "core/base/log.h"


#include "core/base/json.h"
#include "tests/unit/kit.h"

static struct das_err err;

#define T(s) das_text(s, sizeof(s) - 1)

static const char *line(const struct das_log_event *e)
{
    static struct das_buf b;

    das_buf_reset(&b);
    das_log_line(e, &b);
    return b.ptr;
}

static const char *text(const char *message)
{
    return line(&(struct das_log_event){
        .level = DAS_LOG_INFO, .who = "run", .message = das_text_of(message)});
}

static void texts(void)
{
    const struct das_log_field fields[] = {
        {T("n"), T("7"), true},         {T("list"), T("[1,\"x\"]"), true},
        {T("user"), T("app_1"), false}, {T("odd key"), T("a \"b\"\n"), false},
        {T("empty"), T(""), false},     {T("none"), DAS_TEXT_NULL, false},
    };
    struct das_log_event e = {.level = DAS_LOG_WARN, .who = "run", .message = T("two\nlines \x1b[2J")};

    das_log_setup(DAS_LOG_TEXT, DAS_LOG_INFO);
    is_str(line(&e), "das run: warn: two\\nlines \\u001b[2J\n", "control characters are escaped");
    e.own = true;
    is_str(line(&e), "das run: two\\nlines \\u001b[2J\n", "das itself says it without the level");
    e.fields = fields;
    e.count = 6;
    is_str(line(&e),
           "das run: two\\nlines \\u001b[2J n=7 list=[1,\"x\"] user=app_1 "
           "\"odd key\"=\"a \\\"b\\\"\\n\" empty=\"\" none=\"\"\n",
           "fields");
    is_str(text("C:\\x \"quoted\" \xe6\x97\xa5"), "das run: info: C:\\x \"quoted\" \xe6\x97\xa5\n",
           "the rest stays readable");
    is_str(text("\xff\xc2\x9b\x7f"), "das run: info: \xef\xbf\xbd\\u009b\\u007f\n",
           "bytes that are no text");
}

static void json(void)
{
    const struct das_log_field fields[] = {
        {T("n"), T("7"), true}, {T("user"), T("a\"\n\xff"), false}, {T("k\n"), T("{}"), true}};
    struct das_log_event e = {.level = DAS_LOG_ERROR,
                              .who = "run",
                              .message = T("two\nlines"),
                              .fields = fields,
                              .count = 3};
    const char *got;
    json_t *v, *f;

    das_log_setup(DAS_LOG_JSON, DAS_LOG_INFO);
    got = line(&e);
    ok(strchr(got, '\n') == got + strlen(got) - 1, "one line");
    v = das_json_parse(got, strlen(got), NULL, &err);
    must(v != NULL, "which is JSON");
    is_str(json_string_value(json_object_get(v, "message")), "two\nlines", "the message");
    is_str(json_string_value(json_object_get(v, "level")), "error", "the level");
    is_str(json_string_value(json_object_get(v, "source")), "run", "who");
    is_int(strlen(json_string_value(json_object_get(v, "time"))), 24, "when, with milliseconds");
    f = json_object_get(v, "fields");
    is_int(json_integer_value(json_object_get(f, "n")), 7, "a number stays one");
    is_str(json_string_value(json_object_get(f, "user")), "a\"\n\xef\xbf\xbd", "text is text");
    ok(json_is_object(json_object_get(f, "k\n")), "JSON is JSON");
    json_decref(v);
    das_log_setup(DAS_LOG_TEXT, DAS_LOG_INFO);
}

static void long_ones(void)
{
    struct das_buf big = {0};
    struct das_log_field f = {T("f"), DAS_TEXT_NULL, true};
    struct das_log_event e = {.level = DAS_LOG_INFO, .who = "run", .fields = &f, .count = 1};
    const char *got;
    json_t *v;

    das_buf_char(&big, '"');
    das_buf_fill(&big, 'x', 100000);
    das_buf_char(&big, '"');
    f.value = e.message = das_buf_view(&big);
    das_log_setup(DAS_LOG_JSON, DAS_LOG_INFO);
    got = line(&e);
    v = das_json_parse(got, strlen(got), NULL, &err);
    ok(v && strlen(got) < 40000, "long ones are cut and the line is JSON still: %zu", strlen(got));
    json_decref(v);
    das_log_setup(DAS_LOG_TEXT, DAS_LOG_INFO);
    ok(strlen(line(&e)) < 40000, "in text too");
    das_buf_clear(&big);
}

static void settings(void)
{
    is_int(das_log_level_find("warn"), DAS_LOG_WARN, "levels have names");
    is_int(das_log_level_find("fatal"), -1, "and not others");
    setenv("DAS_LOG", "json", 1);
    setenv("DAS_LOG_LEVEL", "debug", 1);
    ok(das_log_setup_env(&err) == 0 && das_log_wants(DAS_LOG_DEBUG) && text("x")[0] == '{',
       "the environment decides");
    setenv("DAS_LOG", "xml", 1);
    ok(das_log_setup_env(&err) < 0 && err.code == DAS_E_USAGE, "%s", err.msg);
    setenv("DAS_LOG", "", 1);
    setenv("DAS_LOG_LEVEL", "loud", 1);
    ok(das_log_setup_env(&err) < 0 && strstr(err.msg, "\"loud\""), "%s", err.msg);
    unsetenv("DAS_LOG_LEVEL");
    ok(das_log_setup_env(&err) == 0 && !das_log_wants(DAS_LOG_DEBUG) &&
           das_log_wants(DAS_LOG_INFO) && text("x")[0] == 'd',
       "text at info unless told");
}

static void no_memory(void)
{
    const struct das_log_field f = {T("k"), T("v"), false};
    struct das_log_event e = {
        .level = DAS_LOG_INFO, .who = "run", .message = T("hunter22"), .fields = &f, .count = 1};

    for (long n = 1; n < 20; n++) {
        struct das_buf b = {0};
        bool failed;
        das_alloc_fail_at(n);
        das_log_line(&e, &b);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        ok(failed == b.failed && (failed || strstr(b.ptr, "hunter22 k=v\n")), "failing allocation %ld", n);
        das_buf_clear(&b);
        if (!failed)
            break;
    }
}

int main(void)
{
    texts();
    json();
    long_ones();
    no_memory();
    settings();
    return tap_done();
}
