/* refusal.c - see refusal.h. */
#include "core/serve/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"

/* A message that was cut ends with a whole character. */
static void mend_end(char *text)
{
    size_t len = strlen(text), from = len;

    while (from > 0 && len - from < 4 && ((unsigned char)text[from - 1] & 0xc0) == 0x80)
        from--;
    if (from > 0 && !das_utf8_next(text + from - 1, len - from + 1, &(uint32_t){0}))
        text[from - 1] = '\0';
}

int das_refuse(struct das_refusal *r, int status, const char *code, const char *fmt, ...)
{
    va_list ap;
    int n;

    memset(r, 0, sizeof *r);
    r->status = status;
    r->code = code;
    va_start(ap, fmt);
    n = vsnprintf(r->message, sizeof r->message, fmt, ap);
    va_end(ap);
    if (n < 0)
        r->message[0] = '\0';
    else if ((size_t)n >= sizeof r->message)
        mend_end(r->message);
    return -1;
}

void das_refusal_json(const struct das_refusal *r, const char *request_id, struct das_buf *b)
{
    das_buf_char(b, '{');
    das_json_key_text(b, "error_code", das_text_of(r->code));
    das_json_key_text(b, "error_msg", das_text_of(r->message));
    if (request_id && *request_id)
        das_json_key_text(b, "request_id", das_text_of(request_id));
    das_buf_char(b, '}');
}
