/* past_clock.c: preloaded into a daemon of the tests, moves its real-time clock: by
 * PAST_CLOCK_SECONDS (negative: into the past) from the start, and later by what the file that
 * PAST_CLOCK_FILE names holds, as often as that is replaced: what the daemon reads, and the
 * absolute timers that it sets. When the clock is set a timer that was armed, or disarmed, with
 * TFD_TIMER_CANCEL_ON_SET ends as the kernel ends it: it is readable, and read fails with
 * ECANCELED. The monotonic clock is left alone. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))
#define TURN_NS 20000000

static _Atomic time_t shift;
static atomic_int timer = -1; /* the one that wants to know of a clock that is set */
static atomic_bool cancelled; /* its next read says so */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void clock_is_set(time_t to)
{
	struct itimerspec now = {.it_value = {.tv_nsec = 1}};

	pthread_mutex_lock(&lock);
	atomic_store(&shift, to);
	if (atomic_load(&timer) >= 0) {
		atomic_store(&cancelled, true);
		(void)syscall(SYS_timerfd_settime, atomic_load(&timer), 0, &now, NULL);
	}
	pthread_mutex_unlock(&lock);
}

static void *follow(void *arg)
{
	struct timespec wait = {.tv_nsec = TURN_NS};
	const char *path = arg;
	long long to;
	FILE *f;

	for (;; nanosleep(&wait, NULL)) {
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fscanf(f, "%lld", &to) == 1 && (time_t)to != atomic_load(&shift))
			clock_is_set((time_t)to);
		(void)fclose(f);
	}
	return NULL;
}

/* At once: the daemon soon drops what it does not know from its environment. */
__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("PAST_CLOCK_SECONDS"), *path = getenv("PAST_CLOCK_FILE");
	static char kept[4096];
	sigset_t all, old;
	pthread_t thread;

	atomic_store(&shift, text == NULL ? 0 : (time_t)strtoll(text, NULL, 10));
	/* pool and workers keep the clock that they have */
	if (path == NULL || unsetenv("PAST_CLOCK_FILE") != 0)
		return;
	(void)snprintf(kept, sizeof(kept), "%s", path);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	(void)pthread_create(&thread, NULL, follow, kept);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

SEEN int clock_gettime(clockid_t id, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ret);

	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ret->tv_sec += atomic_load(&shift);
	return rc;
}

SEEN time_t time(time_t *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret != NULL)
		*ret = now.tv_sec;
	return now.tv_sec;
}

/* All timers of the daemon are on the real-time clock. */
SEEN int timerfd_settime(int fd, int flags, const struct itimerspec *spec, struct itimerspec *old)
{
	struct itimerspec moved = *spec;
	int rc;

	pthread_mutex_lock(&lock);
	if ((flags & TFD_TIMER_ABSTIME) != 0 && moved.it_value.tv_sec > 1)
		moved.it_value.tv_sec -= atomic_load(&shift);
	rc = (int)syscall(SYS_timerfd_settime, fd, flags, &moved, old);
	if (rc == 0 && (flags & TFD_TIMER_CANCEL_ON_SET) != 0)
		atomic_store(&timer, fd);
	else if (rc == 0 && atomic_load(&timer) == fd)
		atomic_store(&timer, -1);
	pthread_mutex_unlock(&lock);
	return rc;
}

SEEN ssize_t read(int fd, void *buf, size_t n)
{
	ssize_t got = syscall(SYS_read, fd, buf, n);

	if (got > 0 && fd == atomic_load(&timer) && atomic_exchange(&cancelled, false)) {
		errno = ECANCELED;
		return -1;
	}
	return got;
}
