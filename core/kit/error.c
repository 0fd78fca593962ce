/* error.c: classes and messages of plugins. */
#include "sluice/kit/error.h"

#include "core/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void error_head(slu_err *err, slu_rc rc, const char *code, const char *field)
{
	err->rc = rc;
	err->row = -1;
	(void)str_copy(err->code, sizeof(err->code), code ? code : "");
	(void)str_copy(err->field, sizeof(err->field), field ? field : "");
}

slu_rc slu_fail(slu_err *err, slu_rc rc, const char *code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return rc;
	error_head(err, rc, code, NULL);
	va_start(ap, fmt);
	(void)vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	return rc;
}

slu_rc slu_fail_field(
    slu_err *err, slu_rc rc, const char *code, const char *field, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return rc;
	error_head(err, rc, code, field);
	va_start(ap, fmt);
	(void)vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	return rc;
}

slu_rc slu_rc_from_errno(int errno_value)
{
	switch (errno_value) {
	case EACCES:
	case EPERM:
		return SLU_E_AUTH;
	case ENOENT:
	case ENOTDIR:
	case ENXIO:
		return SLU_E_NOT_FOUND;
	case EINVAL:
	case EISDIR:
	case ENAMETOOLONG:
	case ELOOP:
	case ENOTSUP:
		return SLU_E_CONFIG;
	case EILSEQ:
	case EOVERFLOW:
		return SLU_E_DATA;
	case ECANCELED:
		return SLU_E_CANCELLED;
	case ETIMEDOUT:
		return SLU_E_TIMEOUT;
	case EFAULT:
	case EBADF:
		return SLU_E_INTERNAL;
	default: /* a full disk, too many files, lost connections: later may be better */
		return SLU_E_TRANSIENT;
	}
}

slu_rc slu_rc_from_exit(int code)
{
	switch (code) { /* by sysexits.h */
	case 0:
		return SLU_OK;
	case 64:
	case 78:
		return SLU_E_CONFIG;
	case 65:
		return SLU_E_DATA;
	case 77:
		return SLU_E_AUTH;
	default:
		return SLU_E_TRANSIENT;
	}
}

slu_rc slu_fail_errno(slu_err *err, int errno_value, const char *code, const char *fmt, ...)
{
	slu_rc rc = slu_rc_from_errno(errno_value);
	va_list ap;
	size_t n;

	if (!err)
		return rc;
	error_head(err, rc, code, NULL);
	err->vendor_code = errno_value;
	va_start(ap, fmt);
	(void)vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	n = strlen(err->message);
	(void)snprintf(err->message + n, sizeof(err->message) - n, ": %s", strerror(errno_value));
	return rc;
}

slu_rc slu_fail_prefix(slu_err *err, const char *fmt, ...)
{
	char text[sizeof(err->message)];
	va_list ap;
	size_t n;

	if (!err)
		return SLU_E_INTERNAL;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = strlen(text);
	if (n + 2 < sizeof(text)) {
		memcpy(text + n, ": ", 3);
		(void)str_copy(text + n + 2, sizeof(text) - n - 2, err->message);
	}
	memcpy(err->message, text, sizeof(text));
	return err->rc;
}

void slu_logf(
    const slu_host *host, slu_run *run, int32_t level, const char *code, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	if (!host->log)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	host->log(run, level, code, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}
