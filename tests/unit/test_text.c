/* test_text.c - numbers and durations at their limits, UTF-8, suggestions, terminal cells. */
#include "tests/unit/kit.h"

static void int_is(const char *text, int64_t want)
{
    int64_t got = 42;

    ok(das_parse_int(das_text_of(text), &got), "\"%s\" is a number", text);
    is_int(got, want, "\"%s\" gives its value", text);
}

static void not_int(const char *text, size_t len)
{
    int64_t got = 42;

    ok(!das_parse_int(das_text(text, len), &got), "\"%s\" (%zu bytes) is no number", text, len);
    is_int(got, 42, "and leaves the result alone");
}

static void ints(void)
{
    static const char *const bad[] = {"",   "-",  "+",   " 1", "1 ",  "1.0", "0x1", "1e3", "--1",
                                      "+-1", "\n", "१", "9223372036854775808",
                                      "-9223372036854775809", "99999999999999999999999",
                                      "18446744073709551616", "18446744073709551617"};
    int_is("0", 0);
    int_is("-0", 0);
    int_is("+7", 7);
    int_is("007", 7);
    int_is("9223372036854775807", INT64_MAX);
    int_is("+9223372036854775807", INT64_MAX);
    int_is("-9223372036854775808", INT64_MIN);
    int_is("000000000000000000000000000000000012", 12);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        not_int(bad[i], strlen(bad[i]));
    not_int("1\0", 2);
    not_int(NULL, 0);
}

static void duration_is(const char *text, int64_t want)
{
    int64_t got = 42;

    ok(das_parse_duration(das_text_of(text), &got), "\"%s\" is a duration", text);
    is_int(got, want, "\"%s\" in seconds", text);
}

static void durations(void)
{
    static const char *const bad[] = {"", "s", "m", "d", "5x", "5 m", "5m ", "5ms", "1h30m", "1.5h",
                                      "5M", "9223372036854775807m", "106751991167301d", "-"};
    duration_is("90", 90);
    duration_is("90s", 90);
    duration_is("5m", 300);
    duration_is("2h", 7200);
    duration_is("1d", 86400);
    duration_is("0d", 0);
    duration_is("-1m", -60);
    duration_is("106751991167300d", 9223372036854720000);
    duration_is("9223372036854775807s", INT64_MAX);
    duration_is("9223372036854775807", INT64_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t got = 42;
        ok(!das_parse_duration(das_text_of(bad[i]), &got) && got == 42, "\"%s\" is no duration",
           bad[i]);
    }
    ok(!das_parse_duration(DAS_TEXT_NULL, &(int64_t){0}), "nor is NULL");
}

static void utf8_is(const char *bytes, size_t len, size_t want, uint32_t code)
{
    uint32_t got = 0xdead;
    char *exact = das_alloc(len); /* a sanitizer sees a read past its end */
    size_t n;

    must(exact, "memory");
    memcpy(exact, bytes, len);
    n = das_utf8_next(exact, len, &got);
    is_int(n, want, "%02x..., %zu bytes", (unsigned char)bytes[0], len);
    if (want)
        is_int(got, code, "is U+%04X", code);
    ok(das_utf8_valid(das_text(bytes, len)) == (want == len), "and whole or not");
    das_free(exact);
}

static void utf8(void)
{
    utf8_is("a", 1, 1, 'a');
    utf8_is("\0", 1, 1, 0);
    utf8_is("\x7f", 1, 1, 0x7f);
    utf8_is("\x80", 1, 0, 0);
    utf8_is("\xbf", 1, 0, 0);
    utf8_is("\xc0\x80", 2, 0, 0); /* overlong NUL */
    utf8_is("\xc1\xbf", 2, 0, 0);
    utf8_is("\xc2\x80", 2, 2, 0x80);
    utf8_is("\xc2", 1, 0, 0);
    utf8_is("\xc2\x20", 2, 0, 0);
    utf8_is("\xdf\xbf", 2, 2, 0x7ff);
    utf8_is("\xe0\x9f\xbf", 3, 0, 0); /* overlong */
    utf8_is("\xe0\xa0\x80", 3, 3, 0x800);
    utf8_is("\xe2\x82", 2, 0, 0);
    utf8_is("\xed\x9f\xbf", 3, 3, 0xd7ff);
    utf8_is("\xed\xa0\x80", 3, 0, 0); /* surrogates */
    utf8_is("\xed\xbf\xbf", 3, 0, 0);
    utf8_is("\xee\x80\x80", 3, 3, 0xe000);
    utf8_is("\xef\xbf\xbf", 3, 3, 0xffff);
    utf8_is("\xf0\x8f\xbf\xbf", 4, 0, 0); /* overlong */
    utf8_is("\xf0\x90\x80\x80", 4, 4, 0x10000);
    utf8_is("\xf0\x9f\x98", 3, 0, 0);
    utf8_is("\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff);
    utf8_is("\xf4\x90\x80\x80", 4, 0, 0);
    utf8_is("\xf5\x80\x80\x80", 4, 0, 0);
    utf8_is("\xff", 1, 0, 0);
    ok(das_utf8_valid(das_text("", 0)), "nothing is valid");
    ok(!das_utf8_valid(das_text("ab\xffz", 4)), "one bad byte is not");
}

static void compare(void)
{
    const struct das_text null = DAS_TEXT_NULL, empty = das_text("", 0);

    ok(das_text_eq(null, null) && !das_text_eq(null, empty) && !das_text_eq(empty, null),
       "NULL equals only NULL");
    ok(das_text_ieq(null, null) && !das_text_ieq(null, empty), "in any case too");
    ok(das_text_eq(das_text("a\0b", 3), das_text("a\0b", 3)) &&
           !das_text_eq(das_text("a\0b", 3), das_text("a\0c", 3)),
       "NUL is a byte like others");
    ok(das_text_ieq(das_text_of("AzZ"), das_text_of("aZz")), "ASCII letters in any case");
    ok(!das_text_ieq(das_text_of("@"), das_text_of("`")) &&
           !das_text_ieq(das_text_of("["), das_text_of("{")) &&
           !das_text_ieq(das_text_of("\xc3\x89"), das_text_of("\xc3\xa9")),
       "and nothing else");
    ok(das_text_is(das_text_of("x"), "x") && !das_text_is(null, "") && das_text_is(null, NULL),
       "against C strings");
    ok(das_text_eq(das_text_trim(das_text_of(" \t\n\v\f\r a b \r\n")), das_text_of("a b")),
       "white space goes at both ends");
    ok(das_text_trim(das_text_of(" \t ")).len == 0, "all of it");
    ok(das_text_trim(das_text_of("\xc2\xa0x")).len == 3, "a no-break space is no ASCII space");
    ok(das_text_trim(null).len == 0, "NULL stays");
}

static void nearest(void)
{
    static const char *const names[] = {"user", "host", "db", "command", "time", "state_duration"};
    char longest[200];

    is_str(das_nearest("usr", names, 6), "user", "one letter missing");
    is_str(das_nearest("USER", names, 6), "user", "any case");
    is_str(das_nearest("hots", names, 6), "host", "two letters swapped");
    is_str(das_nearest("comand", names, 6), "command", "a double letter");
    is_str(das_nearest("state", names, 6), "state_duration", "a beginning");
    is_str(das_nearest("zzzzzz", names, 6), NULL, "nothing near");
    is_str(das_nearest("", names, 6), NULL, "an empty word");
    is_str(das_nearest("user", names, 0), NULL, "no candidates");
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    is_str(das_nearest(longest, names, 6), NULL, "a long word");
    longest[40] = '\0';
    is_str(das_nearest(longest, names, 6), NULL, "one at the limit");
}

static void cells(void)
{
    is_int(das_utf8_cells('a'), 1, "a letter");
    is_int(das_utf8_cells(0x1b), 0, "escape");
    is_int(das_utf8_cells(0x7f), 0, "delete");
    is_int(das_utf8_cells(0x9b), 0, "the C1 form of escape [");
    is_int(das_utf8_cells(0xa0), 1, "no-break space");
    is_int(das_utf8_cells(0x301), 0, "a combining accent");
    is_int(das_utf8_cells(0x200b), 0, "zero width space");
    is_int(das_utf8_cells(0x4e00), 2, "a Chinese character");
    is_int(das_utf8_cells(0xac00), 2, "a Korean one");
    is_int(das_utf8_cells(0x1f600), 2, "an emoji");
    is_int(das_utf8_cells(0x10ffff), 1, "the last one");
}

int main(void)
{
    ints();
    durations();
    utf8();
    compare();
    nearest();
    cells();
    return tap_done();
}
