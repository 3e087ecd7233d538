/* test_blocks.c - binary recordings: what is written is what is read, whatever it is. */
#include <fcntl.h>

#include "tests/unit/blocks_kit.h"
#include "tests/unit/temp_file.h"

#define MANY 4000

/* One snapshot as it was given to the writer, or came from the reader. */
struct taken {
    char *instance, *text;
    int64_t ms;
};

struct list {
    struct taken at[MANY];
    size_t count;
    int rc;
    struct das_err err;
    char note[600];
};

static void list_clear(struct list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        das_free(l->at[i].instance);
        das_free(l->at[i].text);
    }
    l->count = 0;
}

static void list_add(struct list *l, const char *instance, int64_t ms, const struct das_snapshot *s)
{
    if (l->count == MANY)
        exit(1);
    l->at[l->count++] = (struct taken){instance ? das_strdup(instance) : NULL, blocks_print(s), ms};
}

/* All that path holds; only: of that instance. */
static struct list *read_list(const char *path, const char *only)
{
    struct list *l = calloc(1, sizeof *l);
    struct das_recording *r = NULL;
    struct das_snapshot *s;

    if (!l)
        exit(1);
    l->rc = das_recording_open(path, &r, &l->err);
    if (l->rc < 0)
        return l;
    das_recording_only_of(r, only);
    while ((l->rc = das_recording_next(r, &s, &l->err)) == 1) {
        list_add(l, das_recording_instance(r), das_recording_time_ms(r), s);
        das_snapshot_release(s);
    }
    if (das_recording_note(r))
        snprintf(l->note, sizeof l->note, "%s", das_recording_note(r));
    das_recording_close(r);
    return l;
}

static void list_free(struct list *l)
{
    list_clear(l);
    free(l);
}

/* Are the snapshots of that instance in got those of want, at most of them where some is true?
 * Gives how many differ. */
static size_t differences(const struct list *want, const struct list *got, const char *instance,
                          bool some)
{
    size_t w = 0, wrong = 0;

    for (size_t g = 0; g < got->count; g++) {
        if (strcmp(got->at[g].instance, instance) != 0)
            continue;
        while (w < want->count && strcmp(want->at[w].instance, instance) != 0)
            w++;
        if (w == want->count)
            return wrong + 1;
        if (strcmp(want->at[w].text, got->at[g].text) != 0 || want->at[w].ms != got->at[g].ms) {
            if (!wrong)
                tap_diag("at %lld and %lld\n%s\n%s", (long long)want->at[w].ms,
                         (long long)got->at[g].ms, want->at[w].text, got->at[g].text);
            wrong++;
        }
        w++;
    }
    for (; w < want->count && !some; w++)
        wrong += strcmp(want->at[w].instance, instance) == 0;
    return wrong;
}

static const char *const names[] = {"db1", "db2", "a much longer name of an instance: \xc3\xa9"};
#define NAMES (sizeof names / sizeof *names)

/* Appends random snapshots of several instances to path, and remembers them. */
static void write_random(const char *path, const struct das_recording_opts *opts, size_t count,
                         int64_t from_ms, struct list *want)
{
    struct das_recording_writer *w;
    struct das_recording_stream *streams[NAMES];
    struct das_snapshot *last[NAMES] = {NULL};
    struct das_err err = {0};
    size_t failed = 0;

    must(das_recording_writer_open(path, opts, &w, &err) == 0, "the file is opened: %s", err.msg);
    for (size_t i = 0; i < NAMES; i++)
        streams[i] = das_recording_writer_stream(w, names[i], &err);
    for (size_t i = 0; i < count; i++) {
        size_t which = kit_below(NAMES);
        struct das_snapshot *s = blocks_snapshot(last[which], from_ms / 1000);

        from_ms += (int64_t)kit_below(2000);
        failed += das_recording_stream_add(streams[which], s, from_ms, &err) < 0;
        list_add(want, names[which], from_ms, s);
        das_snapshot_release(last[which]);
        last[which] = s;
    }
    for (size_t i = 0; i < NAMES; i++)
        das_snapshot_release(last[i]);
    is_int(failed, 0, "all are taken: %s", err.msg);
    is_int(das_recording_writer_close(w, &err), 0, "and the file is closed");
}

static void round_trip(void)
{
    const struct das_recording_opts opts = {.flush_ms = 5000};
    struct list *want = calloc(1, sizeof *want), *got;
    const char *path = temp_write("", 0);
    size_t wrong = 0;

    write_random(path, &opts, 600, 1700000000000, want);
    write_random(path, &opts, 200, 1700003000000, want); /* appended */
    got = read_list(path, NULL);
    is_int(got->rc, 0, "all of it is read: %s", got->err.msg);
    is_int(got->count, want->count, "as many snapshots as were written");
    for (size_t i = 0; i < NAMES; i++)
        wrong += differences(want, got, names[i], false);
    is_int(wrong, 0, "each of them in all that it tells");
    is_str(got->note, "", "nothing was left out");
    list_free(got);

    got = read_list(path, names[1]);
    is_int(got->rc, 0, "one instance alone is read: %s", got->err.msg);
    is_int(differences(want, got, names[1], false), 0, "its snapshots");
    for (size_t i = 0; i < got->count; i++)
        wrong += strcmp(got->at[i].instance, names[1]) != 0;
    is_int(wrong, 0, "and no other's");
    list_free(got);

    got = read_list(path, "nobody");
    ok(got->rc == 0 && got->count == 0, "an instance that is not there has none");
    list_free(got);
    list_free(want);
}

int main(void)
{
    uint64_t seed = kit_seed(7);

    tap_diag("SEED=%llu", (unsigned long long)seed);
    round_trip();
    temp_clear();
    return tap_done();
}
