/* admin.c: tokens, and a new configuration. */
#include "core/sched/tx.h"

#include <string.h>

int op_token_add(struct tx *x, const struct op *op)
{
	const struct token_rec *t = &op->u.token_add.rec;
	uint8_t buf[RECORD_MAX];
	int rc;

	if (!str_is_name(t->name))
		return refuse(x, ERR_USAGE, "\"%.63s\" is no name for a token", t->name);
	rc = view_add(x->v, TABLE_TOKEN_NAME, t->name, strlen(t->name), op->u.token_add.hash,
	    HASH_SHA256_BYTES);
	if (rc == ERR_EXISTS)
		return refuse(
		    x, ERR_EXISTS, "there is a token \"%.63s\" already: revoke it first", t->name);
	if (rc != 0)
		return rc;
	return view_put(
	    x->v, TABLE_TOKEN, op->u.token_add.hash, HASH_SHA256_BYTES, buf, token_encode(t, buf));
}

int op_token_revoke(struct tx *x, const struct op *op)
{
	const char *name = op->u.token_revoke.name;
	uint8_t hash[HASH_SHA256_BYTES];
	struct slice s;
	int rc =
	    name[0] == 0 ? ERR_NOT_FOUND : view_get(x->v, TABLE_TOKEN_NAME, name, strlen(name), &s);

	if (rc == ERR_NOT_FOUND)
		return refuse(x, ERR_NOT_FOUND, "there is no token \"%.63s\"", name);
	if (rc != 0)
		return rc;
	if (s.n != sizeof(hash))
		return ERR_CORRUPT;
	memcpy(hash, s.p, sizeof(hash));
	rc = must(view_del(x->v, TABLE_TOKEN, hash, sizeof(hash)));
	return rc != 0 ? rc : must(view_del(x->v, TABLE_TOKEN_NAME, name, strlen(name)));
}

/* Pools may have grown: who waits for one is looked at again. */
static int wake_pools(struct tx *x)
{
	char name[VIEW_KEY_MAX + 1];
	struct slice key, value, from = {"pool:", 5};
	int rc;

	while ((rc = x->v->next(x->v->ctx, TABLE_BLOCKED, from, true, &key, &value)) == 0) {
		struct resource r = {.size = 1};
		const void *zero = memchr(key.p, 0, key.n);
		uint64_t used;
		size_t n;

		if (zero == NULL)
			return ERR_CORRUPT;
		n = (size_t)((const char *)zero - (const char *)key.p);
		if (n < 5 || memcmp(key.p, "pool:", 5) != 0)
			return 0;
		memcpy(name, key.p, n);
		name[n] = 0;
		for (size_t i = 0; x->env->conf != NULL && i < x->env->conf->n_pools; i++) {
			if (strcmp(x->env->conf->pools[i].name, name + 5) == 0)
				r.size = x->env->conf->pools[i].size;
		}
		rc = count_get(x->v, name, &used);
		if (rc == 0)
			rc = resource_wake(x, name, used, r.size);
		if (rc != 0)
			return rc;
		name[n] = 1; /* behind all entries of this pool */
		from = (struct slice){name, n + 1};
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int op_conf(struct tx *x, const struct op *op)
{
	(void)op;
	return wake_pools(x);
}
