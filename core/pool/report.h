/* report.h: reports that the pool itself makes or changes. */
#ifndef CORE_POOL_REPORT_H
#define CORE_POOL_REPORT_H

#include "core/base/str.h"
#include "core/pool/mask.h"

/* A report of core/README.md §6 with nothing but class, code and message. */
void report_make(struct str *out, const char *class_, const char *code, const char *message);
/* The report without secrets; where masking would break the JSON, one that says so. out is empty
 * before. */
void report_mask(const struct mask *m, const char *report, size_t n, struct str *out);

#endif
