/* das_cloud_impl.h - the das: source, for das_cloud.c and cloud_list.c only. */
#ifndef DAS_SOURCE_DAS_CLOUD_IMPL_H
#define DAS_SOURCE_DAS_CLOUD_IMPL_H

#include "core/source/das_cloud.h"
#include "core/source/source_impl.h"

struct das_cloud_source {
    struct das_source base;
    struct das_cloud *cloud; /* one reference */
    struct das_cloud_address address;
    struct das_identity identity;
    char *db_user_id; /* or NULL */
};

/* cloud_list.c */
int das_cloud_source_list(struct das_source *base, const struct das_query *q,
                          struct das_snapshot **out, struct das_err *err);

#endif
