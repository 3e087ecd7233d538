/* memory_kit.h - in-memory instances for tests: made from a sample, looked at, killed on. */
#ifndef DAS_TESTS_MEMORY_KIT_H
#define DAS_TESTS_MEMORY_KIT_H

#include "core/source/memory.h"
#include "core/source/source_kill.h"
#include "tests/unit/kit.h"
#include "tests/unit/temp_file.h"

static inline enum das_kill_result memory_kill(struct das_source *s, enum das_kill_what what, int64_t id,
                                        int64_t query_id, struct das_err *err)
{
    const struct das_kill_order order = {.what = what, .id = id, .query_id = query_id};

    return das_source_kill(s, &order, err);
}

static struct das_err err;

static const char sample[] =
    "ID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\tTIME_MS\tQUERY_ID\tTRX_TIME\n"
    "1\tapp\th:1\tshop\tQuery\t10\tSending data\tselect 1\t10500.0\t101\tNULL\n"
    "2\tapp\th:2\tshop\tSleep\t20\t\tNULL\t20000.0\t102\t15\n"
    "3\troot\th:3\tNULL\tQuery\tNULL\tinit\tselect 3\t0.0\t103\tNULL\n";

static inline struct das_source *open_mem(const char *path)
{
    char spec[200];
    struct das_source_conf conf = {.spec = spec};
    struct das_source *s = NULL;

    snprintf(spec, sizeof spec, "mem:%s", path);
    if (das_source_open(&conf, &s, &err) < 0) {
        tap_diag("%s: %s", spec, err.msg);
        exit(1);
    }
    return s;
}

static inline struct das_snapshot *list(struct das_source *s)
{
    struct das_snapshot *snap = NULL;

    if (das_source_list(s, NULL, &snap, &err) < 0) {
        tap_diag("list: %s", err.msg);
        exit(1);
    }
    return snap;
}

/* One session as it is now; false: it is gone. Texts live in *snap. */
static inline bool look(struct das_source *s, int64_t id, struct das_session *out,
                 struct das_snapshot **snap)
{
    int64_t row;

    *snap = list(s);
    row = das_snapshot_find(*snap, id);
    if (row >= 0)
        das_snapshot_get(*snap, (uint32_t)row, out);
    return row >= 0;
}

#endif
