/* test_cover.c - which lines of the policies ran, for people and for lcov. Fills buffers only. */
#include "core/cli/test_cli.h"

struct counted {
    size_t can, ran;
};

static struct counted count_file(const struct das_coverage *c, size_t file)
{
    struct counted n = {0};

    for (size_t line = 1; line <= das_coverage_lines(c, file); line++) {
        int64_t times = das_coverage_count(c, file, line);
        n.can += times != DAS_LINE_IDLE;
        n.ran += times > 0;
    }
    return n;
}

/* "12-14, 20": lines between two that did not run belong to them where nothing there can run. */
static void missed(const struct das_coverage *c, size_t file, struct das_buf *b)
{
    size_t from = 0, to = 0, lines = das_coverage_lines(c, file);
    const char *before = "; not run: ";

    for (size_t line = 1; line <= lines + 1; line++) {
        int64_t times = line <= lines ? das_coverage_count(c, file, line) : 1;
        if (times == 0) {
            from = from ? from : line;
            to = line;
        } else if (times != DAS_LINE_IDLE && from) {
            das_buf_printf(b, "%s%zu", before, from);
            if (to > from)
                das_buf_printf(b, "-%zu", to);
            before = ", ";
            from = 0;
        }
    }
}

/* 99.9 stays below 100 however many lines there are. */
static void percent(struct counted n, struct das_buf *b)
{
    size_t tenths = n.can ? n.ran * 1000 / n.can : 1000;

    das_buf_printf(b, "%zu of %zu lines, %zu.%zu %%", n.ran, n.can, tenths / 10, tenths % 10);
}

void das_test_cover_text(const struct das_coverage *c, struct das_buf *b)
{
    struct counted all = {0};

    for (size_t i = 0; i < das_coverage_files(c); i++) {
        struct counted n = count_file(c, i);
        das_buf_printf(b, "coverage: %s: ", das_coverage_path(c, i));
        percent(n, b);
        missed(c, i, b);
        das_buf_char(b, '\n');
        all.can += n.can;
        all.ran += n.ran;
    }
    das_buf_str(b, "coverage: all: ");
    percent(all, b);
    das_buf_char(b, '\n');
}

void das_test_cover_lcov(const struct das_coverage *c, struct das_buf *b)
{
    for (size_t i = 0; i < das_coverage_files(c); i++) {
        struct counted n = count_file(c, i);
        das_buf_printf(b, "TN:\nSF:%s\n", das_coverage_path(c, i));
        for (size_t line = 1; line <= das_coverage_lines(c, i); line++) {
            int64_t times = das_coverage_count(c, i, line);
            if (times != DAS_LINE_IDLE)
                das_buf_printf(b, "DA:%zu,%lld\n", line, (long long)times);
        }
        das_buf_printf(b, "LF:%zu\nLH:%zu\nend_of_record\n", n.can, n.ran);
    }
}
