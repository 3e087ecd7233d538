/*
 * iam_server.h - an IAM for tests: a thread that answers what the test tells it to, in that order,
 * and keeps the last request as it came. Allocates nothing.
 */
#ifndef DAS_TESTS_IAM_SERVER_H
#define DAS_TESTS_IAM_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/credential_kit.h"

static char iam_url[64];

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int requests;           /* since the answers were given */
    int held;               /* so many of them get no answer until it is less */
    const char *answers[8]; /* one after the other; the last one again and again */
    int answer_count;
    char head[16384], *body; /* of the last request; body is in head */
} iam = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* One request, all of it; the length. 0 at the end. */
static inline size_t iam_read(int fd, char *in, size_t size, char **body)
{
    size_t len = 0, need = 0;

    *body = NULL;
    while (!*body || len < need) {
        ssize_t n = read(fd, in + len, size - 1 - len);
        char *end, *length;
        if (n <= 0)
            return 0;
        len += (size_t)n;
        in[len] = '\0';
        end = strstr(in, "\r\n\r\n");
        if (!*body && end) {
            *body = end + 4;
            length = strcasestr(in, "\r\nContent-Length:");
            need = (size_t)(*body - in) +
                   (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        }
    }
    return len;
}

static inline void *iam_connection(void *arg)
{
    int fd = (int)(intptr_t)arg, number;
    char in[sizeof iam.head], answer[4000], *body;
    size_t len;

    while ((len = iam_read(fd, in, sizeof in, &body)) > 0) {
        pthread_mutex_lock(&iam.lock);
        memcpy(iam.head, in, len + 1);
        iam.body = iam.head + (body - in);
        number = ++iam.requests;
        snprintf(answer, sizeof answer, "%s",
                 iam.answers[(number < iam.answer_count ? number : iam.answer_count) - 1]);
        pthread_cond_broadcast(&iam.changed);
        while (number <= iam.held)
            pthread_cond_wait(&iam.changed, &iam.lock);
        pthread_mutex_unlock(&iam.lock);
        if (write(fd, answer, strlen(answer)) < 0)
            break;
    }
    close(fd);
    return NULL;
}

static inline void *iam_serve(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;
    pthread_attr_t attr;
    pthread_t t;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        if (pthread_create(&t, &attr, iam_connection, (void *)(intptr_t)fd) != 0)
            close(fd);
    }
    return NULL;
}

static inline void iam_start(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t t;

    must(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 64) == 0 &&
             getsockname(listener, (struct sockaddr *)&at, &size) == 0 &&
             pthread_create(&t, NULL, iam_serve, (void *)(intptr_t)listener) == 0,
         "a server");
    pthread_detach(t);
    snprintf(iam_url, sizeof iam_url, "http://127.0.0.1:%d", ntohs(at.sin_port));
}

static inline int iam_requests(void)
{
    int n;

    pthread_mutex_lock(&iam.lock);
    n = iam.requests;
    pthread_mutex_unlock(&iam.lock);
    return n;
}

static inline void iam_wait_for(int requests)
{
    pthread_mutex_lock(&iam.lock);
    while (iam.requests < requests)
        pthread_cond_wait(&iam.changed, &iam.lock);
    pthread_mutex_unlock(&iam.lock);
}

static inline void iam_hold(int requests)
{
    pthread_mutex_lock(&iam.lock);
    iam.held = requests;
    pthread_cond_broadcast(&iam.changed);
    pthread_mutex_unlock(&iam.lock);
}

/* From now on; each lives as long as it is used. The count of requests starts anew. */
static inline void iam_answers(const char *a, const char *b, const char *c)
{
    pthread_mutex_lock(&iam.lock);
    iam.answers[0] = a;
    iam.answers[1] = b;
    iam.answers[2] = c;
    iam.answer_count = c ? 3 : b ? 2 : 1;
    iam.requests = 0;
    pthread_mutex_unlock(&iam.lock);
}

/* A whole answer; eight live at a time. */
static inline const char *http(const char *status, const char *headers, const char *body)
{
    static char ring[8][4000];
    static unsigned next;
    char *to = ring[next++ % 8];

    snprintf(to, sizeof ring[0],
             "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
             status, headers, strlen(body), body);
    return to;
}

/* The value of a header of the last request; "" when there is none. Eight live at a time. */
static inline const char *sent(const char *name)
{
    static char ring[8][2000];
    static unsigned next;
    char *to = ring[next++ % 8], *p;
    size_t len = strlen(name);

    to[0] = '\0';
    pthread_mutex_lock(&iam.lock);
    for (p = strstr(iam.head, "\r\n"); p && p + 2 < iam.body; p = strstr(p + 2, "\r\n")) {
        if (strncasecmp(p + 2, name, len) == 0 && p[2 + len] == ':') {
            p += 3 + len;
            p += strspn(p, " ");
            snprintf(to, sizeof ring[0], "%.*s", (int)strcspn(p, "\r"), p);
            break;
        }
    }
    pthread_mutex_unlock(&iam.lock);
    return to;
}

/* "GET /path?query", and the body. */
static inline const char *sent_line(void)
{
    static char line[500];

    pthread_mutex_lock(&iam.lock);
    snprintf(line, sizeof line, "%.*s", (int)(strstr(iam.head, " HTTP/1.1\r\n") - iam.head),
             iam.head);
    pthread_mutex_unlock(&iam.lock);
    return line;
}

static inline const char *sent_body(void)
{
    static char body[sizeof iam.head];

    pthread_mutex_lock(&iam.lock);
    snprintf(body, sizeof body, "%s", iam.body);
    pthread_mutex_unlock(&iam.lock);
    return body;
}

/* --- answers ---------------------------------------------------------------------------------- */

#define PROJECT "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"

static inline struct das_credential_conf password_conf(void)
{
    return (struct das_credential_conf){.kind = DAS_CREDENTIAL_PASSWORD,
                                        .domain = "corp \"x\"",
                                        .user = "das\\1",
                                        .password = secret_file("s3cret \"pass\" w\xc3\xb6rd\\\n"),
                                        .iam_endpoint = iam_url};
}

/* An answer with a token. project may be NULL. */
static inline const char *token(const char *value, int64_t seconds, const char *project)
{
    char header[200], body[600], part[100] = "";

    snprintf(header, sizeof header, "X-Subject-Token: %s\r\n", value);
    if (project)
        snprintf(part, sizeof part, ",\"project\":{\"id\":\"%s\",\"name\":\"" REGION "\"}",
                 project);
    snprintf(body, sizeof body,
             "{\"token\":{\"expires_at\":\"%s\",\"methods\":[\"password\"],\"roles\":[]%s}}",
             in_seconds(seconds), part);
    return http("201 Created", header, body);
}

static inline const char *error(const char *status, const char *headers, const char *message)
{
    char body[1500];

    snprintf(body, sizeof body,
             "{\"error\":{\"code\":401,\"message\":\"%s\",\"title\":\"Unauthorized\"}}", message);
    return http(status, headers, body);
}

#define ONE_PROJECT "{\"projects\":[{\"id\":\"" PROJECT "\",\"name\":\"" REGION "\"}]}"

#endif
