/* schedule_text.h - the policies that das serve runs by itself, as its file in the state directory
 * tells them, for das status. */
#ifndef DAS_CLI_SCHEDULE_TEXT_H
#define DAS_CLI_SCHEDULE_TEXT_H

#include "core/base/buf.h"

/* json: the member "schedule" of an object that is open, null where there is none; else lines, with
 * a table in which those that fail come first. DAS_E_DATA where the file is damaged. */
int das_schedule_show(const char *state_dir, bool json, size_t width, struct das_buf *b,
                      struct das_err *err);

#endif
