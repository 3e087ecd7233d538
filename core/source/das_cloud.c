/* das_cloud.c - the source of kind "das:": an instance behind Huawei Cloud DAS. */
#include "core/source/das_cloud.h"

#include "core/source/source_impl.h"

int das_source_open_cloud(const char *rest, const struct das_source_conf *conf,
                          struct das_source **out, struct das_err *err)
{
    (void)rest, (void)conf, (void)out;
    return das_fail(err, DAS_E_UNSUPPORTED, "das:// is being built");
}
