/*
 * log.h - one line for each event, as text for people or as JSON for machines.
 *
 * Control characters are escaped, so that what came from a server or a chat cannot forge a line. Any
 * thread may make lines. Format and level are the one thing in this program that is global. Secrets
 * are taken out before, by whoever knows them (secret.h).
 */
#ifndef DAS_BASE_LOG_H
#define DAS_BASE_LOG_H

#include "core/base/buf.h"

enum das_log_level { DAS_LOG_DEBUG, DAS_LOG_INFO, DAS_LOG_WARN, DAS_LOG_ERROR };
enum das_log_format { DAS_LOG_TEXT, DAS_LOG_JSON };

struct das_log_field {
    struct das_text key;
    struct das_text value;
    bool json; /* value is JSON already; else it is text */
};

struct das_log_event {
    enum das_log_level level;
    const char *who; /* "run": the line begins "das run: " */
    /* In das's own voice: as text the line has no level in it, as all that das says on stderr. */
    bool own;
    struct das_text message;
    const struct das_log_field *fields;
    size_t count;
};

int das_log_level_find(const char *name); /* "debug", "info", "warn", "error"; or -1 */

/* Text at level info until told otherwise. */
void das_log_setup(enum das_log_format format, enum das_log_level level);
/* From DAS_LOG (text, json) and DAS_LOG_LEVEL. DAS_E_USAGE for other words. */
int das_log_setup_env(struct das_err *err);
bool das_log_wants(enum das_log_level level);

/* The event's line, with its end, whatever the level. */
void das_log_line(const struct das_log_event *e, struct das_buf *b);
#endif
