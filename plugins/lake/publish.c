/* publish.c: files into place, then the manifest: the rename of the manifest is the commit. Under
 * the data set's lock. */
#include "plugins/lake/load.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FENCE_KEEP_S (90 * 86400) /* longer than any step runs */

static slu_rc rename_files(struct load *l, slu_err *err)
{
	char from[8192], to[8192];
	const char *done = NULL;
	slu_rc rc = SLU_OK;
	size_t i;

	for (i = 0; i < l->n_files && rc == SLU_OK; i++) {
		struct writer *w = l->files[i];

		(void)snprintf(from, sizeof(from), "%s/%s", l->dir, w->temp);
		(void)snprintf(to, sizeof(to), "%s/%s", l->dir, w->name);
		if (rename(from, to) < 0)
			return slu_fail_errno(err, errno, "LAKE.RENAME", "cannot rename %s", from);
		w->renamed = true;
	}
	for (i = 0; i < l->n_files && rc == SLU_OK; i++) {
		if (done && strcmp(done, l->files[i]->key) == 0)
			continue;
		done = l->files[i]->key;
		(void)snprintf(to, sizeof(to), "%s/%s", l->dir, done);
		rc = slu_fsync_dir(to, err);
	}
	return rc;
}

static int64_t part_rows(const struct lake_part *p)
{
	int64_t rows = 0;
	size_t i;

	for (i = 0; p && i < p->n; i++)
		rows += p->files[i].rows;
	return rows;
}

static void part_note(struct load *l, const char *key, bool changed, int64_t max_us)
{
	struct lake_part *p = manifest_part(&l->m, key, false);

	slu_buf_add(&l->parts, l->parts.len > 1 ? ",{\"partition\":" : "{\"partition\":");
	slu_buf_add_json(&l->parts, key, strlen(key));
	slu_buf_addf(&l->parts, ",\"rows\":%" PRId64 ",\"changed\":%s", part_rows(p),
	    changed ? "true" : "false");
	if (max_us != SLU_TIME_NONE)
		slu_buf_addf(&l->parts, ",\"max_event_us\":\"%" PRId64 "\"", max_us);
	slu_buf_addc(&l->parts, '}');
	l->changed = l->changed || changed;
}

static void part_empty(struct load *l, struct lake_part *p)
{
	while (p->n) {
		l->deleted += p->files[p->n - 1].rows;
		manifest_drop(p, p->n - 1);
	}
}

/* Files of a partition of this load, in the order in which they were written, into the manifest. */
static void part_fill(struct load *l, struct lake_part *p, const char *key)
{
	size_t i;

	for (i = 0; i < l->n_files; i++) {
		struct writer *w = l->files[i];
		struct lake_file f;

		if (strcmp(w->key, key) != 0)
			continue;
		f = (struct lake_file){.name = strdup(w->name),
		    .by = strdup(l->work->fence_key),
		    .sha = strdup(w->sha),
		    .rows = w->rows,
		    .bytes = w->bytes};
		manifest_add(p, &f);
	}
}

static bool part_same(const struct load *l, const struct lake_part *p, const char *key)
{
	size_t i, k = 0;

	for (i = 0; i < l->n_files; i++) {
		if (strcmp(l->files[i]->key, key) != 0)
			continue;
		if (!p || k >= p->n || strcmp(p->files[k].sha, l->files[i]->sha) != 0)
			return false;
		k++;
	}
	return k == (p ? p->n : 0);
}

static int64_t part_max(const struct load *l, const char *key, bool *ret_any)
{
	int64_t max = SLU_TIME_NONE;
	size_t i;

	*ret_any = false;
	for (i = 0; i < l->n_files; i++) {
		if (strcmp(l->files[i]->key, key) != 0)
			continue;
		*ret_any = true;
		if (l->files[i]->max_us > max)
			max = l->files[i]->max_us;
	}
	return max;
}

/* ---- modes ---- */
static bool first_of_key(const struct load *l, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (strcmp(l->files[k]->key, l->files[i]->key) == 0)
			return false;
	return true;
}

/* What this run has written before leaves: a rerun of an append replaces its own rows. */
static void drop_own(struct load *l)
{
	size_t i, k;

	for (i = 0; i < l->m.n; i++) {
		struct lake_part *p = &l->m.parts[i];
		bool any, gone = false;

		for (k = p->n; k-- > 0;) {
			if (strcmp(p->files[k].by, l->work->fence_key) != 0)
				continue;
			l->deleted += p->files[k].rows;
			manifest_drop(p, k);
			gone = true;
		}
		(void)part_max(l, p->key, &any);
		if (gone && !any)
			part_note(l, p->key, true, SLU_TIME_NONE);
	}
}

static slu_rc mode_append(struct load *l, slu_err *err)
{
	bool any;
	size_t i;

	(void)err;
	if (l->work->flags & SLU_WK_RERUN)
		drop_own(l);
	for (i = 0; i < l->n_files; i++) {
		const char *key = l->files[i]->key;

		if (!first_of_key(l, i))
			continue;
		part_fill(l, manifest_part(&l->m, key, true), key);
		part_note(l, key, true, part_max(l, key, &any));
	}
	return SLU_OK;
}

static void replace_part(struct load *l, const char *key)
{
	struct lake_part *p = manifest_part(&l->m, key, true);
	bool same = part_same(l, p, key), any;
	int64_t max = part_max(l, key, &any);
	size_t i;

	if (!same) {
		part_empty(l, p);
		part_fill(l, p, key);
		part_note(l, key, true, max);
		return;
	}
	for (i = 0; i < l->n_files; i++) /* the old files stay; the new ones are swept */
		if (strcmp(l->files[i]->key, key) == 0)
			l->files[i]->key[0] = '\001';
	part_note(l, key, false, max);
}

static slu_rc mode_replace(struct load *l, slu_err *err)
{
	bool any;
	size_t i;

	(void)err;
	for (i = 0; i < l->m.n; i++) {
		(void)part_max(l, l->m.parts[i].key, &any);
		if (any || l->m.parts[i].n == 0)
			continue;
		part_empty(l, &l->m.parts[i]);
		part_note(l, l->m.parts[i].key, true, SLU_TIME_NONE);
	}
	for (i = 0; i < l->n_files; i++)
		if (l->files[i]->key[0] != '\001' && first_of_key(l, i))
			replace_part(l, l->files[i]->key);
	return SLU_OK;
}

static slu_rc mode_partition(struct load *l, slu_err *err)
{
	bool any;
	uint32_t i;

	for (i = 0; i < l->work->parts.n; i++) {
		const slu_part *p =
		    (const slu_part *)(const void *)((const char *)l->work->parts.v +
						     (size_t)i * l->work->parts.stride);

		(void)part_max(l, p->key, &any);
		if (!any && !(l->work->flags & (SLU_WK_EMPTY_REPLACE | SLU_WK_EMPTY_KEEP)))
			return slu_fail_field(err, SLU_E_DATA, "LAKE.EMPTY", "empty",
			    "the partition %s got no rows: say `empty: replace` to take that for "
			    "the truth, or `empty: keep`",
			    p->key);
		if (any || (l->work->flags & SLU_WK_EMPTY_REPLACE))
			replace_part(l, p->key);
		else
			part_note(l, p->key, false, SLU_TIME_NONE);
	}
	return SLU_OK;
}

/* ---- the ledger's value ---- */
static void report_write(struct load *l, const slu_mark *mark, const slu_report *r)
{
	slu_buf *b = &l->report;

	slu_buf_reset(b);
	slu_buf_addf(b,
	    "{\"token\":\"%" PRIu64 "\",\"report\":{\"flags\":%" PRIu32 ",\"written\":%" PRId64
	    ",\"inserted\":%" PRId64 ",\"deleted\":%" PRId64 ",\"bytes\":%" PRId64
	    ",\"parts\":%s},\"mark\":{\"flags\":%" PRIu32 ",\"complete_us\":\"%" PRId64
	    "\",\"max_event_us\":\"%" PRId64 "\"",
	    l->work->token, r->flags, r->written, r->inserted, r->deleted, r->bytes,
	    slu_buf_text(&l->parts), mark->flags, mark->complete_us, mark->max_event_us);
	if (mark->cursor_json) {
		slu_buf_add(b, ",\"cursor\":");
		slu_buf_add_json(b, mark->cursor_json, strlen(mark->cursor_json));
	}
	slu_buf_add(b, "}}");
}

void report_read(struct load *l, const slu_json *j, slu_report *report, slu_mark *mark)
{
	const slu_json *r = slu_json_get(j, "report"), *m = slu_json_get(j, "mark");

	report->flags = (uint32_t)slu_json_get_i64(r, "flags", 0);
	report->written = slu_json_get_i64(r, "written", 0);
	report->inserted = slu_json_get_i64(r, "inserted", 0);
	report->deleted = slu_json_get_i64(r, "deleted", 0);
	report->bytes = slu_json_get_i64(r, "bytes", 0);
	slu_buf_reset(&l->parts);
	slu_json_print(slu_json_get(r, "parts"), &l->parts);
	report->parts_json = slu_buf_text(&l->parts);
	mark->flags = (uint32_t)slu_json_get_i64(m, "flags", 0);
	mark->complete_us = slu_json_get_i64(m, "complete_us", 0);
	mark->max_event_us = slu_json_get_i64(m, "max_event_us", 0);
	mark->cursor_json = slu_json_get_str(m, "cursor", NULL);
}

/* ---- after the commit ---- */
static bool in_manifest(const struct manifest *m, const char *key, const char *file)
{
	size_t i, k, n = *key ? strlen(key) + 1 : 0;

	for (i = 0; i < m->n; i++)
		for (k = 0; strcmp(m->parts[i].key, key) == 0 && k < m->parts[i].n; k++)
			if (strcmp(m->parts[i].files[k].name + n, file) == 0)
				return true;
	return false;
}

/* Files that no manifest names, of this load's fence or of none that still counts: left by a kill,
 * or replaced just now. Another load may be writing here: its temporary and its renamed files are
 * young and carry its own fence. */
static void sweep_folder(struct load *l, const char *key, const struct manifest *before)
{
	char path[8192];
	struct dirent *e;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/%s", l->dir, key);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		bool own = strncmp(e->d_name, "part-", 5) == 0
			       ? strncmp(e->d_name + 5, l->tag, 16) == 0
			       : strncmp(e->d_name, ".part-", 6) == 0 &&
				     strncmp(e->d_name + 6, l->tag, 16) == 0;

		if ((!own && !in_manifest(before, key, e->d_name)) ||
		    in_manifest(&l->m, key, e->d_name))
			continue;
		if (strncmp(e->d_name, "part-", 5) != 0 && strncmp(e->d_name, ".part-", 6) != 0)
			continue;
		(void)snprintf(
		    path, sizeof(path), "%s/%s%s%s", l->dir, key, *key ? "/" : "", e->d_name);
		(void)unlink(path);
	}
	if (d)
		(void)closedir(d);
}

/* A fence outlives every attempt it could stop. */
static void sweep_fences(const struct load *l)
{
	char path[8192];
	time_t old = time(NULL) - FENCE_KEEP_S;
	struct dirent *e;
	struct stat st;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/_sluice", l->dir);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, "fence-", 6) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/_sluice/%s", l->dir, e->d_name);
		if (stat(path, &st) == 0 && st.st_mtime < old)
			(void)unlink(path);
	}
	if (d)
		(void)closedir(d);
}

/* Readers keep what they read: then the sweep is left to the next publish. */
static void sweep(struct load *l, const struct manifest *before)
{
	slu_err e = {.size = sizeof(e)};
	int fd = lake_lock(l->l, l->dir, "readers", false, false, &e);
	size_t i;

	if (fd < 0)
		return;
	for (i = 0; i < l->m.n; i++)
		sweep_folder(l, l->m.parts[i].key, before);
	sweep_fences(l);
	(void)close(fd);
}

static slu_rc publish_locked(struct load *l, const slu_mark *mark, slu_report *report, slu_err *err)
{
	slu_rc rc = lake_fence(l->dir, l->work->fence_key, l->work->token, false, err);

	if (rc == SLU_OK)
		rc = rename_files(l, err);
	lake_point("renamed");
	slu_fields_done(&l->m.fields);
	if (rc == SLU_OK)
		rc = slu_fields_copy(&l->m.fields, &l->out, err);
	slu_buf_reset(&l->parts);
	slu_buf_addc(&l->parts, '[');
	if (rc == SLU_OK)
		rc = (l->work->mode == SLU_M_APPEND    ? mode_append
		      : l->work->mode == SLU_M_REPLACE ? mode_replace
						       : mode_partition)(l, err);
	slu_buf_addc(&l->parts, ']');
	if (rc != SLU_OK)
		return rc;
	report->written = report->inserted = l->written;
	report->deleted = l->deleted;
	report->flags = l->changed ? 0 : SLU_RP_UNCHANGED;
	report->parts_json = slu_buf_text(&l->parts);
	report_write(l, mark, report);
	rc = manifest_commit(l->dir, &l->m, l->work->ledger_key, slu_buf_text(&l->report), err);
	lake_point("commit");
	return rc;
}

static bool committed(const struct load *l)
{
	struct manifest now;
	bool there;

	if (manifest_read(l->dir, &now, NULL) != SLU_OK)
		return true; /* not known: files stay, the ledger tells the next attempt */
	there = manifest_ledger(&now, l->work->ledger_key) != NULL;
	manifest_done(&now);
	return there;
}

slu_rc lake_publish(struct load *l, const slu_mark *mark, slu_report *report, slu_err *err)
{
	struct manifest before = {0};
	const slu_json *done;
	slu_mark found = {.size = sizeof(found)};
	int fd = lake_lock(l->l, l->dir, "lock", false, true, err);
	slu_rc rc;

	if (fd < 0)
		return err->rc;
	manifest_done(&l->m);
	rc = manifest_read(l->dir, &l->m, err);
	if (rc == SLU_OK)
		rc = manifest_read(l->dir, &before, err);
	done = manifest_ledger(&l->m, l->work->ledger_key);
	if (rc == SLU_OK && done) {
		report_read(l, done, report, &found);
		files_forget(l, true);
	} else if (rc == SLU_OK) {
		rc = publish_locked(l, mark, report, err);
		if (rc != SLU_OK &&
		    committed(l)) /* the rename took place, what failed came after it */
			rc = SLU_OK;
		files_forget(l, rc != SLU_OK);
		if (rc == SLU_OK)
			sweep(l, &before);
	}
	manifest_done(&before);
	(void)close(fd);
	return rc;
}
