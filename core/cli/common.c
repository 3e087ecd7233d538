/* common.c - options, configuration and complaints that all subcommands share (see cli.h). */
#include "core/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bindings/config.h"
#include "core/base/mem.h"
#include "core/cli/state.h"
#include "core/cli/stop_files.h"

#define WIDTH_PIPE 120 /* cells, when stdout is no terminal and COLUMNS is not set */

int das_common_init(struct das_common *c, struct das_err *err)
{
    memset(c, 0, sizeof *c);
    das_protect_init(&c->protect);
    das_rules_init(&c->rules);
    das_secrets_init(&c->secrets);
    c->inventory = das_inventory_new(err);
    return c->inventory ? 0 : -1;
}

void das_common_clear(struct das_common *c)
{
    das_inventory_free(c->inventory);
    das_protect_clear(&c->protect);
    das_rules_clear(&c->rules);
    das_secrets_clear(&c->secrets);
    das_buf_clear(&c->state_dir);
    das_stop_files_free(c->stop_files);
    das_free(c->instances);
}

int das_common_option(struct das_common *c, int option, const char *value, struct das_err *err)
{
    const char **bigger;
    int output;

    switch (option) {
    case 'i':
        bigger = das_grow(c->instances, c->instance_count + 1, sizeof *bigger);
        if (!bigger)
            return das_fail_nomem(err);
        c->instances = bigger;
        c->instances[c->instance_count++] = value;
        return 1;
    case 'o':
        output = das_output_find(value);
        if (output < 0)
            return das_fail(err, DAS_E_USAGE, "-o: expected table, json or csv, got \"%s\"", value);
        c->output = (enum das_output)output;
        return 1;
    case 1000:
        c->config = value;
        return 1;
    default:
        return 0;
    }
}

/* The first configuration that is there: ./das.lua, the user's, the machine's. */
int das_find_config(struct das_buf *path, struct das_err *err)
{
    const char *home = getenv("HOME"), *xdg = getenv("XDG_CONFIG_HOME"), *env = getenv("DAS_CONFIG");

    if (env && *env) {
        das_buf_str(path, env);
        return das_buf_ok(path, err) < 0 ? -1 : 1;
    }
    for (int i = 0; i < 3; i++) {
        das_buf_reset(path);
        if (i == 0)
            das_buf_str(path, "das.lua");
        else if (i == 2)
            das_buf_str(path, "/etc/das/das.lua");
        else if (xdg && *xdg)
            das_buf_printf(path, "%s/das/das.lua", xdg);
        else if (home && *home)
            das_buf_printf(path, "%s/.config/das/das.lua", home);
        else
            continue;
        if (das_buf_ok(path, err) < 0)
            return -1;
        if (access(path->ptr, F_OK) == 0)
            return 1;
    }
    return 0;
}

int das_common_finish(struct das_common *c, struct das_err *err)
{
    const struct das_config into = {c->inventory, &c->protect, &c->rules, &c->secrets};
    struct das_buf found = {0};
    struct das_err none;
    size_t stop_count;
    int rc = 0;

    if (!c->config) {
        rc = das_find_config(&found, err);
        if (rc > 0)
            c->config = found.ptr;
    }
    if (rc >= 0)
        rc = das_stop_files(c->config, &c->stop_files, &stop_count, err);
    if (rc >= 0)
        rc = c->config ? das_config_read(c->config, &into, err) : 0;
    for (size_t i = 0; i < c->instance_count && rc == 0; i++)
        rc = das_inventory_choose(c->inventory, c->instances[i], err);
    if (rc == 0 && das_state_dir(c->rules.state_dir, &c->state_dir, &none) < 0)
        das_buf_clear(&c->state_dir); /* most commands do without it */
    if (found.ptr)
        c->config = NULL;
    das_buf_clear(&found);
    return rc;
}

int das_common_need_state(struct das_common *c, struct das_err *err)
{
    return c->state_dir.len ? 0 : das_state_dir(c->rules.state_dir, &c->state_dir, err);
}

void das_common_guards(struct das_common *c, const struct das_script_rules *rules,
                       struct das_engine_opts *opts)
{
    opts->limits = &rules->limits;
    opts->policy = rules->policy;
    opts->channels = &c->rules.channels;
    opts->people = &c->rules.people;
    opts->url = c->rules.serve.url;
    opts->stop_files = (const char *const *)c->stop_files;
    opts->state_dir = c->state_dir.len ? c->state_dir.ptr : NULL;
    das_who(c->user, sizeof c->user);
    opts->user = c->user;
}

/* What getopt_long() refused, with a suggestion. */
static int bad_option(int result, char **argv, const struct option *known,
                      struct das_err *err)
{
    const char *word = argv[optind - 1], *names[64], *near;
    char bare[64];
    size_t n = 0;

    for (; n < 64 && known[n].name; n++)
        names[n] = known[n].name;
    if (result == ':')
        return das_fail(err, DAS_E_USAGE, "%s needs a value", word);
    if (optopt && !strchr(word, '='))
        return das_fail(err, DAS_E_USAGE, "unknown option -%c; --help shows what there is", optopt);
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    near = strncmp(word, "--", 2) == 0 ? das_nearest(bare, names, n) : NULL;
    if (near)
        return das_fail(err, DAS_E_USAGE, "unknown option --%s; did you mean --%s?", bare, near);
    return das_fail(err, DAS_E_USAGE, "unknown option %s; --help shows what there is", word);
}

int das_options_read(const struct das_options *o, int argc, char **argv, struct das_err *err)
{
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, o->letters, o->known, NULL)) != -1) {
        if (option == 'h') {
            fputs(o->help, stdout);
            return 1;
        }
        if (option == '?' || option == ':')
            return bad_option(option, argv, o->known, err);
        if (o->take(o->arg, option, optarg, err) < 0)
            return -1;
    }
    return 0;
}

int das_complain(const char *command, const struct das_err *err)
{
    fflush(stdout);
    fprintf(stderr, "das %s: %s\n", command, err->msg);
    return err->code == DAS_E_USAGE || err->code == DAS_E_CONFIG ? DAS_EXIT_USAGE
           : err->code == DAS_E_BLOCKED                          ? DAS_EXIT_BLOCKED
                                                                 : DAS_EXIT_FAILED;
}

size_t das_terminal_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize ws;
    int64_t n;

    if (columns && das_parse_int(das_text_of(columns), &n) && n >= 0 && n < 100000)
        return (size_t)n;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
        return ws.ws_col;
    return WIDTH_PIPE;
}

void das_common_read_secrets(struct das_common *c, struct das_vault *vault)
{
    struct das_err ignored;

    for (size_t i = 0; i < c->secrets.count; i++)
        das_vault_read(vault, &c->secrets.places[i], &ignored);
}

int das_write_out(struct das_buf *b, struct das_err *err)
{
    if (das_buf_ok(b, err) < 0)
        return -1;
    fwrite(b->ptr ? b->ptr : "", 1, b->len, stdout);
    das_buf_reset(b);
    return ferror(stdout) ? das_fail(err, DAS_E_IO, "the output could not be written") : 0;
}

int das_common_state_at(struct das_common *c, const char *given, struct das_buf *dir,
                        struct das_err *err)
{
    if (!given && das_common_finish(c, err) < 0)
        return -1;
    return das_state_dir(given ? given : c->rules.state_dir, dir, err);
}
