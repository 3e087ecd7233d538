/* runbook_go.c - see runbook.h. */
#include "bindings/runbook.h"

#include <string.h>

#include "core/base/clock.h"

int das_runbook_hash(const char *path, char out[DAS_SHA256_HEX], struct das_err *err)
{
    struct das_buf text = {0};
    int rc = das_script_read(path, &text, err);

    if (rc == 0)
        rc = das_sha256_hex(das_buf_view(&text), out, err);
    das_buf_clear(&text);
    return rc;
}

void das_runbook_resumed(struct das_runbook_go *go, const struct das_runbook *r)
{
    go->id = r->id;
    go->params_json = r->params;
    go->until_ms = r->until_ms;
}

/* Did the run stop without having ended: its process was in the way, or the machine? */
static bool can_go_on(const struct das_engine_result *result, const struct das_err *err)
{
    return result->end == DAS_END_CANCELLED || err->code == DAS_E_STORE ||
           err->code == DAS_E_NOMEM || err->code == DAS_E_IO;
}

/* How a run ended that was begun; a failure to say so is not worse than a crash. */
static int keep_end(const struct das_runbook_go *go, const struct das_engine_result *result, int rc,
                    struct das_err *err)
{
    int64_t now = das_clock_unix_ms();
    struct das_err lost;

    if (result->end == DAS_END_WAITING)
        return rc;
    if (rc < 0 && can_go_on(result, err)) {
        das_runbook_let_go(go->store, go->id, now, &lost);
        return rc;
    }
    if (rc == 0)
        return das_runbook_end(go->store, go->id, DAS_RUNBOOK_DONE, "", now, err);
    das_runbook_end(go->store, go->id,
                    err->code == DAS_E_CANCELLED ? DAS_RUNBOOK_CANCELLED : DAS_RUNBOOK_FAILED,
                    err->msg, now, &lost);
    return rc;
}

int das_runbook_try(struct das_engine_opts *opts, struct das_runbook_go *go,
                    struct das_engine_result *result, struct das_err *err)
{
    const struct das_decider by = {.name = opts->user};
    struct das_err lost;
    int rc;

    opts->runbook = go;
    opts->store = go->store;
    rc = das_engine_run(opts, result, err);
    if (result->end == DAS_END_STUCK || !go->id)
        return rc;
    rc = keep_end(go, result, rc, err);
    if (result->end == DAS_END_WAITING || result->end == DAS_END_CANCELLED)
        das_runbook_cancel(go->store, go->id, &by, "the test is over", das_clock_unix_ms(), &lost);
    return rc;
}

int das_runbook_run(struct das_engine_opts *opts, struct das_runbook_go *go,
                    struct das_engine_result *result, struct das_err *err)
{
    int rc;

    opts->runbook = go;
    opts->store = go->store;
    rc = das_engine_run(opts, result, err);
    if (result->end == DAS_END_STUCK)
        return rc; /* its thread has the store */
    if (go->id)
        return keep_end(go, result, rc, err);
    if (rc == 0)
        rc = das_fail(err, DAS_E_USAGE,
                      "%s: no runbook: das.runbook{ name = \"...\" } was not called", opts->path);
    return rc;
}
