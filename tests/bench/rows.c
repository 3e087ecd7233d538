/*
 * rows.c - what a preview costs for each session, from 1,000 to 1,000,000 of them.
 *
 *     rows
 *
 * For each size: a memory instance, a filter of three keywords, and in the same minute a count of
 * one keyword over the same bytes by grep -ci. A line each: sessions, ns a session, that by the
 * cost at 1,000, and that by grep's. grep's own start is taken off by running it on nothing.
 */
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

static double grep_once(const char *text)
{
    double start = now();
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (!freopen(grep_out, "w", stdout))
            _exit(1);
        execlp("grep", "grep", "-ci", "order_items", text, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return now() - start;
}

static double best_of(double (*f)(const char *), const char *arg, int runs)
{
    double best = 1e9;

    for (int i = 0; i < runs; i++) {
        double t = f(arg);
        best = t < best ? t : best;
    }
    return best;
}

/* Seconds for one preview: the best of several batches that each look at a million sessions. */
static double preview_cost(struct das_source *source, struct das_filter *filter, unsigned n,
                           size_t *found)
{
    unsigned batch = 1000000 / n;
    double best = 1e9;
    struct das_err err;

    for (int round = 0; round < 7; round++) {
        double start = now(), t;
        for (unsigned i = 0; i < batch; i++) {
            struct das_selection *sel = das_preview(source, filter, true, &err);
            if (!sel)
                die(&err);
            *found = sel->count;
            das_selection_free(sel);
        }
        t = (now() - start) / batch;
        best = t < best ? t : best;
    }
    return best;
}

int main(void)
{
    char dir[] = "/tmp/das-rows-XXXXXX", recording[64], text[64], count[64], spec[80];
    double first = 0, grep_start;
    struct das_filter *filter;
    struct das_err err;

    if (!mkdtemp(dir) || !(filter = das_filter_new(&err)))
        return 1;
    snprintf(recording, sizeof recording, "%s/list", dir);
    snprintf(text, sizeof text, "%s/sql", dir);
    snprintf(count, sizeof count, "%s/count", dir);
    snprintf(spec, sizeof spec, "mem:%s", recording);
    grep_out = count;
    grep_start = best_of(grep_once, "/dev/null", 20);
    if (das_filter_set_text(filter, "info", "select~from~order_items", &err) < 0)
        die(&err);
    for (unsigned n = 1000; n <= 1000000; n *= 10) {
        struct das_source_conf conf = {.spec = spec};
        struct das_source *source;
        double cost, grep;
        size_t found = 0;

        write_files(recording, text, n);
        if (das_source_open(&conf, &source, &err) < 0)
            die(&err);
        cost = preview_cost(source, filter, n, &found) / n * 1e9;
        grep = (best_of(grep_once, text, n < 100000 ? 30 : 7) - grep_start) / n * 1e9;
        das_source_close(source);
        if (found != n / 4) {
            fprintf(stderr, "rows: %zu found, expected %u\n", found, n / 4);
            return 1;
        }
        if (n == 1000)
            first = cost;
        printf("%u %.1f %.3f %.3f\n", n, cost, cost / first, cost / grep);
        fflush(stdout);
    }
    das_filter_release(filter);
    unlink(recording);
    unlink(text);
    unlink(count);
    rmdir(dir);
    return 0;
}
