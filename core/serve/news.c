/* news.c - see news.h. */
#include "core/serve/news.h"

#include <pthread.h>
#include <string.h>

#include "core/base/mem.h"

struct said {
    const struct das_member *member; /* NULL: nothing is kept here */
    int64_t task;
    char what[200];
};

struct das_news {
    pthread_mutex_t lock;
    size_t count, next; /* next: which one is forgotten when all are taken */
    struct said said[];
};

struct das_news *das_news_new(size_t tasks, struct das_err *err)
{
    struct das_news *n = das_calloc(1, sizeof *n + (tasks + 1) * sizeof n->said[0]);

    if (!n) {
        das_fail_nomem(err);
        return NULL;
    }
    pthread_mutex_init(&n->lock, NULL);
    n->count = tasks + 1;
    return n;
}

void das_news_free(struct das_news *n)
{
    if (!n)
        return;
    pthread_mutex_destroy(&n->lock);
    das_free(n);
}

static void leave_numbers_out(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; *text && n + 1 < size; text++) {
        if (!das_is_digit((unsigned char)*text))
            out[n++] = *text;
    }
    out[n] = '\0';
}

/* With the lock. NULL: nothing was said of it. */
static struct said *find(struct das_news *n, const struct das_member *m, int64_t task)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->said[i].member == m && n->said[i].task == task)
            return &n->said[i];
    }
    return NULL;
}

/* With the lock: a place that is free, or else the next one. */
static struct said *place(struct das_news *n)
{
    for (size_t i = 0; i < n->count; i++) {
        if (!n->said[i].member)
            return &n->said[i];
    }
    return &n->said[n->next++ % n->count];
}

bool das_news_is(struct das_news *n, const struct das_member *m, int64_t task, const char *text)
{
    struct said now = {.member = m, .task = task}, *before;
    bool news;

    leave_numbers_out(text, now.what, sizeof now.what);
    pthread_mutex_lock(&n->lock);
    before = find(n, m, task);
    news = !before || strcmp(before->what, now.what) != 0;
    *(before ? before : place(n)) = now;
    pthread_mutex_unlock(&n->lock);
    return news;
}

void das_news_over(struct das_news *n, const struct das_member *m, int64_t task)
{
    struct said *said;

    pthread_mutex_lock(&n->lock);
    said = find(n, m, task);
    if (said)
        said->member = NULL;
    pthread_mutex_unlock(&n->lock);
}
