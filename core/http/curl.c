/* curl.c - see curl.h. The library stays loaded for the rest of the process. */
#define DAS_CURL_LOADER
#include "core/http/curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"

struct das_curl das_curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *trouble = "not loaded";

static void load(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL), *f;

    if (!library) {
        trouble = LIBRARY " cannot be loaded";
        return;
    }
/* memcpy, because C has no other way from an object pointer to a function's */
#define LOOK_UP(name)                                                                              \
    f = dlsym(library, #name);                                                                     \
    if (!f) {                                                                                      \
        trouble = LIBRARY " has no " #name;                                                        \
        return;                                                                                    \
    }                                                                                              \
    memcpy(&das_curl.name##_, &f, sizeof f);
    DAS_CURL_FUNCTIONS(LOOK_UP)
    trouble = das_curl.curl_global_init_(CURL_GLOBAL_DEFAULT) == CURLE_OK
                  ? NULL
                  : LIBRARY " does not start";
}

int das_curl_load(struct das_err *err)
{
    pthread_once(&once, load);
    return trouble ? das_fail(err, DAS_E_UNSUPPORTED, "no HTTP: %s", trouble) : 0;
}
