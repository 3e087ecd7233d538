/*
 * replay.c - a recording of busy sessions for `make bench ONLY=replay`, and what merely reading one
 * costs.
 *
 *   replay make FILE SNAPSHOTS SESSIONS    one second apart; a tenth of the sessions begin another
 *                                          statement in each
 *   replay read FILE                       every snapshot of it, every session's number and age
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/source/recording.h"
#include "core/source/recording_writer.h"

static struct das_err err;

static void die(void)
{
    fprintf(stderr, "replay: %s\n", err.msg);
    exit(1);
}

static uint64_t state = 88172645463325252u;

static unsigned below(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 20) % n);
}

struct life {
    int64_t query_id, began;
    char user[16], host[32], sql[200];
    bool sleeps;
};

static void begin(struct life *l, int64_t now)
{
    static int64_t query_id = 1000;

    l->query_id = ++query_id;
    l->began = now;
    l->sleeps = below(3) == 0;
    snprintf(l->sql, sizeof l->sql,
             "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id "
             "WHERE o.state = 'open' AND o.id > %u LIMIT %u",
             below(1000000), 10 + below(90));
}

static void add(struct das_snapshot *s, const struct life *l, int64_t id, int64_t now)
{
    struct das_session row;

    das_session_unknown(&row);
    row.id = id;
    row.user = das_text_of(l->user);
    row.host = das_text_of(l->host);
    row.db = das_text_of("shop");
    row.command = das_text_of(l->sleeps ? "Sleep" : "Query");
    row.state = das_text_of(l->sleeps ? "" : "Sending data");
    if (!l->sleeps)
        row.sql_info = das_text_of(l->sql);
    row.state_duration = now - l->began;
    row.time_ms = (now - l->began) * 1000 + id % 1000;
    row.query_id = l->query_id;
    row.rows_examined = l->sleeps ? 0 : (now - l->began) * 5000;
    if (das_snapshot_add(s, &row, &err) < 0)
        die();
}

static void make(const char *path, int64_t snapshots, int64_t sessions)
{
    struct life *lives = calloc((size_t)sessions, sizeof *lives);
    struct das_identity server = {.server = "mariadb:bench", .start_unix_s = 1766600000};
    struct das_recording_stream *stream;
    struct das_recording_writer *w;
    const int64_t from = 1766655104;

    if (das_recording_writer_open(path, NULL, &w, &err) < 0 ||
        !(stream = das_recording_writer_stream(w, "shop", &err)))
        die();
    for (int64_t t = 0; t < snapshots && lives; t++) {
        struct das_snapshot *s = das_snapshot_new(&err);
        das_snapshot_set_time(s, from + t);
        das_snapshot_set_identity(s, &server);
        das_snapshot_set_complete(s, true);
        for (int64_t i = 0; i < sessions; i++) {
            struct life *l = &lives[i];
            if (t == 0) {
                snprintf(l->user, sizeof l->user, "app%u", below(12));
                snprintf(l->host, sizeof l->host, "10.0.%u.%u:%u", below(4), below(250),
                         10000 + below(50000));
            }
            if (t == 0 || below(10) == 0)
                begin(l, from + t);
            add(s, l, 1000 + i, from + t);
        }
        if (das_recording_stream_add(stream, s, (from + t) * 1000, &err) < 0)
            die();
        das_snapshot_release(s);
    }
    free(lives);
    if (das_recording_writer_close(w, &err) < 0)
        die();
}

static void read_all(const char *path)
{
    struct das_recording *r;
    struct das_snapshot *s;
    uint64_t rows = 0, sum = 0;
    int rc;

    if (das_recording_open(path, &r, &err) < 0)
        die();
    while ((rc = das_recording_next(r, &s, &err)) == 1) {
        for (uint32_t i = 0; i < das_snapshot_rows(s); i++)
            sum += (uint64_t)das_snapshot_ids(s)[i] + (uint64_t)das_snapshot_durations(s)[i];
        rows += das_snapshot_rows(s);
        das_snapshot_release(s);
    }
    das_recording_close(r);
    if (rc < 0)
        die();
    printf("%llu rows, %llu\n", (unsigned long long)rows, (unsigned long long)sum);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "make") == 0)
        make(argv[2], atoll(argv[3]), atoll(argv[4]));
    else if (argc == 3 && strcmp(argv[1], "read") == 0)
        read_all(argv[2]);
    else
        return 2;
    return 0;
}
