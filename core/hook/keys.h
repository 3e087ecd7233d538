/*
 * keys.h - the secrets of a hook, read from where they are.
 */
#ifndef DAS_HOOK_KEYS_H
#define DAS_HOOK_KEYS_H

#include "core/hook/hook.h"

struct das_hook_keys;

/* Reads all of them. NULL: DAS_E_CONFIG, naming hooks.NAME.verify.FIELD: one cannot be read, or
 * cannot be what it has to be. h outlives it. */
struct das_hook_keys *das_hook_keys_read(const struct das_hook *h, struct das_err *err);
void das_hook_keys_free(struct das_hook_keys *k); /* wipes; NULL is fine */
const struct das_hook_conf *das_hook_keys_conf(const struct das_hook_keys *k);

#endif
