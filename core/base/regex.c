/*
 * regex.c - see regex.h. The only file that knows PCRE2; the library stays loaded for the rest of the
 * process.
 */
#include "core/base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "core/base/mem.h"

#define LIBRARY "libpcre2-8.so.0"

/* A pattern that backtracks over a statement of usual length stays far below; what would take
 * seconds gives up after some 20 ms. */
#define MATCH_LIMIT 1000000u
#define HEAP_LIMIT_KB 16384u
#define PATTERN_MAX 65536u

#define FUNCTIONS(X)                                                                               \
    X(pcre2_compile) X(pcre2_code_free) X(pcre2_get_error_message) X(pcre2_jit_compile)            \
    X(pcre2_match) X(pcre2_pattern_info) X(pcre2_general_context_create)                           \
    X(pcre2_general_context_free) X(pcre2_compile_context_create) X(pcre2_compile_context_free)    \
    X(pcre2_set_max_pattern_length) X(pcre2_match_context_create) X(pcre2_match_context_free)      \
    X(pcre2_set_match_limit) X(pcre2_set_depth_limit) X(pcre2_set_heap_limit)                      \
    X(pcre2_match_data_create_from_pattern) X(pcre2_match_data_free)                               \
    X(pcre2_get_ovector_pointer) X(pcre2_get_ovector_count)

/* pcre2_compile is pcre2_compile_8 to the linker: the argument is expanded first. */
#define JOIN(a, b) a##b
#define SPELL(name) #name
#define NAME_OF(name) SPELL(name)
#define MEMBER(name) JOIN(name, _p)
#define DECLARE(name) __typeof__(name) *MEMBER(name);
static struct {
    FUNCTIONS(DECLARE)
} lib;
#define CALL(name) (*lib.MEMBER(name))

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
    f = dlsym(library, NAME_OF(name));                                                             \
    if (!f) {                                                                                      \
        trouble = LIBRARY " has no " NAME_OF(name);                                                \
        return;                                                                                    \
    }                                                                                              \
    memcpy(&lib.MEMBER(name), &f, sizeof f);
    FUNCTIONS(LOOK_UP)
    trouble = NULL;
}

struct das_regex {
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    pcre2_code *code;
    size_t bytes;
};

static void *take(size_t size, void *data)
{
    (void)data;
    return das_alloc(size);
}

static void give_back(void *p, void *data)
{
    (void)data;
    das_free(p);
}

/* --- compiling ---------------------------------------------------------------------------------- */

static int read_flags(const char *flags, uint32_t *options, struct das_err *err)
{
    /* Without "u" a pattern cannot ask for UTF-8 either: then text that is none would be an error. */
    *options = PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF;
    for (const char *f = flags ? flags : ""; *f; f++) {
        switch (*f) {
        case 'i': *options |= PCRE2_CASELESS; break;
        case 'm': *options |= PCRE2_MULTILINE; break;
        case 's': *options |= PCRE2_DOTALL; break;
        case 'x': *options |= PCRE2_EXTENDED; break;
        case 'u':
            *options &= ~PCRE2_NEVER_UTF;
            *options |= PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF;
            break;
        default:
            return das_fail(err, DAS_E_USAGE, "unknown flag \"%c\"; expected some of \"imsxu\"", *f);
        }
    }
    return 0;
}

static int bad_pattern(int code, size_t at, struct das_text pattern, struct das_err *err)
{
    char text[200] = "it cannot be compiled";

    CALL(pcre2_get_error_message)(code, (PCRE2_UCHAR *)text, sizeof text);
    return das_fail(err, DAS_E_USAGE, "bad pattern \"%.*s\": %s, at byte %zu",
                    (int)(pattern.len > 200 ? 200 : pattern.len), pattern.ptr, text, at + 1);
}

static int compile(struct das_regex *re, struct das_text pattern, uint32_t options,
                   struct das_err *err)
{
    pcre2_compile_context *c;
    size_t at = 0, size = 0;
    int code = 0;
    bool jit;

    re->memory = CALL(pcre2_general_context_create)(take, give_back, NULL);
    re->limits = re->memory ? CALL(pcre2_match_context_create)(re->memory) : NULL;
    c = re->limits ? CALL(pcre2_compile_context_create)(re->memory) : NULL;
    if (!c)
        return das_fail_nomem(err);
    CALL(pcre2_set_match_limit)(re->limits, MATCH_LIMIT);
    CALL(pcre2_set_depth_limit)(re->limits, MATCH_LIMIT);
    CALL(pcre2_set_heap_limit)(re->limits, HEAP_LIMIT_KB);
    CALL(pcre2_set_max_pattern_length)(c, PATTERN_MAX);
    re->code = CALL(pcre2_compile)((PCRE2_SPTR)pattern.ptr, pattern.len, options, &code, &at, c);
    CALL(pcre2_compile_context_free)(c);
    if (!re->code)
        return code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED
                   ? das_fail_nomem(err)
                   : bad_pattern(code, at, pattern, err);
    jit = CALL(pcre2_jit_compile)(re->code, PCRE2_JIT_COMPLETE) == 0; /* else it is slower */
    CALL(pcre2_pattern_info)(re->code, PCRE2_INFO_SIZE, &size);
    re->bytes = sizeof *re + size;
    if (jit && CALL(pcre2_pattern_info)(re->code, PCRE2_INFO_JITSIZE, &size) == 0)
        re->bytes += size;
    return 0;
}

struct das_regex *das_regex_new(struct das_text pattern, const char *flags, struct das_err *err)
{
    struct das_regex *re;
    uint32_t options;

    if (read_flags(flags, &options, err) < 0)
        return NULL;
    pthread_once(&once, load);
    if (trouble) {
        das_fail(err, DAS_E_UNSUPPORTED, "no regular expressions: %s", trouble);
        return NULL;
    }
    re = das_calloc(1, sizeof *re);
    if (!re) {
        das_fail_nomem(err);
        return NULL;
    }
    if (compile(re, pattern, options, err) < 0) {
        das_regex_free(re);
        return NULL;
    }
    return re;
}

void das_regex_free(struct das_regex *re)
{
    if (!re)
        return;
    CALL(pcre2_code_free)(re->code);
    CALL(pcre2_match_context_free)(re->limits);
    CALL(pcre2_general_context_free)(re->memory);
    das_free(re);
}

/* --- matching ----------------------------------------------------------------------------------- */

static int judge(int rc, struct das_err *err)
{
    char text[200] = "";

    switch (rc) {
    case PCRE2_ERROR_NOMATCH:
        return 0;
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
    case PCRE2_ERROR_JIT_STACKLIMIT:
        return das_fail(err, DAS_E_LIMIT, "too complex: the pattern tries too much on this text");
    case PCRE2_ERROR_NOMEMORY:
        return das_fail_nomem(err);
    default:
        CALL(pcre2_get_error_message)(rc, (PCRE2_UCHAR *)text, sizeof text);
        return das_fail(err, DAS_E_DATA, "%s", text);
    }
}

int das_regex_match(const struct das_regex *re, struct das_text text,
                    struct das_text groups[DAS_REGEX_GROUPS], struct das_err *err)
{
    pcre2_match_data *data;
    PCRE2_SPTR subject = (PCRE2_SPTR)text.ptr;
    const PCRE2_SIZE *at;
    int rc, n;

    if (!text.ptr)
        return 0;
    data = CALL(pcre2_match_data_create_from_pattern)(re->code, re->memory);
    if (!data)
        return das_fail_nomem(err);
    rc = CALL(pcre2_match)(re->code, subject, text.len, 0, 0, data, re->limits);
    /* Machine code has 32 KB for backtracking; the interpreter has the heap. */
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = CALL(pcre2_match)(re->code, subject, text.len, 0, PCRE2_NO_JIT, data, re->limits);
    n = (int)CALL(pcre2_get_ovector_count)(data);
    if (n > DAS_REGEX_GROUPS)
        n = DAS_REGEX_GROUPS;
    at = CALL(pcre2_get_ovector_pointer)(data);
    for (int i = 0; groups && rc >= 0 && i < n; i++) {
        bool took_part = (rc == 0 || i < rc) && at[2 * i] != PCRE2_UNSET;
        /* \K in a look-ahead can put the start behind the end */
        bool good = took_part && at[2 * i] <= at[2 * i + 1];
        groups[i] = good ? das_text(text.ptr + at[2 * i], at[2 * i + 1] - at[2 * i])
                         : (took_part ? das_text(text.ptr, 0) : DAS_TEXT_NULL);
    }
    CALL(pcre2_match_data_free)(data);
    return rc >= 0 ? n : judge(rc, err);
}

size_t das_regex_bytes(const struct das_regex *re)
{
    return re->bytes;
}
