/* worker_probe_arrow.h: rows of the probe: id (int64, the key) and name (utf8, every third null).
 */
#ifndef TESTS_UNIT_WORKER_PROBE_ARROW_H
#define TESTS_UNIT_WORKER_PROBE_ARROW_H

#include <sluice/arrow.h>

#include <stdint.h>

void make_schema(struct ArrowSchema *s, const char *second); /* second: name of the second column */
void make_batch(struct ArrowArray *out, int64_t first, int64_t n);

#endif
