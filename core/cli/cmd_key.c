/*
 * cmd_key.c - das key and das token: who may ask das serve. Both words do the same with two kinds
 * of credentials (core/store/access.h). A secret is printed once, when it is made, and never again.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/cli/cli.h"
#include "core/cli/key_rights.h"
#include "core/serve/keyring.h"

#define ACTIONS_HELP                                                                               \
    "      --actions LIST     read (what only looks), write (what kills or changes), all, or\n"    \
    "                         names with commas between: listProcess, showCloudDBAInfo,\n"         \
    "                         listKillTaskRecord, showKillTaskSwitch, listInstances, listDbUser;\n" \
    "                         createKillTask, stopKillTask, deleteProcess,\n"                      \
    "                         changeKillTaskSwitch. (read)\n"                                      \
    "      --instances LIST   names from das.lua, tag:TAG, or * for all, with commas between.\n"   \
    "                         (all for what only looks; else it has to be said)\n"
#define COMMON_HELP                                                                        \
    "  -o, --output FORMAT    create, list: table, json\n"                                 \
    "      --state DIR        instead of the configured state directory\n"                 \
    "      --config FILE      instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n" \
    "                         /etc/das/das.lua\n"                                          \
    "\n"                                                                                   \
    "Examples\n"

static const char key_help[] =
    "das key create --name NAME [--actions LIST] [--instances LIST] [--expires AGE] [-o json]\n"
    "das key list [-o json]\n"
    "das key revoke ID\n"
    "\n"
    "Access keys with which clients of the DAS API sign what they ask das serve. The secret is\n"
    "printed once. It is kept encrypted with the file serve.key in the state directory: a backup\n"
    "of the database is of no use without that file, neither to you nor to anybody else. A das\n"
    "serve that runs knows of new keys, and refuses revoked ones, within a second.\n"
    "\n"
    "      --name NAME        whose it is, for the journal and the log\n" ACTIONS_HELP
    "      --expires AGE      how long it is good: 90d, 12h. (for ever)\n" COMMON_HELP
    "  das key create --name grafana\n"
    "  das key create --name ci --actions read,deleteProcess --instances staging --expires 30d\n"
    "  das key list -o json | jq -r '.keys[] | select(.state == \"good\").id'\n"
    "\n"
    "Exit: 0 done, 1 failed, 2 usage or configuration.\n";

static const char token_help[] =
    "das token create --name NAME [--actions LIST] [--instances LIST] [--expires AGE] [-o json]\n"
    "das token list [-o json]\n"
    "das token revoke ID\n"
    "\n"
    "Tokens for das serve, sent as X-Auth-Token: for curl and what cannot sign. Whoever sees one\n"
    "can use it, so it ends by itself. It is printed once; only a hash of it is kept.\n"
    "\n"
    "      --name NAME        whose it is, for the journal and the log\n" ACTIONS_HELP
    "      --expires AGE      how long it is good, at most 365d. (24h)\n" COMMON_HELP
    "  das token create --name on-call --expires 8h\n"
    "  das token create --name runbook --actions all --instances tag:staging,reports\n"
    "  curl -H \"X-Auth-Token: $(cat token)\" \\\n"
    "    \"http://127.0.0.1:7070/v3/$PROJECT/instances?datastore_type=MySQL\"\n"
    "\n"
    "Exit: 0 done, 1 failed, 2 usage or configuration.\n";

enum { O_STATE = 1001, O_NAME, O_ACTIONS, O_INSTANCES, O_EXPIRES };

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {"output", required_argument, NULL, 'o'},
    {"config", required_argument, NULL, 1000},
    {"state", required_argument, NULL, O_STATE},
    {"name", required_argument, NULL, O_NAME},
    {"actions", required_argument, NULL, O_ACTIONS},
    {"instances", required_argument, NULL, O_INSTANCES},
    {"expires", required_argument, NULL, O_EXPIRES},
    {NULL, 0, NULL, 0},
};

#define TOKEN_DEFAULT_S ((int64_t)86400)
#define TOKEN_MAX_S (365 * (int64_t)86400)
#define KEY_MAX_S (36500 * (int64_t)86400)

struct job {
    enum das_access_kind kind;
    const char *word; /* "key", "token" */
    struct das_common common;
    const char *state, *name, *actions, *instances, *expires;
    bool json;
    char **args;
    int arg_count;
    struct das_buf dir;
};

/* --- options ---------------------------------------------------------------------------------- */

static int set_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct job *j = arg;

    switch (option) {
    case 'o':
        j->json = strcmp(value, "json") == 0;
        if (j->json || strcmp(value, "table") == 0)
            return 0;
        return das_fail(err, DAS_E_USAGE, "-o: expected table or json, got \"%s\"", value);
    case O_STATE:
        j->state = value;
        return 0;
    case O_NAME:
        j->name = value;
        return 0;
    case O_ACTIONS:
        j->actions = value;
        return 0;
    case O_INSTANCES:
        j->instances = value;
        return 0;
    case O_EXPIRES:
        j->expires = value;
        return 0;
    default:
        return das_common_option(&j->common, option, value, err) < 0 ? -1 : 0;
    }
}

/* It stands in journals and logs, and in "ci (DASABC...)". */
static int set_name(const struct job *j, struct das_access *a, struct das_err *err)
{
    size_t len = j->name ? strlen(j->name) : 0;

    if (!j->name)
        return das_fail(err, DAS_E_USAGE, "whose %s? --name ci", j->word);
    if (!len || len >= sizeof a->name ||
        strspn(j->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.@") !=
            len)
        return das_fail(err, DAS_E_USAGE,
                        "--name: expected 1 to %zu letters, digits, \"_\", \"-\", \".\" or \"@\"",
                        sizeof a->name - 1);
    memcpy(a->name, j->name, len + 1);
    return 0;
}

static int set_expiry(const struct job *j, struct das_access *a, struct das_err *err)
{
    bool token = j->kind == DAS_ACCESS_TOKEN;
    int64_t s = token ? TOKEN_DEFAULT_S : 0, max = token ? TOKEN_MAX_S : KEY_MAX_S;

    if (j->expires && (!das_parse_duration(das_text_of(j->expires), &s) || s < 1 || s > max))
        return das_fail(err, DAS_E_USAGE,
                        "--expires: expected how long it is good, as in 12h or 30d, at most %lldd, "
                        "got \"%s\"",
                        (long long)(max / 86400), j->expires);
    a->expires_ms = s ? a->created_ms + s * 1000 : 0;
    return 0;
}

static int set_rights(const struct job *j, struct das_access *a, struct das_err *err)
{
    /* With --state no das.lua was read, so nothing is known of instances. */
    const struct das_inventory *inv = j->state ? NULL : j->common.inventory;

    if (das_rights_actions(j->actions ? j->actions : "read", a, err) < 0)
        return -1;
    if (!j->instances && das_rights_write(a))
        return das_fail(err, DAS_E_USAGE,
                        "--instances: where may it kill or change something? Names from das.lua, "
                        "tag:TAG, or '*' for all; or --actions read");
    return das_rights_instances(j->instances ? j->instances : "*", j->word, inv, a, err);
}

/* --- showing ---------------------------------------------------------------------------------- */

static void json_list(struct das_buf *b, const char *key, const char *list)
{
    das_json_key(b, key);
    das_buf_char(b, '[');
    while (*list) {
        size_t n = strcspn(list, " ");
        das_json_comma(b);
        das_json_text(b, das_text(list, n));
        list += n + (list[n] == ' ');
    }
    das_buf_char(b, ']');
}

static void json_time(struct das_buf *b, const char *key, int64_t ms)
{
    char text[32];

    das_clock_iso(ms / 1000, text, sizeof text);
    das_json_key_text(b, key, ms ? das_text_of(text) : DAS_TEXT_NULL);
}

static void json_access(struct das_buf *b, const struct das_access *a)
{
    das_json_key_text(b, "name", das_text_of(a->name));
    json_list(b, "actions", a->actions);
    json_list(b, "instances", a->instances);
    json_time(b, "created", a->created_ms);
    json_time(b, "expires", a->expires_ms);
}

/* --- create ----------------------------------------------------------------------------------- */

/* What becomes of the secrets that are made: they are on this stack only, and wiped. */
struct made {
    char secret[DAS_SECRET_KEY_SIZE];
    char token[DAS_TOKEN_SIZE];
    unsigned char hash[DAS_TOKEN_HASH];
    struct das_buf sealed;
};

struct sealed_keys {
    size_t count;
    char id[DAS_ACCESS_ID_SIZE];
};

static int count_sealed(void *arg, const struct das_access *a)
{
    struct sealed_keys *k = arg;

    if (a->kind == DAS_ACCESS_KEY && !a->revoked_ms && k->count++ == 0)
        memcpy(k->id, a->id, sizeof k->id);
    return 0;
}

/* Another master key beside the keys of a lost one would hide that it is lost. */
static int open_ring(const struct job *j, struct das_store *store, struct das_keyring **out,
                     struct das_err *err)
{
    struct sealed_keys sealed = {0};

    if (das_access_each(store, count_sealed, &sealed, err) < 0)
        return -1;
    if (das_keyring_open(j->dir.ptr, !sealed.count, out, err) == 0)
        return 0;
    if (sealed.count && err->code == DAS_E_CONFIG) {
        struct das_err why = *err;
        das_fail(err, DAS_E_CONFIG,
                 "%s; %zu key%s sealed with it, %s among them: put it back, or "
                 "revoke them",
                 why.msg, sealed.count, sealed.count == 1 ? " is" : "s are", sealed.id);
    }
    return -1;
}

static int make_key(const struct job *j, struct das_store *store, struct das_access *a,
                    struct made *m, struct das_err *err)
{
    struct das_keyring *ring = NULL;
    int rc = open_ring(j, store, &ring, err);

    if (rc == 0)
        rc = das_key_draw(a->id, m->secret, err);
    if (rc == 0)
        rc = das_keyring_seal(ring, a->id, das_text_of(m->secret), &m->sealed, err);
    das_keyring_close(ring);
    a->secret = das_buf_view(&m->sealed);
    return rc;
}

static int make_token(struct das_access *a, struct made *m, struct das_err *err)
{
    if (das_token_draw(a->id, m->token, err) < 0 ||
        das_token_hash(das_text_of(m->token), m->hash, err) < 0)
        return -1;
    a->secret = das_text((char *)m->hash, sizeof m->hash);
    return 0;
}

static int show_made(const struct job *j, const struct das_access *a, const struct made *m,
                     struct das_err *err)
{
    bool key = j->kind == DAS_ACCESS_KEY;
    struct das_buf b = {0};
    int rc;

    das_buf_reserve(&b, 4 * DAS_ACCESS_LIST_SIZE); /* at once, so that no copy is left behind */
    if (j->json) {
        das_buf_char(&b, '{');
        das_json_key_text(&b, key ? "access_key" : "id", das_text_of(a->id));
        das_json_key_text(&b, key ? "secret_key" : "token",
                          das_text_of(key ? m->secret : m->token));
        json_access(&b, a);
        das_buf_str(&b, "}\n");
    } else if (key) {
        das_buf_printf(&b, "access_key = %s\nsecret_key = %s\n", a->id, m->secret);
    } else {
        das_buf_printf(&b, "token = %s\n", m->token);
    }
    rc = das_write_out(&b, err);
    if (rc == 0 && fflush(stdout) != 0)
        rc = das_fail(err, DAS_E_IO, "the output could not be written");
    if (b.ptr)
        explicit_bzero(b.ptr, b.cap);
    das_buf_clear(&b);
    return rc;
}

/* Stored first: no secret is shown that would not be good. One that nobody has seen is revoked. */
static int keep_and_show(const struct job *j, struct das_store *store, const struct das_access *a,
                         const struct made *m, struct das_err *err)
{
    struct das_err ignored;
    char who[64];

    das_who(who, sizeof who);
    if (das_access_add(store, a, who, err) < 0)
        return -1;
    if (show_made(j, a, m, err) < 0) {
        bool revoked = das_access_revoke(store, a->id, who, &ignored) == 0;
        return das_fail(err, DAS_E_IO, "the secret could not be written: %s %s",
                        revoked ? "revoked again:" : "das key revoke", a->id);
    }
    fprintf(stderr, "das %s: keep it now, it is not shown again; das %s revoke %s ends it\n",
            j->word, j->word, a->id);
    return 0;
}

static int create(struct job *j, struct das_err *err)
{
    struct das_access a = {.kind = j->kind, .created_ms = das_clock_unix_ms()};
    struct das_store *store = NULL;
    static const struct made none;
    struct made m = none;
    int rc = -1;

    das_no_core_dumps();
    if (set_name(j, &a, err) == 0 && set_expiry(j, &a, err) == 0 && set_rights(j, &a, err) == 0 &&
        das_store_open(j->dir.ptr, &store, err) == 0)
        rc = j->kind == DAS_ACCESS_KEY ? make_key(j, store, &a, &m, err) : make_token(&a, &m, err);
    if (rc == 0)
        rc = keep_and_show(j, store, &a, &m, err);
    das_store_close(store);
    das_buf_clear(&m.sealed);
    explicit_bzero(&m, sizeof m);
    return rc;
}

/* --- list and revoke -------------------------------------------------------------------------- */

struct listing {
    const struct job *j;
    struct das_buf b;
    int64_t now_ms;
    size_t count;
};

static const char *state_of(const struct das_access *a, int64_t now_ms)
{
    return a->revoked_ms                              ? "revoked"
           : a->expires_ms && now_ms >= a->expires_ms ? "expired"
                                                      : "good";
}

static void row_json(struct listing *l, const struct das_access *a)
{
    das_json_comma(&l->b);
    das_buf_char(&l->b, '{');
    das_json_key_text(&l->b, "id", das_text_of(a->id));
    json_access(&l->b, a);
    json_time(&l->b, "revoked", a->revoked_ms);
    das_json_key_text(&l->b, "state", das_text_of(state_of(a, l->now_ms)));
    das_buf_char(&l->b, '}');
}

static void row_table(struct listing *l, const struct das_access *a)
{
    char created[32], expires[32] = "never";
    struct das_buf *b = &l->b;

    if (!l->count)
        das_buf_printf(b, "%-20s  %-20s  %-20s  %-16s  %-24s  %-24s  %s\n", "id", "created",
                       "expires", "name", "instances", "actions", "state");
    das_clock_iso(a->created_ms / 1000, created, sizeof created);
    if (a->expires_ms)
        das_clock_iso(a->expires_ms / 1000, expires, sizeof expires);
    das_buf_printf(b, "%-20s  %-20s  %-20s  %-16s  ", a->id, created, expires, a->name);
    for (int i = 0; i < 2; i++) {
        size_t from = b->len;
        if (i)
            das_rights_show(a->actions, b);
        else
            for (const char *p = a->instances; *p; p++)
                das_buf_char(b, *p == ' ' ? ',' : *p);
        das_buf_fill(b, ' ', b->len - from < 24 ? 24 - (b->len - from) + 2 : 2);
    }
    das_buf_printf(b, "%s\n", state_of(a, l->now_ms));
}

static int add_row(void *arg, const struct das_access *a)
{
    struct listing *l = arg;

    if (a->kind != l->j->kind)
        return 0;
    if (l->j->json)
        row_json(l, a);
    else
        row_table(l, a);
    l->count++;
    return 0;
}

static int list(struct job *j, struct das_err *err)
{
    struct listing l = {.j = j, .now_ms = das_clock_unix_ms()};
    struct das_store *store = NULL;
    int rc = das_store_open_to_read(j->dir.ptr, &store, err);

    if (j->json)
        das_buf_printf(&l.b, "{\"%ss\":[", j->word);
    if (rc == 0 && store)
        rc = das_access_each(store, add_row, &l, err);
    if (j->json)
        das_buf_str(&l.b, "]}\n");
    if (rc == 0)
        rc = das_write_out(&l.b, err);
    if (rc == 0 && !l.count)
        fprintf(stderr, "das %s: there is none in %s yet\n", j->word, j->dir.ptr);
    das_store_close(store);
    das_buf_clear(&l.b);
    return rc;
}

struct finding {
    const char *id;
    enum das_access_kind kind;
    bool found;
};

static int find(void *arg, const struct das_access *a)
{
    struct finding *f = arg;

    if (strcmp(a->id, f->id) != 0)
        return 0;
    f->found = true;
    f->kind = a->kind;
    return 1;
}

static int revoke_in(const struct job *j, struct das_store *store, const char *id,
                     struct das_err *err)
{
    struct finding f = {.id = id};
    char who[64];

    if (das_access_each(store, find, &f, err) < 0)
        return -1;
    if (f.found && f.kind != j->kind)
        return das_fail(err, DAS_E_USAGE, "%s is a %s: das %s revoke %s", id,
                        f.kind == DAS_ACCESS_KEY ? "key" : "token",
                        f.kind == DAS_ACCESS_KEY ? "key" : "token", id);
    if (!f.found)
        return das_fail(err, DAS_E_USAGE, "no %s \"%.100s\"; das %s list shows what there is",
                        j->word, id, j->word);
    das_who(who, sizeof who);
    if (das_access_revoke(store, id, who, err) < 0)
        return -1;
    printf("revoked %s\n", id);
    return 0;
}

static int revoke(struct job *j, struct das_err *err)
{
    struct das_store *store = NULL;
    int rc = das_store_open_to_read(j->dir.ptr, &store, err);

    /* Looking first makes no database where there is none. */
    if (rc == 0 && !store)
        rc = das_fail(err, DAS_E_USAGE, "no %s \"%.100s\": there is none in %s yet", j->word,
                      j->args[0], j->dir.ptr);
    das_store_close(store);
    store = NULL;
    if (rc == 0)
        rc = das_store_open(j->dir.ptr, &store, err);
    if (rc == 0)
        rc = revoke_in(j, store, j->args[0], err);
    das_store_close(store);
    return rc;
}

/* --- which of them ---------------------------------------------------------------------------- */

static const struct verb {
    const char *name;
    int (*run)(struct job *j, struct das_err *err);
    int args;
} verbs[] = {{"create", create, 0}, {"list", list, 0}, {"revoke", revoke, 1}};
#define VERBS (sizeof verbs / sizeof verbs[0])

static const struct verb *find_verb(const struct job *j, const char *word, struct das_err *err)
{
    const char *names[VERBS], *near;

    for (size_t i = 0; i < VERBS; i++) {
        names[i] = verbs[i].name;
        if (word && strcmp(word, names[i]) == 0)
            return &verbs[i];
    }
    near = word ? das_nearest(word, names, VERBS) : NULL;
    if (near)
        das_fail(err, DAS_E_USAGE, "unknown \"%s\"; did you mean das %s %s?", word, j->word, near);
    else
        das_fail(err, DAS_E_USAGE, "expected das %s create, list or revoke", j->word);
    return NULL;
}

/* An option that would be passed over in silence is a mistake. */
static int check(const struct job *j, const struct verb *v, struct das_err *err)
{
    const struct {
        const char *option, *value;
    } of_create[] = {{"--name", j->name},
                     {"--actions", j->actions},
                     {"--instances", j->instances},
                     {"--expires", j->expires}};

    if (j->arg_count != v->args)
        return das_fail(err, DAS_E_USAGE, "das %s %s: expected %s, got %d argument%s", j->word,
                        v->name, v->args ? "one ID" : "options only", j->arg_count,
                        j->arg_count == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof of_create / sizeof *of_create && v->run != create; i++) {
        if (of_create[i].value)
            return das_fail(err, DAS_E_USAGE, "%s is of das %s create", of_create[i].option,
                            j->word);
    }
    if (j->json && v->run == revoke)
        return das_fail(err, DAS_E_USAGE, "-o is of das %s create and list", j->word);
    if (j->state && j->common.config)
        return das_fail(err, DAS_E_USAGE, "--config and --state: with --state no das.lua is read");
    return 0;
}

static int run_verb(struct job *j, struct das_err *err)
{
    const struct verb *v = find_verb(j, j->args[0], err);

    if (!v)
        return -1;
    j->args++;
    j->arg_count--;
    if (check(j, v, err) < 0 || das_common_state_at(&j->common, j->state, &j->dir, err) < 0)
        return -1;
    return v->run(j, err);
}

static int run(enum das_access_kind kind, const char *word, const char *help, int argc, char **argv)
{
    struct job j = {.kind = kind, .word = word};
    const struct das_options o = {help, ":ho:", options, set_option, &j};
    struct das_err err;
    int rc = -1;

    if (das_common_init(&j.common, &err) == 0)
        rc = das_options_read(&o, argc, argv, &err);
    j.args = argv + optind;
    j.arg_count = argc - optind;
    if (rc < 0 || (rc == 0 && run_verb(&j, &err) < 0))
        rc = das_complain(word, &err);
    else
        rc = DAS_EXIT_DONE;
    das_buf_clear(&j.dir);
    das_common_clear(&j.common);
    return rc;
}

int das_cmd_key(int argc, char **argv)
{
    return run(DAS_ACCESS_KEY, "key", key_help, argc, argv);
}

int das_cmd_token(int argc, char **argv)
{
    return run(DAS_ACCESS_TOKEN, "token", token_help, argc, argv);
}
