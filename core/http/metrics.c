/* metrics.c: GET /metrics. Every name begins with sluice_ and says its unit. */
#include "core/http/metrics.h"

#include "core/http/hook.h"
#include "core/http/route.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define RUNS_COUNTED 10000 /* of each state: a walk of the index */

static void family(struct metrics *m, const char *name, bool counter, const char *help)
{
	static const char *const units[] = {"seconds", "bytes"};
	const char *suffix = counter && !m->open ? "_total" : "";

	m->name = name;
	m->counter = counter;
	str_addf(m->out, "# HELP %s%s %s\n", name, suffix, help);
	str_addf(m->out, "# TYPE %s%s %s\n", name, suffix, counter ? "counter" : "gauge");
	for (size_t i = 0; m->open && i < sizeof(units) / sizeof(units[0]); i++) {
		if (str_ends(name, units[i]))
			str_addf(m->out, "# UNIT %s %s\n", name, units[i]);
	}
}

void metrics_counter(struct metrics *m, const char *name, const char *help)
{
	family(m, name, true, help);
}

void metrics_gauge(struct metrics *m, const char *name, const char *help)
{
	family(m, name, false, help);
}

static void add_label(struct str *out, const char *key, const char *value)
{
	str_addf(out, "{%s=\"", key);
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '\\' || *p == '"')
			str_addc(out, '\\');
		if (*p == '\n')
			str_add(out, "\\n");
		else
			str_addc(out, *p);
	}
	str_add(out, "\"}");
}

void metrics_value(struct metrics *m, const char *label, const char *label_value, double value)
{
	str_addf(m->out, "%s%s", m->name, m->counter ? "_total" : "");
	if (label != NULL)
		add_label(m->out, label, label_value);
	if (value == floor(value) && fabs(value) < 1e15)
		str_addf(m->out, " %.0f\n", value);
	else
		str_addf(m->out, " %.9g\n", value);
}

static void one(struct metrics *m, bool counter, const char *name, const char *help, uint64_t value)
{
	family(m, name, counter, help);
	metrics_value(m, NULL, NULL, (double)value);
}

static void http_metrics(struct http *h, struct metrics *m)
{
	const struct http_stats *s = &h->stats;

	one(m, false, "sluice_http_connections", "Open connections.", h->n_conns);
	one(m, false, "sluice_http_streams", "Open event streams.", h->n_streams);
	one(m, true, "sluice_http_connections_accepted", "Connections accepted.", s->accepted);
	one(m, true, "sluice_http_connections_evicted", "Idle connections closed to make room.",
	    s->evicted);
	one(m, true, "sluice_http_heads_refused", "Request heads that the filter refused.",
	    s->refused_heads);
	one(m, true, "sluice_http_timeouts", "Connections cut at a deadline.", s->timeouts);
	one(m, true, "sluice_http_accept_failures", "Times that accept found no free descriptor.",
	    s->emfile);
	one(m, true, "sluice_http_streams_reset", "Streams that had to skip events.",
	    s->streams_reset);
	metrics_counter(m, "sluice_http_requests", "Requests answered, by status.");
	for (int i = 0; i < HTTP_STATUS_N; i++) {
		char text[8];
		if (s->requests[i] == 0)
			continue;
		snprintf(text, sizeof(text), "%d", i);
		metrics_value(m, "status", text, (double)s->requests[i]);
	}
}

static void hook_family(
    struct http *h, struct metrics *m, const char *name, const char *help, size_t offset)
{
	metrics_counter(m, name, help);
	for (size_t i = 0; i < hooks_count(h->hooks); i++) {
		const struct hook *k = hooks_at(h->hooks, i);
		uint64_t v;
		memcpy(&v, (const char *)k + offset, sizeof(v));
		metrics_value(m, "hook", k->name, (double)v);
	}
}

static void hook_metrics(struct http *h, struct metrics *m)
{
	metrics_counter(m, "sluice_hook_events", "Events of hooks, by verdict.");
	for (unsigned i = 0; i < VERDICT_N; i++)
		metrics_value(
		    m, "verdict", verdict_name((enum verdict)i), (double)h->stats.hook_events[i]);
	if (hooks_count(h->hooks) == 0)
		return;
	hook_family(h, m, "sluice_hook_accepted", "Requests taken, repeats included.",
	    offsetof(struct hook, accepted));
	hook_family(h, m, "sluice_hook_repeated", "Requests that repeated an event.",
	    offsetof(struct hook, repeated));
	hook_family(h, m, "sluice_hook_refused", "Requests refused before the store.",
	    offsetof(struct hook, refused));
}

static void run_metrics(const struct view *v, struct metrics *m)
{
	static const enum run_state states[] = {RUN_QUEUED, RUN_RUNNING};

	metrics_gauge(
	    m, "sluice_runs", "Runs that have not ended, by state; counted up to 10,000.");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		uint8_t prefix = (uint8_t)states[i];
		struct view_walk w;
		unsigned n = 0;
		view_walk_init(&w, v, TABLE_RUN_STATE, &prefix, 1, false);
		while (n < RUNS_COUNTED && view_walk_next(&w, NULL) == 0)
			n++;
		metrics_value(m, "state", run_state_name(states[i]), n);
	}
}

static void notify_family(const struct view *v, struct metrics *m, size_t offset)
{
	struct endpoint_rec e;
	struct view_walk w;
	struct slice value;

	view_walk_init(&w, v, TABLE_ENDPOINT, NULL, 0, false);
	while (view_walk_next(&w, &value) == 0 && endpoint_decode(value, &e, NULL) == 0) {
		uint64_t n;
		memcpy(&n, (const char *)&e + offset, sizeof(n));
		metrics_value(m, "endpoint", e.name, (double)n);
	}
}

static void notify_metrics(const struct view *v, struct metrics *m)
{
	metrics_gauge(m, "sluice_notify_waiting", "Messages that wait, by endpoint of notify.");
	notify_family(v, m, offsetof(struct endpoint_rec, waiting));
	metrics_counter(m, "sluice_notify_sent", "Messages that were taken.");
	notify_family(v, m, offsetof(struct endpoint_rec, sent));
	metrics_counter(m, "sluice_notify_given_up", "Messages that were given up.");
	notify_family(v, m, offsetof(struct endpoint_rec, given_up));
}

void get_metrics(struct http_req *q)
{
	struct http *h = q->h;
	char accept[512] = "";
	struct metrics m = {.out = &h->body};
	const struct view *v = route_view(q);

	if (v == NULL)
		return;
	request_header_copy(q, "accept", accept, sizeof(accept));
	m.open = strstr(accept, "application/openmetrics-text") != NULL;
	reply_begin(h);
	run_metrics(v, &m);
	notify_metrics(v, &m);
	route_view_end(q);
	http_metrics(h, &m);
	hook_metrics(h, &m);
	if (h->env.metrics != NULL)
		h->env.metrics(h->env.arg, &m);
	if (m.open)
		str_add(&h->body, "# EOF\n");
	conn_reply(q->conn, 200,
	    m.open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		   : "text/plain; version=0.0.4; charset=utf-8",
	    "Cache-Control: no-store\r\n", str_peek(&h->body), h->body.len);
}
