/*
 * direct.c - lists and kills through a source alone, without plan and guards around it.
 *
 *     direct mysql://...  [mysql://... ]
 *
 * Each argument is a source of its own; commands work on the first, or on the one that "use N"
 * (counted from 1) named last. Standard input, one command a line; the answer ends with ".":
 *     list                    a line for each session: ID USER COMMAND QUERY_ID TRX_ID PROTECTED
 *                             (tabs between; "-" for what is not known or not so)
 *     kill WHAT ID QUERY_ID   statement, soft, busy or idle; QUERY_ID "-" is unknown; prints
 *                             killed, gone, failed or unknown, and why
 *     soft                    why there is no soft kill, or "-"
 * For tests only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/plan/protect.h"
#include "core/source/source_kill.h"

#define SOURCES_MAX 8

static void put_int(int64_t v)
{
    if (das_known(v))
        printf("\t%lld", (long long)v);
    else
        printf("\t-");
}

static void list(struct das_source *s)
{
    struct das_snapshot *snap = NULL;
    struct das_roles roles;
    struct das_err err = {0};
    struct das_buf reason = {0};

    das_roles_init(&roles);
    if (das_source_list(s, NULL, &snap, &err) < 0 || das_roles_collect(snap, &roles, &err) < 0) {
        printf("! %s: %s\n", das_code_name(err.code), err.msg);
        goto done;
    }
    for (uint32_t row = 0; row < das_snapshot_rows(snap); row++) {
        struct das_session one;
        das_snapshot_get(snap, row, &one);
        das_buf_reset(&reason);
        printf("%lld\t%.*s\t%.*s", (long long)one.id, (int)one.user.len, one.user.ptr,
               (int)one.command.len, one.command.ptr);
        put_int(one.query_id);
        put_int(one.trx_id);
        printf("\t%s\n", das_protected(NULL, &roles, snap, &one, &reason) ? reason.ptr : "-");
    }
done:
    das_buf_clear(&reason);
    das_roles_clear(&roles);
    das_snapshot_release(snap);
}

static void kill_one(struct das_source *s, const char *what, int64_t id, const char *query_id)
{
    static const char *const whats[] = {"statement", "soft", "busy", "idle"};
    static const char *const results[] = {"killed", "gone", "failed", "unknown"};
    int64_t number = strcmp(query_id, "-") == 0 ? DAS_UNKNOWN : strtoll(query_id, NULL, 10);

    for (int i = 0; i < 4; i++) {
        struct das_err err = {0};
        if (strcmp(what, whats[i]) == 0) {
            enum das_kill_result r = das_source_kill(s, &(struct das_kill_order){.what = (enum das_kill_what)i, .id = id, .query_id = number}, &err);
            printf("%s %s\n", results[r], err.msg);
            return;
        }
    }
    printf("! kill what?\n");
}

int main(int argc, char **argv)
{
    struct das_source *sources[SOURCES_MAX] = {NULL}, *s;
    struct das_err err = {0};
    char line[1000], what[20], query_id[30];
    long long id;
    int n;

    if (argc < 2 || argc > SOURCES_MAX + 1) {
        fprintf(stderr, "usage: direct SPEC...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        struct das_source_conf conf = {.spec = argv[i]};
        if (das_source_open(&conf, &sources[i - 1], &err) < 0) {
            fprintf(stderr, "%s\n", err.msg);
            return 1;
        }
    }
    s = sources[0];
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "list\n") == 0)
            list(s);
        else if (strcmp(line, "soft\n") == 0)
            printf("%s\n", das_source_cannot_soft(s) ? das_source_cannot_soft(s) : "-");
        else if (sscanf(line, "use %d", &n) == 1 && n >= 1 && n < argc)
            s = sources[n - 1];
        else if (sscanf(line, "kill %19s %lld %29s", what, &id, query_id) == 3)
            kill_one(s, what, id, query_id);
        else
            printf("! what?\n");
        puts(".");
        fflush(stdout);
    }
    for (int i = 0; i < SOURCES_MAX; i++)
        das_source_close(sources[i]);
    return 0;
}
