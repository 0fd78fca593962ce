/* keys_mdoc.c: the reference of every key, as mdoc, from the tables of core/dagfile. It stands in
 * sluice-dag.5 and sluice.yaml.5 between two marks; man_keys.sh compares. After a change of a
 * table: `make check TESTS=tests/sys/man_keys.sh` says how the pages are brought up to date.
 * usage: keys_mdoc dag|config|dag-later|config-later */
#include "core/base/mem.h"
#include "core/dagfile/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTIONS_MAX 128
#define WIDTH 78

struct section {
	const struct keys *keys;
	char path[120];	 /* where it stands first */
	struct str also; /* and where else, parted by blanks */
};
struct page {
	struct section v[SECTIONS_MAX];
	size_t n;
};

static void visit(struct page *p, const struct key *k, const char *path);

static struct section *find(struct page *p, const struct keys *keys)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->v[i].keys == keys)
			return &p->v[i];
	return NULL;
}

static void visit_object(struct page *p, const struct keys *keys, const char *path)
{
	struct section *s = find(p, keys);
	char child[120];
	size_t i;

	if (s != NULL) {
		str_addf(&s->also, "%s%s", s->also.len > 0 ? " " : "", path);
		return;
	}
	if (p->n == SECTIONS_MAX)
		abort();
	s = &p->v[p->n++];
	s->keys = keys;
	str_init(&s->also, 4096);
	(void)str_copy(s->path, sizeof(s->path), path);
	/* defaults come last: what they share with steps is shown there */
	for (i = 0; i < 2 * keys->n; i++) {
		const struct key *k = &keys->v[i % keys->n];

		if ((strcmp(k->name, "defaults") == 0) != (i >= keys->n))
			continue;
		snprintf(child, sizeof(child), "%s%s%s", path, *path != '\0' ? "." : "", k->name);
		visit(p, k, child);
	}
}

static void visit(struct page *p, const struct key *k, const char *path)
{
	char child[120];

	if (k->shape & K_OBJECT)
		visit_object(p, k->sub, path);
	if (k->shape & (K_LIST | K_MAP)) {
		snprintf(child, sizeof(child), "%s%s", path, (k->shape & K_LIST) ? "[]" : ".*");
		visit(p, k->elem, child);
	}
}

/* ---- text ---- */
/* Sentences on lines of their own, broken at the width, nothing that roff would take as a request.
 */
static void put_text(const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");
		bool end = text[n - 1] == '.';

		if (column > 0 && column + 1 + n > WIDTH) {
			putchar('\n');
			column = 0;
		}
		if (column > 0)
			putchar(' ');
		else if (*text == '.' || *text == '\'')
			fputs("\\&", stdout);
		fwrite(text, 1, n, stdout);
		column += n + 1;
		text += n;
		text += *text == ' ';
		if (end && *text != '\0') {
			putchar('\n');
			column = 0;
		}
	}
	putchar('\n');
}

/* As the C text, but for characters that mdoc does not take as they are. */
static void put_sentence(const char *text)
{
	struct str out;

	str_init(&out, 8192);
	for (; *text != '\0'; text++) {
		if (strncmp(text, "…", strlen("…")) == 0) {
			str_add(&out, "...");
			text += strlen("…") - 1;
		} else if (*text == '\\') {
			str_add(&out, "\\e");
		} else {
			str_addc(&out, *text);
		}
	}
	put_text(str_peek(&out));
	str_done(&out);
}

static bool is_bare(const struct key *k)
{
	return !(k->shape & (K_LIST | K_MAP | K_OBJECT));
}

static void add_elem(struct str *out, const struct key *elem, const char *joint)
{
	if (elem == NULL || !is_bare(elem) || (elem->shape & K_ANY) || elem->shape == K_TEXT)
		return;
	str_addf(out, "%s", joint);
	keys_shape_text(elem, out);
}

static void put_shape(const struct key *k)
{
	struct str line;

	str_init(&line, 4096);
	keys_shape_text(k, &line);
	if (k->shape & K_LIST)
		add_elem(&line, k->elem, ", each ");
	if (k->shape & K_MAP)
		add_elem(&line, k->elem, ", each value ");
	if ((k->shape & K_EXPR) && strstr(str_peek(&line), "${") == NULL)
		str_add(&line, ", or ${…}");
	if (k->has_range)
		str_addf(&line, ", %.13g to %.13g", k->min, k->max);
	if (k->required)
		str_add(&line, "; required");
	if (k->def != NULL && k->def[0] != '\0')
		str_addf(&line, "; default %s", k->def);
	str_addc(&line, '.');
	if (line.s[0] >= 'a' && line.s[0] <= 'z')
		line.s[0] = (char)(line.s[0] - 'a' + 'A');
	put_sentence(str_peek(&line));
	str_done(&line);
}

static void put_later(const char *path)
{
	const struct key_later *l;
	unsigned refused = 0;

	for (l = KEYS_LATER; l->pattern != NULL; l++) {
		if (strcmp(l->pattern, path) != 0)
			continue;
		if (l->value == NULL)
			printf("Not in this version.\n");
		else if (l->value[0] == '!')
			printf("Only\n.Cm %s\nin this version.\n", l->value + 1);
		else
			printf(
			    "%s%s", refused++ == 0 ? "In this version not\n.Cm " : " , ", l->value);
	}
	if (refused > 0)
		printf(" .\n");
}

static void put_key(const struct section *s, const struct key *k)
{
	char path[240];

	snprintf(path, sizeof(path), "%s%s%s", s->path, s->path[0] != '\0' ? "." : "", k->name);
	printf(".It Cm %s\n", k->name);
	put_shape(k);
	if (k->doc != NULL)
		put_sentence(k->doc);
	put_later(path);
}

static void put_also(const char *also)
{
	char path[120];

	printf("The same keys stand in\n");
	while (*also != '\0') {
		size_t n = strcspn(also, " ");

		snprintf(path, sizeof(path), "%.*s", (int)n, also);
		also += n;
		also += *also == ' ';
		printf(".Cm %s%s\n", path, *also != '\0' ? " ," : " .");
	}
}

static void put_section(const struct section *s)
{
	size_t i;

	printf(".Ss %s\n", s->path[0] != '\0' ? s->path : "The file itself");
	if (s->also.len > 0)
		put_also(str_peek(&s->also));
	if (s->keys->role != NULL)
		printf("Besides these, the options of the plugin for the role\n.Cm %s :\nsee\n"
		       ".Xr sluice-plugin 7 .\n",
		    s->keys->role);
	printf(".Bl -tag -width Ds\n");
	for (i = 0; i < s->keys->n; i++)
		put_key(s, &s->keys->v[i]);
	printf(".El\n");
}

/* What comes later, of one file, with what to do instead. */
static void put_later_list(const struct key *root)
{
	const struct key_later *l;

	printf(".Bl -tag -width Ds -compact\n");
	for (l = KEYS_LATER; l->pattern != NULL; l++) {
		if (keys_at(root, l->pattern) == NULL)
			continue;
		printf(".It Cm %s%s%s\n", l->pattern,
		    l->value == NULL	 ? ""
		    : l->value[0] == '!' ? " No other than Cm "
					 : " No = Cm ",
		    l->value == NULL ? "" : l->value + (l->value[0] == '!'));
		put_sentence(l->cure);
	}
	printf(".El\n");
}

static void put_reference(const struct key *root)
{
	struct page *p = mem_calloc(1, sizeof(*p));
	size_t i;

	visit(p, root, "");
	for (i = 0; i < p->n; i++) {
		put_section(&p->v[i]);
		str_done(&p->v[i].also);
	}
	mem_free(p);
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	const struct key *root = str_starts(what, "config") ? &KEYS_CONFIG : &KEYS_DAG;

	if (str_ends(what, "-later"))
		put_later_list(root);
	else
		put_reference(root);
	return 0;
}
