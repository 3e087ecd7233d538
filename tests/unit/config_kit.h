/* config_kit.h - a das.lua of a test's own, read into an inventory, a protect list, rules and
 * secrets. */
#ifndef DAS_TESTS_CONFIG_KIT_H
#define DAS_TESTS_CONFIG_KIT_H

#include <stdlib.h>

#include "bindings/config.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "tests/unit/kit.h"
#include "tests/unit/temp_file.h"

static struct das_err err;
static struct das_inventory *inv;
static struct das_protect protect;
static struct das_rules rules;
static struct das_secrets secrets;

static inline void config_init(void)
{
    das_protect_init(&protect);
    das_rules_init(&rules);
    das_secrets_init(&secrets);
}

static inline void config_clear(void)
{
    das_inventory_free(inv);
    inv = NULL;
    das_protect_clear(&protect);
    das_rules_clear(&rules);
    das_secrets_clear(&secrets);
}

/* Nothing is configured yet. */
static inline void config_empty(void)
{
    config_clear();
    inv = das_inventory_new(&err);
    if (!inv)
        exit(1);
    err.msg[0] = '\0';
    err.code = DAS_OK;
}

/* Adds to what is there. */
static inline int read_path(const char *path)
{
    const struct das_config into = {inv, &protect, &rules, &secrets};

    return das_config_read(path, &into, &err);
}

/* In place of what was there. */
static inline int read_text(const char *text)
{
    temp_clear();
    config_empty();
    return read_path(temp_text(text));
}

/* A mistake, and what is said of it; the file's name is before it. */
static inline void bad(const char *text, const char *part)
{
    ok(read_text(text) < 0 && err.code == DAS_E_CONFIG, "refused: %.80s", text);
    has_str(err.msg, part, "because %s", part);
    has_str(err.msg, temp_names[0], "and where");
}

/* text with each @ as the absolute path of that script, appended: das.lua of a test is elsewhere. */
static inline void config_put(struct das_buf *b, const char *text, const char *script)
{
    char *path = realpath(script, NULL);

    must(path != NULL, "%s is there", script);
    for (const char *p = text; *p; p++) {
        if (*p == '@')
            das_buf_str(b, path);
        else
            das_buf_char(b, *p);
    }
    free(path);
}

/* Memory runs out at every point: an error, or all of it, as whole() finds. Lua may do without a
 * block that it did not get. */
static inline void config_no_memory(const char *text, bool (*whole)(void))
{
    bool failed = true;
    int half = 0;
    long n;

    for (n = 0; failed && n < 5000; n++) {
        const char *path;
        int rc;
        temp_clear();
        config_empty();
        path = temp_text(text);
        das_alloc_fail_at(n + 1);
        rc = read_path(path);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        half += rc == 0 ? !whole() : !failed;
    }
    is_int(half, 0, "all of it or an error");
    ok(n > 50 && n < 5000, "without memory at any of %ld places", n);
}

#endif
