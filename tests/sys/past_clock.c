/* past_clock.c: preloaded into a daemon of the tests, moves its real-time clock by
 * PAST_CLOCK_SECONDS (negative: into the past): what it reads, and the absolute timers that it
 * sets. The monotonic clock is left alone. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

static time_t shift;

/* At once: the daemon soon drops what it does not know from its environment. */
__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("PAST_CLOCK_SECONDS");

	shift = text == NULL ? 0 : (time_t)strtoll(text, NULL, 10);
}

SEEN int clock_gettime(clockid_t id, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ret);

	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ret->tv_sec += shift;
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

	if ((flags & TFD_TIMER_ABSTIME) != 0 && moved.it_value.tv_sec > 1)
		moved.it_value.tv_sec -= shift;
	return (int)syscall(SYS_timerfd_settime, fd, flags, &moved, old);
}
