/*
 * import.h - policies out of other tools' options, for the command line.
 */
#ifndef DAS_BINDINGS_IMPORT_H
#define DAS_BINDINGS_IMPORT_H

#include "core/base/buf.h"
#include "core/base/err.h"

/* The policy that chooses as pt-kill with these n arguments does (a leading "pt-kill" is passed over)
 * is appended to out; what needs a person's eye to notes, one a line. DAS_E_USAGE names the option
 * that pt-kill would refuse, or that has no meaning as a policy. */
int das_import_pt_kill(char *const *args, size_t n, struct das_buf *out, struct das_buf *notes,
                       struct das_err *err);

#endif
