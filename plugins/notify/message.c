/* message.c: what a message says. For the end of a run the words are made here, from the run
 * object, so that every kind of endpoint says the same. */
#include "plugins/notify/notify.h"

#include "sluice/kit/hash.h"
#include "sluice/kit/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define STEPS_SHOWN 5
#define LOG_MAX 2500

void text_cut(slu_buf *b, const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n <= max) {
		slu_buf_add(b, s);
		return;
	}
	n = max > 3 ? max - 3 : 0;
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	slu_buf_addn(b, s, n);
	slu_buf_add(b, "…");
}

/* From a message of the daemon its id; from a step one that its retries share. */
static void make_id(struct message *m, const char *given)
{
	const slu_attempt *at = m->host->attempt(m->run);
	uint8_t sha[32];
	char hex[65];

	if (given != NULL && given[0] != 0) {
		(void)snprintf(m->id, sizeof(m->id), "%.100s", given);
		return;
	}
	slu_sha256(at->ledger_key, strlen(at->ledger_key), sha);
	slu_hex(sha, 16, hex);
	(void)snprintf(m->id, sizeof(m->id), "msg_%s", hex);
}

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- a run in words ---- */

static const char *run_word(const char *event)
{
	if (strcmp(event, "run.late") == 0)
		return "has not started in time";
	if (strcmp(event, "run.cancelled") == 0)
		return "was cancelled";
	return strcmp(event, "run.succeeded") == 0 ? "succeeded" : "failed";
}

static void run_title(struct message *m)
{
	const char *key = slu_json_get_str(m->data, "key", "");

	slu_buf_addf(&m->title, "[%s] %s", m->host->attempt(m->run)->deployment,
	    slu_json_get_str(m->data, "dag", "?"));
	if (key[0] != 0) {
		slu_buf_addc(&m->title, ' ');
		text_cut(&m->title, key, 100);
	}
	slu_buf_addf(&m->title, " %s", run_word(m->event));
}

static void step_words(struct message *m, const slu_json *s)
{
	const char *item = slu_json_get_str(s, "item", NULL);
	const char *message = slu_json_get_str(s, "message", "");

	slu_buf_addf(&m->text, "step %s", slu_json_get_str(s, "name", "?"));
	if (item != NULL) {
		slu_buf_addc(&m->text, '[');
		text_cut(&m->text, item, 100);
		slu_buf_addc(&m->text, ']');
	}
	if (slu_json_get_i64(s, "attempt", 0) > 0) /* a foreach as a whole has none */
		slu_buf_addf(
		    &m->text, ", attempt %lld", (long long)slu_json_get_i64(s, "attempt", 0));
	slu_buf_addf(&m->text, ": %s", slu_json_get_str(s, "class", "failed"));
	if (message[0] != 0) {
		slu_buf_add(&m->text, ": ");
		text_cut(&m->text, message, 400);
	}
	slu_buf_addc(&m->text, '\n');
}

static void run_text(struct message *m)
{
	const slu_json *steps = slu_json_get(m->data, "steps");
	const char *message = slu_json_get_str(m->data, "message", "");
	size_t n = 0;

	if (message[0] != 0) {
		text_cut(&m->text, message, 500);
		slu_buf_addc(&m->text, '\n');
	}
	for (const slu_json *s = slu_json_first(steps); s != NULL; s = slu_json_next(s)) {
		if (n++ < STEPS_SHOWN)
			step_words(m, s);
	}
	if (n > STEPS_SHOWN)
		slu_buf_addf(&m->text, "and %zu more\n", n - STEPS_SHOWN);
	slu_buf_addf(&m->text, "see: sluice show %s", slu_json_get_str(m->data, "id", ""));
}

/* The last lines of the first step that failed. */
static void run_log(struct message *m)
{
	const slu_json *lines = slu_json_get(slu_json_get(m->data, "log"), "lines");
	slu_buf all;
	size_t n;

	slu_buf_init(&all, 256u << 10);
	for (const slu_json *j = slu_json_first(lines); j != NULL; j = slu_json_next(j)) {
		text_cut(&all, slu_json_str(j, ""), 500);
		slu_buf_addc(&all, '\n');
	}
	n = all.len > LOG_MAX ? all.len - LOG_MAX : 0; /* the end is what matters */
	while (n > 0 && n < all.len && all.s[n - 1] != '\n')
		n++;
	slu_buf_add(&m->log, slu_buf_text(&all) + n);
	slu_buf_done(&all);
}

static void make_link(struct message *m, const char *pattern)
{
	const char *at = pattern;

	for (; at != NULL && *at != 0; at++) {
		if (strncmp(at, "{run}", 5) == 0) {
			slu_buf_add_url(&m->link, slu_json_get_str(m->data, "id", ""));
			at += 4;
		} else if (strncmp(at, "{dag}", 5) == 0) {
			slu_buf_add_url(&m->link, slu_json_get_str(m->data, "dag", ""));
			at += 4;
		} else {
			slu_buf_addc(&m->link, *at);
		}
	}
}

/* ---- reading ---- */

static void words(struct message *m, const char *title, const char *text)
{
	int of_run = strncmp(m->event, "run.", 4) == 0 && m->data != NULL;

	if (title != NULL && title[0] != 0)
		text_cut(&m->title, title, 500);
	else if (of_run)
		run_title(m);
	else
		slu_buf_addf(&m->title, "[%s] %s", m->host->attempt(m->run)->deployment,
		    strcmp(m->event, "message") == 0 ? "message" : m->event);
	if (text != NULL && text[0] != 0)
		text_cut(&m->text, text, NOTIFY_TEXT_MAX);
	else if (of_run)
		run_text(m);
	else
		text_cut(&m->text, slu_json_get_str(m->data, "message", ""), NOTIFY_TEXT_MAX);
	run_log(m);
}

static slu_rc read_at(struct message *m, const char *at, slu_err *err)
{
	int zoned = 0;

	m->at_us = now_us();
	if (at == NULL || at[0] == 0)
		return SLU_OK;
	if (slu_text_to_timestamp(at, strlen(at), &m->at_us, &zoned) == NULL && zoned)
		return SLU_OK;
	return slu_fail_field(err, SLU_E_CONFIG, "NOTIFY.AT", "at",
	    "\"at\" is no time with a zone, such as 2026-11-21T10:00:00Z");
}

slu_rc message_read(
    struct message *m, const struct endpoint *e, const slu_host *host, slu_run *run, slu_err *err)
{
	slu_rc rc;

	m->host = host;
	m->run = run;
	slu_buf_init(&m->title, 2048);
	slu_buf_init(&m->text, 16384);
	slu_buf_init(&m->log, 16384);
	slu_buf_init(&m->link, 4096);
	m->event = host->get_str(run, "event");
	if (m->event == NULL || m->event[0] == 0)
		m->event = "message";
	make_id(m, host->get_str(run, "id"));
	rc = slu_option_json(host, run, "data", &m->data, err);
	if (rc == SLU_OK)
		rc = read_at(m, host->get_str(run, "at"), err);
	if (rc != SLU_OK)
		return rc;
	words(m, host->get_str(run, "title"), host->get_str(run, "text"));
	make_link(m, e->link);
	return SLU_OK;
}

void message_done(struct message *m)
{
	slu_json_free(m->data);
	slu_buf_done(&m->title);
	slu_buf_done(&m->text);
	slu_buf_done(&m->log);
	slu_buf_done(&m->link);
}
