/*
 * cloud_run.c - the typed calls of the DAS API by hand: orders on standard input, one line each, and
 * what came of it on standard output, one line each.
 *
 *     cloud_run ENDPOINT das:SPEC [KEY=VALUE...]
 *
 * Keys: rate, concurrency, retries, wait (ms), max_wait (ms), connect (ms), total (ms), deadline (ms),
 * patience (ms), sendable (ms within which an order may be sent), max (bytes), ca, v11. The credential
 * comes from the SDK's environment variables, from file=PATH, or from password=DOMAIN/USER/VARIABLE and
 * iam=URL.
 *
 *     ok STATUS ATTEMPTS ...    or    ! CODE STATUS ATTEMPTS unknown|late|- ERROR_CODE REQUEST: MESSAGE
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/cloud/kill.h"

static struct das_cloud *cloud;
static struct das_cloud_address address;
static struct das_cloud_place place;
static int64_t patience_ms = -1, patience_until;
static int64_t sendable_ms = -1, sendable_until;

static int64_t left(void *arg)
{
    int64_t ms = patience_until - das_clock_monotonic_ms();

    (void)arg;
    return ms > 0 ? ms : 0;
}

static int64_t sending(void *arg)
{
    int64_t ms = sendable_until - das_clock_monotonic_ms();

    (void)arg;
    return ms > 0 ? ms : 0;
}

static void put_text(struct das_text t)
{
    if (!t.ptr) {
        fputs(" NULL", stdout);
        return;
    }
    fputs(" \"", stdout);
    for (size_t i = 0; i < t.len; i++)
        putchar(t.ptr[i] == '\n' ? '|' : t.ptr[i]); /* a line stays a line */
    putchar('"');
}

static void put_item(const struct das_shape *shape, const void *item);

static void put_list(const struct das_cloud_list *l)
{
    printf(" [%zu", l->count);
    for (size_t i = 0; i < l->count && i < 500; i++) {
        fputs(" {", stdout);
        put_item(l->shape, das_cloud_item(l, i));
        fputs(" }", stdout);
    }
    fputs(" ]", stdout);
}

static void put_item(const struct das_shape *shape, const void *item)
{
    for (size_t i = 0; i < shape->count; i++) {
        const struct das_shape_field *f = &shape->fields[i];
        const void *at = (const char *)item + f->offset;
        printf(" %s", f->name);
        if (f->type == DAS_SHAPE_TEXT)
            put_text(*(const struct das_text *)at);
        else if (f->type == DAS_SHAPE_LIST)
            put_list(at);
        else if (f->type == DAS_SHAPE_BOOL)
            printf(" %d", *(const int *)at);
        else if (*(const int64_t *)at == DAS_CLOUD_NOT_TOLD)
            fputs(" -", stdout);
        else
            printf(" %lld", (long long)*(const int64_t *)at);
    }
}

static void begin(int rc, const struct das_cloud_call *call, const struct das_err *err)
{
    if (rc == 0)
        printf("ok %d %d", call->status, call->attempts);
    else
        printf("! %s %d %d %s %s %s: %s", das_code_name(err->code), call->status, call->attempts,
               call->unknown ? "unknown" : call->late ? "late" : "-", call->error_code[0] ? call->error_code : "-",
               call->request_id[0] ? call->request_id : "-", err->msg);
}

static void end_answer(int rc, struct das_cloud_answer *a)
{
    if (rc == 0) {
        printf(" total %lld", a->total == DAS_CLOUD_NOT_TOLD ? -1LL : (long long)a->total);
        put_list(&a->list);
    }
    das_cloud_answer_clear(a);
}

/* "user=root" and so on; what is not there stays as it is. */
static void criteria(char *words, struct das_cloud_criteria *c)
{
    memset(c, 0, sizeof *c);
    for (char *w = strtok(words, " \n"); w; w = strtok(NULL, " \n")) {
        char *value = strchr(w, '=');
        struct das_text *texts[] = {&c->user, &c->host, &c->db, &c->command, &c->info};
        static const char *const names[] = {"user", "host", "db", "command", "info"};
        if (!value)
            continue;
        *value++ = '\0';
        for (int i = 0; i < 5; i++) {
            if (strcmp(w, names[i]) == 0)
                *texts[i] = das_text_of(value);
        }
        if (strcmp(w, "time") == 0)
            c->time = atoll(value);
        if (strcmp(w, "duration") == 0)
            c->task_duration = atoll(value);
        if (strcmp(w, "type") == 0)
            c->task_type = value;
    }
}

static void preview(char *rest, struct das_cloud_call *call)
{
    struct das_cloud_criteria c;
    struct das_cloud_preview p;
    struct das_err err = {0};
    int rc;

    criteria(rest, &c);
    rc = das_cloud_preview(cloud, &place, &c, call, &p, &err);
    begin(rc, call, &err);
    if (rc == 0) {
        printf(" sync %lld total %lld", (long long)p.data_sync_time, (long long)p.processes.total);
        put_list(&p.processes.list);
    }
    das_cloud_preview_clear(&p);
}

static void innodb(char *rest, struct das_cloud_call *call)
{
    struct das_cloud_innodb i;
    struct das_err err = {0};
    int rc = das_cloud_innodb_locks(cloud, &place, strtok(rest, " \n"), call, &i, &err);

    begin(rc, call, &err);
    if (rc == 0) {
        put_list(&i.transactions);
        put_list(&i.waits);
    }
    das_cloud_innodb_clear(&i);
}

static void metadata(char *rest, struct das_cloud_call *call)
{
    struct das_cloud_metadata_filter f = {.db_user_id = strtok(rest, " \n")};
    struct das_cloud_answer a;
    struct das_err err = {0};
    int rc;

    f.thread_id = strtok(NULL, " \n");
    rc = das_cloud_metadata_locks(cloud, &place, &f, call, &a, &err);
    begin(rc, call, &err);
    end_answer(rc, &a);
}

static void processes(char *rest, struct das_cloud_call *call)
{
    struct das_cloud_page page = {.limit = 100};
    struct das_cloud_answer a;
    struct das_err err = {0};
    int rc;

    for (char *w = strtok(rest, " \n"); w; w = strtok(NULL, " \n")) {
        if (strncmp(w, "dbuser=", 7) == 0)
            page.db_user_id = w + 7;
        if (strncmp(w, "user=", 5) == 0)
            page.user = w + 5;
        if (strncmp(w, "offset=", 7) == 0)
            page.offset = atoll(w + 7);
        if (strncmp(w, "limit=", 6) == 0)
            page.limit = atoi(w + 6);
    }
    rc = das_cloud_processes(cloud, &place, &page, call, &a, &err);
    begin(rc, call, &err);
    end_answer(rc, &a);
}

static void create(char *rest, struct das_cloud_call *call)
{
    struct das_cloud_criteria c;
    struct das_cloud_answer a;
    struct das_err err = {0};
    int rc;

    criteria(rest, &c);
    rc = das_cloud_task_create(cloud, &place, &c, call, &a, &err);
    begin(rc, call, &err);
    end_answer(rc, &a);
}

static void turn(char *rest, struct das_cloud_call *call)
{
    enum das_cloud_switch now = DAS_CLOUD_OFF;
    char *what = strtok(rest, " \n"), *wait = strtok(NULL, " \n");
    struct das_err err = {0};
    int rc = what ? das_cloud_switch_set(cloud, &place, strcmp(what, "on") == 0,
                                         wait ? atoll(wait) : 0, call, &now, &err)
                  : das_cloud_switch_get(cloud, &place, call, &now, &err);

    begin(rc, call, &err);
    printf(" %s", das_cloud_switch_name(now));
}

static void kill_one(char *rest, struct das_cloud_call *call)
{
    char *id = strtok(rest, " \n"), *user = strtok(NULL, " \n");
    int64_t count;
    struct das_err err = {0};
    int rc = das_cloud_kill(cloud, &place, "mysql", id ? atoll(id) : 0, das_text_of(user), call,
                            &count, &err);

    begin(rc, call, &err);
    printf(" count %lld", count == DAS_CLOUD_NOT_TOLD ? -1LL : (long long)count);
}

static void kill_ids(char *rest, struct das_cloud_call *call)
{
    char *user = strtok(rest, " \n");
    int64_t ids[100];
    size_t n = 0;
    struct das_err err = {0};

    for (char *w = strtok(NULL, " \n"); w && n < 100; w = strtok(NULL, " \n"))
        ids[n++] = atoll(w);
    begin(das_cloud_kill_ids(cloud, &place, user, ids, n, call, &err), call, &err);
}

static void simple(const char *what, char *rest, struct das_cloud_call *call)
{
    struct das_cloud_span span = {.from_ms = 1000, .to_ms = INT64_C(4000000000000)};
    int64_t now = das_clock_unix_ms();
    struct das_cloud_trx_filter trx = {now - 3600000, now, DAS_CLOUD_NOT_TOLD, DAS_CLOUD_NOT_TOLD, 1,
                                       50};
    struct das_cloud_answer a = {0};
    struct das_err err = {0};
    char *first = strtok(rest, " \n");
    int number = first ? atoi(first) : 1, rc;

    if (strcmp(what, "tasks") == 0)
        rc = das_cloud_tasks(cloud, &place, call, &a, &err);
    else if (strcmp(what, "history") == 0)
        rc = das_cloud_history(cloud, &place, &span, number, call, &a, &err);
    else if (strcmp(what, "transactions") == 0)
        rc = das_cloud_transactions(cloud, &place, &trx, call, &a, &err);
    else if (strcmp(what, "instances") == 0)
        rc = das_cloud_instances(cloud, &place, "MySQL", first ? number : 0, 2, call, &a, &err);
    else if (strcmp(what, "nodes") == 0)
        rc = das_cloud_nodes(cloud, &place, "MySQL", call, &a, &err);
    else if (strcmp(what, "users") == 0)
        rc = das_cloud_db_users(cloud, &place, 0, 100, call, &a, &err);
    else if (strcmp(what, "versions") == 0)
        rc = das_cloud_versions(cloud, &place, call, &a, &err);
    else if (strcmp(what, "stop") == 0)
        rc = das_cloud_task_stop(cloud, &place, first ? atoll(first) : 0, call, &err);
    else if (strcmp(what, "kill_all") == 0)
        rc = das_cloud_kill_all(cloud, &place, first, call, &err);
    else
        rc = das_fail(&err, DAS_E_USAGE, "what is \"%s\"?", what);
    begin(rc, call, &err);
    end_answer(rc, &a);
}

/* "many THREADS ROUNDS": previews at the same time; how many went well, and the first error. "fleet
 * THREADS ROUNDS": each of another instance. */
struct many {
    int rounds;
    long first; /* number of the first instance; -1: the same for all */
    long good;
    char error[1000];
};

static void *hammer(void *arg)
{
    struct many *m = arg;

    for (int i = 0; i < m->rounds; i++) {
        struct das_cloud_criteria c = {.time = i};
        struct das_cloud_call call = {0};
        struct das_cloud_place at = place;
        struct das_cloud_preview p;
        struct das_err err = {0};
        char instance[40];
        snprintf(instance, sizeof instance, "%032lxin01", m->first + i);
        if (m->first >= 0)
            at.instance = instance;
        if (das_cloud_preview(cloud, &at, &c, &call, &p, &err) == 0)
            m->good++;
        else if (!m->error[0])
            memcpy(m->error, err.msg, sizeof m->error);
        das_cloud_preview_clear(&p);
    }
    return NULL;
}

static void many(char *rest, bool fleet)
{
    char *threads = strtok(rest, " \n"), *rounds = strtok(NULL, " \n");
    int n = threads ? atoi(threads) : 1;
    struct many *m = calloc((size_t)n, sizeof *m);
    pthread_t *t = calloc((size_t)n, sizeof *t);
    long good = 0;
    const char *error = "";

    for (int i = 0; m && t && i < n; i++) {
        m[i].rounds = rounds ? atoi(rounds) : 1;
        m[i].first = fleet ? (long)i * m[i].rounds : -1;
        pthread_create(&t[i], NULL, hammer, &m[i]);
    }
    for (int i = 0; m && t && i < n; i++) {
        pthread_join(t[i], NULL);
        good += m[i].good;
        if (m[i].error[0])
            error = m[i].error;
    }
    printf("ok 0 0 good %ld %s", good, error);
    free(m);
    free(t);
}

/* "begin" and "end": a preview with all the time there is, beside the orders in between. */
struct behind {
    pthread_t thread;
    struct das_err err;
};
static struct behind behind;

static void *look(void *arg)
{
    struct behind *b = arg;
    struct das_cloud_criteria c = {.time = 1};
    struct das_cloud_call call = {0};
    struct das_cloud_preview p;

    if (das_cloud_preview(cloud, &place, &c, &call, &p, &b->err) == 0)
        strcpy(b->err.msg, "answered");
    das_cloud_preview_clear(&p);
    return NULL;
}

static void beside(bool begins)
{
    if (begins)
        pthread_create(&behind.thread, NULL, look, &behind);
    else
        pthread_join(behind.thread, NULL);
    printf("ok 0 0 %s", begins ? "begun" : behind.err.msg);
}

static void obey(char *line)
{
    struct das_cloud_call call = {.patience = {patience_ms >= 0 ? left : NULL, NULL},
                                  .sending = {sendable_ms >= 0 ? sending : NULL, NULL}};
    char *rest = line + strcspn(line, " \n"), *what = line;
    static const struct {
        const char *name;
        void (*run)(char *rest, struct das_cloud_call *call);
    } orders[] = {
        {"preview", preview}, {"innodb", innodb}, {"metadata", metadata}, {"processes", processes},
        {"create", create},   {"switch", turn},   {"kill", kill_one},     {"kill_ids", kill_ids},
    };

    sendable_until = das_clock_monotonic_ms() + sendable_ms;
    patience_until = das_clock_monotonic_ms() + patience_ms;
    if (*rest)
        *rest++ = '\0';
    if (strcmp(what, "region") == 0) { /* the calls that follow are about another one */
        snprintf(address.region, sizeof address.region, "%.*s", (int)strcspn(rest, "\n"), rest);
        printf("ok 0 0");
        goto done;
    }
    if (strcmp(what, "many") == 0 || strcmp(what, "fleet") == 0) {
        many(rest, what[0] == 'f');
        goto done;
    }
    if (strncmp(what, "begin", 5) == 0 || strncmp(what, "end", 3) == 0) {
        beside(what[0] == 'b');
        goto done;
    }
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        if (strcmp(what, orders[i].name) == 0) {
            orders[i].run(rest, &call);
            goto done;
        }
    }
    simple(what, rest, &call);
done:
    putchar('\n');
    fflush(stdout);
}

static void option(char *arg, struct das_cloud_conf *conf, struct das_secret_place *password)
{
    char *value = strchr(arg, '=');
    struct {
        const char *name;
        int64_t *to;
    } numbers[] = {
        {"wait", &conf->retry.wait_ms},   {"max_wait", &conf->retry.max_wait_ms},
        {"connect", &conf->connect_ms},   {"total", &conf->total_ms},
        {"deadline", &conf->deadline_ms}, {"patience", &patience_ms},
        {"sendable", &sendable_ms},
    };

    if (!value)
        exit(2);
    *value++ = '\0';
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(arg, numbers[i].name) == 0)
            *numbers[i].to = atoll(value);
    }
    if (strcmp(arg, "rate") == 0)
        conf->rate = atof(value);
    else if (strcmp(arg, "concurrency") == 0)
        conf->concurrency = atoi(value);
    else if (strcmp(arg, "retries") == 0)
        conf->retry.times = atoi(value);
    else if (strcmp(arg, "max") == 0)
        conf->max_bytes = (size_t)atoll(value);
    else if (strcmp(arg, "ca") == 0)
        conf->ca = conf->credential.ca = value;
    else if (strcmp(arg, "iam") == 0)
        conf->credential.iam_endpoint = value;
    else if (strcmp(arg, "v11") == 0)
        conf->algorithm = DAS_V11_HMAC_SHA256;
    else if (strcmp(arg, "file") == 0) {
        conf->credential.kind = DAS_CREDENTIAL_FILE;
        conf->credential.file = value;
    } else if (strcmp(arg, "password") == 0) {
        conf->credential.kind = DAS_CREDENTIAL_PASSWORD;
        conf->credential.domain = strtok(value, "/");
        conf->credential.user = strtok(NULL, "/");
        password->where = strtok(NULL, "/");
        conf->credential.password = password;
    }
}

int main(int argc, char **argv)
{
    struct das_cloud_conf conf = das_cloud_conf_default;
    struct das_secret_place password = {.name = (char[]){"password"}, .from = DAS_SECRET_ENV};
    struct das_err err = {0};
    char line[4000];

    if (argc < 3) {
        fprintf(stderr, "usage: cloud_run ENDPOINT das:SPEC [KEY=VALUE...]\n");
        return 2;
    }
    conf.name = "test";
    conf.endpoint = argv[1];
    for (int i = 3; i < argc; i++)
        option(argv[i], &conf, &password);
    if (das_cloud_address_parse(argv[2] + strlen("das:"), &address, &err) < 0 ||
        !(cloud = das_cloud_new(&conf, &err))) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    place = das_cloud_address_place(&address);
    while (fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0)
        obey(line);
    das_cloud_release(cloud);
    return 0;
}
