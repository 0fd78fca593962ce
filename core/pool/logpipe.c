/* logpipe.c: see logpipe.h. Locks: `table` guards the slots, the list of folders and the counts of
 * references; each log has its own lock for its pipe, file and stream. A log's lock is never taken
 * while `table` is held. */
#define LOG_AT "pool"
#include "core/pool/logpipe.h"

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/pool/logfile.h"
#include "core/pool/mutant.h"
#include "core/pool/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CHUNK 65536
#define EVENTS 32
#define INDEX_BITS 20
#define WAKE_ID UINT64_MAX
#define FINISH_CHUNKS 32 /* what somebody keeps writing after the end is left to the thread */

struct logpipe {
	pthread_mutex_t lock;
	uint64_t id;
	int read_fd, write_fd; /* -1 once closed */
	mono_us close_at;      /* 0: live */
	struct logfile file;
	bool has_file, told;
	bool watched;	   /* read_fd is in the epoll set */
	struct mask *mask; /* shared */
	struct mask_stream stream;
	unsigned refs; /* guarded by table */
	bool gone;     /* guarded by table: out of its slot */
};

struct logs {
	pthread_mutex_t table;
	VEC(struct logpipe *) slots; /* NULL: free */
	VEC(uint32_t) unused;
	VEC(char *) folders; /* owned; to be removed */
	uint64_t generation;
	size_t n_closing;
	bool stop;
	int epoll_fd, wake_fd;
	pthread_t thread;
	char *main_buf, *thread_buf; /* owned; CHUNK each */
};

static struct logpipe *acquire(struct logs *l, uint64_t id)
{
	size_t index = id & ((1u << INDEX_BITS) - 1);
	struct logpipe *p = NULL;

	pthread_mutex_lock(&l->table);
	if (index < l->slots.n && l->slots.v[index] != NULL && l->slots.v[index]->id == id) {
		p = l->slots.v[index];
		p->refs++;
	}
	pthread_mutex_unlock(&l->table);
	return p;
}

static void release(struct logs *l, struct logpipe *p)
{
	bool last;

	pthread_mutex_lock(&l->table);
	last = --p->refs == 0 && p->gone;
	pthread_mutex_unlock(&l->table);
	if (!last)
		return;
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
}

/* Takes the log out of its slot; the caller holds a reference. */
static void forget(struct logs *l, struct logpipe *p)
{
	uint32_t index = (uint32_t)(p->id & ((1u << INDEX_BITS) - 1));

	pthread_mutex_lock(&l->table);
	if (!p->gone) {
		p->gone = true;
		l->slots.v[index] = NULL;
		VEC_ADD(&l->unused, index);
	}
	pthread_mutex_unlock(&l->table);
}

static void wake(struct logs *l)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(l->wake_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

/* ---- one log; its lock is held ---- */

static void unwatch(struct logs *l, struct logpipe *p)
{
	if (p->watched)
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, p->read_fd, NULL);
	p->watched = false;
}

static void put(struct logpipe *p, const char *bytes, size_t n, bool end)
{
	struct str shown;
	struct err err;
	int rc = 0;

	if (!p->has_file)
		return;
	if (p->mask == NULL) {
		if (n > 0)
			rc = logfile_add(&p->file, bytes, n, &err);
	} else {
		str_init(&shown, SIZE_MAX / 4);
		mask_feed(p->mask, &p->stream, bytes, n, end, &shown);
		if (shown.len > 0)
			rc = logfile_add(&p->file, shown.s, shown.len, &err);
		str_done(&shown);
	}
	if (rc != 0 && !p->told) {
		log_error("output of an attempt is lost: %s", err.text);
		p->told = true;
	}
}

enum pumped { PUMP_MORE, PUMP_EMPTY, PUMP_END };

static enum pumped pump(struct logpipe *p, char *buf)
{
	ssize_t n;

	if (p->read_fd < 0)
		return PUMP_END;
	do
		n = read(p->read_fd, buf, CHUNK);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return PUMP_EMPTY;
	if (n <= 0)
		return PUMP_END;
	put(p, buf, (size_t)n, false);
	return n == CHUNK ? PUMP_MORE : PUMP_EMPTY;
}

static void close_log(struct logs *l, struct logpipe *p)
{
	unwatch(l, p);
	io_close(&p->read_fd);
	io_close(&p->write_fd);
	put(p, "", 0, true);
	mask_stream_done(&p->stream);
	if (p->has_file)
		logfile_done(&p->file);
	p->has_file = false;
	mask_free(p->mask);
	p->mask = NULL;
}

/* ---- the thread ---- */

/* Ends logs that lingered; returns the milliseconds to the next one, -1: none. */
static int close_lingering(struct logs *l)
{
	mono_us now = clock_mono(), next = INT64_MAX;
	struct logpipe *p;
	uint64_t id;
	size_t i, n;

	pthread_mutex_lock(&l->table);
	n = l->n_closing > 0 ? l->slots.n : 0;
	pthread_mutex_unlock(&l->table);
	for (i = 0; i < n; i++) {
		pthread_mutex_lock(&l->table);
		id = i < l->slots.n && l->slots.v[i] != NULL ? l->slots.v[i]->id : 0;
		pthread_mutex_unlock(&l->table);
		p = id != 0 ? acquire(l, id) : NULL;
		if (p == NULL)
			continue;
		pthread_mutex_lock(&p->lock);
		if (p->close_at != 0 && (p->close_at <= now || p->read_fd < 0)) {
			close_log(l, p);
			forget(l, p);
			pthread_mutex_lock(&l->table);
			l->n_closing--;
			pthread_mutex_unlock(&l->table);
			p->close_at = 0;
		} else if (p->close_at != 0 && p->close_at < next) {
			next = p->close_at;
		}
		pthread_mutex_unlock(&p->lock);
		release(l, p);
	}
	return next == INT64_MAX ? -1 : (int)((next - now) / US_PER_MS) + 1;
}

static void serve(struct logs *l, uint64_t id)
{
	struct logpipe *p = acquire(l, id);

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	if (pump(p, l->thread_buf) == PUMP_END && p->read_fd >= 0 && p->close_at != 0) {
		unwatch(l, p);
		io_close(&p->read_fd); /* close_lingering does the rest in this turn */
	}
	pthread_mutex_unlock(&p->lock);
	release(l, p);
}

static void remove_folders(struct logs *l)
{
	char *path;

	for (;;) {
		pthread_mutex_lock(&l->table);
		path = l->folders.n > 0 ? l->folders.v[--l->folders.n] : NULL;
		pthread_mutex_unlock(&l->table);
		if (path == NULL)
			return;
		tree_remove(path);
		mem_free(path);
	}
}

static bool stopped(struct logs *l)
{
	bool stop;

	pthread_mutex_lock(&l->table);
	stop = l->stop;
	pthread_mutex_unlock(&l->table);
	return stop;
}

static void *run(void *arg)
{
	struct logs *l = arg;
	struct epoll_event events[EVENTS];
	uint64_t count;
	int i, n, timeout = -1;

	prctl(PR_SET_NAME, "pool-logs");
	while (!stopped(l)) {
		n = epoll_wait(l->epoll_fd, events, EVENTS, timeout);
		for (i = 0; i < n; i++) {
			if (events[i].data.u64 != WAKE_ID)
				serve(l, events[i].data.u64);
			else if (read(l->wake_fd, &count, sizeof(count)) > 0)
				remove_folders(l);
		}
		timeout = close_lingering(l);
	}
	remove_folders(l);
	return NULL;
}

/* ---- the main thread ---- */

static int start_thread(struct logs *l, struct err *err)
{
	sigset_t all, before;
	int rc;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? 0 : err_errno(err, ERR_IO, rc, "cannot start the log thread");
}

static void free_parts(struct logs *l)
{
	io_close(&l->epoll_fd);
	io_close(&l->wake_fd);
	pthread_mutex_destroy(&l->table);
	VEC_DONE(&l->slots);
	VEC_DONE(&l->unused);
	VEC_DONE(&l->folders);
	mem_free(l->main_buf);
	mem_free(l->thread_buf);
	mem_free(l);
}

int logs_new(struct logs **ret, struct err *err)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = WAKE_ID};
	struct logs *l = MEM_NEW(struct logs);
	int rc;

	pthread_mutex_init(&l->table, NULL);
	l->main_buf = mem_alloc(CHUNK);
	l->thread_buf = mem_alloc(CHUNK);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epoll_fd < 0 || l->wake_fd < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &e) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot set up the log thread");
	else
		rc = start_thread(l, err);
	if (rc != 0) {
		free_parts(l);
		return rc;
	}
	*ret = l;
	return 0;
}

void logs_free(struct logs *l)
{
	size_t i;

	if (l == NULL)
		return;
	pthread_mutex_lock(&l->table);
	l->stop = true;
	pthread_mutex_unlock(&l->table);
	wake(l);
	pthread_join(l->thread, NULL);
	for (i = 0; i < l->slots.n; i++) {
		if (l->slots.v[i] == NULL)
			continue;
		while (pump(l->slots.v[i], l->main_buf) == PUMP_MORE)
			;
		close_log(l, l->slots.v[i]);
		pthread_mutex_destroy(&l->slots.v[i]->lock);
		mem_free(l->slots.v[i]);
	}
	free_parts(l);
}

static void enter(struct logs *l, struct logpipe *p)
{
	uint32_t index;

	pthread_mutex_lock(&l->table);
	if (l->unused.n > 0) {
		index = l->unused.v[--l->unused.n];
	} else {
		index = (uint32_t)l->slots.n;
		VEC_ADD(&l->slots, NULL);
	}
	p->id = ++l->generation << INDEX_BITS | index;
	l->slots.v[index] = p;
	pthread_mutex_unlock(&l->table);
}

int logs_open(struct logs *l, const char *path, struct mask *mask, uint64_t *ret_id, int *ret_fd,
    struct err *err)
{
	struct epoll_event e = {.events = EPOLLIN};
	struct logpipe *p;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(err, ERR_IO, errno, "cannot make a pipe for output");
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK); /* a new pipe has no other flag */
	p = MEM_NEW(struct logpipe);
	pthread_mutex_init(&p->lock, NULL);
	p->read_fd = fds[0];
	p->write_fd = fds[1];
	p->mask = mask_ref(mask);
	if (path != NULL) {
		logfile_init(&p->file, path);
		p->has_file = true;
	}
	p->watched = true; /* before the thread can see it */
	enter(l, p);
	e.data.u64 = p->id;
	*ret_id = p->id;
	*ret_fd = fds[1];
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fds[0], &e) != 0) {
		err_errno(err, ERR_IO, errno, "cannot watch a pipe for output");
		logs_finish(l, p->id);
		return ERR_IO;
	}
	return 0;
}

/* Somebody outside the attempt holds the pipe: the thread reads on for a while. */
static void linger(struct logs *l, struct logpipe *p)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = p->id};

	p->close_at = clock_mono() + LOG_LINGER_MS * US_PER_MS;
	pthread_mutex_lock(&l->table);
	l->n_closing++;
	pthread_mutex_unlock(&l->table);
	p->watched = epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, p->read_fd, &e) == 0;
	if (!p->watched)
		log_warn("the rest of an attempt's output is not read: %s", strerror(errno));
	wake(l);
}

bool logs_finish(struct logs *l, uint64_t id)
{
	struct logpipe *p = id != 0 ? acquire(l, id) : NULL;
	enum pumped state = PUMP_MORE;
	int i;

	if (p == NULL)
		return true;
	pthread_mutex_lock(&p->lock);
	if (p->close_at == 0 && p->read_fd >= 0) {
		/* Out of the epoll set first: closing our write end would wake the thread for
		 * nothing. */
		unwatch(l, p);
		io_close(&p->write_fd);
		if (pool_mutant("tail-unread"))
			state = PUMP_END;
		for (i = 0; i < FINISH_CHUNKS && state == PUMP_MORE; i++)
			state = pump(p, l->main_buf);
		if (state == PUMP_EMPTY)
			state = pump(p, l->main_buf);
		if (state == PUMP_END) {
			close_log(l, p);
			forget(l, p);
		} else {
			linger(l, p);
		}
	}
	pthread_mutex_unlock(&p->lock);
	release(l, p);
	return state == PUMP_END;
}

void logs_remove_tree(struct logs *l, const char *path)
{
	if (rmdir(path) == 0 ||
	    (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES && errno != EPERM))
		return;
	pthread_mutex_lock(&l->table);
	VEC_ADD(&l->folders, mem_strdup(path));
	pthread_mutex_unlock(&l->table);
	wake(l);
}
