/*
 * test_values.c - das.json, das.crypto, das.time, das.log, das.sleep and das.retry through
 * das_engine_run(): what they write on the log, that waiting ends with the run, and that no failing
 * allocation makes them crash, leak or lie.
 *
 * What they say in general is in tests/lua; here is what a script cannot see.
 */
#include "bindings/engine.h"

#include "core/base/log.h"
#include "tests/unit/kit.h"
#include "tests/unit/temp_file.h"

static struct das_err err;
static struct das_engine_result result;
static char *output, *logged; /* of the last run */
static const char *sample_path, *script_path;
static int rc;

static const char sample[] =
    "ID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\tQUERY_ID\tTRX_TIME\n"
    "1\tapp\th:1\tshop\tQuery\t10\tSending data\tselect 1 from t\t101\tNULL\n"
    "2\tapp\th:2\tshop\tSleep\t20\t\tNULL\t102\t15\n";

static struct das_secrets secrets; /* of the runs that follow; none unless a test adds them */

static bool run(const char *script, long fail_at, const struct das_limits *limits,
                const atomic_int *cancel)
{
    struct das_inventory *inv = das_inventory_new(&err);
    char spec[100];
    struct das_source_conf conf = {.name = "shop", .spec = spec};
    size_t out_size = 0, log_size = 0;
    struct das_engine_opts opts = {.path = script_path, .inventory = inv, .width = 100,
                                   .limits = limits, .cancel = cancel, .secrets = &secrets};
    char *granted[] = {(char[]){"preview"}, (char[]){"kill"}, (char[]){"instance:*"},
                       (char[]){"secret:token"}, (char[]){"secret:pin"}};
    const struct das_grants grants = {granted, 5};
    FILE *f = fopen(script_path, "w");
    bool failed;

    opts.grants = &grants;
    snprintf(spec, sizeof spec, "mem:%s", sample_path);
    if (!f || fputs(script, f) < 0 || fclose(f) != 0 || !inv ||
        das_inventory_add(inv, &conf, &err) < 0 || !das_inventory_open(inv, 0, &err))
        exit(1);
    free(output);
    free(logged);
    output = logged = NULL;
    opts.out = open_memstream(&output, &out_size);
    opts.log = open_memstream(&logged, &log_size);
    das_engine_result_clear(&result);
    das_alloc_fail_at(fail_at);
    rc = das_engine_run(&opts, &result, &err);
    failed = das_alloc_failed();
    das_alloc_fail_at(0);
    fclose(opts.out);
    fclose(opts.log);
    das_inventory_free(inv);
    return failed;
}

/* --- the log ----------------------------------------------------------------------------------------- */

static void logs(const char *script, const char *want)
{
    run(script, 0, NULL, NULL);
    if (!ok(rc == 0, "runs: %.60s", script))
        tap_diag("%s", err.msg);
    is_str(logged, want, "and logs what it should");
}

static void lines(void)
{
    struct das_limits limits = das_limits_default;

    logs("das.log.info('hello') das.log.debug('not this')", "das run: info: hello\n");
    logs("das.log.warn('a\\nb', { n = 7, x = 1.5, s = 'x y', l = { 1, das.json.null }, t = true })",
         "das run: warn: a\\nb l=[1,null] n=7 s=\"x y\" t=true x=1.5\n");
    logs("das.log.error(5, { s = das.preview{ id = 1 }.processes })",
         "das run: error: 5 s=[{\"id\":1,\"user\":\"app\",\"host\":\"h:1\",\"db\":\"shop\","
         "\"command\":\"Query\",\"state\":\"Sending data\",\"sql_info\":\"select 1 from t\","
         "\"state_duration\":10,\"query_id\":101,\"trx_time\":null}]\n");
    logs("das.preview{} das.preview{} das.log.info('x')",
         "das run: shop: the filter has no criterion and selects nothing; all = true means every "
         "session\ndas run: info: x\n");
    setenv("TEST_TOKEN", "s3cr3t-value", 1);
    setenv("TEST_PIN", "12345678", 1);
    must(das_secrets_add(&secrets, "token", DAS_SECRET_ENV, "TEST_TOKEN", &err) == 0 &&
             das_secrets_add(&secrets, "pin", DAS_SECRET_ENV, "TEST_PIN", &err) == 0,
         "two secrets");
    logs("das.secret('token') das.log.info('it is s3cr3t-value', { l = { 's3cr3t-value' }, "
         "['s3cr3t-value'] = 1 })",
         "das run: info: it is *** l=\"[\\\"***\\\"]\" ***=1\n");
    logs("das.secret('pin') das.log.info('x', { pin = 12345678, n = 7 })",
         "das run: info: x n=7 pin=***\n");
    das_log_setup(DAS_LOG_JSON, DAS_LOG_INFO);
    run("das.secret('pin') das.log.info('x', { pin = 12345678, l = { 12345678 } })", 0, NULL, NULL);
    has_str(logged, "\"fields\":{\"l\":\"[***]\",\"pin\":\"***\"}}",
            "a number that is a secret leaves the line JSON");
    das_log_setup(DAS_LOG_TEXT, DAS_LOG_INFO);
    das_secrets_clear(&secrets);
    logs("das.log.info('bytes \\xff', { s = '\\xff', l = { '\\xff' } })",
         "das run: info: bytes \xef\xbf\xbd l=[\"\xef\xbf\xbd\"] s=\"\xef\xbf\xbd\"\n");
    das_log_setup(DAS_LOG_JSON, DAS_LOG_DEBUG);
    run("das.log.debug('x', { id = 9007199254740993 }) das.preview{}", 0, NULL, NULL);
    has_str(logged, ",\"level\":\"debug\",\"source\":\"run\",\"message\":\"x\","
                    "\"fields\":{\"id\":9007199254740993}}\n{\"time\":",
            "as JSON, the warnings of a preview too");
    das_log_setup(DAS_LOG_TEXT, DAS_LOG_INFO);
    limits.output = 1000;
    run("while true do das.log.info('x') end", 0, &limits, NULL);
    ok(rc < 0 && result.end == DAS_END_LIMIT && strlen(logged) <= 1100,
       "what is logged counts as output: %s", err.msg);
}

/* --- waiting ----------------------------------------------------------------------------------------- */

static void waiting(void)
{
    struct das_limits limits = das_limits_default;
    atomic_int cancel = 1;

    limits.wall_ms = 200;
    run("pcall(das.sleep, '1h') das.sleep(0)", 0, &limits, NULL);
    ok(rc < 0 && result.end == DAS_END_LIMIT,
       "sleep ends with the run: %s", err.msg);
    run("das.retry{ times = 1000, wait = 0.05, backoff = 1, function() return nil, 'no' end }", 0,
        &limits, NULL);
    ok(rc < 0 && result.end == DAS_END_LIMIT,
       "and so does retry");
    run("das.sleep(10)", 0, NULL, &cancel);
    ok(rc < 0 && result.end == DAS_END_CANCELLED,
       "a cancel wakes it: %s", err.msg);
    limits = das_limits_default;
    limits.memory = 4 << 20;
    run("local v, m, c = das.json.decode('[' .. ('1,'):rep(200000) .. '1]') print(v, m, c)", 0,
        &limits, NULL);
    is_str(output, "nil\tdecode: 400003 bytes of JSON need more memory than the run may have\tdata\n",
           "what reading takes is the run's memory");
    run("local t = '[' .. ('\"abc\",'):rep(5000) .. '1]' local last\n"
        "for i = 1, 200 do last = das.json.decode(t) end print(#last, collectgarbage'count' < 4096)",
        0, &limits, NULL);
    ok(rc == 0, "and is given back: %s", err.msg);
    is_str(output, "5001\ttrue\n", "each time");
}

/* --- failing memory ---------------------------------------------------------------------------------- */

static const char *const scripts[] = {
    /* json */
    "local j = das.json\n"
    "local t = j.decode('{\"a\":[1,2.5,\"x\",null,true,[],{}],\"b\":{\"c\":9223372036854775807}}')\n"
    "print(j.encode(t), j.encode(t, { indent = 2 }), j.decode('{'), j.decode('[1,'))\n"
    "print(pcall(j.encode, { users = { { name = '\\xff' } } }))\n"
    "print(#j.encode{ p = das.preview{ id = 1 }, s = das.preview{ id = 1 }.processes } > 300)\n"
    "print(j.encode(das.preview{ id = 1 }:plan{}:apply().outcomes), pcall(require 'cjson'.decode, ''))\n",
    /* crypto */
    "local c = das.crypto\n"
    "print(c.hex_encode(c.sha256 'abc'), c.hex_encode(c.hmac('sha1', 'k', 'd')), c.sha1 '' == nil)\n"
    "print(c.base64_decode(c.base64_encode 'xyz'), c.base64url_encode '\\255\\254', c.hex_decode '0g')\n"
    "print(#c.random(40), c.equal('a', 'b'), c.base64url_decode 'Zg')\n"
    "print(c.aes_cbc_decrypt(('k'):rep(16), ('i'):rep(16), ('d'):rep(32)))\n"
    "print(c.ed25519_verify(('k'):rep(32), 'm', ('s'):rep(64)))\n",
    /* time */
    "local t = das.time\n"
    "print(t.parse '2026-11-24T03:17:05Z', t.format(0, { tz = 'Europe/Berlin' }), t.duration '5m')\n"
    "local w = t.window{ days = { 'mon', 'wed-thu' }, from = '22:00', to = '06:00', tz = 'Asia/Tokyo' }\n"
    "print(w, w:contains(0), w:next_open(0), w:next_close(0), t.parse 'x', t.duration 'x')\n"
    "print(pcall(t.window, { tz = 'Mars/Base' }), pcall(t.window, { days = 'x' }))\n",
    /* log, retry */
    "das.log.warn('x', { n = 1, s = 'text', l = { 1, 2 }, p = das.preview{ id = 1 } })\n"
    "print(pcall(das.log.info, 'x', { f = print }))\n"
    "print(das.retry{ times = 2, wait = 0, function(n) return nil, 'try ' .. n, 'timeout' end })\n"
    "print(das.retry{ wait = 0, function(n) if n < 2 then return nil, 'no' end return n end })\n",
};

/* A failing OpenSSL is not reached by this: its memory is its own, as is jansson's. */
static void sweep(const char *script)
{
    char *want, *want_log;
    int bad = 0, errors = 0;
    long n;

    run(script, 0, NULL, NULL);
    if (!ok(rc == 0, "runs as it is"))
        tap_diag("%s: %s", script, err.msg);
    want = strdup(output);
    want_log = strdup(logged);
    for (n = 1; n < 20000; n++) {
        bool failed = run(script, n, NULL, NULL);
        errors += rc < 0;
        /* a line of the log may be lost; nothing else is different when the script went through */
        if (rc < 0 ? !err.msg[0] : strcmp(output, want) != 0 && !strstr(output, "memory")) {
            if (!bad++)
                tap_diag("allocation %ld: rc %d, %s: %s", n, rc, err.msg, output);
        }
        if (!failed)
            break;
    }
    ok(!bad && n > 100 && n < 20000 && strcmp(logged, want_log) == 0,
       "%ld failing allocations, %d errors, no lie", n - 1, errors);
    free(want);
    free(want_log);
}

int main(void)
{
    sample_path = temp_text(sample);
    script_path = temp_text("");
    lines();
    waiting();
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        sweep(scripts[i]);
    das_engine_result_clear(&result);
    free(output);
    free(logged);
    temp_clear();
    return tap_done();
}
