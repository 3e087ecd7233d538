/* page_html.h - pages for people, as HTML without script: a request for a kill, a message. Writes
 * into a buffer, knows no request. */
#ifndef DAS_SERVE_PAGE_HTML_H
#define DAS_SERVE_PAGE_HTML_H

#include "core/approval/approval.h"
#include "core/notify/notice.h"

/* Text as HTML shows it: no byte of it is markup. */
void das_html_text(struct das_buf *b, struct das_text t);
/* A page that says one thing. */
void das_html_word(struct das_buf *b, const char *title, const char *words);
/* The request with its plan. form: what the form has to send back; NULL: no form. person: whom the
 * link was made for. */
void das_html_approval(struct das_buf *b, const struct das_approval *a, const struct das_plan *plan,
                       const char *person, const char *form);

/* A message with all that is kept of it. */
void das_html_notice(struct das_buf *b, const struct das_notice *n);

#endif
