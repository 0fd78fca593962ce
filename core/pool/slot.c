/* slot.c: see slot.h. Owner: pool, main thread. */
#define LOG_AT "pool"
#include "core/pool/slot.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/pool/mutant.h"
#include "core/pool/report.h"
#include "core/pool/stray.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define FRAMES_A_TURN 64
#define FREEZE_AFTER                                                                               \
	8 /* sweeps with strays in a row: then they are stopped before they are killed */

enum worker_state { WORKER_IDLE, WORKER_BUSY, WORKER_LEAVING, WORKER_DEAD };

struct worker {
	struct slots *s; /* borrowed */
	pid_t pid;
	int sock; /* -1 once closed */
	enum worker_state state;
	struct event readable;
	char key[NOTE_KEY_MAX];
	struct attempt *attempt; /* borrowed; while BUSY, or DEAD and not judged */
	bool killed;
	unsigned served; /* attempts */
	mono_us since;	 /* of the state */
	TAILQ_ENTRY(worker) link;
};
TAILQ_HEAD(worker_list, worker);

struct slots {
	struct slots_conf conf;
	struct mailbox *mailbox; /* borrowed */
	/* idle: most recently used first */
	struct worker_list idle, busy, leaving, dead;
	unsigned n_idle, n_all, max_idle;
	pid_t other;
	unsigned sweeps;
	struct event tidy; /* armed while somebody is idle or leaving */
	bool tidy_armed;
	struct str in;
};

static void on_worker_readable(evutil_socket_t fd, short what, void *arg);
static void on_deadline(evutil_socket_t fd, short what, void *arg);
static void on_grace(evutil_socket_t fd, short what, void *arg);
static void on_tidy(evutil_socket_t fd, short what, void *arg);

struct slots *slots_new(const struct slots_conf *conf)
{
	struct slots *s = MEM_NEW(struct slots);

	s->conf = *conf;
	s->max_idle = SLOT_IDLE_DEFAULT;
	TAILQ_INIT(&s->idle);
	TAILQ_INIT(&s->busy);
	TAILQ_INIT(&s->leaving);
	TAILQ_INIT(&s->dead);
	str_init(&s->in, FRAME_PAYLOAD_MAX);
	evtimer_assign(&s->tidy, conf->base, on_tidy, s);
	return s;
}

void slots_set_mailbox(struct slots *s, struct mailbox *m)
{
	s->mailbox = m;
}

void slots_set_other(struct slots *s, pid_t pid)
{
	s->other = pid;
}

unsigned slots_count(const struct slots *s)
{
	return s->n_all;
}

/* ---- a worker's states ---- */

static struct worker_list *list_of(struct slots *s, enum worker_state state)
{
	switch (state) {
	case WORKER_IDLE:
		return &s->idle;
	case WORKER_BUSY:
		return &s->busy;
	case WORKER_LEAVING:
		return &s->leaving;
	default:
		return &s->dead;
	}
}

static void worker_move(struct worker *w, enum worker_state state)
{
	struct slots *s = w->s;

	TAILQ_REMOVE(list_of(s, w->state), w, link);
	s->n_idle -= w->state == WORKER_IDLE;
	w->state = state;
	w->since = clock_mono();
	TAILQ_INSERT_HEAD(list_of(s, state), w, link);
	s->n_idle += state == WORKER_IDLE;
}

static void arm_tidy(struct slots *s)
{
	struct timeval wait = {.tv_sec = SLOT_LEAVE_MS / 1000};

	if (s->tidy_armed || (TAILQ_EMPTY(&s->leaving) && TAILQ_EMPTY(&s->idle)))
		return;
	if (TAILQ_EMPTY(&s->leaving))
		wait.tv_sec = SLOT_IDLE_S / 4;
	evtimer_add(&s->tidy, &wait);
	s->tidy_armed = true;
}

static void worker_close(struct worker *w)
{
	if (w->sock < 0)
		return;
	event_del(&w->readable);
	io_close(&w->sock);
}

/* The number is the worker's own until it is reaped, and reaping takes it out of every list but
 * `dead`. */
static void worker_kill(struct worker *w)
{
	if (w->state == WORKER_DEAD || w->killed)
		return;
	w->killed = true;
	kill(w->pid, SIGKILL);
}

static void worker_leave(struct worker *w)
{
	worker_close(w);
	worker_move(w, WORKER_LEAVING);
	if (w->s->tidy_armed) {
		evtimer_del(&w->s->tidy);
		w->s->tidy_armed = false;
	}
	arm_tidy(w->s);
}

static void worker_free(struct worker *w)
{
	worker_close(w);
	TAILQ_REMOVE(list_of(w->s, w->state), w, link);
	w->s->n_all--;
	mem_free(w);
}

static void on_tidy(evutil_socket_t fd, short what, void *arg)
{
	struct slots *s = arg;
	struct worker *w, *before;
	mono_us now = clock_mono();

	(void)fd;
	(void)what;
	s->tidy_armed = false;
	TAILQ_FOREACH(w, &s->leaving, link)
	{
		if (now - w->since >= SLOT_LEAVE_MS * US_PER_MS)
			worker_kill(w);
	}
	for (w = TAILQ_LAST(&s->idle, worker_list); w != NULL; w = before) {
		before = TAILQ_PREV(w, worker_list, link);
		if (now - w->since >= SLOT_IDLE_S * US_PER_S)
			worker_leave(w);
	}
	arm_tidy(s);
}

static void trim_idle(struct slots *s)
{
	while (s->n_idle > s->max_idle)
		worker_leave(TAILQ_LAST(&s->idle, worker_list));
	arm_tidy(s);
}

void slots_dismiss_idle(struct slots *s)
{
	struct worker *w;

	while ((w = TAILQ_FIRST(&s->idle)) != NULL)
		worker_leave(w);
}

/* At the pool's end only: a killed process is gone in no time, one that hangs in the kernel is not
 * waited for. */
static void wait_for_death(pid_t pid)
{
	int tries;

	for (tries = 0; tries < 100 && waitpid(pid, NULL, WNOHANG) == 0; tries++)
		poll(NULL, 0, 1);
}

void slots_free(struct slots *s)
{
	struct worker_list *lists[] = {&s->idle, &s->busy, &s->leaving, &s->dead};
	struct worker *w;
	size_t i;

	if (s == NULL)
		return;
	slots_kill_all(s);
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		while ((w = TAILQ_FIRST(lists[i])) != NULL) {
			if (w->state != WORKER_DEAD)
				wait_for_death(w->pid);
			worker_free(w);
		}
	}
	event_del(&s->tidy);
	str_done(&s->in);
	mem_free(s);
}

/* ---- starting ---- */

static int spawn_worker(struct slots *s, int sock, pid_t *ret_pid, struct err *err)
{
	char pool[16];
	const char *argv[] = {"sluice-worker", "--pool", pool, "--state", s->conf.state, NULL};
	struct spawn how = {.path = path_of(PATH_WORKER),
	    .argv = (char *const *)(uintptr_t)argv,
	    .env = environ,
	    .as = &s->conf.as,
	    .fds = {sock, s->conf.lock_fd},
	    .nofile = s->conf.nofile,
	    .no_core = true};

	_Static_assert(FRAME_WORKER_FD == 3 && FRAME_LOCK_FD == 4, "as spawn.h says");
	snprintf(pool, sizeof(pool), "%d", (int)getpid());
	return spawn_child(&how, ret_pid, err);
}

static struct worker *worker_new(struct slots *s, const char *key, struct err *err)
{
	struct worker *w;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		err_errno(err, ERR_IO, errno, "cannot make a worker's socket");
		return NULL;
	}
	if (spawn_worker(s, pair[1], &pid, err) != 0) {
		close(pair[0]);
		close(pair[1]);
		return NULL;
	}
	close(pair[1]);
	io_set_nonblock(pair[0], true);
	w = MEM_NEW(struct worker);
	w->s = s;
	w->pid = pid;
	w->sock = pair[0];
	str_copy(w->key, sizeof(w->key), key);
	w->state = WORKER_IDLE;
	TAILQ_INSERT_HEAD(&s->idle, w, link);
	s->n_idle++;
	s->n_all++;
	event_assign(
	    &w->readable, s->conf.base, w->sock, EV_READ | EV_PERSIST, on_worker_readable, w);
	event_add(&w->readable, NULL);
	return w;
}

static int open_log(struct slots *s, struct attempt *a, int *ret_fd, struct err *err)
{
	char path[PATH_BYTES];

	if (a->note.log == NULL)
		return logs_open(s->conf.logs, NULL, NULL, &a->log, ret_fd, err);
	snprintf(path, sizeof(path), "%s/logs/%s", s->conf.state, a->note.log);
	return logs_open(s->conf.logs, path, a->note.mask, &a->log, ret_fd, err);
}

static void add_timer(struct event *ev, int64_t ms)
{
	struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

	evtimer_add(ev, &wait);
}

static void start_timers(struct slots *s, struct attempt *a)
{
	evtimer_assign(&a->deadline, s->conf.base, on_deadline, a);
	evtimer_assign(&a->grace, s->conf.base, on_grace, a);
	a->has_timers = true;
	if (a->note.deadline_ms >= 0)
		add_timer(&a->deadline, a->note.deadline_ms);
}

static int give(
    struct worker *w, struct attempt *a, const char *job, size_t n, int log_fd, struct err *err)
{
	struct frame h = {.type = a->system ? FRAME_SYSTEM : FRAME_JOB,
	    .run = a->key.run,
	    .step = a->key.step,
	    .item = a->key.item,
	    .token = a->key.token};

	return frame_send(w->sock, &h, job, n, &log_fd, 1, err);
}

static struct worker *find_idle(struct slots *s, const struct note *note)
{
	struct worker *w;

	if (note->fresh)
		return NULL;
	TAILQ_FOREACH(w, &s->idle, link)
	{
		if (strcmp(w->key, note->key) == 0)
			return w;
	}
	return NULL;
}

/* A kept worker that died just now is no failure of the attempt: the next one is tried, at last a
 * new one. */
static int hand_over(struct slots *s, struct attempt *a, const char *job, size_t n, struct err *err)
{
	struct worker *w;
	int fd = -1, rc;
	bool fresh;

	rc = open_log(s, a, &fd, err);
	if (rc != 0)
		return rc;
	do {
		w = find_idle(s, &a->note);
		fresh = w == NULL;
		if (fresh)
			w = worker_new(s, a->note.key, err);
		if (w == NULL)
			return ERR_IO;
		rc = give(w, a, job, n, fd, err);
		if (rc != 0) {
			worker_leave(w);
			worker_kill(w);
		}
	} while (rc != 0 && !fresh);
	if (rc != 0)
		return rc;
	worker_move(w, WORKER_BUSY);
	w->attempt = a;
	a->worker = w;
	start_timers(s, a);
	return 0;
}

static void finish_attempt(
    struct slots *s, struct attempt *a, uint32_t code, const char *report, size_t n)
{
	char path[PATH_BYTES];

	path[0] = '\0';
	if (a->has_timers) {
		evtimer_del(&a->deadline);
		evtimer_del(&a->grace);
		a->has_timers = false;
	}
	if (!logs_finish(s->conf.logs, a->log))
		log_debug("somebody still holds the output of %s", a->note.slug);
	a->log = 0;
	if (a->note.scratch != NULL && !a->note.keep_scratch)
		snprintf(path, sizeof(path), "%s/scratch/%s", s->conf.state, a->note.scratch);
	mailbox_end(s->mailbox, a, code, report, n);
	if (path[0] != '\0') /* behind the outcome, which need not wait for it */
		logs_remove_tree(s->conf.logs, path);
}

void slots_start(struct slots *s, struct attempt *a, const char *job, size_t n)
{
	struct str report;
	struct err err;

	if (a->note.workers > 0)
		s->max_idle = a->note.workers;
	if (hand_over(s, a, job, n, &err) == 0)
		return;
	log_error("%s run=%" PRIu64 " token=%" PRIu64 ": %s", a->note.slug, a->key.run,
	    a->key.token, err.text);
	str_init(&report, FRAME_REPORT_MAX);
	report_make(&report, "internal", "no-worker", err.text);
	finish_attempt(s, a, OUT_FAILED, str_peek(&report), report.len);
	str_done(&report);
}

/* ---- killing: marks and kills only, the outcome comes from report or exit (rule 18) ---- */

void slots_kill(struct slots *s, struct attempt *a)
{
	struct frame h = {.type = FRAME_KILL,
	    .code = a->reason,
	    .run = a->key.run,
	    .step = a->key.step,
	    .item = a->key.item,
	    .token = a->key.token};

	(void)s;
	if (a->worker == NULL || !a->has_timers)
		return;
	evtimer_del(&a->deadline);
	if (a->worker->sock < 0 || a->note.grace_ms == 0 ||
	    frame_send(a->worker->sock, &h, NULL, 0, NULL, 0, NULL) != 0)
		worker_kill(a->worker);
	else
		add_timer(&a->grace, a->note.grace_ms);
}

void slots_kill_all(struct slots *s)
{
	struct worker_list *lists[] = {&s->idle, &s->busy, &s->leaving};
	struct worker *w;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		TAILQ_FOREACH(w, lists[i], link)
		worker_kill(w);
	}
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *a = arg;

	(void)fd;
	(void)what;
	if (pool_mutant("deadline-needs-daemon") && !mailbox_has_daemon(a->worker->s->mailbox))
		return;
	log_info("%s run=%" PRIu64 " token=%" PRIu64 ": deadline of %" PRId64 " ms passed",
	    a->note.slug, a->key.run, a->key.token, a->note.deadline_ms);
	mailbox_kill(a->worker->s->mailbox, a, OUT_DEADLINE);
}

static void on_grace(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *a = arg;

	(void)fd;
	(void)what;
	worker_kill(a->worker);
}

/* ---- what workers say ---- */

static bool speaks_of(const struct worker *w, const struct frame *h)
{
	const struct attempt *a = w->attempt;

	return a != NULL && a->key.run == h->run && a->key.token == h->token &&
	       a->key.step == h->step && a->key.item == h->item;
}

/* Plugins leak. Looked at now and then only: it costs a file. */
static bool has_grown(struct worker *w)
{
	char path[64], text[128];
	unsigned long long all = 0, resident = 0, shared = 0;
	ssize_t n;
	int fd;

	if (++w->served % SLOT_LOOK_EVERY != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)w->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%llu %llu %llu", &all, &resident, &shared) != 3 || resident < shared)
		return false;
	resident = (resident - shared) * (unsigned long long)sysconf(_SC_PAGESIZE);
	if (resident <= SLOT_GROWN_BYTES)
		return false;
	log_info("worker %d holds %llu MiB after %u attempts: a new one takes its place",
	    (int)w->pid, resident >> 20, w->served);
	return true;
}

static void take_report(struct worker *w, const struct frame *h)
{
	struct slots *s = w->s;
	struct attempt *a = w->attempt;
	bool stays = !(h->flags & FRAME_LAST) && !a->note.fresh && !w->killed && !has_grown(w);

	w->attempt = NULL;
	a->worker = NULL;
	if (w->state == WORKER_BUSY && stays)
		worker_move(w, WORKER_IDLE);
	else if (w->state == WORKER_BUSY)
		worker_leave(w);
	finish_attempt(s, a, h->code == OUT_OK ? OUT_OK : OUT_FAILED, str_peek(&s->in), s->in.len);
	trim_idle(s);
}

/* A report counts only from the worker that was given the attempt. */
static void take_frame(struct worker *w, const struct frame *h)
{
	if (!speaks_of(w, h))
		return;
	if (h->type == FRAME_PROGRESS)
		mailbox_progress(w->s->mailbox, w->attempt, str_peek(&w->s->in), w->s->in.len);
	else if (h->type == FRAME_OUT || h->type == FRAME_SYSTEM_OUT)
		take_report(w, h);
}

static void read_frames(struct worker *w)
{
	struct slots *s = w->s;
	struct frame h;
	struct err err;
	int i, rc = 0;

	for (i = 0; w->sock >= 0 && (i < FRAMES_A_TURN || w->state == WORKER_DEAD); i++) {
		str_reset(&s->in);
		rc = frame_recv(w->sock, &h, &s->in, NULL, 0, NULL, &err);
		if (rc != 0)
			break;
		take_frame(w, &h);
	}
	if (rc == 0 || rc == ERR_AGAIN)
		return;
	if (rc != ERR_CLOSED)
		log_error("worker %d is killed: %s", (int)w->pid, err.text);
	worker_close(w);
	/* A worker that cannot be heard has to go; usually it is going. */
	worker_kill(w);
	if (w->state == WORKER_IDLE)
		worker_leave(w);
}

static void on_worker_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	read_frames(arg);
}

/* ---- exits ---- */

bool slots_reaped(struct slots *s, pid_t pid)
{
	struct worker_list *lists[] = {&s->busy, &s->leaving, &s->idle};
	struct worker *w;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		TAILQ_FOREACH(w, lists[i], link)
		{
			if (w->pid != pid)
				continue;
			worker_move(w, WORKER_DEAD);
			return true;
		}
	}
	return false;
}

static bool is_known(void *ctx, pid_t pid)
{
	struct slots *s = ctx;
	struct worker_list *lists[] = {&s->busy, &s->leaving, &s->idle};
	struct worker *w;
	size_t i;

	if (pid == s->other)
		return true;
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		TAILQ_FOREACH(w, lists[i], link)
		{
			if (w->pid == pid)
				return true;
		}
	}
	return false;
}

/* Nothing of the worker lives: what it still said counts, else the kill's reason, else lost (rule
 * 17). */
static void judge_exit(struct worker *w)
{
	struct attempt *a;

	if (!pool_mutant("undrained"))
		read_frames(w);
	a = w->attempt;
	if (a != NULL) {
		w->attempt = NULL;
		a->worker = NULL;
		log_warn("%s run=%" PRIu64 " token=%" PRIu64 ": worker %d died", a->note.slug,
		    a->key.run, a->key.token, (int)w->pid);
		finish_attempt(w->s, a, OUT_LOST, NULL, 0);
	}
	worker_free(w);
}

void slots_settle(struct slots *s)
{
	struct worker *w;

	if (!pool_mutant("strays-live") && stray_kill(is_known, s, s->sweeps > FREEZE_AFTER) > 0) {
		s->sweeps++;
		return; /* their deaths call again */
	}
	s->sweeps = 0;
	while ((w = TAILQ_FIRST(&s->dead)) != NULL)
		judge_exit(w);
}
