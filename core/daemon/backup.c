/* backup.c: GET /v1/backup: a copy of the running store, made and proven by a thread of its own,
 * because both take as long as the store is large. The loop gets an open file without a name.
 * Owner: struct backup, loop thread; the thread owns its job until it has written to `done`. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/http/http.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct backup {
	struct daemon *d; /* borrowed */
	pthread_t thread;
	bool running;
	int done; /* eventfd */
	struct event *event;
	http_file_answer answer;
	void *answer_arg;
	/* the thread's, until `done` */
	char *path; /* owned */
	int rc, fd;
	struct err err;
	struct store_copy info;
};

static void *backup_main(void *arg)
{
	struct backup *b = arg;
	uint64_t one = 1;

	b->rc = store_backup(b->d->store, b->path, clock_wall(), &b->info, &b->err);
	if (b->rc == 0) {
		b->fd = open(b->path, O_RDONLY | O_CLOEXEC);
		if (b->fd < 0)
			b->rc = err_errno(&b->err, ERR_IO, errno, "cannot open the backup");
		unlink(b->path); /* whoever holds it open has it */
	}
	if (write(b->done, &one, sizeof(one)) != (ssize_t)sizeof(one))
		log_error("cannot tell the loop that a backup is there");
	return NULL;
}

static void write_info(const struct store_copy *i, struct str *out)
{
	char text[CLOCK_TEXT_MAX];

	str_addf(out, "schema=%u; epoch=%u; uuid=", i->schema, i->epoch);
	for (size_t k = 0; k < sizeof(i->uuid); k++)
		str_addf(out, "%02x", i->uuid[k]);
	str_addf(out, "; created=%s", clock_format(i->copied_at, text));
}

static void on_backup_done(evutil_socket_t fd, short what, void *arg)
{
	struct backup *b = arg;
	struct str info;
	uint64_t count;

	(void)what;
	loop_enter(&b->d->loop, "backup");
	if (read(fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		return;
	pthread_join(b->thread, NULL);
	b->running = false;
	str_init(&info, 512);
	if (b->rc == 0) {
		write_info(&b->info, &info);
		log_info("backup made: %llu bytes", (unsigned long long)b->info.bytes);
	} else {
		log_error("no backup: %s", b->err.text);
	}
	b->answer(b->answer_arg, b->rc, &b->err, b->fd, str_peek(&info));
	b->fd = -1;
	str_done(&info);
}

struct backup *backup_new(struct daemon *d)
{
	struct backup *b = MEM_NEW(struct backup);

	b->d = d;
	b->fd = -1;
	b->path = io_path_join(d->conf->state_dir, "backup.tmp");
	unlink(b->path); /* of a daemon that was killed */
	b->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->event = event_new(d->loop.base, b->done, EV_READ | EV_PERSIST, on_backup_done, b);
	event_add(b->event, NULL);
	return b;
}

/* The thread cannot be called off: closing waits until its copy is made. */
void backup_free(struct backup *b)
{
	if (!b)
		return;
	if (b->running)
		pthread_join(b->thread, NULL);
	event_free(b->event);
	io_close(&b->done);
	io_close(&b->fd);
	mem_free(b->path);
	mem_free(b);
}

int backup_start(struct backup *b, http_file_answer answer, void *answer_arg, struct err *err)
{
	sigset_t all, old;
	int rc;

	if (b->running)
		return err_set(err, ERR_CONFLICT, "a backup is being made already");
	b->answer = answer;
	b->answer_arg = answer_arg;
	b->rc = 0;
	memset(&b->err, 0, sizeof(b->err));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals belong to the loop */
	rc = pthread_create(&b->thread, NULL, backup_main, b);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return err_errno(err, ERR_NOMEM, rc, "cannot start a thread for the backup");
	b->running = true;
	return 0;
}
