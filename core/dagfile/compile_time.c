/* compile_time.c: time triggers: cron, at, every; windows, catchup, jitter; the next instants for
 * the report. */
#include "core/dagfile/compile_int.h"

#include "core/time/cron.h"
#include "core/time/tz.h"

#include <string.h>

static void add_next(struct compile_result *r, wall_us at)
{
	size_t i = r->n_next;

	while (i > 0 && r->next[i - 1] > at)
		i--;
	if ((i > 0 && r->next[i - 1] == at) || i == COMPILE_NEXT)
		return;
	if (r->n_next < COMPILE_NEXT)
		r->n_next++;
	memmove(&r->next[i + 1], &r->next[i], (r->n_next - i - 1) * sizeof(r->next[0]));
	r->next[i] = at;
}

/* ---- cron ---- */

static void find_next(
    struct unit *u, const char *zone_name, const char *text, const char *gap, const char *overlap)
{
	const struct tz *zone;
	enum cron_gap g;
	enum cron_overlap o;
	wall_us at = u->in->now;
	struct cron cron;
	int i;

	if (at == TIME_NONE || cron_parse(text, &cron, NULL) != 0 ||
	    tz_load(zone_name, &zone, NULL) != 0 || cron_gap_parse(gap, &g) != 0 ||
	    cron_overlap_parse(overlap, &o) != 0)
		return;
	for (i = 0; i < COMPILE_NEXT && cron_next(&cron, zone, at, g, o, &at) == 0; i++)
		add_next(u->out, at);
}

static void write_cron(struct unit *u, const struct yaml_node *n, const char *zone, struct jw *w)
{
	const struct yaml_node *dst = yaml_get(n, "dst");
	const char *cron = node_text(n, "cron", NULL);
	const char *gap = node_text(dst, "gap", "run_after"),
		   *overlap = node_text(dst, "overlap", "first");

	jw_kstr(w, "cron", cron);
	jw_kstr(w, "gap", gap);
	jw_kstr(w, "overlap", overlap);
	if (cron != NULL)
		find_next(u, zone, cron, gap, overlap);
}

/* ---- at, every ---- */

/* A time of the file, where it stands without offset in the zone. TIME_NONE where it was reported.
 */
static wall_us read_instant(struct unit *u, const struct yaml_node *n, const char *zone_name)
{
	const struct tz *zone;
	enum tz_fit fit;
	wall_us at;

	if (n->bad || n->kind != YAML_TEXT || tz_load(zone_name, &zone, NULL) != 0 ||
	    tz_time_parse(zone, n->text, &at, &fit) != 0)
		return TIME_NONE;
	if (fit == TZ_GAP) {
		diag_error(u->d, n, "bad-time", "choose another time, or write it with an offset",
		    "%s does not exist in %s: the clocks skip it", n->text, zone_name);
		return TIME_NONE;
	}
	if (fit == TZ_TWICE)
		diag_warn(u->d, n, "ambiguous-time",
		    "write it with an offset, such as 2026-11-01T01:30:00-07:00",
		    "%s occurs twice in %s: the first is taken", n->text, zone_name);
	return at;
}

static void write_at(struct unit *u, const struct yaml_node *n, const char *zone, struct jw *w)
{
	wall_us at = read_instant(u, n, zone);
	char text[CLOCK_TEXT_MAX];

	jw_kstr(w, "at", clock_format_us(at, text));
	if (at == TIME_NONE || u->in->now == TIME_NONE)
		return;
	if (at > u->in->now)
		add_next(u->out, at);
	else
		diag_warn(u->d, n, "past-time",
		    "name a later time, or start it by hand: sluice trigger DAG --at TIME",
		    "%s has passed: a DAG that is new, or to which this trigger is new, is not "
		    "started by it",
		    n->text);
}

static void write_every(struct unit *u, const struct yaml_node *n, const char *zone, struct jw *w)
{
	const struct yaml_node *each = yaml_get(n, "each"), *anchor = yaml_get(n, "from");
	int64_t each_ms = node_ms(n, "each", 0);
	wall_us from = 0, now = u->in->now, at;
	char text[CLOCK_TEXT_MAX];
	int i;

	if (each != NULL && !each->bad && each_ms < 1000)
		diag_error(u->d, each, "out-of-range", "write 1s or more",
		    "%s is too short for a distance between runs", each->text);
	if (anchor != NULL)
		from = read_instant(u, anchor, zone);
	jw_ki64(w, "each_ms", each_ms);
	if (anchor != NULL)
		jw_kstr(w, "from", clock_format_us(from, text));
	if (each_ms < 1000 || from == TIME_NONE || now == TIME_NONE)
		return;
	each_ms *= US_PER_MS;
	at = from > now ? from : from + ((now - from) / each_ms + 1) * each_ms;
	for (i = 0; i < COMPILE_NEXT; i++)
		add_next(u->out, at + i * each_ms);
}

/* ---- what goes with each of them ---- */

static void write_covers(const struct yaml_node *covers, struct jw *w)
{
	if (covers == NULL)
		return;
	jw_key(w, "covers");
	jw_object(w);
	jw_kstr(w, "unit", node_text(covers, "unit", "day"));
	jw_ki64(w, "offset", node_int(covers, "offset", 0));
	jw_end_object(w);
}

static void write_catchup(struct unit *u, const struct yaml_node *catchup, struct jw *w)
{
	const char *keep = node_text(catchup, "keep", "none");
	const struct yaml_node *c;

	if (catchup == NULL)
		return;
	for (c = catchup->kind == YAML_MAP ? catchup->first : NULL; c != NULL; c = c->next) {
		if (c->bad || strcmp(c->key, "keep") == 0 || strcmp(keep, "none") != 0)
			continue;
		diag_error_key(u->d, c, "conflicting-keys",
		    "add keep: latest or keep: all, or leave catchup out",
		    "with keep: none nothing is made up for, so \"%s\" means nothing", c->key);
	}
	jw_key(w, "catchup");
	jw_object(w);
	jw_kstr(w, "keep", keep);
	jw_ki64(w, "within_ms", node_ms(catchup, "within", -1));
	jw_ki64(w, "at_once", node_int(catchup, "at_once", 1));
	jw_end_object(w);
}

void times_write(struct unit *u, const struct yaml_node *n, const char *zone, struct jw *w)
{
	const struct yaml_node *at = yaml_get(n, "at"), *every = yaml_get(n, "every");

	if (yaml_get(n, "cron") != NULL)
		write_cron(u, n, zone, w);
	else if (at != NULL)
		write_at(u, at, zone, w);
	else if (every != NULL && every->kind == YAML_MAP)
		write_every(u, every, zone, w);
	if (yaml_get(n, "jitter") != NULL)
		jw_ki64(w, "jitter_ms", node_ms(n, "jitter", 0));
	write_covers(yaml_get(n, "covers"), w);
	write_catchup(u, yaml_get(n, "catchup"), w);
}
