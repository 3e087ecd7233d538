/*
 * session_json.h - one session as JSON that reads back as exactly the same session, byte for byte.
 *
 * {"session":{...},"exact":{...}}: the session as render.h writes it, and beside it what that form
 * shows only roughly (text that is not UTF-8 in hex). Touches buffers and JSON values only.
 */
#ifndef DAS_SESSION_SESSION_JSON_H
#define DAS_SESSION_SESSION_JSON_H

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/session/session.h"

/* The members, without the brackets around them. */
void das_session_json(const struct das_session *s, struct das_buf *b);
/* From an object that has them. Text lives as long as the value and the arena. DAS_E_DATA names the
 * member. */
int das_session_json_read(const json_t *object, struct das_arena *arena, struct das_session *out,
                          struct das_err *err);

/* A text or null at v, or the bytes that hex (may be NULL) has of it. key is for messages. */
int das_json_exact_text(const json_t *v, const json_t *hex, const char *key,
                        struct das_arena *arena, struct das_text *out, struct das_err *err);

#endif
