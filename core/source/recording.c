/*
 * recording.c - opens a recording and gives one list after the other; see recording.h.
 *
 * Owns the recording. Where a list begins is found by recording_find.c, what it looks like is known
 * to read_*.c alone; here is decided what happens to a half-written one.
 */
#include "core/source/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/source/block.h"
#include "core/source/recording_impl.h"

int das_recording_open(const char *path, struct das_recording **out, struct das_err *err)
{
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? 0 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    *out = NULL;
    if (fd < 0)
        return das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
    return das_recording_open_fd(fd, standard_input ? "standard input" : path, out, err);
}

int das_recording_open_fd(int fd, const char *name, struct das_recording **out, struct das_err *err)
{
    struct das_recording *r = das_calloc(1, sizeof *r);
    struct stat st;

    *out = NULL;
    if (!r) {
        if (fd > 2)
            close(fd);
        return das_fail_nomem(err);
    }
    r->w.fd = fd;
    r->w.line = 1;
    r->told_time = DAS_UNKNOWN;
    das_buf_init(&r->header);
    das_columns_init(&r->columns);
    r->name = das_strdup(name);
    if (!r->name) {
        das_fail_nomem(err);
        goto fail;
    }
    if (fstat(fd, &st) < 0) {
        das_fail(err, DAS_E_IO, "%s: %s", name, strerror(errno));
        goto fail;
    }
    if (S_ISDIR(st.st_mode)) {
        das_fail(err, DAS_E_IO, "%s: is a directory, expected a file", name);
        goto fail;
    }
    r->repeatable = S_ISREG(st.st_mode) && fd > 2;
    r->default_time = S_ISREG(st.st_mode) ? (int64_t)st.st_mtime : das_clock_unix_ms() / 1000;
    /* Enough to tell whether the file is still the one that was previewed. */
    snprintf(r->identity.server, sizeof r->identity.server, "file:%llx:%llu:%lld:%lld.%09ld",
             (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, (long long)st.st_size,
             (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    r->identity.start_unix_s = DAS_UNKNOWN;
    *out = r;
    return 0;
fail:
    das_recording_close(r);
    return -1;
}

void das_recording_close(struct das_recording *r)
{
    if (!r)
        return;
    das_blocks_close(r);
    das_window_clear(&r->w);
    das_columns_clear(&r->columns);
    das_buf_clear(&r->header);
    das_buf_clear(&r->instance);
    das_free(r->values);
    das_free(r->widths);
    das_free(r->name);
    das_free(r->note);
    das_free(r);
}

bool das_recording_repeatable(const struct das_recording *r)
{
    return r->repeatable;
}

const char *das_recording_note(const struct das_recording *r)
{
    return r->note;
}

/* --- for the readers ------------------------------------------------------------------------ */

int das_recording_fail(const struct das_recording *r, size_t line, struct das_err *err,
                       const char *fmt, ...)
{
    char text[700];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return das_fail(err, DAS_E_DATA, "%s:%zu: %s", r->name, line, text);
}

int das_recording_more(struct das_recording *r, struct das_err *err)
{
    int rc = das_window_more(&r->w, err);

    if (rc < 0)
        das_err_prefix(err, "%s:%zu", r->name, r->w.line);
    return rc;
}

int das_recording_cut(struct das_recording *r, size_t line)
{
    r->cut_line = line;
    return DAS_READ_CUT;
}

int das_recording_values(struct das_recording *r, struct das_err *err)
{
    struct das_text *values;

    if (r->columns.count <= r->value_cap)
        return 0;
    values = das_grow(r->values, r->columns.count, sizeof *values);
    if (!values)
        return das_fail_nomem(err);
    r->values = values;
    r->value_cap = r->columns.count;
    return 0;
}

void das_recording_only(struct das_recording *r, const struct das_filter *filter)
{
    r->only = filter;
}

int das_recording_put(struct das_recording *r, struct das_snapshot *s,
                      const struct das_session *row, struct das_err *err)
{
    r->rows++;
    if (r->only && das_filter_test(r->only, row) != DAS_YES)
        return 0;
    return das_snapshot_add(s, row, err);
}

int das_recording_add(struct das_recording *r, struct das_snapshot *s, struct das_err *err)
{
    struct das_session row;
    size_t bad = 0;
    int rc = das_columns_session(&r->columns, r->values, &row, &bad, err);

    if (rc < 0) {
        size_t line = das_window_line_at(&r->w, r->values[bad].ptr);
        das_err_prefix(err, "%s:%zu", r->name, line);
        return -1;
    }
    return rc ? das_recording_put(r, s, &row, err) : 0;
}

struct das_text das_recording_fold_crlf(char *p, size_t len)
{
    char *end = p + len, *to = memchr(p, '\r', len);

    if (!to)
        return das_text(p, len);
    for (char *from = to; from < end; from++) {
        if (*from != '\r' || from + 1 == end || from[1] != '\n')
            *to++ = *from;
    }
    return das_text(p, (size_t)(to - p));
}

/* --- one snapshot --------------------------------------------------------------------------- */

/* A half-written snapshot, which is the last one: 1 when it is given all the same. */
static int settle_cut(struct das_recording *r, struct das_snapshot *s, struct das_err *err)
{
    struct das_buf note;
    unsigned rows = r->rows;

    if (!r->count) {
        das_snapshot_set_complete(s, false);
        if (das_snapshot_warn(s, err,
                              "the list is half-written: it stops at %s:%zu, %u whole row%s kept",
                              r->name, r->cut_line, rows, rows == 1 ? "" : "s") < 0)
            return -1;
        return 1;
    }
    das_buf_init(&note);
    das_buf_printf(&note,
                   "the last snapshot is half-written and was left out: it stops at %s:%zu "
                   "after %u whole row%s",
                   r->name, r->cut_line, rows, rows == 1 ? "" : "s");
    r->note = das_buf_take(&note);
    das_buf_clear(&note);
    return r->note ? 0 : das_fail_nomem(err);
}

static const char *format_of(das_list_reader *read_list)
{
    return read_list == das_read_json    ? "JSON"
           : read_list == das_read_table ? "table"
           : read_list == das_read_tsv   ? "tab-separated"
                                         : "vertical";
}

static int read_one(struct das_recording *r, struct das_snapshot *s, struct das_err *err)
{
    das_list_reader *read_list = NULL;
    enum das_start start = das_recording_find(r, &read_list, err);
    int rc = DAS_READ_WHOLE;

    if (start == DAS_START_ERROR)
        return -1;
    if (start == DAS_START_NONE) {
        r->finished = true;
        return r->count
                   ? 0
                   : das_recording_fail(r, r->w.line, err, "the file holds no list: " DAS_RECORDING_EXPECTED);
    }
    das_snapshot_set_time(s, r->told_time == DAS_UNKNOWN ? r->default_time : r->told_time);
    r->told_time = DAS_UNKNOWN;
    if (start == DAS_START_CUT) {
        rc = das_recording_cut(r, r->w.line);
    } else if (start == DAS_START_LIST) {
        r->format = format_of(read_list);
        rc = read_list(r, s, err);
    }
    if (rc == DAS_READ_CUT) {
        r->finished = true;
        rc = settle_cut(r, s, err);
    }
    return rc;
}

static bool is_wanted(const struct das_recording *r)
{
    return !r->only_of || das_text_is(das_buf_view(&r->instance), r->only_of);
}

/* The next list, whoever it is of. */
static int next_of_all(struct das_recording *r, struct das_snapshot **out, struct das_err *err)
{
    struct das_snapshot *s = das_snapshot_new(err);
    int rc;

    if (!s)
        return -1;
    r->rows = 0;
    r->time_ms = DAS_UNKNOWN;
    das_buf_reset(&r->instance);
    das_snapshot_set_identity(s, &r->identity);
    das_snapshot_set_partial(s, r->only != NULL);
    rc = read_one(r, s, err);
    if (rc == 1) {
        r->count++;
        r->given_ms = r->time_ms == DAS_UNKNOWN ? das_snapshot_time(s) * 1000 : r->time_ms;
        *out = s;
        return 1;
    }
    r->broken = rc < 0;
    das_snapshot_release(s);
    return rc;
}

/* Before anything else is looked at: is it in the binary form? */
static int look_for_blocks(struct das_recording *r, struct das_err *err)
{
    r->looked = true;
    for (;;) {
        const char *p = das_window_begin(&r->w);
        size_t n = (size_t)(das_window_end(&r->w) - p);
        int rc;

        if (n && p[0] != DAS_REC_MAGIC[0])
            return 0;
        if (n >= DAS_REC_MAGIC_LEN)
            return das_rec_is_magic(p) ? das_blocks_open(r, err) : 0;
        rc = das_recording_more(r, err);
        if (rc <= 0)
            return rc;
    }
}

int das_recording_next(struct das_recording *r, struct das_snapshot **out, struct das_err *err)
{
    int rc;

    *out = NULL;
    if (r->broken)
        return das_fail(err, DAS_E_DATA, "%s: cannot be read on after an error", r->name);
    if (!r->looked && look_for_blocks(r, err) < 0) {
        r->broken = true;
        return -1;
    }
    for (;;) {
        if (r->finished)
            return 0;
        if (r->blocks) {
            rc = das_blocks_next(r, out, err);
            r->broken = rc < 0;
            return rc;
        }
        rc = next_of_all(r, out, err);
        if (rc != 1 || is_wanted(r))
            return rc;
        das_snapshot_release(*out);
        *out = NULL;
    }
}

/* A snapshot is read to know what is in it. */
static int skim_one(struct das_recording *r, struct das_recording_span *out, struct das_err *err)
{
    struct das_snapshot *s;
    int rc = das_recording_next(r, &s, err);

    if (rc != 1)
        return rc;
    *out = (struct das_recording_span){.instance = das_recording_instance(r),
                                       .from_ms = r->given_ms,
                                       .to_ms = r->given_ms,
                                       .snapshots = 1,
                                       .rows = das_snapshot_rows(s)};
    das_snapshot_release(s);
    return 1;
}

int das_recording_skim(struct das_recording *r, struct das_recording_span *out, struct das_err *err)
{
    int rc;

    if (!r->broken && !r->looked && look_for_blocks(r, err) < 0) {
        r->broken = true;
        return -1;
    }
    if (r->broken || r->finished || !r->blocks)
        return skim_one(r, out, err);
    rc = das_blocks_skim(r, out, err);
    r->broken = rc < 0;
    return rc;
}

const char *das_recording_format(const struct das_recording *r)
{
    return r->blocks ? "blocks" : r->format ? r->format : "";
}

void das_recording_only_of(struct das_recording *r, const char *instance)
{
    r->only_of = instance;
}

const char *das_recording_instance(const struct das_recording *r)
{
    return r->instance.len ? r->instance.ptr : NULL;
}

int64_t das_recording_time_ms(const struct das_recording *r)
{
    return r->given_ms;
}
