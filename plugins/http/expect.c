/* expect.c: an answer against what a step expects, and the outputs out of it. The status is judged
 * first, by the kit: a server in trouble is tried again, whatever its body would have to be. */
#include "plugins/http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 80		     /* bytes of a value in a message */
#define EXACT_MAX 9007199254740992.0 /* 2^53: JSON numbers are doubles here */

void expect_done(struct expect *e)
{
	slu_json_free(e->status);
	slu_json_free(e->json);
	slu_json_free(e->outputs);
}

/* ---- what is written ---- */

/* 200, or "200-299". */
static int read_range(const slu_json *j, int *lo, int *hi)
{
	const char *text = slu_json_str(j, NULL);
	char more;

	if (slu_json_type(j) == SLU_JSON_NUMBER)
		*lo = *hi = (int)slu_json_i64(j, 0);
	else if (text == NULL)
		return 0;
	else if (sscanf(text, "%3d-%3d%c", lo, hi, &more) != 2) {
		if (sscanf(text, "%3d%c", lo, &more) != 1)
			return 0;
		*hi = *lo;
	}
	return *lo >= 100 && *lo <= *hi && *hi <= 599;
}

static slu_rc read_status(struct expect *e, slu_err *err)
{
	if (e->status != NULL && slu_json_type(e->status) != SLU_JSON_ARRAY)
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.EXPECT", "expect.status",
		    "expect.status is a list: [200, 201] or [200-299]");
	for (const slu_json *j = slu_json_first(e->status); j != NULL; j = slu_json_next(j)) {
		if (e->n_ranges >= RANGES_MAX)
			return slu_fail_field(err, SLU_E_CONFIG, "HTTP.EXPECT", "expect.status",
			    "expect.status has more than %d entries", RANGES_MAX);
		if (!read_range(j, &e->ranges[e->n_ranges].lo, &e->ranges[e->n_ranges].hi))
			return slu_fail_field(err, SLU_E_CONFIG, "HTTP.EXPECT", "expect.status",
			    "an entry of expect.status is none: write 200 or 200-299");
		e->n_ranges++;
	}
	return SLU_OK;
}

static slu_rc bad_pointer(slu_err *err, const char *field, const char *pointer)
{
	return slu_fail_field(err, SLU_E_CONFIG, "HTTP.POINTER", field,
	    "\"%.60s\" in %s is no JSON pointer: write /member/0, or \"\" for all of it", pointer,
	    field);
}

static int is_pointer(const char *s)
{
	if (s == NULL || (*s != 0 && *s != '/'))
		return 0;
	for (; *s != 0; s++) {
		if (*s == '~' && s[1] != '0' && s[1] != '1')
			return 0;
	}
	return 1;
}

static slu_rc read_pointers(const struct expect *e, slu_err *err)
{
	const slu_json *j;

	if ((e->json != NULL && slu_json_type(e->json) != SLU_JSON_OBJECT) ||
	    (e->outputs != NULL && slu_json_type(e->outputs) != SLU_JSON_OBJECT))
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.EXPECT", "expect.json",
		    "expect.json is a map {/pointer: value}, outputs a map {name: /pointer}");
	for (j = slu_json_first(e->json); j != NULL; j = slu_json_next(j)) {
		if (!is_pointer(slu_json_key(j)))
			return bad_pointer(err, "expect.json", slu_json_key(j));
	}
	for (j = slu_json_first(e->outputs); j != NULL; j = slu_json_next(j)) {
		if (!is_pointer(slu_json_str(j, NULL)))
			return bad_pointer(err, "outputs", slu_json_str(j, "?"));
	}
	return SLU_OK;
}

slu_rc expect_read(struct expect *e, const slu_host *host, slu_run *run, slu_err *err)
{
	slu_rc rc = slu_option_json(host, run, "expect.status", &e->status, err);

	if (rc == SLU_OK)
		rc = slu_option_json(host, run, "expect.json", &e->json, err);
	if (rc == SLU_OK)
		rc = slu_option_json(host, run, "outputs", &e->outputs, err);
	if (rc == SLU_OK)
		rc = read_status(e, err);
	return rc == SLU_OK ? read_pointers(e, err) : rc;
}

int expect_wants_json(const struct expect *e)
{
	return slu_json_len(e->json) > 0 || slu_json_len(e->outputs) > 0;
}

/* ---- what came ---- */

static void show(const slu_json *j, slu_buf *out)
{
	slu_buf text;
	size_t n;

	if (j == NULL) {
		slu_buf_add(out, "nothing");
		return;
	}
	slu_buf_init(&text, 1u << 20);
	slu_json_print(j, &text);
	n = text.len;
	if (n > SHOWN_MAX) {
		for (n = SHOWN_MAX; n > 0 && ((unsigned char)text.s[n] & 0xc0) == 0x80; n--)
			;
	}
	slu_buf_addn(out, slu_buf_text(&text), n);
	if (text.failed || n < text.len)
		slu_buf_add(out, "…");
	slu_buf_done(&text);
}

static int is_expected(const struct expect *e, int status)
{
	for (uint32_t i = 0; i < e->n_ranges; i++) {
		if (status >= e->ranges[i].lo && status <= e->ranges[i].hi)
			return 1;
	}
	return e->n_ranges == 0 && status >= 200 && status < 300;
}

static slu_rc judge_status(
    const struct expect *e, const slu_http_reply *reply, const char *who, slu_err *err)
{
	slu_buf want;
	slu_rc rc;

	if (is_expected(e, reply->status))
		return SLU_OK;
	rc = slu_http_judge(reply, who, err);
	if (e->n_ranges == 0)
		return rc;
	slu_buf_init(&want, 256);
	show(e->status, &want);
	if (rc == SLU_OK)
		rc = slu_fail_field(err, SLU_E_DATA, "HTTP.STATUS", "expect.status",
		    "%s answers %d, and %s is expected", who, (int)reply->status,
		    slu_buf_text(&want));
	else
		(void)slu_fail_prefix(err, "expected %s", slu_buf_text(&want));
	slu_buf_done(&want);
	return rc;
}

static slu_rc judge_json(
    const struct expect *e, const slu_json *root, const char *who, slu_err *err)
{
	slu_rc rc = SLU_OK;

	for (const slu_json *j = slu_json_first(e->json); rc == SLU_OK && j != NULL;
	     j = slu_json_next(j)) {
		const slu_json *got = slu_json_at(root, slu_json_key(j));
		slu_buf text;

		if (got != NULL && slu_json_equal(got, j))
			continue;
		slu_buf_init(&text, 512);
		show(j, &text);
		slu_buf_add(&text, " is expected, but there is ");
		show(got, &text);
		rc = slu_fail_field(err, SLU_E_DATA, "HTTP.EXPECT", "expect.json",
		    "%s: at %.80s of the answer %s", who, slu_json_key(j), slu_buf_text(&text));
		slu_buf_done(&text);
	}
	return rc;
}

static slu_rc put_output(const slu_host *host, slu_run *run, const char *name,
    const slu_json *value, const char *pointer, slu_err *err)
{
	slu_buf text;
	slu_rc rc = SLU_OK;
	double n;

	if (value == NULL)
		return slu_fail_field(err, SLU_E_DATA, "HTTP.OUTPUT", "outputs",
		    "output \"%.60s\": nothing stands at %.80s of the answer", name, pointer);
	slu_buf_init(&text, 1u << 20);
	slu_json_print(value, &text);
	n = slu_json_type(value) == SLU_JSON_NUMBER ? strtod(slu_buf_text(&text), NULL) : 0;
	if (n >= EXACT_MAX || n <= -EXACT_MAX)
		rc = slu_fail_field(err, SLU_E_DATA, "HTTP.OUTPUT", "outputs",
		    "output \"%.60s\": the number at %.80s is beyond 2^53 and would be changed: "
		    "ask the service for a text",
		    name, pointer);
	else if (text.failed || host->output(run, name, slu_buf_text(&text)) != SLU_OK)
		rc = slu_fail_field(err, SLU_E_DATA, "HTTP.OUTPUT", "outputs",
		    "output \"%.60s\" was refused: all outputs of a step together have at most "
		    "64 KiB",
		    name);
	slu_buf_done(&text);
	return rc;
}

static slu_rc put_outputs(
    const struct expect *e, const slu_host *host, slu_run *run, const slu_json *root, slu_err *err)
{
	slu_rc rc = SLU_OK;

	for (const slu_json *j = slu_json_first(e->outputs); rc == SLU_OK && j != NULL;
	     j = slu_json_next(j)) {
		const char *pointer = slu_json_str(j, "");

		rc = put_output(
		    host, run, slu_json_key(j), slu_json_at(root, pointer), pointer, err);
	}
	return rc;
}

/* Class data where it is none. A NUL in it would end the text early. */
static slu_rc read_json(const slu_http_reply *reply, const char *who, slu_json **ret, slu_err *err)
{
	const char *text = slu_buf_text(&reply->body);

	if (strlen(text) == reply->body.len &&
	    slu_json_parse(text, "the answer", ret, err) == SLU_OK)
		return SLU_OK;
	return slu_fail_field(err, SLU_E_DATA, "HTTP.JSON", "outputs",
	    "%s answers %d with what is no JSON, so there is nothing for expect.json and outputs",
	    who, (int)reply->status);
}

slu_rc expect_judge(const struct expect *e, const slu_host *host, slu_run *run,
    const slu_http_reply *reply, const char *who, slu_err *err)
{
	slu_rc rc = judge_status(e, reply, who, err);
	slu_json *root = NULL;

	if (rc != SLU_OK || !expect_wants_json(e))
		return rc;
	rc = read_json(reply, who, &root, err);
	if (rc == SLU_OK)
		rc = judge_json(e, root, who, err);
	if (rc == SLU_OK)
		rc = put_outputs(e, host, run, root, err);
	slu_json_free(root);
	return rc;
}
