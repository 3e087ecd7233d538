/*
 * schedule_run.c - one run of a policy on an instance (see schedule.h), and what the log says of
 * it.
 *
 * What goes wrong is told when it begins, when it changes and when it is over, not each time. What
 * the script prints is told where sessions were ended, or something is new.
 */
#include "core/serve/schedule_impl.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

#define PRINTED_MAX ((size_t)8 << 10) /* bytes of a run's output that get into the log */

/* What a run needs until it is over, and one that was given up for longer than that. */
struct das_turn_run {
    struct das_turn *turn;
    struct das_buf printed;
    FILE *out;
    char user[100];
};

/* --- log -------------------------------------------------------------------------------------- */

static void put(const struct das_turn *turn, enum das_log_level level, struct das_text message)
{
    const struct das_log_field fields[] = {
        {das_text_of("policy"), das_text_of(turn->entry->name), false},
        {das_text_of("instance"), das_text_of(turn->instance), false}};
    const struct das_log_event e = {.level = level,
                                    .who = "serve",
                                    .own = true,
                                    .message = message,
                                    .fields = fields,
                                    .count = 2};
    FILE *log = turn->schedule->opts.log;
    struct das_buf b = {0};

    if (!log || !das_log_wants(level))
        return;
    das_log_line(&e, &b);
    if (b.len && !b.failed)
        fwrite(b.ptr, 1, b.len, log);
    das_buf_clear(&b);
}

void das_turn_say(const struct das_turn *turn, enum das_log_level level, const char *fmt, ...)
{
    char text[1200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    put(turn, level, das_text_of(text));
}

static void say_printed(const struct das_turn *turn, const struct das_buf *b)
{
    struct das_text rest = das_buf_view(b);

    while (rest.len) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t n = end ? (size_t)(end - rest.ptr) : rest.len;
        if (n)
            put(turn, DAS_LOG_INFO, das_text(rest.ptr, n));
        n += end != NULL;
        rest = das_text(rest.ptr + n, rest.len - n);
    }
}

/* --- a run ------------------------------------------------------------------------------------ */

static ssize_t keep(void *cookie, const char *p, size_t n)
{
    struct das_buf *b = cookie;
    size_t room = PRINTED_MAX - b->len;

    das_buf_add(b, p, n < room ? n : room);
    return (ssize_t)n; /* what is too much is dropped, and the script's limit is another one */
}

static void run_free(struct das_turn_run *r)
{
    if (!r)
        return;
    if (r->out)
        fclose(r->out);
    das_buf_clear(&r->printed);
    das_free(r);
}

static struct das_turn_run *run_new(struct das_turn *turn, struct das_err *err)
{
    const cookie_io_functions_t io = {.write = keep};
    struct das_turn_run *r = das_calloc(1, sizeof *r);

    if (r)
        r->out = fopencookie(&r->printed, "w", io);
    if (!r || !r->out) {
        run_free(r);
        das_fail_nomem(err);
        return NULL;
    }
    r->turn = turn;
    snprintf(r->user, sizeof r->user, "das serve, policy %s", turn->entry->name);
    return r;
}

/* On the thread of a run that was given up: nothing uses its turn any more. */
static void came_back(void *arg)
{
    struct das_turn_run *r = arg;
    struct das_turn *turn = r->turn;
    struct das_schedule *s = turn->schedule;

    pthread_mutex_lock(&s->lock);
    if (turn->given_up) {
        turn->given_up = false;
        s->away--;
        das_timetable_back(s->table, turn->slot, das_clock_unix_ms());
        s->changes++;
        pthread_cond_signal(&s->watch);
        pthread_cond_broadcast(&s->back);
    } else {
        turn->back = true;
    }
    pthread_mutex_unlock(&s->lock);
    run_free(r);
}

static int start(struct das_turn_run *r, struct das_engine_result *result, struct das_err *err)
{
    const struct das_schedule_entry *e = r->turn->entry;
    const struct das_schedule *s = r->turn->schedule;
    const struct das_rules *rules = s->opts.rules;
    const struct das_engine_opts opts = {
        .path = e->script,
        .args = (const char *const *)e->args,
        .arg_count = e->arg_count,
        .inventory = r->turn->inventory,
        .protect = s->opts.protect,
        .armed = e->rules.mode != DAS_POLICY_OBSERVE, /* one that only looks writes no journal */
        .limits = &e->limits,
        .grants = e->grants,
        .secrets = s->opts.secrets,
        .channels = rules ? &rules->channels : NULL,
        .people = rules ? &rules->people : NULL,
        .url = rules ? rules->serve.url : NULL,
        .policy = &e->rules,
        .stop_files = s->opts.stop_files,
        .state_dir = s->opts.state_dir,
        .user = r->user,
        .cancel = &s->cancel,
        .engine = s->engine,
        .came_back = came_back,
        .came_back_arg = r,
        .out = r->out,
        .log = s->opts.log,
    };

    return das_engine_run(&opts, result, err);
}

/* --- what came of it -------------------------------------------------------------------------- */

/* "": nothing that somebody should look at. */
static void find_trouble(const struct das_engine_result *r, int rc, const struct das_err *err,
                         char *out, size_t size)
{
    if (rc < 0)
        snprintf(out, size, "%.*s", (int)size - 1, err->msg);
    else if (r->apply_failed)
        snprintf(out, size, "a plan could not be verified, and nothing of it was done");
    else
        out[0] = '\0';
}

static void say_kills(const struct das_turn *turn, const struct das_engine_result *r)
{
    size_t killed = r->totals[DAS_O_KILLED] + r->totals[DAS_O_KILLING];
    size_t failed = r->totals[DAS_O_FAILED], unknown = r->totals[DAS_O_UNKNOWN];

    if (unknown)
        das_turn_say(turn, DAS_LOG_WARN, "%zu killed, %zu failed, of %zu the outcome is not known",
                     killed, failed, unknown);
    else if (failed)
        das_turn_say(turn, DAS_LOG_WARN, "%zu killed, %zu failed", killed, failed);
    else if (killed)
        das_turn_say(turn, DAS_LOG_INFO, "%zu killed", killed);
}

/* run NULL: what it printed is not there, or not ours. */
static void say_result(struct das_turn *turn, const struct das_turn_run *run,
                       const struct das_engine_result *r, const char *trouble)
{
    const char *wrong = *trouble ? trouble : r->refused;
    size_t would = r->totals[DAS_O_DRY_RUN],
           sent = r->totals[DAS_O_KILLED] + r->totals[DAS_O_KILLING] + r->totals[DAS_O_FAILED] +
                  r->totals[DAS_O_UNKNOWN];
    bool news = strncmp(turn->told, wrong, sizeof turn->told - 1) != 0;

    if (run && (sent || news || (would && would != turn->told_would)))
        say_printed(turn, &run->printed);
    turn->told_would = would;
    say_kills(turn, r);
    if (!news)
        return;
    snprintf(turn->told, sizeof turn->told, "%.*s", (int)sizeof turn->told - 1, wrong);
    if (*wrong)
        das_turn_say(turn, DAS_LOG_WARN, "%s", wrong);
    else
        das_turn_say(turn, DAS_LOG_INFO, "it works again");
}

/* With the lock. */
static void write_down(struct das_turn *turn, const struct das_engine_result *r,
                       const char *trouble)
{
    struct das_schedule *s = turn->schedule;
    bool away = r->end == DAS_END_STUCK && !turn->back;

    turn->back = false;
    turn->given_up = away;
    s->away += away;
    das_timetable_done(s->table, turn->slot, das_clock_unix_ms(), !*trouble, away);
    if (das_timetable_next(s->table) < s->wake_ms)
        pthread_cond_signal(&s->watch);
    s->changes++;
    turn->result = das_end_name(r->end);
    snprintf(turn->error, sizeof turn->error, "%s", trouble);
    turn->took_ms = r->used.wall_ms;
    turn->killed += (int64_t)(r->totals[DAS_O_KILLED] + r->totals[DAS_O_KILLING]);
    turn->refused += (int64_t)r->totals[DAS_O_REFUSED];
    turn->would += (int64_t)r->totals[DAS_O_DRY_RUN];
}

static void tell(struct das_turn *turn, const struct das_engine_result *r, bool good,
                 int64_t late_ms)
{
    const struct das_schedule_opts *o = &turn->schedule->opts;
    const struct das_schedule_told t = {.policy = turn->entry->name,
                                        .instance = turn->instance,
                                        .result = das_end_name(r->end),
                                        .good = good,
                                        .late_ms = late_ms,
                                        .took_ms = r->used.wall_ms,
                                        .run = r};

    if (o->told)
        o->told(o->arg, &t);
}

void das_turn_go(struct das_turn *turn)
{
    struct das_schedule *s = turn->schedule;
    struct das_engine_result result = {.end = DAS_END_ERROR};
    struct das_turn_run *run;
    char trouble[sizeof turn->error];
    int64_t late_ms;
    struct das_err err;
    int rc = -1;
    bool away;

    run = run_new(turn, &err);
    pthread_mutex_lock(&s->lock);
    late_ms = das_timetable_slot(s->table, turn->slot)->late_ms;
    pthread_mutex_unlock(&s->lock);
    if (run)
        rc = start(run, &result, &err);
    away = result.end == DAS_END_STUCK;
    if (!away && run)
        fflush(run->out);
    find_trouble(&result, rc, &err, trouble, sizeof trouble);
    if (*trouble && result.end == DAS_END_DONE) /* the script, but not what it asked for */
        result.end = DAS_END_ERROR;
    if (result.end != DAS_END_CANCELLED)
        say_result(turn, away ? NULL : run, &result, trouble);
    tell(turn, &result, !*trouble, late_ms);
    pthread_mutex_lock(&s->lock);
    write_down(turn, &result, trouble);
    pthread_mutex_unlock(&s->lock);
    das_engine_result_clear(&result);
    if (!away)
        run_free(run);
}
