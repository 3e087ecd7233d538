/*
 * rows.c - what a preview costs for each session, from 1,000 to 1,000,000 of them.
 *
 *     rows
 *
 * For each size: a memory instance, a filter of three keywords, and in the same minute a count of
 * one keyword over the same bytes by grep -ci. A line each: sessions, ns a session, that by the
 * cost at 1,000, and that by grep's. grep's own start is taken off by running it on nothing.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/source/preview.h"

/* The statement of one session: the part before its number and the part after. */
static const char *const statements[][2] = {
    {"SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE "
     "o.id = ",
     " AND o.state = 'open'"},
    {"UPDATE stock SET amount = amount - 1 WHERE product_id = ", " AND amount > 0"},
    {"SELECT product_id, SUM(amount) FROM order_items WHERE created > '2026-01-01' AND shop_id = ",
     " GROUP BY product_id ORDER BY 2 DESC LIMIT 100"},
    {"INSERT INTO audit_log (who, what, created) VALUES (", ", 'login', NOW())"},
};

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const struct das_err *err)
{
    fprintf(stderr, "rows: %s\n", err->msg);
    exit(1);
}

static const char *grep_out; /* a file: on /dev/null grep stops at the first match */

/* The same sessions as a recording for das and as lines of SQL for grep. */
static void write_files(const char *recording, const char *text, unsigned n)
{
    FILE *r = fopen(recording, "w"), *t = fopen(text, "w");
    char sql[400];

    if (!r || !t)
        exit(1);
    fputs("ID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\n", r);
    for (unsigned i = 0; i < n; i++) {
        snprintf(sql, sizeof sql, "%s%u%s", statements[i % 4][0], i * 7919 % 1000000,
                 statements[i % 4][1]);
        fprintf(r, "%u\tapp_%u\t10.0.%u.%u:%u\tshop\tQuery\t%u\tSending data\t%s\n", i + 1, i % 5,
                i % 4, i % 200, 20000 + i % 40000, i % 100, sql);
        fprintf(t, "%s\n", sql);
    }
    fclose(r);
    fclose(t);
}

/* Spawned, not forked: a fork of a process with a million sessions would slow down what follows. */
static double grep_once(const char *text)
{
    char *argv[] = {(char[]){"grep"}, (char[]){"-ci"}, (char[]){"order_items"},
                    (char *)(uintptr_t)text, NULL};
    posix_spawn_file_actions_t files;
    double start = now();
    pid_t pid;
    int status;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, grep_out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (posix_spawnp(&pid, "grep", &files, NULL, argv, environ) != 0 ||
        waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) > 1) {
        fprintf(stderr, "rows: grep did not run\n");
        exit(1);
    }
    posix_spawn_file_actions_destroy(&files);
    return now() - start;
}

#define SIZES 4
#define ROUNDS 9

struct size {
    unsigned n;
    char recording[64], text[64];
    struct das_source *source;
    double cost, grep; /* s for one look: the best round */
};

/* Seconds for one preview; small sizes are looked at as often as makes a million sessions. */
static double preview_cost(const struct size *z, struct das_filter *filter)
{
    unsigned batch = 1000000 / z->n;
    double start = now();
    struct das_err err;

    for (unsigned i = 0; i < batch; i++) {
        struct das_selection *sel = das_preview(z->source, filter, 0, &err);
        if (!sel)
            die(&err);
        if (sel->count != z->n / 4) {
            fprintf(stderr, "rows: %zu found, expected %u\n", sel->count, z->n / 4);
            exit(1);
        }
        das_selection_free(sel);
    }
    return (now() - start) / batch;
}

static void open_size(struct size *z, const char *dir, unsigned n)
{
    struct das_source_conf conf = {0};
    struct das_err err;
    char spec[80];

    z->n = n;
    z->cost = z->grep = 1e9;
    snprintf(z->recording, sizeof z->recording, "%s/list-%u", dir, n);
    snprintf(z->text, sizeof z->text, "%s/sql-%u", dir, n);
    snprintf(spec, sizeof spec, "mem:%s", z->recording);
    conf.spec = spec;
    write_files(z->recording, z->text, n);
    if (das_source_open(&conf, &z->source, &err) < 0)
        die(&err);
}

/* All sizes in turn, round by round, so that a slow moment of the machine hits them all. */
static void measure(struct size *sizes, struct das_filter *filter)
{
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SIZES; i++) {
            struct size *z = &sizes[i];
            double cost = preview_cost(z, filter), grep = grep_once(z->text);
            z->cost = cost < z->cost ? cost : z->cost;
            z->grep = grep < z->grep ? grep : z->grep;
        }
    }
}

int main(void)
{
    char dir[] = "/tmp/das-rows-XXXXXX", count[64];
    struct size sizes[SIZES];
    struct das_filter *filter;
    struct das_err err;
    double grep_start = 1e9;

    if (!mkdtemp(dir) || !(filter = das_filter_new(&err)))
        return 1;
    snprintf(count, sizeof count, "%s/count", dir);
    grep_out = count;
    if (das_filter_set_text(filter, "info", "select~from~order_items", &err) < 0)
        die(&err);
    for (unsigned i = 0, n = 1000; i < SIZES; i++, n *= 10)
        open_size(&sizes[i], dir, n);
    for (int i = 0; i < 20; i++) {
        double t = grep_once("/dev/null");
        grep_start = t < grep_start ? t : grep_start;
    }
    measure(sizes, filter);
    for (int i = 0; i < SIZES; i++) {
        struct size *z = &sizes[i];
        printf("%u %.1f %.3f %.3f\n", z->n, z->cost / z->n * 1e9,
               z->cost / z->n / (sizes[0].cost / sizes[0].n), z->cost / (z->grep - grep_start));
        das_source_close(z->source);
        unlink(z->recording);
        unlink(z->text);
    }
    das_filter_release(filter);
    unlink(count);
    rmdir(dir);
    return 0;
}
