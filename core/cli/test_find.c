/* test_find.c - which files have tests: those that are named, and *_test.lua below a folder. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bindings/testing.h"
#include "core/base/mem.h"
#include "core/cli/test_cli.h"

static int add(struct das_test_files *f, const char *path, struct das_err *err)
{
    struct das_test_file *bigger;

    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->items[i].path, path) == 0)
            return 0;
    }
    bigger = das_grow(f->items, f->count + 1, sizeof *bigger);
    if (!bigger)
        return das_fail_nomem(err);
    f->items = bigger;
    memset(&bigger[f->count], 0, sizeof *bigger);
    bigger[f->count].wanted = true;
    bigger[f->count].path = das_strdup(path);
    if (!bigger[f->count].path)
        return das_fail_nomem(err);
    f->count++;
    return 0;
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int search(struct das_test_files *f, const char *folder, struct das_err *err)
{
    struct dirent **entries = NULL;
    struct das_buf below = {0};
    struct stat st;
    size_t len = strlen(folder);
    int n = scandir(folder, &entries, visible, alphasort), rc = 0;

    if (n < 0)
        return das_fail(err, DAS_E_IO, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        das_buf_reset(&below);
        das_buf_printf(&below, "%s%s%s", folder, len && folder[len - 1] == '/' ? "" : "/",
                       entries[i]->d_name);
        if (rc == 0)
            rc = das_buf_ok(&below, err);
        if (rc == 0 && lstat(below.ptr, &st) == 0) { /* a link to a folder may lead in a circle */
            if (S_ISDIR(st.st_mode))
                rc = search(f, below.ptr, err);
            else if (das_test_named(entries[i]->d_name))
                rc = add(f, below.ptr, err);
        }
        free(entries[i]);
    }
    free(entries);
    das_buf_clear(&below);
    return rc;
}

int das_test_find(struct das_test_files *f, char **paths, size_t n, struct das_err *err)
{
    struct stat st;

    for (size_t i = 0; i < n; i++) {
        if (stat(paths[i], &st) < 0)
            return das_fail(err, DAS_E_USAGE, "%s: %s", paths[i], strerror(errno));
        if ((S_ISDIR(st.st_mode) ? search : add)(f, paths[i], err) < 0)
            return -1;
    }
    return 0;
}
