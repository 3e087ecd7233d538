/* temp_file.h - files that a test writes, removed by temp_clear(). */
#ifndef DAS_TESTS_TEMP_FILE_H
#define DAS_TESTS_TEMP_FILE_H

#include <unistd.h>

#include "tests/unit/tap.h"

static char temp_names[32][64];
static size_t temp_count;

static inline const char *temp_write(const char *text, size_t len)
{
    char *name = temp_names[temp_count++ % 32];
    const char *dir = getenv("TMPDIR");
    int fd;

    snprintf(name, sizeof temp_names[0], "%.40s/das-test-XXXXXX", dir && *dir ? dir : "/tmp");
    fd = mkstemp(name);
    if (fd < 0 || write(fd, text, len) != (ssize_t)len || close(fd) != 0) {
        tap_diag("cannot write %s", name);
        exit(1);
    }
    return name;
}

static inline const char *temp_text(const char *text)
{
    return temp_write(text, strlen(text));
}

static inline void temp_clear(void)
{
    for (size_t i = 0; i < temp_count && i < 32; i++)
        unlink(temp_names[i]);
    temp_count = 0;
}

#endif
