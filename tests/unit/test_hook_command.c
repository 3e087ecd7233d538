/* test_hook_command.c - the grammar of commands, declared parameters, and a corpus of what somebody
 * may write. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/hook/hook.h"
#include "tests/unit/kit.h"

static struct das_err err;
static struct das_hook_line l;

static int reads(const char *text)
{
    return das_hook_line_read(das_text_of(text), &l, &err);
}

static void good(const char *text, const char *want)
{
    struct das_buf b = {0};

    ok(reads(text) == 0, "fine: %.60s %s", text, err.msg);
    das_buf_str(&b, l.command);
    for (size_t i = 0; i < l.count; i++)
        das_buf_printf(&b, "|%s%s%s", l.items[i].key, *l.items[i].key ? "=" : "", l.items[i].value);
    is_str(b.ptr, want, "as %s", want);
    das_buf_clear(&b);
}

static void bad(const char *text, const char *why)
{
    err.msg[0] = '\0';
    ok(reads(text) < 0 && err.code == DAS_E_USAGE, "refused: %.60s", text);
    has_str(err.msg, why, "because %s", why);
    ok(!*l.command && l.count == 0, "and nothing is half read");
}

static void grammar(void)
{
    char text[3000];

    good("preview", "preview");
    good("  preview \t orders  ", "preview|orders");
    good("preview orders user=app% time=60 info=\"select~from\"",
         "preview|orders|user=app%|time=60|info=select~from");
    good("p \"two words\" k=\"a \\\"b\\\" \\\\ c\"", "p|two words|k=a \"b\" \\ c");
    good("p info=select~from host=10.0.0.1:3306 x=a,b@c/d+e*f-g",
         "p|info=select~from|"
         "host=10.0.0.1:3306|x=a,b@c/d+e*f-g");
    good("p k=\"\"", "p|k=");
    good("p k=\"a=b\" \"c=d\"", "p|k=a=b|c=d");
    good("p k=\"SELECT 'x'; -- $(id) `id`\"", "p|k=SELECT 'x'; -- $(id) `id`");
    good("p k=\"\xe4\xb8\xad\xe6\x96\x87\"", "p|k=\xe4\xb8\xad\xe6\x96\x87");
    ok(reads("") == 0 && !*l.command && !l.count, "an empty line is one");
    ok(reads("  \t ") == 0 && !*l.command, "and one of blanks");
    is_str(das_hook_line_get((reads("p a=1 b=2"), &l), "b"), "2", "by its key");
    ok(!das_hook_line_get(&l, "c"), "no such key");

    bad("Preview", "small letters");
    bad("pre-view", "small letters");
    bad("\"preview\"", "small letters");
    bad("p;", "small letters");
    bad("p user=a user=b", "user is there twice");
    bad("p user=", "user=: expected a value");
    bad("p user= x", "user=: expected a value");
    bad("p =x", "expected words");
    bad("p User=x", "small letters, digits");
    bad("p a=b=c", "key has small letters");
    bad("p \"open", "not closed");
    bad("p \"a\"b", "blank behind a value");
    bad("p a\"b\"", "blank behind a value");
    bad("p \"a\\n\"", "stands before");
    bad("p \"a\\", "stands before");
    bad("p \"a\nb\"", "can be seen");
    bad("p \"\xff\"", "can be seen");
    bad("p \"\xe2\x80\xae\"", "can be seen");
    bad("p \"\xe2\x80\x8b\"", "can be seen");
    bad("p \xe2\x80\x9cx\xe2\x80\x9d", "straight double quotes");
    bad("p a\nkill b", "blank behind a value");
    for (const char *c = "'`$;|&<>(){}[]!#?^\\"; *c; c++) {
        snprintf(text, sizeof text, "p a%cb", *c);
        ok(reads(text) < 0, "no plain character: %c", *c);
    }
    ok(das_hook_line_read(das_text("p\0x", 3), &l, &err) < 0, "a NUL in the command");
    ok(das_hook_line_read(das_text("p x\0y", 5), &l, &err) < 0, "and behind it");
    ok(das_hook_line_read(das_text("p \"x\0y\"", 7), &l, &err) < 0, "and in quotes");
}

static void bounds(void)
{
    struct das_buf b = {0};
    char value[600];

    memset(value, 'x', sizeof value);
    value[DAS_HOOK_VALUE_SIZE - 1] = '\0';
    das_buf_printf(&b, "p k=%s", value);
    ok(reads(b.ptr) == 0 && strlen(l.items[0].value) == 512, "512 bytes of a value");
    das_buf_char(&b, 'x');
    bad(b.ptr, "too long");
    das_buf_reset(&b);
    das_buf_str(&b, "p");
    for (int i = 0; i < DAS_HOOK_ITEMS_MAX; i++)
        das_buf_str(&b, " x");
    ok(reads(b.ptr) == 0 && l.count == DAS_HOOK_ITEMS_MAX, "24 values");
    das_buf_str(&b, " x");
    bad(b.ptr, "too many");
    das_buf_reset(&b);
    das_buf_str(&b, "p ");
    das_buf_fill(&b, ' ', DAS_HOOK_LINE_MAX);
    das_buf_str(&b, "x");
    bad(b.ptr, "at most 2000");
    das_buf_clear(&b);
}

/* --- parameters ------------------------------------------------------------------------------- */

#define TEXT(s) ((char *)(uintptr_t)(s))
static char *kinds[] = {TEXT("query"), TEXT("connection")};
static struct das_hook_command command = {
    .name = TEXT("kill"),
    .params =
        {{.name = TEXT("instance"), .type = DAS_HOOK_INSTANCE, .required = true},
         {.name = TEXT("user"), .type = DAS_HOOK_STRING, .most = 10},
         {.name = TEXT("time"), .type = DAS_HOOK_DURATION, .fallback = TEXT("60s"), .most = 3600},
         {.name = TEXT("limit"), .type = DAS_HOOK_INTEGER, .least = 1, .most = 20},
         {.name = TEXT("kind"), .type = DAS_HOOK_CHOICE, .choices = kinds, .choice_count = 2},
         {.name = TEXT("role"),
          .type = DAS_HOOK_STRING,
          .immutable = true,
          .fallback = TEXT("dba"),
          .most = 10}},
    .param_count = 6};

static bool knows(void *arg, const char *instance)
{
    (void)arg;
    return strcmp(instance, "orders") == 0;
}

static char *args_of(const struct das_hook_command *c, const char *text)
{
    const struct das_hook_reach reach = {knows, NULL};
    json_t *args;
    char *out;

    must(reads(text) == 0, "read: %s", err.msg);
    args = das_hook_args(c, &l, &reach, &err);
    out = args ? json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(args);
    return out;
}

static void takes(const char *text, const char *want)
{
    char *got = args_of(&command, text);

    is_str(got ? got : err.msg, want, "%s", text);
    free(got);
}

static void refuses(const char *text, const char *why)
{
    char *got = args_of(&command, text);

    ok(!got && err.code == DAS_E_USAGE, "refused: %s", text);
    has_str(err.msg, why, "because %s", why);
    free(got);
}

static void parameters(void)
{
    struct das_hook_param p = {.name = TEXT("n"), .type = DAS_HOOK_INTEGER, .fallback = TEXT("x")};
    struct das_buf b = {0};
    char *raw;

    takes("kill orders", "{\"instance\":\"orders\",\"role\":\"dba\",\"time\":60}");
    takes("kill orders app 5m 3 query", "{\"instance\":\"orders\",\"kind\":\"query\",\"limit\":3,"
                                        "\"role\":\"dba\",\"time\":300,\"user\":\"app\"}");
    takes("kill user=x orders time=2m", "{\"instance\":\"orders\",\"role\":\"dba\",\"time\":120,"
                                        "\"user\":\"x\"}");
    refuses("kill", "instance: it is needed: kill instance=NAME ");
    refuses("kill secret", "instance: expected the name of an instance");
    refuses("kill orders usr=x", "did you mean user");
    refuses("kill orders time=2h", "time: expected 0 to 3600 seconds");
    refuses("kill orders time=soon", "time: expected a duration");
    refuses("kill orders limit=0", "limit: expected 1 to 20");
    refuses("kill orders limit=99999999999999999999", "limit: expected a whole number");
    refuses("kill orders kind=all", "kind: expected one of query, connection");
    refuses("kill orders user=12345678901", "user: expected 0 to 10 bytes");
    refuses("kill orders role=everyone", "role: is given by the configuration");
    refuses("kill orders role=dba", "role: is given by the configuration");
    refuses("kill orders app 5m 3 query dba", "too many words");
    raw = args_of(NULL, "p a k=v \"b c\"");
    is_str(raw, "{\"1\":\"a\",\"2\":\"b c\",\"k\":\"v\"}", "without declarations all is text");
    free(raw);
    das_hook_usage(&command, &b);
    is_str(b.ptr, "kill instance=NAME [user=TEXT] [time=5m] [limit=N] [kind=query|connection]",
           "what can be said, and not what cannot");
    das_buf_clear(&b);
    ok(das_hook_check_param(&p, &err) < 0, "a default has to fit");
    has_str(err.msg, "n: expected a whole number", "which is told");
}

/* --- a corpus --------------------------------------------------------------------------------- */

/* "\n", "\t", "\0", "\xHH" of the file. */
static size_t unescape(const char *from, char *to)
{
    size_t n = 0;

    for (; *from && *from != '\n'; from++) {
        unsigned hex;
        if (from[0] == '\\' && from[1] == 'x' && sscanf(from + 2, "%2x", &hex) == 1) {
            to[n++] = (char)hex;
            from += 3;
        } else if (from[0] == '\\' && from[1] && strchr("nt0", from[1])) {
            to[n++] = from[1] == 'n' ? '\n' : from[1] == 't' ? '\t' : '\0';
            from++;
        } else {
            to[n++] = *from;
        }
    }
    return n;
}

static bool is_sane(void)
{
    for (size_t i = 0; i < l.count; i++) {
        struct das_text v = das_text_of(l.items[i].value);
        if (!das_utf8_valid(v) || (*l.items[i].key && !das_hook_is_key(l.items[i].key)))
            return false;
        for (size_t k = 0; k < v.len; k++) {
            if ((unsigned char)v.ptr[k] < ' ')
                return false;
        }
    }
    return !*l.command || das_hook_is_key(l.command);
}

static void corpus(void)
{
    FILE *in = fopen("tests/samples/hook_injections.txt", "r");
    char text[2000], raw[2000];
    size_t lines = 0, taken = 0, insane = 0;

    must(in != NULL, "the corpus");
    while (fgets(text, sizeof text, in)) {
        if (*text == '#' || *text == '\n')
            continue;
        lines++;
        if (das_hook_line_read(das_text(raw, unescape(text, raw)), &l, &err) == 0) {
            taken++;
            insane += !is_sane();
        }
    }
    fclose(in);
    ok(lines > 70 && taken > 10 && taken < lines, "%zu lines, %zu of them are commands", lines,
       taken);
    is_int(insane, 0, "and all that is taken is plain");
}

int main(void)
{
    grammar();
    bounds();
    parameters();
    corpus();
    return tap_done();
}
