/* metrics.h: writing metrics, for this folder and the daemon (http_env.metrics). Prometheus text
 * 0.0.4, or OpenMetrics 1.0. */
#ifndef CORE_HTTP_METRICS_H
#define CORE_HTTP_METRICS_H

#include "core/base/str.h"

#include <stdbool.h>

struct metrics {
	struct str *out; /* borrowed */
	bool open;	 /* OpenMetrics */
	const char *name;
	bool counter;
};

/* Begins a family: all its values follow before the next. name has its unit as suffix and no
 * "_total". */
void metrics_counter(struct metrics *m, const char *name, const char *help);
void metrics_gauge(struct metrics *m, const char *name, const char *help);
/* label NULL: none. */
void metrics_value(struct metrics *m, const char *label, const char *label_value, double value);

#endif
