/*
 * file.c - the file source: a recorded process list as an instance that can be looked at. Its rest is
 * PATH, "-" for standard input, or PATH?snapshot=N for the N-th snapshot of the file.
 *
 * Owns a path, and the snapshot of what can be read only once (standard input, a pipe).
 * Called by source.c and by the memory source. It cannot kill and never writes.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/source/recording.h"
#include "core/source/source_impl.h"

struct file_source {
    struct das_source base;
    char *path;
    int64_t number;                  /* of the snapshot asked for; 0: the last */
    struct das_snapshot *remembered; /* set once for what cannot be read again */
};

#define SNAPSHOT_OPTION "?snapshot="

/* *path is an owned copy (das_free), *number is N, or 0 when none was asked for. */
static int read_spec(const char *rest, char **path, int64_t *number, struct das_err *err)
{
    const char *option = NULL, *p = rest;
    size_t len = strlen(rest);

    *path = NULL;
    *number = 0;
    while ((p = strstr(p, SNAPSHOT_OPTION)) != NULL)
        option = p++;
    if (option) {
        const char *value = option + strlen(SNAPSHOT_OPTION);
        if (!das_is_digit((unsigned char)*value) || !das_parse_int(das_text_of(value), number) ||
            *number < 1)
            return das_fail(err, DAS_E_USAGE,
                            "file:%s: snapshot: expected a number from 1 on, found \"%s\"", rest,
                            value);
        len = (size_t)(option - rest);
    }
    if (len == 0)
        return das_fail(err, DAS_E_USAGE, "file: expected a path, or - for standard input");
    *path = das_strndup(rest, len);
    return *path ? 0 : das_fail_nomem(err);
}

static int no_such_snapshot(const char *path, int64_t number, int64_t count, struct das_err *err)
{
    return das_fail(err, DAS_E_USAGE, "%s: snapshot %lld: the file holds %lld, expected 1 to %lld",
                    path, (long long)number, (long long)count, (long long)count);
}

/* Reads r up to the snapshot asked for, or to its end for the last one. */
static int take_snapshot(struct das_recording *r, const char *path, int64_t number,
                         struct das_snapshot **out, struct das_err *err)
{
    struct das_snapshot *found = NULL, *next = NULL;
    int64_t count = 0;
    char taken[32];
    int rc;

    while ((rc = das_recording_next(r, &next, err)) == 1) {
        count++;
        if (number && count != number) {
            das_snapshot_release(next);
            continue;
        }
        das_snapshot_release(found);
        found = next;
        if (number)
            break;
    }
    if (rc < 0)
        goto fail;
    if (!found) {
        no_such_snapshot(path, number, count, err);
        goto fail;
    }
    if (!number && count > 1) {
        das_clock_iso(das_snapshot_time(found), taken, sizeof taken);
        if (das_snapshot_warn(found, err,
                              "file holds %lld snapshots; this is the last one, taken at %s",
                              (long long)count, taken) < 0)
            goto fail;
    }
    if (das_recording_note(r) && das_snapshot_warn(found, err, "%s", das_recording_note(r)) < 0)
        goto fail;
    *out = found;
    return 0;
fail:
    das_snapshot_release(found);
    return -1;
}

static int file_list(struct das_source *base, const struct das_query *q, struct das_snapshot **out,
                     struct das_err *err)
{
    struct file_source *f = (struct file_source *)base;
    struct das_recording *r;
    int rc = 0;

    *out = NULL;
    if (!f->remembered) {
        if (das_recording_open(f->path, &r, err) < 0)
            return -1;
        if (das_recording_repeatable(r)) {
            das_recording_only(r, q->filter);
            rc = take_snapshot(r, f->path, f->number, out, err);
        } else {
            rc = take_snapshot(r, f->path, f->number, &f->remembered, err);
        }
        das_recording_close(r);
    }
    if (rc == 0 && f->remembered) {
        *out = das_snapshot_derive(f->remembered, NULL, das_snapshot_rows(f->remembered), err);
        rc = *out ? 0 : -1;
    }
    return rc;
}

static void file_close(struct das_source *base)
{
    struct file_source *f = (struct file_source *)base;

    das_snapshot_release(f->remembered);
    das_free(f->path);
}

static const struct das_source_ops file_ops = {
    .list = file_list,
    .kill = NULL,
    .close = file_close,
};

int das_source_open_file(const char *rest, const struct das_source_conf *conf,
                         struct das_source **out, struct das_err *err)
{
    struct file_source *f = das_calloc(1, sizeof *f);

    (void)conf;
    *out = NULL;
    if (!f)
        return das_fail_nomem(err);
    f->base.ops = &file_ops;
    if (read_spec(rest, &f->path, &f->number, err) < 0) {
        das_free(f);
        return -1;
    }
    *out = &f->base;
    return 0;
}
