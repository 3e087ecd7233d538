/* stop_record.c - see stop_record.h. */
#include "core/cli/stop_record.h"

#include "core/base/json.h"
#include "core/store/journal.h"

int das_stop_record(const char *state_dir, const char *kind, const char *who, const char *reason,
                    struct das_err *err)
{
    struct das_record record = {.kind = kind};
    struct das_store *store = NULL;
    struct das_buf b = {0};
    int rc = -1;

    das_buf_str(&b, "\"who\":");
    das_json_str(&b, who);
    das_json_key(&b, "reason");
    das_json_str(&b, reason);
    record.members = das_buf_view(&b);
    if (das_buf_ok(&b, err) == 0 && das_store_open(state_dir, &store, err) == 0)
        rc = das_journal_add(store, &record, 1, err);
    das_store_close(store);
    das_buf_clear(&b);
    return rc;
}
