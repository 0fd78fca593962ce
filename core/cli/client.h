/* client.h: HTTP to the daemon, over its unix socket or TCP, by libcurl. */
#ifndef CORE_CLI_CLIENT_H
#define CORE_CLI_CLIENT_H

#include "core/cli/cli.h"

struct client;

/* Where the daemon is: cli->url, else http.unix of the configuration. */
int client_new(const struct cli *cli, struct client **ret, struct err *err) CHECK_RESULT;
void client_free(struct client *c); /* accepts NULL */
/* One exchange; path begins with '/'. The reply's body goes to out. ERR_UNREACHABLE where nobody
 * answers. */
int client_exchange(struct client *c, const char *method, const char *path, const char *body,
    int *ret_status, struct str *out, struct err *err) CHECK_RESULT;
/* A streaming GET: each piece of the body is handed on; piece returning false ends it. tick is
 * called at least five times a second while nothing comes; false ends it. */
struct client_stream {
	bool (*piece)(void *arg, const char *p, size_t n);
	bool (*tick)(void *arg);
	void *arg;
};
int client_stream(struct client *c, const char *path, const struct client_stream *s,
    int *ret_status, struct str *problem, struct err *err) CHECK_RESULT;
/* For messages: "unix:/…/sluice.sock". */
const char *client_where(const struct client *c);

#endif
