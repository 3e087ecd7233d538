/*
 * command.h - runs another program, without a shell, and takes what it prints.
 *
 * The program gets the environment, /dev/null as its input, and nothing else that is open here.
 * What it writes to its standard error is dropped: a program that hands out secrets may tell one
 * there. It has ended, one way or the other, when the call returns. Safe among threads.
 */
#ifndef DAS_BASE_COMMAND_H
#define DAS_BASE_COMMAND_H

#include "core/base/err.h"
#include "core/base/patience.h"

struct das_command {
    const char *const *argv; /* an absolute path and arguments, ends with NULL */
    size_t max;              /* bytes that it may print */
    int64_t total_ms;        /* then it is killed, with all that it has started */
    const struct das_patience *patience; /* the same; may be NULL */
};

/* In locked memory. */
struct das_command_output {
    char *ptr; /* NUL after len bytes */
    size_t len, size;
};

/* DAS_E_CONFIG when it cannot be run, ended in another way than by exit code 0, or printed too
 * much; DAS_E_TIMEOUT. Messages name the program, never an argument or what it printed. */
int das_command_run(const struct das_command *cmd, struct das_command_output *out,
                    struct das_err *err);
void das_command_output_clear(struct das_command_output *out); /* wipes; {0} is fine */

#endif
