/* footage.c - see footage.h. */
#include "core/source/footage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/source/recording.h"

/* What one file has of an instance. */
struct piece {
    const char *path;
    int64_t from_ms, to_ms;
    uint64_t snapshots, rows;
};

/* Times from one snapshot to the next, by their size: the usual one is not their average, because
 * of gaps. */
#define STEP_BITS 48
struct steps {
    uint64_t count[STEP_BITS];
    int64_t sum[STEP_BITS];
};

struct instance {
    char *name; /* as the file tells it, "" where it does not */
    struct piece *pieces;
    size_t count;
    struct steps steps;
};

struct das_footage {
    struct instance *instances;
    size_t count;
    char **notes;
    size_t note_count;
};

static const char *shown(const struct instance *i)
{
    return i->name[0] ? i->name : DAS_FOOTAGE_UNNAMED;
}

void das_footage_close(struct das_footage *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++) {
        das_free(f->instances[i].name);
        das_free(f->instances[i].pieces);
    }
    for (size_t i = 0; i < f->note_count; i++)
        das_free(f->notes[i]);
    das_free(f->instances);
    das_free(f->notes);
    das_free(f);
}

/* --- going over the files --------------------------------------------------------------------- */

static struct instance *instance_named(struct das_footage *f, const char *name, struct das_err *err)
{
    struct instance *bigger;

    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->instances[i].name, name) == 0)
            return &f->instances[i];
    }
    bigger = das_grow(f->instances, f->count + 1, sizeof *bigger);
    if (!bigger) {
        das_fail_nomem(err);
        return NULL;
    }
    f->instances = bigger;
    bigger[f->count] = (struct instance){.name = das_strdup(name)};
    if (!bigger[f->count].name) {
        das_fail_nomem(err);
        return NULL;
    }
    return &bigger[f->count++];
}

/* The piece of that file, the last one of the instance where there is one already. */
static struct piece *piece_of(struct instance *i, const char *path, int64_t from_ms,
                              struct das_err *err)
{
    struct piece *bigger;

    if (i->count && i->pieces[i->count - 1].path == path)
        return &i->pieces[i->count - 1];
    bigger = das_grow(i->pieces, i->count + 1, sizeof *bigger);
    if (!bigger) {
        das_fail_nomem(err);
        return NULL;
    }
    i->pieces = bigger;
    bigger[i->count] = (struct piece){.path = path, .from_ms = from_ms, .to_ms = from_ms};
    return &bigger[i->count++];
}

static int goes_back(const char *path, const char *name, int64_t at_ms, int64_t before_ms,
                     struct das_err *err)
{
    char at[32], before[32];

    das_clock_iso(at_ms / 1000, at, sizeof at);
    das_clock_iso(before_ms / 1000, before, sizeof before);
    return das_fail(
        err, DAS_E_DATA,
        "%s: a list of %s from %s stands behind one from %s: expected them in the order "
        "of time",
        path, name, at, before);
}

static void add_steps(struct steps *s, int64_t all_ms, uint64_t count)
{
    int bit = 0;

    while (bit < STEP_BITS - 1 && all_ms / (int64_t)count >> bit > 0)
        bit++;
    s->count[bit] += count;
    s->sum[bit] += all_ms;
}

static int64_t usual_step(const struct steps *s)
{
    uint64_t all = 0, below = 0;

    for (int bit = 0; bit < STEP_BITS; bit++)
        all += s->count[bit];
    for (int bit = 0; bit < STEP_BITS && all; bit++) {
        below += s->count[bit];
        if (below * 2 >= all)
            return s->sum[bit] / (int64_t)s->count[bit];
    }
    return 0;
}

static int take_span(struct das_footage *f, const char *path, const struct das_footage_wish *wish,
                     const struct das_recording_span *span, struct das_err *err)
{
    const char *name = span->instance ? span->instance : "";
    struct instance *i;
    struct piece *p;

    if (wish && !wish->wants(wish->arg, name[0] ? name : DAS_FOOTAGE_UNNAMED))
        return 0;
    i = instance_named(f, name, err);
    p = i ? piece_of(i, path, span->from_ms, err) : NULL;
    if (!p)
        return -1;
    if (span->from_ms < p->to_ms)
        return goes_back(path, shown(i), span->from_ms, p->to_ms, err);
    if (p->snapshots)
        add_steps(&i->steps, span->from_ms - p->to_ms, 1);
    if (span->snapshots > 1)
        add_steps(&i->steps, span->to_ms - span->from_ms, span->snapshots - 1);
    p->to_ms = span->to_ms;
    p->snapshots += span->snapshots;
    p->rows += span->rows;
    return 0;
}

static int add_note(struct das_footage *f, const char *path, const char *note, struct das_err *err)
{
    struct das_buf b = {0};
    char **bigger = das_grow(f->notes, f->note_count + 1, sizeof *bigger);

    if (!bigger)
        return das_fail_nomem(err);
    f->notes = bigger;
    das_buf_printf(&b, "%s: %s", path, note);
    bigger[f->note_count] = das_buf_take(&b);
    das_buf_clear(&b);
    if (!bigger[f->note_count])
        return das_fail_nomem(err);
    f->note_count++;
    return 0;
}

static int go_over(struct das_footage *f, const char *path, const struct das_footage_wish *wish,
                   struct das_err *err)
{
    struct das_recording_span span;
    struct das_recording *r;
    int rc;

    if (strcmp(path, "-") == 0)
        return das_fail(err, DAS_E_USAGE, "-: expected a file: a recording is read more than once");
    if (das_recording_open(path, &r, err) < 0)
        return -1;
    rc = das_recording_repeatable(r) ? 1
                                     : das_fail(err, DAS_E_USAGE,
                                                "%s: expected a file: a recording is read more "
                                                "than once",
                                                path);
    while (rc == 1 && (rc = das_recording_skim(r, &span, err)) == 1)
        rc = take_span(f, path, wish, &span, err) < 0 ? -1 : 1;
    if (rc == 0 && das_recording_note(r))
        rc = add_note(f, path, das_recording_note(r), err);
    das_recording_close(r);
    return rc;
}

/* --- putting them in order -------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    if (x->from_ms != y->from_ms)
        return x->from_ms < y->from_ms ? -1 : 1;
    return x->to_ms < y->to_ms ? -1 : x->to_ms > y->to_ms;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(shown(a), shown(b));
}

static int no_times(const struct instance *i, uint64_t snapshots, struct das_err *err)
{
    char at[32];

    das_clock_iso(i->pieces[0].from_ms / 1000, at, sizeof at);
    return das_fail(
        err, DAS_E_DATA,
        "%s: all %llu lists of %s have the same time, %s: a replay has to know when each "
        "was taken (das record writes it; in a file of printed lists a line such as "
        "\"TS 1766655104\" before each list tells it)",
        i->pieces[0].path, (unsigned long long)snapshots, shown(i), at);
}

static int arrange(struct instance *i, struct das_err *err)
{
    uint64_t snapshots;

    qsort(i->pieces, i->count, sizeof *i->pieces, by_time);
    snapshots = i->pieces[0].snapshots;
    for (size_t k = 1; k < i->count; k++) {
        const struct piece *a = &i->pieces[k - 1], *b = &i->pieces[k];
        if (b->from_ms < a->to_ms)
            return das_fail(err, DAS_E_DATA,
                            "%s and %s overlap: both have lists of %s from the same time; expected "
                            "recordings that follow each other",
                            a->path, b->path, shown(i));
        snapshots += b->snapshots;
        add_steps(&i->steps, b->from_ms - a->to_ms, 1);
    }
    if (snapshots > 1 && i->pieces[0].from_ms == i->pieces[i->count - 1].to_ms)
        return no_times(i, snapshots, err);
    return 0;
}

int das_footage_open(const char *const *paths, size_t count, const struct das_footage_wish *wish,
                     struct das_footage **out, struct das_err *err)
{
    struct das_footage *f = das_calloc(1, sizeof *f);

    *out = NULL;
    if (!f)
        return das_fail_nomem(err);
    for (size_t i = 0; i < count; i++) {
        if (go_over(f, paths[i], wish, err) < 0)
            goto fail;
    }
    if (!f->count) {
        das_fail(err, DAS_E_USAGE, "-i: no instance of that name is in the recording");
        goto fail;
    }
    qsort(f->instances, f->count, sizeof *f->instances, by_name);
    for (size_t i = 0; i < f->count; i++) {
        if (arrange(&f->instances[i], err) < 0)
            goto fail;
    }
    *out = f;
    return 0;
fail:
    das_footage_close(f);
    return -1;
}

/* --- what there is ---------------------------------------------------------------------------- */

size_t das_footage_count(const struct das_footage *f)
{
    return f->count;
}

const char *das_footage_note(const struct das_footage *f, size_t i)
{
    return i < f->note_count ? f->notes[i] : NULL;
}

void das_footage_span(const struct das_footage *f, size_t i, struct das_footage_span *out)
{
    const struct instance *in = &f->instances[i];

    *out = (struct das_footage_span){.name = shown(in),
                                     .from_ms = in->pieces[0].from_ms,
                                     .to_ms = in->pieces[in->count - 1].to_ms};
    for (size_t k = 0; k < in->count; k++) {
        out->snapshots += in->pieces[k].snapshots;
        out->rows += in->pieces[k].rows;
    }
    out->step_ms = usual_step(&in->steps);
}

void das_footage_whole(const struct das_footage *f, struct das_footage_span *out)
{
    struct das_footage_span one;

    das_footage_span(f, 0, out);
    out->name = NULL;
    for (size_t i = 1; i < f->count; i++) {
        das_footage_span(f, i, &one);
        if (one.from_ms < out->from_ms)
            out->from_ms = one.from_ms;
        if (one.to_ms > out->to_ms)
            out->to_ms = one.to_ms;
        if (one.step_ms > out->step_ms)
            out->step_ms = one.step_ms;
        out->snapshots += one.snapshots;
        out->rows += one.rows;
    }
}

/* --- the snapshots of one instance ------------------------------------------------------------ */

struct das_reel {
    const struct instance *instance;
    size_t next; /* piece to open next */
    struct das_recording *open;
    struct das_identity identity; /* where the file tells none */
};

int das_reel_open(const struct das_footage *f, size_t instance, struct das_reel **out,
                  struct das_err *err)
{
    struct das_reel *r = das_calloc(1, sizeof *r);

    *out = r;
    if (!r)
        return das_fail_nomem(err);
    r->instance = &f->instances[instance];
    r->identity.start_unix_s = DAS_UNKNOWN;
    snprintf(r->identity.server, sizeof r->identity.server, "recorded:%.280s", shown(r->instance));
    return 0;
}

void das_reel_close(struct das_reel *r)
{
    if (!r)
        return;
    das_recording_close(r->open);
    das_free(r);
}

/* A printed list has the identity of its file, which says nothing of a server. */
static void identify(const struct das_reel *r, struct das_snapshot *s)
{
    const struct das_identity *told = das_snapshot_identity(s);

    if (!told->server[0] || strncmp(told->server, "file:", 5) == 0)
        das_snapshot_set_identity(s, &r->identity);
}

int das_reel_next(struct das_reel *r, struct das_snapshot **out, int64_t *time_ms,
                  struct das_err *err)
{
    for (;;) {
        int rc;

        *out = NULL;
        if (!r->open && r->next == r->instance->count)
            return 0;
        if (!r->open && das_recording_open(r->instance->pieces[r->next++].path, &r->open, err) < 0)
            return -1;
        das_recording_only_of(r->open, r->instance->name);
        rc = das_recording_next(r->open, out, err);
        if (rc == 1) {
            *time_ms = das_recording_time_ms(r->open);
            identify(r, *out);
        }
        if (rc != 0)
            return rc;
        das_recording_close(r->open);
        r->open = NULL;
    }
}
