/* job.c: what a task's options order: the job's name, its script, its limits. */
#include "plugins/slurm/slurm.h"

#include <sluice/kit/hash.h>
#include <sluice/kit/text.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (4u << 20)
#define ID_BYTES 8 /* of the hash in the name: two of a million jobs alike: one in 10^7 */

/* "shop.load-5f0c…": a person reads what it is, we find it again by the hash of the ledger key. */
static void name_job(struct order *o)
{
	const slu_attempt *a = o->host->attempt(o->run);
	uint8_t sum[32];
	char id[2 * ID_BYTES + 1];

	slu_sha256(a->ledger_key, strlen(a->ledger_key), sum);
	slu_hex(sum, ID_BYTES, id);
	(void)snprintf(o->name, sizeof(o->name), "%.32s.%.32s-%s", a->dag, a->step, id);
}

static const char *folder(const struct order *o)
{
	const char *cwd = o->host->get_str(o->run, "cwd");

	return cwd != NULL ? cwd : "/tmp";
}

slu_rc order_open(struct order *o, const slu_host *host, slu_run *run, slu_err *err)
{
	const char *output = host->get_str(run, "output");
	slu_buf path;

	o->host = host;
	o->run = run;
	name_job(o);
	slu_buf_init(&path, 4096);
	if (output == NULL)
		slu_buf_addf(&path, "%s/%s.out", folder(o), o->name);
	else if (output[0] == '/')
		slu_buf_add(&path, output);
	else
		slu_buf_addf(&path, "%s/%s", folder(o), output);
	if (path.failed) {
		slu_buf_done(&path);
		return slu_fail_field(
		    err, SLU_E_CONFIG, "SLURM.OUTPUT", "output", "the output's path is too long");
	}
	o->output = path.s;
	return SLU_OK;
}

void order_done(struct order *o)
{
	free(o->output);
	o->output = NULL;
}

/* ---- the script ---- */

/* One argument for the shell: 'it'\''s' */
static void add_quoted(slu_buf *b, const char *text)
{
	slu_buf_addc(b, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			slu_buf_add(b, "'\\''");
		else
			slu_buf_addc(b, *text);
	}
	slu_buf_addc(b, '\'');
}

static slu_rc add_command(const slu_json *list, slu_buf *out, slu_err *err)
{
	const slu_json *v;
	char number[SLU_TEXT_MAX];

	slu_buf_add(out, "#!/bin/sh\nexec");
	for (v = slu_json_first(list); v != NULL; v = slu_json_next(v)) {
		(void)slu_text_from_i64(slu_json_i64(v, 0), number);
		if (slu_json_type(v) != SLU_JSON_STRING && slu_json_type(v) != SLU_JSON_NUMBER)
			return slu_fail_field(err, SLU_E_CONFIG, "SLURM.COMMAND", "command",
			    "command: each argument is a text or a whole number");
		slu_buf_addc(out, ' ');
		add_quoted(out, slu_json_str(v, number));
	}
	slu_buf_addc(out, '\n');
	return SLU_OK;
}

static slu_rc make_script(const struct order *o, slu_buf *out, slu_err *err)
{
	const char *script = o->host->get_str(o->run, "script");
	slu_json *list;
	slu_rc rc = slu_option_json(o->host, o->run, "command", &list, err);

	if (rc != SLU_OK)
		return rc;
	if ((script == NULL) == (list == NULL) || (list != NULL && slu_json_len(list) == 0))
		rc = slu_fail_field(err, SLU_E_CONFIG, "SLURM.COMMAND", "command",
		    "exactly one of command (a list) and script (a text) is needed");
	else if (list != NULL)
		rc = add_command(list, out, err);
	else
		slu_buf_addf(
		    out, "%s%s", strncmp(script, "#!", 2) == 0 ? "" : "#!/bin/sh\n", script);
	slu_json_free(list);
	return rc;
}

/* ---- the environment ---- */

static void add_variable(slu_buf *b, int *n, int as_list, const char *name, const char *value)
{
	slu_buf both;

	if ((*n)++ > 0)
		slu_buf_addc(b, ',');
	if (!as_list) {
		slu_buf_add_json(b, name, strlen(name));
		slu_buf_addc(b, ':');
		slu_buf_add_json(b, value, strlen(value));
		return;
	}
	slu_buf_init(&both, BODY_MAX);
	slu_buf_addf(&both, "%s=%s", name, value);
	slu_buf_add_json(b, slu_buf_text(&both), both.len);
	slu_buf_done(&both);
}

static void add_time(slu_buf *b, int *n, int as_list, const char *name, int64_t us)
{
	char text[SLU_TEXT_MAX] = "";

	if (us != SLU_TIME_NONE)
		(void)slu_text_from_timestamp(us, 1, 0, text);
	add_variable(b, n, as_list, name, text);
}

/* What the file names itself stands as it says. */
static void add_facts(const struct order *o, const slu_json *env, slu_buf *b, int *n, int as_list)
{
	const slu_attempt *a = o->host->attempt(o->run);
	const char *facts[][2] = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"SLUICE_RUN", a->run},
	    {"SLUICE_DAG", a->dag}, {"SLUICE_STEP", a->step}, {"SLUICE_ITEM", a->item},
	    {"SLUICE_KEY", a->key}, {"SLUICE_LEDGER_KEY", a->ledger_key}};

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		if (slu_json_get(env, facts[i][0]) == NULL)
			add_variable(b, n, as_list, facts[i][0], facts[i][1]);
	add_time(b, n, as_list, "SLUICE_WINDOW_START", a->window_from_us);
	add_time(b, n, as_list, "SLUICE_WINDOW_END", a->window_to_us);
}

static slu_rc add_environment(const struct order *o, int as_list, slu_buf *b, slu_err *err)
{
	const slu_json *v;
	slu_json *env;
	slu_rc rc = slu_option_json(o->host, o->run, "env", &env, err);
	char number[SLU_TEXT_MAX];
	int n = 0;

	slu_buf_addf(b, ",\"environment\":%c", as_list ? '[' : '{');
	add_facts(o, env, b, &n, as_list);
	for (v = rc == SLU_OK ? slu_json_first(env) : NULL; v != NULL; v = slu_json_next(v)) {
		const char *name = slu_json_key(v);

		(void)slu_text_from_i64(slu_json_i64(v, 0), number);
		if (name[0] == '\0' || strchr(name, '=') != NULL ||
		    (slu_json_type(v) != SLU_JSON_STRING && slu_json_type(v) != SLU_JSON_NUMBER))
			rc = slu_fail_field(err, SLU_E_CONFIG, "SLURM.ENV", "env",
			    "env.%.60s: a variable has a name without = and a text or a whole "
			    "number as "
			    "value",
			    name);
		else
			add_variable(b, &n, as_list, name, slu_json_str(v, number));
	}
	slu_json_free(env);
	slu_buf_addc(b, as_list ? ']' : '}');
	return rc;
}

/* ---- the rest ---- */

static void add_text(slu_buf *b, const char *key, const char *value)
{
	if (value == NULL)
		return;
	slu_buf_addf(b, ",\"%s\":", key);
	slu_buf_add_json(b, value, strlen(value));
}

/* Slurm counts memory in MiB and time in minutes; what is begun counts whole. */
static void add_number(
    const struct order *o, slu_buf *b, const char *option, const char *key, int64_t unit)
{
	int64_t v;

	if (o->host->get_i64(o->run, option, &v) == SLU_OK && v > 0)
		slu_buf_addf(b, ",\"%s\":%lld", key, (long long)((v + unit - 1) / unit));
}

slu_rc order_write(const struct order *o, const struct cluster *c, slu_buf *out, slu_err *err)
{
	const slu_attempt *a = o->host->attempt(o->run);
	slu_buf script;
	slu_rc rc;

	slu_buf_init(&script, BODY_MAX);
	rc = make_script(o, &script, err);
	slu_buf_add(out, "{\"script\":");
	slu_buf_add_json(out, slu_buf_text(&script), script.len);
	slu_buf_done(&script);
	slu_buf_add(out, ",\"job\":{\"name\":");
	slu_buf_add_json(out, o->name, strlen(o->name));
	add_text(out, "comment", a->ledger_key);
	add_text(out, "current_working_directory", folder(o));
	add_text(out, "standard_output", o->output);
	add_text(out, "partition", o->host->get_str(o->run, "partition"));
	add_text(out, "account", o->host->get_str(o->run, "account"));
	add_number(o, out, "cpus", "cpus_per_task", 1);
	add_number(o, out, "memory", "memory_per_node", 1 << 20);
	add_number(o, out, "time_limit", "time_limit", 60000);
	/* a job that Slurm starts again would have run twice behind our back */
	slu_buf_add(out, ",\"requeue\":false");
	if (rc == SLU_OK)
		rc = add_environment(o, cluster_is_newer(c), out, err);
	slu_buf_add(out, "}}");
	if (rc == SLU_OK && (out->failed || script.failed))
		rc = slu_fail_field(err, SLU_E_CONFIG, "SLURM.SCRIPT", "script",
		    "the job's script and environment are larger than 4 MiB");
	return rc;
}
