/* approval_link.c - links to the page of a request, and the forms on it (see approval.h). */
#include <stdio.h>
#include <string.h>

#include "core/store/approval.h"
#include "core/store/store_impl.h"

int das_approval_link_add(struct das_store *s, const char *hash, const char *approval,
                          const char *person, struct das_err *err)
{
    return das_do(s, err, DAS_Q_LINK_ADD, "sss", hash, approval, person) < 0 ? -1 : 0;
}

int das_approval_link_find(struct das_store *s, const char *hash, struct das_approval_link *out,
                           struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_LINK_GET, "s", hash);
    int rc = st ? das_step(s, st, err) : -1;

    memset(out, 0, sizeof *out);
    if (rc <= 0)
        return rc;
    snprintf(out->approval, sizeof out->approval, "%s", das_column_str(st, 0));
    snprintf(out->person, sizeof out->person, "%s", das_column_str(st, 1));
    out->used_ms = sqlite3_column_int64(st, 2);
    sqlite3_reset(st);
    return 1;
}

int das_approval_form_add(struct das_store *s, const char *form_hash, const char *link_hash,
                          int64_t until_ms, struct das_err *err)
{
    if (das_do(s, err, DAS_Q_FORM_ADD, "ssi", form_hash, link_hash, until_ms) < 0)
        return -1;
    return das_do(s, err, DAS_Q_FORM_TRIM, "si", link_hash, (int64_t)DAS_APPROVAL_FORMS) < 0 ? -1
                                                                                             : 0;
}

int das_approval_form_take(struct das_store *s, const char *form_hash, const char *link_hash,
                           int64_t now_ms, struct das_err *err)
{
    int n = das_do(s, err, DAS_Q_FORM_TAKE, "ssi", form_hash, link_hash, now_ms);

    return n < 0 ? -1 : n > 0;
}
