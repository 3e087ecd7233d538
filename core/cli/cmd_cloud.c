/* cmd_cloud.c - das cloud: what Huawei Cloud DAS does by itself, seen and steered from a terminal. */
#include <stdio.h>
#include <string.h>

#include "core/cli/cloud_cli.h"
#include "core/cli/interrupt.h"
#include "core/source/das_cloud.h"

static const char help[] =
    "das cloud tasks -i INSTANCE                    kill tasks of the instance\n"
    "das cloud tasks create -i INSTANCE CRITERIA --time AGE --duration AGE [--apply]\n"
    "das cloud tasks stop -i INSTANCE ID            ends a task\n"
    "das cloud history -i INSTANCE [--from AGE|TIME] [--to AGE|TIME] [--limit N]\n"
    "das cloud switch [on|off] -i INSTANCE [--wait AGE] [--apply]\n"
    "das cloud processes | nodes -i INSTANCE\n"
    "das cloud instances [--cloud NAME] --region REGION [--project ID] [--type TYPE] | -i INSTANCE\n"
    "das cloud doctor -i INSTANCE                   what is wrong between here and the cloud\n"
    "\n"
    "A kill task is the cloud's own: it goes on ending sessions that match, also those that nobody\n"
    "has previewed, until its time is over. So creating one, and turning the switch on that lets\n"
    "tasks run, shows what it would do unless --apply is given, passes the same guards as a kill and\n"
    "stands in the journal (das audit list). Stopping a task and turning the switch off do what\n"
    "they say at once, also while das is stopped.\n"
    "\n"
    "tasks create:\n"
    "  --user, --host, --db, --command, --info   criteria, read by the cloud; all have to be met\n"
    "  --all                 none of them: every session that is old enough\n"
    "  --time AGE            at least so long in its state: 90, 5m\n"
    "  --duration AGE        how long the task runs, 10s to a year\n"
    "  --manual              it runs until it is stopped\n"
    "  --reason TEXT         for the journal; also of stop and switch\n"
    "      --apply           not only show what would be done\n"
    "history:\n"
    "  --from, --to          so long ago (24h), or 2026-11-24T03:17:05Z; the last 24 hours\n"
    "  --node ID             of one node; also of processes\n"
    "  --limit N             so many, the newest (100); also of processes\n"
    "switch:\n"
    "  --wait AGE            how long it may take (30s)\n"
    "processes:\n"
    "  --user, --db          only of these\n"
    "instances, nodes:\n"
    "  --type TYPE           MySQL, TaurusDB, MariaDB, ... (MySQL)\n"
    "\n"
    "  -i, --instance INSTANCE   das://REGION/PROJECT/INSTANCE, or the name of one in das.lua\n"
    "  -o, --output FORMAT       table, json, csv; instances: also lua, to be pasted into das.lua\n"
    "      --config FILE         instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                            /etc/das/das.lua\n"
    "\n"
    "Examples\n"
    "  das cloud doctor -i orders\n"
    "  das cloud tasks create -i orders --user report --command Query --time 60 --duration 10m\n"
    "  das cloud history -i orders --from 2h -o json | jq -r '.history[].info'\n"
    "  das cloud instances --region cn-north-4 -o lua >>instances.lua\n"
    "\n"
    "Exit: 0 done, 1 failed (doctor: something is wrong), 2 usage or configuration, 4 the switch is\n"
    "still switching, 5 a guard said no, 8 an order was sent and its outcome is not known.\n";

#define OPTION_FIRST 1001

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"user", required_argument, NULL, OPTION_FIRST + DAS_CO_USER},
    {"host", required_argument, NULL, OPTION_FIRST + DAS_CO_HOST},
    {"db", required_argument, NULL, OPTION_FIRST + DAS_CO_DB},
    {"command", required_argument, NULL, OPTION_FIRST + DAS_CO_COMMAND},
    {"info", required_argument, NULL, OPTION_FIRST + DAS_CO_INFO},
    {"time", required_argument, NULL, OPTION_FIRST + DAS_CO_TIME},
    {"duration", required_argument, NULL, OPTION_FIRST + DAS_CO_DURATION},
    {"manual", no_argument, NULL, OPTION_FIRST + DAS_CO_MANUAL},
    {"all", no_argument, NULL, OPTION_FIRST + DAS_CO_ALL},
    {"apply", no_argument, NULL, OPTION_FIRST + DAS_CO_APPLY},
    {"reason", required_argument, NULL, OPTION_FIRST + DAS_CO_REASON},
    {"from", required_argument, NULL, OPTION_FIRST + DAS_CO_FROM},
    {"to", required_argument, NULL, OPTION_FIRST + DAS_CO_TO},
    {"limit", required_argument, NULL, OPTION_FIRST + DAS_CO_LIMIT},
    {"node", required_argument, NULL, OPTION_FIRST + DAS_CO_NODE},
    {"wait", required_argument, NULL, OPTION_FIRST + DAS_CO_WAIT},
    {"cloud", required_argument, NULL, OPTION_FIRST + DAS_CO_CLOUD},
    {"region", required_argument, NULL, OPTION_FIRST + DAS_CO_REGION},
    {"project", required_argument, NULL, OPTION_FIRST + DAS_CO_PROJECT},
    {"type", required_argument, NULL, OPTION_FIRST + DAS_CO_TYPE},
    {NULL, 0, NULL, 0},
};

static const char *option_name(enum das_cloud_option o)
{
    for (size_t i = 0; options[i].name; i++) {
        if (options[i].val == OPTION_FIRST + (int)o)
            return options[i].name;
    }
    return "?";
}

/* --- verbs ------------------------------------------------------------------------------------- */

#define BIT(o) (1u << (o))
#define LISTS (BIT(DAS_CF_TABLE) | BIT(DAS_CF_JSON) | BIT(DAS_CF_CSV))
#define SAYS (BIT(DAS_CF_TABLE) | BIT(DAS_CF_JSON))
#define FLEET (BIT(DAS_CO_CLOUD) | BIT(DAS_CO_REGION) | BIT(DAS_CO_PROJECT))

static const struct verb {
    const char *word, *second; /* second: NULL where there is none */
    int (*run)(struct das_cloud_job *j);
    unsigned takes;      /* options */
    unsigned formats;
    const char *argument; /* that has to follow; NULL: none */
    bool needs_no_instance;
} verbs[] = {
    {"tasks", NULL, das_cloud_verb_tasks, 0, LISTS, NULL, false},
    {"tasks", "create", das_cloud_verb_create,
     BIT(DAS_CO_USER) | BIT(DAS_CO_HOST) | BIT(DAS_CO_DB) | BIT(DAS_CO_COMMAND) | BIT(DAS_CO_INFO) |
         BIT(DAS_CO_TIME) | BIT(DAS_CO_DURATION) | BIT(DAS_CO_MANUAL) | BIT(DAS_CO_ALL) |
         BIT(DAS_CO_APPLY) | BIT(DAS_CO_REASON),
     SAYS, NULL, false},
    {"tasks", "stop", das_cloud_verb_stop, BIT(DAS_CO_REASON), SAYS, "the ID of a task", false},
    {"history", NULL, das_cloud_verb_history,
     BIT(DAS_CO_FROM) | BIT(DAS_CO_TO) | BIT(DAS_CO_LIMIT) | BIT(DAS_CO_NODE), LISTS, NULL, false},
    {"switch", NULL, das_cloud_verb_switch, 0, SAYS, NULL, false},
    {"switch", "on", das_cloud_verb_switch_on,
     BIT(DAS_CO_WAIT) | BIT(DAS_CO_APPLY) | BIT(DAS_CO_REASON), SAYS, NULL, false},
    {"switch", "off", das_cloud_verb_switch_off, BIT(DAS_CO_WAIT) | BIT(DAS_CO_REASON), SAYS, NULL,
     false},
    {"processes", NULL, das_cloud_verb_processes,
     BIT(DAS_CO_USER) | BIT(DAS_CO_DB) | BIT(DAS_CO_LIMIT) | BIT(DAS_CO_NODE), LISTS, NULL, false},
    {"nodes", NULL, das_cloud_verb_nodes, BIT(DAS_CO_TYPE), LISTS, NULL, false},
    {"instances", NULL, das_cloud_verb_instances, BIT(DAS_CO_TYPE) | FLEET, LISTS | BIT(DAS_CF_LUA),
     NULL, true},
    {"doctor", NULL, das_cloud_verb_doctor, 0, SAYS, NULL, false},
};
#define VERBS (sizeof verbs / sizeof verbs[0])

/* Of `das cloud WORD`, or of `das cloud FIRST WORD`. */
static const char *near_verb(const char *first, const char *word)
{
    const char *names[VERBS];
    size_t n = 0;

    for (size_t i = 0; i < VERBS; i++) {
        if (!first && !verbs[i].second)
            names[n++] = verbs[i].word;
        else if (first && verbs[i].second && strcmp(first, verbs[i].word) == 0)
            names[n++] = verbs[i].second;
    }
    return das_nearest(word, names, n);
}

static const struct verb *find_verb(const char *first, const char *second)
{
    const struct verb *found = NULL;

    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].word, first) != 0)
            continue;
        if (!verbs[i].second && !found)
            found = &verbs[i];
        else if (verbs[i].second && second && strcmp(verbs[i].second, second) == 0)
            found = &verbs[i];
    }
    return found;
}

static const struct verb *choose_verb(struct das_cloud_job *j, int argc, char **argv,
                                      struct das_err *err)
{
    const char *first = argc > 0 ? argv[0] : NULL, *near;
    const struct verb *v = first ? find_verb(first, argc > 1 ? argv[1] : NULL) : NULL;
    int used;

    if (!v) {
        near = first ? near_verb(NULL, first) : NULL;
        if (near)
            das_fail(err, DAS_E_USAGE, "unknown \"%s\"; did you mean das cloud %s?", first, near);
        else
            das_fail(err, DAS_E_USAGE, "expected das cloud tasks, history, switch, processes, nodes, "
                                       "instances or doctor");
        return NULL;
    }
    used = v->second ? 2 : 1;
    j->words = argv + used;
    j->word_count = argc - used;
    if (j->word_count == (v->argument ? 1 : 0))
        return v;
    near = !v->second && j->word_count > 0 ? near_verb(first, j->words[0]) : NULL;
    if (near)
        das_fail(err, DAS_E_USAGE, "unknown \"%s\"; did you mean das cloud %s %s?", j->words[0], first,
                 near);
    else
        das_fail(err, DAS_E_USAGE, "das cloud %s%s%s: expected %s, got %d argument%s", v->word,
                 v->second ? " " : "", v->second ? v->second : "",
                 v->argument ? v->argument : "no argument", j->word_count,
                 j->word_count == 1 ? "" : "s");
    return NULL;
}

/* --- options ----------------------------------------------------------------------------------- */

static int set_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct das_cloud_job *j = arg;

    if (option == 'o') {
        j->output = value;
        return 0;
    }
    if (option >= OPTION_FIRST && option < OPTION_FIRST + DAS_CO_COUNT) {
        j->value[option - OPTION_FIRST] = value ? value : "";
        return 0;
    }
    return das_common_option(&j->common, option, value, err) < 0 ? -1 : 0;
}

static int choose_format(struct das_cloud_job *j, const struct verb *v, struct das_err *err)
{
    static const char *const names[DAS_CF_COUNT] = {"table", "json", "csv", "lua"};

    for (int i = 0; i < DAS_CF_COUNT; i++) {
        if (!(v->formats & BIT(i)) || (j->output && strcmp(j->output, names[i]) != 0))
            continue;
        j->format = (enum das_cloud_format)i;
        return 0;
    }
    return das_fail(err, DAS_E_USAGE, "-o: expected %s, got \"%s\"",
                    v->formats & BIT(DAS_CF_LUA)   ? "table, json, csv or lua"
                    : v->formats & BIT(DAS_CF_CSV) ? "table, json or csv"
                                                   : "table or json",
                    j->output);
}

/* An option that would be passed over in silence is a mistake. */
static int check_options(struct das_cloud_job *j, const struct verb *v, struct das_err *err)
{
    for (int o = 0; o < DAS_CO_COUNT; o++) {
        if (j->value[o] && !(v->takes & BIT(o)))
            return das_fail(err, DAS_E_USAGE, "--%s is not of das cloud %s%s%s",
                            option_name((enum das_cloud_option)o), v->word, v->second ? " " : "",
                            v->second ? v->second : "");
    }
    return choose_format(j, v, err);
}

int das_cloud_limit(const struct das_cloud_job *j, int64_t fallback, int64_t *out,
                    struct das_err *err)
{
    const char *text = j->value[DAS_CO_LIMIT];

    *out = fallback;
    if (!text || (das_parse_int(das_text_of(text), out) && *out >= 1))
        return 0;
    return das_fail(err, DAS_E_USAGE, "--limit: expected a whole number from 1 up, got \"%s\"", text);
}

/* --- the instance ------------------------------------------------------------------------------ */

static int open_instance(struct das_cloud_job *j, struct das_err *err)
{
    j->source = das_inventory_open(j->common.inventory, 0, err);
    if (!j->source)
        return -1;
    j->name = das_source_name(j->source);
    if (das_source_cloud(j->source, &j->cloud, &j->place))
        return 0;
    return das_fail(err, DAS_E_USAGE, "-i %s: not an instance at Huawei Cloud DAS (das://...)",
                    j->name);
}

/* An account alone, and a region. */
static int open_account(struct das_cloud_job *j, struct das_err *err)
{
    const char *region = j->value[DAS_CO_REGION];

    if (!region)
        return das_fail(err, DAS_E_USAGE, "which region? --region cn-north-4, or -i with one of its "
                                          "instances");
    j->place = (struct das_cloud_place){.region = region, .project = j->value[DAS_CO_PROJECT]};
    j->cloud = das_inventory_cloud(j->common.inventory, j->value[DAS_CO_CLOUD], err);
    return j->cloud ? 0 : -1;
}

static int open_place(struct das_cloud_job *j, const struct verb *v, struct das_err *err)
{
    bool fleet = j->value[DAS_CO_CLOUD] || j->value[DAS_CO_REGION] || j->value[DAS_CO_PROJECT];

    if (j->common.instance_count > 1)
        return das_fail(err, DAS_E_USAGE, "-i: one instance at a time");
    if (j->common.instance_count && fleet)
        return das_fail(err, DAS_E_USAGE, "-i says the cloud, region and project: leave --cloud, "
                                          "--region and --project out");
    if (!j->common.instance_count && !v->needs_no_instance)
        return das_fail(err, DAS_E_USAGE, "which instance? -i das://REGION/PROJECT/INSTANCE, or a name "
                                          "from das.lua");
    return j->common.instance_count ? open_instance(j, err) : open_account(j, err);
}

/* --- calls ------------------------------------------------------------------------------------- */

static int64_t left_ms(void *arg)
{
    const atomic_int *interrupt = arg;

    return atomic_load(interrupt) ? 0 : INT64_MAX;
}

struct das_cloud_call das_cloud_job_call(const struct das_cloud_job *j)
{
    return (struct das_cloud_call){
        .patience = {left_ms, (void *)(uintptr_t)j->interrupt}};
}

int das_cloud_write(struct das_buf *b, struct das_err *err)
{
    if (das_buf_ok(b, err) < 0)
        return -1;
    fwrite(b->ptr ? b->ptr : "", 1, b->len, stdout);
    das_buf_reset(b);
    return fflush(stdout) != 0 || ferror(stdout)
               ? das_fail(err, DAS_E_IO, "the output could not be written")
               : 0;
}

int das_cmd_cloud(int argc, char **argv)
{
    struct das_cloud_job j = {.value = {NULL}};
    const struct das_options o = {help, ":" DAS_COMMON_SHORT, options, set_option, &j};
    const struct verb *v = NULL;
    struct das_err err;
    int rc = das_common_init(&j.common, &err), parsed = -1;

    if (rc == 0)
        parsed = das_options_read(&o, argc, argv, &err);
    if (parsed == 0) {
        v = choose_verb(&j, argc - optind, argv + optind, &err);
        if (!v || check_options(&j, v, &err) < 0 || das_common_finish(&j.common, &err) < 0 ||
            open_place(&j, v, &err) < 0)
            parsed = -1;
    }
    if (parsed > 0) {
        rc = DAS_EXIT_DONE;
    } else if (parsed < 0) {
        rc = das_complain("cloud", &err);
    } else {
        j.interrupt = das_interrupt_catch();
        rc = v->run(&j);
    }
    das_common_clear(&j.common);
    return rc;
}
