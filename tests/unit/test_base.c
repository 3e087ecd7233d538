/* test_base.c - buffers, arenas, errors and the allocator under them. */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "tests/unit/kit.h"

static struct das_err err;

static void buffers(void)
{
    struct das_buf b;
    char *taken;

    das_buf_init(&b);
    ok(das_buf_view(&b).ptr && das_buf_view(&b).len == 0, "an empty buffer is \"\"");
    das_buf_str(&b, "a");
    das_buf_char(&b, '\0');
    das_buf_text(&b, das_text_of("bc"));
    das_buf_text(&b, DAS_TEXT_NULL);
    das_buf_fill(&b, '-', 3);
    das_buf_fill(&b, '-', 0);
    das_buf_int(&b, INT64_MIN);
    das_buf_int(&b, 0);
    das_buf_printf(&b, "%s%d", "x", 5);
    ok(b.len == 4 + 3 + 20 + 1 + 2 && memcmp(b.ptr, "a\0bc----92233", 13) == 0,
       "what was added, in order");
    ok(b.ptr[b.len] == '\0', "with a NUL behind it");
    das_buf_printf(&b, "%s", "");
    das_buf_printf(&b, "%5000d", 1);
    is_int(b.len, 30 + 5000, "as much as one likes");
    das_buf_reset(&b);
    ok(b.len == 0 && b.ptr[0] == '\0', "reset is empty");
    das_buf_str(&b, "keep");
    taken = das_buf_take(&b);
    is_str(taken, "keep", "taken out");
    ok(!b.ptr && !b.len, "nothing is left");
    das_free(taken);
    taken = das_buf_take(&b);
    is_str(taken, "", "an empty one gives \"\"");
    das_free(taken);

    das_buf_str(&b, "before");
    das_alloc_fail_at(1);
    das_buf_fill(&b, 'x', 1000);
    das_alloc_fail_at(0);
    das_buf_str(&b, "after");
    ok(b.failed && b.len == 6 && das_buf_ok(&b, &err) < 0 && err.code == DAS_E_NOMEM,
       "a failed buffer takes no more and remembers");
    ok(!das_buf_take(&b) && !b.ptr, "and gives nothing");
    ok(!das_buf_reserve(&b, SIZE_MAX) && b.failed, "no buffer is that large");
    das_buf_clear(&b);
    ok(das_buf_ok(&b, &err) == 0, "cleared it is good again");
    das_buf_clear(&b);
}

static void arenas(void)
{
    struct das_arena a;
    char *first, *large, *last = NULL;
    int wrong = 0;

    das_arena_init(&a);
    first = das_arena_dup(&a, "x", 1);
    must(first && *first == 'x', "a byte");
    ok(das_arena_dup(&a, NULL, 0), "nothing has an address too");
    for (size_t i = 0; i < 2000; i++) {
        char *p = das_arena_alloc(&a, i % 37);
        if (!p || (uintptr_t)p % 8)
            wrong++;
        else
            memset(p, 1, i % 37);
        last = das_arena_dup(&a, "abc", 3);
        wrong += !last || memcmp(last, "abc", 3) != 0;
    }
    ok(!wrong, "blocks are aligned, copies exact");
    large = das_arena_alloc(&a, 3 << 20);
    must(large, "3 MB at once");
    memset(large, 7, 3 << 20);
    ok(*first == 'x' && memcmp(last, "abc", 3) == 0, "what was there stays");
    ok(a.bytes > 3 << 20, "bytes are counted");
    ok(!das_arena_alloc(&a, SIZE_MAX) && !das_arena_dup(&a, "", SIZE_MAX), "no arena is that large");
    das_arena_clear(&a);
    das_arena_clear(&a);
}

static void errors(void)
{
    char long_text[2000];

    is_int(das_fail(&err, DAS_E_DATA, "%s:%d", "x", 5), -1, "failing is -1");
    is_str(err.msg, "x:5", "with a message");
    das_err_prefix(&err, "file %d", 7);
    is_str(err.msg, "file 7: x:5", "and where");
    memset(long_text, 'y', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    das_fail(&err, DAS_E_DATA, "%s", long_text);
    is_int(strlen(err.msg), sizeof err.msg - 1, "a long one is cut");
    das_err_prefix(&err, "p");
    ok(strncmp(err.msg, "p: yyy", 6) == 0 && strlen(err.msg) < sizeof err.msg, "with a prefix too");
    das_err_prefix(&err, "%s", long_text);
    ok(strlen(err.msg) < sizeof err.msg, "or a prefix that leaves no room");
    for (int c = DAS_OK; c <= DAS_E_INTERNAL; c++) {
        for (int d = DAS_OK; d < c; d++)
            if (strcmp(das_code_name((enum das_code)c), das_code_name((enum das_code)d)) == 0)
                ok(0, "codes %d and %d have one name", c, d);
    }
    is_str(das_code_name(DAS_E_NOMEM), "nomem", "codes have names");
}

static void allocator(void)
{
    void *p;

    ok(!das_grow(NULL, SIZE_MAX / 4, 8), "n * size may not overflow");
    p = das_alloc(0);
    ok(p != NULL, "nothing is a block too");
    das_free(p);
    das_free(NULL);
    das_alloc_fail_at(2);
    p = das_strdup("x");
    ok(p && !das_alloc_failed(), "the first succeeds");
    ok(!das_strdup("y") && das_alloc_failed(), "the second fails");
    das_free(p);
    p = das_strndup("yz", 1);
    ok(p && strcmp(p, "y") == 0, "all after it succeed");
    das_free(p);
    das_alloc_fail_at(0);
    ok(!das_alloc_failed(), "switched off");
}

static void clocks(void)
{
    char text[32];
    int64_t a = das_clock_monotonic_ms();

    das_clock_iso(0, text, sizeof text);
    is_str(text, "1970-01-01T00:00:00Z", "the beginning");
    das_clock_iso(1767225599, text, sizeof text);
    is_str(text, "2025-12-31T23:59:59Z", "a year's end");
    das_clock_iso(INT64_MAX, text, sizeof text);
    ok(text[0], "no year is too far: %s", text);
    ok(das_clock_monotonic_ms() >= a && das_clock_unix_ms() > 1700000000000, "clocks go on");
}

int main(void)
{
    buffers();
    arenas();
    errors();
    allocator();
    clocks();
    return tap_done();
}
