/* cmd_plan.c - das plan: looks at saved plans. Reads a file; asks no server, kills nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/cli/cli.h"
#include "core/plan/plan.h"

static const char help[] =
    "das plan show [-o table|json] FILE\n"
    "\n"
    "Shows plans that were saved, one on each line of FILE; - is standard input. Says of each\n"
    "whether it is still good, and its hash. A plan of which a byte was changed is not shown.\n"
    "\n"
    "  -o, --output FORMAT   table, or json: {\"line\", \"sha256\", \"expired\", \"plan\"} a line\n"
    "\n"
    "Examples\n"
    "  das plan show night.plan\n"
    "  das plan show -o json night.plan | jq '.plan.victims[].session.id'\n"
    "  das run -i orders -o json policy.lua | grep '^{\"version\"' | das plan show -\n"
    "\n"
    "Exit: 0 all shown, 1 a plan was changed, or there is none, 2 usage.\n";

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {"output", required_argument, NULL, 'o'},
    {NULL, 0, NULL, 0},
};

struct show {
    const char *name; /* of the file, for messages */
    FILE *in;
    bool json;
    size_t shown, bad;
    int64_t line;
    struct das_buf text, out;
};

/* The next line with its newline into text; false at the end. What is too long for a plan is not
 * kept: a byte more than fits shows that it was. */
static bool next_line(struct show *s)
{
    int c = EOF;

    das_buf_reset(&s->text);
    while ((c = getc_unlocked(s->in)) != EOF) {
        if (s->text.len <= DAS_PLAN_LINE_MAX)
            das_buf_char(&s->text, (char)c);
        if (c == '\n')
            break;
    }
    s->line++;
    return c != EOF || s->text.len > 0 || s->text.failed;
}

static void show_json(struct show *s, const struct das_plan *p, int64_t now)
{
    das_buf_char(&s->out, '{');
    das_json_key_int(&s->out, "line", s->line);
    das_json_key(&s->out, "sha256");
    das_json_str(&s->out, das_plan_hash(p));
    das_json_key_bool(&s->out, "expired", now > das_plan_expires_ms(p));
    das_json_key(&s->out, "plan");
    das_plan_json(p, &s->out);
    das_buf_str(&s->out, "}\n");
}

static void show_table(struct show *s, const struct das_plan *p, int64_t now)
{
    int64_t created = das_plan_created_ms(p), left = das_plan_expires_ms(p) - now;
    char made[32];

    if (s->shown)
        das_buf_char(&s->out, '\n');
    das_plan_print(p, das_terminal_width(), &s->out);
    das_clock_iso(created / 1000, made, sizeof made);
    das_buf_printf(&s->out, "made %s, ", made);
    if (left < 0)
        das_buf_printf(&s->out, "expired %lld s ago\n", (long long)(-left / 1000));
    else if (now < created)
        das_buf_str(&s->out, "after what the clock says now\n");
    else
        das_buf_printf(&s->out, "good for another %lld s\n", (long long)(left / 1000));
    das_buf_printf(&s->out, "sha256 %s\n", das_plan_hash(p));
}

static int show_plan(struct show *s, struct das_err *err)
{
    struct das_plan *p = NULL;
    int rc = das_buf_ok(&s->text, err);

    if (rc == 0 && !(p = das_plan_read(das_buf_view(&s->text), err)))
        rc = -1;
    if (rc == 0) {
        das_buf_reset(&s->out);
        (s->json ? show_json : show_table)(s, p, das_clock_unix_ms());
        rc = das_buf_ok(&s->out, err);
    }
    if (rc == 0) {
        fwrite(s->out.ptr, 1, s->out.len, stdout);
        s->shown++;
    }
    das_plan_release(p);
    return rc;
}

static int show_file(struct show *s, const char *path, struct das_err *err)
{
    bool input = strcmp(path, "-") == 0;

    s->name = input ? "standard input" : path;
    s->in = input ? stdin : fopen(path, "rbe");
    if (!s->in)
        return das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
    while (next_line(s)) {
        if (show_plan(s, err) == 0)
            continue;
        s->bad++;
        das_err_prefix(err, "%s:%lld", s->name, (long long)s->line);
        das_complain("plan", err);
    }
    if (ferror(s->in)) {
        das_fail(err, DAS_E_IO, "%s: %s", s->name, strerror(errno));
        s->bad++;
        das_complain("plan", err);
    } else if (!s->shown && !s->bad) {
        das_fail(err, DAS_E_DATA, "%s: there is no plan in it", s->name);
        s->bad++;
        das_complain("plan", err);
    }
    if (!input)
        fclose(s->in);
    return 0;
}

static int run(struct show *s, int n, char **words, struct das_err *err)
{
    if (n < 1)
        return das_fail(err, DAS_E_USAGE, "what to do with a plan? das plan show FILE");
    if (strcmp(words[0], "show") != 0)
        return das_fail(err, DAS_E_USAGE, "expected show, got \"%s\"; das plan --help has examples",
                        words[0]);
    if (n != 2)
        return das_fail(err, DAS_E_USAGE, "show: expected one file, got %d", n - 1);
    return show_file(s, words[1], err);
}

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct show *s = arg;

    (void)option; /* -o is the only one */
    s->json = strcmp(value, "json") == 0;
    if (!s->json && strcmp(value, "table") != 0)
        return das_fail(err, DAS_E_USAGE, "-o: expected table or json, got \"%s\"", value);
    return 0;
}

int das_cmd_plan(int argc, char **argv)
{
    struct show s = {0};
    const struct das_options o = {help, ":ho:", options, take_option, &s};
    struct das_err err;
    int rc = das_options_read(&o, argc, argv, &err);

    if (rc == 0)
        rc = run(&s, argc - optind, argv + optind, &err);
    if (rc < 0)
        rc = das_complain("plan", &err);
    else
        rc = s.bad ? DAS_EXIT_FAILED : DAS_EXIT_DONE;
    das_buf_clear(&s.text);
    das_buf_clear(&s.out);
    return rc;
}
