/*
 * tape.h - what one run was shown and what became of its kills, so that the same run can be had again.
 *
 * A file of JSON lines, in the order in which things happened (docs/replay.md describes it). Each has
 * at_ms, Unix milliseconds:
 *
 *   {"list":INSTANCE,"at_ms":..,...}   a list that the run was shown, or why it failed
 *   {"order":INSTANCE,"at_ms":..,...}  a kill that it sent, and the answer
 *
 * and lines of the caller's own. Recording changes nothing about the run. Playing back gives the
 * lists in their order, whatever the filter, and refuses what the recorded run did not ask for; the
 * thread's clock (das_clock_enter()) is moved to the time of each.
 */
#ifndef DAS_SOURCE_TAPE_H
#define DAS_SOURCE_TAPE_H

#include "core/base/json.h"
#include "core/source/source.h"

/* --- recording ---------------------------------------------------------------------------------- */

struct das_tape;

/* Makes the file (0600); one that is there is refused. */
int das_tape_create(const char *path, struct das_tape **out, struct das_err *err);
/* For das_inventory_listen(). */
const struct das_source_listener *das_tape_listener(struct das_tape *t);
/* A line of the caller's own: a JSON object without newlines. Like every line it is written at once: the
 * tape of a run that dies has all of them but the one that was being written. */
void das_tape_line(struct das_tape *t, struct das_text line);
/* Writes what is left and syncs; -1 when any line is missing. t is gone in any case; NULL is fine. */
int das_tape_close(struct das_tape *t, struct das_err *err);

/* --- playing back ------------------------------------------------------------------------------- */

struct das_playback;

/* Reads the file up to its last whole line. DAS_E_DATA "PATH:LINE: ..." */
int das_playback_open(const char *path, struct das_playback **out, struct das_err *err);
void das_playback_close(struct das_playback *p); /* after its sources; NULL is fine */
/* The caller's own lines, in order: the first from *at on, 0 in the beginning; NULL past the last. text
 * has no newline. */
const json_t *das_playback_next(const struct das_playback *p, size_t *at, struct das_text *text);
/* The instances that were shown, in order of appearance; NULL past the last. */
const char *das_playback_instance(const struct das_playback *p, size_t i);
/* A source that plays the part of that instance. Borrows p. */
int das_playback_source(struct das_playback *p, const char *instance, struct das_source **out,
                        struct das_err *err);
/* Where the run asked for something else than the recorded one; NULL: nowhere so far. */
const char *das_playback_differs(const struct das_playback *p);
/* What it asked for when the recorded one had asked for nothing more; NULL: nothing so far. */
const char *das_playback_beyond(const struct das_playback *p);
/* Lists and kills that nobody has asked for yet. */
size_t das_playback_left(const struct das_playback *p);

#endif
