/*
 * httpd_run.c - core/serve/httpd.h with a handler that says what it saw, for httpd.t.
 *
 *     httpd_run LISTEN... [connections=N | address=N | header=N | body=N | deadline=MS |
 *                          certificate=FILE | key=FILE]...
 *
 * Prints "at ADDRESS" for each address, then takes orders on standard input and answers each with a
 * line: "load", "reload", "drain MS", "open" (lets the requests for /wait go on), "files" (how many
 * descriptors are open), "threads". Ends with its input. Answers of the handler are JSON; /big?N
 * has N bytes of body, /wait waits for the order, /close closes. Each request is a line on stderr.
 */
#include "core/serve/httpd.h"

#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"

/* A folded line in the last 16 bytes of its memory makes libmicrohttpd 0.9.75 copy a few bytes onto
 * themselves. What comes of it is refused by the gate, as httpd.t shows. */
const char *__asan_default_suppressions(void);
const char *__asan_default_suppressions(void)
{
    return "interceptor_via_lib:libmicrohttpd";
}

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    unsigned long served;
};

static void text(struct das_buf *b, const char *name, struct das_text t)
{
    das_buf_printf(b, "\"%s\":\"", name);
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if (isprint(c) && c != '"' && c != '\\')
            das_buf_char(b, (char)c);
        else
            das_buf_printf(b, "\\u%04x", c);
    }
    das_buf_str(b, "\",");
}

static void handle(void *arg, const struct das_httpd_request *r, struct das_httpd_answer *out)
{
    struct gate *g = arg;
    unsigned long n;

    pthread_mutex_lock(&g->lock);
    n = ++g->served;
    if (!r->refused && das_text_is(r->target, "/wait")) {
        fprintf(stderr, "waiting\n");
        while (!g->open)
            pthread_cond_wait(&g->changed, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
    fprintf(stderr, "%s %.*s\n", r->refused ? r->refused : "served", (int)r->target.len,
            r->target.ptr);
    snprintf(out->request_id, sizeof out->request_id, "id-%lu", n);
    if (r->refused) {
        out->status = r->refused_as;
        das_buf_printf(&out->body, "{\"refused\":\"");
        for (const char *p = r->refused; *p; p++) {
            if (*p == '"')
                das_buf_char(&out->body, '\\');
            das_buf_char(&out->body, *p);
        }
        das_buf_str(&out->body, "\"}");
        return;
    }
    out->status = 200;
    if (r->target.len > 5 && strncmp(r->target.ptr, "/big?", 5) == 0) {
        das_buf_fill(&out->body, 'x', strtoul(r->target.ptr + 5, NULL, 10));
        out->type = "text/plain";
        return;
    }
    if (das_text_is(r->target, "/busy")) {
        out->status = 429;
        out->retry_after = 7;
        return;
    }
    if (das_text_is(r->method, "OPTIONS"))
        out->allow = "GET, HEAD, OPTIONS";
    out->close = das_text_is(r->target, "/close");
    das_buf_char(&out->body, '{');
    text(&out->body, "method", r->method);
    text(&out->body, "target", r->target);
    text(&out->body, "body", r->body);
    text(&out->body, "peer", das_text_of(r->peer));
    das_buf_printf(&out->body, "\"tls\":%s,\"started\":%s,\"headers\":[", r->tls ? "true" : "false",
                   r->started_us > 0 ? "true" : "false");
    for (size_t i = 0; i < r->header_count; i++) {
        das_buf_str(&out->body, i ? ",{" : "{");
        text(&out->body, "name", r->headers[i].name);
        text(&out->body, "value", r->headers[i].value);
        out->body.ptr[out->body.len - 1] = '}';
    }
    das_buf_str(&out->body, "]}");
}

static int entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2;
}

static void obey(struct das_httpd *h, struct gate *g, const char *order)
{
    struct das_httpd_load load;
    struct das_err err;

    if (strcmp(order, "load") == 0) {
        das_httpd_load(h, &load);
        printf("connections=%zu busy=%zu accepted=%llu refused=%llu cut=%llu\n", load.connections,
               load.busy, (unsigned long long)load.accepted,
               (unsigned long long)load.refused_connections, (unsigned long long)load.cut);
    } else if (strcmp(order, "reload") == 0) {
        printf("%s\n", das_httpd_reload(h, &err) < 0 ? err.msg : "reloaded");
    } else if (strncmp(order, "drain ", 6) == 0) {
        printf("left=%zu\n", das_httpd_drain(h, atoll(order + 6)));
    } else if (strcmp(order, "open") == 0) {
        pthread_mutex_lock(&g->lock);
        g->open = true;
        pthread_cond_broadcast(&g->changed);
        pthread_mutex_unlock(&g->lock);
        printf("open\n");
    } else if (strcmp(order, "files") == 0) {
        printf("%d\n", entries("/proc/self/fd"));
    } else if (strcmp(order, "threads") == 0) {
        printf("%d\n", entries("/proc/self/task"));
    } else {
        printf("? %s\n", order);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct gate g = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    const char *listen[8];
    struct das_httpd_conf conf = {.listen = listen,
                                  .connections = 64,
                                  .connections_per_address = 32,
                                  .header_bytes = 16384,
                                  .body_bytes = 65536,
                                  .deadline_ms = 30000};
    struct das_httpd *h;
    struct das_err err;
    char line[256];

    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value && conf.listen_count < 8) {
            listen[conf.listen_count++] = argv[i];
            continue;
        }
        if (!value)
            return 2;
        *value++ = '\0';
        if (strcmp(argv[i], "connections") == 0)
            conf.connections = atoll(value);
        else if (strcmp(argv[i], "address") == 0)
            conf.connections_per_address = atoll(value);
        else if (strcmp(argv[i], "header") == 0)
            conf.header_bytes = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "body") == 0)
            conf.body_bytes = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "deadline") == 0)
            conf.deadline_ms = atoll(value);
        else if (strcmp(argv[i], "certificate") == 0)
            conf.certificate = value;
        else if (strcmp(argv[i], "key") == 0)
            conf.key = value;
        else
            return 2;
    }
    if (das_httpd_start(&conf, handle, &g, &h, &err) < 0) {
        fprintf(stderr, "%s: %s\n", das_code_name(err.code), err.msg);
        return 1;
    }
    for (size_t i = 0; das_httpd_address(h, i); i++)
        printf("at %s\n", das_httpd_address(h, i));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        obey(h, &g, line);
    }
    pthread_mutex_lock(&g.lock);
    g.open = true;
    pthread_cond_broadcast(&g.changed);
    pthread_mutex_unlock(&g.lock);
    das_httpd_stop(h);
    printf("stopped\n");
    return 0;
}
