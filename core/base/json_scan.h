/* json_scan.h: the strict check of a JSON text before cJSON sees it. Used by json.c alone. */
#ifndef CORE_BASE_JSON_SCAN_H
#define CORE_BASE_JSON_SCAN_H

#include "core/base/err.h"

#include <stddef.h>

/* RFC 8259 to the letter, with the limits of json_parse; text need not be terminated. */
int json_scan(const char *text, size_t n, struct err *err) CHECK_RESULT;

#endif
