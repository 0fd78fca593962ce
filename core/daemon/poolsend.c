/* poolsend.c: what pools are told: jobs, kills, acknowledgements, shutdown; and the jobs of the
 * system lane, which are forgotten with the pool that had them. Owner: struct pool_link, loop
 * thread. */
#define LOG_AT "daemon"
#include "core/daemon/poolint.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

int pool_link_job(struct pool_link *p, const struct effect *e, const char *payload, size_t n)
{
	struct instance *i = pool_instance_find(p, e->instance);
	struct frame f = {.type = FRAME_JOB,
	    .run = e->step.run,
	    .step = e->step.step,
	    .item = e->step.item,
	    .token = e->token,
	    .instance = e->instance};
	int rc;

	if (!i || i->state != INST_UP || i->gen != e->gen)
		return ERR_CLOSED;
	crash_point("handover-before-send");
	rc = pool_conn_send(i->conn, &f, payload, n);
	crash_point("handover-after-send");
	if (rc != 0)
		pool_submit_down(
		    i); /* before the caller's UNLEASE: else it would be dispatched there again */
	return rc;
}

static void send_flags(
    struct pool_link *p, const struct effect *e, uint16_t type, uint16_t flags, uint32_t code)
{
	struct instance *i = pool_instance_find(p, e->instance);
	struct frame f = {.type = type,
	    .flags = flags,
	    .run = e->step.run,
	    .step = e->step.step,
	    .item = e->step.item,
	    .token = e->token,
	    .code = code,
	    .instance = e->instance};

	/* Without a connection nothing is lost: the next HELLO brings the attempt or its outcome
	 * again. */
	if (i && i->conn && pool_conn_send(i->conn, &f, NULL, 0) != 0)
		log_debug("the pool is gone before a frame of type %u", type);
}

static void send_small(struct pool_link *p, const struct effect *e, uint16_t type, uint32_t code)
{
	send_flags(p, e, type, 0, code);
}

void pool_link_kill(struct pool_link *p, const struct effect *e)
{
	send_flags(p, e, FRAME_KILL, e->hard ? FRAME_HARD : 0, OUT_CANCELLED);
	crash_point("kill-after-send");
}

void pool_link_ack(struct pool_link *p, const struct effect *e)
{
	crash_point("ack-before-send");
	send_small(p, e, FRAME_ACK, 0);
	crash_point("ack-after-send");
}

void pool_link_retire(struct pool_link *p, uint64_t instance)
{
	struct effect e = {.instance = instance};

	send_small(p, &e, FRAME_RETIRE, 0);
}

void pool_link_shutdown(struct pool_link *p, uint32_t code)
{
	struct effect e = {0};

	p->closing = true;
	for (struct instance *i = p->instances; i; i = i->next) {
		e.instance = i->id;
		send_small(p, &e, FRAME_SHUTDOWN, code);
	}
}

int pool_link_system(
    struct pool_link *p, const char *note, const char *job, size_t n, system_done done, void *arg)
{
	struct instance *i = p->instances;
	struct system_job *s;
	struct frame f = {.type = FRAME_SYSTEM};
	struct str payload;
	int rc;

	while (i && (i->state != INST_UP || i->retired))
		i = i->next;
	if (!i)
		return ERR_CLOSED;
	str_init(&payload, FRAME_PAYLOAD_MAX);
	frame_job_join(&payload, note, strlen(note), job, n);
	f.token = ++p->next_system;
	f.instance = i->id;
	rc = payload.failed ? ERR_LIMIT
			    : pool_conn_send(i->conn, &f, str_peek(&payload), payload.len);
	str_done(&payload);
	if (rc != 0)
		return rc;
	s = MEM_NEW(struct system_job);
	*s = (struct system_job){f.token, i->id, done, arg, p->jobs};
	p->jobs = s;
	return 0;
}

void pool_link_system_drop(struct pool_link *p, void *arg)
{
	struct system_job **at = &p->jobs, *job;

	while ((job = *at)) {
		if (job->arg == arg) {
			*at = job->next;
			mem_free(job);
		} else {
			at = &job->next;
		}
	}
}

/* ---- the system lane's answers ---- */

static void system_end(struct system_job **at, int rc, const char *report, size_t n)
{
	struct system_job *job = *at;

	*at = job->next;
	job->done(job->arg, rc, report, n);
	mem_free(job);
}

void pool_system_take(struct pool_link *p, const struct frame *f, const char *payload, size_t n)
{
	for (struct system_job **at = &p->jobs; *at; at = &(*at)->next) {
		if ((*at)->no == f->token) {
			system_end(at, 0, payload, n);
			return;
		}
	}
}

void pool_system_fail(struct pool_link *p, uint64_t instance)
{
	struct system_job **at = &p->jobs;

	while (*at) {
		if ((*at)->instance == instance) {
			system_end(at, ERR_CLOSED, NULL, 0);
			at = &p->jobs; /* done may have asked anew */
		} else {
			at = &(*at)->next;
		}
	}
}
