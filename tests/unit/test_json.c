/* test_json.c - JSON out, byte by byte, read back by jansson; and JSON in with its errors. */
#include "core/base/json.h"

#include <malloc.h>

#include "tests/unit/kit.h"

static struct das_err err;

static void writes(const char *text, size_t len, const char *want)
{
    struct das_buf b = {0};

    das_json_text(&b, das_text(text, len));
    is_str(b.ptr, want, "%s", want);
    das_buf_clear(&b);
}

static void strings(void)
{
    struct das_buf b = {0};

    writes("", 0, "\"\"");
    writes("plain", 5, "\"plain\"");
    writes("\"\\/", 3, "\"\\\"\\\\/\"");
    writes("\n\r\t\b\f", 5, "\"\\n\\r\\t\\u0008\\u000c\"");
    writes("a\0b", 3, "\"a\\u0000b\"");
    writes("\x1b\x7f", 2, "\"\\u001b\\u007f\"");
    writes("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    writes("\xc2\x9b\xc2\xa0", 4, "\"\\u009b\xc2\xa0\"");
    writes("\xff", 1, "\"\xef\xbf\xbd\"");
    writes("a\xc3", 2, "\"a\xef\xbf\xbd\"");
    writes("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    writes(NULL, 0, "null");

    das_buf_char(&b, '{');
    das_json_key_int(&b, "min", INT64_MIN);
    das_json_key_int(&b, "max", INT64_MAX);
    das_json_key_bool(&b, "yes", true);
    das_json_key_text(&b, "null", DAS_TEXT_NULL);
    das_json_key(&b, "list");
    das_buf_char(&b, '[');
    das_json_comma(&b);
    das_json_str(&b, "x");
    das_json_comma(&b);
    das_json_str(&b, NULL);
    das_buf_str(&b, "]}");
    is_str(b.ptr,
           "{\"min\":-9223372036854775808,\"max\":9223372036854775807,\"yes\":true,\"null\":null,"
           "\"list\":[\"x\",null]}",
           "keys and commas");
    das_buf_clear(&b);
}

/* Any bytes make valid JSON, and valid UTF-8 comes back as it was. */
static void round_trip(uint64_t seed)
{
    int bad = 0;

    for (int i = 0; i < 20000; i++) {
        unsigned char bytes[40];
        size_t len = kit_below(sizeof bytes);
        struct das_buf b = {0};
        json_t *v;
        for (size_t k = 0; k < len; k++)
            bytes[k] = (unsigned char)(kit_below(3) ? kit_below(256) : kit_below(128));
        das_json_text(&b, das_text((char *)bytes, len));
        v = das_json_parse(b.ptr, b.len, NULL, &err);
        if (!v || (das_utf8_valid(das_text((char *)bytes, len)) &&
                   !das_text_eq(das_text((char *)bytes, len),
                                das_text(json_string_value(v), json_string_length(v))))) {
            if (!bad++)
                tap_diag("SEED=%" PRIu64 ": %s: %s", seed, b.ptr, err.msg);
        }
        json_decref(v);
        das_buf_clear(&b);
    }
    ok(!bad, "20000 random strings are valid JSON");
}

static void refuses(const char *text, int line)
{
    int at = -1;
    json_t *v = das_json_parse(text, strlen(text), &at, &err);

    ok(!v && err.code == DAS_E_DATA, "\"%s\" is refused", text);
    has_str(err.msg, "not valid JSON", "as JSON");
    is_int(at, line, "with its line");
    json_decref(v);
}

static void parsing(void)
{
    json_t *v = das_json_parse("9223372036854775807", 19, NULL, &err);

    ok(v && json_integer_value(v) == INT64_MAX, "integers are exact");
    json_decref(v);
    v = das_json_parse("[1]xyz", 3, NULL, &err);
    ok(v != NULL, "the length counts, not a NUL");
    json_decref(v);
    refuses("", 1);
    refuses("{\"a\":1,\"a\":2}", 1);
    refuses("[1,\n2,\n}", 3);
    refuses("9223372036854775808", 1);
    refuses("\"\xff\"", 1);
    refuses("[1] x", 1);
}

/* --- numbers that are not whole, and what parsing takes ----------------------------------------------- */

static void real(double v, const char *want)
{
    struct das_buf b = {0};

    das_json_real(&b, v);
    is_str(b.ptr, want, "%s", want);
    das_buf_clear(&b);
}

static void reals(void)
{
    int bad = 0;

    real(7, "7.0");
    real(-0.0, "-0.0");
    real(0.1, "0.1");
    real(1e22, "1e+22");
    real(1.0 / 3, "0.3333333333333333");
    real(0.1 + 0.2, "0.30000000000000004");
    real(9007199254740993.0, "9007199254740992.0");
    real(5e-324, "5e-324");
    real(2.2250738585072014e-308, "2.2250738585072014e-308");
    real(1.7976931348623157e308, "1.7976931348623157e+308");
    for (int i = 0; i < 50000; i++) {
        uint64_t bits = kit_random();
        struct das_buf b = {0};
        json_t *v;
        double d;
        memcpy(&d, &bits, sizeof d);
        if (d != d || d - d != 0)
            continue;
        das_json_real(&b, d);
        v = das_json_parse(b.ptr, b.len, NULL, &err);
        bad += !json_is_real(v) || json_real_value(v) != d || strlen(b.ptr) > 26;
        json_decref(v);
        das_buf_clear(&b);
    }
    ok(!bad, "50000 random numbers come back as they were");
}

/* jansson may not take more than was foreseen, or a run goes over its memory. */
static void weighs(const char *what, const char *open, const char *item, const char *close)
{
    struct das_json_weight w;
    struct das_buf b = {0};
    size_t before, taken;
    json_t *v;

    das_buf_str(&b, open);
    for (int i = 0; i < 20000; i++)
        das_buf_str(&b, item);
    das_buf_str(&b, close);
    das_json_weigh(das_buf_view(&b), 100, &w);
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    v = das_json_parse(b.ptr, b.len, NULL, &err);
    taken = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    ok(v && taken <= w.bytes, "%s: %zu bytes of text, %zu taken, %" PRIu64 " foreseen", what, b.len,
       taken, w.bytes);
    json_decref(v);
    das_buf_clear(&b);
}

static void weights(void)
{
    struct das_json_weight w;

    weighs("numbers", "[0", ",0", "]");
    weighs("reals", "[0", ",0.5", "]");
    weighs("short strings", "[0", ",\"\"", "]");
    weighs("strings", "[0", ",\"abcdefghijklmnopqrstuvwxyz\"", "]");
    weighs("lists", "[0", ",[]", "]");
    weighs("lists with an item", "[0", ",[1]", "]");
    weighs("objects", "[0", ",{}", "]");
    weighs("objects with a key", "[0", ",{\"a\":1}", "]");
    weighs("objects with keys", "[0", ",{\"a\":1,\"b\":\"x\",\"c\":null,\"d\":[]}", "]");
    das_json_weigh(das_text_of("{\"[[[\\\"[[\":[\n[1]]}"), 2, &w);
    ok(w.depth == 3 && w.deep_line == 2, "depth, not in strings, and the line");
    das_json_weigh(das_text_of("]]]["), 2, &w);
    ok(w.depth == 1 && !w.deep_line, "what is no JSON does no harm");
    das_json_weigh(das_text_of("\"\\"), 2, &w);
    ok(w.depth == 0, "nor does a string without an end");
}

static void no_memory(void)
{
    struct das_buf b = {0};

    das_alloc_fail_at(1);
    das_json_str(&b, "x");
    das_json_key_int(&b, "a", 1);
    das_alloc_fail_at(0);
    ok(b.failed && das_buf_ok(&b, &err) < 0 && err.code == DAS_E_NOMEM, "writing remembers");
    das_buf_clear(&b);
    for (long n = 1; n < 50; n++) {
        json_t *v;
        bool failed;
        das_alloc_fail_at(n);
        v = das_json_parse("{\"a\":[1,\"x\",{}]}", 16, NULL, &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        json_decref(v);
        if (!failed) {
            ok(v != NULL, "reading survives %ld failing allocations", n - 1);
            break;
        }
        if (v)
            ok(0, "allocation %ld failed and was not noticed", n);
    }
}

int main(void)
{
    uint64_t seed = kit_seed(20260104);

    strings();
    round_trip(seed);
    parsing();
    reals();
    weights();
    no_memory();
    return tap_done();
}
