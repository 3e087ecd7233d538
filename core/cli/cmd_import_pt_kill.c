/* cmd_import_pt_kill.c - das import-pt-kill: pt-kill's options in, a policy in Lua out. */
#include <stdio.h>
#include <string.h>

#include "bindings/import.h"
#include "core/cli/cli.h"

static const char help[] =
    "das import-pt-kill -- [pt-kill] OPTIONS\n"
    "\n"
    "Writes a policy that chooses as pt-kill with these options does, with a comment where that is not\n"
    "what its manual says. Nothing is run and nothing is connected to. Everything behind -- is read as\n"
    "pt-kill reads it: abbreviations, -v, --no-..., 5m, --config FILE as the first option. Passwords\n"
    "are not written down. What needs your eye is said on standard error.\n"
    "\n"
    "Examples\n"
    "  das import-pt-kill -- --busy-time 60 --match-user '^app' --kill-query --print >policy.lua\n"
    "  das check policy.lua\n"
    "  das run -i orders policy.lua                 a dry run: what would it kill now?\n"
    "\n"
    "docs/from-pt-kill.md has every option side by side, and the way from pt-kill to das.\n"
    "\n"
    "Exit: 0 done, 1 failed, 2 an option that pt-kill would refuse, too, or that is no policy.\n";

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int no_option(void *arg, int option, const char *value, struct das_err *err)
{
    (void)arg;
    (void)option;
    (void)value;
    return das_fail(err, DAS_E_INTERNAL, "an option that is not there");
}

/* pt-kill's options stand behind "--", so that none is taken for one of das's. */
static int check_dashes(int argc, char **argv, struct das_err *err)
{
    if (argc > 1 && (strcmp(argv[1], "--") == 0 || strcmp(argv[1], "--help") == 0 ||
                     strcmp(argv[1], "-h") == 0))
        return 0;
    return das_fail(err, DAS_E_USAGE,
                    "which options? They stand behind --, as in das import-pt-kill -- --busy-time 60 "
                    "--print");
}

static int import(int argc, char **argv, struct das_err *err)
{
    struct das_buf out = {0}, notes = {0};
    int rc = das_import_pt_kill(argv + optind, (size_t)(argc - optind), &out, &notes, err);

    if (rc == 0)
        rc = das_write_out(&out, err);
    for (char *line = notes.ptr, *end; rc == 0 && line && *line; line = end + 1) {
        end = strchr(line, '\n');
        fprintf(stderr, "das import-pt-kill: %.*s\n", (int)(end - line), line);
    }
    das_buf_clear(&out);
    das_buf_clear(&notes);
    return rc;
}

int das_cmd_import_pt_kill(int argc, char **argv)
{
    const struct das_options o = {help, "+:h", options, no_option, NULL};
    struct das_err err;
    int rc = check_dashes(argc, argv, &err);

    if (rc == 0)
        rc = das_options_read(&o, argc, argv, &err);
    if (rc == 0)
        rc = import(argc, argv, &err);
    return rc < 0 ? das_complain("import-pt-kill", &err) : DAS_EXIT_DONE;
}
