/* coverage.c - see coverage.h. The files and their counts; how Lua tells them is coverage_hook.c's. */
#include "bindings/coverage.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

#define LINE_MAX ((size_t)10000000)

struct file {
    char *path;
    int64_t *counts; /* by line; DAS_LINE_IDLE */
    size_t size, last;
};

struct das_coverage {
    struct file *files;
    size_t count;
    size_t recent; /* the file that was asked for last: lines come in runs */
};

struct das_coverage *das_coverage_new(struct das_err *err)
{
    struct das_coverage *c = das_calloc(1, sizeof *c);

    if (!c)
        das_fail_nomem(err);
    return c;
}

void das_coverage_free(struct das_coverage *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        das_free(c->files[i].path);
        das_free(c->files[i].counts);
    }
    das_free(c->files);
    das_free(c);
}

static struct file *find(struct das_coverage *c, const char *path)
{
    if (c->recent < c->count && strcmp(c->files[c->recent].path, path) == 0)
        return &c->files[c->recent];
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->files[i].path, path) == 0) {
            c->recent = i;
            return &c->files[i];
        }
    }
    return NULL;
}

static struct file *find_or_add(struct das_coverage *c, const char *path)
{
    struct file *f = find(c, path), *bigger;

    if (f)
        return f;
    bigger = das_grow(c->files, c->count + 1, sizeof *bigger);
    if (!bigger)
        return NULL;
    c->files = bigger;
    f = &c->files[c->count];
    memset(f, 0, sizeof *f);
    f->path = das_strdup(path);
    if (!f->path)
        return NULL;
    c->count++;
    return f;
}

static int reach(struct file *f, size_t line)
{
    size_t size = f->size ? f->size : 64;
    int64_t *bigger;

    if (line < f->size)
        return 0;
    while (size <= line)
        size *= 2;
    bigger = das_grow(f->counts, size, sizeof *bigger);
    if (!bigger)
        return -1;
    for (size_t i = f->size; i < size; i++)
        bigger[i] = DAS_LINE_IDLE;
    f->counts = bigger;
    f->size = size;
    return 0;
}

int das_coverage_can(struct das_coverage *c, const char *path, size_t line, struct das_err *err)
{
    struct file *f = find_or_add(c, path);

    if (!f)
        return das_fail_nomem(err);
    if (line < 1)
        return 0; /* the file is known, and has none */
    if (line > LINE_MAX)
        return das_fail(err, DAS_E_DATA, "%s: coverage counts %zu lines at the most", path, LINE_MAX);
    if (reach(f, line) < 0)
        return das_fail_nomem(err);
    if (f->counts[line] == DAS_LINE_IDLE)
        f->counts[line] = 0;
    if (line > f->last)
        f->last = line;
    return 0;
}

void das_coverage_ran(struct das_coverage *c, const char *path, size_t line, uint64_t n)
{
    struct file *f = find(c, path);

    if (f && line < f->size && f->counts[line] != DAS_LINE_IDLE &&
        n <= (uint64_t)(INT64_MAX - f->counts[line]))
        f->counts[line] += (int64_t)n;
}

size_t das_coverage_files(const struct das_coverage *c)
{
    return c->count;
}

const char *das_coverage_path(const struct das_coverage *c, size_t file)
{
    return c->files[file].path;
}

size_t das_coverage_lines(const struct das_coverage *c, size_t file)
{
    return c->files[file].last;
}

int64_t das_coverage_count(const struct das_coverage *c, size_t file, size_t line)
{
    const struct file *f = &c->files[file];

    return line < f->size ? f->counts[line] : DAS_LINE_IDLE;
}

/* --- to another process ----------------------------------------------------------------------------- */

void das_coverage_json(const struct das_coverage *c, struct das_buf *b)
{
    das_buf_char(b, '[');
    for (size_t i = 0; i < c->count; i++) {
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key(b, "path");
        das_json_str(b, c->files[i].path);
        das_json_key(b, "lines");
        das_buf_char(b, '[');
        for (size_t line = 1; line <= c->files[i].last; line++) {
            if (c->files[i].counts[line] == DAS_LINE_IDLE)
                continue;
            das_json_comma(b);
            das_buf_printf(b, "[%zu,%lld]", line, (long long)c->files[i].counts[line]);
        }
        das_buf_str(b, "]}");
    }
    das_buf_char(b, ']');
}

int das_coverage_add_json(struct das_coverage *c, const json_t *list, struct das_err *err)
{
    const json_t *file, *pair;
    size_t i, k;

    json_array_foreach(list, i, file) {
        const char *path = json_string_value(json_object_get(file, "path"));
        if (!path)
            return das_fail(err, DAS_E_DATA, "coverage: path: expected a string");
        if (das_coverage_can(c, path, 0, err) < 0)
            return -1;
        json_array_foreach(json_object_get(file, "lines"), k, pair) {
            json_int_t line = json_integer_value(json_array_get(pair, 0)),
                       count = json_integer_value(json_array_get(pair, 1));
            if (line < 1 || count < 0)
                return das_fail(err, DAS_E_DATA, "coverage: lines: expected [line, count]");
            if (das_coverage_can(c, path, (size_t)line, err) < 0)
                return -1;
            das_coverage_ran(c, path, (size_t)line, (uint64_t)count);
        }
    }
    return 0;
}
