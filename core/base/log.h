/* log.h: key=value lines on standard error, values escaped so that no input can forge a line. The layer that decides logs
 * once; libraries return errors instead. Format: ts=… level=… at=<folder> msg="…" key=value … */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

extern enum log_level log_threshold; /* default LOG_INFO; set at start only */

void log_init(const char *program, enum log_level threshold);
/* fields: printf text of already safe key=value pairs, or NULL. Use log_value for foreign text. */
void log_line(enum log_level level, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Drops descriptors and buffers; for tests: sends lines to fd instead of 2. */
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
