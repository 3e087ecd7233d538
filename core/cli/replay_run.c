/* replay_run.c - see replay_run.h. Prints, and leaves the work to core/replay/rerun.c. */
#include "core/cli/replay_run.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/replay/rerun.h"

static void put_line(struct das_buf *b, const char *what, const char *line)
{
    das_buf_printf(b, "  %-9s %s\n", what, line ? line : "(none)");
}

static void print_text(const struct das_rerun_result *r, struct das_buf *b)
{
    if (!r->differs) {
        das_buf_printf(b, "equal: %zu decision%s, the same to the byte\n", r->decisions,
                       r->decisions == 1 ? "" : "s");
        if (r->unfinished)
            das_buf_str(b, "  the recorded run broke off there: what it would have done next is not known\n");
        return;
    }
    if (r->recorded || r->now) {
        das_buf_printf(b, "differs at decision %zu of %zu%s\n", r->equal + 1, r->decisions,
                       r->other_policy ? ": the policy is not the one that was recorded" : "");
        put_line(b, "recorded", r->recorded);
        put_line(b, "now", r->now);
    } else {
        das_buf_printf(b, "differs after %zu decisions\n", r->equal);
    }
    if (r->why[0])
        das_buf_printf(b, "  %s\n", r->why);
}

static void print_json(const struct das_rerun_result *r, struct das_buf *b)
{
    das_buf_char(b, '{');
    das_json_key_int(b, "decisions", (int64_t)r->decisions);
    das_json_key_int(b, "equal", (int64_t)r->equal);
    das_json_key_bool(b, "differs", r->differs);
    das_json_key_bool(b, "other_policy", r->other_policy);
    das_json_key_bool(b, "unfinished", r->unfinished);
    das_json_key(b, "recorded");
    das_buf_str(b, r->recorded ? r->recorded : "null"); /* is JSON itself */
    das_json_key(b, "now");
    das_buf_str(b, r->now ? r->now : "null");
    das_json_key(b, "why");
    das_json_str(b, r->why);
    das_buf_str(b, "}\n");
}

static int rerun(struct das_common *c, struct das_playback *p, const char *policy,
                 struct das_err *err)
{
    const char *recorded = das_rerun_script(p, err), *path = policy ? policy : recorded;
    struct das_engine_opts base = {.path = path, .protect = &c->protect, .secrets = &c->secrets};
    struct das_rerun_result result = {0};
    struct das_script_rules rules;
    struct das_buf b = {0};
    int rc;

    if (!recorded)
        return -1;
    das_rules_for(&c->rules, path, &rules);
    das_common_guards(c, &rules, &base);
    base.grants = rules.grants;
    rc = das_rerun(p, &base, &result, err);
    if (rc == 0) {
        (c->output == DAS_OUT_JSON ? print_json : print_text)(&result, &b);
        rc = das_write_out(&b, err);
    }
    if (rc == 0)
        rc = result.differs;
    das_buf_clear(&b);
    das_rerun_result_clear(&result);
    return rc;
}

int das_replay_run(struct das_common *c, const char *tape, const char *policy)
{
    struct das_playback *p = NULL;
    struct das_err err;
    int rc = das_playback_open(tape, &p, &err);

    if (rc == 0)
        rc = rerun(c, p, policy, &err);
    das_playback_close(p);
    if (rc < 0)
        return das_complain("replay", &err);
    return rc == 0 ? DAS_EXIT_DONE : DAS_EXIT_FAILED;
}
