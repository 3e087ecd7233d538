/* criteria.c - see criteria.h. */
#include "core/cli/criteria.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/source/preview.h"

static const char *const cut_names[] = {"oldest", "newest", "limit"};
enum { OLDEST = DAS_CRITERIA_OLDEST, NEWEST, LIMIT, EXHAUSTIVE };

int das_criteria_init(struct das_criteria *c, struct das_err *err)
{
    memset(c, 0, sizeof *c);
    c->filter = das_filter_new(err);
    return c->filter ? 0 : -1;
}

void das_criteria_clear(struct das_criteria *c)
{
    das_filter_release(c->filter);
    c->filter = NULL;
}

int das_option_count(int64_t *to, const char *name, const char *text, struct das_err *err)
{
    if (das_parse_int(das_text_of(text), to) && *to >= 0)
        return 0;
    return das_fail(err, DAS_E_USAGE, "--%s: expected a whole number, got \"%s\"", name, text);
}

static int set_ids(struct das_filter *f, const char *text, struct das_err *err)
{
    struct das_value v = {.kind = DAS_V_INTS};
    size_t room = 1, n = 0;
    int64_t *ids;
    int rc = -1;

    for (const char *p = text; *p; p++)
        room += *p == ',';
    ids = das_grow(NULL, room, sizeof *ids);
    if (!ids)
        return das_fail_nomem(err);
    for (const char *from = text; n < room; n++) {
        const char *end = from;
        while (*end && *end != ',')
            end++;
        if (!das_parse_int(das_text_trim(das_text(from, (size_t)(end - from))), &ids[n])) {
            das_fail(err, DAS_E_USAGE, "--id: expected ids such as 12 or 12,13, got \"%s\"", text);
            goto done;
        }
        from = *end ? end + 1 : end;
    }
    v.ints = ids;
    v.count = n;
    rc = das_filter_set(f, "id", &v, err);
done:
    das_free(ids);
    return rc;
}

static int set_criterion(struct das_filter *f, enum das_key k, const char *value,
                         struct das_err *err)
{
    const struct das_value yes = {.kind = DAS_V_BOOL, .boolean = true};

    if (k == DAS_K_ALL)
        return das_filter_set(f, "all", &yes, err);
    return k == DAS_K_ID ? set_ids(f, value, err)
                         : das_filter_set_text(f, das_key_name(k), value, err);
}

int das_criteria_option(struct das_criteria *c, int option, const char *value,
                        struct das_err *err)
{
    int rc = 0;

    if (option < DAS_CRITERIA_FROM)
        return 0;
    c->given = true;
    switch (option) {
    case OLDEST:
    case NEWEST:
    case LIMIT:
        if (c->cut)
            return das_fail(err, DAS_E_USAGE, "only one of --oldest, --newest and --limit");
        c->cut = option;
        rc = das_option_count(&c->count, cut_names[option - OLDEST], value, err);
        break;
    case EXHAUSTIVE:
        c->flags |= DAS_PREVIEW_EXHAUSTIVE;
        break;
    default:
        rc = set_criterion(c->filter, (enum das_key)(option - DAS_CRITERIA_FROM), value, err);
    }
    return rc < 0 ? -1 : 1;
}

const char *das_criteria_cut_name(const struct das_criteria *c)
{
    return c->cut ? cut_names[c->cut - OLDEST] : NULL;
}

struct das_selection *das_criteria_cut(const struct das_criteria *c,
                                       const struct das_selection *sel, struct das_err *err)
{
    size_t n = c->cut ? (size_t)c->count : sel->count;

    return c->cut == OLDEST   ? das_selection_oldest(sel, n, err)
           : c->cut == NEWEST ? das_selection_newest(sel, n, err)
                              : das_selection_limit(sel, n, err);
}
