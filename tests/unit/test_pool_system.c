/* The pool as a program: a real sluice-pool with the tests' worker, driven as a daemon would.
 * Covers the protocol's rules at the daemon's socket, exits, kills, deadlines, logs, ends. Not
 * covered: the real worker (tests/sys), the store. */
#include "tests/unit/pool_client.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UUID "0123456789abcdef"

TestSuite(pool_system, .timeout = 60);

Test(pool_system, runs_a_job_and_keeps_the_worker)
{
	struct pool_client c;
	char first[256];

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "ok");
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	snprintf(first, sizeof(first), "%s", c.in.s);
	client_ack(&c, 1);
	client_job(&c, 2, "k", "", "ok");
	cr_assert_eq(client_out(&c, 2), OUT_OK);
	cr_assert_str_eq(c.in.s, first, "the same worker");
	client_job(&c, 3, "other", "", "ok");
	cr_assert_eq(client_out(&c, 3), OUT_OK);
	cr_assert_str_neq(c.in.s, first, "another key, another worker");
	client_job(&c, 4, "k", "\"fresh\":true", "ok");
	cr_assert_eq(client_out(&c, 4), OUT_OK);
	cr_assert_str_neq(c.in.s, first, "fresh is a new worker");
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, rejects_the_job_that_cannot_be_read_and_the_short_secret)
{
	struct pool_client c;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_send(&c, FRAME_JOB, 1, 1, "\xff\xff\xff\xff", 4);
	cr_assert_eq(client_out(&c, 1), OUT_FAILED);
	cr_assert_not_null(strstr(c.in.s, "bad-job"));
	client_job(&c, 2, "k", "\"masks\":[\"short\"]", "ok");
	cr_assert_eq(client_out(&c, 2), OUT_FAILED);
	cr_assert_not_null(strstr(c.in.s, "secret-too-short"));
	client_job(&c, 3, "k", "\"log\":\"../../x.log\"", "ok");
	cr_assert_eq(client_out(&c, 3), OUT_FAILED);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, keeps_an_outcome_until_ack_across_connections)
{
	struct pool_client c;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "ok");
	client_job(&c, 2, "k", "", "hang");
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	/* not acknowledged: the daemon dies */
	cr_assert(client_hello(&c, UUID));
	cr_assert_eq(c.n_out, 1);
	cr_assert_eq(c.n_run, 1);
	cr_assert_eq(c.head.instance, c.instance);
	cr_assert(client_hello(&c, UUID));
	cr_assert_eq(c.n_out, 1, "told as often as asked");
	client_ack(&c, 1);
	cr_assert(client_hello(&c, UUID));
	cr_assert_eq(c.n_out, 0, "gone after ACK");
	cr_assert_eq(c.n_run, 1);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, ends_of_attempts_while_no_daemon_is_there_wait_for_the_next)
{
	struct pool_client c;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "sh sleep 0.05");
	for (int i = 0; i < 200 && c.n_out == 0; i++) { /* told at a hello, whenever it ended */
		client_disconnect(&c);
		poll(NULL, 0, 100);
		cr_assert(client_hello(&c, UUID));
	}
	cr_assert_eq(c.n_out, 1);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, jobs_of_an_older_connection_do_not_start_after_the_new_hello)
{
	struct pool_client c, old;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	old = c;
	c.fd = -1;
	kill(c.pid, SIGSTOP); /* the old daemon's job stays unread while the new one connects */
	client_job(&old, 1, "k", "", "ok");
	client_connect(&c);
	client_send(&c, FRAME_HELLO, 0, 0, UUID "\0\0\0\0", 20);
	kill(c.pid, SIGCONT);
	while (client_recv(&c, CLIENT_WAIT_MS) && c.head.type != FRAME_END)
		c.n_run += c.head.type == FRAME_RUN || c.head.type == FRAME_OUT;
	cr_assert_eq(c.head.type, FRAME_END);
	if (c.n_run == 0) { /* closed unread: then it must never start */
		cr_assert_not(
		    client_recv(&c, 100), "an outcome of a job that END said was not there");
	}
	close(old.fd);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, refuses_another_store)
{
	struct pool_client c;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	cr_assert_not(client_hello(&c, "another-store-id"));
	cr_assert_eq(c.head.type, FRAME_REFUSED);
	cr_assert(client_hello(&c, UUID));
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, a_dead_worker_is_lost_once_its_strays_are_dead)
{
	struct pool_client c;
	static const char *const verbs[] = {"die", "eof", "nonsense"};
	size_t i;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	for (i = 0; i < 3; i++) {
		client_job(&c, i + 1, "k", "", verbs[i]);
		cr_assert_eq(client_out(&c, i + 1), OUT_LOST, "%s", verbs[i]);
	}
	/* A command with children in their own sessions, its worker killed by the command itself.
	 */
	client_job(&c, 9, "k", "",
	    "sh (setsid sleep 4711@ &) ; (setsid sh -c 'sleep 4711@ & sleep 4711@' &) ; sleep "
	    "0.05; kill "
	    "-9 $PPID; sleep 4711@");
	cr_assert_eq(client_out(&c, 9), OUT_LOST);
	cr_assert_eq(client_count_processes("sleep 4711@"), 0, "told before its strays were dead");
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, a_report_that_was_sent_before_death_counts)
{
	struct pool_client c;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "last");
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	client_job(&c, 2, "k", "", "stale");
	cr_assert_eq(client_out(&c, 2), OUT_FAILED);
	cr_assert_not_null(strstr(c.in.s, "the right one"));
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, kill_tells_the_worker_then_kills_it_after_the_grace)
{
	struct pool_client c;
	mono_us begin;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "hang");
	client_send(&c, FRAME_KILL, 1, 1, NULL, 0);
	cr_assert_eq(client_out(&c, 1), OUT_CANCELLED);
	client_job(&c, 2, "k", "\"grace_ms\":100", "deaf");
	begin = clock_mono();
	client_send(&c, FRAME_KILL, 2, 1, NULL, 0);
	client_send(&c, FRAME_KILL, 2, 1, NULL, 0);
	cr_assert_eq(client_out(&c, 2), OUT_CANCELLED);
	cr_assert_geq(clock_mono() - begin, 90 * US_PER_MS);
	client_job(&c, 3, "k", "", "late-ok");
	client_send(&c, FRAME_KILL, 3, 1, NULL, 0);
	cr_assert_eq(client_out(&c, 3), OUT_OK, "a success counts (rule 19)");
	client_send(&c, FRAME_KILL, 3, 1, NULL, 0);  /* ended */
	client_send(&c, FRAME_KILL, 99, 1, NULL, 0); /* unknown */
	client_send(&c, 31, 99, 1, NULL, 0);	     /* of a newer release */
	client_job(&c, 4, "k", "", "ok");
	cr_assert_eq(client_out(&c, 4), OUT_OK);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, deadlines_are_enforced_without_a_daemon)
{
	struct pool_client c;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "\"deadline_ms\":60,\"grace_ms\":20", "deaf");
	client_job(&c, 2, "k", "\"deadline_ms\":60", "hang");
	client_job(&c, 3, "k", "\"deadline_ms\":60000", "hang");
	client_disconnect(&c);
	poll(NULL, 0, 250);
	cr_assert(client_hello(&c, UUID));
	cr_assert_eq(c.n_out, 2);
	cr_assert_eq(c.n_run, 1);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, a_success_is_told_even_when_the_deadline_came_first)
{
	struct pool_client c;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "\"deadline_ms\":40", "late-ok");
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	client_job(&c, 2, "k", "\"deadline_ms\":40", "hang");
	cr_assert_eq(client_out(&c, 2), OUT_DEADLINE);
	cr_assert_eq(c.in.len, 0, "the failure's report is not the outcome");
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, system_jobs_have_two_lanes_and_wait_beyond)
{
	struct pool_client c;
	mono_us begin = clock_mono();
	uint64_t i;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	for (i = 1; i <= 5; i++)
		client_system(&c, i, "sh sleep 0.05");
	for (i = 1; i <= 5; i++) {
		cr_assert(client_recv(&c, CLIENT_WAIT_MS));
		cr_assert_eq(c.head.type, FRAME_SYSTEM_OUT);
		cr_assert_eq(c.head.code, OUT_OK);
	}
	cr_assert_geq(clock_mono() - begin, 150 * US_PER_MS, "five jobs of 50 ms, two at once");
	client_system(&c, 6, "die");
	cr_assert_eq(client_out(&c, 6), OUT_LOST);
	client_system(&c, 7, "hang");
	cr_assert(client_hello(&c, UUID));
	cr_assert_eq(c.n_run + c.n_out, 0, "system jobs are not kept");
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, output_is_in_the_log_before_the_outcome_with_secrets_masked)
{
	struct pool_client c;
	struct str log;
	char path[256];

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "\"log\":\"d/r/a.1.log\",\"masks\":[\"hunter2-hunter2\"]",
	    "print password hunter2-hunter2 told");
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	cr_assert_null(strstr(c.in.s, "hunter2"), "masked in the report too");
	snprintf(path, sizeof(path), "%s/logs/d/r/a.1.log", c.state);
	str_init(&log, 4096);
	cr_assert_eq(io_read_file(path, 4096, &log, NULL), 0);
	cr_assert_str_eq(log.s, "password *** told");
	str_done(&log);
	client_job(&c, 2, "k", "\"log\":\"d/r/b.1.log\"", "ok");
	cr_assert_eq(client_out(&c, 2), OUT_OK);
	snprintf(path, sizeof(path), "%s/logs/d/r/b.1.log", c.state);
	cr_assert_neq(access(path, F_OK), 0, "no output, no file");
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, scratch_is_removed_afterwards_unless_kept)
{
	struct pool_client c;
	char path[200], job[800];
	int i;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	snprintf(path, sizeof(path), "%s/scratch/s1", c.state);
	snprintf(job, sizeof(job), "sh mkdir -p %s/a/b && ln -s / %s/a/root && echo x > %s/a/b/f",
	    path, path, path);
	client_job(&c, 1, "k", "\"scratch\":\"s1\",\"keep_scratch\":true", job);
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	cr_assert_eq(access(path, F_OK), 0);
	client_job(&c, 2, "k", "\"scratch\":\"s1\"", "ok");
	cr_assert_eq(client_out(&c, 2), OUT_OK);
	for (i = 0; i < 400 && access(path, F_OK) == 0; i++)
		poll(NULL, 0, 5);
	cr_assert_neq(access(path, F_OK), 0);
	cr_assert_eq(access("/tmp", F_OK), 0);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, workers_have_five_descriptors_and_a_scrubbed_environment)
{
	struct pool_client c;
	char id[LINK_ID_TEXT], want[64];

	setenv("PGPASSWORD", "not for workers", 1);
	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "fds");
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	cr_assert_not_null(strstr(c.in.s, "\"0 1 2 3 4 \""), "%s", c.in.s);
	client_job(&c, 2, "k", "", "env PGPASSWORD");
	cr_assert_eq(client_out(&c, 2), OUT_OK);
	cr_assert_not_null(strstr(c.in.s, "(none)"));
	client_job(&c, 3, "k", "", "env SLUICE_INSTANCE");
	cr_assert_eq(client_out(&c, 3), OUT_OK);
	link_id_text(c.instance, id);
	snprintf(want, sizeof(want), "\"message\":\"%s\"", id);
	cr_assert_not_null(strstr(c.in.s, want));
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, progress_is_at_most_ten_a_second)
{
	struct pool_client c;
	struct frame h;
	mono_us until;
	unsigned n = 0;
	struct pollfd p;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "progress 2000");
	p = (struct pollfd){.fd = c.fd, .events = POLLIN};
	for (until = clock_mono() + 500 * US_PER_MS; clock_mono() < until;) {
		if (poll(&p, 1, 50) <= 0)
			continue;
		str_reset(&c.in);
		cr_assert_eq(frame_recv(c.fd, &h, &c.in, NULL, 0, NULL, NULL), 0);
		cr_assert_eq(h.type, FRAME_PROGRESS);
		n++;
	}
	cr_assert(n >= 2 && n <= 6, "%u", n);
	cr_assert_str_eq(c.in.s, "{\"done\":2000}", "the newest comes at last");
	client_send(&c, FRAME_KILL, 1, 1, NULL, 0);
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, a_retired_pool_ends_when_its_table_is_empty)
{
	struct pool_client c;
	struct link_instance i;
	bool settled, clean;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	cr_assert_not(c.head.flags & FRAME_RETIRED);
	client_job(&c, 1, "k", "", "sh sleep 0.1");
	client_send(&c, FRAME_RETIRE, 0, 0, NULL, 0);
	cr_assert(client_hello(&c, UUID));
	cr_assert(c.head.flags & FRAME_RETIRED, "END says so");
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	poll(NULL, 0, 50);
	cr_assert_eq(kill(c.pid, 0), 0, "not before ACK");
	client_ack(&c, 1);
	cr_assert_eq(client_wait_exit(&c), 0);
	cr_assert_eq(link_read(c.state, c.instance, &i, NULL), 0);
	cr_assert(i.ended && !i.alive);
	poll(NULL, 0, 20);
	cr_assert_eq(link_settled(c.state, c.instance, &settled, &clean, NULL), 0);
	cr_assert(settled && clean);
	link_forget(c.state, c.instance);
	cr_assert_eq(link_read(c.state, c.instance, &i, NULL), ERR_NOT_FOUND);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, an_idle_pool_ends_but_not_with_an_unacknowledged_outcome)
{
	struct pool_client c;

	client_start(&c, "--idle", "1");
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "ok");
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	client_disconnect(&c);
	poll(NULL, 0, 1300);
	cr_assert(client_hello(&c, UUID), "it must wait for ACK");
	client_ack(&c, 1);
	poll(NULL, 0, 1300);
	cr_assert_eq(kill(c.pid, 0), 0, "not with a daemon");
	client_disconnect(&c);
	cr_assert_eq(client_wait_exit(&c), 0);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, shutdown_without_a_daemon_cancels_and_keeps_the_outcomes)
{
	struct pool_client c;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "hang");
	client_connect(&c);
	client_send(&c, FRAME_SHUTDOWN, 1, 0, NULL, 0);
	cr_assert(client_recv(&c, CLIENT_WAIT_MS));
	cr_assert_eq(c.head.type, FRAME_END);
	cr_assert_eq(c.head.code, 1, "one attempt runs");
	poll(NULL, 0, 100);
	cr_assert(client_hello(&c, UUID));
	cr_assert_eq(c.n_out, 1);
	client_ack(&c, 1);
	cr_assert_eq(client_wait_exit(&c), 0);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, a_pool_whose_state_folder_is_gone_ends_with_its_workers)
{
	struct pool_client c;
	char to[256];

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "sh sleep 4712@");
	while (client_count_processes("sleep 4712@") == 0)
		poll(NULL, 0, 2);
	snprintf(to, sizeof(to), "%s-moved", c.state);
	cr_assert_eq(rename(c.state, to), 0);
	cr_assert_eq(client_wait_exit(&c), 0);
	cr_assert(client_none_left("sleep 4712@", 2000));
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, once_ends_with_its_daemon)
{
	struct pool_client c;

	client_start(&c, "--once", NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "sh sleep 4713@");
	while (client_count_processes("sleep 4713@") == 0)
		poll(NULL, 0, 2);
	client_disconnect(&c);
	cr_assert_eq(client_wait_exit(&c), 0);
	cr_assert(client_none_left("sleep 4713@", 2000));
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, two_instances_are_found_and_reached)
{
	struct pool_client c, old;
	struct link_instance list[4];
	char path[256], to[64] = "";
	size_t n = 0;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "sh sleep 0.2");
	client_send(&c, FRAME_RETIRE, 0, 0, NULL, 0);
	client_disconnect(&c);
	old = c;
	client_start_pool(&c, NULL, NULL);
	cr_assert_eq(link_list(c.state, list, 4, &n, NULL), 0);
	cr_assert_eq(n, 2);
	cr_assert(list[0].alive && list[1].alive);
	snprintf(path, sizeof(path), "%s/pool/pool.sock", c.state);
	cr_assert_gt(readlink(path, to, sizeof(to) - 1), 0);
	cr_assert_eq(strtoull(to, NULL, 16), c.instance, "the newest");
	str_init(&old.in, FRAME_PAYLOAD_MAX);
	cr_assert(client_hello(&c, UUID));
	cr_assert(client_hello(&old, UUID));
	cr_assert_eq(client_out(&old, 1), OUT_OK);
	client_ack(&old, 1);
	cr_assert_eq(client_wait_exit(&old), 0);
	client_disconnect(&old);
	str_done(&old.in);
	client_stop(&c);
	LEAK_CHECK();
}

static void leave_and_succeed(const char *option)
{
	struct pool_client c;
	uint64_t dead;
	bool settled, clean;

	client_start(&c, option, NULL);
	cr_assert(client_hello(&c, UUID));
	/* one keeps the lock's descriptor, one has closed everything and only carries the id */
	client_job(&c, 1, "k", "",
	    "sh (setsid sleep 4714@ &); (setsid sh -c 'exec 4>&- 3>&-; exec sleep 4714@' &); "
	    "sleep 4714@");
	while (client_count_processes("sleep 4714@") < 3)
		poll(NULL, 0, 2);
	dead = c.instance;
	kill(c.pid, SIGKILL);
	cr_assert_neq(client_wait_exit(&c), -1);
	cr_assert_eq(link_settled(c.state, dead, &settled, &clean, NULL), 0);
	cr_assert_not(settled, "commands still run");
	client_start_pool(&c, option, NULL);
	cr_assert_eq(client_count_processes("sleep 4714@"), 0, "dead before it listens");
	cr_assert_eq(link_settled(c.state, dead, &settled, &clean, NULL), 0);
	cr_assert(settled && !clean);
	link_forget(c.state, dead);
	client_stop(&c);
}

Test(pool_system, the_next_pool_kills_what_a_killed_one_left)
{
	leave_and_succeed(NULL);
	LEAK_CHECK();
}

Test(pool_system, the_next_pool_kills_it_without_a_cgroup_too)
{
	leave_and_succeed("--no-cgroup");
	LEAK_CHECK();
}

Test(pool_system, workers_run_as_the_other_user_and_are_tied_to_the_pool)
{
	struct pool_client c;
	char path[200];
	struct stat st;

	if (geteuid() != 0)
		cr_skip("needs root");
	client_start(&c, "--run-user", "nobody");
	/* The daemon may be another user, who looks there whether the pool has ended. */
	snprintf(path, sizeof(path), "%s/pool/%016" PRIx64 ".lock", c.state, c.instance);
	cr_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0644, "mode %o", st.st_mode);
	cr_assert_eq(chmod(c.dir, 0755), 0);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "id");
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	cr_assert_not_null(strstr(c.in.s, "uid 65534 65534 65534 gid 65534"), "%s", c.in.s);
	cr_assert_not_null(strstr(c.in.s, "pdeathsig 9"), "%s", c.in.s);
	client_job(&c, 2, "k", "", "die");
	cr_assert_eq(client_out(&c, 2), OUT_LOST);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, refuses_other_users)
{
	struct pool_client c;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		cr_skip("needs root");
	client_start(&c, NULL, NULL);
	cr_assert_eq(chmod(c.dir, 0755), 0);
	pid = fork();
	if (pid == 0) {
		if (setuid(65534) != 0 ||
		    link_connect(c.state, c.instance, false, &c.fd, NULL) != 0)
			_exit(2);
		_exit(client_recv(&c, CLIENT_WAIT_MS) ? 1 : 0); /* the end, and no frame */
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, supervise_keeps_the_daemon_running_with_its_whole_environment)
{
	static const char script[] = "#!/bin/sh\n"
				     "echo \"$SECRET_OF_THE_DAEMON $*\" >>$SLUICE_BUILD_DIR/runs\n"
				     "exec sleep 4716.$PPID\n";
	struct pool_client c;
	char path[200], mark[64], runs[200];
	struct str text;
	size_t i;

	setenv("SECRET_OF_THE_DAEMON", "hidden", 1);
	client_start(&c, "--supervise", "--");
	snprintf(path, sizeof(path), "%s/core/daemon", c.dir);
	snprintf(runs, sizeof(runs), "%s/runs", c.dir);
	cr_assert_eq(io_mkdirs(path, 0755, NULL), 0);
	snprintf(path, sizeof(path), "%s/core/daemon/sluiced", c.dir);
	cr_assert_eq(io_write_file(path, script, strlen(script), 0755, NULL), 0);
	snprintf(mark, sizeof(mark), "sleep 4716.%d", (int)c.pid);
	str_init(&text, 4096);
	/* A killed process is seen for a moment longer, so its successor is known by its line. */
	for (i = 1; i <= 2; i++) {
		while (client_count_processes(mark) == 0 || text.len < i * strlen("hidden \n")) {
			poll(NULL, 0, 5);
			str_reset(&text);
			if (io_read_file(runs, 4096, &text, NULL) != 0)
				str_reset(&text);
		}
		if (i == 1)
			client_kill_processes(mark);
	}
	cr_assert(str_starts(text.s, "hidden \nhidden \n"), "%s", text.s);
	cr_assert(client_hello(&c, UUID), "the daemon's own children are no strays");
	kill(c.pid, SIGTERM);
	cr_assert_eq(client_wait_exit(&c), 0);
	cr_assert_eq(client_count_processes(mark), 0, "TERM was forwarded");
	str_done(&text);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, a_daemon_learns_that_the_pool_was_told_to_end)
{
	struct pool_client c, other;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "ok");
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	other = c;
	other.fd = -1;
	client_connect(&other);
	client_send(&other, FRAME_SHUTDOWN, 0, 0, NULL, 0);
	cr_assert(client_recv(&c, CLIENT_WAIT_MS));
	cr_assert_eq(c.head.type, FRAME_END);
	cr_assert(c.head.flags & FRAME_RETIRED);
	client_ack(&c, 1);
	cr_assert_eq(client_wait_exit(&c), 0);
	client_disconnect(&other);
	client_stop(&c);
	LEAK_CHECK();
}

Test(pool_system, a_storm_of_forks_ends_with_its_worker)
{
	struct pool_client c;

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "\"deadline_ms\":150,\"grace_ms\":0",
	    "sh f() { (setsid sh -c 'sleep 4717@ & sleep 4717@' &) ; }; while :; do f; f; f; done");
	cr_assert_eq(client_out(&c, 1), OUT_DEADLINE);
	cr_assert_eq(client_count_processes("sleep 4717@"), 0);
	client_stop(&c);
	LEAK_CHECK();
}
