/* write_file.h - writes a small file so that a reader sees all of it or none of it. */
#ifndef DAS_CLI_WRITE_FILE_H
#define DAS_CLI_WRITE_FILE_H

#include <sys/types.h>

#include "core/base/err.h"
#include "core/base/text.h"

/* Through a temporary file in the same folder and a rename, on the disk when it returns. What was
 * there is replaced. DAS_E_IO names the path. */
int das_write_file(const char *path, mode_t mode, struct das_text text, struct das_err *err);
/* The folder that path is in is written to the disk: a name was added to it or removed. */
void das_sync_folder_of(const char *path);

#endif
