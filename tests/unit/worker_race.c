/* worker_race.c: pipelines, their cancels and failures, without Criterion: ThreadSanitizer cannot
 * run under it. The exit code is the verdict; with --enable-sanitizers=thread a race aborts. */
#include "tests/unit/worker_rig.h"

#include <stdio.h>
#include <string.h>

static int failures;

static void run(const char *what, const char *step, const char *want, int cancel_after_ms)
{
	struct rig r;

	rig_init(&r, step);
	r.cancel_after_ms = cancel_after_ms;
	rig_run(&r);
	if (strcmp(rig_class(&r), want) != 0) {
		fprintf(stderr, "%s: %s instead of %s: %s\n", what, rig_class(&r), want,
		    rig_message(&r));
		failures++;
	}
	rig_done(&r);
}

int main(void)
{
	static const char quota[] =
	    "{" PROBE_EXTRACT ",'options':{'rows':9000,'batch':8,'fault':'quota','fault_at':4000}},"
	    "'transform':[{'plugin':'probe','options':{}}]," PROBE_LOAD "}}";
	int i;

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
