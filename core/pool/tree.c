/* tree.c: see tree.h. Owner: pool, log thread. Commands may have left anything in their scratch
 * folder, also folders without permissions, so names are opened relative to their parent's
 * descriptor and depth is bounded. */
#include "core/pool/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE_DEPTH_MAX 128

static void empty_folder(int fd, int depth);

static void remove_entry(int at, const char *name, int depth)
{
	int fd;

	if (unlinkat(at, name, 0) == 0 || (errno != EISDIR && errno != EPERM))
		return;
	if (depth < TREE_DEPTH_MAX) {
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
			fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			empty_folder(fd, depth + 1);
	}
	unlinkat(at, name, AT_REMOVEDIR);
}

/* Takes the descriptor. */
static void empty_folder(int fd, int depth)
{
	struct dirent *e;
	DIR *dir;

	fchmod(fd, 0700);
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_entry(fd, e->d_name, depth);
	}
	closedir(dir);
}

void tree_remove(const char *path)
{
	remove_entry(AT_FDCWD, path, 0);
}
