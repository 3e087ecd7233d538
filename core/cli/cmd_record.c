/* cmd_record.c - das record: what instances do, written down again and again. It only looks. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"
#include "core/cli/interrupt.h"
#include "core/cli/record_show.h"
#include "core/source/recorder.h"

static const char help[] =
    "das record -i INSTANCE... -o FILE [--every 1s] [--for 1h] [--redact]\n"
    "das record cat FILE...                the recording as JSON, one list a line\n"
    "das record info [-o table|json] FILE...   what is in it\n"
    "\n"
    "Writes down the sessions of one or many instances again and again, for das replay, das test\n"
    "and to look at later (das preview -i file:FILE). It only looks; nothing is ever changed. "
    "Each\n"
    "instance is asked by itself, so that one that hangs delays nobody; one that fails is asked\n"
    "again, and the recording tells the gap. Ctrl-C and SIGTERM end it with everything written.\n"
    "\n"
    "  -i, --instance INSTANCE  a name from das.lua, mysql://..., das://..., mem:PATH, file:PATH\n"
    "  -o, --output FILE        is appended to if it is there; only its owner may read it\n"
    "      --every AGE          between two looks: 500ms, 1s (the default), 1m\n"
    "      --for AGE            how long; else until it is ended\n"
    "      --redact             of statements only their shape is kept (select * from t where a = "
    "?);\n"
    "                           one with a quote behind a backslash ends there\n"
    "      --flush AGE          what is not older than this may be lost in a crash: 10s\n"
    "      --quiet              no progress, no summary\n"
    "      --config FILE        instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                           /etc/das/das.lua\n"
    "\n"
    "Rotation. With any of these the time at which a file begins gets into its name, before the\n"
    "extension: night.das becomes night-20261124T031705.123Z.das (UTC).\n"
    "      --rotate-size SIZE   another file begins before one gets larger: 100MB\n"
    "      --rotate-age AGE     another file begins when one is so old: 1h\n"
    "      --keep N             only the newest N of these files are left, the one that is being\n"
    "                           written among them; the others are deleted\n"
    "\n"
    "An hour of 1,000 busy sessions, a look a second, is about 40 MB. docs/recording.md describes\n"
    "the file byte by byte.\n"
    "\n"
    "Examples\n"
    "  das record -i mysql://das@db1/ --for 10m -o incident.das\n"
    "  das record -i orders -i billing --redact --rotate-age 1h --keep 48 -o "
    "/var/lib/das/week.das\n"
    "  das record cat incident.das | jq '.processes | length'\n"
    "\n"
    "Exit: 0 done, 1 failed, 2 usage or configuration, 4 some instance never answered.\n";

enum { O_EVERY = 1001, O_FOR, O_REDACT, O_FLUSH, O_QUIET, O_ROTATE_SIZE, O_ROTATE_AGE, O_KEEP };

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"every", required_argument, NULL, O_EVERY},
    {"for", required_argument, NULL, O_FOR},
    {"redact", no_argument, NULL, O_REDACT},
    {"flush", required_argument, NULL, O_FLUSH},
    {"quiet", no_argument, NULL, O_QUIET},
    {"rotate-size", required_argument, NULL, O_ROTATE_SIZE},
    {"rotate-age", required_argument, NULL, O_ROTATE_AGE},
    {"keep", required_argument, NULL, O_KEEP},
    {NULL, 0, NULL, 0},
};

#define EVERY_MS 1000
#define EVERY_MIN_MS 10

struct record {
    struct das_common common;
    struct das_recording_opts file;
    const char *path;
    int64_t every_ms, for_ms;
    bool quiet, live; /* live: progress on a terminal */
    int64_t shown_ms;
    struct das_recording_writer *writer;
    struct das_source **sources;
};

/* --- options ---------------------------------------------------------------------------------- */

static int age_option(int64_t *to, const char *name, const char *text, int64_t least,
                      struct das_err *err)
{
    if (das_parse_duration_ms(das_text_of(text), to) && *to >= least)
        return 0;
    return das_fail(
        err, DAS_E_USAGE,
        "--%s: expected an age of at least %lld ms such as 500ms, 10s or 1h, got \"%s\"", name,
        (long long)least, text);
}

static int set_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct record *r = arg;
    int64_t n;
    int known;

    if (option == 'o') {
        r->path = value;
        return 0;
    }
    known = das_common_option(&r->common, option, value, err);
    if (known)
        return known < 0 ? -1 : 0;
    switch (option) {
    case O_EVERY:
        return age_option(&r->every_ms, "every", value, EVERY_MIN_MS, err);
    case O_FOR:
        return age_option(&r->for_ms, "for", value, 1, err);
    case O_FLUSH:
        return age_option(&r->file.flush_ms, "flush", value, 1, err);
    case O_ROTATE_AGE:
        return age_option(&r->file.rotate_age_ms, "rotate-age", value, 1000, err);
    case O_ROTATE_SIZE:
        if (das_parse_size(das_text_of(value), &r->file.rotate_size) && r->file.rotate_size)
            return 0;
        return das_fail(err, DAS_E_USAGE,
                        "--rotate-size: expected a size such as 100MB, got \"%s\"", value);
    case O_KEEP:
        if (!das_parse_int(das_text_of(value), &n) || n < 1 || n > 1000000)
            return das_fail(err, DAS_E_USAGE, "--keep: expected a number from 1 on, got \"%s\"",
                            value);
        r->file.keep = (uint32_t)n;
        return 0;
    case O_REDACT:
        r->file.redact = true;
        return 0;
    default:
        r->quiet = true;
        return 0;
    }
}

static int check(struct record *r, int argc, char **argv, struct das_err *err)
{
    if (optind < argc)
        return das_fail(err, DAS_E_USAGE,
                        "\"%s\" is no option; das record cat and das record info take files",
                        argv[optind]);
    if (!r->path)
        return das_fail(err, DAS_E_USAGE, "no file: say -o FILE");
    if (r->file.keep && !r->file.rotate_size && !r->file.rotate_age_ms)
        return das_fail(err, DAS_E_USAGE,
                        "--keep: expected --rotate-size or --rotate-age beside it");
    if (das_common_finish(&r->common, err) < 0)
        return -1;
    if (das_inventory_count(r->common.inventory) == 0)
        return das_fail(err, DAS_E_USAGE,
                        "no instance: say -i INSTANCE; das preview --help shows kinds");
    return 0;
}

static int open_sources(struct record *r, struct das_err *err)
{
    size_t n = das_inventory_count(r->common.inventory);

    r->sources = das_calloc(n, sizeof *r->sources);
    if (!r->sources)
        return das_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        r->sources[i] = das_inventory_open(r->common.inventory, i, err);
        if (!r->sources[i])
            return -1;
    }
    return 0;
}

/* --- what is told meanwhile ------------------------------------------------------------------- */

static void wipe(const struct record *r)
{
    if (r->live)
        fputs("\r\033[K", stderr);
}

static void say(void *arg, const char *instance, const char *text)
{
    struct record *r = arg;

    flockfile(stderr);
    wipe(r);
    fprintf(stderr, "das record: %s: %s\n", instance, text);
    funlockfile(stderr);
}

static void progress(void *arg, const struct das_recorder_totals *t)
{
    struct record *r = arg;
    struct das_buf b = {0};
    uint64_t bytes;

    if (!r->live || (r->shown_ms && t->elapsed_ms - r->shown_ms < 1000))
        return;
    r->shown_ms = t->elapsed_ms;
    bytes = das_recording_writer_bytes(r->writer);
    das_record_age(&b, t->elapsed_ms);
    das_buf_printf(&b, "  %zu instance%s", t->instances, t->instances == 1 ? "" : "s");
    if (t->silent)
        das_buf_printf(&b, " (%zu silent)", t->silent);
    das_buf_printf(&b, "  %llu lists  %llu sessions  ", (unsigned long long)t->snapshots,
                   (unsigned long long)t->rows);
    das_record_size(&b, bytes);
    das_buf_str(&b, "  ");
    das_record_size(&b, t->elapsed_ms ? bytes * 1000 / (uint64_t)t->elapsed_ms : 0);
    das_buf_str(&b, "/s");
    if (!b.failed) {
        flockfile(stderr);
        wipe(r);
        fputs(b.ptr, stderr);
        fflush(stderr);
        funlockfile(stderr);
    }
    das_buf_clear(&b);
}

static void summary(const struct record *r, const struct das_recorder_totals *t, uint64_t bytes)
{
    struct das_buf b = {0};

    das_buf_printf(&b, "das record: %llu list%s of %zu instance%s in ",
                   (unsigned long long)t->snapshots, t->snapshots == 1 ? "" : "s", t->instances,
                   t->instances == 1 ? "" : "s");
    das_record_age(&b, t->elapsed_ms);
    das_buf_printf(&b, ", %llu sessions, ", (unsigned long long)t->rows);
    das_record_size(&b, bytes);
    if (t->rows)
        das_buf_printf(&b, " (%.1f bytes a session)", (double)bytes / (double)t->rows);
    if (t->missed)
        das_buf_printf(&b, "; %llu look%s missed", (unsigned long long)t->missed,
                       t->missed == 1 ? "" : "s");
    if (t->failed)
        das_buf_printf(&b, "; %llu look%s failed", (unsigned long long)t->failed,
                       t->failed == 1 ? "" : "s");
    if (!b.failed) {
        wipe(r);
        fprintf(stderr, "%s\n", b.ptr);
    }
    das_buf_clear(&b);
}

/* --- recording -------------------------------------------------------------------------------- */

static int record(struct record *r, struct das_err *err)
{
    struct das_recorder_totals totals;
    struct das_recorder_opts opts = {
        .sources = r->sources,
        .count = das_inventory_count(r->common.inventory),
        .every_ms = r->every_ms,
        .for_ms = r->for_ms,
        .cancel = das_interrupt_catch(),
        .arg = r,
        .say = say,
        .progress = progress,
    };
    struct das_err other;
    uint64_t bytes;
    int rc;

    if (das_recording_writer_note(r->writer))
        fprintf(stderr, "das record: %s\n", das_recording_writer_note(r->writer));
    r->live = !r->quiet && isatty(STDERR_FILENO);
    rc = das_record(r->writer, &opts, &totals, err);
    bytes = das_recording_writer_bytes(r->writer);
    if (das_recording_writer_close(r->writer, rc < 0 ? &other : err) < 0)
        rc = -1;
    r->writer = NULL;
    if (!r->quiet)
        summary(r, &totals, bytes);
    if (rc < 0)
        return -1;
    return totals.never == totals.instances ? DAS_EXIT_FAILED
           : totals.never                   ? DAS_EXIT_PARTIAL
                                            : DAS_EXIT_DONE;
}

int das_cmd_record(int argc, char **argv)
{
    struct record r = {.every_ms = EVERY_MS};
    const struct das_options o = {help, ":" DAS_COMMON_SHORT, options, set_option, &r};
    struct das_err err;
    int rc;

    if (argc > 1 && (strcmp(argv[1], "cat") == 0 || strcmp(argv[1], "info") == 0))
        return das_record_show(argc - 1, argv + 1, help);
    if (das_common_init(&r.common, &err) < 0)
        goto complain;
    rc = das_options_read(&o, argc, argv, &err);
    if (rc > 0) {
        rc = DAS_EXIT_DONE;
        goto done;
    }
    if (rc < 0 || check(&r, argc, argv, &err) < 0 || open_sources(&r, &err) < 0 ||
        das_recording_writer_open(r.path, &r.file, &r.writer, &err) < 0)
        goto complain;
    rc = record(&r, &err);
    if (rc >= 0)
        goto done;
complain:
    rc = das_complain("record", &err);
done:
    das_common_clear(&r.common);
    das_free(r.sources);
    return rc;
}
