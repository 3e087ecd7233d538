/* record_show.h - das record cat and info: recordings as JSON, and what is in them. They only read.
 */
#ifndef DAS_CLI_RECORD_SHOW_H
#define DAS_CLI_RECORD_SHOW_H

#include "core/base/buf.h"

/* argv[0] is "cat" or "info". Returns an exit code. */
int das_record_show(int argc, char **argv, const char *help);

void das_record_age(struct das_buf *b, int64_t ms);      /* "1:02:03" */
void das_record_size(struct das_buf *b, uint64_t bytes); /* "12.3 MB" */

#endif
