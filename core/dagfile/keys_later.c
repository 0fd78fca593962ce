/* keys_later.c: what the language has and this version does not do yet. A key leaves this list with
 * its engine. */
#include "core/dagfile/keys.h"

#include <string.h>

const struct key_later KEYS_LATER[] = {
    /* events */
    {"triggers.*.source", NULL, "use a webhook that the other system calls"},
    {"triggers.*.absence", NULL, "leave it out"},
    {"triggers.*.settle", NULL, "leave it out: each update starts a run"},
    {"triggers.*.on_update", NULL, "leave it out"},
    {"triggers.*.expire", NULL, "leave it out: an open join waits until it is complete"},
    {"triggers.*.datasets.all[].map", NULL, "join data sets whose partitions have the same unit"},
    {"triggers.*.datasets.all[].use", NULL, "leave it out: every member must be published"},
    {"triggers.*.datasets.all[].max_age", NULL, "leave it out"},
    {"triggers.*.datasets.of[].map", NULL, "leave it out"},
    {"triggers.*.datasets.of[].use", NULL, "leave it out"},
    {"triggers.*.datasets.of[].max_age", NULL, "leave it out"},
    {"triggers.*.datasets.any[].map", NULL, "leave it out"},
    {"triggers.*.datasets.any[].use", NULL, "leave it out"},
    {"triggers.*.datasets.any[].max_age", NULL, "leave it out"},
    {"triggers.*.from", "!now", "leave it out: a new trigger begins now"},
    {"triggers.*.while_paused", "keep",
	"leave it out: while a DAG is paused its events start nothing"},
    {"triggers.*.partitions", "batch", "leave it out: each partition starts its own run"},
    {"datasets.*.freshness", NULL, "leave it out"},
    /* runs */
    {"steps.*.foreach.in.discover", NULL, "write the list into the file"},
    {"steps.*.renamed_from", NULL, "leave it out: the step begins with a state of its own"},
    /* data */
    {"steps.*.model", NULL, "use a task that runs the SQL"},
    {"steps.*.extract.deletes", "!none", "leave it out: hard deletes are not seen"},
    {"steps.*.extract.expand", NULL, "leave it out"},
    {"steps.*.load.schema", "!freeze", "leave it out"},
    {"steps.*.load.guard", NULL, "leave it out"},
    {"steps.*.load.checks", NULL, "check in a task that follows"},
    {"steps.*.load.checkpoint", NULL, "leave it out: the load publishes once, at its end"},
    /* sluice.yaml */
    {"sources", NULL, "use a webhook that the other system calls"},
    {"http.tls", NULL, "listen on 127.0.0.1 and put a proxy with TLS in front"},
    {"hooks.*.touch", NULL, "leave it out; let a DAG with a webhook trigger publish the data set"},
    {"hooks.*.auth", NULL, "use standard-webhooks, hmac or bearer"},
    {"hooks.*.scheme", "github", "use standard-webhooks, hmac, bearer or none"},
    {"hooks.*.scheme", "cloudevents", "use standard-webhooks, hmac, bearer or none"},
    {"hooks.*.scheme", "pubsub", "use standard-webhooks, hmac, bearer or none"},
    {"hooks.*.scheme", "s3", "use standard-webhooks, hmac, bearer or none"},
    {"hooks.*.scheme", "gcs", "use standard-webhooks, hmac, bearer or none"},
    {NULL, NULL, NULL},
};

const struct key_later *keys_later(const char *pattern, const char *value)
{
	const struct key_later *l;

	for (l = KEYS_LATER; l->pattern != NULL; l++) {
		if (strcmp(l->pattern, pattern) != 0)
			continue;
		if (l->value == NULL || (l->value[0] == '!' ? strcmp(l->value + 1, value) != 0
							    : strcmp(l->value, value) == 0))
			return l;
	}
	return NULL;
}
