/*
 * carry.h - what the past holds a policy to, as text: kills counted, breakers, what it usually
 * matches. So that a recorded run can be had again where nothing has happened yet. No journal, no
 * keys, no tasks.
 */
#ifndef DAS_STORE_CARRY_H
#define DAS_STORE_CARRY_H

#include "core/base/json.h"
#include "core/store/store.h"

/* One JSON object: all breakers, all habits, and the kills since since_ms (Unix ms). */
int das_carry_write(struct das_store *s, int64_t since_ms, struct das_buf *b, struct das_err *err);
/* Adds what such an object has. DAS_E_DATA names what is wrong with it; then nothing was added. */
int das_carry_read(struct das_store *s, const json_t *object, struct das_err *err);

#endif
