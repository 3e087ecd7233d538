/* page_run.c - the page of the replay report on standard input, for replay_page.t. */
#include <stdio.h>
#include <stdlib.h>

#include "core/replay/page.h"

int main(void)
{
    struct das_buf in = {0}, out = {0};
    struct das_err err = {0};
    char chunk[65536];
    size_t n;

    while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0)
        das_buf_add(&in, chunk, n);
    if (das_buf_ok(&in, &err) < 0 || das_replay_page(das_buf_view(&in), &out, &err) < 0) {
        fprintf(stderr, "page_run: %s\n", err.msg);
        return 1;
    }
    fwrite(out.ptr, 1, out.len, stdout);
    das_buf_clear(&in);
    das_buf_clear(&out);
    return fflush(stdout) ? 1 : 0;
}
