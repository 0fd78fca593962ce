/* sources.c: reads DAG files for the compiler. What cannot be read is an error of that file, not of
 * the whole. */
#include "core/worker/compile.h"

#include "core/base/io.h"
#include "core/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER_DEPTH 16

void sources_add(struct sources *s, const char *path)
{
	struct compile_file f = {.path = mem_strdup(path)};
	struct str text;
	struct err err;

	str_init(&text, COMPILE_FILE_MAX);
	if (io_read_file(path, COMPILE_FILE_MAX, &text, &err) == 0) {
		f.n = text.len;
		f.text = text.s != NULL ? str_take(&text) : mem_strdup("");
	} else {
		f.unreadable = mem_strdup(err.text);
	}
	str_done(&text);
	VEC_ADD(&s->list, f);
}

static int is_source(const struct dirent *e)
{
	return e->d_name[0] != '.' && strcmp(e->d_name, "sluice.yaml") != 0 &&
	       (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN || str_ends(e->d_name, ".yaml") ||
		   str_ends(e->d_name, ".yml") || str_ends(e->d_name, ".json"));
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void add_folder(struct sources *s, const char *path, int depth)
{
	struct dirent **list = NULL;
	int i, n = scandir(path, &list, is_source, alphasort);

	for (i = 0; i < n; i++) {
		char *name = io_path_join(path, list[i]->d_name);

		if (!is_folder(name))
			sources_add(s, name);
		else if (depth < FOLDER_DEPTH)
			add_folder(s, name, depth + 1);
		mem_free(name);
		free(list[i]);
	}
	free(list);
}

int sources_read(void *arg, const char *path, struct str *out, struct err *err)
{
	struct stat st;

	(void)arg;
	if (stat(path, &st) != 0)
		return err_errno(
		    err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "cannot open %s", path);
	if (!S_ISREG(st.st_mode)) /* a FIFO would wait for ever */
		return err_set(err, ERR_IO, "%s is no regular file", path);
	return io_read_file(path, out->max, out, err);
}

int sources_add_path(struct sources *s, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		add_folder(s, path, 0);
	else
		sources_add(s, path);
	return 0;
}

void sources_done(struct sources *s)
{
	size_t i;

	for (i = 0; i < s->list.n; i++) {
		mem_free((void *)(uintptr_t)s->list.v[i].path);
		mem_free((void *)(uintptr_t)s->list.v[i].text);
		mem_free((void *)(uintptr_t)s->list.v[i].unreadable);
	}
	VEC_DONE(&s->list);
}
