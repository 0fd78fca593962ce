/* sd.h: what a service manager gives and wants, by its documented protocols and without its
 * library: sockets from LISTEN_FDS, datagrams to NOTIFY_SOCKET, the watchdog. */
#ifndef CORE_DAEMON_SD_H
#define CORE_DAEMON_SD_H

#include "core/daemon/loop.h"

struct http;
struct sd;

/* Reads the environment and takes these variables out of it: no other program gets them. */
struct sd *sd_new(void);
void sd_free(struct sd *s);
/* The socket at which the service manager starts pools, or NULL. */
const char *sd_pool_starter(const struct sd *s);
/* Listens at each socket that was handed over; says which kinds there were. */
int sd_listen(
    struct sd *s, struct http *h, bool *ret_unix, bool *ret_tcp, struct err *err) CHECK_RESULT;
/* Tells lines such as "READY=1"; nothing where nobody listens. */
void sd_notify(const struct sd *s, const char *text);
/* RELOADING=1 with the clock's reading that Type=notify-reload wants. */
void sd_reloading(const struct sd *s);
/* Where the unit has WatchdogSec: a sign of life twice in each period, from the loop. */
void sd_watchdog(struct sd *s, struct loop *loop);

#endif
