/*
 * err.h - what went wrong, for people and for programs.
 *
 * Every function that can fail returns 0 or -1 (or NULL) and fills a struct das_err given by the
 * caller. Messages name the field or file and what was expected; they never hold secrets.
 */
#ifndef DAS_BASE_ERR_H
#define DAS_BASE_ERR_H

#include <stdarg.h>

enum das_code {
    DAS_OK = 0,
    DAS_E_USAGE,       /* the caller's arguments: a wrong option, key, type or range */
    DAS_E_CONFIG,      /* das.lua */
    DAS_E_DATA,        /* input that cannot be read: damaged file, wrong answer */
    DAS_E_IO,          /* a file or pipe failed */
    DAS_E_CONNECT,     /* no connection, or it was lost */
    DAS_E_TIMEOUT,     /* no answer in time */
    DAS_E_AUTH,        /* who we are was not accepted */
    DAS_E_DENIED,      /* we may not do that: privilege or grant missing */
    DAS_E_UNSUPPORTED, /* this source cannot do that */
    DAS_E_BLOCKED,     /* a guard said no */
    DAS_E_BUSY,        /* the other side has too much to do: later, or less often */
    DAS_E_STORE,       /* the state database cannot be read or written */
    DAS_E_SCRIPT,      /* a Lua script raised */
    DAS_E_LIMIT,       /* a limit of a run struck */
    DAS_E_CANCELLED,   /* somebody asked for the end */
    DAS_E_STUCK,       /* over a limit, and not to be interrupted */
    DAS_E_NOMEM,
    DAS_E_INTERNAL,
};

struct das_err {
    enum das_code code;
    char msg[1000];
};

/* Fills err and returns -1, so that `return das_fail(err, ...)` reads well. */
int das_fail(struct das_err *err, enum das_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Out of memory, in one word. Returns -1. */
int das_fail_nomem(struct das_err *err);

/* Puts "PREFIX: " before the message. */
void das_err_prefix(struct das_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A stable lower-case word for scripts and JSON: "timeout", "denied", ... */
const char *das_code_name(enum das_code code);

#endif
