/* poolorphan.c: attempts that a pool holds and the store does not know (rule 10): killed, and
 * remembered until they have ended, because after a restore nothing may start before (rule 24). */
#define LOG_AT "daemon"
#include "core/daemon/poolint.h"

static bool is(const struct orphan *o, const struct step_ref *step, uint64_t token)
{
	return o->token == token && o->step.run == step->run && o->step.step == step->step &&
	       o->step.item == step->item;
}

void pool_orphan_ended(struct instance *i, const struct step_ref *step, uint64_t token)
{
	for (size_t k = 0; k < i->orphans.n; k++) {
		if (!is(&i->orphans.v[k], step, token))
			continue;
		i->orphans.v[k] = i->orphans.v[--i->orphans.n];
		return;
	}
	if (i->state == INST_HELLO)
		VEC_ADD(&i->ended, ((struct orphan){*step, token}));
}

void pool_orphans_forget(struct instance *i)
{
	VEC_CLEAR(&i->ended);
	VEC_CLEAR(&i->orphans);
}

void pool_link_orphan(struct pool_link *p, const struct effect *e)
{
	struct instance *i = pool_instance_find(p, e->instance);

	pool_link_kill(p, e);
	if (!i)
		return;
	for (size_t k = 0; k < i->ended.n; k++) {
		if (is(&i->ended.v[k], &e->step, e->token))
			return; /* it was listed as ended */
	}
	VEC_ADD(&i->orphans, ((struct orphan){e->step, e->token}));
}

bool pool_link_is_clear(const struct pool_link *p)
{
	for (const struct instance *i = p->instances; i; i = i->next) {
		if (i->state != INST_UP || !i->up_told || i->orphans.n > 0)
			return false;
	}
	return p->starting == 0;
}
