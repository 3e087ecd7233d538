/*
 * http.c - requests per second of scripts, against the same loop in bare libcurl.
 *
 *     http [ROUNDS]     prints: das requests/s, bare requests/s, median of their ratio
 *
 * 64 at once, each on a thread of its own with a connection of its own, to a server in a process
 * of its own. Both take turns, so that what else the machine does hits both.
 */
#include "bindings/engine.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/web.h"

#define PARALLEL 64
#define REQUESTS 500 /* of each, in a round */

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                             "Content-Length: 47\r\n\r\n"
                             "{\"status\":\"ok\",\"id\":9007199254740993,\"list\":[]}";

/* --- the two clients --------------------------------------------------------------------------------- */

static char url[64], script[] = "/tmp/das-bench-XXXXXX";

static void *run_das(void *arg)
{
    static const struct das_limits limits = {
        .memory = (uint64_t)64 << 20, .cpu_ms = 600000, .wall_ms = 600000, .output = 1 << 20,
        .http_requests = UINT64_MAX, .http_bytes = UINT64_MAX};
    static char grant[] = "http:127.0.0.1";
    char *names[] = {grant};
    const struct das_grants grants = {names, 1};
    const char *args[] = {url};
    struct das_err err;
    struct das_engine_result result;
    struct das_inventory *inventory = das_inventory_new(&err);
    struct das_engine_opts opts = {.path = script,
                                   .args = args,
                                   .arg_count = 1,
                                   .inventory = inventory,
                                   .limits = &limits,
                                   .grants = &grants,
                                   .out = stdout};

    (void)arg;
    if (!inventory || das_engine_run(&opts, &result, &err) < 0) {
        fprintf(stderr, "http: %s\n", err.msg);
        exit(1);
    }
    das_engine_result_clear(&result);
    das_inventory_free(inventory);
    return NULL;
}

struct answer {
    char bytes[4096];
    size_t len;
};

static size_t keep(char *p, size_t size, size_t n, void *ud)
{
    struct answer *a = ud;

    n *= size;
    if (n > sizeof a->bytes - a->len)
        return 0;
    memcpy(a->bytes + a->len, p, n);
    a->len += n;
    return n;
}

static void *run_bare(void *arg)
{
    CURL *c = curl_easy_init();
    struct answer a;
    long status = 0;

    (void)arg;
    if (!c)
        exit(1);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &a);
    for (int i = 0; i < REQUESTS; i++) {
        a.len = 0;
        if (curl_easy_perform(c) || curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status) ||
            status != 200 || a.len != 47)
            exit(1);
    }
    curl_easy_cleanup(c);
    return NULL;
}

#define ROUNDS_MAX 101

int main(int argc, char **argv)
{
    double das[ROUNDS_MAX], bare[ROUNDS_MAX], ratio[ROUNDS_MAX];
    int rounds = argc > 1 ? atoi(argv[1]) : 9, fd = mkstemp(script);
    pid_t server;
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

    if (!f || rounds < 1 || rounds > ROUNDS_MAX)
        return 2;
    fprintf(f, "local url = ...\nfor _ = 1, %d do\n  local r = assert(das.http.get(url))\n"
               "  assert(r.status == 200 and #r.body == 47)\nend\n", REQUESTS);
    fclose(f);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", bench_serve(answer, &server));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    bench_round(run_das, PARALLEL);
    bench_round(run_bare, PARALLEL);
    for (int i = 0; i < rounds; i++) {
        das[i] = bench_round(run_das, PARALLEL) * REQUESTS;
        bare[i] = bench_round(run_bare, PARALLEL) * REQUESTS;
        ratio[i] = das[i] / bare[i];
    }
    kill(server, SIGKILL);
    unlink(script);
    qsort(das, (size_t)rounds, sizeof *das, bench_by_size);
    qsort(bare, (size_t)rounds, sizeof *bare, bench_by_size);
    qsort(ratio, (size_t)rounds, sizeof *ratio, bench_by_size);
    printf("%.0f %.0f %.3f\n", das[rounds / 2], bare[rounds / 2], ratio[rounds / 2]);
    return 0;
}
