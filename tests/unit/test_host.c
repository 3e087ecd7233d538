/*
 * test_host.c - the engine as a long-lived host uses it: many runs at once, one that gets stuck,
 * one that is cancelled.
 */
#include "bindings/engine.h"
#include "tests/unit/kit.h"
#include "tests/unit/temp_file.h"
#include "tests/unit/temp_state.h"

#include <pthread.h>
#include <unistd.h>

static const char sample[] = "{\"data_sync_time\":1000,\"processes\":["
                             "{\"id\":1,\"user\":\"app\",\"command\":\"Query\",\"sql_info\":\"SELECT 1\","
                             "\"state_duration\":10,\"host\":\"h:1\",\"db\":null,\"state\":\"\"},"
                             "{\"id\":2,\"user\":\"app\",\"command\":\"Query\",\"sql_info\":\"SELECT 2\","
                             "\"state_duration\":20,\"host\":\"h:2\",\"db\":null,\"state\":\"\"}]}\n";

static const char *list_path;

struct one_run {
    const char *script; /* a path */
    const char *list;
    struct das_limits limits;
    struct das_engine *engine;
    atomic_int cancel;
    bool armed;
    struct das_engine_result result;
    struct das_err err;
    int rc;
    FILE *out;
    struct das_inventory *inv;
};

/* Everything of its own, as for any run; what a stuck one holds is left to it. */
static void *run_one(void *arg)
{
    struct one_run *r = arg;
    struct das_engine_opts opts = {.path = r->script,
                                   .armed = r->armed,
                                   .policy = &allow_all,
                                   .state_dir = temp_state_dir(),
                                   .limits = &r->limits,
                                   .cancel = &r->cancel,
                                   .engine = r->engine};
    struct das_source_conf conf = {.name = "shop"};
    char spec[200];

    snprintf(spec, sizeof spec, "mem:%s", r->list);
    conf.spec = spec;
    r->out = fopen("/dev/null", "w");
    r->inv = das_inventory_new(&r->err);
    if (!r->out || !r->inv || das_inventory_add(r->inv, &conf, &r->err) < 0)
        exit(1);
    opts.inventory = r->inv;
    opts.out = r->out;
    r->rc = das_engine_run(&opts, &r->result, &r->err);
    return NULL;
}

static struct one_run *run_new(const char *script, struct das_engine *engine)
{
    struct one_run *r = calloc(1, sizeof *r);

    if (!r)
        exit(1);
    r->script = script;
    r->list = list_path;
    r->limits = das_limits_default;
    r->engine = engine;
    return r;
}

static void run_free(struct one_run *r)
{
    das_engine_result_clear(&r->result);
    das_inventory_free(r->inv);
    fclose(r->out);
    free(r);
}

#define PARALLEL 64

static void parallel(struct das_engine *engine)
{
    const char *script = temp_text(
        "local f = das.filter{ time = 5 } & ~das.filter{ user = 'x%' }\n"
        "for i = 1, 20 do\n"
        "  local p = das.preview(f)\n"
        "  assert(#p == 2 and #p:group_by('fingerprint') == 1)\n"
        "  assert(tostring(p:explain(1)):find('time'))\n"
        "end\n"
        "assert(das.preview(f):oldest(1):plan{ kill = 'connection' }:apply().killed == 1)\n"
        "assert(#das.preview(f) == 1)\n");
    struct one_run *runs[PARALLEL];
    pthread_t threads[PARALLEL];
    size_t good = 0;

    for (int i = 0; i < PARALLEL; i++) {
        runs[i] = run_new(script, engine);
        runs[i]->armed = true;
        if (pthread_create(&threads[i], NULL, run_one, runs[i]) != 0)
            exit(1);
    }
    for (int i = 0; i < PARALLEL; i++) {
        pthread_join(threads[i], NULL);
        good += runs[i]->rc == 0 && runs[i]->result.totals[DAS_O_KILLED] == 1 &&
                runs[i]->result.act_count == 1 && runs[i]->result.acts[0].id == 2;
        if (runs[i]->rc < 0)
            tap_diag("%s", runs[i]->err.msg);
        run_free(runs[i]);
    }
    is_int(good, PARALLEL, "%d runs at once, each with its own result", PARALLEL);
}

static bool health_has(struct das_engine *engine, const char *part)
{
    struct das_buf b = {0};
    bool has;

    das_engine_health(engine, &b);
    has = b.ptr && strstr(b.ptr, part);
    if (!has)
        tap_diag("health: %s", b.ptr ? b.ptr : "");
    das_buf_clear(&b);
    return has;
}

static struct one_run *left_to_the_stuck; /* so that it is not called a leak */

static void stuck(struct das_engine *engine)
{
    /* long enough to be given up, short enough to come back while the test waits */
    const char *script = temp_text("das.preview{ id = 1 }:plan{ kill = 'query' }:apply()\n"
                                   "local s, found = ('a'):rep(700), 0\n"
                                   "for i = 1, 3 do\n"
                                   "  found = s:find(('a*'):rep(3) .. 'b')\n"
                                   "end\n");
    struct one_run *r = run_new(script, engine), *again = run_new(script, engine);
    struct one_run *other = run_new(temp_text("print(1)"), engine);

    ok(health_has(engine, "\"running\":0,\"stuck\":[]"), "a healthy host");
    left_to_the_stuck = r;
    r->armed = true;
    r->limits.wall_ms = 100;
    run_one(r);
    ok(r->rc < 0 && r->err.code == DAS_E_STUCK && r->result.end == DAS_END_STUCK,
       "a pattern that explodes is given up");
    has_str(r->err.msg, "cannot be interrupted", "and that is said");
    is_str(r->result.limit, "wall", "with the limit");
    ok(r->result.act_count == 1 && r->result.acts[0].kind == DAS_O_KILLED,
       "and with what was done until then");
    ok(health_has(engine, script) && health_has(engine, "\"running\":0"), "health tells of it");
    run_one(again);
    ok(again->rc < 0 && again->err.code == DAS_E_BLOCKED, "the script is refused from then on");
    has_str(again->err.msg, "got stuck before", "and why");
    run_one(other);
    is_int(other->rc, 0, "another script runs as ever");
    run_free(again);
    run_free(other);
    das_engine_result_clear(&r->result); /* the rest of r belongs to the stuck thread */
}

static void cancelled(struct das_engine *engine)
{
    struct one_run *r = run_new(temp_text("while true do das.preview{} end"), engine);
    pthread_t thread;

    if (pthread_create(&thread, NULL, run_one, r) != 0)
        exit(1);
    usleep(50000);
    atomic_store(&r->cancel, 1);
    pthread_join(thread, NULL);
    ok(r->rc < 0 && r->err.code == DAS_E_CANCELLED && r->result.end == DAS_END_CANCELLED,
       "a cancelled run ends");
    has_str(r->err.msg, "cancelled", "and says so");
    ok(r->result.used.wall_ms > 0, "its use is known");
    run_free(r);
}

int main(void)
{
    struct das_err err;
    struct das_engine *engine = das_engine_new(&err);

    temp_state_dir(); /* made before there are threads */
    must(engine, "a host");
    list_path = temp_text(sample);
    parallel(engine);
    cancelled(engine);
    stuck(engine);
    temp_clear();
    return tap_done();
}
