/*
 * metrics_kit.h - a strict reader of Prometheus' text format 0.0.4, which knows nothing of
 * metrics.c: every family once, HELP before TYPE before its samples, names and labels well formed,
 * no series twice, counters whole and not negative, histograms cumulative up to +Inf, which is the
 * count.
 */
#ifndef DAS_TESTS_METRICS_KIT_H
#define DAS_TESTS_METRICS_KIT_H

#include <ctype.h>
#include <math.h>

#include "core/base/buf.h"
#include "tests/unit/tap.h"

#define METRICS_MAX 20000

struct sample {
    char name[100];   /* with _bucket, _sum, _count */
    char labels[300]; /* "{a="b",c="d"}" without le, or "" */
    char le[40];
    double value;
    int family;
};

static struct sample samples[METRICS_MAX];
static size_t sample_count;
static struct {
    char name[100], type[20];
} families[500];
static int family_count;
static char metrics_wrong[400];

static inline int wrong(const char *what, const char *line)
{
    snprintf(metrics_wrong, sizeof metrics_wrong, "%s: %.200s", what, line);
    return -1;
}

static inline size_t name_length(const char *p, int colon)
{
    size_t n = 0;

    if (!isalpha((unsigned char)*p) && *p != '_')
        return 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_' || (colon && p[n] == ':'))
        n++;
    return n;
}

static inline int read_labels(const char **at, struct sample *s, const char *line)
{
    const char *p = *at;
    size_t used = 0;

    if (*p != '{')
        return 0;
    p++;
    while (*p != '}') {
        size_t n = name_length(p, 0), from = used;
        const char *key = p;
        int is_le;
        if (!n || p[n] != '=' || p[n + 1] != '"')
            return wrong("a label is not NAME=\"VALUE\"", line);
        is_le = n == 2 && memcmp(key, "le", 2) == 0;
        p += n + 2;
        for (; *p != '"'; p++) {
            if (*p == '\\' && p[1] != '\\' && p[1] != '"' && p[1] != 'n')
                return wrong("a wrong escape", line);
            if (!*p || used + n + 4 >= sizeof s->labels)
                return wrong("a label has no end", line);
            if (*p == '\\')
                s->labels[used++] = *p++;
            s->labels[used++] = *p;
        }
        p++;
        if (is_le) {
            if (used - from >= sizeof s->le)
                return wrong("a long le", line);
            memcpy(s->le, s->labels + from, used - from);
            used = from;
        } else {
            memmove(s->labels + from + n + 1, s->labels + from, used - from);
            memcpy(s->labels + from, key, n);
            s->labels[from + n] = '=';
            used += n + 1;
            s->labels[used++] = ';';
        }
        if (*p == ',' && p[1] != '}')
            p++;
        else if (*p != '}')
            return wrong("labels are not parted by one comma", line);
    }
    s->labels[used] = '\0';
    *at = p + 1;
    return 0;
}

/* The family that a sample's name is of; -1. */
static inline int family_of(const char *name)
{
    static const char *const tails[] = {"", "_bucket", "_sum", "_count"};

    for (int i = 0; i < family_count; i++) {
        size_t n = strlen(families[i].name);
        for (int k = strcmp(families[i].type, "histogram") == 0 ? 1 : 0; k < 4; k++) {
            if (strncmp(name, families[i].name, n) == 0 && strcmp(name + n, tails[k]) == 0)
                return i;
            if (strcmp(families[i].type, "histogram") != 0)
                break;
        }
    }
    return -1;
}

static inline int read_sample(const char *line)
{
    struct sample *s = &samples[sample_count];
    const char *p = line;
    size_t n = name_length(p, 1);
    char *end;

    memset(s, 0, sizeof *s);
    if (!n || n >= sizeof s->name)
        return wrong("no name", line);
    memcpy(s->name, p, n);
    p += n;
    if (read_labels(&p, s, line) < 0)
        return -1;
    if (*p != ' ')
        return wrong("no blank before the value", line);
    s->value = strtod(p + 1, &end);
    if (end == p + 1 || *end)
        return wrong("no number at the end", line);
    s->family = family_of(s->name);
    if (s->family < 0 || s->family != family_count - 1)
        return wrong("a sample that does not stand under its TYPE", line);
    if (strcmp(families[s->family].type, "counter") == 0) {
        n = strlen(s->name);
        if (n < 6 || strcmp(s->name + n - 6, "_total") != 0)
            return wrong("a counter without _total", line);
        if (!(s->value >= 0))
            return wrong("a negative counter", line);
    }
    for (size_t i = 0; i < sample_count; i++) {
        if (strcmp(samples[i].name, s->name) == 0 && strcmp(samples[i].labels, s->labels) == 0 &&
            strcmp(samples[i].le, s->le) == 0)
            return wrong("a series is there twice", line);
    }
    return ++sample_count < METRICS_MAX ? 0 : wrong("too many series", line);
}

static inline int read_comment(const char *line)
{
    static char helped[100];
    const char *p = line + 7;
    size_t n = name_length(p, 1);

    if (!n || p[n] != ' ' || n >= sizeof helped)
        return wrong("a comment that says nothing", line);
    if (strncmp(line, "# HELP ", 7) == 0) {
        snprintf(helped, sizeof helped, "%.*s", (int)n, p);
        for (int i = 0; i < family_count; i++) {
            if (strcmp(families[i].name, helped) == 0)
                return wrong("HELP twice", line);
        }
        return 0;
    }
    if (strncmp(line, "# TYPE ", 7) != 0)
        return wrong("neither HELP nor TYPE", line);
    if (strlen(helped) != n || memcmp(helped, p, n) != 0)
        return wrong("TYPE does not follow its HELP", line);
    p += n + 1;
    if (strcmp(p, "counter") != 0 && strcmp(p, "gauge") != 0 && strcmp(p, "histogram") != 0)
        return wrong("no such type", line);
    snprintf(families[family_count].name, sizeof families[0].name, "%s", helped);
    snprintf(families[family_count++].type, sizeof families[0].type, "%s", p);
    helped[0] = '\0';
    return 0;
}

static inline const struct sample *sample_find(const char *name, const char *labels, const char *le)
{
    for (size_t i = 0; i < sample_count; i++) {
        if (strcmp(samples[i].name, name) == 0 && strcmp(samples[i].labels, labels) == 0 &&
            strcmp(samples[i].le, le) == 0)
            return &samples[i];
    }
    return NULL;
}

/* Buckets stand in rising order and are cumulative, and each series has +Inf, _count and _sum. */
static inline int check_histograms(void)
{
    for (size_t i = 0; i < sample_count; i++) {
        const struct sample *s = &samples[i], *prev = i ? s - 1 : NULL, *last;
        const char *family = families[s->family].name;
        char count[120], sum[120];
        if (strcmp(families[s->family].type, "histogram") != 0)
            continue;
        snprintf(count, sizeof count, "%s_count", family);
        snprintf(sum, sizeof sum, "%s_sum", family);
        if (!s->le[0]) {
            if (!strstr(s->name, "_sum") && !strstr(s->name, "_count"))
                return wrong("a bucket without le", s->name);
            continue;
        }
        if (prev && prev->le[0] && strcmp(prev->name, s->name) == 0 &&
            strcmp(prev->labels, s->labels) == 0 &&
            (prev->value > s->value || !(strtod(prev->le, NULL) < strtod(s->le, NULL))))
            return wrong("buckets do not rise", s->le);
        last = sample_find(s->name, s->labels, "+Inf");
        if (!last || !sample_find(sum, s->labels, "") || !sample_find(count, s->labels, ""))
            return wrong("no +Inf, no sum or no count", s->name);
        if (last->value != sample_find(count, s->labels, "")->value)
            return wrong("+Inf is not the count", s->name);
    }
    return 0;
}

/* 0, or -1 and metrics_wrong. */
static inline int metrics_read(struct das_text t)
{
    static char line[2000];
    const char *p = t.ptr, *end = t.ptr + t.len;

    sample_count = 0;
    family_count = 0;
    metrics_wrong[0] = '\0';
    if (!t.len || end[-1] != '\n')
        return wrong("no newline at the end", "");
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        if (nl == p || (size_t)(nl - p) >= sizeof line)
            return wrong("an empty line, or a long one", "");
        memcpy(line, p, (size_t)(nl - p));
        line[nl - p] = '\0';
        if ((line[0] == '#' ? read_comment(line) : read_sample(line)) < 0)
            return -1;
        p = nl + 1;
    }
    return check_histograms();
}

/* NAN: there is no such series. labels: "action=preview;status=200;" */
static inline double metric(const char *name, const char *labels)
{
    const struct sample *s = sample_find(name, labels, "");

    return s ? s->value : NAN;
}

#endif
