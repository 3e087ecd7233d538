/* test_report.c - results of tests as TAP and as JUnit's XML. Fills buffers only. */
#include <string.h>

#include "core/cli/test_cli.h"

size_t das_test_cases(const struct das_test_file *f)
{
    return f->count + (f->error != NULL);
}

size_t das_test_failures(const struct das_test_file *f)
{
    size_t n = f->error != NULL;

    for (size_t i = 0; i < f->count; i++)
        n += !f->cases[i].passed;
    return n;
}

/* --- TAP ------------------------------------------------------------------------------------------ */

/* A description is one line, and a "#" begins a directive. */
static void tap_name(const char *text, struct das_buf *b)
{
    for (const char *p = text; *p; p++) {
        if (*p == '#' || *p == '\\')
            das_buf_char(b, '\\');
        das_buf_char(b, (unsigned char)*p < ' ' ? ' ' : *p);
    }
}

static void tap_lines(const char *text, const char *before, struct das_buf *b)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        das_buf_str(b, before);
        for (size_t i = 0; i < len; i++) {
            unsigned char c = (unsigned char)text[i];
            das_buf_char(b, c < ' ' && c != '\t' ? '?' : (char)c);
        }
        das_buf_char(b, '\n');
        text += len + (text[len] == '\n');
    }
}

static void tap_line(bool passed, size_t number, const char *path, const char *name,
                     struct das_buf *b)
{
    das_buf_printf(b, "%sok %zu - ", passed ? "" : "not ", number);
    tap_name(path, b);
    das_buf_str(b, ": ");
    tap_name(name, b);
    das_buf_char(b, '\n');
}

void das_test_tap(const struct das_test_file *f, size_t *number, struct das_buf *b)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct das_test_case *c = &f->cases[i];
        tap_line(c->passed, ++*number, f->path, c->name, b);
        tap_lines(c->text, "# ", b);
        if (*c->output) {
            das_buf_str(b, "# it printed:\n");
            tap_lines(c->output, "#   ", b);
        }
    }
    if (f->error) {
        tap_line(false, ++*number, f->path, "runs", b);
        tap_lines(f->error, "# ", b);
    }
}

/* --- JUnit ---------------------------------------------------------------------------------------- */

/* XML 1.0 has no control characters, not even escaped; bytes that are not UTF-8 were replaced before. */
static void xml_text(const char *text, struct das_buf *b)
{
    const char *end = text + strlen(text);

    for (size_t n; text < end; text += n) {
        uint32_t code = 0;
        n = das_utf8_next(text, (size_t)(end - text), &code);
        if (n == 0 || code == 0xfffe || code == 0xffff ||
            (code < 0x20 && code != '\t' && code != '\n')) {
            das_buf_str(b, "\xef\xbf\xbd");
            n = n ? n : 1;
        } else if (code == '&') {
            das_buf_str(b, "&amp;");
        } else if (code == '<') {
            das_buf_str(b, "&lt;");
        } else if (code == '>') {
            das_buf_str(b, "&gt;");
        } else {
            das_buf_add(b, text, n);
        }
    }
}

/* As an attribute: there line breaks and tabs would become blanks. */
static void xml_attribute(const char *name, struct das_text text, struct das_buf *b)
{
    struct das_buf escaped = {0}, whole = {0};

    das_buf_text(&whole, text);
    xml_text(whole.ptr ? whole.ptr : "", &escaped);
    das_buf_printf(b, " %s=\"", name);
    for (size_t i = 0; i < escaped.len; i++) {
        if (escaped.ptr[i] == '"')
            das_buf_str(b, "&quot;");
        else if (escaped.ptr[i] == '\n' || escaped.ptr[i] == '\t')
            das_buf_printf(b, "&#%d;", escaped.ptr[i]);
        else
            das_buf_char(b, escaped.ptr[i]);
    }
    das_buf_char(b, '"');
    b->failed |= whole.failed || escaped.failed;
    das_buf_clear(&whole);
    das_buf_clear(&escaped);
}

static void xml_time(int64_t us, struct das_buf *b)
{
    das_buf_printf(b, " time=\"%lld.%06lld\"", (long long)(us / 1000000), (long long)(us % 1000000));
}

static void xml_case(const char *path, const char *name, int64_t us, struct das_buf *b)
{
    das_buf_str(b, "    <testcase");
    xml_attribute("classname", das_text_of(path), b);
    xml_attribute("name", das_text_of(name), b);
    xml_time(us, b);
}

static void xml_failure(const char *element, const char *text, struct das_buf *b)
{
    das_buf_printf(b, "      <%s", element);
    xml_attribute("message", das_text(text, strcspn(text, "\n")), b);
    das_buf_char(b, '>');
    xml_text(text, b);
    das_buf_printf(b, "</%s>\n", element);
}

static void xml_counts(size_t tests, size_t failures, size_t errors, int64_t us, struct das_buf *b)
{
    das_buf_printf(b, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\"", tests, failures,
                   errors);
    xml_time(us, b);
    das_buf_str(b, ">\n");
}

static void xml_suite(const struct das_test_file *f, struct das_buf *b)
{
    size_t errors = f->error != NULL;

    das_buf_str(b, "  <testsuite");
    xml_attribute("name", das_text_of(f->path), b);
    xml_counts(das_test_cases(f), das_test_failures(f) - errors, errors, f->us, b);
    for (size_t i = 0; i < f->count; i++) {
        const struct das_test_case *c = &f->cases[i];
        xml_case(f->path, c->name, c->us, b);
        if (c->passed && !*c->output) {
            das_buf_str(b, "/>\n");
            continue;
        }
        das_buf_str(b, ">\n");
        if (!c->passed)
            xml_failure("failure", c->text, b);
        if (*c->output) {
            das_buf_str(b, "      <system-out>");
            xml_text(c->output, b);
            das_buf_str(b, "</system-out>\n");
        }
        das_buf_str(b, "    </testcase>\n");
    }
    if (f->error) {
        xml_case(f->path, "runs", 0, b);
        das_buf_str(b, ">\n");
        xml_failure("error", f->error, b);
        das_buf_str(b, "    </testcase>\n");
    }
    das_buf_str(b, "  </testsuite>\n");
}

void das_test_junit(const struct das_test_files *f, struct das_buf *b)
{
    size_t tests = 0, failures = 0, errors = 0;
    int64_t us = 0;

    for (size_t i = 0; i < f->count; i++) {
        tests += das_test_cases(&f->items[i]);
        failures += das_test_failures(&f->items[i]) - (f->items[i].error != NULL);
        errors += f->items[i].error != NULL;
        us += f->items[i].us;
    }
    das_buf_str(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"das test\"");
    xml_counts(tests, failures, errors, us, b);
    for (size_t i = 0; i < f->count; i++)
        xml_suite(&f->items[i], b);
    das_buf_str(b, "</testsuites>\n");
}
