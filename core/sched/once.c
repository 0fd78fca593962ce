/* once.c: `rerun --downstream once`: what a reopened run publishes is kept in table run_part,
 * newest version of each partition, and its subscribers start at the run's end, each once however
 * many of the run's data sets it follows. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <string.h>

int downstream_parse(const char *name, enum downstream *ret)
{
	for (int d = 0; d < DOWNSTREAM_N; d++) {
		if (str_eq(name, downstream_name((enum downstream)d))) {
			*ret = (enum downstream)d;
			return 0;
		}
	}
	return ERR_USAGE;
}

int once_keep(struct tx *x, uint32_t ds_no, const struct version_rec *ver, bool *ret)
{
	uint8_t value[ONCE_BYTES] = {0};
	struct slice there;
	struct key k;
	int rc;

	*ret = x->run_open && x->run.downstream == DOWNSTREAM_ONCE && x->run.reopened > 0;
	if (!*ret)
		return 0;
	key_run_part(&k, x->run.no, ds_no, ver->partition);
	rc = view_get(x->v, TABLE_RUN_PART, k.b, k.n, &there);
	if (rc == 0 && there.n != ONCE_BYTES)
		return ERR_CORRUPT;
	if (rc == 0)
		memcpy(value, there.p, sizeof(value));
	else if (rc != ERR_NOT_FOUND)
		return rc;
	be_put64(value, ver->version);
	value[8] |= ver->changed;
	return view_put(x->v, TABLE_RUN_PART, k.b, k.n, value, sizeof(value));
}

int once_tell(struct tx *x)
{
	struct view_walk w;
	struct slice value;
	struct key k;
	int rc;

	key_run(&k, x->run.no);
	view_walk_init(&w, x->v, TABLE_RUN_PART, k.b, k.n, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		struct published p = {.once = x->run.no};

		if (w.key_n < 12 || value.n != ONCE_BYTES)
			return ERR_CORRUPT;
		p.ds_no = be_get32(w.key + 8);
		p.version = be_get64(value.p);
		p.changed = ((const uint8_t *)value.p)[8] != 0;
		VEC_ADD(&x->published, p);
		rc = must(view_del(x->v, TABLE_RUN_PART, w.key, w.key_n));
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}
