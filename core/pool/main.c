/* main.c: sluice-pool: the parent of all workers and the mailbox between them and the daemon.
 * Owner: pool.
 *
 * One main thread with an event loop forks, reads and sends; one thread reads output (logpipe.c).
 * It holds no store and loads no plugin. Protocol: core/README.md §5. */
#define LOG_AT "pool"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/pool/instance.h"
#include "core/pool/limits.h"
#include "core/pool/logfile.h"
#include "core/pool/logpipe.h"
#include "core/pool/mailbox.h"
#include "core/pool/retire.h"
#include "core/pool/slot.h"
#include "core/pool/supervise.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_INTERNAL 70

struct options {
	const char *state, *run_user;
	bool supervise, once, verbose, no_cgroup;
	int ready_fd, idle_s;
	char *const *daemon_args;
	int n_daemon_args;
	char **whole_env; /* owned; before it was scrubbed; its texts live as long as the process */
};

struct pool {
	struct options opt;
	char *state;   /* owned; absolute */
	uid_t allowed; /* the state folder's owner */
	gid_t group;
	struct instance instance;
	struct run_as as;
	struct rlimit worker_nofile;
	struct event_base *base;
	struct logs *logs;
	struct slots *slots;
	struct mailbox *mailbox;
	struct retire retire;
	struct supervise supervise;
	struct event listener, signals;
	int signal_fd;
	bool exiting;
};

static const char usage_text[] =
    "usage: sluice-pool --state DIR [--run-user USER] [--once] [--supervise [-- DAEMON-OPTION…]]\n"
    "\n"
    "The parent of all workers. It is started by sluiced or by the service manager, not by hand.\n"
    "\n"
    "  --state DIR      the state folder; the pool listens in DIR/pool\n"
    "  --run-user USER  workers run as this user (needs root)\n"
    "  --once           end with the first daemon's connection\n"
    "  --supervise      start sluiced, and start it again when it ends (process 1 of a container)\n"
    "  --idle SECONDS   end after this long without daemon and work (30)\n"
    "  --no-cgroup      do not make a cgroup of its own\n"
    "  --ready-fd N     write the instance's id to descriptor N once it listens\n"
    "  --verbose        log more\n";

/* ---- callbacks of the mailbox ---- */

static void on_start(void *ctx, struct attempt *a, const char *job, size_t n)
{
	slots_start(((struct pool *)ctx)->slots, a, job, n);
}

static void on_kill(void *ctx, struct attempt *a)
{
	slots_kill(((struct pool *)ctx)->slots, a);
}

static void on_changed(void *ctx)
{
	struct pool *p = ctx;

	if (p->retire.base != NULL && !p->exiting)
		retire_check(&p->retire);
}

static void on_daemon_lost(void *ctx)
{
	struct pool *p = ctx;

	log_info("the daemon's connection ended; %u attempts go on", mailbox_running(p->mailbox));
	if (p->opt.once)
		retire_stop(&p->retire);
}

/* ---- events ---- */

/* The daemon's user is who owns the state folder; root may do as it likes anyway. */
static bool peer_is_allowed(const struct pool *p, int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0)
		return false;
	if (peer.uid == p->allowed || peer.uid == 0)
		return true;
	log_warn("a connection of user %u is refused: the state folder belongs to user %u",
	    (unsigned)peer.uid, (unsigned)p->allowed);
	return false;
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct pool *p = arg;
	int conn;

	(void)what;
	conn = accept4((int)fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn < 0)
		return;
	if (peer_is_allowed(p, conn))
		mailbox_accept(p->mailbox, conn);
	else
		close(conn);
}

static void reap(struct pool *p)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!slots_reaped(p->slots, pid) && !supervise_reaped(&p->supervise, pid, status))
			log_debug("stray process %d reaped", (int)pid);
	}
	slots_settle(p->slots);
	if (supervise_ended(&p->supervise))
		retire_stop(&p->retire);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct pool *p = arg;
	struct signalfd_siginfo info;
	bool child = false;

	(void)what;
	while (read((int)fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			child = true;
			continue;
		}
		if (info.ssi_signo == SIGHUP)
			continue;
		log_info("signal %u: stopping", info.ssi_signo);
		if (!supervise_stop(&p->supervise, (int)info.ssi_signo))
			retire_stop(&p->retire);
	}
	if (child)
		reap(p);
}

/* ---- start ---- */

static int begin_signals(struct pool *p, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGPIPE); /* blocked: a write to a closed pipe says EPIPE */
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigdelset(&set, SIGPIPE);
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signal_fd < 0)
		return err_errno(err, ERR_IO, errno, "cannot watch signals");
	return 0;
}

/* What workers write apart from their output, where they are another user than the pool. */
static int give_folders(struct pool *p, struct err *err)
{
	static const char *const names[] = {"scratch", "rejects"};
	struct stat st;
	size_t i;
	int rc = 0;

	if (!p->as.set)
		return 0;
	if (stat(p->state, &st) == 0 && !(st.st_mode & S_IXOTH) && st.st_gid != p->as.gid)
		log_warn(
		    "--run-user: %s may be closed to the workers: chmod o+x or give it their group",
		    p->state);
	for (i = 0; rc == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = io_path_join(p->state, names[i]);

		rc = io_mkdirs(path, 0750, err);
		if (rc == 0 && chown(path, p->as.uid, p->as.gid) != 0)
			rc = err_errno(err, ERR_IO, errno, "cannot give %s to the workers", path);
		mem_free(path);
	}
	return rc;
}

static int begin_instance(struct pool *p, struct err *err)
{
	char id[LINK_ID_TEXT];
	int rc;

	rc = instance_begin(&p->instance, p->state, !p->opt.supervise && !p->opt.no_cgroup, err);
	if (rc != 0)
		return rc;
	link_id_text(p->instance.id, id);
	setenv(FRAME_INSTANCE_ENV, id, 1);
	if (geteuid() == 0 && p->allowed != 0) { /* the daemon removes lock files, reads logs */
		logfile_owner(p->allowed, p->group);
		if (chown(p->instance.folder, p->allowed, p->group) != 0)
			return err_errno(
			    err, ERR_IO, errno, "cannot give %s to the daemon", p->instance.folder);
	}
	instance_kill_dead(&p->instance, p->state);
	return 0;
}

static int begin_parts(struct pool *p, struct err *err)
{
	static const struct mailbox_ops ops = {.start = on_start,
	    .kill = on_kill,
	    .changed = on_changed,
	    .daemon_lost = on_daemon_lost};
	struct slots_conf conf = {.state = p->state,
	    .as = p->as,
	    .lock_fd = p->instance.lock_fd,
	    .nofile = p->worker_nofile};
	struct event_config *how = event_config_new();
	int rc;

	event_config_set_flag(how, EVENT_BASE_FLAG_NOLOCK);
	p->base = event_base_new_with_config(how);
	event_config_free(how);
	if (p->base == NULL)
		return err_set(err, ERR_IO, "cannot make the event loop");
	rc = logs_new(&p->logs, err);
	if (rc != 0)
		return rc;
	conf.base = p->base;
	conf.logs = p->logs;
	p->slots = slots_new(&conf);
	p->mailbox = mailbox_new(p->base, p->instance.id, &ops, p);
	slots_set_mailbox(p->slots, p->mailbox);
	event_assign(&p->signals, p->base, p->signal_fd, EV_READ | EV_PERSIST, on_signal, p);
	event_add(&p->signals, NULL);
	return 0;
}

static int begin_listening(struct pool *p, struct err *err)
{
	ssize_t n;
	int rc;

	rc = instance_listen(&p->instance, err);
	if (rc != 0)
		return rc;
	event_assign(
	    &p->listener, p->base, p->instance.listen_fd, EV_READ | EV_PERSIST, on_connection, p);
	event_add(&p->listener, NULL);
	if (p->opt.ready_fd >= 0) {
		n = write(p->opt.ready_fd, &p->instance.id, sizeof(p->instance.id));
		io_close(&p->opt.ready_fd);
		if (n != sizeof(p->instance.id))
			log_warn("whoever started this pool no longer waits for it");
	}
	return 0;
}

static int find_state(struct pool *p, struct err *err)
{
	struct stat st;

	p->state = realpath(p->opt.state, NULL);
	if (p->state == NULL)
		return err_errno(err, ERR_NOT_FOUND, errno, "--state %s", p->opt.state);
	if (stat(p->state, &st) != 0 || !S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, "--state %s is no folder", p->opt.state);
	p->allowed = st.st_uid;
	p->group = st.st_gid;
	return 0;
}

static char **copy_environment(void)
{
	size_t n = 0;

	while (environ[n] != NULL)
		n++;
	return mem_dup(environ, (n + 1) * sizeof(*environ));
}

/* With --run-user two users are wanted, and root is neither: the daemon is who owns the state
 * folder. */
static int find_daemon_user(struct pool *p, struct err *err)
{
	if (!p->opt.supervise || !p->as.set || geteuid() != 0)
		return 0;
	if (p->allowed == 0)
		return err_set(err, ERR_USAGE,
		    "--supervise with --run-user: %s belongs to root: give it to the user that the "
		    "daemon is to be (chown)",
		    p->state);
	if (p->allowed == p->as.uid)
		return err_set(err, ERR_USAGE,
		    "--supervise with --run-user: %s belongs to the workers' user: they could read "
		    "the store; give it to another one (chown)",
		    p->state);
	return run_as_owner(p->allowed, p->group, &p->supervise.as, err);
}

static int begin(struct pool *p, struct err *err)
{
	int rc;

	rc = find_state(p, err);
	if (rc == 0 && p->opt.run_user != NULL)
		rc = run_as_find(p->opt.run_user, &p->as, err);
	if (rc == 0)
		rc = find_daemon_user(p, err);
	if (rc == 0)
		rc = limits_detach(&p->opt.ready_fd, err);
	if (rc != 0)
		return rc;
	limits_set(&p->worker_nofile);
	if (p->opt.supervise)
		p->opt.whole_env = copy_environment();
	limits_scrub_environment();
	rc = give_folders(p, err);
	if (rc == 0)
		rc = begin_signals(p, err);
	if (rc == 0)
		rc = begin_instance(p, err);
	if (rc == 0)
		rc = begin_parts(p, err);
	if (rc == 0)
		rc = begin_listening(p, err);
	if (rc != 0)
		return rc;
	p->retire = (struct retire){.base = p->base,
	    .mailbox = p->mailbox,
	    .slots = p->slots,
	    .instance = &p->instance,
	    .listener = &p->listener,
	    .once = p->opt.once,
	    .forever = p->opt.supervise,
	    .idle_s = p->opt.idle_s};
	retire_begin(&p->retire, p->state);
	if (p->opt.supervise) {
		p->supervise.base = p->base;
		p->supervise.slots = p->slots;
		p->supervise.args = p->opt.daemon_args;
		p->supervise.n_args = p->opt.n_daemon_args;
		p->supervise.env = p->opt.whole_env;
		supervise_begin(&p->supervise);
	}
	return 0;
}

static void finish(struct pool *p)
{
	p->exiting = true;
	supervise_done(&p->supervise);
	if (p->retire.base != NULL)
		retire_done(&p->retire);
	if (event_initialized(&p->signals))
		event_del(&p->signals);
	if (event_initialized(&p->listener))
		event_del(&p->listener);
	slots_free(p->slots);
	mailbox_free(p->mailbox);
	logs_free(p->logs);
	if (p->base != NULL)
		event_base_free(p->base);
	instance_done(&p->instance);
	io_close(&p->signal_fd);
	mem_free(p->opt.whole_env);
	free(p->state);
}

/* ---- options ---- */

static int parse_options(int argc, char *const argv[], struct options *o)
{
	static const struct option names[] = {{"state", required_argument, NULL, 's'},
	    {"run-user", required_argument, NULL, 'u'}, {"once", no_argument, NULL, 'o'},
	    {"supervise", no_argument, NULL, 'S'}, {"idle", required_argument, NULL, 'i'},
	    {"ready-fd", required_argument, NULL, 'r'}, {"verbose", no_argument, NULL, 'v'},
	    {"no-cgroup", no_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	int64_t n;
	int c;

	o->ready_fd = -1;
	o->idle_s = RETIRE_IDLE_S;
	while ((c = getopt_long(argc, argv, "+", names, NULL)) != -1) {
		if (c == 's')
			o->state = optarg;
		else if (c == 'u')
			o->run_user = optarg;
		else if (c == 'o')
			o->once = true;
		else if (c == 'S')
			o->supervise = true;
		else if (c == 'c')
			o->no_cgroup = true;
		else if (c == 'v')
			o->verbose = true;
		else if (c == 'i' && str_to_i64(optarg, &n) == 0 && n > 0 && n < 86400)
			o->idle_s = (int)n;
		else if (c == 'r' && str_to_i64(optarg, &n) == 0 && n > 2 && n < 65536)
			o->ready_fd = (int)n;
		else
			return c == 'h' ? 0 : ERR_USAGE;
	}
	if (o->state == NULL || (optind < argc && !o->supervise))
		return ERR_USAGE;
	o->daemon_args = argv + optind;
	o->n_daemon_args = argc - optind;
	return 1;
}

int main(int argc, char **argv)
{
	struct pool pool = {.signal_fd = -1};
	struct err err = {0};
	int rc;

	pool.instance.lock_fd = pool.instance.listen_fd = -1;
	rc = parse_options(argc, argv, &pool.opt);
	if (rc != 1) {
		fputs(usage_text, rc == 0 ? stdout : stderr);
		return rc == 0 ? 0 : EXIT_USAGE;
	}
	/* the pool of one `sluice run FILE` writes to the person's screen: only what is wrong */
	log_init("sluice-pool", pool.opt.verbose ? LOG_DEBUG : pool.opt.once ? LOG_WARN : LOG_INFO);
	rc = begin(&pool, &err);
	if (rc != 0) {
		log_error("%s", err.text);
	} else {
		log_info("instance=%016" PRIx64 " state=%s cgroup=%s", pool.instance.id, pool.state,
		    pool.instance.cgroup[0] != '\0' ? pool.instance.cgroup : "-");
		event_base_dispatch(pool.base);
	}
	finish(&pool);
	if (rc == ERR_USAGE || rc == ERR_CONFIG || rc == ERR_NOT_FOUND)
		return EXIT_USAGE;
	return rc == 0 ? 0 : EXIT_INTERNAL;
}
