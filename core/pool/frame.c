/* frame.c: one SEQPACKET message is one frame. Owner: pool; used by daemon and worker as well. */
#include "core/pool/frame.h"

#include "core/base/io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_FDS_MAX 8 /* descriptors of one message; the kernel drops the rest and says so */

_Static_assert(sizeof(struct frame) == 64, "the head on the wire has 64 bytes");

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FRAME_FDS_MAX * sizeof(int))];
};

static void put_fds(struct msghdr *msg, union control *control, const int *fds, int n)
{
	struct cmsghdr *c;

	if (n == 0)
		return;
	memset(control, 0, sizeof(*control));
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, (size_t)n * sizeof(int));
}

static int send_message(int fd, const struct msghdr *msg, struct err *err)
{
	for (;;) {
		if (sendmsg(fd, msg, MSG_NOSIGNAL) >= 0)
			return 0;
		switch (errno) {
		case EINTR:
			continue;
		case EAGAIN:
		case ENOBUFS:
		case ETOOMANYREFS:
			return err_set(err, ERR_AGAIN, "the peer does not read");
		case EPIPE:
		case ECONNRESET:
		case ENOTCONN:
			return err_set(err, ERR_CLOSED, "the peer has closed the connection");
		default:
			return err_errno(err, ERR_IO, errno, "cannot send a frame");
		}
	}
}

int frame_send(int fd, const struct frame *head, const void *payload, size_t n, const int *fds,
    int n_fds, struct err *err)
{
	struct frame h = *head;
	union control control;
	int all[FRAME_FDS_MAX], n_all = 0, memfd = -1, rc;
	struct iovec iov[2] = {{.iov_base = &h, .iov_len = sizeof(h)}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 1};

	if (n > FRAME_PAYLOAD_MAX)
		return err_set(err, ERR_LIMIT, "a frame of %zu bytes is over the limit of %u", n,
		    FRAME_PAYLOAD_MAX);
	if (n_fds < 0 || n_fds >= FRAME_FDS_MAX)
		return err_set(
		    err, ERR_USAGE, "a frame carries at most %d descriptors", FRAME_FDS_MAX - 1);
	h.magic = FRAME_MAGIC;
	h.version = FRAME_VERSION;
	h.len = (uint32_t)n;
	h.flags = (uint16_t)(h.flags & ~FRAME_MEMFD);
	if (n > FRAME_INLINE_MAX) {
		memfd = io_memfd("sluice-frame", payload, n, err);
		if (memfd < 0)
			return ERR_IO;
		h.flags |= FRAME_MEMFD;
		all[n_all++] = memfd;
	} else if (n > 0) {
		memcpy(&iov[1].iov_base, &payload, sizeof(payload)); /* sendmsg only reads it */
		iov[1].iov_len = n;
		msg.msg_iovlen = 2;
	}
	if (n_fds > 0)
		memcpy(all + n_all, fds, (size_t)n_fds * sizeof(int));
	put_fds(&msg, &control, all, n_all + n_fds);
	rc = send_message(fd, &msg, err);
	io_close(&memfd);
	return rc;
}

static int take_fds(struct msghdr *msg, int *fds)
{
	struct cmsghdr *c;
	size_t n = 0, more;

	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		more = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds + n, CMSG_DATA(c), more * sizeof(int));
		n += more;
	}
	return (int)n;
}

static int check_head(
    const struct frame *h, size_t got, const struct msghdr *msg, int n_fds, struct err *err)
{
	if (msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return err_set(err, ERR_PARSE, "the peer sent more than a frame may hold");
	if (got < sizeof(*h) || h->magic != FRAME_MAGIC || h->version == 0)
		return err_set(err, ERR_PARSE, "the peer sent %zu bytes that are no frame", got);
	if (h->flags & FRAME_MEMFD) {
		if (n_fds == 0 || got != sizeof(*h) || h->len > FRAME_PAYLOAD_MAX)
			return err_set(err, ERR_PARSE,
			    "frame %u has no proper memory file for its %u bytes", h->type, h->len);
		return 0;
	}
	if (got - sizeof(*h) != h->len)
		return err_set(err, ERR_PARSE, "frame %u says %u bytes and has %zu", h->type,
		    h->len, got - sizeof(*h));
	return 0;
}

static int add_payload(
    const struct frame *h, const char *body, int memfd, struct str *payload, struct err *err)
{
	size_t before = payload->len;
	int rc;

	if (!(h->flags & FRAME_MEMFD)) {
		str_addn(payload, body, h->len);
		return payload->failed
			   ? err_set(err, ERR_PARSE, "frame %u is too large here", h->type)
			   : 0;
	}
	rc = io_read_memfd(memfd, h->len, payload, err);
	if (rc != 0)
		return err_prefix(err, "frame %u", h->type), ERR_PARSE;
	if (payload->len - before != h->len)
		return err_set(err, ERR_PARSE, "frame %u says %u bytes and has %zu", h->type,
		    h->len, payload->len - before);
	return 0;
}

static int receive(int fd, struct msghdr *msg, size_t *ret_n, struct err *err)
{
	bool reset = false;
	ssize_t n;

	do {
		n = recvmsg(fd, msg, MSG_CMSG_CLOEXEC);
		/* A peer that ended with unread frames gives ECONNRESET once, before what it had
		 * sent: that is still there and must be read (rules 11 and 17). */
		if (n < 0 && errno == ECONNRESET && !reset) {
			reset = true;
			errno = EINTR;
		}
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return err_set(err, ERR_AGAIN, "no frame yet");
	if (n < 0 && errno == ECONNRESET)
		return err_set(err, ERR_CLOSED, "the peer has closed the connection");
	if (n < 0)
		return err_errno(err, ERR_IO, errno, "cannot receive a frame");
	/* An empty message looks the same as end of file; no honest peer sends one. */
	if (n == 0 && !(msg->msg_flags & MSG_CTRUNC) && msg->msg_controllen == 0)
		return err_set(err, ERR_CLOSED, "the peer has closed the connection");
	*ret_n = (size_t)n;
	return 0;
}

int frame_recv(int fd, struct frame *ret_head, struct str *payload, int *extra_fds, int cap,
    int *n_extra, struct err *err)
{
	char body[FRAME_INLINE_MAX];
	struct frame h = {0};
	union control control;
	int fds[FRAME_FDS_MAX], n_fds, first, i, kept = 0, rc;
	struct iovec iov[2] = {
	    {.iov_base = &h, .iov_len = sizeof(h)}, {.iov_base = body, .iov_len = sizeof(body)}};
	struct msghdr msg = {.msg_iov = iov,
	    .msg_iovlen = 2,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};
	size_t got = 0;

	rc = receive(fd, &msg, &got, err);
	if (rc != 0)
		return rc;
	n_fds = take_fds(&msg, fds);
	rc = check_head(&h, got, &msg, n_fds, err);
	first = rc == 0 && (h.flags & FRAME_MEMFD) ? 1 : 0;
	if (rc == 0)
		rc = add_payload(&h, body, n_fds > 0 ? fds[0] : -1, payload, err);
	for (i = 0; i < n_fds; i++) {
		if (rc == 0 && i >= first && kept < cap)
			extra_fds[kept++] = fds[i];
		else
			close(fds[i]);
	}
	if (rc != 0)
		return rc;
	*ret_head = h;
	if (n_extra != NULL)
		*n_extra = kept;
	return 0;
}

int frame_job_split(const char *p, size_t n, const char **ret_note, size_t *ret_note_n,
    const char **ret_job, size_t *ret_job_n, struct err *err)
{
	uint32_t note_n;

	if (n < sizeof(note_n))
		return err_set(err, ERR_PARSE, "a job of %zu bytes has no note", n);
	memcpy(&note_n, p, sizeof(note_n));
	if (note_n > n - sizeof(note_n))
		return err_set(err, ERR_PARSE, "a note of %u bytes in a job of %zu", note_n, n);
	*ret_note = p + sizeof(note_n);
	*ret_note_n = note_n;
	*ret_job = p + sizeof(note_n) + note_n;
	*ret_job_n = n - sizeof(note_n) - note_n;
	return 0;
}

void frame_job_join(struct str *out, const char *note, size_t note_n, const char *job, size_t job_n)
{
	uint32_t n = (uint32_t)note_n;

	str_addn(out, &n, sizeof(n));
	str_addn(out, note, note_n);
	str_addn(out, job, job_n);
}

const char *frame_outcome_name(uint32_t code)
{
	static const char *const names[] = {"ok", "failed", "lost", "cancelled", "deadline"};

	return code < sizeof(names) / sizeof(names[0]) ? names[code] : "unknown";
}
