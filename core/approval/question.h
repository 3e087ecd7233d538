/*
 * question.h - questions of runbooks in a channel: what is posted, and what a click on one of its
 * buttons means.
 *
 * Who may answer, and that there is one answer, store/runbook.h decides; here it is only said. A
 * message that was lost to a crash is made again, and one that was posted is not posted twice: what
 * was said is derived from the store each time.
 */
#ifndef DAS_APPROVAL_QUESTION_H
#define DAS_APPROVAL_QUESTION_H

#include "core/approval/people.h"
#include "core/notify/channel.h"
#include "core/store/runbook.h"

/* Posts each question that waits and was not posted, and tells what became of those that are over:
 * edits the message, or answers it where the platform cannot edit. A channel that channels lacks is
 * passed over. How many messages were queued, or -1. */
int das_questions_say(struct das_store *s, const struct das_channels *channels,
                      struct das_err *err);
/* Only makes the message: for who queues nothing (das test). ch NULL: without buttons. */
int das_question_notice(const struct das_runbook *r, const struct das_runbook_step *step,
                        const struct das_channel *ch, struct das_notice *n, struct das_err *err);

/* The opaque value of a button, "das:ask:RUN:STEP:CHOICE:TAG". TAG is of the question as it was
 * asked: a button of another one, or one that was made up, fits none. False: it is no such value.
 */
#define DAS_QUESTION_TAG 12
struct das_question_value {
    int64_t runbook, n, choice; /* choice: from 0 */
    char tag[DAS_QUESTION_TAG + 1];
};
bool das_question_value_read(struct das_text t, struct das_question_value *out);

/* x decides about runbooks, with their roles; via: "cli", "slack" ... Borrows. */
struct das_decider das_decider_of(const struct das_person *x, const char *via);

/* A click. words: one sentence for the person. 1: it is the answer; 0: it does not count, as words
 * say; -1: the store failed, and nothing was answered. */
int das_question_press(struct das_store *s, const struct das_question_value *v,
                       const struct das_decider *by, int64_t now_ms, char *words, size_t size,
                       struct das_err *err);

#endif
