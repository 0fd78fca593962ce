/* keys.c: checks values against the tables of keys.h. */
#include "core/dagfile/keys.h"

#include "core/base/clock.h"
#include "core/dag/expr.h"
#include "core/time/cron.h"
#include "core/time/tz.h"

#include <stdio.h>
#include <string.h>

#define MAX_NAMES 64
#define PATTERN_MAX 300

const struct key *keys_find(const struct keys *k, const char *name)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		if (strcmp(k->v[i].name, name) == 0)
			return &k->v[i];
	return NULL;
}

const struct key *keys_at(const struct key *root, const char *path)
{
	const struct key *k = root;
	char part[128];

	while (k != NULL && *path != '\0') {
		size_t n = strcspn(path, ".[");

		if (*path == '[') { /* an index or [] */
			k = (k->shape & K_LIST) ? k->elem : NULL;
			path += strcspn(path, "]");
			path += *path == ']';
			path += *path == '.';
			continue;
		}
		if (n >= sizeof(part))
			return NULL;
		memcpy(part, path, n);
		part[n] = '\0';
		if ((k->shape & K_OBJECT) && keys_find(k->sub, part) != NULL)
			k = keys_find(k->sub, part);
		else
			k = (k->shape & K_MAP) ? k->elem : NULL;
		path += n;
		path += *path == '.';
	}
	return k;
}

size_t keys_choices(const char *choices, char *buf, size_t size, const char **ret, size_t max)
{
	size_t n = 0;
	char *s = buf;

	if (!str_copy(buf, size, choices))
		return 0;
	while (n < max) {
		ret[n++] = s;
		s = strchr(s, '|');
		if (s == NULL)
			break;
		*s++ = '\0';
	}
	return n;
}

/* ---- words ---- */
struct word {
	uint32_t bit;
	const char *text, *cure;
	const char *code;
};
/* The first that fits names the error. */
static const struct word WORDS[] = {
    {K_CHOICE, "one of", NULL, "bad-choice"},
    {K_IDENT, "a name",
	"a name has a-z, 0-9 and _, begins with a letter or _, and has at most 63 characters",
	"bad-name"},
    {K_NAME, "a name",
	"a name has a-z, 0-9, - and _, begins with a letter or digit, and has at most 63 "
	"characters",
	"bad-name"},
    {K_DATASET, "a data set", "write CONNECTION/NAME, for example lake/shop.orders", "bad-dataset"},
    {K_DURATION, "a duration", "write a number and a unit: 90s, 15m, 2h, 3d", "bad-duration"},
    {K_BYTES, "a size", "write bytes with a unit: 512kB, 1MiB, 5GiB", "bad-size"},
    {K_ZONE, "a time zone", "write an IANA name such as Asia/Tokyo or UTC", "bad-zone"},
    {K_CRON, "a cron expression", "write five fields in quotes: \"30 2 * * *\"", "bad-cron"},
    {K_INSTANT, "a time", "write it as 2026-11-21T17:30:00Z, or without Z in the trigger's zone",
	"bad-time"},
    {K_CLOCK, "a time of day", "write it in quotes as \"07:30\"", "bad-time"},
    {K_PERCENT, "a percentage", "write it as 50%", "bad-percent"},
    {K_RATE, "a rate", "write it as 100/s or 10/m", "bad-rate"},
    {K_PATH, "a path", "write the path of a file or folder", "bad-path"},
    {K_TEXT, "a text", "put it in quotes if it is a text", "wrong-type"},
    {K_INT, "a whole number", NULL, "wrong-type"},
    {K_NUMBER, "a number", NULL, "wrong-type"},
    {K_BOOL, "true or false", "write true or false without quotes", "wrong-type"},
    {K_SECRET, "a reference to a secret",
	"write {file: secrets/NAME}, {credential: NAME} or {env: NAME}", "literal-secret"},
    {K_LIST, "a list", "write a list: [one, two]", "wrong-type"},
    {K_OBJECT, "a map", "write a map: {key: value}", "wrong-type"},
    {K_MAP, "a map", "write a map: {name: value}", "wrong-type"},
    {K_EXPR, "a text with ${…}", "write an expression in quotes: \"${event.body.table != 'tmp'}\"",
	"wrong-type"},
};
#define N_WORDS (sizeof(WORDS) / sizeof(WORDS[0]))

static void choices_text(const char *choices, struct str *out)
{
	char buf[300];
	const char *names[MAX_NAMES];
	size_t n = keys_choices(choices, buf, sizeof(buf), names, MAX_NAMES), i;

	for (i = 0; i < n; i++)
		str_addf(out, "%s%s", i > 0 ? ", " : "", names[i]);
}

void keys_shape_text(const struct key *key, struct str *out)
{
	size_t i, said = 0;

	for (i = 0; i < N_WORDS; i++) {
		if ((key->shape & WORDS[i].bit) == 0 || (WORDS[i].bit == K_EXPR && said > 0) ||
		    (WORDS[i].bit == K_MAP && (key->shape & K_OBJECT)))
			continue;
		str_addf(out, "%s%s", said++ > 0 ? " or " : "", WORDS[i].text);
		if (WORDS[i].bit == K_CHOICE) {
			str_addc(out, ' ');
			choices_text(key->choices, out);
		}
	}
	if (said == 0)
		str_add(out, "any value");
}

/* ---- one value ---- */
static bool is_clock(const char *s)
{
	return strlen(s) == 5 && s[2] == ':' && s[0] >= '0' && s[0] <= '2' && s[1] >= '0' &&
	       s[1] <= '9' && (s[0] < '2' || s[1] <= '3') && s[3] >= '0' && s[3] <= '5' &&
	       s[4] >= '0' && s[4] <= '9';
}

static bool is_number_before(const char *s, const char *const *ends)
{
	size_t n = strspn(s, "0123456789.");
	size_t i;

	for (i = 0; n > 0 && n < 12 && ends[i] != NULL; i++)
		if (strcmp(s + n, ends[i]) == 0)
			return true;
	return false;
}

static bool is_choice(const char *choices, const char *s)
{
	size_t n = strlen(s);

	while (choices != NULL && *choices != '\0') {
		size_t len = strcspn(choices, "|");

		if (len == n && memcmp(choices, s, n) == 0)
			return true;
		choices += len;
		choices += *choices == '|';
	}
	return false;
}

/* Whether the text is of this one shape; err gets the cause where there is more to say than "it is
 * not". */
static bool text_is(uint32_t bit, const struct key *key, const char *s, struct err *err)
{
	static const char *const PERCENT[] = {"%", NULL};
	static const char *const RATE[] = {"/s", "/m", "/h", NULL};
	const struct tz *zone;
	struct cron cron;
	enum tz_fit fit;
	uint64_t bytes;
	int64_t v;

	switch (bit) {
	case K_TEXT:
		return true;
	case K_CHOICE:
		return is_choice(key->choices, s);
	case K_IDENT:
		return str_is_ident(s);
	case K_NAME:
		return str_is_name(s);
	case K_DATASET:
		return str_is_dataset(s);
	case K_DURATION:
		return str_to_duration_ms(s, &v) == 0;
	case K_BYTES:
		return str_to_bytes(s, &bytes) == 0;
	case K_ZONE:
		return tz_load(s, &zone, err) == 0;
	case K_CRON:
		return cron_parse(s, &cron, err) == 0;
	case K_INSTANT:
		return tz_time_parse(tz_utc(), s, &v, &fit) == 0;
	case K_CLOCK:
		return is_clock(s);
	case K_PERCENT:
		return is_number_before(s, PERCENT);
	case K_RATE:
		return is_number_before(s, RATE);
	case K_PATH:
		return *s != '\0';
	default:
		return false;
	}
}

static void choice_error(struct diags *d, struct yaml_node *n, const struct key *key)
{
	char buf[300], hint[200];
	const char *names[MAX_NAMES];
	size_t count = keys_choices(key->choices, buf, sizeof(buf), names, MAX_NAMES);
	const char *near = str_nearest(n->text, names, count);
	struct str list;

	str_init(&list, 1024);
	choices_text(key->choices, &list);
	if (near != NULL)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	else
		snprintf(hint, sizeof(hint), "there are %.180s", str_peek(&list));
	diag_error(d, n, "bad-choice", hint, "\"%.80s\" is none of %s", n->text, str_peek(&list));
	str_done(&list);
}

static void text_error(
    struct diags *d, struct yaml_node *n, const struct key *key, const struct err *err)
{
	struct str want;
	size_t i;

	for (i = 0; i < N_WORDS && (key->shape & WORDS[i].bit) == 0; i++)
		;
	if (i == N_WORDS || WORDS[i].bit == K_CHOICE) {
		choice_error(d, n, key);
		return;
	}
	if (WORDS[i].bit == K_ZONE) {
		diag_error(
		    d, n, "bad-zone", WORDS[i].cure, "no time zone is called \"%.80s\"", n->text);
		return;
	}
	if (err->code != 0) {
		diag_error(d, n, WORDS[i].code, WORDS[i].cure, "%s", err->text);
		return;
	}
	str_init(&want, 512);
	keys_shape_text(key, &want);
	diag_error(
	    d, n, WORDS[i].code, WORDS[i].cure, "\"%.80s\" is not %s", n->text, str_peek(&want));
	str_done(&want);
}

static void check_text(struct diags *d, struct yaml_node *n, const struct key *key)
{
	struct err err = {0};
	uint32_t bit;

	if (expr_is_template(n->text) && !(key->shape & K_EXPR)) {
		n->bad = true;
		diag_error(d, n, "no-template-here", "write the value itself",
		    "no ${…} can stand in \"%s\"; its value must be known when the file is read",
		    key->name);
		return;
	}
	if ((key->shape & K_ANY) || ((key->shape & K_EXPR) && expr_is_template(n->text)))
		return;
	for (bit = 1; bit <= K_PATH; bit <<= 1)
		if ((key->shape & bit) && text_is(bit, key, n->text, &err))
			return;
	n->bad = true;
	text_error(d, n, key, &err);
}

static void wrong_type(struct diags *d, struct yaml_node *n, const struct key *key)
{
	const char *hint = NULL, *code = "wrong-type";
	struct str want;
	size_t i;

	n->bad = true;
	for (i = 0; i < N_WORDS && hint == NULL; i++)
		if (key->shape & WORDS[i].bit)
			hint = WORDS[i].cure;
	if (n->kind == YAML_INT && (key->shape & K_DURATION))
		hint = "write a number and a unit: 90s, 15m, 2h, 3d";
	if (n->kind == YAML_NULL)
		hint = "give it a value or leave the key out";
	if ((key->shape & K_SECRET) && n->kind != YAML_MAP)
		code = "literal-secret";
	str_init(&want, 512);
	keys_shape_text(key, &want);
	if (strcmp(code, "literal-secret") == 0)
		diag_error(d, n, code,
		    "write {file: secrets/NAME}, {credential: NAME} or {env: NAME}",
		    "a secret may not stand in the file itself");
	else
		diag_error(d, n, code, hint,
		    n->kind == YAML_NULL ? "%s%s%s is empty; it must be %s"
					 : "%s%s%s must be %s, not %s",
		    n->key != NULL ? "\"" : "", n->key != NULL ? n->key : "this",
		    n->key != NULL ? "\"" : "", str_peek(&want), yaml_kind_name(n));
	str_done(&want);
}

static void check_range(struct diags *d, struct yaml_node *n, const struct key *key)
{
	char hint[80];

	if (!key->has_range || (n->f >= key->min && n->f <= key->max))
		return;
	n->bad = true;
	snprintf(hint, sizeof(hint), "it may be from %.12g to %.12g", key->min, key->max);
	diag_error(d, n, "out-of-range", hint, "%s is out of range", n->text);
}

static void check_secret(struct diags *d, struct yaml_node *n)
{
	static const char *const WAYS[] = {"file", "credential", "env"};
	const struct yaml_node *c = n->first;
	size_t i, found = 0;

	for (i = 0; c != NULL && i < 3; i++)
		found += strcmp(c->key, WAYS[i]) == 0;
	if (n->n == 1 && found == 1 && c->kind == YAML_TEXT && c->text[0] != '\0')
		return;
	n->bad = true;
	diag_error(d, n, "bad-secret",
	    "write {file: secrets/NAME}, {credential: NAME} or {env: NAME}",
	    "a reference to a secret has exactly one of file, credential and env");
}

/* ---- members ---- */

/* What others call it: no distance of letters finds these. */
static const char *other_name(const char *key, const char *const *names, size_t n)
{
	static const char *const table[][2] = {{"schedule", "triggers"}, {"schedules", "triggers"},
	    {"cron", "triggers"}, {"on", "triggers"}, {"tasks", "steps"}, {"jobs", "steps"},
	    {"nodes", "steps"}, {"name", "dag"}, {"id", "dag"}, {"depends", "needs"},
	    {"depends_on", "needs"}, {"dependencies", "needs"}, {"upstream", "needs"},
	    {"after", "needs"}, {"trigger_rule", "when"}, {"command", "task"}, {"run", "task"},
	    {"script", "task"}, {"shell", "task"}, {"loop", "foreach"}, {"matrix", "foreach"},
	    {"with_items", "foreach"}, {"parameters", "params"}, {"inputs", "params"},
	    {"source", "extract"}, {"sink", "load"}, {"target", "load"}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (size_t k = 0; strcmp(key, table[i][0]) == 0 && k < n; k++)
			if (strcmp(names[k], table[i][1]) == 0)
				return names[k];
	}
	return NULL;
}

static void unknown_key(struct diags *d, const struct yaml_node *c, const struct keys *k)
{
	const char *names[MAX_NAMES], *near;
	char hint[120];
	struct str list;
	size_t i;

	for (i = 0; i < k->n && i < MAX_NAMES; i++)
		names[i] = k->v[i].name;
	near = other_name(c->key, names, i);
	str_init(&list, 2048);
	if (near != NULL) {
		snprintf(hint, sizeof(hint), "here it is called \"%s\"", near);
	} else if ((near = str_nearest(c->key, names, i)) != NULL) {
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	} else {
		str_add(&list, "there are:");
		for (i = 0; i < k->n; i++)
			str_addf(&list, " %s", k->v[i].name);
	}
	diag_error_key(d, c, "unknown-key", near != NULL ? hint : str_peek(&list),
	    "%s has no key \"%.80s\"", k->what, c->key);
	str_done(&list);
}

static void join_pattern(char *buf, const char *pattern, const char *part)
{
	snprintf(
	    buf, PATTERN_MAX, "%s%s%s", pattern, *pattern != '\0' && *part != '[' ? "." : "", part);
}

/* Keys under defaults: are those of every step. */
static const struct key_later *later(const char *pattern, const struct yaml_node *n)
{
	char buf[PATTERN_MAX];
	const struct key_later *l = keys_later(pattern, n->text);

	if (l != NULL || !str_starts(pattern, "defaults."))
		return l;
	snprintf(buf, sizeof(buf), "steps.*%s", pattern + strlen("defaults"));
	return keys_later(buf, n->text);
}

static void check_later(struct diags *d, struct yaml_node *n, const char *pattern)
{
	const struct key_later *l = later(pattern, n);

	if (l == NULL || n->bad)
		return;
	n->bad = true;
	if (l->value == NULL)
		diag_error_key(d, n, "not-yet", l->cure,
		    "\"%s\" belongs to the language, but this version cannot do it yet", n->key);
	else
		diag_error(d, n, "not-yet", l->cure,
		    "%s: %s belongs to the language, but this version cannot do it yet", n->key,
		    n->kind == YAML_MAP ? "this value" : n->text);
}

static void check_object(
    struct diags *d, struct yaml_node *n, const struct keys *k, const char *pattern, bool partial)
{
	char child_pattern[PATTERN_MAX], hint[200];
	struct yaml_node *c;
	size_t i;

	for (c = n->first; c != NULL; c = c->next) {
		const struct key *key = keys_find(k, c->key);

		if (key == NULL && k->role == NULL && strcmp(c->key, "<<") != 0)
			unknown_key(d, c, k);
		if (key == NULL)
			continue;
		join_pattern(child_pattern, pattern, c->key);
		keys_check(d, c, key, child_pattern, partial || strcmp(pattern, "defaults") == 0);
		check_later(d, c, child_pattern);
	}
	for (i = 0; i < k->n && !partial; i++) {
		if (!k->v[i].required || yaml_get(n, k->v[i].name) != NULL)
			continue;
		snprintf(hint, sizeof(hint), "%s: %.150s", k->v[i].name, k->v[i].doc);
		diag_error(
		    d, n, "missing-key", hint, "%s needs the key \"%s\"", k->what, k->v[i].name);
	}
}

static void check_map(
    struct diags *d, struct yaml_node *n, const struct key *key, const char *pattern, bool partial)
{
	struct key name = {.name = "name", .shape = key->keys};
	char child_pattern[PATTERN_MAX];
	struct err err = {0};
	struct yaml_node *c;

	for (c = n->first; c != NULL; c = c->next) {
		if (!text_is(key->keys, &name, c->key, &err)) {
			const char *cure = key->keys == K_IDENT	 ? WORDS[1].cure
					   : key->keys == K_NAME ? WORDS[2].cure
								 : WORDS[3].cure;

			diag_error_key(d, c, key->keys == K_DATASET ? "bad-dataset" : "bad-name",
			    cure, "\"%.80s\" cannot be the name of a %s", c->key, key->elem->name);
		}
		join_pattern(child_pattern, pattern, "*");
		keys_check(d, c, key->elem, child_pattern, partial);
	}
}

static void check_list(
    struct diags *d, struct yaml_node *n, const struct key *key, const char *pattern, bool partial)
{
	char child_pattern[PATTERN_MAX];
	struct yaml_node *c;

	join_pattern(child_pattern, pattern, "[]");
	for (c = n->first; c != NULL; c = c->next)
		keys_check(d, c, key->elem, child_pattern, partial);
}

void keys_check(
    struct diags *d, struct yaml_node *n, const struct key *key, const char *pattern, bool partial)
{
	uint32_t s = key->shape;

	if (n->bad)
		return;
	switch (n->kind) {
	case YAML_TEXT:
		if ((s & (K_PATH | (K_PATH - 1)) & ~(K_BOOL | K_INT | K_NUMBER)) ||
		    (s & (K_ANY | K_EXPR)))
			check_text(d, n, key);
		else
			wrong_type(d, n, key);
		break;
	case YAML_INT:
		if ((s & (K_INT | K_NUMBER)) != 0)
			check_range(d, n, key);
		else if (!(s & K_ANY) && !((s & K_BYTES) && n->i >= 0))
			wrong_type(d, n, key);
		break;
	case YAML_FLOAT:
		if ((s & K_NUMBER) != 0)
			check_range(d, n, key);
		else if (!(s & K_ANY))
			wrong_type(d, n, key);
		break;
	case YAML_BOOL:
		if (!(s & (K_BOOL | K_ANY)))
			wrong_type(d, n, key);
		break;
	case YAML_NULL:
		if (!(s & K_ANY))
			wrong_type(d, n, key);
		break;
	case YAML_LIST:
		if (s & K_LIST)
			check_list(d, n, key, pattern, partial);
		else if (!(s & K_ANY))
			wrong_type(d, n, key);
		break;
	case YAML_MAP:
		if (s & K_OBJECT)
			check_object(d, n, key->sub, pattern, partial);
		else if (s & K_MAP)
			check_map(d, n, key, pattern, partial);
		else if (s & K_SECRET)
			check_secret(d, n);
		else if (!(s & K_ANY))
			wrong_type(d, n, key);
		break;
	}
}

/* ---- reading ---- */
static const struct yaml_node *good(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *n = yaml_get(map, key);

	return n != NULL && !n->bad && n->kind != YAML_NULL ? n : NULL;
}

const char *node_text(const struct yaml_node *map, const char *key, const char *fallback)
{
	const struct yaml_node *n = good(map, key);

	return n != NULL && n->kind == YAML_TEXT ? n->text : fallback;
}

int64_t node_int(const struct yaml_node *map, const char *key, int64_t fallback)
{
	const struct yaml_node *n = good(map, key);

	return n != NULL && n->kind == YAML_INT ? n->i : fallback;
}

double node_num(const struct yaml_node *map, const char *key, double fallback)
{
	const struct yaml_node *n = good(map, key);

	return n != NULL && (n->kind == YAML_INT || n->kind == YAML_FLOAT) ? n->f : fallback;
}

bool node_bool(const struct yaml_node *map, const char *key, bool fallback)
{
	const struct yaml_node *n = good(map, key);

	return n != NULL && n->kind == YAML_BOOL ? n->flag : fallback;
}

int64_t node_ms(const struct yaml_node *map, const char *key, int64_t fallback)
{
	const struct yaml_node *n = good(map, key);
	int64_t ms;

	return n != NULL && n->kind == YAML_TEXT && str_to_duration_ms(n->text, &ms) == 0
		   ? ms
		   : fallback;
}

uint64_t node_bytes(const struct yaml_node *map, const char *key, uint64_t fallback)
{
	const struct yaml_node *n = good(map, key);
	uint64_t bytes;

	if (n != NULL && n->kind == YAML_INT && n->i >= 0)
		return (uint64_t)n->i;
	return n != NULL && n->kind == YAML_TEXT && str_to_bytes(n->text, &bytes) == 0 ? bytes
										       : fallback;
}
