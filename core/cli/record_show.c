/* record_show.c - see record_show.h. */
#include "core/cli/record_show.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"
#include "core/source/recording.h"
#include "core/source/recording_json.h"

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {"output", required_argument, NULL, 'o'},
    {"instance", required_argument, NULL, 'i'},
    {NULL, 0, NULL, 0},
};

/* What one file has of one instance. */
struct share {
    char *instance;
    uint64_t snapshots, rows;
    int64_t from_ms, to_ms;
};

struct show {
    bool info, json;
    const char *only; /* -i, or NULL */
    struct das_buf out;
    struct share *shares;
    size_t share_count;
};

void das_record_age(struct das_buf *b, int64_t ms)
{
    int64_t s = ms / 1000;

    if (ms < 10000)
        das_buf_printf(b, "%.1f s", (double)ms / 1000);
    else
        das_buf_printf(b, "%lld:%02d:%02d", (long long)(s / 3600), (int)(s / 60 % 60),
                       (int)(s % 60));
}

void das_record_size(struct das_buf *b, uint64_t bytes)
{
    if (bytes < 1000)
        das_buf_printf(b, "%llu B", (unsigned long long)bytes);
    else if (bytes < 1000000)
        das_buf_printf(b, "%.1f KB", (double)bytes / 1e3);
    else if (bytes < 1000000000)
        das_buf_printf(b, "%.1f MB", (double)bytes / 1e6);
    else
        das_buf_printf(b, "%.1f GB", (double)bytes / 1e9);
}

static int set_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct show *s = arg;
    int output;

    if (option == 'i') {
        s->only = value;
        return 0;
    }
    output = das_output_find(value);
    if (output < 0 || output == DAS_OUT_CSV)
        return das_fail(err, DAS_E_USAGE, "-o: expected table or json, got \"%s\"", value);
    s->json = output == DAS_OUT_JSON;
    return 0;
}

/* --- cat -------------------------------------------------------------------------------------- */

static void write_away(struct das_buf *b, void *arg)
{
    struct das_err ignored;

    (void)arg;
    das_write_out(b, &ignored); /* ferror(stdout) keeps it */
}

static int cat_one(struct show *s, const struct das_recording *r, const struct das_snapshot *snap,
                   struct das_err *err)
{
    const struct das_flush flush = {write_away, NULL};

    das_recording_json(snap, das_recording_instance(r), das_recording_time_ms(r), &flush, &s->out);
    return das_write_out(&s->out, err);
}

/* --- info ------------------------------------------------------------------------------------- */

static struct share *share_of(struct show *s, const char *instance, struct das_err *err)
{
    struct share *bigger;

    for (size_t i = 0; i < s->share_count; i++) {
        if (strcmp(s->shares[i].instance, instance) == 0)
            return &s->shares[i];
    }
    bigger = das_grow(s->shares, s->share_count + 1, sizeof *bigger);
    if (bigger) {
        s->shares = bigger;
        bigger[s->share_count] = (struct share){.instance = das_strdup(instance)};
        if (bigger[s->share_count].instance)
            return &bigger[s->share_count++];
    }
    das_fail_nomem(err);
    return NULL;
}

static int count_one(struct show *s, const struct das_recording *r, const struct das_snapshot *snap,
                     struct das_err *err)
{
    const char *instance = das_recording_instance(r);
    struct share *share = share_of(s, instance ? instance : "", err);
    int64_t ms = das_recording_time_ms(r);

    if (!share)
        return -1;
    if (!share->snapshots || ms < share->from_ms)
        share->from_ms = ms;
    if (!share->snapshots || ms > share->to_ms)
        share->to_ms = ms;
    share->snapshots++;
    share->rows += das_snapshot_rows(snap);
    return 0;
}

static void put_file(struct show *s, const char *path, const struct das_recording *r)
{
    struct das_buf *b = &s->out;
    uint64_t rows = 0, bytes = 0;
    struct stat st;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        bytes = (uint64_t)st.st_size;
    for (size_t i = 0; i < s->share_count; i++)
        rows += s->shares[i].rows;
    if (s->json) {
        das_buf_char(b, '{');
        das_json_key_text(b, "file", das_text_of(path));
        das_json_key_text(b, "format", das_text_of(das_recording_format(r)));
        das_json_key_int(b, "bytes", (int64_t)bytes);
        das_json_key_int(b, "rows", (int64_t)rows);
        das_json_key_text(b, "note", das_text_of(das_recording_note(r)));
        das_json_key(b, "instances");
        das_buf_char(b, '[');
        return;
    }
    das_buf_printf(b, "%s: %s, ", path, das_recording_format(r));
    das_record_size(b, bytes);
    das_buf_printf(b, ", %llu sessions", (unsigned long long)rows);
    if (rows && bytes)
        das_buf_printf(b, ", %.1f bytes each", (double)bytes / (double)rows);
    das_buf_char(b, '\n');
    if (das_recording_note(r))
        das_buf_printf(b, "  %s\n", das_recording_note(r));
}

static void put_share(struct show *s, const struct share *share)
{
    struct das_buf *b = &s->out;
    char from[32], to[32];

    if (s->json) {
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key_text(b, "instance",
                          share->instance[0] ? das_text_of(share->instance) : DAS_TEXT_NULL);
        das_json_key_int(b, "from_ms", share->from_ms);
        das_json_key_int(b, "to_ms", share->to_ms);
        das_json_key_int(b, "snapshots", (int64_t)share->snapshots);
        das_json_key_int(b, "rows", (int64_t)share->rows);
        das_buf_char(b, '}');
        return;
    }
    das_clock_iso(share->from_ms / 1000, from, sizeof from);
    das_clock_iso(share->to_ms / 1000, to, sizeof to);
    das_buf_printf(b, "  %s: %llu lists, %llu sessions, %s to %s\n",
                   share->instance[0] ? share->instance : "(no name)",
                   (unsigned long long)share->snapshots, (unsigned long long)share->rows, from, to);
}

static int put_info(struct show *s, const char *path, const struct das_recording *r,
                    struct das_err *err)
{
    put_file(s, path, r);
    for (size_t i = 0; i < s->share_count; i++)
        put_share(s, &s->shares[i]);
    if (s->json)
        das_buf_str(&s->out, "]}\n");
    return das_write_out(&s->out, err);
}

static void forget_shares(struct show *s)
{
    for (size_t i = 0; i < s->share_count; i++)
        das_free(s->shares[i].instance);
    das_free(s->shares);
    s->shares = NULL;
    s->share_count = 0;
}

/* --- both ------------------------------------------------------------------------------------- */

static int show_file(struct show *s, const char *path, struct das_err *err)
{
    struct das_recording *r;
    struct das_snapshot *snap;
    int rc;

    if (das_recording_open(path, &r, err) < 0)
        return -1;
    das_recording_only_of(r, s->only);
    while ((rc = das_recording_next(r, &snap, err)) == 1) {
        rc = (s->info ? count_one : cat_one)(s, r, snap, err);
        das_snapshot_release(snap);
        if (rc < 0)
            break;
    }
    if (rc == 0 && s->info)
        rc = put_info(s, path, r, err);
    if (das_recording_note(r) && (!s->info || s->json))
        fprintf(stderr, "das record: %s\n", das_recording_note(r));
    forget_shares(s);
    das_recording_close(r);
    return rc;
}

int das_record_show(int argc, char **argv, const char *help)
{
    struct show s = {.info = strcmp(argv[0], "info") == 0};
    const struct das_options o = {help, ":ho:i:", options, set_option, &s};
    int failed = 0, shown = 0, rc, exit_code = DAS_EXIT_DONE;
    struct das_err err;

    rc = das_options_read(&o, argc, argv, &err);
    if (rc != 0)
        return rc > 0 ? DAS_EXIT_DONE : das_complain("record", &err);
    if (optind == argc) {
        das_fail(&err, DAS_E_USAGE, "%s: expected a file; - is standard input", argv[0]);
        return das_complain("record", &err);
    }
    for (int i = optind; i < argc; i++) {
        rc = show_file(&s, argv[i], &err);
        shown += rc == 0;
        failed += rc < 0;
        if (rc < 0)
            exit_code = das_complain("record", &err);
    }
    das_buf_clear(&s.out);
    return failed && shown ? DAS_EXIT_PARTIAL : failed ? exit_code : DAS_EXIT_DONE;
}
