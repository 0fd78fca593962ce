/* openapi.c: GET /openapi.json: the table of routes as OpenAPI 3.1. What the table of routes does
 * not say (options, bodies, replies) stands here, a row a route; the objects themselves are in
 * openapi_parts.json, which is compiled in. A unit test holds both tables together, a system test
 * the document and the daemon. */
#include "core/http/openapi_parts.inc"
#include "core/http/route.h"

#include <stdio.h>
#include <string.h>

struct describe {
	const char *method, *pattern;
	const char *query; /* names out of QUERIES, parted by blanks; "name!" is required */
	const char *body;  /* name of its schema, or NULL */
	/* "200:Run 404 409": statuses with schema (or media type), refusals without; the rest is
	 * 4XX and 5XX */
	const char *replies;
	bool needs_body;
};

#define LIST "limit after"
#define PLAIN_TIME                                                                                 \
	"{\"type\":\"string\",\"pattern\":\"^(20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"   \
	"(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]Z?)?)?)?$\"}"
static const struct describe DESCRIBE[] = {
    {"GET", "/livez", "", NULL, "200:text/plain"},
    {"GET", "/readyz", "", NULL, "200:text/plain 503"},
    {"GET", "/metrics", "", NULL, "200:text/plain"},
    {"GET", "/openapi.json", "", NULL, "200:Any"},
    {"GET", "/v1/runs", LIST " dag state#run since", NULL, "200:RunList 400"},
    {"GET", "/v1/runs/{run}", "wait", NULL, "200:Run 400 404"},
    {"POST", "/v1/runs/{run}/cancel", "", "Empty", "200:Run 404 409"},
    {"POST", "/v1/runs/{run}/rerun", "", "Rerun", "200:Run 400 404 409"},
    {"GET", "/v1/runs/{run}/steps/{step}/log", "attempt follow", NULL, "200:text/plain 400 404"},
    {"POST", "/v1/runs/{run}/steps/{step}/mark", "", "Mark", "200:Run 400 404 409", true},
    {"GET", "/v1/dags", LIST " dag state#dag", NULL, "200:DagList 400"},
    {"GET", "/v1/dags/{dag}", "", NULL, "200:Dag 404"},
    {"GET", "/v1/dags/{dag}/next", "count from to", NULL, "200:NextTimes 400 404 409"},
    {"POST", "/v1/dags/{dag}/runs", "", "StartRun", "200:Started 201:Started 400 404 409"},
    {"POST", "/v1/dags/{dag}/pause", "", "Empty", "200:Count 404"},
    {"POST", "/v1/dags/{dag}/resume", "", "Empty", "200:Count 404"},
    {"POST", "/v1/dags/{dag}/cancel", "", "Empty", "200:Count 404"},
    {"POST", "/v1/pause", "", "Empty", "200:Count"},
    {"POST", "/v1/resume", "", "Empty", "200:Count"},
    {"POST", "/v1/cancel", "", "CancelWhat", "200:Count 400 404", true},
    {"POST", "/v1/plan", "", "Empty", "200:Plan"},
    {"POST", "/v1/apply", "", "Empty", "200:Plan"},
    {"GET", "/v1/events", LIST " dag state#event since unmatched", NULL, "200:EventList 400"},
    {"GET", "/v1/events/{event}", "", NULL, "200:Event 404"},
    {"POST", "/v1/events/{event}/replay", "", "Empty", "200:Started 404 409"},
    {"GET", "/v1/datasets", LIST, NULL, "200:DatasetList 400"},
    {"GET", "/v1/datasets/{dataset}", "", NULL, "200:Dataset 404"},
    {"POST", "/v1/datasets/{dataset}/touch", "", "Touch", "200:Count 400 404"},
    {"GET", "/v1/pools", "", NULL, "200:PoolList"},
    {"GET", "/v1/plugins", "", NULL, "200:PluginList"},
    {"GET", "/v1/why", "subject! step", NULL, "200:Why 400 404"},
    {"GET", "/v1/hooks/{hook}", "", NULL, "200:Hook 404"},
    {"GET", "/v1/notify", "", NULL, "200:EndpointList"},
    {"GET", "/v1/notify/{name}", "", NULL, "200:Endpoint 404"},
    {"POST", "/v1/notify/{name}/test", "", "Empty", "202:MessageId 404"},
    {"GET", "/v1/tokens", "", NULL, "200:TokenList"},
    {"POST", "/v1/tokens", "", "NewToken", "201:Token 400 409", true},
    {"DELETE", "/v1/tokens/{name}", "", NULL, "200:Count 404"},
    {"GET", "/v1/backfills", LIST " dag state#backfill", NULL, "200:BackfillList 400"},
    {"POST", "/v1/backfills", "", "NewBackfill", "200:BackfillPlan 201:Backfill 400 404 409", true},
    {"GET", "/v1/backfills/{backfill}", "", NULL, "200:Backfill 404"},
    {"POST", "/v1/backfills/{backfill}/pause", "", "Empty", "200:Backfill 404 409"},
    {"POST", "/v1/backfills/{backfill}/resume", "", "Empty", "200:Backfill 404 409"},
    {"POST", "/v1/backfills/{backfill}/cancel", "", "Empty", "200:Backfill 404 409"},
    {"GET", "/v1/cursors", "limit after#cursor dag", NULL, "200:CursorList 400"},
    {"GET", "/v1/cursors/{dag}/{step}", "", NULL, "200:Cursor 404"},
    {"POST", "/v1/cursors/{dag}/{step}", "", "SetCursor", "200:Cursor 400 404 409", true},
    {"GET", "/v1/cursors/{dag}/{step}/{item}", "", NULL, "200:Cursor 404"},
    {"POST", "/v1/cursors/{dag}/{step}/{item}", "", "SetCursor", "200:Cursor 400 404 409", true},
    {"GET", "/v1/audit", LIST " since", NULL, "200:AuditList 400"},
    {"GET", "/v1/stream", "dag run", NULL, "200:text/event-stream 404"},
    {"GET", "/v1/doctor", "", NULL, "200:Doctor"},
    {"GET", "/v1/backup", "", NULL, "200:application/octet-stream 409 503"},
    {"POST", "/v1/shutdown", "", "Shutdown", "200:Ok 400"},
};

static const struct {
	const char *name, *schema, *doc;
} QUERIES[] = {
    {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}",
	"At most so many"},
    {"after", "{\"type\":\"string\",\"pattern\":\"^[0-9]{0,18}$\"}", "next of the page before"},
    {"dag", "{\"type\":\"string\",\"pattern\":\"^([a-z0-9][a-z0-9_-]{0,62})?$\"}",
	"Of this DAG only"},
    {"state#run", "{\"enum\":[\"queued\",\"running\",\"succeeded\",\"failed\",\"cancelled\"]}",
	"In this state only"},
    {"state#dag", "{\"enum\":[\"live\",\"broken\",\"gone\",\"paused\"]}",
	"In this state only; without it all but gone"},
    {"after#cursor", "{\"type\":\"string\",\"pattern\":\"^(-[0-9a-f]{32})?$\"}",
	"next of the page before"},
    {"state#backfill", "{\"enum\":[\"running\",\"paused\",\"succeeded\",\"failed\",\"cancelled\"]}",
	"In this state only"},
    {"state#event", "{\"enum\":[\"started\",\"waiting\",\"duplicate\",\"unmatched\",\"rejected\"]}",
	"With this verdict only"},
    {"count", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":10}",
	"At most so many"},
    {"from", PLAIN_TIME, "Later than this; without offset in the DAG's zone"},
    {"to", PLAIN_TIME, "Not later than this"},
    {"since",
	"{\"type\":\"string\",\"pattern\":\"^([0-9]{1,5}[smhd]|20[0-9]{2}-(0[1-9]|1[0-2])-"
	"(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)$\"}",
	"Since a time (RFC 3339), or so long ago (90s 15m 2h 3d)"},
    {"unmatched", "{\"type\":\"boolean\"}", "Only events that started nothing"},
    {"wait", "{\"type\":\"integer\",\"minimum\":0,\"maximum\":300}",
	"Seconds: holds the reply until the run has ended"},
    {"attempt", "{\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295}",
	"Number of the attempt; 0: the newest"},
    {"follow", "{\"type\":\"boolean\"}", "Goes on until the step has ended"},
    {"subject", "{\"type\":\"string\",\"minLength\":1}", "A run, a DAG, event:N or dataset:NAME"},
    {"step", "{\"type\":\"string\"}", "A step of the run"},
    {"run", "{\"type\":\"string\"}", "Of this run only"},
};

#define N(table) (sizeof(table) / sizeof((table)[0]))

/* The next word of *p, or false. */
static bool word(const char **p, char *out, size_t size)
{
	size_t n;

	*p += strspn(*p, " ");
	n = strcspn(*p, " ");
	if (n == 0 || n >= size)
		return false;
	memcpy(out, *p, n);
	out[n] = '\0';
	*p += n;
	return true;
}

static void ref(struct jw *w, const char *name)
{
	char text[96];

	snprintf(text, sizeof(text), "#/components/schemas/%s", name);
	jw_object(w);
	jw_kstr(w, "$ref", text);
	jw_end_object(w);
}

static void content(struct jw *w, const char *media, const char *schema)
{
	jw_key(w, "content");
	jw_object(w);
	jw_key(w, media);
	jw_object(w);
	jw_key(w, "schema");
	if (schema != NULL)
		ref(w, schema);
	else
		jw_raw(w, "{\"type\":\"string\"}");
	jw_end_object(w);
	jw_end_object(w);
}

static void path_parameters(struct jw *w, const char *pattern)
{
	char name[64];

	while ((pattern = strchr(pattern, '{')) != NULL) {
		size_t n = strcspn(++pattern, "}");
		snprintf(name, sizeof(name), "%.*s", (int)n, pattern);
		jw_object(w);
		jw_kstr(w, "name", name);
		jw_kstr(w, "in", "path");
		jw_kbool(w, "required", true);
		jw_key(w, "schema");
		jw_raw(w, strcmp(name, "dataset") != 0
			      ? "{\"type\":\"string\",\"minLength\":1}"
			      : "{\"type\":\"string\",\"pattern\":\"^[a-z0-9][a-z0-9_-]{0,62}/"
				"[A-Za-z0-9_.-]{1,180}$\"}");
		jw_end_object(w);
	}
}

static void query_parameters(struct jw *w, const char *names)
{
	char name[64];

	while (word(&names, name, sizeof(name))) {
		size_t n = strlen(name);
		bool required = name[n - 1] == '!';
		if (required)
			name[n - 1] = '\0';
		for (size_t i = 0; i < N(QUERIES); i++) {
			if (strcmp(QUERIES[i].name, name) != 0)
				continue;
			name[strcspn(name, "#")] = '\0';
			jw_object(w);
			jw_kstr(w, "name", name);
			jw_kstr(w, "in", "query");
			jw_kbool(w, "required", required);
			jw_kstr(w, "description", QUERIES[i].doc);
			jw_key(w, "schema");
			jw_raw(w, QUERIES[i].schema);
			jw_end_object(w);
		}
	}
}

static void reply(struct jw *w, const char *status, const char *what)
{
	jw_key(w, status);
	jw_object(w);
	jw_kstr(w, "description", what != NULL ? "As asked" : "Refused; the problem says why");
	if (what == NULL)
		content(w, "application/problem+json", "Problem");
	else if (strchr(what, '/') != NULL)
		content(w, what, NULL);
	else
		content(w, "application/json", what);
	jw_end_object(w);
}

static void replies(struct jw *w, const char *list)
{
	char one[64], *colon;

	jw_key(w, "responses");
	jw_object(w);
	while (word(&list, one, sizeof(one))) {
		colon = strchr(one, ':');
		if (colon != NULL)
			*colon = '\0';
		reply(w, one, colon != NULL ? colon + 1 : NULL);
	}
	reply(w, "4XX", NULL);
	reply(w, "5XX", NULL);
	jw_end_object(w);
}

/* "post /v1/dags/{dag}/runs" -> "post_v1_dags_dag_runs" */
static void operation_id(struct jw *w, const char *method, const char *pattern)
{
	char id[128];
	size_t n = 0;

	for (const char *p = method; *p != '\0'; p++)
		id[n++] = (char)(*p - 'A' + 'a');
	for (const char *p = pattern; *p != '\0' && n < sizeof(id) - 1; p++) {
		if (*p == '/' || *p == '.')
			id[n++] = '_';
		else if (*p != '{' && *p != '}')
			id[n++] = *p;
	}
	id[n] = '\0';
	jw_kstr(w, "operationId", id);
}

static void operation(struct jw *w, const struct describe *d, const char *summary, bool is_open)
{
	char method[16];
	size_t i;

	for (i = 0; d->method[i] != '\0'; i++)
		method[i] = (char)(d->method[i] - 'A' + 'a');
	method[i] = '\0';
	jw_key(w, method);
	jw_object(w);
	operation_id(w, d->method, d->pattern);
	jw_kstr(w, "summary", summary);
	jw_key(w, "security");
	jw_raw(w, is_open ? "[]" : "[{\"token\":[]}]");
	jw_key(w, "parameters");
	jw_array(w);
	path_parameters(w, d->pattern);
	query_parameters(w, d->query);
	jw_end_array(w);
	if (d->body != NULL) {
		jw_key(w, "requestBody");
		jw_object(w);
		jw_kbool(w, "required", d->needs_body);
		content(w, "application/json", d->body);
		jw_end_object(w);
	}
	replies(w, d->replies);
	jw_end_object(w);
}

const char *openapi_missing(void)
{
	for (size_t i = 0; i < http_routes_n; i++) {
		size_t k;

		if (http_routes[i].handle == refuse_later)
			continue;
		for (k = 0; k < N(DESCRIBE); k++) {
			if (strcmp(DESCRIBE[k].pattern, http_routes[i].pattern) == 0 &&
			    strcmp(DESCRIBE[k].method, vet_method_name(http_routes[i].method)) == 0)
				break;
		}
		if (k == N(DESCRIBE))
			return http_routes[i].pattern;
	}
	return NULL;
}

static const struct route *route_of(const struct describe *d)
{
	for (size_t i = 0; i < http_routes_n; i++) {
		if (strcmp(d->pattern, http_routes[i].pattern) == 0 &&
		    strcmp(d->method, vet_method_name(http_routes[i].method)) == 0)
			return &http_routes[i];
	}
	return NULL;
}

static void hook_path(struct jw *w)
{
	static const struct describe hook = {"POST", "/hooks/{hook}", "", "Body",
	    "202:Started 200:Started 400 401 404 411 413 415 503"};

	jw_key(w, hook.pattern);
	jw_object(w);
	operation(w, &hook, "An event from outside, signed as the hook's scheme says", true);
	jw_end_object(w);
}

static void paths(struct jw *w)
{
	const char *last = "";

	/* Operations of one path follow each other. */
	for (size_t i = 0; i < N(DESCRIBE); i++) {
		const struct describe *d = &DESCRIBE[i];
		size_t first = 0;

		while (strcmp(DESCRIBE[first].pattern, d->pattern) != 0)
			first++;
		if (first != i)
			continue;
		last = d->pattern;
		jw_key(w, last);
		jw_object(w);
		for (size_t k = i; k < N(DESCRIBE); k++) {
			const struct route *r = route_of(&DESCRIBE[k]);
			if (r != NULL && strcmp(DESCRIBE[k].pattern, last) == 0)
				operation(
				    w, &DESCRIBE[k], r->summary, (r->flags & ROUTE_OPEN) != 0);
		}
		jw_end_object(w);
	}
	hook_path(w);
}

void openapi_write(struct jw *w)
{
	jw_object(w);
	jw_kstr(w, "openapi", "3.1.0");
	jw_key(w, "info");
	jw_object(w);
	jw_kstr(w, "title", "Sluice");
	jw_kstr(w, "version", PACKAGE_VERSION);
	jw_kstr(w, "description", "See sluice-api(7). A / inside a name is written %2F.");
	jw_end_object(w);
	jw_key(w, "servers");
	jw_raw(w, "[{\"url\":\"/\"}]");
	jw_key(w, "paths");
	jw_object(w);
	paths(w);
	jw_end_object(w);
	jw_key(w, "components");
	jw_object(w);
	jw_key(w, "securitySchemes");
	jw_raw(w, "{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}}");
	jw_key(w, "schemas");
	jw_raw(w, OPENAPI_PARTS);
	jw_end_object(w);
	jw_end_object(w);
}

void get_openapi(struct http_req *q)
{
	openapi_write(reply_begin(q->h));
	reply_json(q->conn, 200);
}
