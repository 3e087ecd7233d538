/*
 * share.h - where the scripts are that come with das: hooks/, policies/, runbooks/.
 */
#ifndef DAS_BASE_SHARE_H
#define DAS_BASE_SHARE_H

#include <stdbool.h>

#include "core/base/buf.h"

/* Their folder, without a "/" at its end: share/das of the place that the program was installed to,
 * else scripts of the tree that it was built in. False: there is none, or no memory. */
bool das_share_dir(struct das_buf *path);

#endif
