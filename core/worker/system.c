/* system.c: jobs of the system lane, by kind. */
#include "core/worker/system.h"

#include "core/worker/compile.h"
#include "core/worker/describe.h"

void system_error(struct str *out, const char *text)
{
	struct jw w;

	str_reset(out);
	jw_init(&w, out);
	jw_object(&w);
	jw_kstr(&w, "error", text);
	jw_end_object(&w);
}

static int describe(const struct json *job, struct str *out, struct err *err)
{
	bool changed;

	return describe_all(json_get(job, "plugin_dirs"), NULL, out, &changed, err);
}

static const struct {
	const char *kind;
	int (*fn)(const struct json *job, struct str *out, struct err *err);
} kinds[] = {
    {"compile", compile_job}, {"compile_config", compile_config_job}, {"describe", describe}};

void system_run(const struct json *job, struct str *out)
{
	const char *kind = json_get_str(job, "kind", "");
	struct err err;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!str_eq(kinds[i].kind, kind))
			continue;
		if (kinds[i].fn(job, out, &err) != 0 || out->failed)
			system_error(out, out->failed ? "the answer is over 16 MiB" : err.text);
		return;
	}
	err_set(&err, ERR_UNSUPPORTED, "this worker knows no job of kind \"%.40s\"", kind);
	system_error(out, err.text);
}
