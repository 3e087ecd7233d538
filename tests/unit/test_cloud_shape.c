/* test_cloud_shape.c - the API's objects read into structs, limits of an account, addresses, advice. */
#include "core/cloud/api.h"
#include "core/cloud/limiter.h"
#include "tests/unit/tap.h"

static struct das_arena arena;
static struct das_err err;

/* Reads one object; the JSON stays until the next call. */
static int get(const struct das_shape *shape, const char *text, void *item)
{
    static json_t *json;

    json_decref(json);
    json = json_loads(text, JSON_DECODE_ANY, NULL);
    must(json != NULL, "JSON: %s", text);
    memset(&err, 0, sizeof err);
    return das_shape_read(shape, json, item, &arena, &err);
}

static void test_task(void)
{
    struct das_cloud_task t;

    must(get(&das_cloud_task_shape,
             "{\"user\":\"\",\"host\":null,\"task_id\":9007199254740993,\"time\":\"60\",\"later\":{},"
             "\"task_type\":\"auto\",\"start_time\":1766655104,\"end_time\":1766655104123}",
             &t) == 0,
         "a task: %s", err.msg);
    is_int(t.task_id, 9007199254740993, "ids are exact");
    ok(t.user.ptr && t.user.len == 0 && !t.host.ptr && !t.db.ptr, "\"\", null and not there");
    is_int(t.time, 60, "a number as a text");
    is_int(t.start_time, 1766655104000, "seconds as milliseconds");
    is_int(t.end_time, 1766655104123, "milliseconds as they are");
    is_int(t.task_state, DAS_CLOUD_NOT_TOLD, "what is not there is not told");
    must(get(&das_cloud_task_shape, "{\"task_id\":\"5\",\"end_time\":0,\"time\":\"12.9\"}", &t) == 0,
         "an id as a text");
    is_int(t.task_id, 5, "is the same id");
    is_int(t.end_time, 0, "no moment stays 0");
    is_int(t.time, 12, "spans are cut to seconds");
}

static void test_wrong(void)
{
    static const char *const cases[][2] = {
        {"{}", "task_id: expected a whole number, got nothing"},
        {"{\"task_id\":null}", "task_id: expected a whole number, got nothing"},
        {"{\"task_id\":\"\"}", "task_id: expected a whole number, got nothing"},
        {"{\"task_id\":\"abc\"}", "task_id: expected a whole number, got a text"},
        {"{\"task_id\":1.5}", "task_id: expected a whole number, got a fraction"},
        {"{\"task_id\":1e300}", "task_id: expected a whole number, got a fraction"},
        {"{\"task_id\":true}", "task_id: expected a whole number, got true"},
        {"{\"task_id\":1,\"user\":5}", "user: expected a text, got a number"},
        {"{\"task_id\":1,\"host\":[]}", "host: expected a text, got a list"},
        {"[]", "expected an object, got a list"},
        {"17", "expected an object, got a number"},
    };
    struct das_cloud_task t;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        is_int(get(&das_cloud_task_shape, cases[i][0], &t), -1, "%s", cases[i][0]);
        is_str(err.msg, cases[i][1], "is told");
        is_int(err.code, DAS_E_DATA, "as damaged data");
    }
}

static void test_lists(void)
{
    json_t *json = json_loads("[{\"trx_id\":\"1\",\"trx_mysql_thread_id\":\"77\","
                              "\"innodb_wait_locks\":[{\"lock_id\":\"a\"},{\"lock_id\":\"b\"}]},"
                              "{\"trx_rows_modified\":\"3\"}]", 0, NULL);
    const struct das_cloud_trx *t;
    const struct das_cloud_lock *lock;
    struct das_cloud_list list;

    must(json && das_shape_read_list(&das_cloud_trx_shape, json, &list, &arena, &err) == 0 &&
             list.count == 2,
         "transactions");
    t = das_cloud_item(&list, 0);
    is_int(t->thread_id, 77, "names of ours");
    must(t->waits_for.count == 2 && t->holds.count == 0, "lists in it");
    lock = das_cloud_item(&t->waits_for, 1);
    ok(das_text_is(lock->lock_id, "b"), "with their items");
    is_int(((const struct das_cloud_trx *)das_cloud_item(&list, 1))->rows_modified, 3, "the second");
    json_decref(json);
    json = json_loads("[{\"trx_id\":\"1\"},{\"innodb_hold_locks\":[7]}]", 0, NULL);
    is_int(das_shape_read_list(&das_cloud_trx_shape, json, &list, &arena, &err), -1, "a wrong item");
    is_str(err.msg, "transaction 2: lock 1: expected an object, got a number", "has its place");
    json_decref(json);
    json = json_loads("{\"a\":1}", 0, NULL);
    is_int(das_shape_read_list(&das_cloud_trx_shape, json, &list, &arena, &err), -1, "no list");
    is_str(err.msg, "transaction: expected a list, got an object", "is told");
    json_decref(json);
    ok(das_shape_read_list(&das_cloud_trx_shape, NULL, &list, &arena, &err) == 0 && list.count == 0,
       "a list that is not there is empty");
}

static void test_flags(void)
{
    struct das_cloud_instance i;

    must(get(&das_cloud_instance_shape,
             "{\"instance_id\":\"x\",\"login_flag\":true,\"slow_sql_flag\":\"false\","
             "\"deadlock_flag\":1,\"cpu\":4}",
             &i) == 0,
         "an instance");
    ok(i.login_flag == 1 && i.slow_sql_flag == 0 && i.deadlock_flag == 1 && i.charge_flag == -1,
       "yes, no, and not told");
    is_int(i.cpu, 4, "a number");
    is_int(get(&das_cloud_instance_shape, "{\"instance_id\":\"x\",\"charge_flag\":2}", &i), -1,
           "2 is no truth");
    is_str(err.msg, "charge_flag: expected true or false, got a number", "and told");
}

/* --- the rate --------------------------------------------------------------------------------------- */

static void test_limiter(void)
{
    struct das_limiter l;
    int64_t now = 1000000, last = 0;

    das_limiter_init(&l, 10);
    for (int i = 0; i < 10; i++)
        last += das_limiter_take(&l, now, 60000);
    is_int(last, 0, "what a second allows may come at once");
    is_int(das_limiter_take(&l, now, 60000), 100, "the next one waits for its turn");
    is_int(das_limiter_take(&l, now, 60000), 200, "and so on");
    is_int(das_limiter_take(&l, now, 250), -1, "not when that is too late");
    is_int(das_limiter_take(&l, now, 60000), 300, "and then nothing was taken");
    is_int(das_limiter_take(&l, now + 5000, 60000), 0, "after a rest there is room again");
    for (int i = 0; i < 9; i++)
        das_limiter_take(&l, now + 5000, 60000);
    is_int(das_limiter_take(&l, now + 5000, 60000), 100, "but no more than before");
    das_limiter_pause(&l, now + 20000, 3000);
    is_int(das_limiter_take(&l, now + 20000, 60000), 3000, "a pause holds for everybody");
    is_int(das_limiter_take(&l, now + 21000, 60000), 2100, "who waits for its end");
    is_int(das_limiter_take(&l, now + 21000, 2199), -1, "which may be too long");
    is_int(das_limiter_take(&l, now + 23000, 60000), 200, "does not come all at once then");
    das_limiter_pause(&l, now + 23000, 100);
    is_int(das_limiter_take(&l, now + 23000, 60000), 300, "a short pause takes no place back");
    is_int(das_limiter_take(&l, now + 30000, 60000), 0, "then it is over");
    das_limiter_destroy(&l);
    das_limiter_init(&l, 0);
    for (int i = 0; i < 1000; i++)
        last += das_limiter_take(&l, now, 0);
    is_int(last, 0, "no rate, no waiting");
    das_limiter_destroy(&l);
    das_limiter_init(&l, 0.5);
    is_int(das_limiter_take(&l, now, 60000), 0, "less than one a second: the first at once");
    is_int(das_limiter_take(&l, now, 60000), 2000, "the second in its time");
    das_limiter_destroy(&l);
}

/* --- addresses -------------------------------------------------------------------------------------- */

static void test_address(void)
{
    static const char *const wrong[][2] = {
        {"", "expected das://REGION/PROJECT_ID/INSTANCE_ID"},
        {"cn/p/i", "expected das://"},
        {"//cn", "expected das://"},
        {"//cn/a/b/c", "expected das://"},
        {"//Cn/p/i", "region: expected one like \"cn-north-4\", got \"Cn\""},
        {"///p/i", "region: expected"},
        {"//cn.evil/p/i", "region: expected"},
        {"//cn/p/", "instance id: expected 32 or 36"},
        {"//cn/p/i i", "instance id: expected"},
        {"//cn/p%2f/i", "project id: expected letters and digits"},
        {"//cn/p/i?x=1", "endpoint=URL"},
        {"//cn/p/0123456789012345678901234567890123456", "instance id: expected"},
    };
    struct das_cloud_address a;

    must(das_cloud_address_parse("//cn-north-4/0123456789abcdef0123456789abcdef/"
                                 "0123456789abcdef0123456789abcdefin01", &a, &err) == 0,
         "an address: %s", err.msg);
    is_str(a.region, "cn-north-4", "region");
    is_str(a.project, "0123456789abcdef0123456789abcdef", "project");
    is_str(a.instance, "0123456789abcdef0123456789abcdefin01", "instance");
    is_str(a.endpoint, "", "no endpoint");
    must(das_cloud_address_parse("//cn-north-4/i1?endpoint=http://127.0.0.1:8080", &a, &err) == 0,
         "without a project");
    ok(!a.project[0] && strcmp(a.instance, "i1") == 0, "it is looked up");
    is_str(a.endpoint, "http://127.0.0.1:8080", "an endpoint");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        is_int(das_cloud_address_parse(wrong[i][0], &a, &err), -1, "das:%s", wrong[i][0]);
        has_str(err.msg, wrong[i][1], "is told");
    }
}

static void test_advice(void)
{
    char out[300];

    das_cloud_advice(403, "APIGW.0302", "no", "das:clouddba:listProcess", out, sizeof out);
    is_str(out, "add das:clouddba:listProcess to the policy of this identity", "a permission");
    das_cloud_advice(429, "APIGW.0308", "limit", "x", out, sizeof out);
    has_str(out, "lower `rate`", "the gateway's limit");
    das_cloud_advice(400, "DAS.200114", "", "x", out, sizeof out);
    has_str(out, "no such instance", "an instance");
    das_cloud_advice(401, "APIG.0301", "verify aksk signature fail", "x", out, sizeof out);
    has_str(out, "secret key does not belong", "the other prefix");
    das_cloud_advice(401, "APIGW.0301", "token expires, expires_at", "x", out, sizeof out);
    has_str(out, "token is not good any more", "a token");
    das_cloud_advice(400, "DAS.10301", "", "x", out, sizeof out);
    is_str(out, "", "another code that ends the same");
    das_cloud_advice(500, "", "", "x", out, sizeof out);
    is_str(out, "", "nothing to add");
}

int main(void)
{
    das_arena_init(&arena);
    test_task();
    test_wrong();
    test_lists();
    test_flags();
    test_limiter();
    test_address();
    test_advice();
    das_arena_clear(&arena);
    return tap_done();
}
