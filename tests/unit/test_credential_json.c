/*
 * test_credential_json.c - temporary keys as JSON, read in place: what is found, what is refused,
 * and that the reader takes exactly what the JSON library takes; endpoints.
 */
#include "core/cloud/credential_json.h"

#include "core/base/json.h"
#include "core/cloud/endpoint.h"
#include "tests/unit/kit.h"

static struct das_err err;
static struct das_credential_json found;
static char text[4096];

static int reads(const char *json, size_t len)
{
    err = (struct das_err){0};
    memcpy(text, json, len);
    text[len] = '#'; /* and not a byte more is looked at */
    return das_credential_json_read(text, len, &found, &err);
}

static const char *shown(struct das_text t)
{
    static char ring[4][200];
    static unsigned next;
    char *to = ring[next++ % 4];

    if (!t.ptr)
        return "-";
    snprintf(to, sizeof ring[0], "%.*s", (int)t.len, t.ptr);
    return to;
}

static void gives(const char *json, const char *want, const char *name)
{
    char got[900];

    if (!ok(reads(json, strlen(json)) == 0, "%s", name)) {
        tap_diag("%s", err.msg);
        return;
    }
    snprintf(got, sizeof got, "%s %s %s %s", shown(found.access), shown(found.secret),
             shown(found.security_token), shown(found.expires_at));
    is_str(got, want, "is read");
}

static void refuses(const char *json, const char *part)
{
    ok(reads(json, strlen(json)) < 0 && err.code == DAS_E_CONFIG && strstr(err.msg, part),
       "%.60s: %s", json, err.msg);
    ok(!strstr(err.msg, "s3cret"), "and nothing is told");
}

static void reading(void)
{
    char deep[200];

    gives("{\"access\":\"A\",\"secret\":\"S\",\"securitytoken\":\"T\",\"expires_at\":\"E\"}",
          "A S T E", "alone");
    gives(" { \"credential\" : {\"secret\":\"S\",\r\n\t\"access\":\"A\"} , \"x\":[] } ", "A S - -",
          "below credential");
    gives("{\"access\":\"no\",\"credential\":{\"access\":\"A\"},\"secret\":\"no\"}", "A - - -",
          "below credential, and others");
    gives("{\"credential\":{\"credential\":{\"access\":\"no\"},\"access\":\"A\"}}", "A - - -",
          "not deeper");
    gives("{\"credential\":\"file\",\"access\":\"A\"}", "A - - -", "another credential");
    gives("{\"access\":\"A\",\"secret\":null,\"Access\":1,\"x\":{\"access\":[true,false,null,{}]}}",
          "A - - -", "what else there is");
    gives("{\"a\":[0,-0,1.5,2e3,-1.25E-7,1e+2,[],{},\"\"],\"access\":\"\"}", " - - -", "numbers");
    gives("{\"acc\\u0065ss\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t|\\u00e9\\u20AC\\ud83d\\ude00\"}",
          "\"\\/\b\f\n\r\t|\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 - - -", "escapes");
    gives("{\"access\":\"\xc3\xa9\"}", "\xc3\xa9 - - -", "UTF-8");
    gives("{}", "- - - -", "nothing");
    ok(reads("{\"secret\":\"a\\u0000b\"}", 21) == 0 && found.secret.len == 3, "a byte 0");

    refuses("", "expected a JSON object");
    refuses("[]", "expected a JSON object");
    refuses("\"s3cret\"", "expected a JSON object");
    refuses("{\"access\":\"s3cret\",\"access\":\"s3cret\"}", "\"access\" is there twice");
    refuses("{\"secret\":7}", "\"secret\": expected a text");
    refuses("{\"securitytoken\":{\"s3cret\":1}}", "\"securitytoken\": expected a text");
    refuses("{\"secret\":\"s3cret", "not valid JSON at byte 18");
    refuses("{\"secret\":\"s3cret\"} x", "not valid JSON at byte 21");
    refuses("{\"secret\":\"s3cret\",}", "not valid JSON");
    refuses("{\"x\":", "not valid JSON at byte 6");
    refuses("{\"credential\":{\"access\":1}}", "\"access\": expected a text");
    refuses("{\"x\":\"\xff\"}", "not UTF-8");

    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"x\":", 5);
    deep[199] = '\0';
    refuses(deep, "levels deep");
}

/* Whatever is done to a text: both take it, and to mean the same, or neither does. */
static bool agree(const char *json, size_t len)
{
    static const char *const keys[] = {"access", "secret", "securitytoken", "expires_at"};
    struct das_err theirs = {0};
    json_t *value = das_json_parse(json, len, NULL, &theirs), *object = value, *inner;
    bool mine = reads(json, len) == 0, good = true;
    const struct das_text got[] = {found.access, found.secret, found.security_token,
                                   found.expires_at};

    /* these are right JSON, and no keys; a key twice is not looked for but among the keys */
    if (!mine && (strstr(err.msg, "expected a text") || strstr(err.msg, "expected a JSON object") ||
                  strstr(err.msg, "is there twice"))) {
        json_decref(value);
        return true;
    }
    if (!value && strstr(theirs.msg, "duplicate")) {
        json_decref(value);
        return true;
    }
    inner = json_object_get(value, "credential");
    if (json_is_object(inner))
        object = inner;
    if (mine != (value != NULL))
        good = false;
    for (int i = 0; good && value && i < 4; i++) {
        const json_t *v = json_object_get(object, keys[i]);
        if (json_is_string(v))
            good = das_text_eq(got[i], das_text(json_string_value(v), json_string_length(v)));
        else
            good = !got[i].ptr;
    }
    json_decref(value);
    return good;
}

static void same_as_the_library(void)
{
    static const char *const samples[] = {
        ("{\"credential\":{\"access\":\"AKTEMP\",\"expires_at\":\"2026-01-08T02:56:19.587000Z\","
         "\"secret\":\"R6a\",\"securitytoken\":\"gg\\/b1\"}}"),
        "{ \"access\" : \"A\\u00e9\\ud83d\\ude00\" , \"secret\" : \"S\\\\\\\"\", \"x\" : [ 1 , "
        "-2.5e3 ] }",
        "{\"x\":{\"y\":[true,false,null,0,\"z\"]},\"access\":null,\"securitytoken\":"
        "\"\xe2\x82\xac\"}"};
    static const char bytes[] = "{}[]\",:\\u0019eE+-.nulltruefalse \n\t\x01\x7f\xc3\xa9\xff/dD8";
    int bad = 0, taken = 0;

    kit_seed(7);
    for (int i = 0; i < 60000; i++) {
        const char *sample = samples[kit_below(3)];
        size_t len = strlen(sample);
        char json[300];
        memcpy(json, sample, len);
        for (size_t n = kit_below(4); n > 0; n--) {
            size_t at = kit_below(len);
            if (kit_below(3) == 0) { /* one less, one more, or another */
                memmove(json + at, json + at + 1, len - at - 1);
                len--;
            } else if (kit_below(2) == 0 && len < sizeof json) {
                memmove(json + at + 1, json + at, len - at);
                len++;
                json[at] = bytes[kit_below(sizeof bytes - 1)];
            } else {
                json[at] = bytes[kit_below(sizeof bytes - 1)];
            }
        }
        if (!agree(json, len) && !bad++)
            tap_diag("%.*s: %s", (int)len, json, err.msg);
        taken += !err.code;
    }
    ok(!bad && taken > 1000 && taken < 59000, "60000 texts, %d of them taken, read as jansson does",
       taken);
}

/* --- endpoints -------------------------------------------------------------------------------- */

static void endpoints(void)
{
    static const struct {
        const char *text, *origin, *host;
    } good[] = {
        {"https://iam.myhuaweicloud.com", "https://iam.myhuaweicloud.com", "iam.myhuaweicloud.com"},
        {"iam.myhuaweicloud.com/", "https://iam.myhuaweicloud.com", "iam.myhuaweicloud.com"},
        {"HTTPS://IAM.Example.com:443", "https://iam.example.com", "iam.example.com"},
        {"https://iam:8443/", "https://iam:8443", "iam:8443"},
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1:8080"},
        {"http://localhost:80", "http://localhost", "localhost"},
        {"http://127.9.9.9", "http://127.9.9.9", "127.9.9.9"},
        {"http://[::1]:81", "http://[::1]:81", "[::1]:81"},
        {"https://[FD00:0:0::1]", "https://[fd00::1]", "[fd00::1]"},
        {"https://10.0.0.7:443", "https://10.0.0.7", "10.0.0.7"}};
    static const char *const bad[] = {"",
                                      "https://",
                                      "ftp://host",
                                      "https://user:s3cret@host",
                                      "https://host/v3",
                                      "https://host?x",
                                      "https://host#x",
                                      "https://host:",
                                      "https://host:0",
                                      "https://host:65536",
                                      "https://host:8x",
                                      "https://a b",
                                      "https://127.1",
                                      "https://0x7f000001",
                                      "https://1.2.3.4.5",
                                      "https://a..b",
                                      "https://.a",
                                      "https://a.",
                                      "https://[::1",
                                      "https://[::1]x",
                                      "https://[x]",
                                      "https://[fe80::1%25eth0]",
                                      "https://h\xc3\xb6st"};
    static const char *const plain[] = {
        "http://iam.example.com",   "http://10.0.0.7", "http://127.0.0.1.example.com",
        "http://localhost.example", "http://[::2]",    "HTTP://0.0.0.0"};
    struct das_endpoint at;
    char name[300];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ok(das_endpoint_parse("iam", good[i].text, false, &at, &err) == 0, "%s", good[i].text);
        is_str(at.origin, good[i].origin, "its origin");
        is_str(at.host, good[i].host, "its Host");
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(das_endpoint_parse("iam", bad[i], true, &at, &err) < 0 && err.code == DAS_E_CONFIG &&
               strstr(err.msg, "iam: expected one like https://host") && !strstr(err.msg, "s3cret"),
           "\"%s\": %s", bad[i], err.msg);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        ok(das_endpoint_parse("iam", plain[i], false, &at, &err) < 0 && err.code == DAS_E_CONFIG &&
               strstr(err.msg, "insecure"),
           "%s: %s", plain[i], err.msg);
        ok(das_endpoint_parse("iam", plain[i], true, &at, &err) == 0, "unless somebody insists");
    }
    memset(name, 'a', sizeof name);
    name[254] = '\0';
    ok(das_endpoint_parse("iam", name, false, &at, &err) < 0, "a host of 254 bytes");
    name[253] = '\0';
    ok(das_endpoint_parse("iam", name, false, &at, &err) == 0, "of 253");

    ok(das_region_check("cn-north-4", &err) == 0, "a region");
    ok(das_region_check(NULL, &err) < 0 && err.code == DAS_E_CONFIG, "none: %s", err.msg);
    ok(das_region_check("", &err) < 0, "an empty one: %s", err.msg);
    ok(das_region_check("evil.example.com/", &err) < 0, "another host: %s", err.msg);
    ok(das_region_check("CN", &err) < 0, "capital letters: %s", err.msg);
}

int main(void)
{
    reading();
    same_as_the_library();
    endpoints();
    return tap_done();
}
