/* copycmd.c: `sluiced --restore FILE` and `--compact`: the store's file is replaced while no daemon
 * holds it. What happened, and what was lost by it, is said. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int complain(int rc, const struct err *err)
{
	fprintf(stderr, "sluiced: %s\n", err->text);
	return rc == ERR_CORRUPT ? EXIT_CODE_FAILED : exit_code_of(rc);
}

/* Who calls: as the HTTP server names the peers of its socket. */
static const char *actor(char buf[32])
{
	snprintf(buf, 32, "unix:%u", (unsigned)getuid());
	return buf;
}

static void uuid_text(const uint8_t uuid[16], char out[33])
{
	for (int i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", uuid[i]);
}

/* Numbers that the replaced store had given away and the backup had not. */
static uint64_t lost(uint64_t old, uint64_t backup)
{
	return old > backup ? old - backup : 0;
}

static void restored_json(const struct store_restored *r)
{
	char uuid[33];
	struct str text;
	struct jw w;

	uuid_text(r->backup.uuid, uuid);
	str_init(&text, 8192);
	jw_init(&w, &text);
	jw_object(&w);
	jw_kbool(&w, "ok", true);
	jw_ki64(&w, "schema", r->backup.schema);
	jw_kstr(&w, "uuid", uuid);
	jw_ktime(&w, "created_at", r->backup.copied_at);
	jw_ki64(&w, "epoch", r->is.epoch);
	jw_kstr(&w, "kept", r->kept);
	if (r->old_read) {
		jw_ki64(&w, "lost_runs", (int64_t)lost(r->old.next_run, r->backup.next_run));
		jw_ki64(&w, "lost_events", (int64_t)lost(r->old.next_event, r->backup.next_event));
	} else {
		jw_key(&w, "lost_runs");
		jw_null(&w);
		jw_key(&w, "lost_events");
		jw_null(&w);
	}
	jw_end_object(&w);
	puts(str_peek(&text));
	str_done(&text);
}

static void restored_text(const struct store_restored *r)
{
	char uuid[33], at[CLOCK_TEXT_MAX] = "an unknown time";

	uuid_text(r->backup.uuid, uuid);
	if (r->backup.copied_at != TIME_NONE)
		clock_format(r->backup.copied_at, at);
	printf("restored the backup of %s (store %.8s, epoch now %u)\n", at, uuid, r->is.epoch);
	if (r->kept)
		printf("the replaced store is kept: %s\n", r->kept);
	if (r->old_read && memcmp(r->old.uuid, r->backup.uuid, sizeof(r->old.uuid)) != 0)
		puts("it was another store: a pool that still runs its attempts must end first "
		     "(sluice shutdown --cancel)");
	else if (r->old_read)
		printf("not in the backup: %llu events and %llu runs that came after it; repeats "
		       "of those events are taken as new\n",
		    (unsigned long long)lost(r->old.next_event, r->backup.next_event),
		    (unsigned long long)lost(r->old.next_run, r->backup.next_run));
	else
		puts("what came after the backup is not known: the numbers of events and runs go "
		     "on a million further");
	puts("everything is paused; start the daemon, look, then: sluice resume --all");
}

int restore_main(const struct conf *conf, const char *file, const char *output)
{
	struct store_restored r;
	struct err err = {0};
	char who[32];
	int rc = store_restore(conf->state_dir, file, clock_wall(), actor(who), &r, &err);

	if (rc == 0 && output && strstr(output, "json"))
		restored_json(&r);
	else if (rc == 0)
		restored_text(&r);
	store_restored_done(&r);
	return rc == 0 ? EXIT_CODE_OK : complain(rc, &err);
}

int compact_main(const struct conf *conf, const char *output)
{
	uint64_t before, after;
	struct err err = {0};
	char who[32];
	int rc = store_compact(conf->state_dir, clock_wall(), actor(who), &before, &after, &err);

	if (rc != 0)
		return complain(rc, &err);
	if (output && strstr(output, "json"))
		printf("{\"ok\":true,\"before_bytes\":%llu,\"after_bytes\":%llu}\n",
		    (unsigned long long)before, (unsigned long long)after);
	else
		printf("%.1f MiB before, %.1f MiB after\n", (double)before / (1 << 20),
		    (double)after / (1 << 20));
	return EXIT_CODE_OK;
}
