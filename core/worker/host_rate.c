/* host_rate.c: the limit `rate: 100/s` of a connection, as a token bucket that holds one second's
 * worth. The bucket is the worker's own; a connection used by several workers at once gets the rate
 * in each of them. */
#include "core/worker/host.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct bucket {
	char *connection; /* owned; kept as long as the process, like the connections themselves */
	double tokens;
	mono_us at;
	struct bucket *next;
};

static struct bucket *buckets;
static pthread_mutex_t buckets_lock = PTHREAD_MUTEX_INITIALIZER;

/* "100/s", "5/m", "1000/h", a bare number is per second -> tokens a second; 0: no limit. */
static double parse_rate(const struct json *node)
{
	const char *text = json_str(node, NULL);
	char *end;
	double v;

	if (text == NULL)
		return json_num(node, 0);
	v = strtod(text, &end);
	if (end == text || v <= 0)
		return 0;
	if (strcmp(end, "/m") == 0)
		return v / 60;
	if (strcmp(end, "/h") == 0)
		return v / 3600;
	return v;
}

static struct bucket *bucket_of(const char *connection, double rate)
{
	struct bucket *b;

	for (b = buckets; b != NULL; b = b->next)
		if (strcmp(b->connection, connection) == 0)
			return b;
	b = MEM_NEW(struct bucket);
	b->connection = mem_strdup(connection);
	b->tokens = rate;
	b->at = clock_mono();
	b->next = buckets;
	buckets = b;
	return b;
}

/* Takes tokens, on credit if need be; gives back how long to wait for them. */
static int64_t take_ms(const char *connection, double rate, double tokens)
{
	struct bucket *b;
	double left;
	mono_us now;

	pthread_mutex_lock(&buckets_lock);
	b = bucket_of(connection, rate);
	now = clock_mono();
	b->tokens += rate * (double)(now - b->at) / (double)US_PER_S;
	b->at = now;
	if (b->tokens > rate)
		b->tokens = rate;
	b->tokens -= tokens;
	left = b->tokens;
	pthread_mutex_unlock(&buckets_lock);
	return left >= 0 ? 0 : (int64_t)(-left / rate * 1000.0) + 1;
}

slu_rc host_rate(slu_run *run, const char *connection, double tokens)
{
	const struct json *c;
	double rate;
	int64_t ms;

	if (connection == NULL || tokens <= 0)
		return SLU_OK;
	c = json_get(run->at->job->connections, connection);
	rate = parse_rate(json_get(c, "rate"));
	if (rate <= 0)
		return SLU_OK;
	ms = take_ms(connection, rate, tokens);
	return ms > 0 ? host_sleep_ms(run, ms) : SLU_OK;
}
