/* pool_client.c: see pool_client.h. Shared by unit tests and torture. */
#include "tests/unit/pool_client.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/pool/tree.h"

#include <fcntl.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define must(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static char build_dir[1024];
const char *client_program;

static void wait_ms(int ms)
{
	poll(NULL, 0, ms);
}

void client_start_pool(struct pool_client *c, const char *option, const char *value)
{
	char program[1200];
	const char *argv[] = {
	    "sluice-pool", "--state", c->state, "--ready-fd", "3", option, value, NULL};
	posix_spawn_file_actions_t actions;
	struct pollfd ready;
	int fds[2];

	if (option != NULL && value == NULL)
		argv[6] = NULL;
	if (client_program == NULL)
		client_program = getenv("SLUICE_TEST_POOL");
	snprintf(program, sizeof(program), "%s/%s", build_dir,
	    client_program != NULL ? client_program : "core/pool/sluice-pool");
	must(pipe2(fds, O_CLOEXEC) == 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 3);
	must(posix_spawn(
		 &c->pid, program, &actions, NULL, (char *const *)(uintptr_t)argv, environ) == 0);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	ready = (struct pollfd){.fd = fds[0], .events = POLLIN};
	must(poll(&ready, 1, CLIENT_WAIT_MS) == 1);
	must(read(fds[0], &c->instance, sizeof(c->instance)) == sizeof(c->instance));
	close(fds[0]);
}

void client_start(struct pool_client *c, const char *option, const char *value)
{
	char path[1400], to[256];

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	str_init(&c->in, FRAME_PAYLOAD_MAX);
	if (build_dir[0] == '\0')
		must(str_copy(build_dir, sizeof(build_dir), getenv("SLUICE_BUILD_DIR")));
	snprintf(c->dir, sizeof(c->dir), "/tmp/sluice-pool-test.XXXXXX");
	must(mkdtemp(c->dir) != NULL);
	snprintf(c->state, sizeof(c->state), "%s/state", c->dir);
	snprintf(to, sizeof(to), "%s/core/worker", c->dir);
	must(io_mkdirs(c->state, 0755, NULL) == 0 && io_mkdirs(to, 0755, NULL) == 0);
	snprintf(path, sizeof(path), "%s/tests/unit/pool_worker", build_dir);
	snprintf(to, sizeof(to), "%s/core/worker/sluice-worker", c->dir);
	must(symlink(path, to) == 0);
	setenv("SLUICE_BUILD_DIR", c->dir, 1);
	client_start_pool(c, option, value);
}

int client_wait_exit(struct pool_client *c)
{
	int status, i;

	for (i = 0; i < CLIENT_WAIT_MS / 5; i++) {
		if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
			c->pid = 0;
			return status;
		}
		wait_ms(5);
	}
	return -1;
}

void client_stop(struct pool_client *c)
{
	client_disconnect(c);
	if (c->pid > 0) {
		kill(c->pid, SIGTERM);
		if (client_wait_exit(c) == -1) {
			kill(c->pid, SIGKILL);
			waitpid(c->pid, NULL, 0);
		}
	}
	str_done(&c->in);
	tree_remove(c->dir);
	setenv("SLUICE_BUILD_DIR", build_dir, 1);
}

void client_disconnect(struct pool_client *c)
{
	io_close(&c->fd);
}

void client_connect(struct pool_client *c)
{
	struct err err;

	client_disconnect(c);
	if (link_connect(c->state, c->instance, true, &c->fd, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
}

bool client_recv(struct pool_client *c, int ms)
{
	mono_us until = clock_mono() + ms * US_PER_MS;
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	int rc, left;

	for (;;) {
		str_reset(&c->in);
		rc = frame_recv(c->fd, &c->head, &c->in, NULL, 0, NULL, NULL);
		if (rc == 0 && c->head.type != FRAME_PROGRESS)
			return true;
		if (rc != 0 && rc != ERR_AGAIN)
			return false;
		left = (int)((until - clock_mono()) / US_PER_MS);
		if (rc == ERR_AGAIN && (left <= 0 || poll(&p, 1, left) <= 0))
			return false;
	}
}

void client_send(
    struct pool_client *c, uint16_t type, uint64_t run, uint64_t token, const void *p, size_t n)
{
	struct frame h = {.type = type, .run = run, .token = token};

	if (type == FRAME_SHUTDOWN)
		h.code = (uint32_t)run;
	must(frame_send(c->fd, &h, p, n, NULL, 0, NULL) == 0);
}

bool client_hello(struct pool_client *c, const char *uuid16)
{
	char payload[20] = {0};

	memcpy(payload, uuid16, 16);
	client_connect(c);
	client_send(c, FRAME_HELLO, 0, 0, payload, sizeof(payload));
	c->n_run = c->n_out = 0;
	while (client_recv(c, CLIENT_WAIT_MS)) {
		c->n_run += c->head.type == FRAME_RUN;
		c->n_out += c->head.type == FRAME_OUT;
		if (c->head.type == FRAME_END || c->head.type == FRAME_REFUSED)
			return c->head.type == FRAME_END;
	}
	return false;
}

/* `@` -> ".PID"; see the header. */
static void add_marked(struct str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '@')
			str_addf(out, ".%d", (int)getpid());
		else
			str_addc(out, *text);
	}
}

static void send_job(struct pool_client *c, uint16_t type, uint64_t run, const char *key,
    const char *note, const char *job)
{
	struct str all, text, marked;

	str_init(&marked, FRAME_PAYLOAD_MAX);
	add_marked(&marked, job);
	str_init(&text, FRAME_PAYLOAD_MAX);
	str_init(&all, FRAME_PAYLOAD_MAX);
	str_addf(&text, "{\"slug\":\"test#%d\",\"key\":\"%s\"%s%s}", (int)run, key,
	    note[0] != '\0' ? "," : "", note);
	frame_job_join(&all, text.s, text.len, str_peek(&marked), marked.len);
	client_send(c, type, run, 1, all.s, all.len);
	str_done(&marked);
	str_done(&text);
	str_done(&all);
}

void client_job(
    struct pool_client *c, uint64_t run, const char *key, const char *note, const char *job)
{
	send_job(c, FRAME_JOB, run, key, note, job);
}

void client_system(struct pool_client *c, uint64_t run, const char *job)
{
	send_job(c, FRAME_SYSTEM, run, "system", "", job);
}

int client_out(struct pool_client *c, uint64_t run)
{
	while (client_recv(c, CLIENT_WAIT_MS)) {
		if ((c->head.type == FRAME_OUT || c->head.type == FRAME_SYSTEM_OUT) &&
		    c->head.run == run)
			return (int)c->head.code;
	}
	return -1;
}

void client_ack(struct pool_client *c, uint64_t run)
{
	client_send(c, FRAME_ACK, run, 1, NULL, 0);
}

static bool command_has(pid_t pid, const char *text)
{
	char path[64];
	struct str line;
	size_t i;
	bool has;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	str_init(&line, 65536);
	if (io_read_file(path, 65536, &line, NULL) != 0)
		str_reset(&line);
	for (i = 0; i < line.len; i++)
		line.s[i] = line.s[i] == '\0' ? ' ' : line.s[i];
	has = strstr(str_peek(&line), text) != NULL;
	str_done(&line);
	return has;
}

static unsigned each_process(const char *text, int sig)
{
	struct dirent *e;
	DIR *d = opendir("/proc");
	struct str marked;
	unsigned n = 0;
	pid_t pid;

	str_init(&marked, 256);
	add_marked(&marked, text);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (link_proc_name(e->d_name, &pid) && pid != getpid())
			n += command_has(pid, marked.s) && kill(pid, sig) == 0;
	}
	if (d != NULL)
		closedir(d);
	str_done(&marked);
	return n;
}

unsigned client_count_processes(const char *text)
{
	return each_process(text, 0);
}

unsigned client_kill_processes(const char *text)
{
	return each_process(text, SIGKILL);
}

bool client_none_left(const char *text, int ms)
{
	mono_us until = clock_mono() + ms * US_PER_MS;

	while (client_count_processes(text) > 0) {
		if (clock_mono() >= until)
			return false;
		wait_ms(2);
	}
	return true;
}
