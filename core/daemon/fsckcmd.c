/* fsckcmd.c: `sluiced --fsck`: proves the store of a state folder while no daemon holds it. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include <stdio.h>
#include <string.h>

static void print_json(const struct fsck_report *r)
{
	const char *at = str_peek(&r->text), *end;
	struct str text;
	struct jw w;

	str_init(&text, 4u << 20);
	jw_init(&w, &text);
	jw_object(&w);
	jw_kbool(&w, "ok", r->problems == 0);
	jw_ki64(&w, "records", (int64_t)r->records);
	jw_ki64(&w, "indexes", (int64_t)r->indexes);
	jw_key(&w, "problems");
	jw_array(&w);
	for (; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, '\n');
		jw_strn(&w, at, (size_t)(end - at));
	}
	jw_end_array(&w);
	jw_end_object(&w);
	puts(str_peek(&text));
	str_done(&text);
}

static void print_text(const struct fsck_report *r)
{
	fputs(str_peek(&r->text), stdout);
	printf("%llu records and %llu index entries: %llu problems\n",
	    (unsigned long long)r->records, (unsigned long long)r->indexes,
	    (unsigned long long)r->problems);
}

int fsck_main(const struct conf *conf, const char *output)
{
	struct store_options o = {.dir = conf->state_dir, .read_only_check = true};
	struct fsck_report report;
	struct store_read *read = NULL;
	struct store *store = NULL;
	const struct view *v;
	struct err err = {0};
	int rc = store_open(&o, &store, &err);

	memset(&report, 0, sizeof(report));
	if (rc == 0)
		rc = store_read_new(store, &read, &err);
	if (rc == 0) {
		v = store_read_begin(read);
		rc = v ? fsck_run(v, &report, &err)
		       : err_set(&err, ERR_IO, "the store cannot be read");
	}
	if (rc == 0 && output && strstr(output, "json"))
		print_json(&report);
	else if (rc == 0)
		print_text(&report);
	else
		fprintf(stderr, "sluiced: %s\n", err.text);
	store_read_free(read);
	store_close(store);
	if (rc == 0)
		rc = report.problems ? EXIT_CODE_FAILED : EXIT_CODE_OK;
	else
		rc = rc == ERR_CORRUPT ? EXIT_CODE_FAILED : exit_code_of(rc);
	fsck_done(&report);
	return rc;
}
