/*
 * bind.h - what the files of this folder share: boxes, arguments, errors. Never leaves bindings/.
 *
 * A box is a userdata that owns one C object. It is made empty first and filled afterwards, so that
 * a Lua error between the two leaks nothing. A binding reads: check all, box, act, push.
 */
#ifndef DAS_BINDINGS_BIND_H
#define DAS_BINDINGS_BIND_H

#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>

#include "bindings/engine.h"
#include "core/base/patience.h"
#include "core/base/secret.h"
#include "core/http/client.h"
#include "core/store/runbook.h"

#define DAS_FILTER "das.filter"
#define DAS_SELECTION "das.selection"
#define DAS_PROCESSES "das.processes"
#define DAS_SESSION "das.session"
#define DAS_PLAN "das.plan"
#define DAS_REPORT "das.report"
#define DAS_APPROVAL "das.approval"
#define DAS_INSTANCE "das.instance"
#define DAS_ACCOUNT "das.account"
#define DAS_EXPLANATION "das.explanation"
#define DAS_WINDOW "das.window"
#define DAS_REGEX "das.regex"

/* Why a run has to end; the first one counts. */
enum das_stop {
    DAS_STOP_NOT,
    DAS_STOP_CANCEL,
    DAS_STOP_CPU,
    DAS_STOP_WALL,
    DAS_STOP_INSTRUCTIONS,
    DAS_STOP_OUTPUT,
    DAS_STOP_HTTP_REQUESTS,
    DAS_STOP_HTTP_BYTES,
    DAS_STOP_PARK, /* a runbook: it goes on later, or das_run.book.halt says why not */
};

/* One run. The thread that runs the script and the one that waits for it share it; every
 * coroutine's extra space points to it. */
struct das_run {
    const struct das_engine_opts *opts;
    struct das_limits limits;
    int64_t start_ms;          /* das_clock_monotonic_ms() */
    atomic_int_least64_t wall_from_ms; /* the same; in a runbook its last step or wait began or ended */
    struct das_patience patience; /* das_run_left_ms(), for what waits in C */
    atomic_int stop;           /* enum das_stop */
    atomic_int outside;        /* not 0: an instance is waited for */
    /* While another run's thread calls into this state (test_run.c): the processor time that is that
     * thread's limit; else 0. Of the thread that runs Lua here; the other one may read it. */
    atomic_int_least64_t lent_cpu_ms;

    /* counted by the script's thread, looked at by the other */
    struct {
        atomic_uint_least64_t memory; /* bytes, at the highest */
        atomic_uint_least64_t instructions, output, http_requests, http_bytes;
        atomic_int_least64_t cpu_ms;
    } used;

    /* of the script's thread alone */
    struct das_protect protect; /* of the configuration and what the script added */
    struct das_buf warned;      /* warnings that were written to the log, one a line */
    struct das_vault vault;     /* secrets that it has read */
    struct das_http_client *http; /* NULL until the first request */
    struct das_text script;     /* its text; NULL: none (das repl) */
    struct das_guard guard;     /* the store is NULL until the first armed apply */
    struct das_store *outbox;   /* of a run that has no other; NULL until its first message */
    size_t notified;            /* messages */
    struct das_asked asked;     /* filled when the first plan is made */
    char script_sha256[DAS_SHA256_HEX];
    char *policy;               /* the script's absolute path, "stdin", "repl" */
    uint64_t memory;            /* bytes held by the state */
    size_t memory_asked;        /* refused once; 0: nothing */
    uint64_t resumes;           /* of coroutines */
    uint64_t untold;            /* bytes of boxes that the collector was not told of yet */
    struct {
        bool declared;          /* das.runbook{} was called: the script is a runbook */
        bool in_step;
        struct das_runbook_step step; /* that it is in */
        int64_t step_until_ms;  /* das_clock_monotonic_ms(); 0: no timeout of its own */
        int64_t step_timeout_ms;
        int64_t until_ms;       /* Unix ms: the run's timeout */
        int64_t sleeps;         /* long ones so far */
        struct das_err halt;    /* why it cannot go on; code 0: it goes on later */
    } book;
    bool memory_refused;
    bool closing;               /* the state is being closed: nothing is limited any more */

    /* under the lock: the other thread reads them when the script is stuck */
    pthread_mutex_t lock;
    struct das_engine_result result;
    size_t act_room;
};

static inline struct das_run *das_run_of(lua_State *L)
{
    return *(struct das_run **)lua_getextraspace(L);
}

/* A test, a replay or das explain: nothing that the run asks for leaves the process. */
static inline bool das_in_process(const struct das_run *run)
{
    return run->opts->web && run->opts->web->answer;
}

/* --- what the run may do, still ----------------------------------------------------------------- */

/* Raises "not granted: ..." unless the configuration granted it. */
void das_need(lua_State *L, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool das_may(lua_State *L, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Counts towards a limit of das_run.result.used, from the script's thread. */
void das_run_count_output(lua_State *L, size_t bytes); /* raises over the limit */
/* False over the limit: then the run has to end, and das_run_check() says why. */
bool das_run_count_http(struct das_run *run, uint64_t requests, uint64_t bytes);
/* Applies a plan under the run's rules and remembers what was killed before Lua hears of it. */
int das_run_apply(struct das_run *run, struct das_plan *plan, struct das_source *source,
                  struct das_report **out, struct das_err *err);
/* For a plan of the run that somebody's yes applies, in this process: before, the watch of its kills,
 * and afterwards, what it did. */
void das_run_lend(struct das_run *run, const struct das_plan *plan, struct das_apply_watch *watch);
void das_run_took(struct das_run *run, const struct das_report *report);
/* The same for an order to the cloud that goes by no plan; whether it is armed, and how long it may
 * wait, is the run's. */
struct das_act_order;
struct das_act_result;
struct das_cloud_call;
int das_run_act(struct das_run *run, struct das_act_order *order, struct das_cloud_call *call,
                struct das_act_result *out, struct das_err *err);
/* step.c: before anything that changes the world outside. In a runbook it raises outside of a step
 * ("WHAT: ..."), and a step may have acted from then on, which is on the disk on return. armed: it
 * will be done; else it only would be. detail is for people, without secrets; may be NULL. */
void das_run_acts(lua_State *L, const char *what, bool armed, const char *detail);
/* What became of it, for the run's record: note is JSON or text. */
void das_run_noted(struct das_run *run, const char *kind, struct das_text note);
/* The same of a report: who was killed and what became of it, by the shape of the statements. */
void das_run_note_report(struct das_run *run, const struct das_report *report);
/* The run ends here and cannot be caught: it goes on later (err NULL), or not, and why. */
int das_run_park(lua_State *L, const struct das_err *err) __attribute__((noreturn));
/* A sleep of a runbook that survives the end of the process: true when it is over already. */
bool das_run_slept(lua_State *L, double seconds);
/* require.c: a module of a runbook is the one it began with. */
void das_run_check_module(lua_State *L, const char *path);
int64_t das_run_step_left_ms(const struct das_run *run); /* INT64_MAX: there is no such timeout */
/* To opts->watch, if there is one. */
void das_run_tell_previewed(struct das_run *run, const char *instance,
                            const struct das_selection *sel);
void das_run_tell_planned(struct das_run *run, const struct das_plan *plan);
/* Who asks, and what the maker of a plan is held to. */
const struct das_asked *das_run_asked(struct das_run *run);
const struct das_kill_limits *das_run_kill_limits(const struct das_run *run);
/* run_kill.c: init and clear of what a run kills with. */
void das_run_kill_init(struct das_run *run);
void das_run_kill_clear(struct das_run *run);
/* Where messages and requests wait: the run's own handle where it has one, for kills. NULL with
 * err. */
struct das_store *das_run_outbox(struct das_run *run, struct das_err *err);
/* For bindings that wait (sleep, HTTP): how long they may still do so, 0 when the run is over. */
int64_t das_run_left_ms(const struct das_run *run);
int64_t das_run_wall_left_ms(const struct das_run *run); /* of that limit alone; may be negative */
/* Raises when the run is over: out of time, or cancelled. Call it after having waited. */
void das_run_check(lua_State *L);
/* For each resume of a coroutine: counts some instructions, and raises over the limits. */
void das_run_count_resume(lua_State *L);
bool das_run_stopped(lua_State *L); /* a limit struck already, or the run was cancelled */

/* --- boxes ---------------------------------------------------------------------------------- */

/* A box is some 60 bytes of Lua, its object in C can be many times that. So what an object holds by
 * itself is charged to its box and counts as the run's memory. What it shares with the object of
 * another box - a selection its filter, a report its plan - is charged there, and the box keeps the
 * other one alive by a user value: shared memory counts once, and as long as it is there. The rows
 * of a snapshot are not charged: the source decides how many those are. */
struct das_box {
    void *object;              /* NULL while empty */
    struct das_source *source; /* of selections and plans; belongs to the run's inventory */
    size_t bytes;              /* charged */
};

struct das_session_box {
    struct das_snapshot *snap;
    uint32_t row;
};

struct das_box *das_box_push(lua_State *L, const char *type); /* [-0, +1]; 2 user values */
/* Charges bytes more to the run; raises over its limit. The box has its object already, so that an
 * error leaks nothing. */
void das_box_charge(lua_State *L, struct das_box *box, size_t bytes);
/* The box on top keeps the one at arg alive, as its user value n. */
void das_box_hold(lua_State *L, int arg, int n);
/* For __gc, where the object has been freed: the box is empty and its charge taken back. */
void das_box_empty(lua_State *L, struct das_box *box);
/* Raises unless the run may hold so many bytes more. */
void das_need_memory(lua_State *L, size_t bytes);
struct das_box *das_box_check(lua_State *L, int arg, const char *type);
struct das_box *das_box_test(lua_State *L, int arg, const char *type); /* NULL: something else */

/* Makes a metatable with __name, and __index = index closed over the methods table, which is left
 * on the stack [-0, +1]. index may be NULL: plain methods. */
void das_class(lua_State *L, const char *type, const luaL_Reg *meta, const luaL_Reg *methods,
               lua_CFunction index);

/* The table on top becomes one that scripts can read and not change; a name that is not in it raises
 * "NAME has no field ...". Whoever filled the table may go on doing so. [-1, +1] */
void das_freeze(lua_State *L, const char *name);

/* One line on the run's log, if it has one; counts as output. */
struct das_log_event;
void das_run_log(lua_State *L, const struct das_log_event *e);
/* The options of das.retry at arg, checked [-0, +4]: function, times, wait in s, backoff. */
int das_retry_options(lua_State *L);

/* --- errors --------------------------------------------------------------------------------- */

/* Raises with the position of the innermost line of the script. */
int das_raise(lua_State *L, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
/* The programmer's mistakes raise; the world's failures return nil, message, code. */
int das_push_failure(lua_State *L, const struct das_err *err);
/* The same where no mistake of the script is left: what a server calls a wrong request is the
 * world's, too. */
int das_push_world_failure(lua_State *L, const struct das_err *err);
/* "selection has no field "foo"; did you mean "bar"?" Names from candidates and the methods table
 * at index methods (0: none). Raises. */
int das_no_field(lua_State *L, const char *what, const char *name, const char *const *candidates,
                 size_t n, int methods);

/* --- arguments -------------------------------------------------------------------------------- */

/* arg is a filter or a table of criteria; afterwards it is a filter box. */
struct das_filter *das_check_filter(lua_State *L, int arg);
/* For an options table at arg (nil or none is fine): raises on a key not in allowed. */
void das_check_options(lua_State *L, int arg, const char *what, const char *const *allowed,
                       size_t n);
/* {days = "mon-fri", from = "22:00", to = "06:00"} at index table: raises on a mistake in it, and
 * leaves the zone (tz) to the caller. */
struct das_hours;
void das_check_hours(lua_State *L, int table, const char *what, struct das_hours *h);
int64_t das_check_count(lua_State *L, int arg, const char *what); /* whole, >= 0 */
/* Seconds >= 0 at arg: a number, or a duration such as "5m". */
double das_check_seconds(lua_State *L, int arg, const char *what);
/* The bytes of arg, a string. Valid while arg stays on the stack. */
const char *das_check_bytes(lua_State *L, int arg, size_t *len);
/* The same, of a string or a secret: only for what does not give the bytes back, as hashing. */
const char *das_check_key(lua_State *L, int arg, size_t *len);
/* NULL: arg is no secret. It lives as long as the run. */
const struct das_secret *das_secret_test(lua_State *L, int arg);

/* A buffer that the state owns, so that an error between filling and pushing leaks nothing
 * [-0, +1]; and its text as a string, raising when memory ran out [-0, +1]. */
struct das_buf *das_scratch(lua_State *L);
void das_push_buf(lua_State *L, const struct das_buf *buf);
void das_push_text(lua_State *L, struct das_text t); /* nil for NULL */
void das_push_number(lua_State *L, int64_t v);       /* nil for unknown and absent */

/* Appends the value on top as JSON [-0, +0], as das.json.encode does; raises "WHAT: KEY: ..." where
 * it has no such form. replace: bytes that are not UTF-8 become U+FFFD instead. */
void das_json_write(lua_State *L, const char *what, struct das_text key, bool replace,
                    struct das_buf *b);

/* --- the types ---------------------------------------------------------------------------------- */

void das_push_session(lua_State *L, struct das_snapshot *snap, uint32_t row);
void das_session_line(const struct das_session *s, struct das_buf *b); /* in a few words */
int das_push_preview(lua_State *L, int filter_arg, int options_arg, struct das_source *source);
/* Functions that one file registers and another has: */
int das_selection_plan(lua_State *L); /* selection:plan, in plan.c */
int das_plan_request_approval(lua_State *L); /* plan:request_approval, in approval.c */
int das_selection_unprotected(lua_State *L); /* in protect.c, as das.protect */
int das_lua_protect(lua_State *L);
int das_lua_preview(lua_State *L);    /* das.preview, .instance, .instances, in instance.c */
int das_lua_instance(lua_State *L);
int das_lua_instances(lua_State *L);
int das_lua_notify(lua_State *L);      /* das.notify, in notify.c */
int das_lua_cloud(lua_State *L);       /* das.cloud, in cloud_account.c */
/* das.status, das.history, das.stop, in standing.c */
int das_lua_status(lua_State *L);
int das_lua_history(lua_State *L);
int das_lua_stop(lua_State *L);
/* The message at arg, as das.notify() and req.reply() have it, in a value that is pushed. Statements
 * are shown as shapes. In notify.c. */
struct das_notice *das_read_reply(lua_State *L, int arg);
/* What a hook's script is called with [-0, +1]. In hook.c. */
void das_push_hook(lua_State *L, const struct das_engine_hook *hook);
int das_lua_secret(lua_State *L);      /* das.secret, in secret.c */
int das_lua_json_decode(lua_State *L); /* das.json.decode, in json.c */
int das_lua_json_encode(lua_State *L); /* das.json.encode */
int das_lua_runbook(lua_State *L);     /* das.runbook, in runbook.c */
/* A das object as print() shows it, in the run's output format. False: not ours. */
bool das_render_value(lua_State *L, int arg, struct das_buf *b);

void das_open_filter(lua_State *L);    /* each leaves its methods table: [-0, +1] */
void das_open_selection(lua_State *L);
void das_open_session(lua_State *L);
void das_open_plan(lua_State *L);
void das_open_instance(lua_State *L);
void das_open_approval(lua_State *L); /* leaves nothing */
void das_open_account(lua_State *L);
void das_open_secret(lua_State *L);
void das_open_root(lua_State *L);      /* the table das itself, still open: [-0, +1] */

/* Each fills one table below das; the table das is on top of the stack [-0, +0]. */
void das_open_crypto(lua_State *L);
void das_open_http(lua_State *L);
void das_open_json(lua_State *L);
void das_open_log(lua_State *L);
void das_open_regex(lua_State *L); /* das.regex */
void das_open_time(lua_State *L); /* das.time, and das.sleep */
void das_open_runbook(lua_State *L); /* das.runbook, das.params */
void das_open_step(lua_State *L); /* das.step */

void das_open_require(lua_State *L);   /* the global require(): [-0, +0] */
/* require(name) gives the value on top, whatever lies in the script's folder [-1, +0]. */
void das_provide(lua_State *L, const char *name);

/* run.c: init and clear of what a run holds; whether it has to end, and the words for it. */
int das_run_init(struct das_run *run, const struct das_engine_opts *opts, struct das_err *err);
void das_run_clear(struct das_run *run);
enum das_stop das_run_over(struct das_run *run, int64_t cpu_ms);
int64_t das_own_cpu_ms(void); /* of the calling thread */
void das_run_stop_text(const struct das_run *run, enum das_stop stop, char *text, size_t size);
const char *das_stop_limit(enum das_stop stop); /* "cpu"; NULL for a cancel */
void das_run_hook(lua_State *L, lua_Debug *ar); /* every DAS_HOOK_STEPS instructions */
#define DAS_HOOK_STEPS 10000
/* coverage_hook.c: the hook above, and the lines of scripts where somebody counts them. */
void das_run_set_hook(lua_State *L);
void das_coverage_hook(lua_State *L, lua_Debug *ar);
/* The function on top is a file's code, not called yet: its lines can run, if they are counted. */
void das_coverage_see(lua_State *L, const char *path);

/* state.c: what any lua_Alloc of das does once it has said yes: *held is what it holds. */
uint64_t das_lua_held(uint64_t held, const void *ptr, size_t osize, size_t nsize); /* afterwards */
void *das_lua_resize(uint64_t *held, void *ptr, size_t osize, size_t nsize);
/* state.c: a fresh state with the trimmed libraries; NULL when out of memory. */
lua_State *das_state_new(struct das_run *run);
/* sandbox.c: replaces what the libraries have and a script must not have as it is. [-0, +0] */
void das_open_sandbox(lua_State *L);
/* globals.c: from here on a new global is warned about in the run's log. [-0, +0] */
void das_watch_globals(lua_State *L);
/* prelude: runs the compiled-in Lua on top of the primitives. A Lua error on failure. */
void das_open_prelude(lua_State *L);
/* The compiled-in chunk of scripts/prelude/NAME.lua as a function [-0, +1]. */
void das_load_embedded(lua_State *L, const char *name);

/* --- what an author's tools ask (names.c) -------------------------------------------------------- */

/* A class that has fields besides methods says so in its metatable's "__fields": a function that
 * pushes the list of their names. It costs nothing until somebody asks. */
int das_push_names(lua_State *L, const char *const *names, size_t n); /* [-0, +1], returns 1 */
/* Appends to the list at the top the names of the fields and methods of a das object at arg, or of
 * the class type. False, and nothing appended: not ours. */
bool das_class_names(lua_State *L, const char *type, bool fields, bool methods);
bool das_object_names(lua_State *L, int arg, bool fields, bool methods);
/* kind(value): the class of a userdata of das; nil for anything else. What the prelude's show.lua asks. */
int das_lua_kind(lua_State *L);

/* --- das's own tools in Lua (tool_state.c) --------------------------------------------------------- */

/* Calls f with job, a light userdata, at 1, in a state as a script has it, but without instances.
 * What f raises becomes DAS_E_SCRIPT. */
int das_tool_run(lua_CFunction f, void *job, const char *name, struct das_err *err);
int das_tool_nearest(lua_State *L); /* (word, list) -> the nearest of the list, or nil */

/* --- running a script (engine.c) -------------------------------------------------------------------- */

/* "#!/usr/bin/env -S das run" on line 1 is for the shell; the line stays, so that numbers fit. */
struct das_text das_script_text(struct das_text t);
/* Message handler: the message, and below it where in the script it was called from. */
int das_on_error(lua_State *L);
/* What a chunk that ended with status means for the run: 0, or -1 with err. A limit that struck
 * decides, even when the script caught the error and ended in peace. Under run->lock. */
int das_run_judge(struct das_run *run, int status, const char *message, struct das_err *err);
/* [-0, +1] the path that require "name" means, beside the run's script; false: no module name. */
bool das_push_module_path(lua_State *L, const char *name);

/* test_bench.c: the global test() before a file of tests runs [-0, +0]; and then the test that it is
 * run for, which raises when it fails [-0, +0]. */
void das_bench_open(lua_State *L, struct das_bench *b);
void das_bench_run(lua_State *L, struct das_bench *b);

/* Functions that raise when the table at 1 has an option that selection:plan, or a preview, does
 * not know or take. [-1, +0] */
int das_plan_options(lua_State *L);
int das_preview_options(lua_State *L);

#endif
