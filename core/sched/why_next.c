/* why_next.c: why and when a time trigger starts its DAG next, and what it makes up for. */
#include "core/sched/schedule.h"

#include "core/sched/why_part.h"

#include <stdio.h>

static void add_missed(
    struct why *w, const struct plan_trigger *t, const struct sched_rec *s, bool paused)
{
	char from[CLOCK_TEXT_MAX], to[CLOCK_TEXT_MAX];
	size_t open = catchup_open(s), last = 0;
	wall_us at;

	if (open > 0)
		why_add(w, "catchup_open", t->name,
		    "trigger %s makes up for missed times: %zu of its at_once %u runs %s open",
		    t->name, open, t->catchup_at_once, open == 1 ? "is" : "are");
	if (s->missed[0] == 0 || trigger_next(t, (wall_us)s->missed[0], &at, NULL) != 0)
		return;
	while (last + 2 < 2 * SCHED_GAPS_MAX && s->missed[last + 2] != 0)
		last += 2;
	why_add(w, "catchup", t->name,
	    "trigger %s missed times from %s to %s: they start oldest first, %s", t->name,
	    clock_format(at, from), clock_format((wall_us)s->missed[last + 1], to),
	    paused ? "once it is resumed" : "the next one when one of its runs has ended");
}

void why_schedule(
    struct why *w, const struct dag_rec *d, const struct plan_trigger *t, const struct sched_rec *s)
{
	bool paused = dag_is_paused(w->v, d);
	char at[CLOCK_TEXT_MAX], start[CLOCK_TEXT_MAX];
	wall_us next;

	if (paused && trigger_next(t, w->now, &next, NULL) == 0)
		why_add(w, "schedule", t->name,
		    "trigger %s would come next at %s; on resume its missed times are %s", t->name,
		    clock_format(next, at),
		    t->catchup == CATCHUP_NONE	   ? "left out (no catchup)"
		    : t->catchup == CATCHUP_LATEST ? "made up for by the newest (catchup: latest)"
						   : "made up for (catchup: all)");
	else if (!paused && s->next != TIME_NONE && s->start_at > s->next)
		why_add(w, "schedule", t->name, "trigger %s starts it next at %s, for %s (jitter)",
		    t->name, clock_format(s->start_at, start), clock_format(s->next, at));
	else if (!paused && s->next != TIME_NONE)
		why_add(w, "schedule", t->name, "trigger %s starts it next at %s", t->name,
		    clock_format(s->next, at));
	else
		why_add(w, "schedule_over", t->name, "trigger %s has no time left", t->name);
	add_missed(w, t, s, paused);
}
