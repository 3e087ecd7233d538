/*
 * http_run.c - runs one script with given grants, limits and secrets, for http.t.
 *
 *     http_run [grant=NAME | requests=N | bytes=N | wall=MS | secret=NAME:FILE]... SCRIPT
 *
 * Exit 0: ran to its end; 1: not, and why is on stderr. What it used is there in any case.
 */
#include "bindings/engine.h"

#include <stdlib.h>

static void die(const struct das_err *err)
{
    fprintf(stderr, "%s\n", err->msg);
    exit(1);
}

int main(int argc, char **argv)
{
    struct das_err err;
    struct das_engine_result result;
    struct das_limits limits = das_limits_default;
    struct das_secrets secrets;
    char *names[32];
    struct das_grants grants = {names, 0};
    struct das_inventory *inventory = das_inventory_new(&err);
    struct das_engine_opts opts = {.inventory = inventory,
                                   .limits = &limits,
                                   .grants = &grants,
                                   .secrets = &secrets,
                                   .out = stdout,
                                   .log = stderr};
    int rc;

    das_secrets_init(&secrets);
    if (!inventory || argc < 2)
        return 2;
    for (int i = 1; i < argc - 1; i++) {
        char *value = strchr(argv[i], '='), *where;
        if (!value || grants.count == 32)
            return 2;
        *value++ = '\0';
        if (strcmp(argv[i], "grant") == 0) {
            names[grants.count++] = value;
        } else if (strcmp(argv[i], "requests") == 0) {
            limits.http_requests = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "bytes") == 0) {
            limits.http_bytes = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "wall") == 0) {
            limits.wall_ms = atoll(value);
        } else if (strcmp(argv[i], "secret") == 0 && (where = strchr(value, ':'))) {
            *where++ = '\0';
            if (das_secrets_add(&secrets, value, DAS_SECRET_FILE, where, &err) < 0)
                die(&err);
        } else {
            return 2;
        }
    }
    opts.path = argv[argc - 1];
    rc = das_engine_run(&opts, &result, &err);
    fprintf(stderr, "used: %llu requests, %llu bytes, %lld ms\n",
            (unsigned long long)result.used.http_requests,
            (unsigned long long)result.used.http_bytes, (long long)result.used.wall_ms);
    das_engine_result_clear(&result);
    das_secrets_clear(&secrets);
    das_inventory_free(inventory);
    if (rc < 0)
        die(&err);
    return 0;
}
