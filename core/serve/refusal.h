/*
 * refusal.h - why a request gets no answer of its own: status, code and words as the cloud's
 * gateway and DAS have them. Source of the codes: the error code pages of Huawei Cloud DAS and
 * APIG.
 */
#ifndef DAS_SERVE_REFUSAL_H
#define DAS_SERVE_REFUSAL_H

#include <stdint.h>

#include "core/base/buf.h"

struct das_refusal {
    int status;          /* HTTP; 0: none */
    const char *code;    /* "APIGW.0301", "DAS.200100" */
    char message[512];   /* at the most 512 bytes, as the API says; never a secret */
    int64_t retry_after; /* s; 0: not said */
    const char *allow;   /* 405: "GET, POST"; else NULL */
    const char *word;    /* what kind of refusal, for metrics; NULL: none is given */
    char cause[200];     /* for the log only, where the client is not told; "": there is none */
};

/* Fills and returns -1. */
int das_refuse(struct das_refusal *r, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* {"error_code":"..","error_msg":"..","request_id":".."} */
void das_refusal_json(const struct das_refusal *r, const char *request_id, struct das_buf *b);

#endif
