/*
 * test_pattern.c - the % wildcard and the ~ keyword rule, against slow and obvious references.
 */
#include "core/session/pattern.h"

#include "tests/unit/kit.h"

static struct das_err err;

/* --- % ------------------------------------------------------------------------------------------- */

static bool like(const char *pattern, size_t plen, const char *text, size_t len, bool any_case)
{
    struct das_pattern p;
    bool hit;

    if (das_pattern_init(&p, das_text(pattern, plen), any_case, &err) < 0)
        exit(1);
    hit = das_pattern_match(&p, das_text(text, len));
    das_pattern_clear(&p);
    return hit;
}

static void yes(const char *pattern, const char *text)
{
    ok(like(pattern, strlen(pattern), text, strlen(text), false), "\"%s\" is \"%s\"", text,
       pattern);
}

static void no(const char *pattern, const char *text)
{
    ok(!like(pattern, strlen(pattern), text, strlen(text), false), "\"%s\" is not \"%s\"", text,
       pattern);
}

static void wildcards(void)
{
    struct das_pattern p;

    yes("app", "app");
    no("app", "App");
    no("app", "app ");
    no("app", "ap");
    no("app", "");
    yes("app%", "app");
    yes("app%", "apple");
    no("app%", "ap");
    yes("%app", "myapp");
    no("%app", "apps");
    yes("%", "");
    yes("%", "anything");
    yes("%%", "");
    yes("%%%", "x");
    yes("a%b", "ab");
    yes("a%b", "a%b");
    yes("a%b", "abab");
    no("a%a", "a"); /* the two ends may not share a letter */
    yes("a%a", "aa");
    no("ab%ba", "aba");
    yes("ab%ba", "abba");
    yes("%a%b%", "xaxbx");
    no("%a%b%", "ba");
    no("%aa%aa%", "aaa"); /* nor may two in the middle */
    yes("%aa%aa%", "aaaa");
    no("a%ab%b", "ab");
    yes("a%ab%b", "aabb");
    /* _ is a letter like others */
    yes("a_b", "a_b");
    no("a_b", "axb");
    no("a_%", "ax");
    /* \% is a percent, any other \ is itself */
    yes("100\\%", "100%");
    no("100\\%", "100\\%");
    no("100\\%", "1000");
    yes("100\\%%", "100% more");
    no("100\\%%", "1000");
    yes("a\\b", "a\\b");
    yes("a\\", "a\\");
    yes("\\\\%", "\\%"); /* \ and \%: not an escaped backslash before a wildcard */
    no("\\\\%", "\\x");
    yes("\\_", "\\_");
    ok(like("a\0b%", 4, "a\0bc", 4, false), "NUL in a pattern is a byte");
    ok(!like("a\0b%", 4, "a\0cc", 4, false), "that counts");
    ok(like("", 0, "", 0, false) && !like("", 0, "x", 1, false), "the empty pattern is \"\"");
    ok(like("aPp%X", 5, "ApP..x", 6, true), "any case where asked for");
    ok(like("%PaRt%", 6, "aaapartaaa", 10, true), "in the middle too");
    ok(!like("%\xc3\x89%", 4, "\xc3\xa9", 2, true), "ASCII letters only");
    ok(!like("@%", 2, "`x", 2, true) && !like("%[%", 3, "{", 1, true),
       "and only letters fold");
    if (das_pattern_init(&p, das_text_of("%"), false, &err) == 0) {
        ok(!das_pattern_match(&p, DAS_TEXT_NULL), "NULL is nothing, not even %%");
        ok(!das_pattern_plain(&p), "%% is no plain text");
        das_pattern_clear(&p);
    }
    if (das_pattern_init(&p, das_text_of("a\\%"), false, &err) == 0) {
        ok(das_pattern_plain(&p), "a\\%% is");
        das_pattern_clear(&p);
    }
}

/* The rule, said once more as slowly as possible. */
static bool slow_like(const char *p, size_t pn, const char *t, size_t tn)
{
    if (!pn)
        return !tn;
    if (*p == '%')
        return slow_like(p + 1, pn - 1, t, tn) || (tn && slow_like(p, pn, t + 1, tn - 1));
    if (*p == '\\' && pn > 1 && p[1] == '%')
        return tn && *t == '%' && slow_like(p + 2, pn - 2, t + 1, tn - 1);
    return tn && *t == *p && slow_like(p + 1, pn - 1, t + 1, tn - 1);
}

static void random_wildcards(uint64_t seed)
{
    static const char letters[] = "ab%_\\%";
    int wrong = 0;

    for (int i = 0; i < 60000 && !wrong; i++) {
        char p[8], t[10];
        size_t pn = kit_below(sizeof p), tn = kit_below(sizeof t);
        for (size_t k = 0; k < pn; k++)
            p[k] = letters[kit_below(6)];
        for (size_t k = 0; k < tn; k++)
            t[k] = letters[kit_below(5)];
        if (like(p, pn, t, tn, false) == slow_like(p, pn, t, tn))
            continue;
        wrong++;
        tap_diag("SEED=%" PRIu64 ": \"%.*s\" on \"%.*s\"", seed, (int)pn, p, (int)tn, t);
    }
    ok(!wrong, "60000 random patterns agree with the slow reading");
}

/* --- searching ------------------------------------------------------------------------------------ */

static const char *slow_search(struct das_text hay, struct das_text needle)
{
    for (size_t i = 0; i + needle.len <= hay.len; i++) {
        size_t k = 0;
        while (k < needle.len && das_lower((unsigned char)hay.ptr[i + k]) ==
                                     (unsigned char)needle.ptr[k])
            k++;
        if (k == needle.len)
            return hay.ptr + i;
    }
    return NULL;
}

/* Each hay is a block of its own that ends with its last byte: what reads further is caught by the
 * address sanitizer. All alignments come about by starting at any offset of it. */
static void search(uint64_t seed)
{
    static const char letters[] = "aAbB@`[{\x00\xe1\xc1zZ";
    int wrong = 0;
    long done = 0;

    for (size_t len = 0; len <= 80; len++) {
        for (size_t offset = 0; offset < 17; offset++) {
            char *block = das_alloc(offset + len), *hay = block + offset;
            for (int round = 0; round < 8; round++) {
                size_t alphabet = 2 + kit_below(sizeof letters - 3), n = 1 + kit_below(len + 2);
                char needle[96];
                struct das_text h = das_text(hay, len), what = das_text(needle, n);
                for (size_t i = 0; i < len; i++)
                    hay[i] = letters[kit_below(alphabet)];
                if (n <= len && kit_below(3)) { /* often something that is there */
                    memcpy(needle, hay + kit_below(len - n + 1), n);
                } else {
                    for (size_t i = 0; i < n; i++)
                        needle[i] = letters[kit_below(alphabet)];
                }
                for (size_t i = 0; i < n; i++)
                    needle[i] = (char)das_lower((unsigned char)needle[i]);
                done++;
                if (das_text_search(h, what) == slow_search(h, what))
                    continue;
                if (!wrong++)
                    tap_diag("SEED=%" PRIu64 ": length %zu, offset %zu, needle of %zu", seed, len,
                             offset, n);
            }
            das_free(block);
        }
    }
    ok(!wrong, "%ld random searches agree with the slow one", done);
}

/* --- keywords ------------------------------------------------------------------------------------ */

static size_t found(const char *words, struct das_text t)
{
    struct das_keywords k;
    size_t n;

    if (das_keywords_init(&k, das_text_of(words), &err) < 0)
        exit(1);
    n = das_keywords_found(&k, t);
    das_keywords_clear(&k);
    return n;
}

static void in_order(const char *words, const char *sql, size_t want)
{
    is_int(found(words, das_text_of(sql)), want, "\"%s\" in \"%s\": %zu", words, sql, want);
}

static void keywords(void)
{
    struct das_keywords k;
    char many[DAS_KEYWORDS_MAX * 2 + 3];

    in_order("select~from", "select a from b", 2);
    in_order("SELECT~from", "Select a FROM b", 2);
    in_order("from~select", "select a from b", 1);
    in_order("from~select", "from a select", 2);
    in_order("a~a", "a", 1);
    in_order("a~a", "aa", 2);
    in_order("aba~aba", "ababa", 1); /* no overlap */
    in_order("aba~aba", "abaaba", 2);
    in_order("selectfrom", "select from", 0);
    in_order(" ~ select ~~ \t from ~ ", "select a from b", 2);
    in_order("order by", "select x order by y", 1);
    in_order("order by", "select x order  by y", 0); /* white space inside counts */
    in_order("x", "", 0);
    in_order("a~b~c", "c b a", 1);
    in_order("a~b~c", "abc", 3);
    in_order("%", "50%", 1); /* no wildcard here */
    in_order("%", "50", 0);
    in_order("_", "ab", 0);
    is_int(found("b", das_text("a\0b", 3)), 1, "NUL in the statement does not end it");
    is_int(found("a", DAS_TEXT_NULL), 0, "NULL has no keyword");
    ok(das_keywords_init(&k, das_text("a\0b", 3), &err) == 0 &&
           das_keywords_found(&k, das_text("xA\0By", 5)) == 1 &&
           das_keywords_found(&k, das_text("xA", 2)) == 0,
       "NUL in a keyword is a byte");
    das_keywords_clear(&k);

    for (size_t i = 0; i < sizeof many - 1; i++)
        many[i] = i % 2 ? '~' : 'k';
    ok(das_keywords_init(&k, das_text(many, DAS_KEYWORDS_MAX * 2), &err) == 0 &&
           k.count == DAS_KEYWORDS_MAX,
       "128 keywords are fine");
    das_keywords_clear(&k);
    ok(das_keywords_init(&k, das_text(many, DAS_KEYWORDS_MAX * 2 + 1), &err) < 0, "129 are not");
    is_str(err.msg, "info: 129 keywords, expected at most 128", "and that is said");
    memset(many, '~', sizeof many);
    ok(das_keywords_init(&k, das_text(many, sizeof many), &err) < 0 && err.code == DAS_E_USAGE,
       "only ~ is a mistake");
    has_str(err.msg, "no keyword between", "that is said");
    ok(das_keywords_init(&k, das_text_of(" "), &err) < 0, "as is a blank");
}

int main(void)
{
    uint64_t seed = kit_seed(20260101);

    wildcards();
    random_wildcards(seed);
    search(seed);
    keywords();
    return tap_done();
}
