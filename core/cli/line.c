/* line.c - see line.h. */
#include "core/cli/line.h"

#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "core/base/mem.h"

#define HISTORY_KEPT 1000 /* lines in memory, and in the file when it has twice as many */
#define WIDTH_UNKNOWN 80

struct das_line {
    EditLine *el;
    History *history;
    char *path; /* NULL: not kept */
    const char *prompt;
    das_line_complete *complete;
    void *arg;
    bool cancelled;
};

/* --- history: one line of text for each, the oldest first -------------------------------------------- */

static void remember(struct das_line *l, const char *line)
{
    HistEvent ev;

    history(l->history, &ev, H_ENTER, line);
}

/* Two sessions at a time add to one file, so a line is appended as it is typed. */
static void keep(struct das_line *l, const char *line)
{
    int fd = l->path ? open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

    if (fd < 0)
        return;
    if (write(fd, line, strlen(line)) < 0) {
        das_free(l->path); /* a full disk is no reason to stop working */
        l->path = NULL;
    }
    close(fd);
}

static void rewrite(const char *path, const char *lines, size_t len)
{
    struct das_buf tmp = {0};
    int fd;

    das_buf_printf(&tmp, "%s.%ld", path, (long)getpid());
    fd = tmp.failed ? -1 : open(tmp.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        bool good = write(fd, lines, len) == (ssize_t)len;
        if (close(fd) == 0 && good)
            rename(tmp.ptr, path);
        else
            unlink(tmp.ptr);
    }
    das_buf_clear(&tmp);
}

static void load_history(struct das_line *l)
{
    FILE *f = l->path ? fopen(l->path, "re") : NULL;
    size_t cap = 0, count = 0, skip;
    char *line = NULL, *p;
    struct das_buf all = {0};
    ssize_t len;

    if (!f)
        return;
    while ((len = getline(&line, &cap, f)) > 0) {
        das_buf_add(&all, line, (size_t)len);
        count++;
    }
    free(line);
    fclose(f);
    skip = count > HISTORY_KEPT ? count - HISTORY_KEPT : 0;
    p = all.ptr;
    for (size_t i = 0; p && !all.failed && *p; i++) {
        char *end = strchr(p, '\n');
        if (i == skip && count > (size_t)2 * HISTORY_KEPT)
            rewrite(l->path, p, all.len - (size_t)(p - all.ptr));
        if (end)
            *end = '\0';
        if (i >= skip && *p)
            remember(l, p);
        p = end ? end + 1 : p + strlen(p);
        if (end)
            *end = '\n';
    }
    das_buf_clear(&all);
}

/* The folders above a file, for the user alone. */
static void make_folders(char *path)
{
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
}

/* --- keys --------------------------------------------------------------------------------------------- */

static struct das_line *line_of(EditLine *el)
{
    struct das_line *l = NULL;

    el_get(el, EL_CLIENTDATA, &l);
    return l;
}

static char *prompt_of(EditLine *el)
{
    return (char *)(uintptr_t)line_of(el)->prompt;
}

static unsigned char cancel(EditLine *el, wint_t c)
{
    struct das_line *l = line_of(el);

    (void)c;
    l->cancelled = true;
    fputs("^C\n", stdout);
    fflush(stdout);
    return CC_NEWLINE;
}

static size_t width(void)
{
    struct winsize ws;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 ? ws.ws_col : WIDTH_UNKNOWN;
}

/* Names, each ended by a newline, in columns below the line. */
static void list_names(const char *names)
{
    size_t longest = 0, columns, i = 0;

    for (const char *p = names; *p; p = strchr(p, '\n') + 1)
        longest = strcspn(p, "\n") > longest ? strcspn(p, "\n") : longest;
    columns = width() / (longest + 2) ? width() / (longest + 2) : 1;
    fputc('\n', stdout);
    for (const char *p = names; *p; p = strchr(p, '\n') + 1, i++) {
        int len = (int)strcspn(p, "\n");
        if (i && i % columns == 0)
            fputc('\n', stdout);
        printf("%-*.*s", (int)longest + 2, len, p);
    }
    fputc('\n', stdout);
    fflush(stdout);
}

/* How many first bytes all names share. */
static size_t common(const char *names)
{
    size_t n = strcspn(names, "\n");

    for (const char *p = names; *p; p = strchr(p, '\n') + 1) {
        size_t k = 0;
        while (k < n && p[k] == names[k])
            k++;
        n = k;
    }
    return n;
}

static unsigned char tab(EditLine *el, wint_t c)
{
    struct das_line *l = line_of(el);
    const LineInfo *info = el_line(el);
    struct das_buf names = {0}, insert = {0};
    unsigned char rc = CC_ERROR;
    size_t replace = 0, share;

    (void)c;
    l->complete(l->arg, das_text(info->buffer, (size_t)(info->cursor - info->buffer)), &names,
                &replace);
    if (!names.len || names.failed)
        goto done;
    share = common(names.ptr);
    if (share > replace) {
        das_buf_add(&insert, names.ptr + replace, share - replace);
        if (!insert.failed && el_insertstr(el, insert.ptr) == 0)
            rc = CC_REFRESH;
    } else if (names.ptr[share] != '\n' || strchr(names.ptr, '\n')[1]) {
        list_names(names.ptr);
        rc = CC_REDISPLAY;
    }
done:
    das_buf_clear(&names);
    das_buf_clear(&insert);
    return rc;
}

/* --- its life ------------------------------------------------------------------------------------------ */

struct das_line *das_line_new(const char *path, das_line_complete *complete, void *arg,
                              struct das_err *err)
{
    struct das_line *l = das_calloc(1, sizeof *l);
    HistEvent ev;

    if (!l) {
        das_fail_nomem(err);
        return NULL;
    }
    l->complete = complete;
    l->arg = arg;
    l->prompt = "";
    setlocale(LC_CTYPE, ""); /* what one types may be more than ASCII */
    l->el = el_init("das", stdin, stdout, stderr);
    l->history = history_init();
    if (!l->el || !l->history) {
        das_fail(err, DAS_E_UNSUPPORTED, "this terminal cannot be used for editing");
        das_line_free(l);
        return NULL;
    }
    history(l->history, &ev, H_SETSIZE, HISTORY_KEPT);
    history(l->history, &ev, H_SETUNIQUE, 1);
    el_set(l->el, EL_CLIENTDATA, l);
    el_set(l->el, EL_PROMPT, prompt_of);
    el_set(l->el, EL_SIGNAL, 1); /* a change of size, and a clean terminal when the end comes */
    el_set(l->el, EL_EDITOR, "emacs");
    el_set(l->el, EL_HIST, history, l->history);
    /* the wide form: the other one copies the names and never frees them */
    el_wset(l->el, EL_ADDFN, L"das-complete", L"what could stand here", tab);
    el_wset(l->el, EL_ADDFN, L"das-cancel", L"give this line up", cancel);
    el_source(l->el, NULL); /* the user's ~/.editrc */
    /* while a line is edited Ctrl-C is a key, not a signal */
    el_set(l->el, EL_SETTY, "-d", "-isig", NULL);
    el_set(l->el, EL_BIND, "^I", "das-complete", NULL);
    el_set(l->el, EL_BIND, "^C", "das-cancel", NULL);
    el_set(l->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    if (path && (l->path = das_strdup(path)) != NULL) {
        make_folders(l->path);
        load_history(l);
    }
    return l;
}

void das_line_free(struct das_line *l)
{
    if (!l)
        return;
    if (l->el)
        el_end(l->el);
    if (l->history)
        history_end(l->history);
    das_free(l->path);
    das_free(l);
}

enum das_line_end das_line_read(struct das_line *l, const char *prompt, struct das_buf *out)
{
    const char *line;
    int n = 0;

    l->prompt = prompt;
    l->cancelled = false;
    line = el_gets(l->el, &n);
    if (l->cancelled)
        return DAS_LINE_CANCELLED;
    if (!line || n <= 0)
        return DAS_LINE_EOF;
    das_buf_add(out, line, (size_t)n);
    if (line[0] != ' ' && line[0] != '\n') {
        remember(l, line);
        keep(l, line);
    }
    return DAS_LINE_TEXT;
}
