/* write_file.h - writes a small file so that a reader sees all of it or none of it, and what else a
 * new name in a folder needs. */
#ifndef DAS_BASE_WRITE_FILE_H
#define DAS_BASE_WRITE_FILE_H

#include <sys/types.h>

#include "core/base/err.h"
#include "core/base/text.h"

/* Through a temporary file in the same folder and a rename, on the disk when it returns. What was
 * there is replaced. DAS_E_IO names the path. */
int das_write_file(const char *path, mode_t mode, struct das_text text, struct das_err *err);
/* The same, but the system may take its time to bring it to the disk: for what can be lost. */
int das_write_file_soon(const char *path, mode_t mode, struct das_text text, struct das_err *err);
/* The same, but what is there stays as it is: then this succeeds, too. The file belongs to whom its
 * folder belongs. */
int das_write_file_once(const char *path, mode_t mode, struct das_text text, struct das_err *err);

/* The folder is written to the disk: a name was added to it or removed. 0, or -1 with errno. */
int das_sync_folder(const char *folder);
/* The one that path is in; a file system that cannot do it is no reason to fail. */
void das_sync_folder_of(const char *path);
/* What root makes belongs to whom the folder belongs, or that user could not use it later. */
void das_give_to_owner(const char *folder, const char *path);

#endif
