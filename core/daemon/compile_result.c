/* compile_result.c: which files are to be compiled, and what came of each: beside what the store
 * has, and as what it is given. */
#include "core/daemon/compile_int.h"

#include "core/base/mem.h"
#include "core/sched/table.h"

#include <string.h>

#define RACY_NS UINT64_C(2000000000)

/* ---- results ---- */

static bool is_changed(const struct compile *c, const struct scan_file *f)
{
	for (size_t i = 0; i < c->changed.n; i++) {
		if (&c->scan.files.v[c->changed.v[i]] == f)
			return true;
	}
	return false;
}

/* The compiler compares the files that it is given; whether a file that did not change has that DAG
 * already is known here. Then this one is refused. */
static bool is_taken(struct compile *c, const struct scan_file *f, const char *dag)
{
	const struct view *v = store_read_begin(c->d->own_read);
	const struct scan_file *other = NULL;
	struct dag_rec r;
	struct str why;

	if (v && dag_get_named(v, dag, &r) == 0 && r.state != DAG_GONE && !str_eq(r.file, f->path))
		other = scan_find(&c->scan, r.file);
	store_read_end(c->d->own_read);
	if (!other || is_changed(c, other))
		return false;
	str_init(&why, 2048);
	str_addf(&why, "the DAG \"%s\" also stands in %s", dag, other->path);
	compile_take_failure(
	    c, f, "duplicate-dag", str_peek(&why), "give one of them another name");
	str_done(&why);
	return true;
}

static void compare_dag(struct compile *c, const struct scan_file *f, const struct op_file *out,
    const struct json *report)
{
	const struct view *v = store_read_begin(c->d->own_read);

	plan_view_dag(&c->view, v, out->rec.dag, f->path, out->plan, out->plan_n, report);
	store_read_end(c->d->own_read);
}

/* The file is a list now: a DAG that stood in it is gone. */
static void compare_list(struct compile *c, const struct scan_file *f)
{
	const struct view *v = store_read_begin(c->d->own_read);
	struct slice report;
	struct file_rec rec;

	if (v && file_get(v, f->path, &rec, &report) == 0 && rec.dag[0])
		plan_view_gone(&c->view, rec.dag, f->path);
	store_read_end(c->d->own_read);
}

static void report_print(const struct json *file, struct str *out)
{
	struct json *report;

	if (json_len(json_get(file, "inputs")) == 0) {
		json_print(json_get(file, "report"), out);
		return;
	}
	report = json_dup(json_get(file, "report"));
	scan_inputs_put(report, json_get(file, "inputs"));
	json_print(report, out);
	json_free(report);
}

/* One object of the compiler's answer. */
void compile_take_file(
    struct compile *c, const struct scan_file *f, const struct json *j, bool again)
{
	struct op_file out = {0};
	const char *plan = json_get_str(j, "plan", NULL);
	struct str text;

	if (plan && is_taken(c, f, json_get_str(j, "dag", "")))
		return;

	out.path = compile_keep_text(c->plans, mem_strdup(f->path));
	out.rec.size = f->size;
	out.rec.inode = f->inode;
	out.rec.mtime_ns = f->mtime_ns;
	/* Changed within the clock's grain of now: another change might look the same. */
	if (f->mtime_ns + RACY_NS > (uint64_t)clock_wall() * 1000)
		out.rec.mtime_ns = 0;
	memcpy(out.rec.signature, c->signature, sizeof(out.rec.signature));
	out.rec.ok = json_get_bool(j, "ok", false); /* without a plan: a list, no DAG */
	if (again && !out.rec.ok)
		out.rec.mtime_ns = 0; /* compiled again by the next apply, HUP or start */
	if (plan)
		str_copy(out.rec.dag, sizeof(out.rec.dag), json_get_str(j, "dag", ""));
	str_init(&text, COMPILE_REPLY_MAX);
	report_print(j, &text);
	out.report = compile_keep_text(c->plans, str_take(&text));
	if (out.rec.ok && plan) {
		out.plan = compile_keep_text(c->plans, mem_strdup(plan));
		out.plan_n = strlen(plan);
		compare_dag(c, f, &out, json_get(j, "report"));
	} else if (out.rec.ok) {
		compare_list(c, f);
	}
	plan_view_errors(&c->view, c->dir, f->path, json_get(j, "report"));
	VEC_ADD(&c->plans->files, out);
}

/* A file that the compiler did not find fault with, but this side of it does. */
void compile_take_failure(struct compile *c, const struct scan_file *f, const char *code,
    const char *why, const char *hint)
{
	struct json *j = json_new_object(), *report = json_new_object(), *e = json_new_object(),
		    *list = json_new_array();

	json_put(e, "line", json_new_i64(1));
	json_put(e, "column", json_new_i64(1));
	json_put(e, "key", json_new_str(""));
	json_put(e, "code", json_new_str(code));
	json_put(e, "message", json_new_str(why));
	json_put(e, "hint", json_new_str(hint));
	json_push(list, e);
	json_put(report, "path", json_new_str(f->path));
	json_put(report, "errors", list);
	json_put(report, "warnings", json_new_array());
	json_put(j, "ok", json_new_bool(false));
	json_put(j, "report", report);
	compile_take_file(c, f, j, str_eq(code, "compiler"));
	json_free(j);
}

/* ---- what changed ---- */

enum found { FOUND_SAME, FOUND_LIST, FOUND_BROKEN, FOUND_CHANGED };

static enum found look_at(struct compile *c, const struct view *v, const struct scan_file *f)
{
	struct file_rec rec;
	struct slice report;

	if (file_get(v, f->path, &rec, &report) != 0)
		return FOUND_CHANGED;
	if (rec.size != f->size || rec.mtime_ns != f->mtime_ns || rec.inode != f->inode ||
	    memcmp(rec.signature, c->signature, sizeof(rec.signature)) != 0 ||
	    !scan_inputs_same(report.p, report.n))
		return FOUND_CHANGED;
	if (!rec.ok)
		return FOUND_BROKEN;
	return rec.dag[0] ? FOUND_SAME : FOUND_LIST;
}

/* What was wrong with a file that is as it was. */
static void add_old_errors(struct compile *c, const struct view *v, const struct scan_file *f)
{
	struct file_rec rec;
	struct slice report;
	struct json *j;

	if (file_get(v, f->path, &rec, &report) != 0 ||
	    json_parse(report.p, report.n, COMPILE_REPLY_MAX, &j, NULL) != 0)
		return;
	plan_view_errors(&c->view, c->dir, f->path, j);
	json_free(j);
}

static void find_gone(struct compile *c, const struct view *v)
{
	struct view_walk walk;
	struct file_rec rec;
	struct slice report;
	char *path;

	view_walk_init(&walk, v, TABLE_FILE, NULL, 0, false);
	while (view_walk_next(&walk, NULL) == 0) {
		path = mem_strndup((const char *)walk.key, walk.key_n);
		if (scan_find(&c->scan, path)) {
			mem_free(path);
			continue;
		}
		VEC_ADD(&c->gone, path);
		if (file_get(v, path, &rec, &report) == 0 && rec.dag[0])
			plan_view_gone(&c->view, rec.dag, path);
	}
}

int compile_find_changes(struct compile *c, struct err *err)
{
	const struct view *v = store_read_begin(c->d->own_read);
	VEC(size_t) broken = {0};
	bool again;

	if (!v)
		return err_set(err, ERR_IO, "the store cannot be read");
	for (size_t i = 0; i < c->scan.files.n; i++) {
		enum found found = look_at(c, v, &c->scan.files.v[i]);

		if (found == FOUND_CHANGED)
			VEC_ADD(&c->changed, i);
		else if (found == FOUND_BROKEN)
			VEC_ADD(&broken, i);
		else if (found == FOUND_SAME)
			c->view.same++;
	}
	find_gone(c, v);
	/* What was wrong may have been another file: the broken ones get another chance with it. */
	again = c->changed.n || c->gone.n;
	for (size_t i = 0; i < broken.n; i++) {
		if (again)
			VEC_ADD(&c->changed, broken.v[i]);
		else
			add_old_errors(c, v, &c->scan.files.v[broken.v[i]]);
	}
	VEC_DONE(&broken);
	store_read_end(c->d->own_read);
	return 0;
}
