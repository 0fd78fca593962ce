/* period.h: windows and dated partitions: hours, days, weeks, months of a zone, on columns that
 * hold instants, zone-less times or dates. */
#ifndef SLUICE_KIT_PERIOD_H
#define SLUICE_KIT_PERIOD_H
#include "sluice/kit/batch.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct slu_zone slu_zone; /* lives for ever */
#define SLU_PERIOD_MAX 64	  /* bytes of "day=2026-11-21" with terminator */

/* Times are microseconds since 1970, of UTC unless they are called local. A period begins at
 * from_us and ends before to_us. What is not known or does not fit is SLU_E_CONFIG. */

/* An IANA zone; name NULL or "": UTC. */
slu_rc slu_zone_find(const char *name, const slu_zone **out, slu_err *err) SLU_CHECK;
int64_t slu_zone_to_local(const slu_zone *zone, int64_t us);
int64_t slu_zone_from_local(
    const slu_zone *zone, int64_t local_us); /* twice: the first; skipped: right after */

/* The period that holds us: its key ("day=2026-11-21") and its bounds. unit: hour day week month.
 */
slu_rc slu_period_of(const char *unit, const slu_zone *zone, int64_t us, char *key,
    int64_t *from_us, int64_t *to_us, slu_err *err) SLU_CHECK;
/* Back from the key. */
slu_rc slu_period_read(const char *key, const slu_zone *zone, int64_t *from_us, int64_t *to_us,
    slu_err *err) SLU_CHECK;

/* Instants from..to in the column's own values: microseconds, local microseconds or days. Other
 * types are refused. */
slu_rc slu_span_of(const slu_field *f, const slu_zone *zone, int64_t from_us, int64_t to_us,
    int64_t *from, int64_t *to, slu_err *err) SLU_CHECK;
/* A value of the column as an instant. */
int64_t slu_value_instant(const slu_field *f, const slu_zone *zone, int64_t value);

/* ---- the run's window as a filter of rows ---- */
typedef struct slu_window {
	int col;	  /* -1: none */
	int64_t from, to; /* in the column's values */
	int64_t to_us;
	int64_t outside; /* rows that were left out */
} slu_window;
/* The core's key `window: {column, unit, zone}` against the run's window. */
slu_rc slu_window_read(const slu_host *host, slu_run *run, const slu_fields *fields, slu_window *w,
    slu_err *err) SLU_CHECK;
/* From now on slu_row_end leaves out (and counts) rows outside; w stays the caller's. */
void slu_builder_window(slu_builder *b, slu_window *w);
/* What was looked at: up to the end of the window. */
void slu_window_mark(const slu_window *w, slu_mark *m);

#ifdef __cplusplus
}
#endif
#endif
