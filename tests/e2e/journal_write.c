/*
 * journal_write.c - a run that writes what it is told into a journal, for tests of das audit.
 *
 *     journal_write DIR end|die <RECORDS
 *     journal_write DIR sql <STATEMENTS
 *
 * A record a line: "KIND MEMBERS", or "outcome:SEQ MEMBERS". Each is a commit. At the end it either
 * closes the journal or kills itself. sql is somebody else's hand in the database: das is not
 * asked.
 */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/store/journal.h"

static int add(struct das_store *s, char *line, struct das_err *err)
{
    char *members = strchr(line, ' '), *colon;
    struct das_record r = {.kind = line};

    line[strcspn(line, "\n")] = '\0';
    if (members) {
        *members++ = '\0';
        r.members = das_text_of(members);
    }
    colon = strchr(line, ':');
    if (colon) {
        *colon = '\0';
        r.closes = atoll(colon + 1);
    }
    return das_journal_add(s, &r, 1, err);
}

static int past_das(const char *dir)
{
    char path[1000], line[4000], *msg = NULL;
    sqlite3 *db = NULL;
    int rc;

    snprintf(path, sizeof path, "%s/das.db", dir);
    rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    while (rc == SQLITE_OK && fgets(line, sizeof line, stdin))
        rc = sqlite3_exec(db, line, NULL, NULL, &msg);
    if (rc != SQLITE_OK)
        fprintf(stderr, "journal_write: %s\n", msg ? msg : sqlite3_errmsg(db));
    sqlite3_free(msg);
    sqlite3_close(db);
    return rc != SQLITE_OK;
}

int main(int argc, char **argv)
{
    struct das_store *s = NULL;
    struct das_err err = {0};
    char line[4000];

    if (argc == 3 && strcmp(argv[2], "sql") == 0)
        return past_das(argv[1]);
    if (argc != 3 || das_store_open(argv[1], &s, &err) < 0) {
        fprintf(stderr, "journal_write: %s\n", err.msg);
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        if (add(s, line, &err) < 0) {
            fprintf(stderr, "journal_write: %s\n", err.msg);
            return 1;
        }
    }
    if (strcmp(argv[2], "die") == 0)
        raise(SIGKILL);
    das_store_close(s);
    return 0;
}
