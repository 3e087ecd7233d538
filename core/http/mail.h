/*
 * mail.h - hands one mail to an SMTP server, through libcurl.
 *
 * TLS is required (smtps://, or STARTTLS on smtp://) and certificates are verified, unless the
 * caller says that neither is wanted. Nothing is taken from the environment.
 */
#ifndef DAS_HTTP_MAIL_H
#define DAS_HTTP_MAIL_H

#include "core/base/buf.h"

struct das_mail {
    const char *server; /* "smtps://mail.example:465", "smtp://mail.example:587" */
    const char *user;   /* NULL: nobody logs in */
    struct das_text password;
    const char *ca; /* a file of trusted CA certificates instead of the system's; or NULL */
    bool insecure;  /* smtp:// without TLS where the server offers none; a login never */
    const char *from;
    const char *const *to;
    size_t to_count;
    struct das_text data; /* headers and text, lines ended by CR LF */
    int64_t connect_ms, total_ms;
    int64_t (*left_ms)(void *arg); /* 0 ends it within a tenth of a second; NULL: nobody asks */
    void *arg;
};

/* 0: the server took it for every receiver. Else -1; *code is its last answer, such as 450, or 0:
 *   DAS_E_USAGE    no such URL or address
 *   DAS_E_TIMEOUT, DAS_E_CONNECT   no answer, no connection, no trust
 *   DAS_E_AUTH     it did not take the login
 *   DAS_E_BUSY     it said no for now (4xx)
 *   DAS_E_DENIED   it said no (5xx)
 * Messages name the server's host at the most. */
int das_mail_send(const struct das_mail *m, long *code, struct das_err *err);

/* An address that can stand in a mail's headers and on the way: one "@", no blanks or brackets. */
bool das_mail_address(const char *text);

#endif
