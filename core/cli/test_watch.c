/*
 * test_watch.c - waits for a change of a file that tests are made of, with the kernel's help.
 *
 * Folders are watched, not files: editors write a new file and move it into the place of the old one.
 */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/cli/test_cli.h"

#define QUIET_MS 50  /* one save is several events */
#define LOOK_MS 200  /* a signal that came just before poll() is seen so late */
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE)

struct folder {
    int number;
    char *real; /* without links; the C library's memory: free() */
};

struct das_test_watch {
    int fd;
    struct folder *folders;
    size_t count;
    struct timespec began; /* the run, by the clock that files get their times from */
};

static int add_folder(struct das_test_watch *w, const char *path, struct das_err *err)
{
    struct folder *bigger;
    char *real = realpath(path, NULL);
    int number = real ? inotify_add_watch(w->fd, real, EVENTS | IN_ONLYDIR) : -1;

    if (number < 0) { /* it may come later; the one above it is not ours to watch */
        bool full = real && errno == ENOSPC;
        free(real);
        return full ? das_fail(err, DAS_E_IO, "%s: more folders than the system lets das watch "
                                              "(fs.inotify.max_user_watches)", path)
                    : 0;
    }
    for (size_t i = 0; i < w->count; i++) {
        if (w->folders[i].number == number) {
            free(real);
            return 0;
        }
    }
    bigger = das_grow(w->folders, w->count + 1, sizeof *bigger);
    if (!bigger) {
        free(real);
        return das_fail_nomem(err);
    }
    w->folders = bigger;
    bigger[w->count++] = (struct folder){number, real};
    return 0;
}

static int add_folder_of(struct das_test_watch *w, const char *path, struct das_err *err)
{
    char *copy = das_strdup(path);
    int rc = copy ? add_folder(w, dirname(copy), err) : das_fail_nomem(err);

    das_free(copy);
    return rc;
}

/* Where new tests may come: path, if it is a folder, and all folders below it. */
static int add_tree(struct das_test_watch *w, const char *path, struct das_err *err)
{
    struct das_buf below = {0};
    struct dirent *e;
    struct stat st;
    DIR *folder;
    int rc;

    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    rc = add_folder(w, path, err);
    folder = rc == 0 ? opendir(path) : NULL;
    while (rc == 0 && folder && (e = readdir(folder))) {
        if (e->d_name[0] == '.')
            continue;
        das_buf_reset(&below);
        das_buf_printf(&below, "%s/%s", path, e->d_name);
        rc = das_buf_ok(&below, err);
        if (rc == 0)
            rc = add_tree(w, below.ptr, err);
    }
    if (folder)
        closedir(folder);
    das_buf_clear(&below);
    return rc;
}

static int add_all(struct das_test_watch *w, const struct das_test_files *f, char **paths, size_t n,
                   struct das_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (add_tree(w, paths[i], err) < 0)
            return -1;
    }
    for (size_t i = 0; i < f->count; i++) {
        if (add_folder_of(w, f->items[i].path, err) < 0)
            return -1;
        for (size_t k = 0; k < f->items[i].used_count; k++) {
            if (add_folder_of(w, f->items[i].used[k], err) < 0)
                return -1;
        }
    }
    return 0;
}

/* Is path the file name in the folder real? */
static bool is_that(const char *path, const char *real, const char *name)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char *copy, *folder;
    bool same;

    if (strcmp(base, name) != 0)
        return false;
    copy = das_strdup(path);
    folder = copy ? realpath(dirname(copy), NULL) : NULL;
    same = folder && strcmp(folder, real) == 0;
    free(folder);
    das_free(copy);
    return same;
}

/* Marks what the change of this file concerns. */
static void changed(struct das_test_files *f, const char *real, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        struct das_test_file *file = &f->items[i];
        file->wanted |= is_that(file->path, real, name);
        for (size_t k = 0; k < file->used_count && !file->wanted; k++)
            file->wanted = is_that(file->used[k], real, name);
    }
}

static void take_events(struct das_test_watch *w, struct das_test_files *f)
{
    char events[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n = read(w->fd, events, sizeof events), at = 0;

    while (n > 0 && at < n) {
        const struct inotify_event *e = (const struct inotify_event *)(const void *)(events + at);
        for (size_t i = 0; i < w->count && e->len; i++) {
            if (w->folders[i].number == e->wd)
                changed(f, w->folders[i].real, e->name);
        }
        if (e->mask & IN_Q_OVERFLOW) { /* nobody knows what: all of them */
            for (size_t i = 0; i < f->count; i++)
                f->items[i].wanted = true;
        }
        at += (ssize_t)sizeof *e + e->len;
    }
}

static bool any_wanted(const struct das_test_files *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].wanted)
            return true;
    }
    return false;
}

static void drop_missing(struct das_test_files *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].wanted && access(f->items[i].path, F_OK) < 0)
            f->items[i].wanted = false; /* it comes again, or not */
    }
}

/* New tests are looked for with each change: below paths, which may be gone for a moment. */
static int look(struct das_test_watch *w, struct das_test_files *f, char **paths, size_t n,
                const atomic_int *cancel, struct das_err *err)
{
    struct pollfd fd = {.fd = w->fd, .events = POLLIN};
    bool heard = false;

    for (;;) {
        int ready = poll(&fd, 1, heard ? QUIET_MS : LOOK_MS);
        if (cancel && atomic_load(cancel))
            return das_fail(err, DAS_E_CANCELLED, "interrupted");
        if (ready < 0 && errno != EINTR)
            return das_fail(err, DAS_E_IO, "poll: %s", strerror(errno));
        if (ready > 0) {
            take_events(w, f);
            heard = true;
            continue;
        }
        if (!heard)
            continue;
        heard = false;
        if (add_all(w, f, paths, n, err) < 0) /* folders may have come; before looking into them */
            return -1;
        for (size_t i = 0; i < n; i++) {
            struct das_err ignored;
            das_test_find(f, &paths[i], 1, &ignored);
        }
        drop_missing(f);
        if (any_wanted(f))
            return 0;
    }
}

/* --- its life --------------------------------------------------------------------------------------- */

struct das_test_watch *das_test_watch_new(struct das_err *err)
{
    struct das_test_watch *w = das_calloc(1, sizeof *w);

    if (!w) {
        das_fail_nomem(err);
        return NULL;
    }
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->fd >= 0)
        return w;
    das_fail(err, DAS_E_IO, "inotify: %s", strerror(errno));
    das_free(w);
    return NULL;
}

void das_test_watch_free(struct das_test_watch *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->count; i++)
        free(w->folders[i].real);
    das_free(w->folders);
    close(w->fd);
    das_free(w);
}

int das_test_watch_begin(struct das_test_watch *w, const struct das_test_files *f, char **paths,
                         size_t n, struct das_err *err)
{
    clock_gettime(CLOCK_REALTIME_COARSE, &w->began);
    return add_all(w, f, paths, n, err);
}

/* What a test uses is known once it has run: it may have changed meanwhile, in a folder that was not
 * watched yet. */
static void changed_since(const struct das_test_watch *w, struct das_test_files *f)
{
    struct stat st;

    for (size_t i = 0; i < f->count; i++) {
        struct das_test_file *file = &f->items[i];
        for (size_t k = 0; k < file->used_count; k++) {
            if (stat(file->used[k], &st) == 0 &&
                (st.st_ctim.tv_sec > w->began.tv_sec ||
                 (st.st_ctim.tv_sec == w->began.tv_sec && st.st_ctim.tv_nsec > w->began.tv_nsec)))
                file->wanted = true;
        }
    }
}

int das_test_watch_wait(struct das_test_watch *w, struct das_test_files *f, char **paths, size_t n,
                        const atomic_int *cancel, struct das_err *err)
{
    if (add_all(w, f, paths, n, err) < 0)
        return -1;
    changed_since(w, f);
    return any_wanted(f) ? 0 : look(w, f, paths, n, cancel, err);
}
