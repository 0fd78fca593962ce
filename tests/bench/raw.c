/* raw.c: what this machine can do without Sluice, measured in the same run as Sluice: the floor of
 * every ratio.
 *
 * raw commits DIR N        N commits of LMDB, three puts each, one after the other: ms
 * raw spawn N AT_ONCE FILE N processes of /bin/true, output captured to FILE, AT_ONCE at a time: ms
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int fail(const char *what)
{
	fprintf(stderr, "raw: %s: %s\n", what, strerror(errno));
	return 1;
}

static int commit_one(MDB_env *env, MDB_dbi dbi, unsigned long i)
{
	MDB_txn *txn;
	char value[160] = {0};
	if (mdb_txn_begin(env, NULL, 0, &txn) != 0)
		return 1;
	for (unsigned long k = 0; k < 3; k++) {
		unsigned long key = i * 3 + k;
		MDB_val mk = {sizeof(key), &key}, mv = {sizeof(value), value};
		if (mdb_put(txn, dbi, &mk, &mv, 0) != 0)
			return 1;
	}
	return mdb_txn_commit(txn);
}

static int commits(const char *dir, unsigned long n)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	if (mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, 1ul << 30) != 0 ||
	    mdb_env_open(env, dir, MDB_NOTLS, 0600) != 0)
		return fail("lmdb");
	if (mdb_txn_begin(env, NULL, 0, &txn) != 0 ||
	    mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi) != 0 || mdb_txn_commit(txn) != 0)
		return fail("lmdb");
	for (unsigned long i = 0; i < 20; i++)
		if (commit_one(env, dbi, i) != 0)
			return fail("commit");
	double start = now_ms();
	for (unsigned long i = 0; i < n; i++)
		if (commit_one(env, dbi, 20 + i) != 0)
			return fail("commit");
	printf("%.3f\n", now_ms() - start);
	mdb_env_close(env);
	return 0;
}

static int spawn(unsigned long n, unsigned long at_once, const char *file)
{
	char program[] = "/bin/true";
	char *argv[] = {program, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, file, O_WRONLY | O_CREAT | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	double start = now_ms();
	unsigned long running = 0;
	for (unsigned long begun = 0, ended = 0; ended < n;) {
		pid_t pid;
		if (begun < n && running < at_once) {
			if (posix_spawn(&pid, program, &actions, NULL, argv, environ) != 0)
				return fail("spawn");
			begun++;
			running++;
			continue;
		}
		if (wait(NULL) > 0) {
			ended++;
			running--;
		}
	}
	printf("%.3f\n", now_ms() - start);
	posix_spawn_file_actions_destroy(&actions);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "commits") == 0)
		return commits(argv[2], strtoul(argv[3], NULL, 10));
	if (argc == 5 && strcmp(argv[1], "spawn") == 0)
		return spawn(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), argv[4]);
	fprintf(stderr, "usage: raw commits DIR N | raw spawn N AT_ONCE FILE\n");
	return 2;
}
