/* probe.c: is the store fit to be opened by the daemon? Asked in a child: a damaged file may answer
 * with SIGBUS or an assertion of LMDB's. Only the small tables are read; all of it is fsck's work.
 */
#define LOG_AT "store"
#include "core/store/copy.h"

#include "core/base/io.h"
#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENTRIES_MAX 20000 /* of a table */

static int sweep(const struct view *v, enum table t)
{
	struct view_walk w;
	int rc = 0;

	view_walk_init(&w, v, t, NULL, 0, false);
	for (int i = 0; rc == 0 && i < ENTRIES_MAX; i++)
		rc = view_walk_next(&w, NULL);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int sweep_all(struct store *s, struct err *err)
{
	static const enum table tables[] = {TABLE_META, TABLE_DAG, TABLE_DAG_NAME, TABLE_FILE,
	    TABLE_RUN_QUEUE, TABLE_READY, TABLE_BLOCKED, TABLE_RUNNING, TABLE_DUE, TABLE_SCHED,
	    TABLE_COUNT, TABLE_SUB, TABLE_LISTEN, TABLE_TOKEN, TABLE_TOKEN_NAME};
	struct store_read *read;
	const struct view *v;
	int rc = store_read_new(s, &read, err);

	if (rc != 0)
		return rc;
	v = store_read_begin(read);
	for (size_t i = 0; v && rc == 0 && i < sizeof(tables) / sizeof(tables[0]); i++) {
		rc = sweep(v, tables[i]);
		if (rc != 0)
			err_set(err, rc, "table %s: %s", table_name(tables[i]), err_text(rc));
	}
	return rc;
}

static int prove(struct store *s, bool whole, const char *path, struct err *err)
{
	int rc = whole ? copy_prove(s, path, err) : sweep_all(s, err);

	/* what LMDB makes of a page that holds nonsense; a disk that fails says so in the log */
	return rc == ERR_IO ? ERR_CORRUPT : rc;
}

static void child(int to, const char *data, bool whole)
{
	struct store *s = NULL;
	struct err err = {0};
	int rc = store_open_file(data, false, &s, &err);

	if (rc == 0)
		rc = prove(s, whole, data, &err);
	err.code = rc;
	if (rc != 0 && write(to, &err, sizeof(err)) != (ssize_t)sizeof(err))
		_exit(2);
	_exit(rc != 0);
}

static int judge(const char *path, int status, const struct err *said, struct err *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (said->code != 0)
		return err_set(err, said->code, "%s", said->text);
	return err_set(
	    err, ERR_CORRUPT, "%s is damaged so much that reading it ends a process", path);
}

int copy_probe(const char *path, bool whole, struct err *err)
{
	struct err said = {0};
	int fds[2], status = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		return err_errno(err, ERR_IO, errno, "cannot look at %s in a child", path);
	if (pid == 0)
		child(fds[1], path, whole);
	io_close(&fds[1]);
	if (read(fds[0], &said, sizeof(said)) != (ssize_t)sizeof(said))
		memset(&said, 0, sizeof(said));
	io_close(&fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return judge(path, status, &said, err);
}

int store_probe(const char *dir, struct err *err)
{
	char *data = io_path_join(dir, "data.mdb");
	struct err said = {0};
	int rc = access(data, F_OK) == 0 ? copy_probe(data, false, &said) : 0;

	if (rc == ERR_NOT_FOUND) /* a first start was killed: there is a file and nothing in it */
		rc = 0;
	if (rc == ERR_CORRUPT)
		err_set(err, rc,
		    "the store is damaged: %.300s; look with sluice fsck, then bring back a backup "
		    "with sluice restore FILE",
		    said.text);
	else if (rc != 0)
		err_set(err, rc, "%s", said.text);
	mem_free(data);
	return rc;
}
