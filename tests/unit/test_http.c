/*
 * test_http.c - das.http through das_engine_run(): every allocation fails once, and 64 runs at once.
 *
 * The server is a thread of this test that never allocates.
 */
#include "bindings/engine.h"
#include "core/base/mem.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/unit/temp_file.h"

static char url[64];
static atomic_int accepted; /* connections */

/* --- the server --------------------------------------------------------------------------------------- */

static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-A: 1\r\nX-A: 2\r\n"
                            "Content-Length: 18\r\n\r\n{\"list\":[1,2,\"3\"]}";
static const char moved[] = "HTTP/1.1 302 Found\r\nLocation: /plain?x\r\nContent-Length: 0\r\n\r\n";
static const char busy[] = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

static void *serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char in[4096];
    ssize_t n;

    /* requests here are small and come one by one: what is read is one */
    while ((n = read(fd, in, sizeof in)) > 0) {
        const char *answer = memcmp(in, "GET /moved", 10) == 0  ? moved
                             : memcmp(in, "GET /busy", 9) == 0 ? busy
                                                                : plain;
        if (write(fd, answer, strlen(answer)) < 0)
            break;
    }
    close(fd);
    return NULL;
}

static void *serve(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;
    pthread_attr_t attr;
    pthread_t t;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        atomic_fetch_add(&accepted, 1);
        if (pthread_create(&t, &attr, serve_one, (void *)(intptr_t)fd) != 0)
            close(fd);
    }
    return NULL;
}

static void start_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    pthread_t t;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    for (int port = 22000 + (int)(getpid() % 5000); port < 32000; port++) {
        at.sin_port = htons((uint16_t)port);
        if (bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 256) == 0) {
            snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
            must(pthread_create(&t, NULL, serve, (void *)(intptr_t)listener) == 0, "a server");
            return;
        }
    }
    must(0, "a port");
}

/* --- runs --------------------------------------------------------------------------------------------- */

static const char *script_path, *secret_path;

/* The same answers as the server's, in this process. */
static int answer(void *arg, const struct das_http_request *req, struct das_http_response *resp,
                  struct das_err *err)
{
    bool moves = strcmp(req->url + strlen(url), "/moved") == 0;
    bool busies = strcmp(req->url + strlen(url), "/busy") == 0;

    (*(int *)arg)++;
    resp->status = moves ? 302 : busies ? 503 : 200;
    if (moves)
        return das_http_headers_add(&resp->headers, das_text_of("location"),
                                    das_text_of("/plain?x"), false, err);
    for (int i = 0; i < 2 && !busies; i++) {
        if (das_http_headers_add(&resp->headers, das_text_of("x-a"), das_text_of(i ? "2" : "1"),
                                 false, err) < 0)
            return -1;
    }
    if (!busies)
        das_buf_str(&resp->body, "{\"list\":[1,2,\"3\"]}");
    return 0;
}

static const struct das_engine_web *web; /* of the next runs */

static int run(char **out, struct das_engine_result *result, struct das_err *err)
{
    static char grants_of[2][32] = {"http:127.0.0.1", "secret:key"};
    char *names[] = {grants_of[0], grants_of[1]};
    const struct das_grants grants = {names, 2};
    const char *args[] = {url};
    struct das_secrets secrets;
    size_t size = 0;
    struct das_engine_opts opts = {
        .path = script_path, .args = args, .arg_count = 1, .grants = &grants,
        .secrets = &secrets, .web = web};
    int rc = -1;

    memset(result, 0, sizeof *result);
    *out = NULL;
    das_secrets_init(&secrets);
    opts.out = open_memstream(out, &size);
    opts.inventory = das_inventory_new(err);
    if (opts.inventory &&
        das_secrets_add(&secrets, "key", DAS_SECRET_FILE, secret_path, err) == 0)
        rc = das_engine_run(&opts, result, err);
    das_inventory_free(opts.inventory);
    das_secrets_clear(&secrets);
    fclose(opts.out);
    return rc;
}

static const char script[] =
    "local url = ...\n"
    "local key = das.secret 'key'\n"
    "local function show(...)\n"
    "  local r, m, c = ...\n"
    "  if not r then error(m .. c) end\n"
    "  local text = r.status .. ' ' .. r.headers['X-A'] .. ' ' .. #r.headers_list\n"
    "  print(text, r, r.body, r.url:sub(#url + 1), r.attempts, #assert(r:json()).list)\n"
    "end\n"
    "show(das.http.get(url .. '/plain', { headers = { A = key:with('Bearer '), B = key:basic('u'),\n"
    "  C = 'c' }, timeout = 20, retry = { times = 2, wait = '1ms' } }))\n"
    "show(das.http.get(url .. '/moved', { timeout = '20s' }))\n"
    "show(das.http.post(url .. '/plain', { a = { 1, 2 } }, { timeout = 20 }))\n"
    "show(das.http.request{ url = key:with(url .. '/'), method = 'PUT', body = 'x', timeout = 20 })\n"
    "local r = assert(das.http.get(url .. '/busy', { retry = { times = 2, wait = '1ms' } }))\n"
    "print(r.status, r.attempts)\n"
    "print(das.http.get(url .. '/moved', { redirects = 1, max_bytes = 3 }) == nil)\n";

static const char printed[] =
    "200 2 4\t200, 18 bytes\t{\"list\":[1,2,\"3\"]}\t/plain\t1\t3\n"
    "200 2 4\t200, 18 bytes\t{\"list\":[1,2,\"3\"]}\t/plain?x\t1\t3\n"
    "200 2 4\t200, 18 bytes\t{\"list\":[1,2,\"3\"]}\t/plain\t1\t3\n"
    "200 2 4\t200, 18 bytes\t{\"list\":[1,2,\"3\"]}\t\t1\t3\n"
    "503\t3\n"
    "true\n";

static void failing_memory(void)
{
    struct das_engine_result result;
    struct das_err err = {0};
    char *out;
    int bad = 0, errors = 0;
    long n;

    ok(run(&out, &result, &err) == 0, "the script runs as it is: %s", err.msg);
    is_str(out, printed, "and prints what it should");
    is_int(result.used.http_requests, 10, "its requests are counted");
    free(out);
    das_engine_result_clear(&result);
    for (n = 1; n < 20000; n++) {
        bool failed;
        int rc;
        das_alloc_fail_at(n);
        rc = run(&out, &result, &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        errors += rc < 0;
        if ((rc < 0 && !err.msg[0]) || strstr(err.msg, "s3cret") ||
            (rc == 0 && strcmp(out, printed) != 0)) {
            if (!bad++)
                tap_diag("allocation %ld: rc %d, %s\n%s", n, rc, err.msg, out);
        }
        free(out);
        das_engine_result_clear(&result);
        if (!failed)
            break;
    }
    ok(!bad && n > 100 && n < 20000, "%ld failing allocations, %d errors, no secret in them",
       n - 1, errors);
}

/* Redirects, retries, grants and counts are the same; the network is not there. */
static void in_process(void)
{
    int asked = 0, before = atomic_load(&accepted);
    const struct das_engine_web here = {.arg = &asked, .answer = answer};
    struct das_engine_result result;
    struct das_err err = {0};
    char *out, *want = NULL;
    size_t size;
    FILE *f = open_memstream(&want, &size);

    for (const char *p = printed; *p; p++) { /* its answers have two headers, not four */
        if (strncmp(p, "200 2 4", 7) == 0) {
            fputs("200 2 2", f);
            p += 6;
        } else {
            fputc(*p, f);
        }
    }
    fclose(f);
    web = &here;
    ok(run(&out, &result, &err) == 0, "answered in this process: %s", err.msg);
    is_str(out, want, "a script sees no difference");
    is_int(result.used.http_requests, 10, "its requests are counted");
    is_int(asked, 10, "each one was asked for");
    is_int(atomic_load(&accepted), before, "and nobody was connected to");
    web = NULL;
    free(want);
    free(out);
    das_engine_result_clear(&result);
}

/* --- many at once --------------------------------------------------------------------------------------- */

#define PARALLEL 64

static void *run_many(void *arg)
{
    struct das_engine_result result;
    struct das_err err = {0};
    bool *good = arg;
    char *out;

    *good = run(&out, &result, &err) == 0 && strcmp(out, printed) == 0;
    if (!*good)
        tap_diag("%s\n%s", err.msg, out);
    free(out);
    das_engine_result_clear(&result);
    return NULL;
}

static void parallel(void)
{
    pthread_t threads[PARALLEL];
    bool good[PARALLEL] = {false};
    int count = 0;

    for (int i = 0; i < PARALLEL; i++)
        must(pthread_create(&threads[i], NULL, run_many, &good[i]) == 0, "a thread");
    for (int i = 0; i < PARALLEL; i++) {
        pthread_join(threads[i], NULL);
        count += good[i];
    }
    is_int(count, PARALLEL, "runs at once, each with its own answers");
}

int main(void)
{
    start_server();
    script_path = temp_text(script);
    secret_path = temp_text("plain?s3cret-key\n");
    must(chmod(secret_path, 0600) == 0, "a secret");
    failing_memory();
    in_process();
    parallel();
    temp_clear();
    return tap_done();
}
