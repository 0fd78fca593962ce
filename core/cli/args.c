/* args.c: the options of a command against its table; usage and help text. */
#include "core/cli/args.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMNS 80
#define DOC_COLUMN 30 /* where the sentence of an option begins */

const struct cli_opt global_opts[] = {
    {"output", "FORMAT", "Print text (default), json or ndjson.", 'o'},
    {"config", "FILE", "Use this sluice.yaml.", 'c'},
    {"url", "URL", "Speak to this daemon: unix:/path or http://host:port.", 0},
    {"token-file", "FILE", "Read the token for --url from this file.", 0},
    {"help", NULL, "Print the help of the command.", 'h'},
    {NULL, NULL, NULL, 0},
};

static const struct cli_opt *find_in(const struct cli_opt *table, const char *name, size_t n)
{
	for (; table && table->name; table++)
		if (strlen(table->name) == n && memcmp(table->name, name, n) == 0)
			return table;
	return NULL;
}

static const struct cli_opt *find_letter(const struct cli_opt *table, char letter)
{
	for (; table && table->name; table++)
		if (table->letter == letter)
			return table;
	return NULL;
}

static int unknown_option(const struct args *a, const char *given)
{
	const char *names[ARGS_MAX];
	size_t n = 0;
	for (const struct cli_opt *o = a->command->opts; o && o->name && n < ARGS_MAX; o++)
		names[n++] = o->name;
	for (const struct cli_opt *o = global_opts; o->name && n < ARGS_MAX; o++)
		names[n++] = o->name;
	const char *near = str_nearest(given, names, n);
	if (near)
		return cli_error(EXIT_USAGE, "%s has no option --%s; did you mean --%s?",
		    a->command->name, given, near);
	return cli_error(EXIT_USAGE, "%s has no option --%s; see: sluice %s --help",
	    a->command->name, given, a->command->name);
}

static bool value_optional(const struct cli_opt *o)
{
	return o->value && o->value[0] == '[';
}

static int take(struct args *a, const struct cli_opt *o, const char *value)
{
	if (a->n == ARGS_MAX)
		return cli_error(EXIT_USAGE, "too many options; at most %d", ARGS_MAX);
	a->v[a->n].opt = o;
	a->v[a->n].value = value;
	a->n++;
	return 0;
}

static int parse_long(struct args *a, char **argv, int argc, int *i)
{
	const char *name = argv[*i] + 2;
	const char *eq = strchr(name, '=');
	size_t n = eq ? (size_t)(eq - name) : strlen(name);
	const struct cli_opt *o = find_in(a->command->opts, name, n);
	if (!o)
		o = find_in(global_opts, name, n);
	if (!o) {
		char copy[64];
		snprintf(copy, sizeof(copy), "%.*s", (int)(n < 60 ? n : 60), name);
		return unknown_option(a, copy);
	}
	if (!o->value && eq)
		return cli_error(EXIT_USAGE, "--%s takes no value", o->name);
	if (!o->value || (value_optional(o) && !eq))
		return take(a, o, NULL);
	if (eq)
		return take(a, o, eq + 1);
	if (*i + 1 >= argc)
		return cli_error(EXIT_USAGE, "--%s needs %s; see: sluice %s --help", o->name,
		    o->value, a->command->name);
	return take(a, o, argv[++*i]);
}

static int parse_short(struct args *a, char **argv, int argc, int *i)
{
	char letter = argv[*i][1];
	const struct cli_opt *o = find_letter(a->command->opts, letter);
	if (!o)
		o = find_letter(global_opts, letter);
	if (!o)
		return cli_error(EXIT_USAGE, "%s has no option -%c; see: sluice %s --help",
		    a->command->name, letter, a->command->name);
	if (!o->value) {
		if (argv[*i][2])
			return cli_error(
			    EXIT_USAGE, "write -%c apart from what follows it", letter);
		return take(a, o, NULL);
	}
	if (argv[*i][2])
		return take(a, o, argv[*i] + 2);
	if (*i + 1 >= argc)
		return cli_error(EXIT_USAGE, "-%c needs %s; see: sluice %s --help", letter,
		    o->value, a->command->name);
	return take(a, o, argv[++*i]);
}

int args_parse(struct args *a, const struct command *command, int argc, char **argv)
{
	memset(a, 0, sizeof(*a));
	a->command = command;
	bool only_pos = false;
	for (int i = 0; i < argc; i++) {
		int rc = 0;
		if (!only_pos && str_eq(argv[i], "--"))
			only_pos = true;
		else if (!only_pos && str_starts(argv[i], "--"))
			rc = parse_long(a, argv, argc, &i);
		else if (!only_pos && argv[i][0] == '-' && argv[i][1])
			rc = parse_short(a, argv, argc, &i);
		else if (a->n_pos == ARGS_MAX)
			rc = cli_error(EXIT_USAGE, "too many arguments; at most %d", ARGS_MAX);
		else
			a->pos[a->n_pos++] = argv[i];
		if (rc)
			return rc;
	}
	return 0;
}

bool args_has(const struct args *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (str_eq(a->v[i].opt->name, name))
			return true;
	return false;
}

const char *args_get(const struct args *a, const char *name, const char *fallback)
{
	for (size_t i = a->n; i > 0; i--)
		if (str_eq(a->v[i - 1].opt->name, name))
			return a->v[i - 1].value;
	return fallback;
}

const char *args_nth(const struct args *a, const char *name, size_t n)
{
	for (size_t i = 0; i < a->n; i++)
		if (str_eq(a->v[i].opt->name, name) && n-- == 0)
			return a->v[i].value;
	return NULL;
}

bool args_expect(const struct args *a, size_t min, size_t max)
{
	if (a->n_pos >= min && a->n_pos <= max)
		return true;
	if (a->n_pos > max)
		cli_error(EXIT_USAGE, "unexpected argument \"%s\"", a->pos[max]);
	fprintf(stderr, "usage: sluice %s %s\n", a->command->name, a->command->synopsis);
	return false;
}

/* ---- help, within HELP_COLUMNS ---- */

/* Up to a blank that is outside brackets: [--plan pinned|latest] stays whole. */
static size_t unit_length(const char *s, const char *end)
{
	int depth = 0;
	const char *p = s;
	for (; p < end && (depth > 0 || !strchr(" \n", *p)); p++)
		depth += (*p == '[') - (*p == ']');
	return (size_t)(p - s);
}

/* From column `at` on; further lines behind `indent` blanks. */
static void print_folded(const char *s, const char *end, size_t at, size_t indent)
{
	bool first = true;
	while (s < end) {
		size_t n = unit_length(s, end);
		if (!first && at + 1 + n > HELP_COLUMNS) {
			printf("\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			putchar(' ');
			at++;
		}
		fwrite(s, 1, n, stdout);
		at += n;
		first = false;
		for (s += n; s < end && strchr(" \n", *s);)
			s++;
	}
	putchar('\n');
}

/* Paragraphs are filled anew, lines that begin with a blank stay as they are. */
static void print_text(const char *s)
{
	while (*s) {
		const char *end = s + strcspn(s, "\n");
		bool fill = !strchr(" \n", s[0]);
		while (fill && *end && !strchr(" \n", end[1]))
			end += 1 + strcspn(end + 1, "\n");
		if (!fill)
			printf("%.*s\n", (int)(end - s), s);
		else
			print_folded(s, end, 0, 0);
		s = *end ? end + 1 : end;
	}
}

static void print_opts(const struct cli_opt *table)
{
	for (; table && table->name; table++) {
		char left[64];
		const char *value = table->value ? table->value : "";
		const char *sep = !table->value ? "" : value_optional(table) ? "" : " ";
		if (table->letter)
			snprintf(left, sizeof(left), "-%c, --%s%s%s", table->letter, table->name,
			    sep, value);
		else
			snprintf(left, sizeof(left), "    --%s%s%s", table->name, sep, value);
		if (strlen(left) > DOC_COLUMN - 4)
			printf("  %s\n%*s", left, DOC_COLUMN, "");
		else
			printf("  %-*s", DOC_COLUMN - 2, left);
		print_folded(table->doc, table->doc + strlen(table->doc), DOC_COLUMN, DOC_COLUMN);
	}
}

void args_print_help(const struct command *c)
{
	size_t indent = strlen("sluice ") + strlen(c->name) + (c->synopsis[0] != '\0');
	printf("sluice %s%s", c->name, c->synopsis[0] ? " " : "");
	print_folded(c->synopsis, c->synopsis + strlen(c->synopsis), indent, indent);
	printf("\n%s.\n", c->summary);
	if (c->help && c->help[0]) {
		putchar('\n');
		print_text(c->help);
	}
	printf("\nOptions:\n");
	print_opts(c->opts);
	print_opts(global_opts);
}
