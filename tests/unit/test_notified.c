/* test_notified.c - das.notify in a run whose requests are answered in the process: nothing leaves
 * it and nothing waits, the watch is told; and in one of an own store. */
#include "bindings/engine.h"
#include "core/store/outbox.h"
#include "tests/unit/channel_kit.h"
#include "tests/unit/temp_file.h"
#include "tests/unit/temp_state.h"

static struct das_err err;
static struct das_engine_result result;
static size_t told;
static char last[400];
static size_t requests;

static void notified(void *arg, const char *channel, const struct das_notice *n)
{
    (void)arg;
    told++;
    snprintf(last, sizeof last, "%s|%.*s|%.*s|%s|%zu of %lld|%.*s", channel, (int)n->title.len,
             n->title.ptr ? n->title.ptr : "", (int)n->text.len, n->text.ptr ? n->text.ptr : "",
             das_severity_name(n->severity), n->row_count, (long long)n->row_total,
             n->row_count ? (int)n->rows[0].sql.len : 0, n->row_count ? n->rows[0].sql.ptr : "");
}

static int answer(void *arg, const struct das_http_request *req, struct das_http_response *resp,
                  struct das_err *e)
{
    (void)arg;
    (void)req;
    (void)e;
    requests++;
    resp->status = 200;
    return 0;
}

static const char sample[] =
    "ID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\n"
    "1\tapp\th:1\tshop\tQuery\t10\tSending data\tselect * from t where card = '4111'\n"
    "2\tapp\th:2\tshop\tQuery\t20\tSending data\tselect 2 from t\n";

static int run(const char *script, bool in_process, struct das_store *store)
{
    const struct das_engine_watch watch = {.notified = notified};
    const struct das_engine_web web = {.answer = in_process ? answer : NULL};
    static char grant[] = "notify:ops", preview[] = "preview", anywhere[] = "instance:*";
    char *names[] = {grant, preview, anywhere};
    const struct das_grants grants = {names, 3};
    struct das_inventory *inv = das_inventory_new(&err);
    char spec[200];
    struct das_source_conf conf = {.name = "shop", .spec = spec};
    char *text = NULL;
    size_t size = 0;
    int rc;

    snprintf(spec, sizeof spec, "mem:%s", temp_text(sample));
    if (das_inventory_add(inv, &conf, &err) < 0 || !das_inventory_open(inv, 0, &err))
        exit(1);
    {
        struct das_engine_opts opts = {.path = temp_text(script),
                                       .inventory = inv,
                                       .grants = &grants,
                                       .channels = &channel_list,
                                       .watch = &watch,
                                       .web = &web,
                                       .store = store,
                                       .state_dir = temp_state_dir(),
                                       .out = open_memstream(&text, &size)};
        rc = das_engine_run(&opts, &result, &err);
        fclose(opts.out);
    }
    free(text);
    das_inventory_free(inv);
    temp_clear();
    return rc;
}

static int64_t waiting(struct das_store *s)
{
    int64_t n = -1;

    das_outbox_count(s, DAS_OUTBOX_WAITING, &n, &err);
    return n;
}

int main(void)
{
    struct das_store *memory = NULL;

    das_channels_init(&channel_list);
    CHANNEL("ops", "slack", "url=http://127.0.0.1:1/x");
    is_int(run("local found = das.preview{ all = true }\n"
               "local sent, id = das.notify('ops', { title = 't', text = 'x', severity = 'error',"
               " sessions = found })\n"
               "assert(sent == true and id == 'msg_1', id)",
               true, NULL),
           0, "a run in the process: %s", err.msg);
    is_int(told, 1, "the watch is told");
    is_str(last, "ops|t|x|error|2 of 2|select * from t where card = ?", "what would be sent");
    is_int(requests, 0, "nothing was sent");
    is_int(waiting(temp_store()), 0, "and nothing waits");
    is_int(result.notified, 1, "it is counted");

    must(das_store_open_in_memory(&memory, &err) == 0, "a store in memory");
    is_int(run("assert(das.notify('ops', 'x'))", false, memory), 0,
           "a run with a store of its own: %s", err.msg);
    is_int(waiting(memory), 1, "there it waits");
    is_int(waiting(temp_store()), 0, "and nowhere else");
    das_store_close(memory);

    is_int(run("assert(das.notify('ops', 'x'))", false, NULL), 0, "a plain run: %s", err.msg);
    is_int(waiting(temp_store()), 1, "it waits in the state directory");
    is_int(result.notified, 1, "and is counted");

    ok(run("while true do das.notify('ops', 'x') end", true, NULL) < 0, "a flood");
    is_str(result.limit, "http_requests", "ends at the limit of requests");
    ok(told < 1000, "which it does not pass: %zu", told);
    das_channels_clear(&channel_list);
    return tap_done();
}
