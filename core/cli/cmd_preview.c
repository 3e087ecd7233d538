/* cmd_preview.c - das preview: which sessions match, without a script. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/cli/cli.h"
#include "core/session/explain.h"
#include "core/source/preview.h"

static const char help[] =
    "das preview -i INSTANCE... [criteria] [-o table|json|csv] [--config FILE]\n"
    "\n"
    "Shows the sessions that match all criteria. Never kills.\n"
    "\n"
    "  --user NAME       equal, or with % as wildcard: app%      (case matters, _ is plain)\n"
    "  --host HOST       \"ip:port\" or the part before the port; % as wildcard: 10.1.%\n"
    "  --db NAME         like --user\n"
    "  --command NAME    Query, Sleep, Execute, ...              (any case)\n"
    "  --time AGE        at least so long in its state: 90, 90s, 5m, 2h\n"
    "  --info WORDS      keywords in order, separated by ~: 'select~from~orders' (any case)\n"
    "  --state TEXT      equal, or with % as wildcard            (any case)\n"
    "  --id ID[,ID]      session ids\n"
    "  --trx-time AGE    at least so long in a transaction\n"
    "  --rows-modified N at least so many rows changed by the open transaction\n"
    "  --all             every session (no criterion at all selects none)\n"
    "  --oldest N, --newest N, --limit N    keep only so many\n"
    "  --explain ID      why this session is in or out\n"
    "  --exhaustive      das: answers hold 200 sessions; ask on in parts until all are there\n"
    "\n"
    "  -i, --instance INSTANCE   a name from das.lua, file:PATH, mem:PATH, mysql://user@host:port/,\n"
    "                            das://REGION/PROJECT/INSTANCE\n"
    "  -o, --output FORMAT       table, json (one object for each instance), csv\n"
    "      --config FILE         instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                            /etc/das/das.lua\n"
    "\n"
    "mysql:// takes the password from das.lua (password_file, password_env) or ~/.my.cnf. TLS is\n"
    "verified for hosts other than this one; ?ssl_ca=FILE names the CA, ?ssl=off turns it off.\n"
    "\n"
    "Examples\n"
    "  das preview -i mysql://das@db1/ --command Query --time 1m\n"
    "  das preview -i file:processlist.txt --user app% --explain 4711\n"
    "  mariadb -e 'SHOW FULL PROCESSLIST\\G' | das preview -i file:- --all -o json | jq .total_count\n";

enum { O_EXPLAIN = 1001, O_OLDEST, O_NEWEST, O_LIMIT, O_ALL, O_EXHAUSTIVE, O_KEY };

/* Criteria take their key's place behind O_KEY. */
static const struct option options[] = {
    DAS_COMMON_LONG,
    {"explain", required_argument, NULL, O_EXPLAIN},
    {"oldest", required_argument, NULL, O_OLDEST},
    {"newest", required_argument, NULL, O_NEWEST},
    {"limit", required_argument, NULL, O_LIMIT},
    {"all", no_argument, NULL, O_ALL},
    {"exhaustive", no_argument, NULL, O_EXHAUSTIVE},
    {"user", required_argument, NULL, O_KEY + DAS_K_USER},
    {"host", required_argument, NULL, O_KEY + DAS_K_HOST},
    {"db", required_argument, NULL, O_KEY + DAS_K_DB},
    {"command", required_argument, NULL, O_KEY + DAS_K_COMMAND},
    {"time", required_argument, NULL, O_KEY + DAS_K_TIME},
    {"info", required_argument, NULL, O_KEY + DAS_K_INFO},
    {"state", required_argument, NULL, O_KEY + DAS_K_STATE},
    {"id", required_argument, NULL, O_KEY + DAS_K_ID},
    {"trx-time", required_argument, NULL, O_KEY + DAS_K_TRX_TIME},
    {"rows-modified", required_argument, NULL, O_KEY + DAS_K_ROWS_MODIFIED},
    {NULL, 0, NULL, 0},
};

struct preview {
    struct das_common common;
    struct das_filter *filter;
    int64_t explain; /* a session id, or DAS_UNKNOWN */
    int64_t count;   /* of oldest, newest or limit, or DAS_UNKNOWN */
    int cut;         /* which of them */
    unsigned flags;  /* das_preview_flags */
};

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

static int number_option(int64_t *to, const char *name, const char *text, struct das_err *err)
{
    if (das_parse_int(das_text_of(text), to) && *to >= 0)
        return 0;
    return das_fail(err, DAS_E_USAGE, "--%s: expected a whole number, got \"%s\"", name, text);
}

static int set_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct preview *p = arg;
    struct das_value yes = {.kind = DAS_V_BOOL, .boolean = true};
    int known = das_common_option(&p->common, option, value, err);

    if (known)
        return known < 0 ? -1 : 0;
    switch (option) {
    case O_EXPLAIN:
        p->flags |= DAS_PREVIEW_WHOLE;
        return number_option(&p->explain, "explain", value, err);
    case O_OLDEST:
    case O_NEWEST:
    case O_LIMIT:
        if (p->cut)
            return das_fail(err, DAS_E_USAGE, "only one of --oldest, --newest and --limit");
        p->cut = option;
        return number_option(&p->count,
                             option == O_OLDEST   ? "oldest"
                             : option == O_NEWEST ? "newest"
                                                  : "limit",
                             value, err);
    case O_EXHAUSTIVE:
        p->flags |= DAS_PREVIEW_EXHAUSTIVE;
        return 0;
    case O_ALL:
        return das_filter_set(p->filter, "all", &yes, err);
    case O_KEY + DAS_K_ID:
        return set_ids(p->filter, value, err);
    default:
        return das_filter_set_text(p->filter, das_key_name((enum das_key)(option - O_KEY)), value,
                                   err);
    }
}

static void write_away(struct das_buf *b, void *out)
{
    fwrite(b->ptr ? b->ptr : "", 1, b->len, out);
    das_buf_reset(b);
}

static int show_explain(const struct preview *p, const struct das_selection *sel,
                        struct das_err *err)
{
    int64_t row = das_snapshot_find(sel->snap, p->explain);
    struct das_explanation *e;
    struct das_session s;
    struct das_buf b = {0};

    if (row < 0)
        return das_fail(err, DAS_E_DATA, "no session %lld", (long long)p->explain);
    das_snapshot_get(sel->snap, (uint32_t)row, &s);
    e = das_explain(p->filter, &s, err);
    if (!e)
        return -1;
    das_explanation_print(e, &b);
    das_explanation_free(e);
    if (das_buf_ok(&b, err) < 0) {
        das_buf_clear(&b);
        return -1;
    }
    write_away(&b, stdout);
    das_buf_clear(&b);
    return 0;
}

static struct das_selection *cut(const struct preview *p, struct das_selection *sel,
                                 struct das_err *err)
{
    struct das_selection *less;

    if (!sel || !p->cut)
        return sel;
    less = (p->cut == O_OLDEST   ? das_selection_oldest
            : p->cut == O_NEWEST ? das_selection_newest
                                 : das_selection_limit)(sel, (size_t)p->count, err);
    if (less)
        less->total = sel->total; /* how many match, not how many are shown */
    das_selection_free(sel);
    return less;
}

static int show_instance(const struct preview *p, size_t at, struct das_err *err)
{
    const struct das_flush flush = {write_away, stdout};
    struct das_source *source = das_inventory_open(p->common.inventory, at, err);
    struct das_selection *sel;
    struct das_buf b = {0};
    int rc = 0;

    if (!source)
        return -1;
    sel = cut(p, das_preview(source, p->filter, p->flags, err), err);
    if (!sel)
        return -1;
    for (size_t i = 0; i < das_snapshot_warnings(sel->snap); i++)
        fprintf(stderr, "das preview: %s: %s\n", das_source_name(source),
                das_snapshot_warning(sel->snap, i));
    if (p->explain != DAS_UNKNOWN) {
        rc = show_explain(p, sel, err);
    } else {
        das_render_preview(sel, das_source_name(source), p->common.output, das_terminal_width(),
                           &flush, &b);
        rc = das_buf_ok(&b, err);
        write_away(&b, stdout);
    }
    das_buf_clear(&b);
    das_selection_free(sel);
    return rc;
}

/* Every instance is tried; one that cannot be reached does not hide the others. */
static int show_all(const struct preview *p)
{
    size_t n = das_inventory_count(p->common.inventory), failed = 0;
    struct das_err err;

    if (n == 0) {
        das_fail(&err, DAS_E_USAGE, "no instance: say -i INSTANCE; das preview --help shows kinds");
        return das_complain("preview", &err);
    }
    for (size_t i = 0; i < n; i++) {
        if (show_instance(p, i, &err) < 0) {
            das_complain("preview", &err);
            failed++;
            if (err.code == DAS_E_USAGE)
                return DAS_EXIT_USAGE;
        }
    }
    return failed == 0 ? DAS_EXIT_DONE : failed < n ? DAS_EXIT_PARTIAL : DAS_EXIT_FAILED;
}

int das_cmd_preview(int argc, char **argv)
{
    struct preview p = {.explain = DAS_UNKNOWN, .count = DAS_UNKNOWN};
    const struct das_options o = {help, ":" DAS_COMMON_SHORT, options, set_option, &p};
    struct das_err err;
    int rc;

    if (das_common_init(&p.common, &err) < 0 || !(p.filter = das_filter_new(&err)))
        goto complain;
    rc = das_options_read(&o, argc, argv, &err);
    if (rc < 0)
        goto complain;
    if (rc > 0) {
        rc = DAS_EXIT_DONE;
        goto done;
    }
    if (optind < argc) {
        das_fail(&err, DAS_E_USAGE, "\"%s\" is no option; criteria are given as --user NAME ...",
                 argv[optind]);
        goto complain;
    }
    if (das_common_finish(&p.common, &err) < 0)
        goto complain;
    rc = show_all(&p);
    goto done;
complain:
    rc = das_complain("preview", &err);
done:
    das_filter_release(p.filter);
    das_common_clear(&p.common);
    return rc;
}
