/*
 * recording_json.h - a snapshot as a line of JSON that das reads as a recording: the form for
 * people and for exchange (docs/recording.md).
 *
 * What the binary form holds and the line cannot carry is said in the docs. Fills a buffer only.
 */
#ifndef DAS_SOURCE_RECORDING_JSON_H
#define DAS_SOURCE_RECORDING_JSON_H

#include "core/session/render.h"

/* Appends the line, with its end. instance NULL: not told. flush may be NULL. */
void das_recording_json(const struct das_snapshot *s, const char *instance, int64_t time_ms,
                        const struct das_flush *flush, struct das_buf *b);

#endif
