/*
 * cloud_cover.h - which calls of the DAS API find all sessions that a filter could match, and what
 * is left to be decided here. Only the das: source uses it.
 *
 * The API takes one value each of user, host, db, command and info and a least time, and all of them
 * must hold. A filter that is such a conjunction (a table, or tables joined by &) is sent as it
 * stands, and the API's reading decides: what it answers is selected, and marked as disputed where
 * das reads the filter otherwise. Any other filter is taken apart into conjunctions that together
 * cover it; only what both read alike is sent, and every row is tested here.
 */
#ifndef DAS_SOURCE_CLOUD_COVER_H
#define DAS_SOURCE_CLOUD_COVER_H

#include "core/cloud/api.h"
#include "core/session/filter.h"

#define DAS_COVER_CALLS_MAX 16 /* conjunctions; a filter that needs more is covered more coarsely */

struct das_cover {
    bool given;    /* one conjunction, and the API's reading of it decides */
    struct das_filter *rest; /* given: what was not sent, and is decided here; NULL: nothing */
    struct das_cloud_criteria *calls;
    size_t count;  /* 0: no session can match, and nothing needs to be asked */
    struct das_arena arena;
};

/* f NULL: all sessions. own_reading: never as it stands, since the API might read it more narrowly.
 * Borrows f's texts. */
int das_cover_init(struct das_cover *c, const struct das_filter *f, bool own_reading,
                   struct das_err *err);
void das_cover_clear(struct das_cover *c);

/* Commands that the API knows. */
extern const char *const das_cloud_commands[];
extern const size_t das_cloud_command_count;

#endif
