/* recordings.h - what the tests of recordings share: text in, snapshots out, printed to compare. */
#ifndef DAS_TESTS_RECORDINGS_H
#define DAS_TESTS_RECORDINGS_H

#include <sys/mman.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/source/recording.h"
#include "tests/unit/tap.h"

#define MANY 8

struct loaded {
    int rc; /* the last answer of das_recording_next(): 0 or -1 */
    size_t count;
    struct das_snapshot *at[MANY];
    char note[1000]; /* "" when there is none */
    struct das_err err;
};

static inline int text_fd(struct das_text t)
{
    int fd = memfd_create("recording", MFD_CLOEXEC);

    if (fd < 0 || write(fd, t.ptr, t.len) != (ssize_t)t.len || lseek(fd, 0, SEEK_SET) != 0)
        exit(1);
    return fd;
}

/* All snapshots of the bytes; messages call the file "list". */
static inline struct loaded load_bytes(struct das_text t)
{
    struct loaded l;
    struct das_recording *r;

    memset(&l, 0, sizeof l);
    l.rc = das_recording_open_fd(text_fd(t), "list", &r, &l.err);
    if (l.rc < 0)
        return l;
    while (l.count < MANY && (l.rc = das_recording_next(r, &l.at[l.count], &l.err)) == 1)
        l.count++;
    if (das_recording_note(r))
        snprintf(l.note, sizeof l.note, "%s", das_recording_note(r));
    das_recording_close(r);
    return l;
}

static inline struct loaded load(const char *text)
{
    return load_bytes(das_text_of(text));
}

static inline void unload(struct loaded *l)
{
    for (size_t i = 0; i < l->count; i++)
        das_snapshot_release(l->at[i]);
    l->count = 0;
}

static inline void print_text(struct das_buf *b, struct das_text t)
{
    if (!t.ptr)
        das_buf_str(b, "NULL");
    else
        das_buf_printf(b, "'%.*s'", (int)t.len, t.ptr);
    das_buf_char(b, ' ');
}

static inline void print_number(struct das_buf *b, const char *name, int64_t v)
{
    if (v == DAS_ABSENT)
        das_buf_printf(b, " %s=absent", name);
    else if (v != DAS_UNKNOWN)
        das_buf_printf(b, " %s=%lld", name, (long long)v);
}

/* A session as one line (text with newlines aside); unknown numbers are left out. */
static inline void print_session(struct das_buf *b, const struct das_session *s)
{
    das_buf_printf(b, "%lld ", (long long)s->id);
    print_text(b, s->user);
    print_text(b, s->host);
    print_text(b, s->db);
    print_text(b, s->command);
    print_text(b, s->state);
    print_text(b, s->sql_info);
    print_number(b, "t", s->state_duration);
    print_number(b, "ms", s->time_ms);
    print_number(b, "query", s->query_id);
    print_number(b, "trx", s->trx_time);
    print_number(b, "modified", s->rows_modified);
    print_number(b, "examined", s->rows_examined);
    print_number(b, "progress", s->progress);
    print_number(b, "trx_id", s->trx_id);
    print_number(b, "blocked_by", s->blocked_by);
    das_buf_char(b, '\n');
}

/* The rows of a snapshot, without those of user skip; the caller frees. */
static inline char *print_rows(const struct das_snapshot *s, const char *skip)
{
    struct das_buf b;
    struct das_session row;

    das_buf_init(&b);
    das_buf_str(&b, "");
    for (uint32_t i = 0; i < das_snapshot_rows(s); i++) {
        das_snapshot_get(s, i, &row);
        if (!skip || !das_text_is(row.user, skip))
            print_session(&b, &row);
    }
    return das_buf_take(&b);
}

/* One snapshot with these rows, printed, and nothing to complain about. */
#define is_rows(l, i, want, ...)                                           \
    do {                                                                   \
        char *got_ = (i) < (l).count ? print_rows((l).at[i], NULL) : NULL; \
        is_str(got_, want, __VA_ARGS__);                                   \
        if (!got_)                                                         \
            tap_diag("%s", (l).err.msg);                                   \
        das_free(got_);                                                    \
    } while (0)

/* Damaged: the message holds part. */
#define is_damaged(text, part, ...)                                                              \
    do {                                                                                         \
        struct loaded l_ = load(text);                                                           \
        if (ok(l_.rc < 0 && l_.err.code == DAS_E_DATA && strstr(l_.err.msg, part), __VA_ARGS__)) \
            (void)0;                                                                             \
        else                                                                                     \
            tap_diag("rc %d, \"%s\" does not hold \"%s\"", l_.rc, l_.err.msg, part);             \
        unload(&l_);                                                                             \
    } while (0)

static inline char *read_whole(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *bytes = malloc(1 << 20);

    if (!f || !bytes)
        exit(1);
    *len = fread(bytes, 1, (1 << 20) - 1, f);
    bytes[*len] = '\0';
    fclose(f);
    return bytes;
}

/* A copy with \r\n for each \n; the caller frees. */
static inline char *to_crlf(const char *text, size_t len, size_t *out_len)
{
    char *out = malloc(2 * len + 1), *p = out;

    for (size_t i = 0; out && i < len; i++) {
        if (text[i] == '\n')
            *p++ = '\r';
        *p++ = text[i];
    }
    if (!out)
        exit(1);
    *p = '\0';
    *out_len = (size_t)(p - out);
    return out;
}

#endif
