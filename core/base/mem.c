/* mem.c - see mem.h. */
#include "core/base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)1 << 20)
#define PAGE ((size_t)4096)          /* a larger one makes the hint fail, which is harmless */
#define PREFAULT_MIN ((size_t)1 << 14)

struct das_arena_chunk {
    struct das_arena_chunk *older;
    size_t size;
};

/* Of the process, because a script runs on a thread of its own. */
static atomic_long fail_at;
static atomic_int failed;

void das_alloc_fail_at(long n)
{
    atomic_store(&failed, 0);
    atomic_store(&fail_at, n);
}

int das_alloc_failed(void)
{
    return atomic_load(&failed);
}

static int must_fail(void)
{
    if (atomic_load_explicit(&fail_at, memory_order_relaxed) == 0 ||
        atomic_fetch_sub(&fail_at, 1) != 1)
        return 0;
    atomic_store(&failed, 1);
    return 1;
}

void *das_alloc(size_t size)
{
    return must_fail() ? NULL : malloc(size ? size : 1);
}

void *das_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : calloc(n ? n : 1, size ? size : 1);
}

void *das_realloc(void *p, size_t size)
{
    return must_fail() ? NULL : realloc(p, size ? size : 1);
}

void *das_grow(void *p, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    return das_realloc(p, total);
}

void das_free(void *p)
{
    free(p);
}

void das_prefault(void *p, size_t size)
{
#ifdef MADV_POPULATE_WRITE
    uintptr_t from = ((uintptr_t)p + PAGE - 1) & ~(PAGE - 1);
    uintptr_t to = ((uintptr_t)p + size) & ~(PAGE - 1);

    if (size >= PREFAULT_MIN && from < to)
        (void)madvise((void *)from, to - from, MADV_POPULATE_WRITE);
#else
    (void)p;
    (void)size;
#endif
}

static size_t whole_pages(size_t size)
{
    return ((size ? size : 1) + PAGE - 1) & ~(PAGE - 1);
}

void das_keep_freed_memory(void)
{
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
}

void *das_locked_alloc(size_t size)
{
    void *p;

    if (must_fail() || size > SIZE_MAX - PAGE)
        return NULL;
    size = whole_pages(size);
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    (void)mlock(p, size);
    (void)madvise(p, size, MADV_DONTDUMP);
    return p;
}

void das_locked_free(void *p, size_t size)
{
    if (!p)
        return;
    size = whole_pages(size);
    explicit_bzero(p, size);
    munmap(p, size);
}

char *das_strndup(const char *s, size_t len)
{
    char *copy = das_alloc(len + 1);

    if (copy) {
        memcpy(copy, s, len);
        copy[len] = '\0';
    }
    return copy;
}

char *das_strdup(const char *s)
{
    return das_strndup(s, strlen(s));
}

void das_arena_init(struct das_arena *a)
{
    memset(a, 0, sizeof *a);
}

void das_arena_clear(struct das_arena *a)
{
    struct das_arena_chunk *c = a->head;

    while (c) {
        struct das_arena_chunk *older = c->older;
        das_free(c);
        c = older;
    }
    das_arena_init(a);
}

/* Chunks double from 4 KB to 1 MB, so that a small snapshot stays small and a large one costs
 * few calls. A block larger than that gets a chunk of its own. */
static int add_chunk(struct das_arena *a, size_t need)
{
    size_t size = a->bytes < CHUNK_MIN ? CHUNK_MIN : a->bytes > CHUNK_MAX ? CHUNK_MAX : a->bytes;
    struct das_arena_chunk *c;

    if (need > SIZE_MAX - sizeof *c)
        return -1;
    if (size < need)
        size = need;
    c = das_alloc(sizeof *c + size);
    if (!c)
        return -1;
    das_prefault(c, sizeof *c + size);
    c->older = a->head;
    c->size = size;
    a->head = c;
    a->next = (char *)(c + 1);
    a->left = size;
    a->bytes += size;
    return 0;
}

char *das_arena_dup(struct das_arena *a, const char *p, size_t len)
{
    char *copy;

    if (!a->next || a->left < len) {
        if (add_chunk(a, len) < 0)
            return NULL;
    }
    copy = a->next;
    if (len)
        memcpy(copy, p, len);
    a->next += len;
    a->left -= len;
    return copy;
}

void *das_arena_alloc(struct das_arena *a, size_t size)
{
    size_t pad = (size_t)(-(uintptr_t)a->next & 7);
    void *p;

    if (!a->next || a->left < pad || a->left - pad < size) {
        if (add_chunk(a, size) < 0)
            return NULL;
        pad = 0; /* a chunk starts aligned */
    }
    p = a->next + pad;
    a->next += pad + size;
    a->left -= pad + size;
    return p;
}
