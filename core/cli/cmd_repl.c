/* cmd_repl.c - das repl: type Lua, see what it is worth. On a terminal with editing; else from a pipe. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bindings/repl.h"
#include "core/base/version.h"
#include "core/cli/cli.h"
#include "core/cli/interrupt.h"
#include "core/cli/line.h"

static const char help[] =
    "das repl [-i INSTANCE]... [--apply] [-o table|json|csv] [--config FILE]\n"
    "\n"
    "Type Lua and see what it is worth: previews, plans and reports as tables, other values as Lua.\n"
    "Without --apply plan:apply() is a dry run; the prompt says which it is: das> or das (armed)>.\n"
    "The limits of a run hold for each input, and memory for all of them.\n"
    "\n"
    "  Tab       completes globals, das.*, fields, methods, criteria, das.instance(\"...\n"
    "  Ctrl-C    gives up the line, or ends what is running; a second one ends das\n"
    "  Ctrl-D    ends\n"
    "  Up, ^R    earlier lines; kept in ~/.local/state/das/history ($XDG_STATE_HOME/das/history),\n"
    "            except those that begin with a blank\n"
    "\n"
    "An input goes on until it is complete. A local variable ends with its input; a global stays.\n"
    "\n"
    "  -i, --instance INSTANCE   a name from das.lua, file:PATH, mem:PATH, mysql://user@host:port/\n"
    "      --apply               let plan:apply() kill\n"
    "  -o, --output FORMAT       how previews, plans and reports are shown: table, json, csv\n"
    "      --config FILE         instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                            /etc/das/das.lua\n"
    "\n"
    "Examples\n"
    "  das repl -i mem:tests/samples/recording.jsonl\n"
    "  das> found = das.preview{ command = \"Query\", time = 60 }\n"
    "  das> found\n"
    "  das> found:explain(found[1])\n"
    "  echo 'das.preview{ time = 60 }' | das repl -i orders -o json\n"
    "\n"
    "Exit: as das run; from a pipe 1 when an input failed.\n";

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"apply", no_argument, NULL, 1001},
    {NULL, 0, NULL, 0},
};

/* --- inputs ------------------------------------------------------------------------------------ */

struct session {
    struct das_repl *repl;
    struct das_engine_opts *opts;
    struct das_buf chunk; /* what was typed since the last one was complete */
    size_t first_line;    /* of the chunk, in messages */
    bool failed;
};

/* What this input had killed when it failed: its own report may never have been printed. */
static void say_acts(const struct session *s, size_t before)
{
    struct das_engine_result r = *das_repl_result(s->repl);

    if (r.act_count == before)
        return;
    r.acts += before;
    r.act_count -= before;
    das_say_acts("repl", &r);
}

static void feed(struct session *s)
{
    size_t acts = das_repl_result(s->repl)->act_count;
    struct das_err err;
    enum das_repl_end end;

    s->opts->width = das_terminal_width(); /* windows change their size */
    end = das_repl_run(s->repl, das_buf_view(&s->chunk), s->first_line, &err);
    fflush(stdout);
    if (end == DAS_REPL_FAILED) {
        s->failed = true;
        fprintf(stderr, "%s\n", err.msg);
        say_acts(s, acts);
    }
    if (end != DAS_REPL_MORE)
        das_buf_reset(&s->chunk);
}

static void from_pipe(struct session *s)
{
    size_t cap = 0, line = 0;
    char *text = NULL;
    ssize_t len;

    while (!atomic_load(s->opts->cancel) && (len = getline(&text, &cap, stdin)) > 0) {
        line++;
        if (!s->chunk.len)
            s->first_line = line;
        das_buf_add(&s->chunk, text, (size_t)len);
        feed(s);
    }
    if (atomic_load(s->opts->cancel)) {
        s->failed = true;
    } else if (s->chunk.len) {
        fprintf(stderr, "stdin:%zu: the input ends before this is complete\n", s->first_line);
        s->failed = true;
    }
    free(text);
}

static void complete(void *arg, struct das_text line, struct das_buf *out, size_t *replace)
{
    das_repl_complete(arg, line, out, replace);
}

/* $XDG_STATE_HOME/das/history or ~/.local/state/das/history; empty when there is neither. */
static void history_path(struct das_buf *b)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (state && *state == '/')
        das_buf_printf(b, "%s/das/history", state);
    else if (home && *home)
        das_buf_printf(b, "%s/.local/state/das/history", home);
}

static int from_terminal(struct session *s, bool armed, struct das_err *err)
{
    const char *prompt = armed ? "das (armed)> " : "das> ";
    const char *more = armed ? "         ... " : " ... ";
    enum das_line_end end = DAS_LINE_TEXT;
    struct das_buf history = {0};
    struct das_line *line;
    int came;

    history_path(&history);
    line = das_line_new(history.len && !history.failed ? history.ptr : NULL, complete, s->repl, err);
    das_buf_clear(&history);
    if (!line)
        return -1;
    das_interrupt_leave();
    fprintf(stderr, "das %s, %s. Tab completes, Ctrl-D ends.\n", DAS_VERSION,
            armed ? "armed: plan:apply() kills" : "a dry run: --apply arms it");
    while (end != DAS_LINE_EOF) {
        end = das_line_read(line, s->chunk.len ? more : prompt, &s->chunk);
        if (end == DAS_LINE_CANCELLED)
            das_buf_reset(&s->chunk);
        if (end != DAS_LINE_TEXT)
            continue;
        das_interrupt_catch();
        feed(s);
        das_interrupt_leave(); /* while a person types signals are the editor's */
        came = atomic_load(s->opts->cancel);
        if (came != 0 && came != SIGINT)
            end = DAS_LINE_EOF;
    }
    fputc('\n', stdout);
    s->failed = false; /* a slip of the fingers is no failure */
    das_line_free(line);
    return 0;
}

/* --- the command ---------------------------------------------------------------------------------- */

static int run(struct das_common *c, bool armed)
{
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    struct das_script_rules rules;
    struct das_engine_opts opts = {
        .path = terminal ? "input" : "stdin",
        .inventory = c->inventory,
        .protect = &c->protect,
        .secrets = &c->secrets,
        .armed = armed,
        .output = c->output,
        .cancel = das_interrupt_catch(),
        .out = stdout,
        .log = stderr,
    };
    struct session s = {.opts = &opts, .first_line = 1};
    struct das_err err;
    int rc;

    das_rules_for(&c->rules, NULL, &rules);
    das_common_guards(c, &rules, &opts);
    opts.by_person = isatty(STDIN_FILENO);
    opts.grants = NULL; /* a person at the keyboard, not a script: preview and kill */
    s.repl = das_repl_new(&opts, &err);
    if (!s.repl)
        return das_complain("repl", &err);
    if (!terminal)
        from_pipe(&s);
    else if (from_terminal(&s, armed, &err) < 0)
        s.failed = das_complain("repl", &err) != DAS_EXIT_DONE;
    fflush(stdout);
    das_say_summary("repl", das_repl_result(s.repl), armed);
    rc = das_outcome_exit(das_repl_result(s.repl), s.failed);
    das_buf_clear(&s.chunk);
    das_repl_free(s.repl);
    return rc;
}

struct asked {
    struct das_common common;
    bool armed;
};

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct asked *a = arg;

    if (option != 1001)
        return das_common_option(&a->common, option, value, err);
    a->armed = true;
    return 0;
}

/* 0: it may begin; -1 with err. */
static int prepare(struct asked *a, const char *word, struct das_err *err)
{
    if (word)
        return das_fail(err, DAS_E_USAGE, "\"%s\" is no option; a script runs with das run", word);
    if (das_common_finish(&a->common, err) < 0 ||
        (a->armed && das_common_need_state(&a->common, err) < 0))
        return -1;
    return 0;
}

int das_cmd_repl(int argc, char **argv)
{
    struct asked a = {.armed = false};
    const struct das_options o = {help, ":" DAS_COMMON_SHORT, options, take_option, &a};
    struct das_err err;
    int rc = -1;

    if (das_common_init(&a.common, &err) == 0)
        rc = das_options_read(&o, argc, argv, &err);
    if (rc > 0)
        rc = DAS_EXIT_DONE;
    else if (rc < 0 || prepare(&a, argv[optind], &err) < 0)
        rc = das_complain("repl", &err);
    else
        rc = run(&a.common, a.armed);
    das_common_clear(&a.common);
    return rc;
}
