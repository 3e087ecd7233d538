/* das_cloud.h - what stands behind an instance at Huawei Cloud DAS, for what only the cloud has. */
#ifndef DAS_SOURCE_DAS_CLOUD_H
#define DAS_SOURCE_DAS_CLOUD_H

#include "core/cloud/cloud.h"
#include "core/source/source.h"

/* False: not a das: instance. Both are the source's. */
bool das_source_cloud(const struct das_source *s, struct das_cloud **cloud,
                      struct das_cloud_place *place);
/* The registered database user of the configuration; NULL: none. */
const char *das_source_cloud_db_user(const struct das_source *s);

#endif
