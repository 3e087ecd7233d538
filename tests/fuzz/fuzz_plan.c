/*
 * fuzz_plan.c - any bytes as a line of a plan file: as they are, and as an object that somebody
 * hashed anew. What is read must be written as the same bytes, and what is not must say why.
 */
#include <stdlib.h>
#include <string.h>

#include "core/plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct das_err err;

static void read_line(struct das_text line)
{
    struct das_plan *p;
    struct das_buf b = {0};

    err.code = DAS_OK;
    err.msg[0] = '\0';
    p = das_plan_read(line, &err);
    if (!p) {
        if (err.code != DAS_E_DATA || strlen(err.msg) < 40)
            abort();
        return;
    }
    das_plan_write(p, &b);
    if (b.failed)
        abort();
    if (line.ptr[line.len - 1] != '\n')
        b.len--;
    if (!das_text_eq(das_buf_view(&b), line))
        abort();
    das_buf_reset(&b);
    das_plan_print(p, 80, &b);
    for (size_t i = 0; i < b.len; i++) {
        if ((unsigned char)b.ptr[i] < ' ' && b.ptr[i] != '\n') /* nothing drives the terminal */
            abort();
    }
    das_buf_clear(&b);
    das_plan_release(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct das_text text = das_text((const char *)data, size);
    struct das_buf line = {0};
    char hex[DAS_SHA256_HEX];

    read_line(text);
    if (size < 2 || text.ptr[size - 1] != '}')
        return 0;
    if (das_sha256_hex(text, hex, &err) < 0)
        abort();
    das_buf_add(&line, text.ptr, size - 1);
    das_buf_printf(&line, ",\"sha256\":\"%s\"}\n", hex);
    read_line(das_buf_view(&line));
    das_buf_clear(&line);
    return 0;
}
