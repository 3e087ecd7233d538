/*
 * journal.c - what a record of the journal costs.
 *
 *     journal rate DIR COUNT    a line: records a second (a commit each), lines of the same size
 *                               written and synced by hand, the one by the other
 *     journal fill DIR COUNT    writes a journal of so many records of about 400 bytes
 *
 * The two kinds of writing take turns, in the same directory, so that a slow moment of the disk
 * hits both.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/store/journal.h"

#define SQL                                                                                      \
    "\"sql\":\"SELECT product_id, SUM(amount) FROM order_items WHERE created > ? AND shop_id = " \
    "?\""
#define INTENT                                                                                    \
    "\"plan\":\"1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef\",\"instance\":" \
    "\"orders\",\"id\":4711,\"user\":\"app\",\"host\":\"10.0.0.7:51000\",\"db\":\"shop\"," SQL
#define OUTCOME                                   \
    "\"outcome\":\"killed\",\"after_ms\":12," SQL \
    ",\"note\":\"the connection was closed, its transaction rolled back\""

#define ROUNDS 20
#define BATCH 1000

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int die(const char *what)
{
    fprintf(stderr, "journal: %s\n", what);
    exit(1);
}

static int measure_line(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    (void)seq;
    (void)hash;
    *(size_t *)arg = line.len;
    return 0;
}

static double commit_some(struct das_store *s, int n)
{
    double start = now();
    struct das_err err;

    for (int i = 0; i < n; i++) {
        struct das_record r = {.kind = "intent", .members = das_text_of(INTENT)};
        if (das_journal_add(s, &r, 1, &err) < 0)
            die(err.msg);
    }
    return now() - start;
}

static double write_some(int fd, const char *line, size_t len, int n)
{
    double start = now();

    for (int i = 0; i < n; i++) {
        if (write(fd, line, len) != (ssize_t)len || fdatasync(fd) < 0)
            die("write");
    }
    return now() - start;
}

static void rate(const char *dir, int count)
{
    char path[1000], line[1000];
    struct das_store *s;
    struct das_err err;
    double das = 0, bare = 0;
    size_t len = 0;
    int fd;

    if (das_store_open(dir, &s, &err) < 0)
        die(err.msg);
    snprintf(path, sizeof path, "%s/lines", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    commit_some(s, 10);
    if (fd < 0 || das_journal_each(s, 11, measure_line, &len, &err) < 0 || len + 1 > sizeof line)
        die("cannot begin");
    memset(line, 'x', len);
    line[len++] = '\n';
    for (int i = 0; i < ROUNDS; i++) {
        das += commit_some(s, count / ROUNDS);
        bare += write_some(fd, line, len, count / ROUNDS);
    }
    printf("%.0f %.0f %.3f\n", count / das, count / bare, bare / das);
    close(fd);
    unlink(path);
    das_store_close(s);
}

static void fill(const char *dir, int count)
{
    struct das_record *r = das_calloc(BATCH, sizeof *r);
    struct das_store *s;
    struct das_head head;
    struct das_err err;

    if (!r || das_store_open(dir, &s, &err) < 0 || das_journal_head(s, &head, &err) < 0)
        die("cannot begin");
    while (head.seq < count) {
        int n = count - head.seq < BATCH ? (int)(count - head.seq) : BATCH;
        for (int i = 0; i < n; i++) {
            r[i] = (struct das_record){.kind = "intent", .members = das_text_of(INTENT)};
            if (i % 2)
                r[i] = (struct das_record){
                    .kind = "outcome", .members = das_text_of(OUTCOME), .closes = head.seq + i};
        }
        if (das_journal_add(s, r, (size_t)n, &err) < 0 || das_journal_head(s, &head, &err) < 0)
            die(err.msg);
    }
    das_free(r);
    das_store_close(s);
}

int main(int argc, char **argv)
{
    if (argc != 4 || atoi(argv[3]) < ROUNDS)
        return die("journal rate|fill DIR COUNT");
    if (strcmp(argv[1], "rate") == 0)
        rate(argv[2], atoi(argv[3]));
    else
        fill(argv[2], atoi(argv[3]));
    return 0;
}
