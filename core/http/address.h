/*
 * address.h - which addresses a script's request may be sent to.
 *
 * A host name proves nothing: it may resolve to this machine or to the service that hands out a
 * cloud machine's credentials. So the address that is about to be connected to is judged.
 */
#ifndef DAS_HTTP_ADDRESS_H
#define DAS_HTTP_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

enum das_address {
    DAS_ADDRESS_PUBLIC,
    DAS_ADDRESS_INSIDE, /* loopback and private networks: only for a host that the grant names */
    DAS_ADDRESS_NEVER,  /* link-local, metadata services, multicast, reserved, ... */
};

#define DAS_ADDRESS_TEXT 64

/* *why says in a word what it is: "loopback", "a cloud metadata service", ... */
enum das_address das_address_judge(const struct sockaddr *sa, const char **why);
/* The same for "10.0.0.1" or "fd00::1". Anything else is DAS_ADDRESS_NEVER. */
enum das_address das_address_judge_text(const char *ip, const char **why);

void das_address_text(const struct sockaddr *sa, char out[DAS_ADDRESS_TEXT]);

#endif
