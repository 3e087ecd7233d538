/* guard.c - see guard.h. */
#include "core/plan/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/store/budget.h"

const struct das_kill_limits das_kill_limits_default = {
    .run = 10,
    .minute = 30,
    .instance = 60,
    .user = 20,
    .window_ms = 600000,
    .percent = 5,
    .min_left = 0,
    .rows_modified = 100000,
};

const struct das_breaker_rules das_breaker_rules_default = {
    .failures = 1,
    .respawns = 3,
    .respawn_ms = 60000,
    .surge = 10,
    .cooldown_ms = 600000,
};

const struct das_policy_rules das_policy_rules_default = {
    .mode = DAS_POLICY_OBSERVE,
    .limits = {10, 30, 60, 20, 600000, 5, 0, 100000},
    .breaker = {1, 3, 60000, 10, 600000},
    .ramp = true,
    .outcome_wait_ms = 5000,
};

static const char *const mode_names[] = {"observe", "notify", "approve", "auto"};

const char *das_policy_mode_name(enum das_policy_mode m)
{
    return mode_names[m];
}

int das_policy_mode_find(const char *name)
{
    for (int i = 0; i < (int)(sizeof mode_names / sizeof *mode_names); i++) {
        if (strcmp(name, mode_names[i]) == 0)
            return i;
    }
    return -1;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A window of its own cannot be taken over from somebody else: the longer one counts more kills. */
void das_kill_limits_tighten(struct das_kill_limits *l, const struct das_kill_limits *by)
{
    l->run = smaller(l->run, by->run);
    l->minute = smaller(l->minute, by->minute);
    l->instance = smaller(l->instance, by->instance);
    l->user = smaller(l->user, by->user);
    l->window_ms = l->window_ms > by->window_ms ? l->window_ms : by->window_ms;
    l->percent = l->percent < by->percent ? l->percent : by->percent;
    l->min_left = l->min_left > by->min_left ? l->min_left : by->min_left;
    l->rows_modified = smaller(l->rows_modified, by->rows_modified);
}

#define MINUTE_MS 60000

void das_counted_bounds(const struct das_kill_limits *l, struct das_bound *out)
{
    out[0] = (struct das_bound){.name = "limits.kill.run", .scope = DAS_SCOPE_RUN, .max = l->run};
    out[1] = (struct das_bound){.name = "limits.kill.minute", .scope = DAS_SCOPE_ALL,
                                .max = l->minute, .window_ms = MINUTE_MS};
    out[2] = (struct das_bound){.name = "limits.kill.instance", .scope = DAS_SCOPE_INSTANCE,
                                .max = l->instance, .window_ms = l->window_ms};
    out[3] = (struct das_bound){.name = "limits.kill.user", .scope = DAS_SCOPE_USER,
                                .max = l->user, .window_ms = l->window_ms};
}

/* --- off switch ---------------------------------------------------------------------------------- */

/* The first line of the file, for the person who wonders; control characters become blanks. */
static void read_reason(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, out, size - 1) : -1;

    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    for (char *p = out; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
}

bool das_stopped(const char *const *files, char *why, size_t size)
{
    char reason[160];
    struct stat link;

    for (; files && *files; files++) {
        if (access(*files, F_OK) == 0) {
            read_reason(*files, reason, sizeof reason);
            snprintf(why, size, "stopped by %s%s%s", *files, reason[0] ? ": " : "", reason);
            return true;
        }
        if (errno == ENOENT && lstat(*files, &link) == 0) {
            snprintf(why, size, "stopped by %s: it is a link to nothing", *files);
            return true;
        }
        if (errno != ENOENT && errno != ENOTDIR) {
            snprintf(why, size, "stopped: the off switch %s cannot be looked for: %s", *files,
                     strerror(errno));
            return true;
        }
    }
    return false;
}

/* --- mode and windows ---------------------------------------------------------------------------- */

/* What a person can do where the mode says no. */
struct way_out {
    const char *approve, *promote;
};

static const struct way_out of_plans = {
    "plan:request_approval, or das run --plan-out FILE and das apply FILE",
    "das run --plan-out FILE with das apply FILE kills once",
};
static const struct way_out of_acts = {
    "das cloud, or das repl --apply",
    "a person may do it once with das cloud or das repl --apply",
};

static bool mode_allows(const struct das_guard *g, const struct way_out *out, char *why,
                        size_t size)
{
    const struct das_policy_rules *r = g->rules;
    const char *mode = mode_names[r->mode];

    if (r->mode == DAS_POLICY_AUTO)
        return true;
    if (g->by_person && (r->mode == DAS_POLICY_APPROVE || !r->mode_is_set))
        return true;
    if (r->mode == DAS_POLICY_APPROVE)
        snprintf(why, size, "mode %s: %s needs a person's yes: %s", mode, g->policy, out->approve);
    else if (r->mode_is_set)
        snprintf(why, size, "mode %s: %s may look, not kill: its mode in das.lua says so", mode,
                 g->policy);
    else
        snprintf(why, size, "mode %s: %s has not been promoted yet: mode = \"auto\" for it in das.lua "
                 "arms it, and %s", mode, g->policy, out->promote);
    return false;
}

static bool in_window(const struct das_policy_rules *r, int64_t unix_s)
{
    for (size_t i = 0; i < r->window_count; i++) {
        if (das_hours_contain(&r->windows[i], unix_s))
            return true;
    }
    return r->window_count == 0;
}

static bool allows(const struct das_guard *g, const struct way_out *out, int64_t unix_s, char *why,
                   size_t size)
{
    const struct das_policy_rules *r = g->rules;

    if (!mode_allows(g, out, why, size))
        return false;
    for (size_t i = 0; i < r->freeze_count; i++) {
        const struct das_span *f = &r->freezes[i];
        char until[32];
        if (unix_s < f->from || unix_s >= f->to)
            continue;
        das_clock_iso(f->to, until, sizeof until);
        snprintf(why, size, "frozen until %s%s%s", until, f->name ? ": " : "",
                 f->name ? f->name : "");
        return false;
    }
    if (in_window(r, unix_s))
        return true;
    snprintf(why, size, "outside of the windows in which %s may kill", g->policy);
    return false;
}

bool das_guard_allows(const struct das_guard *g, int64_t unix_s, char *why, size_t size)
{
    return allows(g, &of_plans, unix_s, why, size);
}

bool das_guard_allows_act(const struct das_guard *g, int64_t unix_s, char *why, size_t size)
{
    return allows(g, &of_acts, unix_s, why, size);
}

/* --- words --------------------------------------------------------------------------------------- */

const char *das_guard_word(const char *why)
{
    static const struct {
        const char *begin, *word;
    } guards[] = {{"stopped", "off_switch"}, {"mode ", "mode"},          {"frozen", "freeze"},
                  {"outside of the windows", "window"}, {"limits.", "limit"}, {"the breaker", "breaker"},
                  {"surge", "breaker"},      {"the journal", "journal"}};
    static const char not_tried[] = "not tried: ";

    if (strncmp(why, not_tried, sizeof not_tried - 1) == 0)
        why += sizeof not_tried - 1;
    for (size_t i = 0; i < sizeof guards / sizeof *guards; i++) {
        if (strncmp(why, guards[i].begin, strlen(guards[i].begin)) == 0)
            return guards[i].word;
    }
    return "guard";
}
