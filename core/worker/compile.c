/* compile.c: interim. */
#include "core/worker/compile.h"

#include "core/worker/mode.h"

int compile_job(const struct json *job, struct str *out, struct err *err)
{
	(void)job;
	(void)out;
	return err_set(err, ERR_UNSUPPORTED, "this build does not compile files yet");
}

int compile_config_job(const struct json *job, struct str *out, struct err *err)
{
	return compile_job(job, out, err);
}

int mode_compile(const struct mode_options *o)
{
	(void)o;
	return 70;
}

int mode_compile_config(const struct mode_options *o)
{
	return mode_compile(o);
}

int mode_schema(const struct mode_options *o)
{
	return mode_compile(o);
}

int mode_conform(const struct mode_options *o)
{
	return mode_compile(o);
}
