/*
 * test_regex.c - regular expressions: what matches, which patterns are refused and where, that none
 * hangs, that memory running out is an error, and that threads may share one.
 */
#include "core/base/regex.h"

#include <pthread.h>

#include "tests/unit/kit.h"

static struct das_err err;

static struct das_regex *regex(const char *pattern, const char *flags)
{
    struct das_regex *re = das_regex_new(das_text_of(pattern), flags, &err);

    if (!re) {
        tap_diag("%s: %s", pattern, err.msg);
        exit(1);
    }
    return re;
}

static bool hits(const char *pattern, const char *flags, struct das_text text)
{
    struct das_regex *re = regex(pattern, flags);
    int n = das_regex_match(re, text, NULL, &err);

    das_regex_free(re);
    return n > 0;
}

static void matching(void)
{
    ok(hits("b", NULL, das_text_of("abc")), "anywhere");
    ok(!hits("^b", NULL, das_text_of("abc")), "unless anchored");
    ok(!hits("B", NULL, das_text_of("abc")), "case matters");
    ok(hits("B", "i", das_text_of("abc")), "unless i is given");
    ok(hits("c$", NULL, das_text_of("abc\n")), "$ is also before a last line's end");
    ok(!hits("^b", NULL, das_text_of("a\nb")), "^ is the beginning");
    ok(hits("^b", "m", das_text_of("a\nb")), "of each line with m");
    ok(!hits("a.b", NULL, das_text_of("a\nb")), ". is no line's end");
    ok(hits("a.b", "s", das_text_of("a\nb")), "but with s");
    ok(hits("a b # both", "x", das_text_of("ab")), "white space and comments with x");
    ok(hits("", NULL, das_text_of("")), "an empty pattern matches empty text");
    ok(!hits("", NULL, DAS_TEXT_NULL), "nothing matches NULL");
    ok(hits("b", NULL, das_text("a\0b", 3)), "text holds zero bytes");
    ok(hits("^..$", NULL, das_text_of("\xc3\xa4")), "a byte is a character");
    ok(hits("^.$", "u", das_text_of("\xc3\xa4")), "with u a character is one");
    ok(hits("b", "u", das_text_of("\xff" "b")), "with u what is not UTF-8 is passed over");
    ok(!hits("^.b", "u", das_text_of("\xff" "b")), "and matches nothing");
    ok(hits("(?<!not )in", NULL, das_text_of("in")), "look-behind");
}

static void groups(void)
{
    struct das_text g[DAS_REGEX_GROUPS];
    struct das_regex *re = regex("(\\w+)( x)?=(\\d*)", NULL);
    char many[40 * 3 + 1] = "";

    is_int(das_regex_match(re, das_text_of("  time=60 s"), g, &err), 4, "the whole and three groups");
    ok(das_text_is(g[0], "time=60"), "the whole");
    ok(das_text_is(g[1], "time"), "a group");
    ok(!g[2].ptr, "a group that took no part is NULL");
    ok(das_text_is(g[3], "60"), "the group behind it");
    is_int(das_regex_match(re, das_text_of("time="), g, &err), 4, "an empty group");
    ok(g[3].ptr && g[3].len == 0, "is not NULL");
    is_int(das_regex_match(re, das_text_of("none"), g, &err), 0, "no match");
    das_regex_free(re);

    for (int i = 0; i < 40; i++)
        strcat(many, "(a)");
    re = regex(many, NULL);
    memset(many, 'a', 40);
    is_int(das_regex_match(re, das_text(many, 40), g, &err), DAS_REGEX_GROUPS,
           "more groups than there is room for");
    das_regex_free(re);
}

static void refused(const char *pattern, const char *flags, const char *words)
{
    struct das_regex *re = das_regex_new(das_text_of(pattern), flags, &err);

    ok(!re && err.code == DAS_E_USAGE && strstr(err.msg, words), "\"%s\" is refused: %s", pattern,
       re ? "no" : err.msg);
    das_regex_free(re);
}

static void patterns(void)
{
    refused("a(b", NULL, "missing closing parenthesis, at byte 4");
    refused("*a", NULL, "at byte 1");
    refused("[a", NULL, "\"[a\"");
    refused("a", "ik", "unknown flag \"k\"; expected some of \"imsxu\"");
    refused("(*UTF)a", NULL, "UTF");
    refused("a\\Cb", NULL, "\\C");
    refused("(?:(?:a{1000}){1000}){1000}", NULL, "too large");
}

static void never_hang(void)
{
    size_t len = 300000;
    char *text = malloc(len);
    static const char *const slow[] = {"^(a+)+$", "^(a|aa)+$", "(a*)*b", "^(?:a?){40}a{40}b",
                                       "(.|a)*?(.|a)*?(.|a)*?b", "^(([a-z])+.)+[A-Z]([a-z])+$"};

    memset(text, 'a', len);
    text[len - 1] = '!';
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++) {
        struct das_regex *re = regex(slow[i], NULL);
        int n = das_regex_match(re, das_text(text, len), NULL, &err);
        ok(n == 0 || (n < 0 && err.code == DAS_E_LIMIT && strstr(err.msg, "too complex")),
           "%s gives up or answers", slow[i]);
        n = das_regex_match(re, das_text_of("aaaa"), NULL, &err);
        ok(n >= 0, "%s goes on with easier text", slow[i]);
        das_regex_free(re);
    }
    {
        struct das_regex *re = regex("^(a+)+$", NULL);
        is_int(das_regex_match(re, das_text(text + len - 60, 60), NULL, &err), -1,
               "2^60 ways are too complex");
        is_str(das_code_name(err.code), "limit", "which is a limit");
        das_regex_free(re);
        re = regex("^(?:(a)|!)+$", NULL); /* more than machine code's stack holds */
        is_int(das_regex_match(re, das_text(text + len - 20000, 20000), NULL, &err), 2,
               "a long way is no wrong way");
        das_regex_free(re);
    }
    free(text);
}

static void *match_many(void *arg)
{
    const struct das_regex *re = arg;
    size_t wrong = 0;
    struct das_text g[DAS_REGEX_GROUPS];
    struct das_err e;
    char text[40];

    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "select %d from t", i);
        wrong += das_regex_match(re, das_text_of(text), g, &e) != 2 ||
                 g[1].len != (size_t)snprintf(NULL, 0, "%d", i);
        wrong += das_regex_match(re, das_text_of("update t"), g, &e) != 0;
    }
    return (void *)wrong;
}

static void threads(void)
{
    struct das_regex *re = regex("^select (\\d+) from (?:t)$", NULL);
    pthread_t t[4];
    size_t wrong = 0;
    void *result;

    for (size_t i = 0; i < 4; i++) {
        if (pthread_create(&t[i], NULL, match_many, re) != 0)
            exit(1);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(t[i], &result);
        wrong += (size_t)result;
    }
    is_int(wrong, 0, "four threads match with one pattern");
    ok(das_regex_bytes(re) > 100, "its memory is known");
    das_regex_free(re);
    das_regex_free(NULL);
}

static void out_of_memory(void)
{
    long failed = 0, wrong = 0, n = 0;

    for (bool more = true; more; n++) {
        struct das_regex *re;
        int rc = -1;
        err.code = DAS_OK;
        das_alloc_fail_at(n + 1);
        re = das_regex_new(das_text_of("^(a|b)+c"), NULL, &err);
        if (re)
            rc = das_regex_match(re, das_text_of("ababc"), NULL, &err);
        more = das_alloc_failed();
        das_alloc_fail_at(0);
        wrong += !more && rc != 2;
        wrong += rc < 0 && err.code != DAS_E_NOMEM;
        failed += rc < 0;
        das_regex_free(re);
    }
    ok(n > 3 && failed > 3, "each allocation fails once (%ld)", n - 1);
    is_int(wrong, 0, "and it is an error each time");
}

int main(void)
{
    matching();
    groups();
    patterns();
    never_hang();
    threads();
    out_of_memory();
    return tap_done();
}
