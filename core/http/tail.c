/* tail.c: see tail.h. */
#include "core/http/tail.h"

#include "core/pool/logfile.h"
#include "core/sched/table.h"

#include <stdio.h>
#include <string.h>

int tail_open(const struct view *v, const struct step_ref *ref, uint32_t attempt, struct tail *ret)
{
	const struct plan *plan;
	struct run_rec run;
	struct step_rec step;
	struct err err;
	int rc = run_get(v, ref->run, &run);

	if (rc == 0)
		rc = step_get(v, ref, &step);
	if (rc == 0)
		rc = v->plan(v->ctx, run.plan, &plan, &err);
	if (rc != 0)
		return rc;
	if (ref->step >= plan->n_steps)
		return ERR_CORRUPT;
	memset(ret, 0, sizeof(*ret));
	ret->ref = *ref;
	ret->attempt = attempt != 0 ? attempt : step.attempt;
	ret->fixed = attempt != 0;
	str_copy(ret->dag, sizeof(ret->dag), run.dag);
	str_copy(ret->step, sizeof(ret->step), plan->steps[ref->step].name);
	hash_to_base32(run.id, ret->run_id);
	return 0;
}

enum tail_state tail_look(const struct view *v, const struct tail *t)
{
	struct step_rec step;
	struct run_rec run;

	if (step_get(v, &t->ref, &step) != 0 || run_get(v, t->ref.run, &run) != 0)
		return TAIL_OVER;
	if (step.attempt == t->attempt && step.state == STEP_RUNNING)
		return TAIL_MORE;
	if (!t->fixed && step.attempt > t->attempt)
		return TAIL_NEXT;
	if (t->fixed && step.attempt >= t->attempt)
		return TAIL_OVER;
	return step_state_ended(step.state) || run_state_ended(run.state) ? TAIL_OVER : TAIL_MORE;
}

void tail_next(struct tail *t)
{
	t->attempt++;
	t->offset = 0;
}

int tail_read(
    struct http *h, struct tail *t, struct str *out, uint64_t *ret_offset, struct err *err)
{
	char path[4096], item[16] = "", buf[TAIL_PIECE];
	struct logfile_piece piece;

	*ret_offset = t->offset;
	if (t->attempt == 0)
		return 0;
	if (t->ref.item != 0)
		snprintf(item, sizeof(item), ".%u", t->ref.item);
	int n = snprintf(path, sizeof(path), "%s/logs/%s/%s/%s%s.%u.log", h->env.conf->state_dir,
	    t->dag, t->run_id, t->step, item, t->attempt);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, ERR_LIMIT, "the path of the log is too long");
	int rc = logfile_read(path, t->offset, buf, sizeof(buf), &piece, err);
	if (rc != 0)
		return rc;
	if (piece.n > 0 && piece.gap > 0)
		str_addf(out, "[… %llu bytes left out …]\n", (unsigned long long)piece.gap);
	str_addn(out, buf, piece.n);
	*ret_offset = piece.offset;
	t->offset = piece.next;
	return 0;
}
