/*
 * test_log.c - lines of the log: both formats, what cannot be forged, secrets, levels, threads.
 */
#include "core/base/log.h"

#include <pthread.h>
#include <unistd.h>

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

static void secrets(void)
{
    const struct das_log_field fields[] = {{T("token"), T("hunter22"), false},
                                           {T("hunter22"), T("{\"a\":\"qu\\\"o\\nte\"}"), true},
                                           {T("pin"), T("12345678"), true}};
    struct das_log_event e = {
        .level = DAS_LOG_INFO, .who = "run", .message = T("x"), .fields = fields, .count = 3};
    const char *got;
    char name[20];
    json_t *v;
    int i;

    is_str(text("say hunter22 twice hunter22"), "das run: info: say hunter22 twice hunter22\n",
           "before it is known");
    ok(das_log_redact("hunter22", &err) == 0 && das_log_redact("hunter2", &err) == 0 &&
           das_log_redact("qu\"o\nte", &err) == 0 && das_log_redact("12345678", &err) == 0,
       "secrets");
    is_str(text("say hunter22 twice hunter22"), "das run: info: say *** twice ***\n", "are gone");
    is_str(text("hunter2hunter22"), "das run: info: ******\n", "the longest first");
    is_str(text("hunter, hunte"), "das run: info: hunter, hunte\n", "what is none stays");
    is_str(text("qu\"o\nte"), "das run: info: ***\n", "before it is escaped");
    is_str(line(&e), "das run: info: x token=*** ***=\"{\\\"a\\\":\\\"***\\\"}\" pin=***\n",
           "in fields, escaped as in JSON too");
    das_log_setup(DAS_LOG_JSON, DAS_LOG_INFO);
    got = line(&e);
    v = das_json_parse(got, strlen(got), NULL, &err);
    ok(v && !strstr(got, "hunter") && !strstr(got, "1234"), "JSON stays JSON: %s", got);
    json_decref(v);
    das_log_setup(DAS_LOG_TEXT, DAS_LOG_INFO);
    ok(das_log_redact("abc", &err) < 0 && strstr(err.msg, "at least 4"), "too short: %s", err.msg);
    ok(das_log_redact("", &err) < 0 && das_log_redact(NULL, &err) < 0, "nothing is no secret");
    das_alloc_fail_at(1);
    ok(das_log_redact("another", &err) < 0 && err.code == DAS_E_NOMEM, "out of memory is told");
    das_alloc_fail_at(0);
    for (i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "secret-%d-", i);
        if (das_log_redact(name, &err) < 0)
            break;
    }
    ok(i > 200 && i < 300 && strstr(err.msg, "more secrets"), "%d fit, and the next is refused", i);
    is_int(das_log_redact("secret-7-", &err), 0, "a known one is no new one");
}

/* --- levels and threads ----------------------------------------------------------------------------- */

static int pipe_fd[2];

static void *many(void *arg)
{
    struct das_log_event e = {.level = DAS_LOG_INFO, .who = "run"};

    for (int i = 0; i < 200; i++) {
        e.message = das_text_of(arg);
        das_log_write(pipe_fd[1], &e);
    }
    return NULL;
}

static void writing(void)
{
    static char got[200000];
    char *messages[] = {"aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb"};
    pthread_t threads[2];
    size_t len = 0;
    ssize_t n;
    int bad = 0, lines = 0;

    must(pipe(pipe_fd) == 0, "a pipe");
    das_log_setup(DAS_LOG_TEXT, DAS_LOG_WARN);
    many("not wanted");
    das_log_setup(DAS_LOG_TEXT, DAS_LOG_INFO);
    for (int i = 0; i < 2; i++)
        must(pthread_create(&threads[i], NULL, many, messages[i]) == 0, "a thread");
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    close(pipe_fd[1]);
    while ((n = read(pipe_fd[0], got + len, sizeof got - len - 1)) > 0)
        len += (size_t)n;
    close(pipe_fd[0]);
    got[len] = '\0';
    for (char *rest = got, *l; (l = strsep(&rest, "\n")) && *l; lines++)
        bad += strcmp(l, "das run: info: aaaaaaaaaaaaaaaaaaaa") != 0 &&
               strcmp(l, "das run: info: bbbbbbbbbbbbbbbbbbbb") != 0;
    is_int(lines, 400, "what is below the level is not written");
    ok(!bad, "and lines of two threads stay whole");
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
        ok(failed == b.failed && (failed || !strstr(b.ptr, "hunter")), "failing allocation %ld", n);
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
    secrets();
    no_memory();
    writing();
    settings();
    return tap_done();
}
