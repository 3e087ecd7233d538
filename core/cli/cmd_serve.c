/* cmd_serve.c - das serve: the DAS kill-session API in front of the instances of das.lua. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"
#include "core/cli/runbook_cli.h"
#include "core/serve/serve.h"

#define LOG_BUFFER (64 << 10)

static const char help[] =
    "das serve [-i INSTANCE]... [--listen ADDRESS:PORT]... [--config FILE]\n"
    "\n"
    "Answers the kill-session API of Huawei Cloud DAS for the instances of das.lua (or those of "
    "-i):\n"
    "previews, kill tasks and their history, kills, process lists. Whatever speaks that API can "
    "use it:\n"
    "the cloud's SDKs, scripts, das itself "
    "(das://REGION/PROJECT/ID?endpoint=http://127.0.0.1:7070).\n"
    "\n"
    "Nobody may ask without a key: das key create and das token create make them. Kills go through "
    "plans\n"
    "and guards like everybody's and need serve = { mode = \"auto\" } in das.lua; without it, "
    "nothing is\n"
    "killed. On other addresses than loopback it wants TLS.\n"
    "\n"
    "It also runs the policies that das.lua lists under policies, each on its instances, every few\n"
    "seconds or by cron; das status shows how they fare.\n"
    "\n"
    "  -i, --instance INSTANCE    only these\n"
    "      --listen ADDRESS:PORT  instead of those in das.lua, else 127.0.0.1:7070; port 0: any\n"
    "      --config FILE          instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                             /etc/das/das.lua; docs/serve.md has its table\n"
    "\n"
    "/livez, /readyz?verbose and /metrics need no key. The log goes to stderr, a JSON object a line.\n"
    "SIGHUP reads certificate and keys anew; SIGTERM and Ctrl-C let requests in flight end, a second\n"
    "one does not wait for them. A policy that runs sends no further kill.\n"
    "\n"
    "Examples\n"
    "  das key create --name me --actions all --instances '*'\n"
    "  das serve -i mem:tests/samples/recording.jsonl\n"
    "  das serve --config /etc/das/das.lua\n"
    "\n"
    "Exit: 0 ended as asked, 1 failed, 2 usage or configuration, 4 it ended while requests were "
    "in\n"
    "flight.\n";

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"listen", required_argument, NULL, 1001},
    {NULL, 0, NULL, 0},
};

struct job {
    struct das_common common;
    const char *listen[DAS_SERVE_LISTEN_MAX];
    size_t listen_count;
};

/* Signals can reach nothing else. */
static atomic_int stop, reload;

static void on_signal(int number)
{
    if (number == SIGHUP)
        atomic_store(&reload, 1);
    else
        atomic_fetch_add(&stop, 1);
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction how = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigemptyset(&how.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &how, NULL);
}

static int take(void *arg, int option, const char *value, struct das_err *err)
{
    struct job *j = arg;

    if (option != 1001)
        return das_common_option(&j->common, option, value, err) < 0 ? -1 : 0;
    if (j->listen_count == DAS_SERVE_LISTEN_MAX)
        return das_fail(err, DAS_E_USAGE, "--listen: expected at most %d addresses",
                        DAS_SERVE_LISTEN_MAX);
    j->listen[j->listen_count++] = value;
    return 0;
}

/* What the command line says takes the place of what das.lua says, under the same rules. */
static int use_listen(struct job *j, struct das_err *err)
{
    struct das_serve_conf *c = &j->common.rules.serve;

    return j->listen_count ? das_serve_conf_listen(c, j->listen, j->listen_count, err) : 0;
}

/* For a person at a terminal, who would not want to look for it in JSON. */
static void ready(void *arg, const char *addresses, const char *instances)
{
    (void)arg;
    printf("das serve: %s\n%s", addresses, instances);
    fflush(stdout);
}

/* Requests come by the thousand: their lines are gathered, and das_serve() writes them every tick. */
static FILE *open_log(void)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    FILE *log = fd >= 0 ? fdopen(fd, "a") : NULL;

    if (!log && fd >= 0)
        close(fd);
    if (log)
        setvbuf(log, NULL, _IOFBF, LOG_BUFFER);
    return log;
}

static int serve(struct job *j, struct das_err *err)
{
    struct das_common *c = &j->common;
    FILE *log;
    struct das_vault vault;
    struct das_serve_end end;
    int rc;
    struct das_serve_opts opts = {
        .conf = &c->rules.serve,
        .inventory = c->inventory,
        .protect = &c->protect,
        .schedule = c->rules.schedule,
        .secrets = &c->secrets,
        .rules = &c->rules,
        .stop_files = (const char *const *)c->stop_files,
        .state_dir = c->state_dir.ptr,
        .vault = &vault,
        .stop = &stop,
        .reload = &reload,
        .ready = ready,
        .runbook = das_runbook_carry_on,
        .runbook_arg = c,
    };

    if (das_inventory_count(c->inventory) == 0)
        return das_fail(err, DAS_E_CONFIG,
                        "there is no instance: das.lua names them under instances, or -i "
                        "does");
    opts.log = log = open_log();
    if (!log)
        return das_fail(err, DAS_E_IO, "the log cannot be opened: %s", strerror(errno));
    das_vault_init(&vault);
    das_common_read_secrets(c, &vault);
    das_keep_freed_memory();
    das_log_setup(DAS_LOG_JSON, DAS_LOG_INFO);
    catch_signals();
    rc = das_serve(&opts, &end, err);
    if (end.stuck) { /* a thread uses all that would be freed now */
        fflush(log);
        _exit(rc < 0 ? das_complain("serve", err) : end.left ? DAS_EXIT_PARTIAL : DAS_EXIT_DONE);
    }
    das_vault_clear(&vault);
    fclose(log);
    return rc < 0 ? -1 : end.left ? DAS_EXIT_PARTIAL : DAS_EXIT_DONE;
}

int das_cmd_serve(int argc, char **argv)
{
    struct job j = {.listen_count = 0};
    const struct das_options o = {help, ":" DAS_COMMON_SHORT, options, take, &j};
    struct das_err err;
    int rc = das_common_init(&j.common, &err);

    if (rc == 0)
        rc = das_options_read(&o, argc, argv, &err);
    if (rc > 0) {
        das_common_clear(&j.common);
        return DAS_EXIT_DONE;
    }
    if (rc == 0 && optind < argc)
        rc = das_fail(&err, DAS_E_USAGE, "unexpected \"%s\"; instances are named with -i",
                      argv[optind]);
    if (rc == 0)
        rc = das_common_finish(&j.common, &err);
    if (rc == 0)
        rc = das_common_need_state(&j.common, &err);
    if (rc == 0)
        rc = use_listen(&j, &err);
    if (rc == 0)
        rc = serve(&j, &err);
    if (rc < 0)
        rc = das_complain("serve", &err);
    das_common_clear(&j.common);
    return rc;
}
