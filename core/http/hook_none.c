/* hook_none.c: no authentication: on the unix socket only, unless the hook says public: true. */
#include "core/http/hook.h"

static int load(struct hook *k, struct err *err)
{
	(void)k;
	(void)err;
	return 0;
}

static int verify(const struct hook *k, const struct http_req *q, wall_us now, struct str *scratch,
    struct hook_fact *ret, struct err *err)
{
	const struct peer *p = &q->conn->peer;

	(void)now;
	(void)scratch;
	if (!k->is_public && !(p->is_unix && p->trusted))
		return err_set(
		    err, ERR_AUTH, "this hook has scheme none: it is open on the unix socket only");
	if (k->id_header[0] != '\0')
		return hook_need_header(q, k->id_header, ret->id, sizeof(ret->id), err);
	return 0;
}

const struct hook_scheme hook_none = {.name = "none", .load = load, .verify = verify};
