/*
 * reply.h - answers to somebody who wrote to das: in the platform's own form, to the address that
 * came with the request, or into the chat it came from, or in the answer to the request itself.
 */
#ifndef DAS_NOTIFY_REPLY_H
#define DAS_NOTIFY_REPLY_H

#include "core/notify/send.h"

/* A channel for answers to url, which stays the caller's, as does out, that is never cleared.
 * platform: "slack", "mattermost", "discord", "dingtalk". open: all of the chat may see it, where
 * the platform asks. False: answers to such an address are not known there. */
bool das_reply_channel(const char *platform, const char *url, bool open, bool insecure,
                       struct das_channel *out);
/* ch, but into another chat of the same platform, which is named by its id. Borrows from both.
 * False: the channel has no such choice. */
bool das_reply_into(const struct das_channel *ch, const char *chat, struct das_channel *out);

/* The notice as the body of an answer to the request; appended. DAS_E_UNSUPPORTED: that platform
 * takes none ("slack", "mattermost", "teams", "discord" do). */
int das_reply_body(const char *platform, const struct das_notice *n, bool open, struct das_buf *b,
                   struct das_err *err);

#endif
