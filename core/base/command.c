/* command.c - see command.h. */
#include "core/base/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

#define LOOK_MS 20 /* how often the time and the program are looked at */
#define REAP_MS                                                                      \
    1000 /* one that does not die when it is killed hangs in the kernel: left behind \
          */

struct running {
    const struct das_command *cmd;
    struct das_command_output *out;
    pid_t pid; /* and its process group */
    int fd;    /* what it prints; -1: it has closed that */
    int status;
    int64_t deadline_ms;
};

void das_command_output_clear(struct das_command_output *out)
{
    das_locked_free(out->ptr, out->size);
    memset(out, 0, sizeof *out);
}

/* --- starting it ------------------------------------------------------------------------------ */

/* The pipe comes first, because it may have the number of an input that was closed here. */
static int set_files(posix_spawn_file_actions_t *files, int out)
{
    int rc = posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO);

    if (!rc)
        rc = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!rc)
        rc = posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    return rc ? rc : posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
}

/* Signals as a shell would leave them, whatever is ignored or blocked here, and a process group of
 * its own, so that all of it can be killed. */
static int set_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                            POSIX_SPAWN_SETSIGMASK);
    if (!rc)
        rc = posix_spawnattr_setpgroup(attr, 0);
    if (!rc)
        rc = posix_spawnattr_setsigmask(attr, &none);
    return rc ? rc : posix_spawnattr_setsigdefault(attr, &all);
}

static int spawn(const char *const *argv, int out, pid_t *pid)
{
    char *const *args = (char *const *)(uintptr_t)argv; /* which are not written to */
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int rc = posix_spawn_file_actions_init(&files);

    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (rc) {
        posix_spawn_file_actions_destroy(&files);
        return rc;
    }
    rc = set_files(&files, out);
    if (!rc)
        rc = set_attributes(&attr);
    if (!rc)
        rc = posix_spawn(pid, argv[0], &files, &attr, args, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

static int start(struct running *r, struct das_err *err)
{
    const char *program = r->cmd->argv[0];
    int ends[2], rc;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return das_fail(err, DAS_E_IO, "%s: no pipe: %s", program, strerror(errno));
    /* ours alone: the program's end is another description */
    rc = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? errno : spawn(r->cmd->argv, ends[1], &r->pid);
    close(ends[1]);
    if (!rc) {
        r->fd = ends[0];
        return 0;
    }
    close(ends[0]);
    if (rc == ENOMEM)
        return das_fail_nomem(err);
    return das_fail(err, DAS_E_CONFIG, "%s: cannot be run: %s", program, strerror(rc));
}

/* --- listening to it -------------------------------------------------------------------------- */

static void hang_up(struct running *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}

/* All that is there now. */
static int take(struct running *r, struct das_err *err)
{
    struct das_command_output *out = r->out;

    while (r->fd >= 0) {
        ssize_t n = read(r->fd, out->ptr + out->len, out->size - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            return das_fail(err, DAS_E_IO, "%s: cannot be read from: %s", r->cmd->argv[0],
                            strerror(errno));
        if (n == 0)
            hang_up(r);
        out->len += (size_t)n;
        if (out->len > r->cmd->max)
            return das_fail(err, DAS_E_CONFIG, "%s: printed more than %zu bytes", r->cmd->argv[0],
                            r->cmd->max);
    }
    return 0;
}

/* 1: it has ended, and its number may be somebody else's by now. */
static int look(struct running *r, struct das_err *err)
{
    pid_t pid = waitpid(r->pid, &r->status, WNOHANG);

    if (pid == 0 || (pid < 0 && errno == EINTR))
        return 0;
    r->pid = 0;
    if (pid > 0)
        return 1;
    /* the kernel took its exit code: SIGCHLD was ignored when we were started */
    return das_fail(err, DAS_E_IO, "%s: how it ended cannot be known: %s", r->cmd->argv[0],
                    strerror(errno));
}

static int check_time(const struct running *r, struct das_err *err)
{
    if (das_patience_left(r->cmd->patience) <= 0)
        return das_fail(err, DAS_E_TIMEOUT, "%s: was killed, because the time is up",
                        r->cmd->argv[0]);
    if (das_clock_monotonic_ms() >= r->deadline_ms)
        return das_fail(err, DAS_E_TIMEOUT,
                        "%s: was killed, because it had not ended after %lld ms", r->cmd->argv[0],
                        (long long)r->cmd->total_ms);
    return 0;
}

/* Until the program has ended. Who it has started may go on and hold the pipe open: not waited for.
 */
static int listen_to(struct running *r, struct das_err *err)
{
    int64_t pause = 1;
    int ended;

    for (;;) {
        if (r->fd >= 0) {
            struct pollfd p = {.fd = r->fd, .events = POLLIN};
            poll(&p, 1, LOOK_MS);
        } else {
            das_clock_sleep_ms(pause);
            pause = pause < LOOK_MS ? pause * 2 : LOOK_MS;
        }
        ended = look(r, err); /* first, so that what it printed last is taken */
        if (ended < 0 || take(r, err) < 0)
            return -1;
        if (ended)
            return 0;
        if (check_time(r, err) < 0)
            return -1;
    }
}

static void put_down(struct running *r)
{
    int64_t until = das_clock_monotonic_ms() + REAP_MS;
    struct das_err ignored;

    if (!r->pid)
        return;
    kill(-r->pid, SIGKILL);
    while (look(r, &ignored) == 0 && das_clock_monotonic_ms() < until)
        das_clock_sleep_ms(1);
}

static int check_status(const struct running *r, struct das_err *err)
{
    if (WIFEXITED(r->status) && WEXITSTATUS(r->status) == 0)
        return 0;
    if (WIFEXITED(r->status))
        return das_fail(err, DAS_E_CONFIG, "%s: ended with exit code %d", r->cmd->argv[0],
                        WEXITSTATUS(r->status));
    return das_fail(err, DAS_E_CONFIG, "%s: was ended by signal %d", r->cmd->argv[0],
                    WTERMSIG(r->status));
}

int das_command_run(const struct das_command *cmd, struct das_command_output *out,
                    struct das_err *err)
{
    struct running r = {.cmd = cmd, .out = out, .fd = -1};
    int rc = -1;

    *out = (struct das_command_output){.size = cmd->max + 1};
    out->ptr = das_locked_alloc(out->size);
    if (!out->ptr)
        return das_fail_nomem(err);
    r.deadline_ms = das_clock_monotonic_ms() + cmd->total_ms;
    if (start(&r, err) < 0)
        goto done;
    if (listen_to(&r, err) == 0)
        rc = check_status(&r, err);
    else
        put_down(&r);
    if (rc == 0)
        out->ptr[out->len] = '\0';
done:
    hang_up(&r);
    if (rc < 0)
        das_command_output_clear(out);
    return rc;
}
