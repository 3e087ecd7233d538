/* test_recording_json.c - das recordings and answers of the DAS APIs. */
#include "tests/unit/recordings.h"

static void test_seed(void)
{
    static const char pretty[] =
        "{\n  \"success\": false,\n  \"data_sync_time\": 1766655104,\n  \"total_count\": 1,\n"
        "  \"processes\": [\n    {\n      \"id\": 34850917,\n      \"user\": \"root\",\n"
        "      \"host\": \"100.79.0.247:59474\",\n      \"db\": \"cds\",\n"
        "      \"state\": \"User sleep\",\n      \"command\": \"Query\",\n"
        "      \"sql_info\": \"SELECT sleep(49599)\\nLIMIT 0, 50\",\n      \"state_duration\": 7\n"
        "    }\n  ]\n}\n";
    static const char want[] = "34850917 'root' '100.79.0.247:59474' 'cds' 'Query' 'User sleep' "
                               "'SELECT sleep(49599)\nLIMIT 0, 50'  t=7\n";
    size_t len, crlf_len;
    char *bytes = read_whole("tests/samples/preview_answer.json", &len);
    char *crlf = to_crlf(pretty, sizeof pretty - 1, &crlf_len);
    struct loaded l = load_bytes(das_text(bytes, len));

    is_rows(l, 0, want, "the API's own example");
    is_int(das_snapshot_time(l.at[0]), 1766655104, "its time");
    ok(das_snapshot_complete(l.at[0]), "it is complete though success is false");
    unload(&l);
    l = load(pretty);
    is_rows(l, 0, want, "the same, pretty-printed");
    unload(&l);
    l = load_bytes(das_text(crlf, crlf_len));
    is_rows(l, 0, want, "the same with Windows line ends");
    unload(&l);
    free(bytes);
    free(crlf);
}

static void test_fields(void)
{
    struct loaded l = load("\xef\xbb\xbf{\"processes\":[{\"id\":1,\"user\":null,\"host\":\"\","
                           "\"db\":null,\"command\":\"Query\",\"state\":\"a\\u0000b\","
                           "\"sql_info\":\"\xe6\x97\xa5\",\"state_duration\":3,\"time_ms\":3500,"
                           "\"query_id\":9,\"trx_time\":null,\"rows_modified\":null,"
                           "\"rows_examined\":null,\"progress\":12.3456,\"trx_id\":null,\"extra\":{\"x\":[1]}},"
                           "{\"id\":\"2\",\"database\":\"d\",\"sql\":\"s\",\"time\":\"4\",\"trx_"
                           "executed_time\":\"5\"},"
                           "{\"id\":\"3\",\"info\":\"i\",\"trx_duration\":\"\",\"time\":\"\"},{"
                           "\"id\":4,\"state_duration\":-1,\"trx_time\":5.5,\"progress\":50,"
                           "\"trx_id\":421938471120337}]}");

    must(l.rc == 0 && l.count == 1, "fields: read (%s)", l.err.msg);
    struct das_session s;
    das_snapshot_get(l.at[0], 0, &s);
    ok(das_text_eq(s.state, das_text("a\0b", 3)), "fields: a NUL inside text");
    unload(&l);
    l = load("{\"process_info_list\":[{\"id\":1,\"user\":null,\"host\":\"\",\"command\":\"Query\","
             "\"state_duration\":3,\"time_ms\":3500,"
             "\"query_id\":9,\"trx_time\":null,\"rows_modified\":null,\"rows_examined\":null,"
             "\"progress\":12.3456,\"trx_id\":null,\"blocked_by\":null},"
             "{\"id\":\"2\",\"database\":\"d\",\"sql\":\"s\",\"time\":\"4\",\"trx_executed_time\":"
             "\"5\"},"
             "{\"id\":\"3\",\"info\":\"i\",\"trx_duration\":\"\",\"time\":\"\"},{\"id\":4,\"state_"
             "duration\":-1,\"trx_time\":5.5,\"progress\":50,\"trx_id\":421938471120337,"
             "\"blocked_by\":7}]}\n"
             "[{\"id\":5,\"state_duration\":4294967295}]\n[]\n{\"data\":[{\"id\":6}],\"total\":"
             "\"7\"}{\"data\":null,\"complete\":false}");
    is_int(l.count, 5, "fields: five values, one after the other (%s)", l.err.msg);
    is_rows(l, 0,
            "1 NULL '' NULL 'Query' NULL NULL  t=3 ms=3500 query=9 trx=absent modified=absent "
            "progress=12346 trx_id=absent blocked_by=absent\n"
            "2 NULL NULL 'd' NULL NULL 's'  t=4 trx=5\n3 NULL NULL NULL NULL NULL 'i' \n"
            "4 NULL NULL NULL NULL NULL NULL  trx=5 progress=50000 "
            "trx_id=421938471120337 blocked_by=7\n",
            "fields: null, absent, unknown, and numbers in strings");
    is_rows(l, 1, "5 NULL NULL NULL NULL NULL NULL \n", "fields: a bare array");
    is_rows(l, 2, "", "fields: an empty array");
    is_rows(l, 3, "6 NULL NULL NULL NULL NULL NULL \n", "fields: data and total");
    ok(!das_snapshot_complete(l.at[3]), "fields: fewer sessions than the total: incomplete");
    is_int(das_snapshot_total(l.at[3]), 7, "fields: total");
    ok(!das_snapshot_complete(l.at[4]), "fields: complete false");
    unload(&l);

    l = load("{\"data_sync_time\":1766655104123,\"warnings\":[\"one\",\"two\"],\"instance\":\"x\","
             "\"processes\":[],\"total_count\":0}");
    is_int(das_snapshot_time(l.at[0]), 1766655104, "fields: milliseconds become seconds");
    is_int(das_snapshot_warnings(l.at[0]), 2, "fields: warnings");
    is_str(das_snapshot_warning(l.at[0], 1), "two", "fields: their text");
    ok(das_snapshot_complete(l.at[0]), "fields: complete");
    unload(&l);
}

#define ONE "{\"data_sync_time\":1,\"processes\":[{\"id\":1}]}\n"
#define TWO                                                                                    \
    "{\"data_sync_time\":2,\"processes\":[{\"id\":2,\"user\":\"u\"},{\"id\":3}],\"complete\":" \
    "true}\n"

static void test_cut(void)
{
    size_t bad = 0;
    struct loaded l;

    for (size_t n = strlen(ONE) + 1; n < strlen(ONE TWO) - 1; n++) {
        l = load_bytes(das_text(ONE TWO, n));
        bad += l.rc != 0 || l.count != 1 || !strstr(l.note, "half-written");
        if (bad)
            break;
        unload(&l);
    }
    is_int(bad, 0, "wherever the last line is cut, the earlier snapshot is kept");
    unload(&l);
    l = load(ONE "{\"data_sync_time\":2,\"processes\":[{\"id\":2},{\"id\":3");
    has_str(l.note, "list:2 after 1 whole row", "the note says where");
    unload(&l);
    l = load("{\"processes\":[{\"id\":2},{\"id\":3},{\"i");
    ok(l.count == 1 && !das_snapshot_complete(l.at[0]) && das_snapshot_rows(l.at[0]) == 2,
       "the only one is given with its whole sessions");
    has_str(das_snapshot_warning(l.at[0], 0), "list:1, 2 whole rows kept", "and a warning");
    unload(&l);
    l = load(ONE "{\"processes\":[]}");
    is_int(l.count, 2, "a whole last line needs no newline");
    unload(&l);
}

static void test_damage(void)
{
    is_damaged(ONE "{\"processes\":[{\"id\":true}]}\n",
               "list:2: processes[0].id: expected a whole number", "id");
    is_damaged(ONE "{\"processes\":[{\"id\":1.5}]}\n",
               "list:2: processes[0].id: expected a whole number", "id with a fraction");
    is_damaged("{\"processes\":[{\"id\":1},\n{\"user\":\"x\"}]}\n",
               "list:2: processes[1].id: expected", "no id");
    is_damaged("{\"processes\":[\n{\"id\":1,\"user\":7}]}\n",
               "list:2: processes[0].user: expected a string or null", "user");
    is_damaged("{\"processes\":[\n{\"id\":1,\"state_duration\":\"x\"}]}\n",
               "list:2: processes[0].state_duration: expected a number", "time");
    is_damaged("{\"processes\":[\n{\"id\":1,\n\"user\":x}]}\n",
               "list:3: processes[0]: not valid JSON", "the line of a syntax error");
    is_damaged("{\"processes\":[7]}\n", "list:1: processes[0]: expected an object",
               "a session that is none");
    is_damaged("{\"processes\":{}}\n", "list:1: processes: expected an array",
               "a list that is none");
    is_damaged("{\"processes\":[] \"x\":1}\n", "list:1: found '\"', expected ',' or '}'",
               "a comma is missing");
    is_damaged("{\"processes\":[],\"total_count\":\"x\"}\n",
               "list:1: total_count: expected a whole number", "total_count");
    is_damaged("{\"data_sync_time\":true,\"processes\":[]}\n", "list:1: data_sync_time: expected",
               "data_sync_time");
    is_damaged("{\"processes\":[],\"complete\":1}\n", "list:1: complete: expected true or false",
               "complete");
    is_damaged("{\"processes\":[],\"warnings\":[1]}\n",
               "list:1: warnings: expected an array of strings", "warnings");
    is_damaged("{\"processes\":[],\"data\":[]}\n", "list:1: data: expected one list", "two lists");
    is_damaged("{\"x\":1}\n", "list:1: expected \"processes\"", "no list");
    is_damaged("{}\n", "list:1: expected \"processes\"", "nothing");
    is_damaged("{\"error_code\":\"DAS.2001\",\"error_msg\":\"denied\"}\n",
               "an error answer: DAS.2001 denied", "an error answer");
    is_damaged(ONE "{\"data_sync_time\":2,\"proc\n" ONE, "list:2: ", "half a line in the middle");
    is_damaged(ONE "]\n", "list:2: found \"]\"", "rubbish behind");
    is_damaged("{1:2}\n", "expected a name in quotes", "a name without quotes");
}

int main(void)
{
    test_seed();
    test_fields();
    test_cut();
    test_damage();
    return tap_done();
}
