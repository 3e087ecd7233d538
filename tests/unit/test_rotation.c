/*
 * test_rotation.c - recordings that begin another file: their names, and which of them go.
 */
#include <glob.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/source/recording.h"
#include "core/source/recording_writer.h"
#include "tests/unit/kit.h"

#define NOON ((int64_t)1795694400000) /* 2026-11-26T12:00:00Z */

static char dir[64], base[100], pattern[100];
static struct das_err err;

static void empty_dir(void)
{
    glob_t found;

    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
        globfree(&found);
    }
}

/* Lists in that file; -1: it cannot be read. */
static int lists_in(const char *path)
{
    struct das_recording *r;
    struct das_snapshot *s;
    int n = 0, rc;

    if (das_recording_open(path, &r, &err) < 0)
        return -1;
    while ((rc = das_recording_next(r, &s, &err)) == 1) {
        das_snapshot_release(s);
        n++;
    }
    das_recording_close(r);
    return rc < 0 ? -1 : n;
}

/* Files in the order of their names, with how many lists each has: "name:1 name:2 ". */
static const char *files(void)
{
    static char text[2000];
    size_t len = 0;
    glob_t found;

    text[0] = '\0';
    if (glob(pattern, 0, NULL, &found) != 0)
        return text;
    for (size_t i = 0; i < found.gl_pathc; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s:%d ",
                                found.gl_pathv[i] + strlen(dir) + 1, lists_in(found.gl_pathv[i]));
    globfree(&found);
    return text;
}

static struct das_recording_writer *begin(uint32_t keep)
{
    const struct das_recording_opts opts = {.rotate_size = 1, .keep = keep};
    struct das_recording_writer *w;

    if (das_recording_writer_open(base, &opts, &w, &err) < 0) {
        tap_diag("%s", err.msg);
        exit(1);
    }
    return w;
}

/* One list each of so many instances, all written at once: a block each, a file each. */
static int write_lists(struct das_recording_writer *w, int instances)
{
    const struct das_session row = kit_session(7);
    struct das_snapshot *s = kit_snapshot(&row, 1);
    struct das_recording_stream *stream;
    char name[20];
    int rc = 0;

    for (int i = 0; i < instances && rc == 0; i++) {
        snprintf(name, sizeof name, "db%d", i);
        stream = das_recording_writer_stream(w, name, &err);
        rc = stream ? das_recording_stream_add(stream, s, das_clock_unix_ms(), &err) : -1;
    }
    das_snapshot_release(s);
    if (rc == 0)
        rc = das_recording_writer_flush(w, INT64_MAX, &err);
    return rc;
}

static void at_once(void)
{
    struct das_recording_writer *w = begin(0);

    if (!ok(write_lists(w, 4) == 0, "files begin within one millisecond"))
        tap_diag("%s", err.msg);
    is_int(das_recording_writer_close(w, &err), 0, "closed");
    is_str(files(),
           "a-20261126T120000.000Z.das:1 a-20261126T120000.001Z.das:1 "
           "a-20261126T120000.002Z.das:1 a-20261126T120000.003Z.das:1 ",
           "each has its list and a name of its own");
}

/* The newest are kept, by what was written last, whatever the clock says. */
static void set_back(void)
{
    struct das_recording_writer *w = begin(2);
    struct das_clock early;

    is_int(write_lists(w, 2), 0, "two lists");
    das_clock_init(&early, NOON - 3600000);
    das_clock_enter(&early);
    is_int(write_lists(w, 1), 0, "and one with the clock set back");
    is_int(das_recording_writer_close(w, &err), 0, "closed");
    is_str(files(), "a-20261126T120000.001Z.das:1 a-20261126T120000.002Z.das:1 ",
           "the last two are there");

    w = begin(2);
    is_int(write_lists(w, 1), 0, "begun again with the clock set back");
    is_int(das_recording_writer_close(w, &err), 0, "closed");
    is_str(files(), "a-20261126T110000.000Z.das:1 a-20261126T120000.002Z.das:1 ",
           "what is being written is one of those that stay");
    w = begin(1);
    is_int(write_lists(w, 3), 0, "one is kept");
    is_int(das_recording_writer_close(w, &err), 0, "closed");
    is_str(files(), "a-20261126T110000.003Z.das:1 ", "the last");
}

int main(void)
{
    struct das_clock noon;

    snprintf(dir, sizeof dir, "/tmp/das-rotation-XXXXXX");
    if (!mkdtemp(dir))
        exit(1);
    snprintf(base, sizeof base, "%s/a.das", dir);
    snprintf(pattern, sizeof pattern, "%s/a-*.das", dir);
    das_clock_init(&noon, NOON);
    das_clock_enter(&noon);
    at_once();
    empty_dir();
    das_clock_enter(&noon);
    set_back();
    empty_dir();
    das_clock_enter(NULL);
    rmdir(dir);
    return tap_done();
}
