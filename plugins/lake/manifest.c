/* manifest.c: manifest, ledger, fences, locks and the owner of a lake. */
#include "plugins/lake/lake.h"

#include "sluice/kit/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MANIFEST_MAX (256u << 20)
#define LOCK_STEP_MS 10

char *lake_dir(const struct lake *l, const char *dataset)
{
	const char *name = strchr(dataset, '/');
	char *path;

	name = name ? name + 1 : dataset;
	return asprintf(&path, "%s/%s%s", l->root, l->prefix, name) < 0 ? NULL : path;
}

static char *dup_text(const char *s)
{
	return strdup(s ? s : "");
}

static void part_done(struct lake_part *p)
{
	while (p->n)
		manifest_drop(p, p->n - 1);
	free(p->files);
	free(p->key);
}

void manifest_done(struct manifest *m)
{
	while (m->n)
		part_done(&m->parts[--m->n]);
	free(m->parts);
	slu_fields_done(&m->fields);
	slu_buf_done(&m->ledger);
	slu_json_free(m->root);
	memset(m, 0, sizeof(*m));
}

struct lake_part *manifest_part(struct manifest *m, const char *key, bool make)
{
	struct lake_part *p;
	size_t i;

	for (i = 0; i < m->n; i++)
		if (strcmp(m->parts[i].key, key) == 0)
			return &m->parts[i];
	if (!make)
		return NULL;
	if (m->n == m->cap) {
		p = realloc(m->parts, (m->cap ? m->cap * 2 : 16) * sizeof(*p));
		if (!p)
			return NULL;
		m->parts = p;
		m->cap = m->cap ? m->cap * 2 : 16;
	}
	p = &m->parts[m->n++];
	memset(p, 0, sizeof(*p));
	p->key = dup_text(key);
	return p;
}

void manifest_drop(struct lake_part *p, size_t i)
{
	free(p->files[i].name);
	free(p->files[i].by);
	free(p->files[i].sha);
	memmove(&p->files[i], &p->files[i + 1], (p->n - i - 1) * sizeof(*p->files));
	p->n--;
}

void manifest_add(struct lake_part *p, const struct lake_file *take)
{
	if (p->n == p->cap) {
		struct lake_file *v = realloc(p->files, (p->cap ? p->cap * 2 : 4) * sizeof(*v));

		if (!v)
			return;
		p->files = v;
		p->cap = p->cap ? p->cap * 2 : 4;
	}
	p->files[p->n++] = *take;
}

static void read_part(struct manifest *m, const slu_json *part)
{
	struct lake_part *p = manifest_part(m, slu_json_get_str(part, "partition", ""), true);
	const slu_json *f;

	for (f = p ? slu_json_first(slu_json_get(part, "files")) : NULL; f; f = slu_json_next(f)) {
		struct lake_file file = {.name = dup_text(slu_json_get_str(f, "name", "")),
		    .by = dup_text(slu_json_get_str(f, "by", "")),
		    .sha = dup_text(slu_json_get_str(f, "sha256", "")),
		    .rows = slu_json_get_i64(f, "rows", 0),
		    .bytes = slu_json_get_i64(f, "bytes", 0)};

		manifest_add(p, &file);
	}
}

static slu_rc read_tree(struct manifest *m, slu_err *err)
{
	const slu_json *p, *l = slu_json_get(m->root, "ledger");
	size_t skip =
	    slu_json_len(l) >= LAKE_LEDGER_MAX ? slu_json_len(l) - LAKE_LEDGER_MAX + 1 : 0;

	if (slu_json_get_i64(m->root, "v", 0) != 1)
		return slu_fail(err, SLU_E_UNSUPPORTED, "LAKE.VERSION",
		    "the manifest is of a newer version of Sluice: upgrade this one");
	m->commit = slu_json_get_i64(m->root, "commit", 0);
	for (p = slu_json_first(slu_json_get(m->root, "partitions")); p; p = slu_json_next(p))
		read_part(m, p);
	for (p = slu_json_first(l); p; p = slu_json_next(p)) {
		if (skip) {
			skip--;
			continue;
		}
		slu_buf_add(&m->ledger, m->ledger.len ? ",\n" : "");
		slu_buf_add_json(&m->ledger, slu_json_key(p), strlen(slu_json_key(p)));
		slu_buf_addc(&m->ledger, ':');
		slu_json_print(p, &m->ledger);
	}
	return slu_fields_declared(slu_json_get(m->root, "columns"), &m->fields, err);
}

slu_rc manifest_read(const char *dir, struct manifest *m, slu_err *err)
{
	char path[4096], *text;
	slu_rc rc;

	memset(m, 0, sizeof(*m));
	slu_buf_init(&m->ledger, MANIFEST_MAX);
	(void)snprintf(path, sizeof(path), "%s/_sluice/manifest.json", dir);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return SLU_OK;
	rc = slu_file_read(path, MANIFEST_MAX, &text, NULL, err);
	if (rc != SLU_OK)
		return rc;
	rc = slu_json_parse(text, path, &m->root, err);
	slu_free(text);
	if (rc == SLU_OK)
		rc = read_tree(m, err);
	if (rc != SLU_OK)
		manifest_done(m);
	return rc;
}

static void write_part(const struct lake_part *p, bool first, slu_buf *b)
{
	size_t i;

	slu_buf_add(b, first ? "\n{\"partition\":" : ",\n{\"partition\":");
	slu_buf_add_json(b, p->key, strlen(p->key));
	slu_buf_add(b, ",\"files\":[");
	for (i = 0; i < p->n; i++) {
		const struct lake_file *f = &p->files[i];

		slu_buf_add(b, i ? ",\n  {\"name\":" : "{\"name\":");
		slu_buf_add_json(b, f->name, strlen(f->name));
		slu_buf_addf(
		    b, ",\"rows\":%" PRId64 ",\"bytes\":%" PRId64 ",\"by\":", f->rows, f->bytes);
		slu_buf_add_json(b, f->by, strlen(f->by));
		slu_buf_addf(b, ",\"sha256\":\"%s\"}", f->sha);
	}
	slu_buf_add(b, "]}");
}

slu_rc manifest_commit(
    const char *dir, struct manifest *m, const char *ledger_key, const char *report, slu_err *err)
{
	bool first = true;
	char path[4096];
	slu_buf b;
	slu_rc rc;
	size_t i;

	slu_buf_init(&b, MANIFEST_MAX);
	slu_buf_addf(&b, "{\"v\":1,\"commit\":%" PRId64 ",\n\"columns\":", m->commit + 1);
	slu_fields_to_json(&m->fields, &b);
	slu_buf_add(&b, ",\n\"partitions\":[");
	for (i = 0; i < m->n; i++) {
		if (m->parts[i].n == 0)
			continue;
		write_part(&m->parts[i], first, &b);
		first = false;
	}
	slu_buf_addf(
	    &b, "],\n\"ledger\":{%s%s", slu_buf_text(&m->ledger), m->ledger.len ? ",\n" : "");
	slu_buf_add_json(&b, ledger_key, strlen(ledger_key));
	slu_buf_addf(&b, ":%s}}\n", report);
	(void)snprintf(path, sizeof(path), "%s/_sluice/manifest.json", dir);
	rc = b.failed
		 ? slu_fail(err, SLU_E_DATA, "LAKE.MANIFEST", "the manifest is larger than 256 MiB")
		 : slu_file_replace(path, b.s, b.len, err);
	slu_buf_done(&b);
	return rc;
}

const slu_json *manifest_ledger(const struct manifest *m, const char *ledger_key)
{
	return slu_json_get(slu_json_get(m->root, "ledger"), ledger_key);
}

/* ---- locks, fences, owner ---- */
int lake_lock(
    const struct lake *l, const char *dir, const char *name, bool shared, bool wait, slu_err *err)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/_sluice/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
	if (fd < 0) {
		(void)slu_fail_errno(err, errno, "LAKE.LOCK", "cannot open %s", path);
		return -1;
	}
	while (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0) {
		if (wait && errno == EWOULDBLOCK &&
		    l->host->sleep_ms(l->run, LOCK_STEP_MS) == SLU_OK)
			continue;
		(void)slu_fail(err, l->host->cancelled(l->run) ? SLU_E_CANCELLED : SLU_E_TRANSIENT,
		    "LAKE.LOCK", "%s is held by somebody else", path);
		(void)close(fd);
		return -1;
	}
	return fd;
}

static slu_rc owner_write(const char *path, const char *deployment, slu_err *err)
{
	slu_buf b;
	slu_rc rc;

	slu_buf_init(&b, 4096);
	slu_buf_add(&b, "{\"deployment\":");
	slu_buf_add_json(&b, deployment, strlen(deployment));
	slu_buf_add(&b, "}\n");
	rc = slu_file_replace(path, slu_buf_text(&b), b.len, err);
	slu_buf_done(&b);
	return rc;
}

slu_rc lake_owner(const struct lake *l, const char *deployment, slu_err *err)
{
	char path[4096], *text = NULL;
	slu_json *j = NULL;
	slu_rc rc;

	(void)snprintf(path, sizeof(path), "%s/_sluice_owner.json", l->root);
	if (access(path, F_OK) < 0)
		return owner_write(path, deployment, err);
	rc = slu_file_read(path, 4096, &text, NULL, err);
	if (rc == SLU_OK)
		rc = slu_json_parse(text, path, &j, err);
	if (rc == SLU_OK && strcmp(slu_json_get_str(j, "deployment", ""), deployment) != 0)
		rc = slu_fail(err, SLU_E_CONFIG, "LAKE.OWNER",
		    "this lake belongs to the deployment \"%s\", not to \"%s\": write to another "
		    "root, or delete %s to take it over",
		    slu_json_get_str(j, "deployment", ""), deployment, path);
	slu_json_free(j);
	slu_free(text);
	return rc;
}

slu_rc lake_fence(const char *dir, const char *fence_key, uint64_t token, bool claim, slu_err *err)
{
	char path[4096], hex[33], *text = NULL, mine[32];
	uint8_t sha[32];
	uint64_t have = 0;
	slu_rc rc = SLU_OK;

	slu_sha256(fence_key, strlen(fence_key), sha);
	slu_hex(sha, 16, hex);
	(void)snprintf(path, sizeof(path), "%s/_sluice/fence-%s", dir, hex);
	if (access(path, F_OK) == 0) {
		rc = slu_file_read(path, 64, &text, NULL, err);
		if (rc != SLU_OK)
			return rc;
		have = strtoull(text, NULL, 10);
		slu_free(text);
	}
	if (have > token || (!claim && have != token))
		return slu_fail(err, SLU_E_CANCELLED, "LAKE.FENCED",
		    "a newer attempt (token %" PRIu64
		    ") has taken this load over: nothing is written by this one",
		    have);
	if (!claim || have == token)
		return SLU_OK;
	(void)snprintf(mine, sizeof(mine), "%" PRIu64 "\n", token);
	return slu_file_replace(path, mine, strlen(mine), err);
}
