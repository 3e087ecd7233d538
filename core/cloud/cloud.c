/* cloud.c - see cloud.h. */
#include "core/cloud/cloud.h"

const struct das_cloud_conf das_cloud_conf_default = {
    .connect_ms = 5000,
    .total_ms = 20000,
    .deadline_ms = 60000,
    .retry = {.times = 5, .wait_ms = 500, .max_wait_ms = 20000},
    .rate = 20,
    .concurrency = 16,
    .max_bytes = (size_t)64 << 20,
};

struct das_cloud *das_cloud_new(const struct das_cloud_conf *conf, struct das_err *err)
{
    (void)conf;
    das_fail(err, DAS_E_UNSUPPORTED, "being built");
    return NULL;
}

void das_cloud_release(struct das_cloud *c)
{
    (void)c;
}
