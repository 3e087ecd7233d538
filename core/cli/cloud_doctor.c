/*
 * cloud_doctor.c - das cloud doctor: what is wrong between here and the cloud (see cloud_cli.h). One
 * line a check, and what to do about it. Only reads; what cannot be judged after something that
 * failed is said not to have been checked.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/cli/cloud_cli.h"
#include "core/source/das_cloud.h"

#define CHECK_MS 10000       /* one check waits no longer for the world */
#define ENDPOINT_MS 5000     /* nor does the first one, which is made again when nobody answers */
#define SKEW_WRONG_S 900     /* the gateway refuses requests that are dated further off */
#define SKEW_WARNING_S 60
#define EXPIRY_WARNING_S 300 /* keys that somebody should have renewed by now */
#define TASKS_MAX 5          /* that run at once */

enum verdict { V_OK, V_WARNING, V_WRONG, V_UNCHECKED };
static const char *const verdict_names[] = {"ok", "warning", "wrong", "not checked"};

struct doctor {
    struct das_cloud_job *job;
    struct das_buf out;
    size_t wrong, warnings;
    int64_t deadline_ms; /* monotonic: of the check that goes on */
    const char *unusable; /* why nothing further can be asked; NULL: it can */
    int answers, too_many;
    bool judged;          /* said whether the credentials are accepted */
    int64_t now_ms;       /* by the server's clock, where it told; else by ours */
    int64_t running;      /* tasks */
    enum das_cloud_switch switched;
};

/* --- saying it ----------------------------------------------------------------------------------- */

static void say(struct doctor *d, enum verdict v, const char *check, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void say(struct doctor *d, enum verdict v, const char *check, const char *fmt, ...)
{
    char text[1400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    d->wrong += v == V_WRONG;
    d->warnings += v == V_WARNING;
    if (d->job->format == DAS_CF_JSON) {
        das_json_comma(&d->out);
        das_buf_char(&d->out, '{');
        das_json_key_text(&d->out, "check", das_text_of(check));
        das_json_key_text(&d->out, "verdict", das_text_of(verdict_names[v]));
        das_json_key_text(&d->out, "text", das_text_of(text));
        das_buf_char(&d->out, '}');
        return;
    }
    das_buf_printf(&d->out, "%-11s  %-14s  ", verdict_names[v], check);
    das_render_cell(das_text_of(text), sizeof text, &d->out);
    das_buf_char(&d->out, '\n');
}

/* Everything that is left says why it was not checked. */
static bool usable(struct doctor *d, const char *check)
{
    if (d->unusable)
        say(d, V_UNCHECKED, check, "%s", d->unusable);
    return !d->unusable;
}

/* --- asking -------------------------------------------------------------------------------------- */

static int64_t left_ms(void *arg)
{
    const struct doctor *d = arg;
    int64_t left = d->deadline_ms - das_clock_monotonic_ms();

    return atomic_load(d->job->interrupt) || left < 0 ? 0 : left;
}

static struct das_patience patience(struct doctor *d, int64_t ms)
{
    d->deadline_ms = das_clock_monotonic_ms() + ms;
    return (struct das_patience){left_ms, d};
}

static void note_call(struct doctor *d, const struct das_cloud_call *call)
{
    d->answers += call->status != 0;
    d->too_many += call->status == 429 || strcmp(call->error_code, "DAS.200002") == 0;
}

/* --- the way there ------------------------------------------------------------------------------- */

static bool is_tls(const char *origin)
{
    return strncmp(origin, "https://", 8) == 0;
}

static bool is_this_machine(const char *origin)
{
    static const char *const hosts[] = {"http://127.", "http://localhost", "http://[::1]"};

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        if (strncmp(origin, hosts[i], strlen(hosts[i])) == 0)
            return true;
    }
    return false;
}

/* No answer at all: is it the way, or whom it leads to? */
static void say_no_answer(struct doctor *d, const char *origin, const struct das_err *err)
{
    bool trust = strstr(err->msg, "certificate") != NULL;

    say(d, trust ? V_OK : V_WRONG, "endpoint", trust ? "%s can be reached" : "%s: %s; check the region, "
        "the endpoint, and whether a firewall lets this machine out", origin, err->msg);
    if (trust)
        say(d, V_WRONG, "TLS", "%s; name its authority in `ca` of this cloud, or find out who answers "
            "in its place", err->msg);
    else
        say(d, V_UNCHECKED, "TLS", "the endpoint does not answer");
    d->unusable = trust ? "the endpoint is not trusted" : "the endpoint does not answer";
}

static void say_clock(struct doctor *d, int64_t server_s)
{
    int64_t skew = das_clock_unix_ms() / 1000 - server_s, off = skew < 0 ? -skew : skew;
    const char *way = skew < 0 ? "behind" : "ahead of";

    if (!server_s) {
        say(d, V_WARNING, "clock", "the server does not tell its time: whether this machine's clock is "
            "right is not known");
        return;
    }
    d->now_ms = server_s * 1000;
    if (off > SKEW_WRONG_S)
        say(d, V_WRONG, "clock", "this machine's clock is %lld s %s the server's: set it, requests that "
            "are dated more than 15 minutes off are refused", (long long)off, way);
    else if (off > SKEW_WARNING_S)
        say(d, V_WARNING, "clock", "this machine's clock is %lld s %s the server's: set it before it is "
            "15 minutes off", (long long)off, way);
    else
        say(d, V_OK, "clock", "within %d s of the server's", SKEW_WARNING_S);
}

static void check_endpoint(struct doctor *d)
{
    struct das_cloud_call call = {.patience = patience(d, ENDPOINT_MS)};
    struct das_cloud_answer versions = {0};
    struct das_endpoint at;
    struct das_err err = {0};
    int rc = das_cloud_endpoint(d->job->cloud, &d->job->place, &at, &err);

    if (rc < 0) {
        say(d, V_WRONG, "endpoint", "%s", err.msg);
        d->unusable = "there is no endpoint";
        usable(d, "TLS");
        goto done;
    }
    rc = das_cloud_versions(d->job->cloud, &d->job->place, &call, &versions, &err);
    note_call(d, &call);
    if (call.status == 0) {
        say_no_answer(d, at.origin, &err);
        goto done;
    }
    if (rc == 0)
        say(d, V_OK, "endpoint", "%s answers", at.origin);
    else
        say(d, V_WARNING, "endpoint", "%s answers, but not as the DAS API does (%s): is it the right "
            "one?", at.origin, err.msg);
    if (is_tls(at.origin))
        say(d, V_OK, "TLS", "its certificate and name are trusted");
    else if (is_this_machine(at.origin))
        say(d, V_OK, "TLS", "none, and it does not leave this machine");
    else
        say(d, V_WARNING, "TLS", "plain http: whoever is on the way reads what is sent");
    say_clock(d, call.date);
done:
    if (d->unusable)
        usable(d, "clock");
    das_cloud_answer_clear(&versions);
}

/* --- who we are ---------------------------------------------------------------------------------- */

static void say_key(struct doctor *d, const struct das_cloud_key *key)
{
    struct das_buf who = {0};
    char when[40];
    int64_t left = key->expires - das_clock_unix_ms() / 1000;

    das_credential_describe(das_cloud_credential(d->job->cloud), &who);
    if (!key->expires) {
        say(d, V_OK, "credentials", "%s", who.ptr ? who.ptr : "");
    } else {
        das_clock_iso(key->expires, when, sizeof when);
        say(d, left < EXPIRY_WARNING_S ? V_WARNING : V_OK, "credentials", "%s, good until %s%s",
            who.ptr ? who.ptr : "", when,
            left < EXPIRY_WARNING_S ? ": renew what they are read from" : "");
    }
    das_buf_clear(&who);
}

static void check_credentials(struct doctor *d)
{
    const struct das_cloud_place *place = &d->job->place;
    struct das_patience wait = patience(d, CHECK_MS);
    struct das_cloud_key *key = NULL;
    struct das_err err = {0};

    if (!usable(d, "credentials"))
        return;
    if (das_credential_get(das_cloud_credential(d->job->cloud), place->region,
                           place->project && *place->project ? place->project : NULL, &wait, &key,
                           &err) < 0) {
        say(d, V_WRONG, "credentials", "%s", err.msg);
        d->unusable = "there are no credentials";
        return;
    }
    say_key(d, key);
    das_cloud_key_release(key);
}

static void check_project(struct doctor *d)
{
    const struct das_cloud_place *place = &d->job->place;
    struct das_patience wait = patience(d, CHECK_MS);
    char id[DAS_PROJECT_SIZE];
    struct das_err err = {0};

    if (!usable(d, "project"))
        return;
    if (place->project && *place->project) {
        say(d, V_OK, "project", "%s, as given", place->project);
    } else if (das_credential_project(das_cloud_credential(d->job->cloud), place->region, &wait, id,
                                      &err) == 0) {
        say(d, V_OK, "project", "%s, which has the name %s", id, place->region);
    } else {
        say(d, V_WRONG, "project", "%s", err.msg);
        d->unusable = "there is no project";
    }
}

/* --- what we may do ------------------------------------------------------------------------------ */

static int ask_preview(struct doctor *d, struct das_cloud_call *call, struct das_err *err)
{
    const struct das_cloud_criteria everybody = {0};
    struct das_cloud_preview p = {0};
    int rc = das_cloud_preview(d->job->cloud, &d->job->place, &everybody, call, &p, err);

    das_cloud_preview_clear(&p);
    return rc;
}

static int ask_history(struct doctor *d, struct das_cloud_call *call, struct das_err *err)
{
    int64_t now = d->now_ms ? d->now_ms : das_clock_unix_ms();
    const struct das_cloud_span span = {NULL, now - 60000, now};
    struct das_cloud_answer a = {0};
    int rc = das_cloud_history(d->job->cloud, &d->job->place, &span, 1, call, &a, err);

    das_cloud_answer_clear(&a);
    return rc;
}

static int ask_users(struct doctor *d, struct das_cloud_call *call, struct das_err *err)
{
    struct das_cloud_answer a = {0};
    int rc = das_cloud_db_users(d->job->cloud, &d->job->place, 0, 1, call, &a, err);

    das_cloud_answer_clear(&a);
    return rc;
}

static int ask_instances(struct doctor *d, struct das_cloud_call *call, struct das_err *err)
{
    struct das_cloud_answer a = {0};
    int rc = das_cloud_instances(d->job->cloud, &d->job->place, "MySQL", 0, 1, call, &a, err);

    das_cloud_answer_clear(&a);
    return rc;
}

/* Of whose end nothing is told, or which lies ahead. */
static int64_t count_running(const struct das_cloud_answer *tasks, int64_t now_ms)
{
    int64_t n = 0;

    for (size_t i = 0; i < tasks->list.count; i++) {
        const struct das_cloud_task *t = das_cloud_item(&tasks->list, i);
        n += t->end_time <= 0 || t->end_time > now_ms; /* not told is below 0 */
    }
    return n;
}

static int ask_tasks(struct doctor *d, struct das_cloud_call *call, struct das_err *err)
{
    struct das_cloud_answer a = {0};
    int rc = das_cloud_tasks(d->job->cloud, &d->job->place, call, &a, err);

    /* the server's clock, which tells whole seconds */
    d->running = count_running(&a, call->date ? call->date * 1000 + 999 : das_clock_unix_ms());
    das_cloud_answer_clear(&a);
    return rc;
}

static void tell_tasks(struct doctor *d)
{
    say(d, d->running < TASKS_MAX ? V_OK : V_WARNING, "running tasks", "%lld of %d%s",
        (long long)d->running, TASKS_MAX,
        d->running < TASKS_MAX ? "" : ": no other one can be created before one ends");
}

static int ask_switch(struct doctor *d, struct das_cloud_call *call, struct das_err *err)
{
    return das_cloud_switch_get(d->job->cloud, &d->job->place, call, &d->switched, err);
}

static void tell_switch(struct doctor *d)
{
    if (d->switched == DAS_CLOUD_ON)
        say(d, V_OK, "switch", "on: kill tasks run");
    else
        say(d, V_WARNING, "switch", "%s: kill tasks do not run, nor can all sessions be killed; das "
            "cloud switch on -i %s --apply", das_cloud_switch_name(d->switched), d->job->name);
}

/* One read of each kind, and what it tells besides that it is allowed. */
static const struct {
    const char *what, *action;
    int (*ask)(struct doctor *d, struct das_cloud_call *call, struct das_err *err);
    const char *only_for; /* without it something is missing, but not what das is for */
    const char *told;     /* the check that tell says */
    void (*tell)(struct doctor *d);
} reads[] = {
    {"preview", "das:clouddba:listProcess", ask_preview, NULL, NULL, NULL},
    {"tasks", "das:clouddba:listKillTaskRecord", ask_tasks, NULL, "running tasks", tell_tasks},
    {"history", "das:clouddba:listProcess", ask_history, NULL, NULL, NULL},
    {"switch", "das:clouddba:showKillTaskSwitch", ask_switch, NULL, "switch", tell_switch},
    {"users", "das:clouddba:listDbUser", ask_users, "kills through a registered user", NULL, NULL},
    {"instances", "das:clouddba:listInstances", ask_instances, "das cloud instances", NULL, NULL},
};
#define READS (sizeof reads / sizeof reads[0])

/* Of no use to go on, and with wrong keys harmful: five of them lock the access key. */
static const char *hopeless(const struct das_cloud_call *call, const struct das_err *err)
{
    if (err->code == DAS_E_AUTH)
        return "the credentials are not accepted";
    if (strcmp(call->error_code, "DAS.200113") == 0)
        return "the project is not known";
    if (strcmp(call->error_code, "DAS.200114") == 0)
        return "the instance is not known";
    return NULL;
}

static void check_read(struct doctor *d, size_t i)
{
    bool by_user = reads[i].ask == ask_users && das_source_cloud_db_user(d->job->source);
    const char *only_for = by_user ? NULL : reads[i].only_for;
    struct das_cloud_call call = {.status = 0};
    struct das_err err = {0};
    char check[40];
    int rc;

    snprintf(check, sizeof check, "may: %s", reads[i].what);
    if (!usable(d, check)) {
        if (reads[i].tell)
            usable(d, reads[i].told);
        return;
    }
    call.patience = patience(d, CHECK_MS);
    rc = reads[i].ask(d, &call, &err);
    note_call(d, &call);
    if (rc < 0 && err.code == DAS_E_AUTH) {
        say(d, V_WRONG, "accepted", "%s", err.msg);
        d->judged = true;
        d->unusable = hopeless(&call, &err);
        usable(d, check);
        return; /* of the others, each says so */
    }
    if (!d->judged && call.status) {
        say(d, V_OK, "accepted", "the gateway knows who we are");
        d->judged = true;
    }
    if (rc == 0)
        say(d, V_OK, check, "%s", reads[i].action);
    else if (err.code == DAS_E_DENIED && only_for)
        say(d, V_WARNING, check, "%s; needed for %s only", err.msg, only_for);
    else
        say(d, V_WRONG, check, "%s", err.msg);
    if (rc < 0)
        d->unusable = hopeless(&call, &err);
    if (rc == 0 && reads[i].tell)
        reads[i].tell(d);
    else if (reads[i].tell)
        say(d, V_UNCHECKED, reads[i].told, "it cannot be read");
}

static void check_rate(struct doctor *d)
{
    if (!d->answers)
        say(d, V_UNCHECKED, "rate", "nobody answered");
    else if (d->too_many)
        say(d, V_WARNING, "rate", "%d of %d answers said that it was asked too often: lower `rate` of "
            "this cloud, or find out who else uses its quota", d->too_many, d->answers);
    else
        say(d, V_OK, "rate", "no answer said that it was asked too often");
}

int das_cloud_verb_doctor(struct das_cloud_job *j)
{
    struct doctor d = {.job = j};
    bool json = j->format == DAS_CF_JSON;
    struct das_err err;
    int rc;

    if (json) {
        das_buf_char(&d.out, '{');
        das_json_key_text(&d.out, "instance", das_text_of(j->name));
        das_json_key(&d.out, "checks");
        das_buf_char(&d.out, '[');
    }
    check_endpoint(&d);
    check_credentials(&d);
    check_project(&d);
    for (size_t i = 0; i < READS; i++)
        check_read(&d, i);
    if (!d.judged)
        say(&d, V_UNCHECKED, "accepted", "no answer tells");
    check_rate(&d);
    if (json) {
        das_buf_char(&d.out, ']');
        das_json_key_int(&d.out, "wrong", (int64_t)d.wrong);
        das_json_key_int(&d.out, "warnings", (int64_t)d.warnings);
        das_buf_str(&d.out, "}\n");
    }
    rc = das_cloud_write(&d.out, &err);
    das_buf_clear(&d.out);
    if (rc < 0)
        return das_complain("cloud", &err);
    return d.wrong ? DAS_EXIT_FAILED : DAS_EXIT_DONE;
}
