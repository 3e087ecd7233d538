/*
 * criteria.h - the options that say which sessions: for das preview and das explain.
 *
 * Owns the filter that they make. Looks at no instance.
 */
#ifndef DAS_CLI_CRITERIA_H
#define DAS_CLI_CRITERIA_H

#include <getopt.h>

#include "core/session/selection.h"

struct das_criteria {
    struct das_filter *filter;
    bool given;     /* any of the options was there */
    int cut;        /* 0, or which of --oldest, --newest and --limit */
    int64_t count;  /* of it */
    unsigned flags; /* das_preview_flags */
};

/* Above the numbers of a command's own options. */
#define DAS_CRITERIA_FROM 2000
#define DAS_CRITERIA_OLDEST (DAS_CRITERIA_FROM + 100)

/* In the place of an option's table; a criterion's key stands behind DAS_CRITERIA_FROM. */
#define DAS_CRITERIA_LONG                                                                          \
    {"oldest", required_argument, NULL, DAS_CRITERIA_OLDEST},                                      \
        {"newest", required_argument, NULL, DAS_CRITERIA_OLDEST + 1},                              \
        {"limit", required_argument, NULL, DAS_CRITERIA_OLDEST + 2},                               \
        {"exhaustive", no_argument, NULL, DAS_CRITERIA_OLDEST + 3},                                \
        {"all", no_argument, NULL, DAS_CRITERIA_FROM + DAS_K_ALL},                                 \
        {"user", required_argument, NULL, DAS_CRITERIA_FROM + DAS_K_USER},                         \
        {"host", required_argument, NULL, DAS_CRITERIA_FROM + DAS_K_HOST},                         \
        {"db", required_argument, NULL, DAS_CRITERIA_FROM + DAS_K_DB},                             \
        {"command", required_argument, NULL, DAS_CRITERIA_FROM + DAS_K_COMMAND},                   \
        {"time", required_argument, NULL, DAS_CRITERIA_FROM + DAS_K_TIME},                         \
        {"info", required_argument, NULL, DAS_CRITERIA_FROM + DAS_K_INFO},                         \
        {"state", required_argument, NULL, DAS_CRITERIA_FROM + DAS_K_STATE},                       \
        {"id", required_argument, NULL, DAS_CRITERIA_FROM + DAS_K_ID},                             \
        {"trx-time", required_argument, NULL, DAS_CRITERIA_FROM + DAS_K_TRX_TIME},                 \
    {                                                                                              \
        "rows-modified", required_argument, NULL, DAS_CRITERIA_FROM + DAS_K_ROWS_MODIFIED          \
    }

/* What the help says of them. */
#define DAS_CRITERIA_HELP                                                                          \
    "  --user NAME       equal, or with % as wildcard: app%      (case matters, _ is plain)\n"     \
    "  --host HOST       \"ip:port\" or the part before the port; % as wildcard: 10.1.%\n"         \
    "  --db NAME         like --user\n"                                                            \
    "  --command NAME    Query, Sleep, Execute, ...              (any case)\n"                     \
    "  --time AGE        at least so long in its state: 90, 90s, 5m, 2h\n"                         \
    "  --info WORDS      keywords in order, separated by ~: 'select~from~orders' (any case)\n"     \
    "  --state TEXT      equal, or with % as wildcard            (any case)\n"                     \
    "  --id ID[,ID]      session ids\n"                                                            \
    "  --trx-time AGE    at least so long in a transaction\n"                                      \
    "  --rows-modified N at least so many rows changed by the open transaction\n"                  \
    "  --all             every session (no criterion at all selects none)\n"                       \
    "  --oldest N, --newest N, --limit N    keep only so many\n"                                   \
    "  --exhaustive      das: answers hold 200 sessions; ask on in parts until all are there\n"

int das_criteria_init(struct das_criteria *c, struct das_err *err);
void das_criteria_clear(struct das_criteria *c);
/* One option: 1 when it was one of these, 0 when not, -1 with err. */
int das_criteria_option(struct das_criteria *c, int option, const char *value,
                        struct das_err *err);
const char *das_criteria_cut_name(const struct das_criteria *c); /* "oldest"; NULL: no cut */
/* What --oldest, --newest or --limit leaves of sel; a selection of its own. */
struct das_selection *das_criteria_cut(const struct das_criteria *c,
                                       const struct das_selection *sel, struct das_err *err);

/* A whole number from 0 up; -1 and err name the option. */
int das_option_count(int64_t *to, const char *name, const char *text, struct das_err *err);

#endif
