/* test_recorder.c - recording from sources that hang, fail and come back, into files that take it
 * or not. */
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>

#include "core/source/recorder.h"
#include "tests/unit/blocks_kit.h"
#include "tests/unit/fake_source.h"
#include "tests/unit/temp_file.h"

#define LOOKS 20

/* What the on_list hooks, which know only their source, share with a test. */
static struct {
    atomic_int cancel;
    sem_t wakes; /* who hangs */
    atomic_int hangs;
    int meanwhile; /* looks at another while it hung */
    char said[4000];
    int progress;
} stage;

static void begin(void)
{
    atomic_store(&stage.cancel, 0);
    atomic_store(&stage.hangs, 0);
    stage.meanwhile = 0;
    stage.said[0] = '\0';
    stage.progress = 0;
}

static void hear(void *arg, const char *instance, const char *text)
{
    size_t used = strlen(stage.said);

    (void)arg;
    snprintf(stage.said + used, sizeof stage.said - used, "%s: %s\n", instance, text);
}

static void count_progress(void *arg, const struct das_recorder_totals *t)
{
    (void)arg;
    stage.progress += t->instances > 0;
}

static void end_after_looks(struct fake *f)
{
    if (f->lists == LOOKS)
        atomic_store(&stage.cancel, 1);
}

static void hang_once(struct fake *f)
{
    if (f->lists != 2)
        return;
    atomic_store(&stage.hangs, 1);
    sem_wait(&stage.wakes);
}

static void go_on_meanwhile(struct fake *f)
{
    (void)f;
    if (atomic_load(&stage.hangs) && ++stage.meanwhile == LOOKS) {
        atomic_store(&stage.cancel, 1);
        sem_post(&stage.wakes);
    }
}

static void fail_for_a_while(struct fake *f)
{
    f->list_fails = f->lists >= 3 && f->lists < 7;
    end_after_looks(f);
}

static void prepare(struct fake *f, const char *name, void (*on_list)(struct fake *))
{
    struct das_session one = kit_session(7);

    fake_init(f);
    strcpy(f->name, name);
    fake_show(f, &one, 1, 1000);
    f->on_list = on_list;
}

/* Records the sources into path. */
static int record(struct das_source *const *sources, size_t count, const char *path,
                  struct das_recorder_totals *t, struct das_err *err)
{
    const struct das_recorder_opts opts = {
        .sources = sources,
        .count = count,
        .every_ms = 10,
        .cancel = &stage.cancel,
        .say = hear,
        .progress = count_progress,
    };
    const struct das_recording_opts file = {.flush_ms = 20};
    struct das_recording_writer *w;
    struct das_err ignored;
    int rc;

    must(das_recording_writer_open(path, &file, &w, err) == 0, "a file to record into");
    rc = das_record(w, &opts, t, err);
    if (das_recording_writer_close(w, rc < 0 ? &ignored : err) < 0)
        rc = -1;
    return rc;
}

static size_t count_of(const struct blocks_list *l, const char *instance, const char *with)
{
    size_t n = 0;

    for (size_t i = 0; i < l->count; i++)
        n += strcmp(l->at[i].instance, instance) == 0 && (!with || strstr(l->at[i].text, with));
    return n;
}

static void one_hangs(void)
{
    struct fake goes, hangs;
    struct das_source *const sources[] = {&hangs.base, &goes.base};
    struct das_recorder_totals t;
    struct das_err err = {0};
    const char *path = temp_write("", 0);
    struct blocks_list *got;

    begin();
    prepare(&hangs, "hangs", hang_once);
    prepare(&goes, "goes", go_on_meanwhile);
    is_int(record(sources, 2, path, &t, &err), 0, "two instances, one of which hangs: %s", err.msg);
    got = blocks_read(path, NULL);
    is_int(got->rc, 0, "the file is whole");
    ok(count_of(got, "goes", NULL) >= LOOKS, "one was recorded all the time");
    ok(count_of(got, "hangs", NULL) >= 2, "the other before it hung and after");
    ok(t.missed + 2 >= LOOKS, "it missed its looks, which is counted");
    is_int(t.failed, 0, "none failed");
    is_int(t.snapshots, got->count, "as many lists as were told");
    ok(stage.progress > 0, "there was progress to show");
    blocks_free(got);
    fake_clear(&goes);
    fake_clear(&hangs);
}

static void one_fails(void)
{
    struct fake f;
    struct das_source *const sources[] = {&f.base};
    struct das_recorder_totals t;
    struct das_err err = {0};
    const char *path = temp_write("", 0), *again;
    struct blocks_list *got;

    begin();
    prepare(&f, "db1", fail_for_a_while);
    is_int(record(sources, 1, path, &t, &err), 0, "an instance that fails and comes back");
    got = blocks_read(path, NULL);
    is_int(t.failed, 4, "four looks failed");
    is_int(got->count, f.lists - 4, "the others are there");
    is_int(count_of(got, "db1", "nothing was recorded for"), 1, "one list tells the gap");
    is_int(count_of(got, "db1", "before this: the list failed"), 1, "and why");
    again = strstr(stage.said, "trying again");
    ok(again && !strstr(again + 1, "trying again"), "the failure was said once");
    has_str(stage.said, "db1: is back after", "and its end");
    is_int(t.silent, 0, "nobody fails in the end");
    blocks_free(got);
    fake_clear(&f);
}

static void never_answers(void)
{
    struct fake f;
    struct das_source *const sources[] = {&f.base};
    struct das_recorder_totals t;
    struct das_err err = {0};

    begin();
    prepare(&f, "db1", end_after_looks);
    f.list_fails = 1;
    is_int(record(sources, 1, temp_write("", 0), &t, &err), 0, "an instance that never answers");
    is_int(t.never, 1, "is told");
    is_int(t.snapshots, 0, "nothing came of it");
    fake_clear(&f);
}

/* A disk that is full, as far as a process can have that. */
static void full_disk(void)
{
    struct rlimit had, little;
    struct fake f;
    struct das_source *const sources[] = {&f.base};
    struct das_recorder_totals t;
    struct das_err err = {0};
    const char *path = temp_write("", 0);
    struct blocks_list *got;

    begin();
    prepare(&f, "db1", NULL);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &had);
    little = had;
    little.rlim_cur = 1500;
    setrlimit(RLIMIT_FSIZE, &little);
    is_int(record(sources, 1, path, &t, &err), -1, "a file that cannot grow ends the recording");
    setrlimit(RLIMIT_FSIZE, &had);
    ok(err.code == DAS_E_IO && strstr(err.msg, path), "which is said: %s", err.msg);
    got = blocks_read(path, NULL);
    ok(got->rc == 0 && got->count > 0, "what had been written is readable: %s", got->err.msg);
    is_str(got->note, "", "and nothing half-written is left behind");
    blocks_free(got);
    fake_clear(&f);
}

int main(void)
{
    sem_init(&stage.wakes, 0, 0);
    one_hangs();
    one_fails();
    never_answers();
    full_disk();
    temp_clear();
    return tap_done();
}
