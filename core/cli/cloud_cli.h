/*
 * cloud_cli.h - the parts of das cloud, seen by each other and by nobody else.
 *
 *   cmd_cloud.c     options, which verb, the instance and its account
 *   cloud_list.c    what only looks: tasks, history, instances, nodes, processes
 *   cloud_act.c     creating and stopping tasks, the switch
 *   cloud_doctor.c  what is wrong between here and the cloud
 */
#ifndef DAS_CLI_CLOUD_CLI_H
#define DAS_CLI_CLOUD_CLI_H

#include <stdatomic.h>

#include "core/cli/cli.h"
#include "core/cloud/api.h"

enum das_cloud_option {
    DAS_CO_USER,
    DAS_CO_HOST,
    DAS_CO_DB,
    DAS_CO_COMMAND,
    DAS_CO_INFO,
    DAS_CO_TIME,
    DAS_CO_DURATION,
    DAS_CO_MANUAL,
    DAS_CO_ALL,
    DAS_CO_APPLY,
    DAS_CO_REASON,
    DAS_CO_FROM,
    DAS_CO_TO,
    DAS_CO_LIMIT,
    DAS_CO_NODE,
    DAS_CO_WAIT,
    DAS_CO_CLOUD,
    DAS_CO_REGION,
    DAS_CO_PROJECT,
    DAS_CO_TYPE,
    DAS_CO_COUNT
};

enum das_cloud_format { DAS_CF_TABLE, DAS_CF_JSON, DAS_CF_CSV, DAS_CF_LUA, DAS_CF_COUNT };

struct das_cloud_job {
    struct das_common common;
    const char *value[DAS_CO_COUNT]; /* as typed; "" for those without a value; NULL: not given */
    const char *output;              /* -o, or NULL */
    enum das_cloud_format format;
    char **words;                    /* behind the verb */
    int word_count;
    struct das_source *source;       /* of -i; NULL: none was given */
    const char *name;                /* its name */
    struct das_cloud *cloud;
    struct das_cloud_place place;
    const atomic_int *interrupt;
};

/* A call that Ctrl-C ends. */
struct das_cloud_call das_cloud_job_call(const struct das_cloud_job *j);
/* Writes b to standard output and empties it. */
int das_cloud_write(struct das_buf *b, struct das_err *err);
/* "--limit: expected ..." unless the value is a whole number from 1 up; without one, fallback. */
int das_cloud_limit(const struct das_cloud_job *j, int64_t fallback, int64_t *out,
                    struct das_err *err);

/* Each: an exit code, after having said on standard error what went wrong. */
int das_cloud_verb_tasks(struct das_cloud_job *j);
int das_cloud_verb_history(struct das_cloud_job *j);
int das_cloud_verb_instances(struct das_cloud_job *j);
int das_cloud_verb_nodes(struct das_cloud_job *j);
int das_cloud_verb_processes(struct das_cloud_job *j);
int das_cloud_verb_create(struct das_cloud_job *j);
int das_cloud_verb_stop(struct das_cloud_job *j);
int das_cloud_verb_switch(struct das_cloud_job *j);
int das_cloud_verb_switch_on(struct das_cloud_job *j);
int das_cloud_verb_switch_off(struct das_cloud_job *j);
int das_cloud_verb_doctor(struct das_cloud_job *j);

#endif
