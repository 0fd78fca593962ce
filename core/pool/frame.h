/* frame.h: the wire between daemon and pool, and between pool and worker: one SEQPACKET message is
 * one frame.
 *
 * Both ends are of one machine and may be of two releases: numbers are little-endian host integers
 * of fixed width, the head carries its version, unknown types are ignored, payloads only grow. A
 * payload over FRAME_INLINE_MAX travels as a sealed memfd (flag FRAME_MEMFD, descriptor by
 * SCM_RIGHTS). Protocol rules: core/README.md §5. */
#ifndef CORE_POOL_FRAME_H
#define CORE_POOL_FRAME_H

#include "core/base/err.h"
#include "core/base/str.h"

#include <stdint.h>

#define FRAME_MAGIC 0x4c53u /* "SL" */
#define FRAME_VERSION 1u
#define FRAME_INLINE_MAX (60u * 1024u)
#define FRAME_PAYLOAD_MAX (16u << 20)
#define FRAME_REPORT_MAX (128u << 10)

enum frame_type {
	/* daemon -> pool */
	FRAME_HELLO = 1, /* payload: store uuid 16, epoch u32 */
	FRAME_JOB,	 /* payload: struct job_note JSON length u32, note, job JSON */
	FRAME_KILL,	 /* run, step, item, token; FRAME_HARD: without grace */
	FRAME_ACK,
	FRAME_RETIRE,
	FRAME_SYSTEM, /* a job of the system lane: token is the daemon's request number; payload as
			 JOB */
	FRAME_SHUTDOWN, /* code 0: drain, 1: cancel all; also from `sluice shutdown` with no daemon
			 */
	/* pool -> daemon */
	FRAME_RUN = 32, /* an attempt that the pool holds and that has not ended */
	FRAME_OUT, /* code: enum frame_outcome; payload: report JSON; time_us: monotonic instant of
		      the exit */
	FRAME_END, /* payload: instance u64, then the pool's version as text; flags bit
		      FRAME_RETIRED */
	FRAME_PROGRESS,	  /* payload: progress JSON; outside the protocol, may be dropped */
	FRAME_SYSTEM_OUT, /* answer to FRAME_SYSTEM, same token */
	FRAME_REFUSED,	  /* HELLO of a foreign store or user; payload: text */
	/* pool -> worker: JOB, SYSTEM, KILL; worker -> pool: PROGRESS, OUT, SYSTEM_OUT. See "The
	   worker's end" below. */
	FRAME_LOG_FD = 64 /* unused number kept free */
};

enum frame_outcome { OUT_OK = 0, OUT_FAILED, OUT_LOST, OUT_CANCELLED, OUT_DEADLINE };

#define FRAME_MEMFD 1u
#define FRAME_RETIRED 2u
#define FRAME_HARD 8u /* daemon -> pool, in KILL: no grace, also where one is running */
#define FRAME_LAST 4u /* worker -> pool, in OUT and SYSTEM_OUT: do not keep me, I leave */

/* The worker's end.
 * Start: `sluice-worker --pool PID --state DIR`; descriptors: 0 /dev/null, 1 and 2 the pool's log,
 * FRAME_WORKER_FD this socket (SEQPACKET, blocking), FRAME_LOCK_FD the instance's lock file. No
 * other is open. User and limits are set already. The worker sets PR_SET_PDEATHSIG SIGKILL, then
 * leaves if getppid() is not PID; it makes itself a subreaper. It keeps FRAME_LOCK_FD open, without
 * close-on-exec, and so does every command that it starts; commands also get FRAME_INSTANCE_ENV
 * from the worker's own environment: both are how the pool's successor finds what is left.
 * Work: JOB and SYSTEM carry the job alone (no length, no note) and exactly one descriptor, the
 * write end of this attempt's log pipe: dup2 it to 1 and 2. Before OUT or SYSTEM_OUT is sent all
 * descendants are dead and reaped (rule 16) and 1 and 2 point elsewhere, so that the log ends.
 * code: OUT_OK or OUT_FAILED; payload: the report. run, step, item, token as in the JOB. KILL
 * (code: OUT_CANCELLED or OUT_DEADLINE): TERM to the command's group, cancel to the plugin, then
 * report; the pool kills the worker after the grace. KILL for another token is stale and ignored.
 * End of file: leave at once. */
#define FRAME_WORKER_FD 3
#define FRAME_LOCK_FD 4
#define FRAME_INSTANCE_ENV "SLUICE_INSTANCE" /* 16 hex digits */

struct frame { /* head as on the wire, 64 bytes */
	uint16_t magic, version;
	uint16_t type, flags;
	uint32_t step, item;
	uint64_t run, token;
	int64_t time_us;
	uint32_t code, len; /* len: bytes of payload, inline or in the memfd */
	uint64_t instance;
	uint64_t reserved;
};

/* What the pool must know of a job; the rest it passes on unread. A JSON object, every member may
 * be absent, others are ignored:
 *
 * slug          "dag/step#2": for log lines
 * key           hex, at most 128 characters: only a worker that was started for it is used again
 * log           "dag/RUNID/step.1.log": below state/logs
 * scratch       "RUNID.step.1": below state/scratch, made by the worker, removed by the pool
 * keep_scratch  true: not removed
 * deadline_ms   counted from the start of the attempt; -1 or absent: none
 * grace_ms      between KILL and SIGKILL
 * fresh         true: a new worker for this attempt alone
 * workers       how many idle workers are kept at most
 * masks         ["secret"]: one shorter than six characters is refused, the attempt then fails */

/* Sends one frame; fds may be NULL. Blocking or not as the socket is: ERR_AGAIN, ERR_CLOSED (EPIPE,
 * ECONNRESET), ERR_IO. Fills in magic, version, len and FRAME_MEMFD itself. Payloads over
 * FRAME_INLINE_MAX are put into a memfd here. The descriptors stay the caller's. */
int frame_send(int fd, const struct frame *head, const void *payload, size_t n, const int *fds,
    int n_fds, struct err *err) CHECK_RESULT;
/* Receives one frame and its payload (memfd already read; appended to `payload`, so reset it
 * before). extra_fds: at most cap descriptors besides the memfd, *n_extra of them; what exceeds cap
 * is closed. ERR_AGAIN, ERR_CLOSED at end of file, ERR_PARSE for what is no frame (the peer is then
 * to be dropped; no descriptor stays open). */
int frame_recv(int fd, struct frame *ret_head, struct str *payload, int *extra_fds, int cap,
    int *n_extra, struct err *err) CHECK_RESULT;

/* JOB and SYSTEM payloads of the daemon: u32 length of note, note, job. The parts point into p. */
int frame_job_split(const char *p, size_t n, const char **ret_note, size_t *ret_note_n,
    const char **ret_job, size_t *ret_job_n, struct err *err) CHECK_RESULT;
void frame_job_join(
    struct str *out, const char *note, size_t note_n, const char *job, size_t job_n);
const char *frame_outcome_name(uint32_t code); /* "ok" "failed" "lost" "cancelled" "deadline" */

#endif
