/* pool_client.h: the tests' stand-in for the daemon: starts a real sluice-pool on a temporary state
 * folder with the tests' worker, and speaks to it. Every wait is bounded. */
#ifndef TESTS_UNIT_POOL_CLIENT_H
#define TESTS_UNIT_POOL_CLIENT_H

#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/pool/frame.h"
#include "core/pool/link.h"

#include <sys/types.h>

#define CLIENT_WAIT_MS 10000

/* Below the build folder; NULL: SLUICE_TEST_POOL of the environment, else the real one. */
extern const char *client_program;

struct pool_client {
	char dir[64]; /* temporary, holds state/ and core/worker/ */
	char state[128];
	pid_t pid;
	uint64_t instance;
	int fd; /* -1: not connected */
	/* of the last frame */
	struct frame head;
	struct str in;
	unsigned n_run, n_out; /* of the last HELLO's block */
};

/* Sets SLUICE_BUILD_DIR to the temporary folder, where the pool finds the tests' worker. option may
 * be NULL. */
void client_start(struct pool_client *c, const char *option, const char *value);
/* Several options at once: words separated by blanks. */
void client_start_pool(struct pool_client *c, const char *option, const char *value);
/* Kills the pool if it is there and removes the folder. */
void client_stop(struct pool_client *c);
/* Waits for the pool's end: its status, -1 after CLIENT_WAIT_MS. */
int client_wait_exit(struct pool_client *c);
void client_connect(struct pool_client *c);
void client_disconnect(struct pool_client *c);
/* HELLO and the whole answer; false if it was refused. */
bool client_hello(struct pool_client *c, const char *uuid16);
void client_send(
    struct pool_client *c, uint16_t type, uint64_t run, uint64_t token, const void *p, size_t n);
/* In jobs and in the texts of client_*_processes `@` stands for a dot and this process' number:
 * several test runs on one machine do not count each other's commands. */
/* note: members of the note besides slug and key, such as "\"deadline_ms\":100", or "". */
void client_job(
    struct pool_client *c, uint64_t run, const char *key, const char *note, const char *job);
void client_system(struct pool_client *c, uint64_t run, const char *job);
/* The next frame that is no PROGRESS; false after wait_ms or at the end. */
bool client_recv(struct pool_client *c, int wait_ms);
/* The next OUT of that run (token 1); its code, -1 if it does not come. Others are skipped. */
int client_out(struct pool_client *c, uint64_t run);
void client_ack(struct pool_client *c, uint64_t run);
/* Processes with this text in their command line that are alive. */
unsigned client_count_processes(const char *text);
/* SIGKILL to all of them; how many there were. */
unsigned client_kill_processes(const char *text);
/* Waits until there are none; false after wait_ms. */
bool client_none_left(const char *text, int wait_ms);

#endif
