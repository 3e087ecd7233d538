/* criteria.c - see criteria.h. */
#include "core/serve/criteria.h"

bool das_criteria_any(const struct das_task *t)
{
    return t->user.len || t->host.len || t->db.len || t->command.len || t->info.len;
}

struct das_filter *das_criteria_filter(const struct das_task *t, struct das_err *err)
{
    const struct {
        const char *key;
        struct das_text text;
    } texts[] = {{"user", t->user},
                 {"host", t->host},
                 {"db", t->db},
                 {"command", t->command},
                 {"info", t->info}};
    const struct das_value time = {.kind = DAS_V_INT, .integer = t->time};
    struct das_filter *f = das_filter_new(err);

    if (!f)
        return NULL;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct das_value v = {.kind = DAS_V_TEXT, .text = texts[i].text};
        if (v.text.len && das_filter_set(f, texts[i].key, &v, err) < 0)
            goto fail;
    }
    if (t->time && das_filter_set(f, "time", &time, err) < 0)
        goto fail;
    return f;
fail:
    das_filter_release(f);
    return NULL;
}
