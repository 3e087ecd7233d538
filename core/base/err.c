/* err.c - see err.h. Allocates nothing, so it works when memory is gone. */
#include "core/base/err.h"

#include <stdio.h>
#include <string.h>

int das_fail(struct das_err *err, enum das_code code, const char *fmt, ...)
{
    va_list ap;

    err->code = code;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return -1;
}

int das_fail_nomem(struct das_err *err)
{
    return das_fail(err, DAS_E_NOMEM, "out of memory");
}

void das_err_prefix(struct das_err *err, const char *fmt, ...)
{
    char old[sizeof err->msg];
    size_t room, len = strlen(err->msg);
    va_list ap;
    int n;

    memcpy(old, err->msg, sizeof old);
    va_start(ap, fmt);
    n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 3 > sizeof err->msg)
        return;
    room = sizeof err->msg - (size_t)n - 3; /* the end is cut off, if anything */
    memcpy(err->msg + n, ": ", 2);
    if (len > room)
        len = room;
    memcpy(err->msg + n + 2, old, len);
    err->msg[(size_t)n + 2 + len] = '\0';
}

const char *das_code_name(enum das_code code)
{
    switch (code) {
    case DAS_OK:
        return "ok";
    case DAS_E_USAGE:
        return "usage";
    case DAS_E_CONFIG:
        return "config";
    case DAS_E_DATA:
        return "data";
    case DAS_E_IO:
        return "io";
    case DAS_E_CONNECT:
        return "connect";
    case DAS_E_TIMEOUT:
        return "timeout";
    case DAS_E_AUTH:
        return "auth";
    case DAS_E_DENIED:
        return "denied";
    case DAS_E_UNSUPPORTED:
        return "unsupported";
    case DAS_E_BLOCKED:
        return "blocked";
    case DAS_E_BUSY:
        return "busy";
    case DAS_E_STORE:
        return "store";
    case DAS_E_SCRIPT:
        return "script";
    case DAS_E_LIMIT:
        return "limit";
    case DAS_E_CANCELLED:
        return "cancelled";
    case DAS_E_STUCK:
        return "stuck";
    case DAS_E_NOMEM:
        return "nomem";
    case DAS_E_INTERNAL:
        return "internal";
    }
    return "internal";
}
