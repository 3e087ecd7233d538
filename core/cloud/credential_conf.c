/*
 * credential_conf.c - what a credential was configured as: checked, copied, and told to people.
 * Reads no secret.
 */
#include "core/cloud/credential_impl.h"

#include "core/cloud/endpoint.h"
#include "core/cloud/iam.h"

static int missing(const char *what, struct das_err *err)
{
    return das_fail(err, DAS_E_CONFIG, "credential: %s: is missing or empty", what);
}

static bool some(const char *s)
{
    return s && *s;
}

static int check_kind(const struct das_credential_conf *conf, struct das_err *err)
{
    switch (conf->kind) {
    case DAS_CREDENTIAL_ENVIRONMENT:
        return 0;
    case DAS_CREDENTIAL_KEYS:
        if (!some(conf->access_key))
            return missing("access_key", err);
        if (!das_access_key_valid(das_text_of(conf->access_key)))
            return das_fail(err, DAS_E_CONFIG,
                            "credential: access_key: expected up to 128 visible "
                            "characters without \",\" and \"/\"");
        return conf->secret_key ? 0 : missing("secret_key", err);
    case DAS_CREDENTIAL_FILE:
        return some(conf->file) ? 0 : missing("file", err);
    case DAS_CREDENTIAL_COMMAND:
        if (!conf->command || !some(conf->command[0]))
            return missing("command", err);
        if (conf->command[0][0] != '/')
            return das_fail(err, DAS_E_CONFIG, "credential: command: expected an absolute path");
        return 0;
    case DAS_CREDENTIAL_PASSWORD:
        if (!some(conf->domain))
            return missing("domain", err);
        if (!some(conf->user))
            return missing("user", err);
        return conf->password ? 0 : missing("password", err);
    case DAS_CREDENTIAL_TOKEN:
        return conf->token ? 0 : missing("token", err);
    }
    return das_fail(err, DAS_E_INTERNAL, "credential: no such kind");
}

int das_credential_conf_check(const struct das_credential_conf *conf, struct das_err *err)
{
    struct das_endpoint at;

    if (check_kind(conf, err) < 0)
        return -1;
    if (some(conf->domain_id) && !das_project_valid(conf->domain_id))
        return das_fail(err, DAS_E_CONFIG,
                        "credential: domain_id: expected up to 64 letters and digits");
    if (conf->connect_ms < 0 || conf->total_ms < 0)
        return das_fail(err, DAS_E_CONFIG, "credential: a time limit is negative");
    if (some(conf->iam_endpoint))
        return das_endpoint_parse("credential: iam_endpoint", conf->iam_endpoint, conf->insecure,
                                  &at, err);
    return 0;
}

/* Each of these puts a copy where the original was; NULL stays NULL, and so does what is empty. */
static int copy_texts(struct das_arena *a, struct das_credential_conf *conf)
{
    const char **texts[] = {&conf->access_key, &conf->file,         &conf->domain, &conf->user,
                            &conf->domain_id,  &conf->iam_endpoint, &conf->ca};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = *texts[i];
        *texts[i] = some(text) ? das_arena_dup(a, text, strlen(text) + 1) : NULL;
        if (some(text) && !*texts[i])
            return -1;
    }
    return 0;
}

static int copy_place(struct das_arena *a, const struct das_secret_place **place)
{
    struct das_secret_place *copy;

    if (!*place)
        return 0;
    copy = das_arena_alloc(a, sizeof *copy);
    if (!copy)
        return -1;
    copy->from = (*place)->from;
    copy->name = das_arena_dup(a, (*place)->name, strlen((*place)->name) + 1);
    copy->where = das_arena_dup(a, (*place)->where, strlen((*place)->where) + 1);
    *place = copy;
    return copy->name && copy->where ? 0 : -1;
}

static int copy_command(struct das_arena *a, const char *const **command)
{
    const char **copy;
    size_t n = 0;

    if (!*command)
        return 0;
    while ((*command)[n])
        n++;
    copy = das_arena_alloc(a, (n + 1) * sizeof *copy);
    if (!copy)
        return -1;
    for (size_t i = 0; i < n; i++) {
        copy[i] = das_arena_dup(a, (*command)[i], strlen((*command)[i]) + 1);
        if (!copy[i])
            return -1;
    }
    copy[n] = NULL;
    *command = copy;
    return 0;
}

int das_credential_conf_copy(struct das_arena *a, struct das_credential_conf *conf)
{
    return copy_texts(a, conf) < 0 || copy_place(a, &conf->secret_key) < 0 ||
                   copy_place(a, &conf->security_token) < 0 || copy_place(a, &conf->password) < 0 ||
                   copy_place(a, &conf->token) < 0 || copy_command(a, &conf->command) < 0
               ? -1
               : 0;
}

static void describe_place(const struct das_secret_place *p, struct das_buf *b)
{
    static const char *const words[] = {[DAS_SECRET_FILE] = "file",
                                        [DAS_SECRET_ENV] = "variable",
                                        [DAS_SECRET_CREDENTIAL] = "systemd credential"};

    das_buf_printf(b, "the %s %s", words[p->from], p->where);
}

void das_credential_conf_describe(const struct das_credential_conf *conf, struct das_buf *b)
{
    const char *env;

    switch (conf->kind) {
    case DAS_CREDENTIAL_ENVIRONMENT:
        env = das_credential_env(DAS_ENV_ACCESS);
        if (env)
            das_buf_printf(b, "access key %.4s... from the environment", env);
        else
            das_buf_str(b, "access key from the environment, where " DAS_ENV_ACCESS " is not set");
        break;
    case DAS_CREDENTIAL_KEYS:
        das_buf_printf(b, "access key %.4s..., its secret from ", conf->access_key);
        describe_place(conf->secret_key, b);
        break;
    case DAS_CREDENTIAL_FILE:
        das_buf_printf(b, "temporary keys in %s", conf->file);
        break;
    case DAS_CREDENTIAL_COMMAND:
        das_buf_printf(b, "temporary keys printed by %s", conf->command[0]);
        break;
    case DAS_CREDENTIAL_PASSWORD:
        das_buf_printf(b, "user %s of domain %s at IAM", conf->user, conf->domain);
        break;
    case DAS_CREDENTIAL_TOKEN:
        das_buf_str(b, "a token from ");
        describe_place(conf->token, b);
        break;
    }
}
