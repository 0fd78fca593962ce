/* paths.c: compiled-in folders, or those of a build tree. */
#include "core/base/paths.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_BYTES 4096

static const struct {
	const char *installed;
	const char *in_build; /* below SLUICE_BUILD_DIR; NULL where it does not matter */
} places[PATH_IDS] = {
    [PATH_CLI] = {SL_BINDIR "/sluice", "core/cli/sluice"},
    [PATH_DAEMON] = {SL_SBINDIR "/sluiced", "core/daemon/sluiced"},
    [PATH_POOL] = {SL_LIBEXECDIR "/sluice-pool", "core/pool/sluice-pool"},
    [PATH_WORKER] = {SL_LIBEXECDIR "/sluice-worker", "core/worker/sluice-worker"},
    [PATH_PLUGINS] = {SL_PLUGINDIR, "plugins/.libs"},
    [PATH_SYSCONF] = {SL_SYSCONFDIR, NULL},
    [PATH_LOCALSTATE] = {SL_LOCALSTATEDIR, NULL},
};

static char found[PATH_IDS][PATH_BYTES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find_all(void)
{
	const char *build = secure_getenv("SLUICE_BUILD_DIR");
	int i, n;

	for (i = 0; i < PATH_IDS; i++) {
		n = -1;
		if (build != NULL && build[0] == '/' && places[i].in_build != NULL)
			n = snprintf(found[i], PATH_BYTES, "%s/%s", build, places[i].in_build);
		if (n < 0 || n >= PATH_BYTES)
			snprintf(found[i], PATH_BYTES, "%s", places[i].installed);
	}
}

const char *path_of(enum path_id id)
{
	pthread_once(&once, find_all);
	return found[id];
}
