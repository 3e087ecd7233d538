/*
 * credential_read.c - reads keys from where somebody put them: the environment, places of secrets,
 * a file, what a program prints. Asks nobody over the network and keeps nothing.
 */
#include "core/cloud/credential_impl.h"

#include <stdlib.h>

#include "core/base/calendar.h"
#include "core/base/command.h"
#include "core/base/private_file.h"
#include "core/cloud/credential_json.h"

#define COMMAND_MAX ((size_t)65536) /* bytes that it may print */
#define COMMAND_MS 10000

const char *das_credential_env(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static int finish(const struct das_cloud_key *found, struct das_cloud_key **out,
                  struct das_err *err)
{
    *out = das_cloud_key_new(found, err);
    return *out ? 0 : -1;
}

static int read_environment(struct das_cloud_key **out, struct das_err *err)
{
    const struct das_cloud_key found = {.access = das_text_of(das_credential_env(DAS_ENV_ACCESS)),
                                        .secret = das_text_of(das_credential_env(DAS_ENV_SECRET)),
                                        .security_token =
                                            das_text_of(das_credential_env(DAS_ENV_TOKEN))};
    const char *missing = NULL;

    if (!found.access.ptr)
        missing = found.secret.ptr ? DAS_ENV_ACCESS " is not" : "neither is, and das.lua names no cloud";
    else if (!found.secret.ptr)
        missing = DAS_ENV_SECRET " is not";
    if (missing)
        return das_fail(err, DAS_E_CONFIG,
                        "the environment: " DAS_ENV_ACCESS " and " DAS_ENV_SECRET
                        " have to be set; %s",
                        missing);
    if (finish(&found, out, err) == 0)
        return 0;
    if (err->code != DAS_E_NOMEM)
        das_err_prefix(err, "the environment");
    return -1;
}

static int read_places(const struct das_credential_conf *conf, struct das_cloud_key **out,
                       struct das_err *err)
{
    struct das_cloud_key found = {.access = das_text_of(conf->access_key)};
    const struct das_secret *s;
    struct das_vault vault;
    int rc = -1;

    das_vault_init(&vault);
    s = das_vault_read(&vault, conf->kind == DAS_CREDENTIAL_TOKEN ? conf->token : conf->secret_key,
                       err);
    if (!s)
        goto done;
    if (conf->kind == DAS_CREDENTIAL_TOKEN)
        found.token = das_secret_value(s);
    else
        found.secret = das_secret_value(s);
    if (conf->kind == DAS_CREDENTIAL_KEYS && conf->security_token) {
        s = das_vault_read(&vault, conf->security_token, err);
        if (!s)
            goto done;
        found.security_token = das_secret_value(s);
    }
    rc = finish(&found, out, err);
done:
    das_vault_clear(&vault);
    return rc;
}

/* Writes to text. */
static int read_json(const char *from, char *text, size_t len, struct das_cloud_key **out,
                     struct das_err *err)
{
    struct das_credential_json json;
    struct das_cloud_key found = {0};

    if (das_credential_json_read(text, len, &json, err) < 0)
        goto fail;
    if (!json.access.ptr || !json.secret.ptr) {
        das_fail(err, DAS_E_CONFIG, "expected \"access\" and \"secret\", \"%s\" is not there",
                 json.access.ptr ? "secret" : "access");
        goto fail;
    }
    found.access = json.access;
    found.secret = json.secret;
    if (json.security_token.len)
        found.security_token = json.security_token;
    if (json.expires_at.ptr && das_time_parse(json.expires_at, &found.expires, err) < 0) {
        das_fail(err, DAS_E_CONFIG, "\"expires_at\": expected a time like 2026-01-31T08:00:00Z");
        goto fail;
    }
    if (finish(&found, out, err) == 0)
        return 0;
fail:
    if (err->code != DAS_E_NOMEM)
        das_err_prefix(err, "%s", from);
    return -1;
}

static int read_file(const char *path, struct das_cloud_key **out, struct das_err *err)
{
    struct das_private file;
    int rc;

    if (das_private_read(path, &file, err) < 0)
        return -1;
    rc = file.exposed ? das_private_exposed(path, "secret key", err)
                      : read_json(path, file.ptr, file.len, out, err);
    das_private_clear(&file);
    return rc;
}

static int read_command(const char *const *argv, const struct das_patience *patience,
                        struct das_cloud_key **out, struct das_err *err)
{
    const struct das_command command = {
        .argv = argv, .max = COMMAND_MAX, .total_ms = COMMAND_MS, .patience = patience};
    struct das_command_output printed;
    int rc;

    if (das_command_run(&command, &printed, err) < 0)
        return -1;
    rc = read_json(argv[0], printed.ptr, printed.len, out, err);
    das_command_output_clear(&printed);
    return rc;
}

int das_credential_read(const struct das_credential_conf *conf, const struct das_patience *patience,
                        struct das_cloud_key **out, struct das_err *err)
{
    switch (conf->kind) {
    case DAS_CREDENTIAL_ENVIRONMENT:
        return read_environment(out, err);
    case DAS_CREDENTIAL_KEYS:
    case DAS_CREDENTIAL_TOKEN:
        return read_places(conf, out, err);
    case DAS_CREDENTIAL_FILE:
        return read_file(conf->file, out, err);
    case DAS_CREDENTIAL_COMMAND:
        return read_command(conf->command, patience, out, err);
    case DAS_CREDENTIAL_PASSWORD:
        break;
    }
    return das_fail(err, DAS_E_INTERNAL, "a token is asked for, not read");
}
