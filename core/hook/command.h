/*
 * command.h - what people write to das, as words: the grammar of commands from chats.
 *
 *   line  = command *(blank item)
 *   item  = value / key "=" value
 *   key   = letter *(letter / digit / "_"), lower case
 *   value = 1*plain / '"' text '"'
 *   plain = letters, digits and _ . , : @ / % + ~ * -
 *   text  = any printable characters; \" and \\ are " and \
 *
 * There is nothing else: what could mean something to a shell, to SQL or to Lua is no plain
 * character, and what is in quotes stays one value. Pure functions, no I/O.
 */
#ifndef DAS_HOOK_COMMAND_H
#define DAS_HOOK_COMMAND_H

#include "core/base/err.h"
#include "core/base/text.h"

#define DAS_HOOK_LINE_MAX 2000 /* bytes */
#define DAS_HOOK_ITEMS_MAX 24
#define DAS_HOOK_KEY_SIZE 33
#define DAS_HOOK_VALUE_SIZE 513 /* bytes and NUL */

struct das_hook_item {
    char key[DAS_HOOK_KEY_SIZE]; /* "": a word */
    char value[DAS_HOOK_VALUE_SIZE];
};
struct das_hook_line {
    char command[DAS_HOOK_KEY_SIZE]; /* "": the line is empty */
    struct das_hook_item items[DAS_HOOK_ITEMS_MAX];
    size_t count;
};

/* Reads all of it or nothing. DAS_E_USAGE: a sentence for the person, which repeats of the line no
 * more than a key of plain letters. */
int das_hook_line_read(struct das_text text, struct das_hook_line *out, struct das_err *err);

/* NULL: no such key. */
const char *das_hook_line_get(const struct das_hook_line *l, const char *key);

/* Is it what a command or a parameter may be called? */
bool das_hook_is_key(const char *s);

#endif
