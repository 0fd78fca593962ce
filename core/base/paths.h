/* paths.h: where the project's own programs and plugins are.
 *
 * Normally the folders that configure was given. When the environment has SLUICE_BUILD_DIR (the
 * top of a build tree), programs and plugins are taken from there instead, so that tests run what
 * was just built without installing it. Ignored in set-user-id programs. */
#ifndef CORE_BASE_PATHS_H
#define CORE_BASE_PATHS_H

enum path_id {
	PATH_CLI,	 /* bindir/sluice */
	PATH_DAEMON,	 /* sbindir/sluiced */
	PATH_POOL,	 /* libexecdir/sluice/sluice-pool */
	PATH_WORKER,	 /* libexecdir/sluice/sluice-worker */
	PATH_PLUGINS,	 /* libdir/sluice, a folder */
	PATH_SYSCONF,	 /* sysconfdir/sluice, a folder; not changed by SLUICE_BUILD_DIR */
	PATH_LOCALSTATE, /* localstatedir, a folder; not changed by SLUICE_BUILD_DIR */
	PATH_IDS
};

/* Absolute path in memory that lives as long as the program. Safe from several threads as long as
 * none changes the environment. */
const char *path_of(enum path_id id);

#endif
