/*
 * cloud.c - previews of the DAS API a second, against the same exchanges in bare libcurl; and memory
 * over many calls.
 *
 *     cloud [ROUNDS]       das previews/s, bare exchanges/s, median of their ratio
 *     cloud memory CALLS   KB held after a tenth of the calls, and after all of them
 *
 * 64 threads share an account of 64 connections; the bare loop has a connection for each thread. Both
 * send the same body and as many headers, to a server in a process of its own, and take turns. The
 * bare loop signs nothing and reads nothing in the answer.
 */
#include <curl/curl.h>

#include "core/cloud/api.h"
#include "tests/bench/web.h"

#define PARALLEL 64
#define REQUESTS 500 /* of each, in a round */
#define PATH "/v3/0123456789abcdef0123456789abcdef/instances/0123456789abcdef0123456789abcdefin01/"
#define PREVIEW PATH "auto-flow/preview-session-for-kill-process-task"

#define ANSWER                                                                                     \
    "{\"success\":false,\"data_sync_time\":1766655104,\"total_count\":1,\"processes\":[{\"id\":34850917,"     \
    "\"user\":\"root\",\"host\":\"100.79.0.247:59474\",\"db\":\"cds\",\"state\":\"User sleep\","             \
    "\"command\":\"Query\",\"sql_info\":\"SELECT sleep(49599)\\nLIMIT 0, 50\",\"state_duration\":7}]}"

static struct das_cloud *cloud;
static struct das_cloud_address address;
static char url[200];

static void die(const char *what)
{
    fprintf(stderr, "cloud: %s\n", what);
    exit(1);
}

static const struct das_cloud_criteria criteria = {
    .user = {"root", 4}, .host = {"100.%", 5}, .db = {"cds", 3}, .command = {"Query", 5},
    .info = {"select~from~das", 15}, .time = 5, .task_duration = 30};

static void preview(void)
{
    const struct das_cloud_place place = das_cloud_address_place(&address);
    struct das_cloud_call call = {0};
    struct das_cloud_preview p;
    struct das_err err;

    if (das_cloud_preview(cloud, &place, &criteria, &call, &p, &err) < 0)
        die(err.msg);
    if (p.processes.list.count != 1)
        die("another answer");
    das_cloud_preview_clear(&p);
}

static void *run_das(void *arg)
{
    (void)arg;
    for (int i = 0; i < REQUESTS; i++)
        preview();
    return NULL;
}

static size_t keep(char *p, size_t size, size_t n, void *ud)
{
    (void)p;
    *(size_t *)ud += size * n;
    return size * n;
}

static void *run_bare(void *arg)
{
    static const char *const lines[] = {
        "Content-Type: application/json", "X-Project-Id: 0123456789abcdef0123456789abcdef",
        "X-Sdk-Date: 20261124T120000Z",
        "Authorization: SDK-HMAC-SHA256 Access=AKAKAKAKAKAKAKAKAKAK, SignedHeaders=content-type;host;"
        "x-project-id;x-sdk-date, Signature="
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    };
    struct curl_slist *headers = NULL;
    CURL *c = curl_easy_init();
    struct das_buf body = {0};
    size_t got;
    long status = 0;

    (void)arg;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        headers = curl_slist_append(headers, lines[i]);
    das_cloud_criteria_json(&criteria, &body);
    if (!c || !headers || !body.ptr)
        die("out of memory");
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.ptr);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &got);
    for (int i = 0; i < REQUESTS; i++) {
        got = 0;
        if (curl_easy_perform(c) || curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status) ||
            status != 200 || got != sizeof ANSWER - 1)
            die("the bare loop failed");
    }
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
    das_buf_clear(&body);
    return NULL;
}

/* KB of this process in memory. */
static long resident(void)
{
    long pages = 0, ignored;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%ld %ld", &ignored, &pages) != 2)
        die("no /proc/self/statm");
    fclose(f);
    return pages * 4;
}

static void measure_memory(long calls)
{
    long before = 0;

    for (long i = 1; i <= calls; i++) {
        preview();
        if (i == calls / 10)
            before = resident();
    }
    printf("%ld %ld\n", before, resident());
}

#define ROUNDS_MAX 101

static void measure_rate(int rounds)
{
    double das[ROUNDS_MAX], bare[ROUNDS_MAX], ratio[ROUNDS_MAX];

    bench_round(run_das, PARALLEL);
    bench_round(run_bare, PARALLEL);
    for (int i = 0; i < rounds; i++) {
        das[i] = bench_round(run_das, PARALLEL) * REQUESTS;
        bare[i] = bench_round(run_bare, PARALLEL) * REQUESTS;
        ratio[i] = das[i] / bare[i];
    }
    qsort(das, (size_t)rounds, sizeof *das, bench_by_size);
    qsort(bare, (size_t)rounds, sizeof *bare, bench_by_size);
    qsort(ratio, (size_t)rounds, sizeof *ratio, bench_by_size);
    printf("%.0f %.0f %.3f\n", das[rounds / 2], bare[rounds / 2], ratio[rounds / 2]);
}

static void open_account(const char *endpoint)
{
    struct das_secret_place secret = {.name = (char[]){"secret"}, .where = (char[]){"BENCH_SK"},
                                      .from = DAS_SECRET_ENV};
    struct das_cloud_conf conf = das_cloud_conf_default;
    struct das_err err;

    setenv("BENCH_SK", "0123456789abcdef0123456789abcdef01234567", 1);
    conf.credential.kind = DAS_CREDENTIAL_KEYS;
    conf.credential.access_key = "AKAKAKAKAKAKAKAKAKAK";
    conf.credential.secret_key = &secret;
    conf.endpoint = endpoint;
    conf.rate = 0;
    conf.concurrency = PARALLEL;
    cloud = das_cloud_new(&conf, &err);
    if (!cloud || das_cloud_address_parse("//cn-north-4/0123456789abcdef0123456789abcdef/"
                                          "0123456789abcdef0123456789abcdefin01", &address, &err) < 0)
        die(err.msg);
}

int main(int argc, char **argv)
{
    static char answer[2000];
    bool memory = argc == 3 && strcmp(argv[1], "memory") == 0;
    int rounds = argc > 1 && !memory ? atoi(argv[1]) : 9;
    char endpoint[60];
    pid_t server;

    if (rounds < 1 || rounds > ROUNDS_MAX)
        return 2;
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                    "Content-Length: %zu\r\n\r\n%s", sizeof ANSWER - 1, ANSWER);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", bench_serve(answer, &server));
    snprintf(url, sizeof url, "%s" PREVIEW, endpoint);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    open_account(endpoint);
    if (memory)
        measure_memory(atol(argv[2]));
    else
        measure_rate(rounds);
    kill(server, SIGKILL);
    das_cloud_release(cloud);
    return 0;
}
