/*
 * notify.h - tells systemd how it is: READY, RELOADING, STOPPING, STATUS, WATCHDOG over
 * $NOTIFY_SOCKET. Without that variable nothing is done. sd_notify(3) has the protocol.
 */
#ifndef DAS_SERVE_NOTIFY_H
#define DAS_SERVE_NOTIFY_H

#include <stdint.h>

void das_notify(const char *state); /* "READY=1\nSTATUS=..." */
int64_t das_notify_watchdog_ms(
    void); /* how often WATCHDOG=1 is due, half of what systemd waits; 0: it is not */

#endif
