/*
 * notice.h - one message to people: title, text, severity, fields, sessions, buttons, a link.
 *
 * It knows no platform and no channel. In the outbox it is JSON, so that it can be sent by another
 * process, in another form, or a year later by a newer das. What is too long for any platform is
 * cut here, at the end of a character, and counted.
 */
#ifndef DAS_NOTIFY_NOTICE_H
#define DAS_NOTIFY_NOTICE_H

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/session/selection.h"

#define DAS_NOTICE_FIELDS 40
#define DAS_NOTICE_BUTTONS 5
#define DAS_NOTICE_ROWS 100   /* sessions that are kept; the others are counted */
#define DAS_NOTICE_TITLE 300  /* bytes */
#define DAS_NOTICE_TEXT 16384 /* bytes */
#define DAS_NOTICE_VALUE 2000 /* bytes of a field's value, and of a session's statement */
#define DAS_NOTICE_KEY 200    /* bytes of a deduplication key */
#define DAS_NOTICE_URL 2000   /* bytes */

enum das_severity { DAS_INFO, DAS_WARNING, DAS_ERROR, DAS_CRITICAL };
enum das_event { DAS_TRIGGER, DAS_ACKNOWLEDGE, DAS_RESOLVE };
const char *das_severity_name(enum das_severity s); /* "info", ... */
int das_severity_find(const char *name);            /* or -1 */
const char *das_event_name(enum das_event e);       /* "trigger", "acknowledge", "resolve" */
int das_event_find(const char *name);               /* or -1 */

struct das_notice_field {
    struct das_text name, value;
};

struct das_notice_row {
    int64_t id, time;                                    /* time: s in its state, or DAS_UNKNOWN */
    struct das_text user, host, db, command, state, sql; /* NULL: has none */
    struct das_text note; /* what became of it: "killed"; NULL: nothing */
};

struct das_notice_button {
    struct das_text label, value; /* value: opaque, comes back with the click */
    bool danger;
};

/* Texts are in its arena, or of whoever set them. NULL: not set. */
struct das_notice {
    struct das_arena arena;
    struct das_text title, text, instance, link;
    struct das_text dedup;  /* what is said of the same thing has the same */
    struct das_text update; /* delivery id of the message that this one takes the place of */
    struct das_text thread; /* delivery id of the message that it answers */
    enum das_severity severity;
    enum das_event event;
    bool alone;    /* in no digest: for whoever queues it, and not kept with it */
    int64_t at_ms; /* Unix */
    struct das_notice_field fields[DAS_NOTICE_FIELDS];
    size_t field_count;
    struct das_notice_button buttons[DAS_NOTICE_BUTTONS];
    size_t button_count;
    struct das_notice_row *rows; /* in the arena */
    size_t row_count;
    int64_t row_total; /* sessions that there are */
};

void das_notice_init(struct das_notice *n);
void das_notice_clear(struct das_notice *n);

/* Each copies, cut to what it may be. DAS_E_USAGE where there are too many of a kind; a button
 * whose label or value is empty; a link that is no http or https URL. */
int das_notice_text(struct das_notice *n, struct das_text *to, struct das_text t, size_t most,
                    struct das_err *err);
int das_notice_field(struct das_notice *n, struct das_text name, struct das_text value,
                     struct das_err *err);
int das_notice_button(struct das_notice *n, struct das_text label, struct das_text value,
                      bool danger, struct das_err *err);
int das_notice_link(struct das_notice *n, struct das_text url, struct das_err *err);
/* Room for so many sessions, of total. */
int das_notice_rows(struct das_notice *n, size_t count, int64_t total, struct das_err *err);
/* The next of them. shape: of its statement only the shape is kept (das_statement_shape()). */
int das_notice_row(struct das_notice *n, const struct das_session *s, struct das_text note,
                   bool shape, struct das_err *err);
int das_notice_sessions(struct das_notice *n, const struct das_selection *sel, bool shape,
                        struct das_err *err);

/* As one JSON object, appended. */
void das_notice_write(const struct das_notice *n, struct das_buf *b);
/* What das_notice_write() wrote, also that of an older or newer das. n is new. DAS_E_DATA. */
int das_notice_read(struct das_notice *n, struct das_text json, struct das_err *err);

#endif
