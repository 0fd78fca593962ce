/* admintoken.c: state/admin-token, which `sluice init` wrote, as the token "admin" with scope
 * admin. The store keeps its hash only. A changed file replaces the token of that name; a file that
 * is gone changes nothing (`sluice token revoke admin`). Runs at start, before anything listens, so
 * that the first request may use it. Owner: daemon, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/sched/table.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_MIN 32
#define TOKEN_MAX 256
#define COMMIT_WAIT_MS 5000

static const char name[] = "admin";

/* Who can read or write the file is an administrator: nobody but the daemon's user may. */
static int open_private(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND
				       : err_errno(err, ERR_IO, errno, "cannot read %s", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    (st.st_mode & 077) == 0)
		return fd;
	io_close(&fd);
	return err_set(err, ERR_REFUSED,
	    "%s is not taken in: it must be a file of the daemon's user and of mode 0600", path);
}

/* The hash of the first line. */
static int read_hash(const char *path, uint8_t ret[HASH_SHA256_BYTES], struct err *err)
{
	char text[TOKEN_MAX + 2];
	int fd = open_private(path, err), rc = 0;
	ssize_t got;
	size_t n;

	if (fd < 0)
		return fd;
	got = read(fd, text, sizeof(text) - 1);
	text[got > 0 ? got : 0] = '\0';
	n = strcspn(text, "\r\n");
	if (n < TOKEN_MIN || n > TOKEN_MAX || strcspn(text, " \t") < n)
		rc = err_set(err, ERR_CONFIG, "%s holds no token of %d to %d characters", path,
		    TOKEN_MIN, TOKEN_MAX);
	else
		hash_sha256(text, n, ret);
	hash_wipe(text, sizeof(text));
	io_close(&fd);
	return rc;
}

/* What the store knows: 0 this very token, ERR_NOT_FOUND none of that name, ERR_EXISTS another. */
static int look_up(struct daemon *d, const uint8_t hash[HASH_SHA256_BYTES])
{
	const struct view *v = store_read_begin(d->own_read);
	struct token_rec rec;
	struct slice value;
	int rc;

	if (!v)
		return ERR_IO;
	rc = token_get(v, hash, &rec);
	if (rc == ERR_NOT_FOUND &&
	    view_get(v, TABLE_TOKEN_NAME, name, sizeof(name) - 1, &value) == 0)
		rc = ERR_EXISTS;
	store_read_end(d->own_read);
	return rc;
}

struct taking {
	bool done;
	int rc;
};

static void on_taken(void *arg, const struct op_result *r)
{
	struct taking *t = arg;

	t->done = true;
	t->rc = r->rc;
}

static int submit_and_wait(struct daemon *d, struct writer_op *op)
{
	struct taking t = {0};
	mono_us until = clock_mono() + COMMIT_WAIT_MS * US_PER_MS;
	struct pollfd p = {.fd = writer_fd(d->writer), .events = POLLIN};
	int rc;

	op->done = on_taken;
	op->arg = &t;
	rc = daemon_submit(d, op);
	if (rc != 0) {
		writer_op_free(op);
		return rc;
	}
	while (!t.done) {
		if (poll(&p, 1, COMMIT_WAIT_MS) >= 0)
			writer_deliver(d->writer);
		if (!t.done && clock_mono() > until)
			log_warn("the store is slow: waiting for its first commit");
	}
	return t.rc;
}

static int add(struct daemon *d, const uint8_t hash[HASH_SHA256_BYTES])
{
	struct writer_op *op = writer_op_new(OP_TOKEN_ADD);
	struct token_rec *rec = &op->op.u.token_add.rec;

	str_copy(rec->name, sizeof(rec->name), name);
	rec->scopes = SCOPE_ADMIN;
	rec->created_at = clock_wall();
	rec->last_used_at = TIME_NONE;
	memcpy(op->op.u.token_add.hash, hash, HASH_SHA256_BYTES);
	return submit_and_wait(d, op);
}

static int forget(struct daemon *d)
{
	struct writer_op *op = writer_op_new(OP_TOKEN_REVOKE);

	op->op.u.token_revoke.name = name;
	return submit_and_wait(d, op);
}

void admin_token_take(struct daemon *d)
{
	char *path = io_path_join(d->conf->state_dir, "admin-token");
	uint8_t hash[HASH_SHA256_BYTES];
	struct err err = {0};
	int rc = read_hash(path, hash, &err);
	bool readable = rc == 0;

	if (rc == ERR_NOT_FOUND)
		goto out;
	if (readable)
		rc = look_up(d, hash);
	if (readable && rc == ERR_EXISTS)
		rc = forget(d) == 0 ? ERR_NOT_FOUND : ERR_IO;
	if (readable && rc == ERR_NOT_FOUND) {
		rc = add(d, hash);
		if (rc == 0)
			log_info("token admin taken in from %s", path);
	}
	if (rc != 0)
		log_warn("%s", err.text[0] ? err.text : err_text(rc));
out:
	mem_free(path);
}
