/* yaml.h: YAML 1.2 core text -> tree of nodes with places. Read with libyaml's event parser; JSON
 * is accepted as the subset that it is. No anchors, aliases, tags or merge keys; duplicate keys are
 * errors; bounded in bytes, depth and nodes. Broken syntax ends the reading; everything else is
 * reported and read on, so that one pass finds as many errors as there are. */
#ifndef CORE_DAGFILE_YAML_H
#define CORE_DAGFILE_YAML_H

#include "core/base/json.h"
#include "core/base/str.h"
#include "core/dagfile/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define YAML_MAX_BYTES (256u << 10)
#define YAML_MAX_DEPTH 32
#define YAML_MAX_NODES 10000

enum yaml_kind { YAML_NULL, YAML_BOOL, YAML_INT, YAML_FLOAT, YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	bool flag;  /* YAML_BOOL */
	bool exact; /* the text stands in the file as it is, on one line: offsets in it are columns
		     */
	bool bad;   /* an error about this value was reported: say nothing more about it */
	uint32_t line, column;	       /* of the value, from 1 */
	uint32_t text_column;	       /* of the text's first character (behind a quote) */
	uint32_t key_line, key_column; /* of the key; those of the value where it has none */
	const char *key;	       /* member of a map; borrowed from the document */
	uint32_t key_hash;
	const char *text; /* scalars: as written, without quotes; "" for lists and maps */
	int64_t i;
	double f;	       /* YAML_INT too */
	bool block;	       /* a | block: its lines are lines of the file */
	uint32_t block_indent; /* blanks before each of them */
	uint32_t n, index;
	struct yaml_node *parent, *first, *last, *next;
	struct yaml_node *all_next;
};

struct yaml_doc;

/* Always gives a document (NULL only where there is no root at all, with an error reported). */
struct yaml_doc *yaml_doc_parse(const char *text, size_t n, struct diags *d);
void yaml_doc_free(struct yaml_doc *doc); /* accepts NULL */
/* NULL where nothing could be read, or not to the end: what is missing then would look like more
 * errors. */
struct yaml_node *yaml_doc_root(const struct yaml_doc *doc);

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key); /* NULL-safe */
const char *yaml_kind_name(const struct yaml_node *n); /* "a text", "a list" …, for messages */
/* "steps.load.needs[0]"; "" for the root. */
void yaml_path(const struct yaml_node *n, struct str *out);
/* The value as JSON: an integer beyond 2^53 as a decimal text. */
struct json *yaml_to_json(const struct yaml_node *n);
void yaml_write_json(const struct yaml_node *n, struct jw *w);
/* Place of the byte offset in the node's text where that is known, else the node's own. */
void yaml_place_at(
    const struct yaml_node *n, size_t offset, unsigned *ret_line, unsigned *ret_column);

#endif
