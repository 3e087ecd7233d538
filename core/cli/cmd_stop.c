/*
 * cmd_stop.c - das stop and das resume: the off switch (core/plan/guard.h asks it before each kill).
 *
 * It has to work when nothing else does. So the configuration is not read and the database not
 * opened before the files are written, or removed; only afterwards the journal is told, as far as
 * it can be.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/write_file.h"
#include "core/cli/cli.h"
#include "core/cli/stop_files.h"
#include "core/plan/guard.h"
#include "core/plan/stop.h"
#include "core/store/journal.h"

#define PLACES                                                                                     \
    "  /run/das/STOP                  of the whole machine; needs root\n"                         \
    "  $RUNTIME_DIRECTORY/STOP        of a systemd unit\n"                                        \
    "  $XDG_RUNTIME_DIR/das/STOP      of one user, and ~/.local/state/das/STOP, which is there\n"    \
    "                                 from cron as well\n"                                        \
    "  /etc/das/STOP                  and STOP beside the das.lua in use\n"                       \
    "  $DAS_STOP_DIR/STOP             an additional directory\n"                                  \
    "\n"

static const char stop_help[] =
    "das stop [--config FILE] REASON...\n"
    "\n"
    "The off switch: no das kills anything until das resume, also one that is running now, which\n"
    "looks before every single kill. Works with a broken das.lua and without a database. Any of\n"
    "these files stops das; das stop writes those that it may:\n"
    "\n" PLACES
    "      --config FILE   the das.lua beside which a STOP is written; it is not read\n"
    "\n"
    "Examples\n"
    "  sudo das stop fail-over of orders in progress\n"
    "  das status\n"
    "\n"
    "Exit: 0 stopped, 1 no file could be written, 2 usage.\n";

static const char resume_help[] =
    "das resume [--config FILE] [REASON...]\n"
    "\n"
    "Removes the files of das stop, all that there are:\n"
    "\n" PLACES
    "Exit: 0 kills are possible again, 1 a file could not be removed: still stopped, 2 usage.\n";

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {"config", required_argument, NULL, 1000},
    {NULL, 0, NULL, 0},
};

struct stop {
    const char *command; /* "stop" or "resume" */
    const char *config;  /* --config, or NULL */
    struct das_buf found;
    char **files;
    size_t count;
    char who[64];
    struct das_buf reason;
    bool changed; /* the journal is to be told */
};

/* --- stop ------------------------------------------------------------------------------------- */

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A switch that is on already stays as it is, with the reason of whoever was first. Nothing of a
 * place that this machine does not have is said. */
static int stop_at(const char *path, struct das_text line)
{
    const char *one[] = {path, NULL};
    char why[600];
    struct das_err err;

    switch (das_stop_write(path, line, &err)) {
    case DAS_STOP_ALREADY:
        das_stopped(one, why, sizeof why);
        printf("already %s\n", why);
        return 0;
    case DAS_STOP_WRITTEN:
        if (err.code)
            fprintf(stderr, "das stop: the reason could not be written: %s\n", err.msg);
        printf("stopped by %s\n", path);
        return 0;
    case DAS_STOP_NOWHERE:
        return -1;
    case DAS_STOP_FAILED:
        break;
    }
    fprintf(stderr, "das stop: not written: %s\n", err.msg);
    return -1;
}

static int stop(struct stop *s)
{
    struct das_buf line = {0};
    struct das_err err;
    char now[32];
    size_t done = 0;

    das_clock_iso(das_clock_unix_ms() / 1000, now, sizeof now);
    das_buf_printf(&line, "%s %s: %s\n", now, s->who, s->reason.ptr);
    for (size_t i = 0; i < s->count; i++)
        done += stop_at(s->files[i], das_buf_view(&line)) == 0;
    das_buf_clear(&line);
    fflush(stdout);
    s->changed = done > 0;
    if (done)
        return DAS_EXIT_DONE;
    das_fail(&err, DAS_E_IO, "NOT stopped: no file could be written; DAS_STOP_DIR names one more "
                             "place");
    return das_complain("stop", &err);
}

/* --- resume ----------------------------------------------------------------------------------- */

/* Gone or not there: true. A read-only file system says that it is one before it looks for the
 * file. */
static bool remove_stop(const char *path, bool *was_there)
{
    int failed = unlink(path) == 0 ? 0 : errno;

    *was_there = !failed;
    if (!failed) {
        das_sync_folder_of(path);
        printf("removed %s\n", path);
        return true;
    }
    if (failed == ENOENT || failed == ENOTDIR || (failed == EROFS && !is_there(path)))
        return true;
    fprintf(stderr, "das resume: %s cannot be removed: %s\n", path, strerror(failed));
    return false;
}

static int resume(struct stop *s)
{
    size_t removed = 0, kept = 0;

    for (size_t i = 0; i < s->count; i++) {
        bool was_there;
        kept += !remove_stop(s->files[i], &was_there);
        removed += was_there;
    }
    if (!removed && !kept)
        printf("not stopped: there is nothing to remove\n");
    fflush(stdout);
    s->changed = removed && !kept;
    if (kept)
        fprintf(stderr, "das resume: still stopped\n");
    return kept ? DAS_EXIT_FAILED : DAS_EXIT_DONE;
}

/* --- what both do ----------------------------------------------------------------------------- */

/* Words as one line: control characters would break the file's one line, and the terminal of
 * whoever reads it. */
static void join(struct das_buf *b, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        das_buf_str(b, i ? " " : "");
        for (const char *p = argv[i]; *p && b->len < 1000; p++)
            das_buf_char(b, (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
    }
    if (!b->len)
        das_buf_str(b, "no reason given");
}

/* A record of kind "stop" or "resume". */
static int record(const struct stop *s, const char *state_dir, struct das_err *err)
{
    struct das_record r = {.kind = s->command};
    struct das_store *store = NULL;
    struct das_buf b = {0};
    int rc = -1;

    das_buf_str(&b, "\"who\":");
    das_json_str(&b, s->who);
    das_json_key(&b, "reason");
    das_json_str(&b, s->reason.ptr);
    r.members = das_buf_view(&b);
    if (das_buf_ok(&b, err) == 0 && das_store_open(state_dir, &store, err) == 0)
        rc = das_journal_add(store, &r, 1, err);
    das_store_close(store);
    das_buf_clear(&b);
    return rc;
}

/* Only now the rest of the program is asked, and may fail. */
static void tell_journal(struct stop *s)
{
    struct das_common c;
    struct das_err err;
    int rc = das_common_init(&c, &err);

    c.config = s->config;
    if (rc == 0)
        rc = das_common_finish(&c, &err);
    if (rc == 0)
        rc = das_common_need_state(&c, &err);
    if (rc == 0)
        rc = record(s, c.state_dir.ptr, &err);
    if (rc < 0)
        fprintf(stderr, "das %s: not in the journal: %s\n", s->command, err.msg);
    das_common_clear(&c);
}

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct stop *s = arg;

    (void)option; /* --config is the only one */
    (void)err;
    s->config = value;
    return 0;
}

static int run(const char *command, const char *help, int (*act)(struct stop *s), int argc,
               char **argv)
{
    struct stop s = {.command = command};
    const struct das_options o = {help, "+:h", options, take_option, &s};
    struct das_err err;
    int rc = das_options_read(&o, argc, argv, &err);

    if (rc != 0)
        return rc > 0 ? DAS_EXIT_DONE : das_complain(command, &err);
    join(&s.reason, argc - optind, argv + optind);
    das_who(s.who, sizeof s.who);
    rc = s.config ? 0 : das_find_config(&s.found, &err);
    if (rc >= 0)
        rc = das_stop_files(s.config ? s.config : rc ? s.found.ptr : NULL, &s.files, &s.count,
                            &err);
    if (rc >= 0)
        rc = das_buf_ok(&s.reason, &err);
    if (rc < 0) {
        rc = das_complain(command, &err);
    } else {
        rc = act(&s);
        if (s.changed)
            tell_journal(&s);
    }
    das_stop_files_free(s.files);
    das_buf_clear(&s.found);
    das_buf_clear(&s.reason);
    return rc;
}

int das_cmd_stop(int argc, char **argv)
{
    return run("stop", stop_help, stop, argc, argv);
}

int das_cmd_resume(int argc, char **argv)
{
    return run("resume", resume_help, resume, argc, argv);
}
