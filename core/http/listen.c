/* listen.c: listeners and what stands between accept and a connection: caps, back-off, the peer's
 * identity.
 *
 * At EMFILE a listener that stays armed spins; ours rests for 100 ms. At the cap the connection
 * that has idled longest makes room; where none idles, the listeners rest until one goes. */
#define LOG_AT "http"
#include "core/http/server.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPT_AT_ONCE 64
#define BACKLOG 4096
#define IP_BUCKETS 1024u
#define GROUPS_MAX 256

struct ip_count {
	struct ip_count *next;
	uint8_t ip[16];
	uint32_t n;
};

/* ---- connections by address ---- */

static struct ip_count **ip_slot(struct http *h, const uint8_t *ip)
{
	uint32_t k = 2166136261u;
	struct ip_count **at;

	if (h->ips == NULL)
		h->ips = mem_calloc(IP_BUCKETS, sizeof(*h->ips));
	for (int i = 0; i < 16; i++)
		k = (k ^ ip[i]) * 16777619u;
	for (at = &h->ips[k % IP_BUCKETS]; *at != NULL; at = &(*at)->next) {
		if (memcmp((*at)->ip, ip, 16) == 0)
			break;
	}
	return at;
}

/* Loopback is counted as well, but only held to a limit that was asked for. */
bool listen_count_peer(struct http *h, const struct peer *p)
{
	if (p->is_unix)
		return true;
	struct ip_count **at = ip_slot(h, p->ip);
	uint32_t limit = h->lim.max_per_ip != 0 ? h->lim.max_per_ip
			 : p->loopback		? UINT32_MAX
						: 256;
	if (*at == NULL) {
		*at = MEM_NEW(struct ip_count);
		memcpy((*at)->ip, p->ip, 16);
	}
	if ((*at)->n >= limit)
		return false;
	(*at)->n++;
	return true;
}

void ip_release(struct http *h, const struct peer *p)
{
	if (p->is_unix)
		return;
	struct ip_count **at = ip_slot(h, p->ip), *gone = *at;
	if (gone != NULL && --gone->n == 0) {
		*at = gone->next;
		mem_free(gone);
	}
}

/* ---- who is it? ---- */

static bool in_group(int fd, const struct ucred *cred, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t n = sizeof(groups);

	if (cred->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) != 0)
		return false;
	for (size_t i = 0; i < n / sizeof(groups[0]); i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

static void identify_unix(const struct listener *l, int fd, struct peer *p)
{
	struct ucred cred = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	socklen_t n = sizeof(cred);

	p->is_unix = true;
	p->uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0)
		return;
	p->uid = cred.uid;
	p->trusted = cred.uid == 0 || cred.uid == geteuid() || in_group(fd, &cred, l->group);
	/* The user of pool and workers runs foreign code: no admin by its uid, whatever its groups
	 * are. */
	if (l->h->has_run_uid && cred.uid == l->h->run_uid && cred.uid != geteuid())
		p->trusted = false;
}

static void identify_tcp(const struct sockaddr_storage *sa, struct peer *p)
{
	if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)(const void *)sa;
		memcpy(p->ip, &a->sin6_addr, 16);
		p->loopback = IN6_IS_ADDR_LOOPBACK(&a->sin6_addr);
	} else {
		const struct sockaddr_in *a = (const struct sockaddr_in *)(const void *)sa;
		p->ip[10] = p->ip[11] = 0xff;
		memcpy(p->ip + 12, &a->sin_addr, 4);
		p->loopback = p->ip[12] == 127;
	}
}

/* ---- accept ---- */

void listen_pause(struct http *h)
{
	struct listener *l;

	if (h->accept_paused)
		return;
	h->accept_paused = true;
	TAILQ_FOREACH(l, &h->listeners, link)
	event_del(&l->ev);
}

void listen_resume(struct http *h)
{
	struct listener *l;

	if (!h->accept_paused || h->draining || evtimer_pending(&h->accept_retry, NULL) ||
	    h->n_conns >= h->lim.max_conns)
		return;
	h->accept_paused = false;
	TAILQ_FOREACH(l, &h->listeners, link)
	event_add(&l->ev, NULL);
}

void on_accept_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	listen_resume(arg);
}

static void rest(struct http *h, int why)
{
	static const struct timeval wait = {.tv_usec = 100000};

	if (h->stats.emfile++ == 0)
		log_warn("cannot accept: %s; raise the limit of open files (LimitNOFILE)",
		    strerror(why));
	listen_pause(h);
	evtimer_add(&h->accept_retry, &wait);
}

/* At the cap the connection that idled longest makes room; where none idles nobody is let in. */
static bool has_room(struct http *h)
{
	if (h->n_conns < h->lim.max_conns || !TAILQ_EMPTY(&h->lists[LIST_IDLE]))
		return true;
	listen_pause(h);
	return false;
}

static void make_room(struct http *h)
{
	struct conn *old = TAILQ_FIRST(&h->lists[LIST_IDLE]);

	if (h->n_conns < h->lim.max_conns || old == NULL)
		return;
	h->stats.evicted++;
	conn_close(old);
}

static bool accept_one(struct listener *l)
{
	struct sockaddr_storage sa = {0};
	socklen_t n = sizeof(sa);
	struct peer peer = {0};
	int on = 1;

	if (!has_room(l->h))
		return false;
	int fd = accept4(l->fd, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			rest(l->h, errno);
		return errno == EINTR || errno == ECONNABORTED;
	}
	make_room(l->h);
	if (l->is_unix) {
		identify_unix(l, fd, &peer);
	} else {
		identify_tcp(&sa, &peer);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	if (listen_count_peer(l->h, &peer))
		conn_new(l->h, fd, &peer);
	else
		close(fd);
	return true;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		if (!accept_one(arg))
			return;
	}
}

/* ---- listeners ---- */

static int add(struct http *h, int fd, bool is_unix, const char *path, struct err *err)
{
	struct listener *l = MEM_NEW(struct listener);
	struct stat st;

	l->h = h;
	l->fd = fd;
	l->is_unix = is_unix;
	l->group = getegid();
	if (path != NULL && stat(path, &st) == 0)
		l->group = st.st_gid;
	event_assign(&l->ev, h->env.base, fd, EV_READ | EV_PERSIST, on_accept, l);
	if (event_add(&l->ev, NULL) != 0) {
		mem_free(l);
		return err_set(err, ERR_IO, "cannot watch the listening socket");
	}
	l->unlink_path = path != NULL ? mem_strdup(path) : NULL;
	TAILQ_INSERT_TAIL(&h->listeners, l, link);
	return 0;
}

void listen_free(struct listener *l)
{
	event_del(&l->ev);
	io_close(&l->fd);
	if (l->unlink_path != NULL)
		unlink(l->unlink_path);
	mem_free(l->unlink_path);
	mem_free(l);
}

static int open_socket(
    const struct sockaddr *sa, socklen_t n, const char *what, int *ret_fd, struct err *err)
{
	int on = 1, fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_errno(err, ERR_IO, errno, "cannot make a socket");
	if (sa->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, sa, n) != 0 || listen(fd, BACKLOG) != 0) {
		int e = errno;
		close(fd);
		if (e == EADDRINUSE && sa->sa_family != AF_UNIX)
			return err_set(err, ERR_IO,
			    "cannot listen on %s: another program does; end that, or name another "
			    "port in http.listen",
			    what);
		return err_errno(err, ERR_IO, e, "cannot listen on %s", what);
	}
	*ret_fd = fd;
	return 0;
}

int http_listen_unix(struct http *h, const char *path, struct err *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;
	int fd;

	if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path))
		return err_set(err, ERR_CONFIG,
		    "http.unix: \"%s\" is longer than %zu bytes: choose a shorter path", path,
		    sizeof(sa.sun_path) - 1);
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return err_set(
			    err, ERR_CONFLICT, "%s is there and is no socket: remove it", path);
		unlink(path);
	}
	int rc = open_socket((struct sockaddr *)&sa, sizeof(sa), path, &fd, err);
	if (rc != 0)
		return rc;
	if (chmod(path, 0660) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot set the mode of %s", path);
	if (rc == 0)
		rc = add(h, fd, true, path, err);
	if (rc != 0)
		close(fd);
	return rc;
}

static int parse_address(
    const char *text, struct sockaddr_storage *sa, socklen_t *ret_n, struct err *err)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	uint64_t port;
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)sa;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(host) ||
	    str_to_u64(colon + 1, &port) != 0 || port > 65535)
		return err_set(err, ERR_CONFIG,
		    "http.listen: \"%s\" is not HOST:PORT, for example 127.0.0.1:7480", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	memset(sa, 0, sizeof(*sa));
	if (str_eq(host, "localhost"))
		str_copy(host, sizeof(host), "127.0.0.1");
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*ret_n = sizeof(*v4);
		return (ntohl(v4->sin_addr.s_addr) >> 24) == 127 ? 0 : ERR_REFUSED;
	}
	size_t n = strlen(host);
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1) {
			v6->sin6_family = AF_INET6;
			v6->sin6_port = htons((uint16_t)port);
			*ret_n = sizeof(*v6);
			return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ? 0 : ERR_REFUSED;
		}
	}
	return err_set(err, ERR_CONFIG,
	    "http.listen: \"%s\" is no IP address: the daemon resolves no names", host);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &n) != 0)
		return 0;
	if (sa.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)(void *)&sa)->sin6_port);
	return sa.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)(void *)&sa)->sin_port) : 0;
}

int http_listen_tcp(struct http *h, const char *address, uint16_t *ret_port, struct err *err)
{
	struct sockaddr_storage sa;
	socklen_t n = 0;
	int fd;
	int rc = parse_address(address, &sa, &n, err);

	if (rc == ERR_REFUSED)
		return err_set(err, rc,
		    "http.listen: \"%s\" is beyond loopback, which needs TLS: listen on 127.0.0.1 "
		    "behind a proxy until "
		    "http.tls is supported",
		    address);
	if (rc == 0)
		rc = open_socket((struct sockaddr *)&sa, n, address, &fd, err);
	if (rc != 0)
		return rc;
	rc = add(h, fd, false, NULL, err);
	if (rc != 0)
		close(fd);
	else if (ret_port != NULL)
		*ret_port = port_of(fd);
	return rc;
}

int http_listen_fd(struct http *h, int fd, struct err *err)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	struct sockaddr_un *u = (struct sockaddr_un *)(void *)&sa;

	memset(&sa, 0, sizeof(sa));
	if (getsockname(fd, (struct sockaddr *)&sa, &n) != 0)
		return err_errno(err, ERR_IO, errno, "descriptor %d is no socket", fd);
	io_set_nonblock(fd, true);
	io_set_cloexec(fd, true);
	if (sa.ss_family != AF_UNIX) {
		struct peer p = {0};
		identify_tcp(&sa, &p);
		if (!p.loopback)
			return err_set(err, ERR_REFUSED,
			    "descriptor %d listens beyond loopback, which needs TLS", fd);
		return add(h, fd, false, NULL, err);
	}
	int rc = add(h, fd, true, u->sun_path[0] == '/' ? u->sun_path : NULL, err);
	if (rc == 0) { /* systemd's socket is systemd's to remove */
		struct listener *l = TAILQ_LAST(&h->listeners, listener_head);
		mem_free(l->unlink_path);
		l->unlink_path = NULL;
	}
	return rc;
}

void listen_free_ips(struct http *h)
{
	for (unsigned i = 0; h->ips != NULL && i < IP_BUCKETS; i++) {
		while (h->ips[i] != NULL) {
			struct ip_count *gone = h->ips[i];
			h->ips[i] = gone->next;
			mem_free(gone);
		}
	}
	mem_free(h->ips);
	h->ips = NULL;
}
