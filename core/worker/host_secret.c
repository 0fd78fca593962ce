/* host_secret.c: secrets for plugins. Values are never part of the options' tree. */
#include "core/worker/host.h"

#include <stdio.h>
#include <string.h>

slu_rc host_get_secret(slu_run *run, const char *path, char *buf, size_t *len)
{
	const struct json *node = host_lookup(run, path);
	const char *value;
	struct str reference;
	size_t n = 0;

	if (node == NULL)
		return SLU_E_NOT_FOUND;
	str_init(&reference, 8192);
	if (!secret_reference(node, &reference)) {
		str_done(&reference);
		return SLU_E_CONFIG;
	}
	value = secrets_find(run->at->job->secrets, str_peek(&reference), &n);
	if (value == NULL)
		attempt_logf(run->at, SLU_LOG_ERROR,
		    "%s: the secret of \"%s\" (%s) was not given to this step", run->role, path,
		    str_peek(&reference));
	str_done(&reference);
	if (value == NULL)
		return SLU_E_AUTH;
	if (n > *len) {
		*len = n;
		return SLU_E_CONFIG;
	}
	memcpy(buf, value, n);
	*len = n;
	return SLU_OK;
}

slu_rc host_secret_put(slu_run *run, const char *path, const void *p, size_t n, slu_err *err)
{
	(void)run;
	(void)p;
	(void)n;
	if (err == NULL)
		return SLU_E_UNSUPPORTED;
	err->rc = SLU_E_UNSUPPORTED;
	snprintf(err->code, sizeof(err->code), "HOST.SECRET_PUT");
	snprintf(err->field, sizeof(err->field), "%s", path != NULL ? path : "");
	snprintf(err->message, sizeof(err->message),
	    "this release of Sluice does not store rotated secrets: use a credential that does not "
	    "rotate");
	return SLU_E_UNSUPPORTED;
}
