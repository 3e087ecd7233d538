/*
 * web_kit.h - a web server in a thread of the test, that answers as it was told and writes down what
 * it was asked. One connection at a time, one exchange each.
 */
#ifndef DAS_TESTS_WEB_KIT_H
#define DAS_TESTS_WEB_KIT_H

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/tap.h"

#define WEB_RULES 32
#define WEB_SEEN 64
#define WEB_CUT 0 /* as a status: the request is read, and the connection closed */

struct web_rule {
    const char *tail; /* "PUT add-kill-process-task": method, and the end of the path */
    int status;
    const char *body;
    int times;        /* so often, then the next rule that fits; 0: always */
};

struct web_text {
    struct web_text *next;
    char text[];
};

struct web {
    int listen, port;
    pthread_t thread;
    pthread_mutex_t lock;
    struct web_rule rules[WEB_RULES];
    size_t rule_count;
    struct web_text *bodies; /* of all rules so far: the thread may still read the last one */
    char seen[WEB_SEEN][2000]; /* "PUT /path BODY" */
    size_t seen_count;
    void (*on)(const char *seen); /* called while a request is open, before it is answered */
};

static inline int web_fits(const char *line, const char *tail)
{
    const char *blank = strchr(tail, ' '), *end = strchr(line, ' ') + 1;
    size_t method = (size_t)(blank - tail) + 1, path = strcspn(end, " ?"), want = strlen(blank + 1);

    return strncmp(line, tail, method) == 0 && path >= want &&
           strncmp(end + path - want, blank + 1, want) == 0;
}

/* Reads one request; its method, path and body are written down. False: there was none. */
static inline int web_read(int fd, char *line, size_t size)
{
    static char text[65536];
    size_t len = 0, body = 0;
    char *end = NULL, *length;
    ssize_t n;

    while (len < sizeof text - 1 && (n = read(fd, text + len, sizeof text - 1 - len)) > 0) {
        len += (size_t)n;
        text[len] = '\0';
        end = strstr(text, "\r\n\r\n");
        if (!end)
            continue;
        length = strcasestr(text, "\r\nContent-Length:");
        body = length ? strtoul(length + 17, NULL, 10) : 0;
        if ((size_t)(text + len - (end + 4)) >= body)
            break;
        end = NULL;
    }
    if (!end)
        return 0;
    snprintf(line, size, "%.*s %.*s", (int)(strstr(text, " HTTP/") - text), text,
             (int)(body < 1500 ? body : 1500), end + 4);
    return 1;
}

static inline void web_answer(struct web *w, int fd)
{
    struct web_rule rule = {"", 404, "{\"error_code\":\"APIGW.0101\",\"error_msg\":\"no rule\"}", 0};
    char line[2000], head[200];

    if (!web_read(fd, line, sizeof line))
        return;
    pthread_mutex_lock(&w->lock);
    if (w->seen_count < WEB_SEEN)
        memcpy(w->seen[w->seen_count++], line, sizeof line);
    for (size_t i = 0; i < w->rule_count; i++) {
        if (w->rules[i].times < 0 || !web_fits(line, w->rules[i].tail))
            continue;
        rule = w->rules[i];
        if (rule.times && --w->rules[i].times == 0)
            w->rules[i].times = -1;
        break;
    }
    pthread_mutex_unlock(&w->lock);
    if (w->on)
        w->on(line);
    if (rule.status == WEB_CUT)
        return;
    snprintf(head, sizeof head,
             "HTTP/1.1 %d Said So\r\nContent-Type: application/json\r\nX-Request-Id: req-%d\r\n"
             "Content-Length: %zu\r\nConnection: close\r\n\r\n",
             rule.status, rule.status, strlen(rule.body));
    if (write(fd, head, strlen(head)) < 0 || write(fd, rule.body, strlen(rule.body)) < 0)
        tap_diag("the client did not wait for its answer");
}

static inline void *web_run(void *arg)
{
    struct web *w = arg;
    int fd;

    while ((fd = accept(w->listen, NULL, NULL)) >= 0) {
        web_answer(w, fd);
        close(fd);
    }
    return NULL;
}

static inline void web_start(struct web *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;

    memset(w, 0, sizeof *w);
    pthread_mutex_init(&w->lock, NULL);
    w->listen = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(w->listen >= 0 && bind(w->listen, (struct sockaddr *)&a, len) == 0 &&
             listen(w->listen, 50) == 0 &&
             getsockname(w->listen, (struct sockaddr *)&a, &len) == 0 &&
             pthread_create(&w->thread, NULL, web_run, w) == 0,
         "a web server listens");
    w->port = ntohs(a.sin_port);
}

static inline void web_stop(struct web *w)
{
    shutdown(w->listen, SHUT_RDWR);
    pthread_join(w->thread, NULL);
    close(w->listen);
    pthread_mutex_destroy(&w->lock);
    while (w->bodies) {
        struct web_text *next = w->bodies->next;
        free(w->bodies);
        w->bodies = next;
    }
}

static inline const char *web_keep(struct web *w, const char *text)
{
    size_t size = strlen(text) + 1;
    struct web_text *t = malloc(sizeof *t + size);

    if (!t)
        exit(1);
    memcpy(t->text, text, size);
    t->next = w->bodies;
    w->bodies = t;
    return t->text;
}

/* New answers; what was asked is forgotten. */
static inline void web_rules(struct web *w, const struct web_rule *rules, size_t n)
{
    pthread_mutex_lock(&w->lock);
    memcpy(w->rules, rules, n * sizeof *rules);
    for (size_t i = 0; i < n; i++)
        w->rules[i].body = web_keep(w, rules[i].body ? rules[i].body : "");
    w->rule_count = n;
    w->seen_count = 0;
    pthread_mutex_unlock(&w->lock);
}

/* How often it was asked that. */
static inline int web_count(struct web *w, const char *tail)
{
    int n = 0;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->seen_count; i++)
        n += web_fits(w->seen[i], tail);
    pthread_mutex_unlock(&w->lock);
    return n;
}

#endif
