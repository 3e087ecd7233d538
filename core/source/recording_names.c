/* recording_names.c - the names of a recording that rotates, and which of its files go; see
 * recording_file.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/source/recording_file.h"

#define STAMP_LEN 20 /* "20261124T031705.123Z" */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* How much of path stands before its last extension; all of it when there is none. */
static size_t stem_len(const char *path)
{
    const char *name = base_of(path);
    const char *dot = strrchr(name, '.');

    return dot && dot != name ? (size_t)(dot - path) : strlen(path);
}

char *das_recording_file_stamp(const char *path, int64_t unix_ms, struct das_err *err)
{
    size_t stem = stem_len(path);
    time_t seconds = (time_t)(unix_ms / 1000);
    struct das_buf b = {0};
    struct tm tm;
    char stamp[32], *name;

    gmtime_r(&seconds, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &tm);
    das_buf_add(&b, path, stem);
    das_buf_printf(&b, "-%s.%03dZ%s", stamp, (int)(unix_ms % 1000), path + stem);
    name = das_buf_take(&b);
    das_buf_clear(&b);
    if (!name)
        das_fail_nomem(err);
    return name;
}

static bool is_stamp(const char *p)
{
    static const char shape[] = "dddddddd"
                                "T"
                                "dddddd"
                                "."
                                "ddd"
                                "Z";

    for (size_t i = 0; i < STAMP_LEN; i++) {
        bool digit = das_is_digit((unsigned char)p[i]);

        if (shape[i] == 'd' ? !digit : p[i] != shape[i])
            return false;
    }
    return true;
}

/* Is name one that das_recording_file_stamp() gives for a file called base? */
static bool is_stamped(const char *name, const char *base, size_t stem)
{
    const char *tail = base + stem;

    return strlen(name) == strlen(base) + 1 + STAMP_LEN && strncmp(name, base, stem) == 0 &&
           name[stem] == '-' && is_stamp(name + stem + 1) &&
           strcmp(name + stem + 1 + STAMP_LEN, tail) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    char **items;
    size_t count;
};

/* All but the current one, which is not the newest by its name when the clock was set back. */
static int collect(DIR *dir, const char *base, const char *current, struct names *n,
                   struct das_err *err)
{
    const struct dirent *e;

    while ((e = readdir(dir)) != NULL) {
        char **bigger;

        if (!is_stamped(e->d_name, base, stem_len(base)) || strcmp(e->d_name, current) == 0)
            continue;
        bigger = das_grow(n->items, n->count + 1, sizeof *bigger);
        if (!bigger)
            return das_fail_nomem(err);
        n->items = bigger;
        n->items[n->count] = das_strdup(e->d_name);
        if (!n->items[n->count])
            return das_fail_nomem(err);
        n->count++;
    }
    if (n->count)
        qsort(n->items, n->count, sizeof *n->items, by_name);
    return 0;
}

int das_recording_file_prune(const char *path, const char *current, uint32_t keep,
                             struct das_err *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = !slash          ? das_strdup(".")
                   : slash == path ? das_strdup("/")
                                   : das_strndup(path, (size_t)(slash - path));
    DIR *dir = folder ? opendir(folder) : NULL;
    struct names n = {0};
    int rc = 0;

    if (!folder)
        rc = das_fail_nomem(err);
    else if (!dir)
        rc = das_fail(err, DAS_E_IO, "%s: %s", folder, strerror(errno));
    else
        rc = collect(dir, base_of(path), base_of(current), &n, err);
    for (size_t i = 0; rc == 0 && i + keep < n.count + 1; i++) {
        if (unlinkat(dirfd(dir), n.items[i], 0) < 0 && errno != ENOENT)
            rc = das_fail(err, DAS_E_IO, "%s/%s: %s", folder, n.items[i], strerror(errno));
    }
    for (size_t i = 0; i < n.count; i++)
        das_free(n.items[i]);
    das_free(n.items);
    if (dir)
        closedir(dir);
    das_free(folder);
    return rc;
}
