/*
 * fuzz_serve.c - das serve, from the bytes on the wire to the answer.
 *
 * The first byte chooses the way. Raw: the rest goes over a real connection to the server, which
 * has to answer in HTTP or close. Signed: the rest is METHOD path?query, a line break, and a body,
 * which is signed with a good key and handed to the dispatcher, so that what lies behind the keys
 * is reached: every answer is JSON where it says so, an error has its three members, and a server
 * that only observes has killed nobody.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/serve/call.h"
#include "core/serve/keyring.h"

#define PROJECT DAS_PROJECT_DEFAULT
#define ID "0123456789abcdef0123456789abcdefin01"

/* A folded line in the last 16 bytes of its memory makes libmicrohttpd 0.9.75 copy a few bytes onto
 * themselves; what comes of it is refused by the gate. */
const char *__asan_default_suppressions(void);
const char *__asan_default_suppressions(void)
{
    return "interceptor_via_lib:libmicrohttpd";
}

static struct das_server server;
static struct das_serve_conf conf;
static struct das_protect protect;
static struct das_vault vault;
static struct das_inventory *inventory;
static char key_id[DAS_ACCESS_ID_SIZE], key_secret[DAS_SECRET_KEY_SIZE];
static struct das_signer *signer;
static char dir[] = "/dev/shm/das-fuzz-XXXXXX";
static uint16_t port;

static void must(int rc, const struct das_err *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "fuzz_serve: %s\n", err->msg);
    exit(1);
}

/* The threads of connections end before the process does: what OpenSSL keeps for each of them is
 * theirs until then, and would be called a leak. */
static void clean_up(void)
{
    char command[200];

    das_httpd_stop(server.httpd);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command) != 0)
        fprintf(stderr, "fuzz_serve: %s stays\n", dir);
}

static void make_instance(struct das_err *err)
{
    struct das_source_conf c = {.name = "orders", .id = ID};
    char path[100], spec[120];
    FILE *f;

    snprintf(path, sizeof path, "%s/list.json", dir);
    snprintf(spec, sizeof spec, "mem:%s", path);
    f = fopen(path, "w");
    fputs("{\"data_sync_time\":1766655104,\"processes\":[{\"id\":1,\"user\":\"app\",\"host\":\"10."
          "0.0.1:2\",\"db\":\"d\","
          "\"command\":\"Query\",\"state\":\"x\",\"sql_info\":\"select 1 from "
          "t\",\"state_duration\":9},"
          "{\"id\":2,\"user\":\"app\",\"host\":\"10.0.0.1:3\",\"db\":null,\"command\":\"Sleep\","
          "\"state\":\"\","
          "\"sql_info\":null,\"state_duration\":70}]}\n",
          f);
    fclose(f);
    c.spec = spec;
    inventory = das_inventory_new(err);
    must(inventory ? das_inventory_add(inventory, &c, err) : -1, err);
}

static void make_key(struct das_err *err)
{
    struct das_access a = {
        .kind = DAS_ACCESS_KEY, .name = "fuzz", .actions = "*", .instances = "*", .created_ms = 1};
    struct das_keyring *ring;
    struct das_store *store;
    struct das_buf sealed = {0};

    must(das_store_open(dir, &store, err), err);
    must(das_keyring_open(dir, true, &ring, err), err);
    must(das_key_draw(key_id, key_secret, err), err);
    must(das_keyring_seal(ring, key_id, das_text_of(key_secret), &sealed, err), err);
    memcpy(a.id, key_id, sizeof a.id);
    a.secret = das_buf_view(&sealed);
    must(das_access_add(store, &a, "fuzz", err), err);
    das_buf_clear(&sealed);
    das_keyring_close(ring);
    das_store_close(store);
}

static void start(void)
{
    static const char *const nowhere[] = {NULL}, *const listen[] = {"127.0.0.1:0"};
    static struct das_serve_opts opts;
    static atomic_int stop;
    const struct das_httpd_conf door = {.listen = listen,
                                        .listen_count = 1,
                                        .connections = 8,
                                        .connections_per_address = 8,
                                        .header_bytes = 4096,
                                        .body_bytes = 4096,
                                        .deadline_ms = 5000};
    struct das_sign_key sk = {.algorithm = DAS_SDK_HMAC_SHA256};
    struct das_err err;

    if (!mkdtemp(dir))
        exit(1);
    atexit(clean_up);
    das_serve_conf_init(&conf);
    conf.rate = 0;
    das_protect_init(&protect);
    das_vault_init(&vault);
    make_instance(&err);
    make_key(&err);
    opts = (struct das_serve_opts){.conf = &conf,
                                   .inventory = inventory,
                                   .protect = &protect,
                                   .stop_files = nowhere,
                                   .state_dir = dir,
                                   .vault = &vault,
                                   .stop = &stop};
    must(das_server_open(&server, &opts, &err), &err);
    must(das_httpd_start(&door, das_dispatch, &server, &server.httpd, &err), &err);
    port = (uint16_t)atoi(strrchr(das_httpd_address(server.httpd, 0), ':') + 1);
    sk.access = das_text_of(key_id);
    sk.secret = das_text_of(key_secret);
    signer = das_signer_new(&sk, &err);
    must(signer ? 0 : -1, &err);
}

/* --- raw -------------------------------------------------------------------------------------- */

static void raw(const uint8_t *p, size_t n)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    static char answer[1 << 16];
    size_t len = 0;
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct linger at_once = {1, 0};

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        if (fd >= 0)
            close(fd);
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* no ports that linger */
    if (send(fd, p, n, MSG_NOSIGNAL) >= 0)
        shutdown(fd, SHUT_WR);
    while (len < sizeof answer && (got = recv(fd, answer + len, sizeof answer - len, 0)) > 0)
        len += (size_t)got;
    close(fd);
    if (len && (len < 13 || memcmp(answer, "HTTP/1.", 7) != 0))
        __builtin_trap();
    /* no key, no kill, no list */
    if (len > 9 && memcmp(answer + 9, "200", 3) == 0 && memmem(answer, len, "processes\":[", 12))
        __builtin_trap();
}

/* --- signed ----------------------------------------------------------------------------------- */

static void check_answer(const struct das_httpd_answer *a)
{
    struct das_err err;
    json_t *json;

    if (a->status < 200 || a->status > 599)
        __builtin_trap();
    if (a->type || !a->body.len)
        return;
    json = das_json_parse(a->body.ptr, a->body.len, NULL, &err);
    if (!json)
        __builtin_trap();
    if (a->status >= 400 && (!json_is_string(json_object_get(json, "error_code")) ||
                             !json_is_string(json_object_get(json, "error_msg")) ||
                             !json_is_string(json_object_get(json, "request_id"))))
        __builtin_trap();
    if (json_integer_value(json_object_get(json, "count")) > 0 && json_object_get(json, "outcomes"))
        __builtin_trap(); /* it observes */
    json_decref(json);
}

static void with_key(const uint8_t *p, size_t n)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"};
    struct das_sign_pair headers[4] = {{das_text_of("Host"), das_text_of("127.0.0.1")},
                                       {das_text_of("X-Project-Id"), das_text_of(PROJECT)}};
    struct das_sign_target target = {0};
    struct das_signed sig = {0};
    struct das_httpd_answer answer = {0};
    struct das_httpd_request r = {.peer = "127.0.0.1", .headers = headers, .header_count = 4};
    struct das_sign_request s = {.headers = headers, .header_count = 2};
    const uint8_t *end = memchr(p, '\n', n);
    struct das_err err;

    if (n < 2 || !end || end == p)
        return;
    s.method = r.method = das_text_of(methods[p[0] % 6]);
    r.target = das_text((const char *)p + 1, (size_t)(end - p) - 1);
    s.body = r.body = das_text((const char *)end + 1, n - (size_t)(end - p) - 1);
    r.started_us = das_clock_monotonic_us();
    if (das_sign_target_read(&target, r.target, &err) == 0) {
        s.path = target.path;
        s.query = target.query;
        s.query_count = target.count;
        if (das_sign(signer, &s, das_clock_unix_ms() / 1000, &sig, &err) == 0) {
            headers[2] = (struct das_sign_pair){das_text_of("X-Sdk-Date"), das_text_of(sig.date)};
            headers[3] = (struct das_sign_pair){das_text_of("Authorization"),
                                                das_buf_view(&sig.authorization)};
            das_dispatch(&server, &r, &answer);
            if (answer.status == 401 &&
                !memmem(answer.body.ptr, answer.body.len, "used before", 11) &&
                !memmem(answer.body.ptr, answer.body.len, "reach the limit", 15))
                __builtin_trap(); /* what is signed well is let in */
            check_answer(&answer);
        }
    }
    das_buf_clear(&answer.body);
    das_signed_clear(&sig);
    das_sign_target_clear(&target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;

    if (!started)
        start();
    started = true;
    if (size < 2)
        return 0;
    if (data[0] % 8 == 0)
        raw(data + 1, size - 1);
    else
        with_key(data + 1, size - 1);
    return 0;
}
