/* stop_files.c - see stop_files.h. */
#include "core/cli/stop_files.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/mem.h"

#define PLACES 7

struct list {
    char **files;
    size_t count;
    bool failed;
};

/* dir/below/STOP; a place that is named twice is one place. */
static void add(struct list *l, struct das_text dir, const char *below)
{
    struct das_buf b = {0};

    if (!dir.len)
        return;
    das_buf_text(&b, dir);
    das_buf_str(&b, dir.ptr[dir.len - 1] == '/' ? "" : "/");
    das_buf_printf(&b, "%sSTOP", below);
    for (size_t i = 0; i < l->count && !b.failed; i++) {
        if (strcmp(l->files[i], b.ptr) == 0) {
            das_buf_clear(&b);
            return;
        }
    }
    l->files[l->count] = b.failed ? NULL : das_buf_take(&b);
    if (l->files[l->count])
        l->count++;
    else
        l->failed = true;
    das_buf_clear(&b);
}

/* The folder of the file, absolute, so that messages say where it is; as it was named when it
 * cannot be found. */
static void add_beside(struct list *l, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? das_strndup(path, slash > path ? (size_t)(slash - path) : 1)
                      : das_strdup(".");
    char *real = dir ? realpath(dir, NULL) : NULL;

    if (!dir)
        l->failed = true;
    else
        add(l, das_text_of(real ? real : dir), "");
    free(real);
    das_free(dir);
}

static struct das_text absolute(const char *name)
{
    const char *value = getenv(name);

    return value && *value == '/' ? das_text_of(value) : DAS_TEXT_NULL;
}

int das_stop_files(const char *config_path, char ***out, size_t *count, struct das_err *err)
{
    struct das_text unit = absolute("RUNTIME_DIRECTORY"), user = absolute("XDG_RUNTIME_DIR");
    struct list l = {0};

    *out = NULL;
    l.files = das_calloc(PLACES + 1, sizeof *l.files);
    if (!l.files)
        return das_fail_nomem(err);
    add(&l, das_text_of("/run/das"), "");
    if (unit.len)
        unit.len = strcspn(unit.ptr, ":");
    add(&l, unit, "");
    add(&l, user, "das/");
    /* Whatever runs from cron does not have that variable, and is stopped all the same. */
    if (geteuid() != 0 && absolute("XDG_STATE_HOME").len)
        add(&l, absolute("XDG_STATE_HOME"), "das/");
    else if (geteuid() != 0)
        add(&l, absolute("HOME"), ".local/state/das/");
    add(&l, das_text_of("/etc/das"), "");
    if (config_path)
        add_beside(&l, config_path);
    add(&l, absolute("DAS_STOP_DIR"), "");
    if (l.failed) {
        das_stop_files_free(l.files);
        return das_fail_nomem(err);
    }
    *out = l.files;
    *count = l.count;
    return 0;
}

void das_stop_files_free(char **files)
{
    for (char **f = files; f && *f; f++)
        das_free(*f);
    das_free(files);
}
