/* test_command.c - programs that are run: what they get, what is taken from them, how they end. */
#include "core/base/command.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "core/base/mem.h"
#include "tests/unit/temp_file.h"

#define MAX ((size_t)65536)

static struct das_err err;
static struct das_command_output out;

static int run(const char *const *argv, size_t max, int64_t total_ms, const struct das_patience *p)
{
    const struct das_command command = {argv, max, total_ms, p};

    err = (struct das_err){0};
    return das_command_run(&command, &out, &err);
}

static int sh(const char *script)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};

    return run(argv, MAX, 600000, NULL);
}

static void prints(const char *script, const char *want, const char *name)
{
    if (ok(sh(script) == 0, "%s", name))
        is_str(out.ptr, want, "what it prints");
    else
        tap_diag("%s", err.msg);
    das_command_output_clear(&out);
}

static void fails(int rc, enum das_code code, const char *part, const char *name)
{
    ok(rc < 0 && err.code == code && strstr(err.msg, part), "%s: %s", name, err.msg);
    ok(!out.ptr && !strstr(err.msg, "s3cret"), "and nothing is kept or told");
    das_command_output_clear(&out);
}

/* --- what it gets ----------------------------------------------------------------------------- */

static void surroundings(void)
{
    const char *const verbatim[] = {"/usr/bin/printf", "%s|", "$(id)", "*", "a b", "", NULL};
    /* the C library has two of its own ignored */
    const char *const signals[] = {"/bin/grep", "-cE", "^Sig(Blk|Ign):.0000000[01][08]0000000$",
                                   "/proc/self/status", NULL};
    int fd = open("/dev/null", O_RDONLY), high = fcntl(fd, F_DUPFD, 77), saved = dup(2), written;
    const char *path = temp_text("");
    sigset_t some, before;
    char script[300];
    void (*handler)(int);

    ok(run(verbatim, MAX, 600000, NULL) == 0, "arguments");
    is_str(out.ptr, "$(id)|*|a b||", "come without a shell");
    das_command_output_clear(&out);
    prints("cat; echo end", "end\n", "its input is empty");
    setenv("DAS_TEST_WORD", "here", 1);
    prints("printf %s \"$DAS_TEST_WORD\"", "here", "it has the environment");

    must(high >= 77, "an open file that is not closed on exec");
    snprintf(script, sizeof script, "[ -e /proc/self/fd/%d ] && exit 9; echo closed", high);
    prints(script, "closed\n", "is closed for it");
    close(high);
    close(fd);

    handler = signal(SIGPIPE, SIG_IGN);
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &some, &before);
    ok(run(signals, MAX, 600000, NULL) == 0, "signals"); /* a shell would mend them itself */
    is_str(out.ptr, "2\n", "none is blocked or ignored");
    das_command_output_clear(&out);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, handler);

    written = open(path, O_RDWR | O_CLOEXEC);
    dup2(written, 2);
    ok(sh("echo s3cret >&2; echo fine") == 0, "it writes to its standard error");
    dup2(saved, 2);
    is_int(lseek(written, 0, SEEK_END), 0, "which is not ours");
    is_str(out.ptr, "fine\n", "nor taken");
    close(written);
    close(saved);
    das_command_output_clear(&out);
}

/* --- what is taken ---------------------------------------------------------------------------- */

static void output(void)
{
    const char *const much[] = {"/bin/sh", "-c", "head -c 100 /dev/zero", NULL};

    prints("true", "", "nothing");
    prints("printf a; sleep 0.01; printf b", "ab", "in pieces");
    prints("exec >&-; exit 0", "", "a closed output");
    ok(sh("head -c 65536 /dev/zero") == 0 && out.len == MAX, "64 KB");
    das_command_output_clear(&out);
    fails(sh("head -c 65537 /dev/zero"), DAS_E_CONFIG, "/bin/sh: printed more than 65536 bytes",
          "a byte more");
    ok(run(much, 100, 600000, NULL) == 0 && out.len == 100, "another limit");
    das_command_output_clear(&out);
    fails(run(much, 99, 600000, NULL), DAS_E_CONFIG, "printed more than 99 bytes", "and over it");
    fails(sh("cat /dev/zero"), DAS_E_CONFIG, "printed more than 65536 bytes", "without an end");
}

/* --- how it ends ------------------------------------------------------------------------------ */

static pid_t pid_in(const char *path)
{
    FILE *f = fopen(path, "r");
    int pid = 0;

    if (f && fscanf(f, "%d\n", &pid) != 1)
        pid = 0;
    if (f)
        fclose(f);
    return pid;
}

/* Patience ends when the program has written this file. */
static int64_t until_written(void *path)
{
    return pid_in(path) ? 0 : 1000;
}

/* Gone, or not yet taken from its new parent. */
static bool is_dead(pid_t pid)
{
    char path[40], text[200] = "";
    FILE *f;

    if (kill(pid, 0) < 0)
        return errno == ESRCH;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    f = fopen(path, "r");
    if (!f)
        return true;
    if (!fgets(text, sizeof text, f))
        text[0] = '\0';
    fclose(f);
    return strstr(text, ") Z ") || strstr(text, ") X ");
}

static void killing(void)
{
    char own[64], child[64], script[400];
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    const struct das_patience patience = {until_written, child};
    pid_t first, second;

    snprintf(own, sizeof own, "%s", temp_text(""));
    snprintf(child, sizeof child, "%s", temp_text(""));
    snprintf(script, sizeof script, "echo $$ >%s; sleep 1000 & echo s3cret; echo $! >%s; wait", own,
             child);
    fails(run(argv, MAX, 600000, &patience), DAS_E_TIMEOUT,
          "/bin/sh: was killed, because the time is up", "the caller's patience ends");
    first = pid_in(own);
    second = pid_in(child);
    ok(first && is_dead(first), "it is dead");
    ok(waitpid(first, NULL, WNOHANG) < 0 && errno == ECHILD, "and reaped");
    while (second &&
           !is_dead(second)) /* was sent SIGKILL with it, and comes to its end by itself */
        sched_yield();
    ok(second != 0, "so is what it has started");

    snprintf(script, sizeof script, "exec sleep 1000");
    fails(run(argv, MAX, 20, NULL), DAS_E_TIMEOUT, "had not ended after 20 ms", "its time ends");
    snprintf(script, sizeof script, "exec >&-; exec sleep 1000");
    fails(run(argv, MAX, 20, NULL), DAS_E_TIMEOUT, "had not ended after 20 ms",
          "also when it has closed its output");
}

static void endings(void)
{
    const char *const nothing[] = {"/nonexistent/program", NULL}, *const folder[] = {"/tmp", NULL};
    char path[64], script[300];
    pid_t pid;

    fails(sh("echo s3cret; exit 3"), DAS_E_CONFIG, "/bin/sh: ended with exit code 3",
          "an exit code");
    fails(sh("kill -KILL $$"), DAS_E_CONFIG, "/bin/sh: was ended by signal 9", "a signal");
    fails(run(nothing, MAX, 600000, NULL), DAS_E_CONFIG,
          "/nonexistent/program: cannot be run: No such file", "no program");
    fails(run(folder, MAX, 600000, NULL), DAS_E_CONFIG, "/tmp: cannot be run: Permission",
          "a folder");

    snprintf(path, sizeof path, "%s", temp_text(""));
    snprintf(script, sizeof script, "sleep 1000 & echo $! >%s; echo done", path);
    prints(script, "done\n", "what it leaves behind is not waited for");
    pid = pid_in(path);
    ok(pid && !is_dead(pid), "and lives on");
    kill(pid, SIGKILL);

    signal(SIGCHLD, SIG_IGN);
    fails(sh("echo s3cret"), DAS_E_IO, "/bin/sh: how it ended cannot be known",
          "no exit code for us");
    signal(SIGCHLD, SIG_DFL);

    das_alloc_fail_at(1);
    fails(sh("echo s3cret"), DAS_E_NOMEM, "out of memory", "no memory");
    das_alloc_fail_at(0);
}

static void closed_files(void)
{
    int saved[3];

    fflush(stdout);
    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        close(i);
    }
    sh("cat; echo in; echo s3cret >&2");
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    is_str(out.ptr, "in\n", "without files 0 to 2 of our own");
    das_command_output_clear(&out);
}

/* --- among threads ---------------------------------------------------------------------------- */

static void *many(void *arg)
{
    bool *good = arg;
    char script[40], want[20];
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    const struct das_command command = {argv, MAX, 600000, NULL};

    *good = true;
    for (int i = 0; i < 10; i++) {
        struct das_command_output o;
        struct das_err e = {0};
        snprintf(want, sizeof want, "%d %p\n", i, arg);
        snprintf(script, sizeof script, "echo %d %p", i, arg);
        if (das_command_run(&command, &o, &e) < 0 || strcmp(o.ptr, want) != 0)
            *good = false;
        das_command_output_clear(&o);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t t[8];
    bool good[8];
    int count = 0;

    for (int i = 0; i < 8; i++)
        must(pthread_create(&t[i], NULL, many, &good[i]) == 0, "a thread");
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], NULL);
        count += good[i];
    }
    is_int(count, 8, "threads get what their own programs print");
}

int main(void)
{
    surroundings();
    output();
    killing();
    endings();
    closed_files();
    threads();
    temp_clear();
    return tap_done();
}
