/* slurm.h: the parts of the slurm plugin. */
#ifndef PLUGINS_SLURM_SLURM_H
#define PLUGINS_SLURM_SLURM_H

#include <sluice/kit/http.h>
#include <sluice/kit/json.h>
#include <sluice/plugin.h>

#define NAME_MAX_BYTES 96
#define URL_MAX_BYTES 1024

/* A connection: one slurmrestd and who we are there. */
struct cluster {
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
	slu_http *http;	      /* owned */
	char url[512], version[32], user[64];
	char header_user[96];
	char *header_token; /* owned, wiped */
};

extern const slu_connection slurm_connection;
extern const slu_task slurm_task;

/* ---- cluster.c ---- */
/* One request below /slurm/VERSION/. body NULL: none. *out: the answer's tree, to be freed, NULL on
 * failure. What Slurm refuses is told by its error number: SLU_E_NOT_FOUND for an unknown job. */
slu_rc cluster_ask(struct cluster *c, const char *method, const char *path, const slu_buf *body,
    slu_json **out, slu_err *err) SLU_CHECK;
/* From v0.0.39 on the environment is a list, and numbers and states have other shapes. */
int cluster_is_newer(const struct cluster *c);

/* ---- job.c ---- */
struct order { /* what a task's options say */
	const slu_host *host;
	slu_run *run;
	char name[NAME_MAX_BYTES]; /* of the job: the same for the same ledger key */
	char *output;		   /* owned: standard output of the job, %j for its number */
};
slu_rc order_open(struct order *o, const slu_host *host, slu_run *run, slu_err *err) SLU_CHECK;
void order_done(struct order *o);
/* The body of job/submit. */
slu_rc order_write(
    const struct order *o, const struct cluster *c, slu_buf *out, slu_err *err) SLU_CHECK;

#endif
