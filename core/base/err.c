/* err.c: codes, their names, and the message that the caller owns. */
#include "core/base/err.h"

#include <stdio.h>
#include <string.h>

int err_vset(struct err *err, int code, const char *fmt, va_list ap)
{
	if (err == NULL)
		return code;
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, code, fmt, ap);
	va_end(ap);
	return code;
}

int err_errno(struct err *err, int code, int errno_value, const char *fmt, ...)
{
	char buf[128];
	size_t used;
	va_list ap;

	if (err == NULL)
		return code;
	va_start(ap, fmt);
	err_vset(err, code, fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s",
	    strerror_r(errno_value, buf, sizeof(buf)));
	return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char old[ERR_TEXT_MAX];
	size_t used;
	va_list ap;

	if (err == NULL)
		return ERR_INTERNAL;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", old);
	return err->code;
}

void err_clear(struct err *err)
{
	if (err == NULL)
		return;
	err->code = ERR_OK;
	err->text[0] = '\0';
}

const char *err_name(int code)
{
	switch (code) {
	case ERR_OK:
		return "OK";
#define ERR_CASE(name, value, text)                                                                \
	case value:                                                                                \
		return #name;
		ERR_LIST(ERR_CASE)
#undef ERR_CASE
	default:
		return "UNKNOWN";
	}
}

const char *err_text(int code)
{
	switch (code) {
	case ERR_OK:
		return "success";
#define ERR_CASE(name, value, text)                                                                \
	case value:                                                                                \
		return text;
		ERR_LIST(ERR_CASE)
#undef ERR_CASE
	default:
		return "unknown error";
	}
}
