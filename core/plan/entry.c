/* entry.c - see entry.h. */
#include "core/plan/entry.h"

#include "core/base/json.h"

void das_entry_text(const struct das_guard *g, struct das_buf *b, const char *key,
                    struct das_text t)
{
    struct das_buf clean = {0};

    if (!t.ptr || !g->vault) {
        das_json_key_text(b, key, t);
        return;
    }
    das_vault_redact(g->vault, t, &clean);
    if (clean.failed)
        b->failed = true;
    das_json_key_text(b, key, das_buf_view(&clean));
    das_buf_clear(&clean);
}

void das_entry_str(const struct das_guard *g, struct das_buf *b, const char *key, const char *s)
{
    if (s && *s)
        das_entry_text(g, b, key, das_text_of(s));
}

/* The members without the brace that the JSON helpers need before them. */
int das_entry_write(const struct das_guard *g, struct das_record *r, struct das_buf *b,
                    struct das_err *err)
{
    int rc = das_buf_ok(b, err);

    if (rc == 0) {
        r->members = das_text(b->ptr + 1, b->len - 1);
        rc = das_journal_add(g->store, r, 1, err);
    }
    das_buf_clear(b);
    return rc;
}
