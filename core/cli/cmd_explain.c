/* cmd_explain.c - das explain: for each session why a policy or a filter has it in or out. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/cli/cli.h"
#include "core/cli/criteria.h"
#include "core/cli/interrupt.h"
#include "core/cli/story.h"
#include "core/source/preview.h"

#define NEAREST 20

static const char help[] =
    "das explain -i INSTANCE... --policy SCRIPT [ARGS] [--session ID] [-o table|json]\n"
    "das explain -i INSTANCE... [criteria] [--session ID] [-o table|json]\n"
    "\n"
    "Says for each session why it is in or out, and how near it came: first those that are out, the\n"
    "nearest first, then those that are in. Never kills.\n"
    "\n"
    "      --policy SCRIPT       a dry run of this policy, told session by session: which preview\n"
    "                            selected it or what it lacked, what the policy's own code left\n"
    "                            out, and what a plan would do with it. What it prints is not\n"
    "                            shown, and no HTTP request is sent: each one fails. ARGS that\n"
    "                            begin with - stand behind --. On das: those that are out are\n"
    "                            known only as far as the policy's previews list them\n"
    "      --session ID          all about this one: every criterion of every preview\n"
    "      --nearest N           so many of each kind; 0: all. 20 in a table, all in JSON\n"
    "  -i, --instance INSTANCE   as for das preview; repeat for several\n"
    "  -o, --output FORMAT       table, json (one object for each instance)\n"
    "      --config FILE         as for das preview\n"
    "\n"
    "Criteria\n" DAS_CRITERIA_HELP
    "\n"
    "The nearest lack only numbers, and little of them: 57 s of 60 before 30 s of 60. Then come those\n"
    "of which the source does not tell something, last those that no waiting can bring in: another\n"
    "user, another command, no open transaction.\n"
    "\n"
    "Examples\n"
    "  das explain -i mysql://das@db1/ --policy scripts/policies/long_select.lua 60s\n"
    "  das explain -i mysql://das@db1/ --policy long_select.lua --session 4711\n"
    "  das explain -i mem:tests/samples/recording.jsonl --command Query --time 60 --info select\n"
    "\n"
    "Exit: 0 done, 1 failed (also: no such session), 2 usage or configuration, 4 some instances\n"
    "failed.\n";

enum { O_POLICY = 1001, O_SESSION, O_NEAREST };

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"policy", required_argument, NULL, O_POLICY},
    {"session", required_argument, NULL, O_SESSION},
    {"nearest", required_argument, NULL, O_NEAREST},
    DAS_CRITERIA_LONG,
    {NULL, 0, NULL, 0},
};

struct explain {
    struct das_common common;
    struct das_criteria criteria;
    const char *policy;
    int64_t session; /* or DAS_UNKNOWN */
    int64_t nearest; /* or DAS_UNKNOWN */
    size_t requests; /* HTTP, that were not sent */
    size_t found;    /* instances that have the session */
};

static int set_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct explain *x = arg;
    int known = das_common_option(&x->common, option, value, err);

    if (!known)
        known = das_criteria_option(&x->criteria, option, value, err);
    if (known)
        return known < 0 ? -1 : 0;
    if (option == O_POLICY) {
        if (x->policy)
            return das_fail(err, DAS_E_USAGE, "--policy: one policy at a time");
        x->policy = value;
        return 0;
    }
    return option == O_SESSION ? das_option_count(&x->session, "session", value, err)
                               : das_option_count(&x->nearest, "nearest", value, err);
}

static int check(const struct explain *x, int argc, char **argv, struct das_err *err)
{
    if (x->policy && x->criteria.given)
        return das_fail(err, DAS_E_USAGE, "a policy or criteria, not both: the policy has its own");
    if (!x->policy && argc > 0)
        return das_fail(err, DAS_E_USAGE, "\"%s\" is no option; a policy is given as --policy %s, "
                        "criteria as --user NAME ...", argv[0], argv[0]);
    if (!x->policy && !x->criteria.given)
        return das_fail(err, DAS_E_USAGE, "explain what? say --policy SCRIPT, or criteria such as "
                        "--command Query --time 60");
    if (x->common.output == DAS_OUT_CSV)
        return das_fail(err, DAS_E_USAGE, "-o: expected table or json, got \"csv\"");
    return 0;
}

/* --- telling ------------------------------------------------------------------------------- */

static int tell(struct explain *x, const struct das_story *s, const char *instance,
                struct das_err *err)
{
    const bool json = x->common.output == DAS_OUT_JSON;
    const struct das_story_view v = {
        .instance = instance,
        .protect = &x->common.protect,
        .nearest = x->nearest > 0                     ? (size_t)x->nearest
                   : x->nearest == 0 || json          ? SIZE_MAX
                                                      : NEAREST,
        .width = das_terminal_width(),
    };
    struct das_fates f;
    struct das_buf b = {0};
    int rc = das_story_judge(s, instance, &f, err);

    if (rc == 0 && x->session != DAS_UNKNOWN) {
        rc = das_story_one(s, &f, &v, x->session, json, &b, err);
        x->found += rc > 0;
    } else if (rc == 0) {
        (json ? das_story_json : das_story_table)(s, &f, &v, &b);
        rc = das_buf_ok(&b, err);
    }
    if (rc >= 0)
        rc = das_write_out(&b, err);
    das_buf_clear(&b);
    das_fates_clear(&f);
    return rc;
}

/* --- a filter ------------------------------------------------------------------------------ */

static int add_look(const struct explain *x, struct das_story *s, struct das_source *source,
                    struct das_err *err)
{
    struct das_selection *kept = NULL, *sel;
    int rc = -1;

    sel = das_preview(source, x->criteria.filter, x->criteria.flags | DAS_PREVIEW_WHOLE, err);
    if (!sel)
        return -1;
    for (size_t i = 0; i < das_snapshot_warnings(sel->snap); i++)
        fprintf(stderr, "das explain: %s: %s\n", das_source_name(source),
                das_snapshot_warning(sel->snap, i));
    if (!x->criteria.cut || (kept = das_criteria_cut(&x->criteria, sel, err)))
        rc = das_story_add_look(s, das_source_name(source), sel, kept, err);
    das_selection_free(kept);
    das_selection_free(sel);
    return rc;
}

static int explain_instance(struct explain *x, size_t at, struct das_err *err)
{
    struct das_source *source = das_inventory_open(x->common.inventory, at, err);
    struct das_story s = {.cut_name = das_criteria_cut_name(&x->criteria),
                          .cut_count = x->criteria.count};
    int rc = source ? add_look(x, &s, source, err) : -1;

    if (rc == 0)
        rc = tell(x, &s, das_source_name(source), err);
    das_story_clear(&s);
    return rc;
}

/* Every instance is tried; one that cannot be reached does not hide the others. */
static int explain_filter(struct explain *x)
{
    size_t n = das_inventory_count(x->common.inventory), failed = 0;
    struct das_err err;

    for (size_t i = 0; i < n; i++) {
        if (explain_instance(x, i, &err) < 0) {
            das_complain("explain", &err);
            failed++;
        }
    }
    return failed == 0 ? DAS_EXIT_DONE : failed < n ? DAS_EXIT_PARTIAL : DAS_EXIT_FAILED;
}

/* --- a policy ------------------------------------------------------------------------------ */

/* Whoever asks why does not want to send a message or open a ticket. */
static int no_request(void *arg, const struct das_http_request *req, struct das_http_response *resp,
                      struct das_err *err)
{
    struct explain *x = arg;

    (void)req;
    (void)resp;
    x->requests++;
    return das_fail(err, DAS_E_CONNECT, "das explain sends no requests");
}

static int tell_all(struct explain *x, const struct das_story *s)
{
    size_t n = das_inventory_count(x->common.inventory);
    struct das_err err;

    for (size_t i = 0; i < n; i++) {
        if (tell(x, s, das_inventory_name(x->common.inventory, i), &err) < 0)
            return das_complain("explain", &err);
    }
    return DAS_EXIT_DONE;
}

static void say_more(const struct explain *x, const struct das_story *s)
{
    if (x->requests)
        fprintf(stderr, "das explain: %zu HTTP request%s of the policy %s not sent and failed\n",
                x->requests, x->requests == 1 ? "" : "s", x->requests == 1 ? "was" : "were");
    if (s->untold)
        fprintf(stderr, "das explain: only the first %d previews are told, %zu more were made\n",
                DAS_STORY_LOOKS, s->untold);
}

static int explain_policy(struct explain *x, int argc, char **argv)
{
    struct das_common *c = &x->common;
    struct das_story s = {.policy = x->policy};
    const struct das_engine_watch watch = das_story_watch(&s);
    const struct das_engine_web web = {.arg = x, .answer = no_request};
    struct das_script_rules rules;
    struct das_engine_result result;
    struct das_engine_opts opts = {
        .path = x->policy,
        .args = (const char *const *)argv,
        .arg_count = (size_t)argc,
        .inventory = c->inventory,
        .protect = &c->protect,
        .secrets = &c->secrets,
        .watch = &watch,
        .web = &web,
        .cancel = das_interrupt_catch(),
        .out = fopen("/dev/null", "w"),
        .log = stderr,
    };
    struct das_err err;
    int code = DAS_EXIT_DONE, rc;

    if (!opts.out) {
        das_fail(&err, DAS_E_IO, "/dev/null cannot be opened");
        return das_complain("explain", &err);
    }
    das_rules_for(&c->rules, strcmp(x->policy, "-") ? x->policy : NULL, &rules);
    das_common_guards(c, &rules, &opts);
    opts.grants = rules.grants;
    rc = das_engine_run(&opts, &result, &err);
    if (rc < 0)
        code = das_complain("explain", &err);
    if (result.end == DAS_END_STUCK) /* its thread uses all that would be read and freed now */
        _exit(code);
    if (rc == 0 || s.look_count) {
        if (rc < 0)
            fprintf(stderr, "das explain: the policy failed; this is how far it came\n");
        say_more(x, &s);
        rc = tell_all(x, &s);
        code = code ? code : rc;
    }
    fclose(opts.out);
    das_engine_result_clear(&result);
    das_story_clear(&s);
    return code;
}

/* --- the command --------------------------------------------------------------------------- */

static int explain(struct explain *x, int argc, char **argv)
{
    struct das_err err;
    int code;

    if (das_inventory_count(x->common.inventory) == 0) {
        das_fail(&err, DAS_E_USAGE, "no instance: say -i INSTANCE; das preview --help shows kinds");
        return das_complain("explain", &err);
    }
    code = x->policy ? explain_policy(x, argc, argv) : explain_filter(x);
    if (x->session != DAS_UNKNOWN && !x->found && code == DAS_EXIT_DONE) {
        das_fail(&err, DAS_E_DATA, "no session %lld%s", (long long)x->session,
                 x->policy ? " in what the policy looked at" : "");
        code = das_complain("explain", &err);
    }
    return code;
}

int das_cmd_explain(int argc, char **argv)
{
    struct explain x = {.session = DAS_UNKNOWN, .nearest = DAS_UNKNOWN};
    const struct das_options o = {help, ":" DAS_COMMON_SHORT, options, set_option, &x};
    struct das_err err;
    int rc = -1;

    if (das_common_init(&x.common, &err) == 0 && das_criteria_init(&x.criteria, &err) == 0)
        rc = das_options_read(&o, argc, argv, &err);
    if (rc > 0)
        rc = DAS_EXIT_DONE;
    else if (rc < 0 || check(&x, argc - optind, argv + optind, &err) < 0 ||
             das_common_finish(&x.common, &err) < 0)
        rc = das_complain("explain", &err);
    else
        rc = explain(&x, argc - optind, argv + optind);
    das_criteria_clear(&x.criteria);
    das_common_clear(&x.common);
    return rc;
}
