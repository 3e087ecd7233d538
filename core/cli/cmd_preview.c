/* cmd_preview.c - das preview: which sessions match, without a script. */
#include <stdio.h>
#include <stdlib.h>

#include "core/cli/cli.h"
#include "core/cli/criteria.h"
#include "core/cli/story.h"
#include "core/source/preview.h"

static const char help[] =
    "das preview -i INSTANCE... [criteria] [-o table|json|csv] [--config FILE]\n"
    "\n"
    "Shows the sessions that match all criteria. Never kills.\n"
    "\n"
    DAS_CRITERIA_HELP
    "  --explain ID      why this session is in or out\n"
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

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"explain", required_argument, NULL, 1001},
    DAS_CRITERIA_LONG,
    {NULL, 0, NULL, 0},
};

struct preview {
    struct das_common common;
    struct das_criteria criteria;
    int64_t explain; /* a session id, or DAS_UNKNOWN */
};

static int set_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct preview *p = arg;
    int known = das_common_option(&p->common, option, value, err);

    if (!known)
        known = das_criteria_option(&p->criteria, option, value, err);
    if (known)
        return known < 0 ? -1 : 0;
    p->criteria.flags |= DAS_PREVIEW_WHOLE;
    return das_option_count(&p->explain, "explain", value, err);
}

static void write_away(struct das_buf *b, void *out)
{
    fwrite(b->ptr ? b->ptr : "", 1, b->len, out);
    das_buf_reset(b);
}

static struct das_selection *look(const struct preview *p, struct das_source *source,
                                  struct das_err *err)
{
    struct das_selection *sel = das_preview(source, p->criteria.filter, p->criteria.flags, err);
    struct das_selection *less;

    if (!sel || !p->criteria.cut)
        return sel;
    less = das_criteria_cut(&p->criteria, sel, err);
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
    sel = look(p, source, err);
    if (!sel)
        return -1;
    for (size_t i = 0; i < das_snapshot_warnings(sel->snap); i++)
        fprintf(stderr, "das preview: %s: %s\n", das_source_name(source),
                das_snapshot_warning(sel->snap, i));
    if (p->explain != DAS_UNKNOWN) {
        rc = das_explain_one(sel, p->explain, &b, err);
        if (rc == 0)
            write_away(&b, stdout);
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
    struct preview p = {.explain = DAS_UNKNOWN};
    const struct das_options o = {help, ":" DAS_COMMON_SHORT, options, set_option, &p};
    struct das_err err;
    int rc;

    if (das_common_init(&p.common, &err) < 0 || das_criteria_init(&p.criteria, &err) < 0)
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
    das_criteria_clear(&p.criteria);
    das_common_clear(&p.common);
    return rc;
}
