/* main.c - the top of the program: which subcommand, and the help that teaches it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/version.h"
#include "core/cli/cli.h"

static const char help[] =
    "das - preview which database sessions a kill policy would hit, then kill exactly those\n"
    "\n"
    "  das preview -i INSTANCE [criteria]    which sessions match, right now\n"
    "  das explain -i INSTANCE --policy SCRIPT | criteria    why each session is in or out\n"
    "  das run [-i INSTANCE] SCRIPT          run a policy; a dry run unless --apply is given\n"
    "  das runbook run FILE | list | show | resume | answer ...    steps that survive a crash\n"
    "  das plan show FILE                    what a saved plan would kill (das run --plan-out FILE)\n"
    "  das apply FILE                        kill what a saved plan says, verified once more\n"
    "  das stop REASON, das resume           the off switch: no kills until das resume\n"
    "  das approve ID, das reject ID         yes or no to a kill that somebody asked for\n"
    "  das approvals list | show | run       what waits for a yes, and what became of it\n"
    "  das status                            off switch, breakers, kills of unknown outcome\n"
    "  das audit list | show | verify | export | acknowledge     the journal of kills\n"
    "  das cloud tasks | history | switch | instances | doctor   what Huawei Cloud DAS does by itself\n"
    "  das record -i INSTANCE -o FILE        what the sessions do, again and again, into a file\n"
    "  das replay --policy SCRIPT FILE...    what a policy would have done while FILE was recorded\n"
    "  das serve                             the same API as the cloud's, for your own databases\n"
    "  das key | token create | list | revoke    who may ask das serve\n"
    "  das notify CHANNEL TEXT               a message to people; what waits to be sent\n"
    "  das repl [-i INSTANCE]                type Lua and see what it is worth\n"
    "  das check [PATH...]                   what is wrong with a policy or das.lua, without running\n"
    "  das import-pt-kill -- OPTIONS         pt-kill's options as a policy\n"
    "  das test PATH...                      run tests of policies: nothing leaves the process\n"
    "  das help COMMAND                      more about one of them\n"
    "  das --version\n"
    "\n"
    "INSTANCE is a name from das.lua, or\n"
    "  mysql://user@host:3306/     MariaDB or MySQL (password: see das help preview)\n"
    "  das://REGION/PROJECT/INSTANCE   behind Huawei Cloud DAS (keys: see das help cloud)\n"
    "  file:processlist.txt        a recorded list: SHOW PROCESSLIST output, JSON; - is stdin\n"
    "  mem:processlist.txt         the same, as an instance in memory where kills work\n"
    "\n"
    "Examples\n"
    "  mariadb -e 'SHOW FULL PROCESSLIST' | das preview -i file:- --command Query --time 60\n"
    "  das preview -i mysql://das@db1/ --user app% --info 'select~from~orders' -o json\n"
    "  das run -i mem:tests/samples/recording.jsonl scripts/policies/long_select.lua\n"
    "  das run -i orders --apply scripts/policies/long_select.lua\n"
    "\n"
    "Exit: 0 done, 1 failed, 2 usage or configuration, 4 partly done, 5 blocked by a guard,\n"
    "8 a kill was sent and its outcome is not known.\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"preview", das_cmd_preview}, {"explain", das_cmd_explain},
    {"run", das_cmd_run},       {"plan", das_cmd_plan},
    {"apply", das_cmd_apply},     {"stop", das_cmd_stop},     {"resume", das_cmd_resume},
    {"status", das_cmd_status},   {"audit", das_cmd_audit},   {"repl", das_cmd_repl},
    {"check", das_cmd_check},     {"cloud", das_cmd_cloud},
    {"import-pt-kill", das_cmd_import_pt_kill},
    {"notify", das_cmd_notify},
    {"test", das_cmd_test},       {"replay", das_cmd_replay},
    {"runbook", das_cmd_runbook},
    {"record", das_cmd_record},
    {"serve", das_cmd_serve},
    {"approve", das_cmd_approve}, {"reject", das_cmd_reject},
    {"approvals", das_cmd_approvals},
    {"key", das_cmd_key},         {"token", das_cmd_token},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static int unknown_command(const char *word)
{
    const char *names[COMMANDS + 1] = {"help"}, *near;

    for (size_t i = 0; i < COMMANDS; i++)
        names[i + 1] = commands[i].name;
    near = das_nearest(word, names, COMMANDS + 1);

    if (near)
        fprintf(stderr, "das: unknown command \"%s\"; did you mean \"%s\"?\n", word, near);
    else
        fprintf(stderr, "das: unknown command \"%s\"; das --help shows what there is\n", word);
    return DAS_EXIT_USAGE;
}

static int run_command(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    char *help_argv[] = {argc > 2 ? argv[2] : argv[0], "--help", NULL};

    if (!*word) {
        fputs(help, stderr);
        return DAS_EXIT_USAGE;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "version") == 0) {
        puts("das " DAS_VERSION);
        return DAS_EXIT_DONE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
        (strcmp(word, "help") == 0 && argc < 3)) {
        fputs(help, stdout);
        return DAS_EXIT_DONE;
    }
    if (strcmp(word, "help") == 0) {
        word = argv[2];
        argv = help_argv;
        argc = 2;
    } else {
        argv++;
        argc--;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc, argv);
    }
    return unknown_command(word);
}

int main(int argc, char **argv)
{
    struct das_err err;
    int rc;

    /* A reader that leaves early (das ... | head) is an error of write(), not a signal. */
    signal(SIGPIPE, SIG_IGN);
    if (das_log_setup_env(&err) < 0) {
        fprintf(stderr, "das: %s\n", err.msg);
        return DAS_EXIT_USAGE;
    }
    rc = run_command(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "das: the output could not be written\n");
        return rc ? rc : DAS_EXIT_FAILED;
    }
    return rc;
}
