/*
 * test_jobs.c - runs files of tests, each in a process of its own, several at a time.
 *
 * A process for each: a test that gets stuck, or a fault, ends one file and no other. The child tells
 * what it does in lines of JSON; the parent alone prints, in the order of the files.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bindings/testing.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cli/interrupt.h"
#include "core/cli/test_cli.h"

/* --- the child ------------------------------------------------------------------------------------ */

struct child {
    int fd;
    struct das_buf line;
};

/* The line so far goes to the parent; one that is gone needs no child. */
static void send_line(struct child *c)
{
    size_t done = 0;

    das_buf_str(&c->line, "}\n");
    if (c->line.failed)
        _exit(3);
    while (done < c->line.len) {
        ssize_t n = write(c->fd, c->line.ptr + done, c->line.len - done);
        if (n < 0 && errno != EINTR)
            _exit(3);
        done += n > 0 ? (size_t)n : 0;
    }
    das_buf_reset(&c->line);
}

static void child_began(void *arg, const char *name, int line)
{
    struct child *c = arg;

    das_buf_char(&c->line, '{');
    das_json_key(&c->line, "began");
    das_json_str(&c->line, name);
    das_json_key_int(&c->line, "line", line);
    send_line(c);
}

static void child_ended(void *arg, const struct das_test_result *r)
{
    struct child *c = arg;

    das_buf_char(&c->line, '{');
    das_json_key(&c->line, "ended");
    das_json_str(&c->line, r->name);
    das_json_key_int(&c->line, "line", r->line);
    das_json_key_bool(&c->line, "passed", r->passed);
    das_json_key(&c->line, "text");
    das_json_str(&c->line, r->text);
    das_json_key(&c->line, "output");
    das_json_str(&c->line, r->output);
    das_json_key_int(&c->line, "us", r->us);
    send_line(c);
}

static void child_used(void *arg, const char *path)
{
    struct child *c = arg;

    das_buf_char(&c->line, '{');
    das_json_key(&c->line, "used");
    das_json_str(&c->line, path);
    send_line(c);
}

static void child_run(const char *path, const struct das_test_jobs *jobs, int fd)
{
    struct child c = {.fd = fd};
    const struct das_test_sink sink = {&c, child_began, child_ended, child_used};
    struct das_test_opts opts = {.path = path, .filter = jobs->filter, .sink = &sink};
    struct das_err err = {0};
    bool stuck = false;
    int rc = 0;

    if (jobs->coverage)
        opts.coverage = das_coverage_new(&err);
    if (jobs->coverage && !opts.coverage)
        rc = -1;
    if (rc == 0)
        rc = das_test_file(&opts, &stuck, &err);
    if (opts.coverage && !stuck) {
        das_buf_char(&c.line, '{');
        das_json_key(&c.line, "coverage");
        das_coverage_json(opts.coverage, &c.line);
        send_line(&c);
    }
    das_buf_char(&c.line, '{');
    das_json_key_bool(&c.line, "done", true);
    if (rc < 0) {
        das_json_key(&c.line, "error");
        das_json_str(&c.line, err.msg);
    }
    send_line(&c);
    _exit(0);
}

/* --- what it tells --------------------------------------------------------------------------------- */

struct job {
    struct das_test_file *file;
    pid_t pid;   /* 0: not begun, or ended */
    int fd;
    struct das_buf in;
    char *running; /* the test that has begun and not ended */
    bool begun, told, ended;
    int64_t start_us;
};

static int copy(char **to, const json_t *v, struct das_err *err)
{
    const char *text = json_string_value(v);

    das_free(*to);
    *to = das_strdup(text ? text : "");
    return *to ? 0 : das_fail_nomem(err);
}

static int take_case(struct das_test_file *f, const json_t *o, struct das_err *err)
{
    struct das_test_case *bigger = das_grow(f->cases, f->count + 1, sizeof *bigger), *c;

    if (!bigger)
        return das_fail_nomem(err);
    f->cases = bigger;
    c = &f->cases[f->count++];
    memset(c, 0, sizeof *c);
    c->line = (int)json_integer_value(json_object_get(o, "line"));
    c->passed = json_is_true(json_object_get(o, "passed"));
    c->us = json_integer_value(json_object_get(o, "us"));
    if (copy(&c->name, json_object_get(o, "ended"), err) < 0 ||
        copy(&c->text, json_object_get(o, "text"), err) < 0)
        return -1;
    return copy(&c->output, json_object_get(o, "output"), err);
}

static int take_used(struct das_test_file *f, const json_t *path, struct das_err *err)
{
    char **bigger;

    for (size_t i = 0; i < f->used_count; i++) {
        if (strcmp(f->used[i], json_string_value(path)) == 0)
            return 0;
    }
    bigger = das_grow(f->used, f->used_count + 1, sizeof *bigger);
    if (!bigger)
        return das_fail_nomem(err);
    f->used = bigger;
    bigger[f->used_count] = NULL;
    if (copy(&bigger[f->used_count], path, err) < 0)
        return -1;
    f->used_count++;
    return 0;
}

static int take_line(struct job *job, const char *line, size_t len, struct das_err *err)
{
    json_t *o = das_json_parse(line, len, NULL, err), *v;
    int rc = 0;

    if (!o)
        return -1;
    if ((v = json_object_get(o, "began"))) {
        rc = copy(&job->running, v, err);
    } else if (json_object_get(o, "ended")) {
        das_free(job->running);
        job->running = NULL;
        rc = take_case(job->file, o, err);
    } else if ((v = json_object_get(o, "used")) && json_is_string(v)) {
        rc = take_used(job->file, v, err);
    } else if ((v = json_object_get(o, "coverage"))) {
        json_decref(job->file->coverage);
        job->file->coverage = json_incref(v);
    } else if (json_object_get(o, "done")) {
        job->told = true;
        if ((v = json_object_get(o, "error")))
            rc = copy(&job->file->error, v, err);
    }
    json_decref(o);
    return rc;
}

static int take_lines(struct job *job, struct das_err *err)
{
    size_t at = 0;
    const char *end;

    while (at < job->in.len && (end = memchr(job->in.ptr + at, '\n', job->in.len - at))) {
        size_t len = (size_t)(end - (job->in.ptr + at));
        if (take_line(job, job->in.ptr + at, len, err) < 0)
            return -1;
        at += len + 1;
    }
    if (at) {
        memmove(job->in.ptr, job->in.ptr + at, job->in.len - at + 1);
        job->in.len -= at;
    }
    return 0;
}

/* --- its life ---------------------------------------------------------------------------------------- */

static void forget_results(struct das_test_file *f)
{
    for (size_t i = 0; i < f->count; i++) {
        das_free(f->cases[i].name);
        das_free(f->cases[i].text);
        das_free(f->cases[i].output);
    }
    for (size_t i = 0; i < f->used_count; i++)
        das_free(f->used[i]);
    das_free(f->cases);
    das_free(f->used);
    das_free(f->error);
    json_decref(f->coverage);
    f->cases = NULL;
    f->used = NULL;
    f->error = NULL;
    f->coverage = NULL;
    f->count = f->used_count = 0;
}

void das_test_files_clear(struct das_test_files *f)
{
    for (size_t i = 0; i < f->count; i++) {
        forget_results(&f->items[i]);
        das_free(f->items[i].path);
    }
    das_free(f->items);
    f->items = NULL;
    f->count = 0;
}

static int begin(struct job *job, const struct das_test_jobs *jobs, struct das_err *err)
{
    pid_t parent = getpid();
    int fds[2];

    if (pipe(fds) < 0)
        return das_fail(err, DAS_E_IO, "no pipe for %s: %s", job->file->path, strerror(errno));
    fflush(stdout); /* a child shall have nothing of it */
    fflush(stderr);
    job->pid = fork();
    if (job->pid == 0) {
        close(fds[0]);
        das_interrupt_leave();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(3);
        child_run(job->file->path, jobs, fds[1]);
    }
    close(fds[1]);
    if (job->pid < 0) {
        close(fds[0]);
        job->pid = 0;
        return das_fail(err, DAS_E_IO, "no process for %s: %s", job->file->path, strerror(errno));
    }
    forget_results(job->file);
    job->fd = fds[0];
    job->begun = true;
    job->start_us = das_clock_monotonic_us();
    return 0;
}

/* A child that has ended without a word of it. */
static int died(struct job *job, int status, struct das_err *err)
{
    struct das_buf b = {0};

    if (WIFSIGNALED(status))
        das_buf_printf(&b, "its process was ended by signal %d", WTERMSIG(status));
    else
        das_buf_printf(&b, "its process ended with exit code %d", WEXITSTATUS(status));
    if (job->running)
        das_buf_printf(&b, " while \"%s\" ran", job->running);
    das_free(job->file->error);
    job->file->error = das_buf_take(&b);
    return job->file->error ? 0 : das_fail_nomem(err);
}

static int end(struct job *job, struct das_err *err)
{
    int status = 0;

    close(job->fd);
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
        ;
    job->pid = 0;
    job->ended = true;
    job->file->us = das_clock_monotonic_us() - job->start_us;
    return job->told ? 0 : died(job, status, err);
}

static int hear(struct job *job, struct das_err *err)
{
    char *to = das_buf_reserve(&job->in, 65536);
    ssize_t n;

    if (!to)
        return das_fail_nomem(err);
    n = read(job->fd, to, 65536);
    if (n < 0)
        return errno == EINTR ? 0 : das_fail(err, DAS_E_IO, "%s: %s", job->file->path, strerror(errno));
    if (n == 0)
        return end(job, err);
    job->in.len += (size_t)n;
    job->in.ptr[job->in.len] = '\0';
    return take_lines(job, err);
}

/* --- all of them ----------------------------------------------------------------------------------------- */

struct crew {
    struct job *jobs;
    size_t count, next, shown, running;
    struct pollfd *fds;
    struct job **of; /* by place in fds */
};

static int wait_some(struct crew *c, struct das_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (!c->jobs[i].pid)
            continue;
        c->fds[n] = (struct pollfd){.fd = c->jobs[i].fd, .events = POLLIN};
        c->of[n++] = &c->jobs[i];
    }
    if (poll(c->fds, (nfds_t)n, -1) < 0)
        return errno == EINTR ? 0 : das_fail(err, DAS_E_IO, "poll: %s", strerror(errno));
    for (size_t i = 0; i < n; i++) {
        if (!c->fds[i].revents)
            continue;
        if (hear(c->of[i], err) < 0)
            return -1;
        c->running -= c->of[i]->ended;
    }
    return 0;
}

static int run_crew(struct crew *c, const struct das_test_jobs *jobs, struct das_err *err)
{
    while (c->shown < c->count) {
        if (jobs->cancel && atomic_load(jobs->cancel))
            return das_fail(err, DAS_E_CANCELLED, "interrupted");
        while (c->next < c->count && c->running < jobs->parallel) {
            if (begin(&c->jobs[c->next++], jobs, err) < 0)
                return -1;
            c->running++;
        }
        if (wait_some(c, err) < 0)
            return -1;
        for (; c->shown < c->count && c->jobs[c->shown].ended; c->shown++)
            jobs->done(jobs->arg, c->jobs[c->shown].file);
    }
    return 0;
}

static void crew_clear(struct crew *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct job *job = &c->jobs[i];
        if (job->pid) { /* only after trouble, or a cancel */
            kill(job->pid, SIGKILL);
            while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
                ;
            close(job->fd);
        }
        das_buf_clear(&job->in);
        das_free(job->running);
    }
    das_free(c->jobs);
    das_free(c->fds);
    das_free(c->of);
}

int das_test_run(struct das_test_files *f, const struct das_test_jobs *jobs, struct das_err *err)
{
    struct crew c = {0};
    int rc;

    c.jobs = das_calloc(f->count, sizeof *c.jobs);
    c.fds = das_calloc(f->count, sizeof *c.fds);
    c.of = das_calloc(f->count, sizeof *c.of);
    for (size_t i = 0; c.jobs && i < f->count; i++) {
        if (f->items[i].wanted)
            c.jobs[c.count++].file = &f->items[i];
    }
    if (!c.jobs || !c.fds || !c.of)
        rc = das_fail_nomem(err);
    else
        rc = run_crew(&c, jobs, err);
    crew_clear(&c);
    return rc;
}
