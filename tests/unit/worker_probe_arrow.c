/* worker_probe_arrow.c: the probe's schema and batches, built by hand. */
#include "tests/unit/worker_probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Arrow by hand: columns id (int64) and name (utf8, every third null) ---- */

static void schema_release(struct ArrowSchema *s)
{
	int64_t i;

	for (i = 0; i < s->n_children; i++) {
		if (s->children[i]->release != NULL)
			s->children[i]->release(s->children[i]);
		free(s->children[i]);
	}
	free(s->children);
	s->release = NULL;
}

static const char key_metadata[] = {1, 0, 0, 0, 11, 0, 0, 0, 's', 'l', 'u', 'i', 'c', 'e', '.', 'r',
    'o', 'l', 'e', 3, 0, 0, 0, 'k', 'e', 'y'};

static void make_field(struct ArrowSchema *s, const char *format, const char *name)
{
	memset(s, 0, sizeof(*s));
	s->format = format;
	s->name = name;
	s->flags = ARROW_FLAG_NULLABLE;
	s->release = schema_release;
}

void make_schema(struct ArrowSchema *s, const char *second)
{
	make_field(s, "+s", "");
	s->n_children = 2;
	s->children = calloc(2, sizeof(*s->children));
	s->children[0] = calloc(1, sizeof(**s->children));
	s->children[1] = calloc(1, sizeof(**s->children));
	make_field(s->children[0], "l", "id");
	s->children[0]->metadata = key_metadata;
	make_field(s->children[1], "u", second);
}

static void array_release(struct ArrowArray *a)
{
	int64_t i;

	for (i = 0; i < a->n_buffers; i++)
		free((void *)(uintptr_t)a->buffers[i]);
	free(a->buffers);
	/* Not n_children: a fault may have changed it. */
	for (i = 0; a->children != NULL && i < 2; i++) {
		if (a->children[i]->release != NULL)
			a->children[i]->release(a->children[i]);
		free(a->children[i]);
	}
	free(a->children);
	a->release = NULL;
}

static struct ArrowArray *make_array(int64_t length, int64_t n_buffers)
{
	struct ArrowArray *a = calloc(1, sizeof(*a));

	a->length = length;
	a->n_buffers = n_buffers;
	a->buffers = calloc((size_t)n_buffers, sizeof(*a->buffers));
	a->release = array_release;
	return a;
}

void make_batch(struct ArrowArray *out, int64_t first, int64_t n)
{
	struct ArrowArray *top = make_array(n, 1), *id = make_array(n, 2), *name = make_array(n, 3);
	int64_t *ids = calloc((size_t)n + 1, sizeof(*ids));
	int32_t *offsets = calloc((size_t)n + 1, sizeof(*offsets));
	uint8_t *valid = calloc((size_t)n / 8 + 1, 1);
	char *bytes = calloc((size_t)n + 1, 32);
	int64_t i;

	for (i = 0; i < n; i++) {
		ids[i] = first + i;
		offsets[i + 1] = offsets[i];
		if ((first + i) % 3 == 0) {
			name->null_count++;
			continue;
		}
		valid[i / 8] = (uint8_t)(valid[i / 8] | 1 << (i % 8));
		offsets[i + 1] += snprintf(bytes + offsets[i], 32, "name %" PRId64, first + i);
	}
	id->buffers[1] = ids;
	name->buffers[0] = valid;
	name->buffers[1] = offsets;
	name->buffers[2] = bytes;
	top->n_children = 2;
	top->children = calloc(2, sizeof(*top->children));
	top->children[0] = id;
	top->children[1] = name;
	*out = *top;
	free(top);
}
