/* worker_race.c: pipelines, their cancels and failures, without Criterion: ThreadSanitizer cannot
 * run under it. The exit code is the verdict; with --enable-sanitizers=thread a race aborts. */
#include "tests/unit/worker_rig.h"

#include <stdio.h>
#include <string.h>

#define RUNS 25

static int failures, n;

/* One line of TAP a run. */
static void run(const char *what, const char *step, const char *want, int cancel_after_ms)
{
	struct rig r;
	bool ok;

	rig_init(&r, step);
	r.cancel_after_ms = cancel_after_ms;
	rig_run(&r);
	ok = strcmp(rig_class(&r), want) == 0;
	printf("%s %d - %s: %s\n", ok ? "ok" : "not ok", ++n, what, rig_class(&r));
	failures += !ok;
	rig_done(&r);
}

int main(void)
{
	static const char quota[] =
	    "{" PROBE_EXTRACT ",'options':{'rows':9000,'batch':8,'fault':'quota','fault_at':4000}},"
	    "'transform':[{'plugin':'probe','options':{}}]," PROBE_LOAD "}}";
	int i;

	printf("1..%d\n", RUNS);
	for (i = 0; i < 5; i++) {
		run("moves",
		    "{" PROBE_EXTRACT ",'options':{'rows':20000,'batch':16}},'transform':[{'plugin'"
		    ":'probe','options':{}}]," PROBE_LOAD "}}",
		    "ok", -1);
		run("fails", quota, "quota", -1);
		run("load fails",
		    "{" PROBE_EXTRACT ",'options':{'rows':9000,'batch':8}}," PROBE_LOAD
		    ",'options':{'fault':'write'}}}",
		    "transient", -1);
		run("is cancelled",
		    "{" PROBE_EXTRACT
		    ",'options':{'rows':900000,'batch':8,'delay':'1ms'}}," PROBE_LOAD "}}",
		    "cancelled", 5 * i);
		run("is cancelled in a read",
		    "{" PROBE_EXTRACT ",'options':{'fault':'block'}}," PROBE_LOAD "}}", "cancelled",
		    10);
	}
	return failures != 0;
}
