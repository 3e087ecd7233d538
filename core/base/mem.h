/*
 * mem.h - the program's allocator: malloc with one place to make it fail, and arenas.
 *
 * Every owned block in core/ and bindings/ comes from here, so that a test can let the n-th
 * allocation fail and prove that each error path frees what it holds.
 */
#ifndef DAS_BASE_MEM_H
#define DAS_BASE_MEM_H

#include <stddef.h>

void *das_alloc(size_t size);            /* NULL when out of memory */
void *das_calloc(size_t n, size_t size); /* zeroed; checks n * size */
void *das_realloc(void *p, size_t size); /* p stays valid on failure */
void *das_grow(void *p, size_t n, size_t size); /* realloc to n items; checks n * size */
void das_free(void *p);
/* Bytes that are about to be written for the first time: has the kernel map their pages in one go,
 * which costs a fraction of one fault a page (on a virtual machine a twentieth). Only a hint. */
void das_prefault(void *p, size_t size);
/* For a process that lives long and answers many at once: what is freed stays with it for the next request, instead of
 * going back to the kernel and being asked for again. */
void das_keep_freed_memory(void);
/* For secrets: whole pages of zeros, as far as the system lets us neither swapped nor dumped. Freeing
 * wipes them; size as it was asked for, p may be NULL. */
void *das_locked_alloc(size_t size);
void das_locked_free(void *p, size_t size);
char *das_strdup(const char *s);
char *das_strndup(const char *s, size_t len);

/* For tests: the n-th allocation from now on (1 = the next) fails, and all after it succeed.
 * 0 switches it off. Returns true from das_alloc_failed() once the point was reached. */
void das_alloc_fail_at(long n);
int das_alloc_failed(void);

/* Many small things that die together. Not thread-safe. */
struct das_arena {
    struct das_arena_chunk *head;
    char *next;
    size_t left;
    size_t bytes; /* handed to chunks so far */
};

void das_arena_init(struct das_arena *a);
void das_arena_clear(struct das_arena *a);
void *das_arena_alloc(struct das_arena *a, size_t size); /* aligned to 8 */
/* A copy of len bytes, not aligned, not terminated. len 0 gives a valid pointer. */
char *das_arena_dup(struct das_arena *a, const char *p, size_t len);

#endif
