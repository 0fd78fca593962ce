/* route_backup.c: GET /v1/backup: the store's copy, read from an open file without a name, so that
 * a slow client holds nothing but that file. */
#include "core/http/route.h"

#include "core/base/io.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES (256u << 10)

struct backup_reply {
	int fd;
	off_t at, size;
};

static void backup_free(void *arg)
{
	struct backup_reply *b = arg;

	io_close(&b->fd);
	mem_free(b);
}

static void backup_fill(struct conn *c, void *arg)
{
	struct backup_reply *b = arg;
	char *buf = mem_alloc(PIECE_BYTES);
	ssize_t n = pread(b->fd, buf, PIECE_BYTES, b->at);

	if (n > 0) {
		conn_write(c, buf, (size_t)n);
		b->at += n;
	}
	mem_free(buf);
	if (n < 0 || (n == 0 && b->at < b->size))
		conn_close(c); /* the length was promised: the client sees that it is cut */
	else if (b->at >= b->size)
		conn_end(c);
}

static void send_file(struct conn *c, int fd, const char *info)
{
	struct backup_reply *b = MEM_NEW(struct backup_reply);
	struct source source = {.fill = backup_fill, .free = backup_free, .arg = b};
	struct stat st;
	char extra[512];

	b->fd = fd;
	if (fstat(fd, &st) == 0)
		b->size = st.st_size;
	snprintf(extra, sizeof(extra),
	    "Cache-Control: no-store\r\nContent-Disposition: attachment; "
	    "filename=\"sluice.backup\"\r\nSluice-Backup: %.300s\r\n",
	    info);
	conn_begin(c, 200, "application/octet-stream", extra, b->size, &source);
}

static void on_backup(void *arg, int rc, const struct err *err, int fd, const char *info)
{
	struct call *call = arg;
	struct conn *c = call->conn;

	call->conn = NULL;
	if (c != NULL) {
		c->call = NULL;
		if (rc != 0)
			reply_err(c, rc, err);
		else
			send_file(c, fd, info);
	} else {
		io_close(&fd);
	}
	call_free(call);
}

void get_backup(struct http_req *q)
{
	struct err err = {0};
	struct call *call;
	int rc;

	if (q->h->env.backup == NULL) {
		reply_problem(q->conn, 501, "unsupported", "this server makes no backups");
		return;
	}
	call = call_new_daemon(q);
	rc = q->h->env.backup(q->h->env.arg, on_backup, call, &err);
	if (rc == 0) {
		route_note(q, "backup", "store", "");
		return;
	}
	call_free(call);
	reply_err(q->conn, rc, &err);
}
