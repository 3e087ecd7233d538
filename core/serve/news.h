/*
 * news.h - what hinders a kill task hinders it in each round; the log has it when it begins, when
 * it changes, and when it is back after the task had gone on. Any thread may ask.
 */
#ifndef DAS_SERVE_NEWS_H
#define DAS_SERVE_NEWS_H

#include "core/serve/fleet.h"

struct das_news;

/* For so many tasks at once; of more, those that were heard of longest ago are forgotten. */
struct das_news *das_news_new(size_t tasks, struct das_err *err);
void das_news_free(struct das_news *n); /* NULL is fine */

/* Has to be said what hinders this task (0: the instance's tasks as a whole)? Numbers in it are no
 * news: seconds that are left, sessions that match. */
bool das_news_is(struct das_news *n, const struct das_member *m, int64_t task, const char *text);
/* Nothing hinders it any more. */
void das_news_over(struct das_news *n, const struct das_member *m, int64_t task);

#endif
