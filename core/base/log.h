/* log.h: key=value lines on standard error, values escaped so that no input can forge a line. The
 * layer that decides logs once; libraries return errors instead. Format:
 * ts=… level=… prog=… pid=… at=<folder> msg="…" */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

extern enum log_level log_threshold; /* default LOG_INFO; set at start only */

void log_init(const char *program, enum log_level threshold);
/* The text becomes the value of msg, quoted and escaped, so foreign text in it is safe and cannot
 * forge a line. Put ids into it as key=value (run=…, attempt=…): a search for one finds its lines.
 */
void log_line(enum log_level level, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* For tests: sends lines to fd instead of 2. */
void log_to_fd(int fd);

#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_threshold <= LOG_DEBUG)                                                    \
			log_line(LOG_DEBUG, LOG_AT, __VA_ARGS__);                                  \
	} while (0)
#define log_info(...) log_line(LOG_INFO, LOG_AT, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, LOG_AT, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, LOG_AT, __VA_ARGS__)
/* A .c file that logs defines LOG_AT ("store", "pool", …) before its includes. */
#ifndef LOG_AT
#define LOG_AT "core"
#endif

#endif
