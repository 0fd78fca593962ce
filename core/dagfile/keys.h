/* keys.h: the one description of every key of DAG files and of sluice.yaml: name, shape, default,
 * choices, bounds, a sentence. Parsing, "did you mean", the JSON Schema, `sluice schema` and the
 * man page's check all read these tables (keys_dag.c, keys_config.c, keys_common.c). What this
 * version refuses although the language has it stands in one list, keys_later.c. */
#ifndef CORE_DAGFILE_KEYS_H
#define CORE_DAGFILE_KEYS_H

#include "core/dagfile/diag.h"
#include "core/dagfile/yaml.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a value may be; several bits: any of them. */
#define K_TEXT (1u << 0)
#define K_BOOL (1u << 1)
#define K_INT (1u << 2)
#define K_NUMBER (1u << 3)
#define K_DURATION (1u << 4) /* 90s 15m 2h 3d */
#define K_BYTES (1u << 5)    /* 512 1MiB 5GiB */
#define K_CHOICE (1u << 6)   /* one of choices */
#define K_IDENT (1u << 7)    /* [a-z_][a-z0-9_]{0,62} */
#define K_NAME (1u << 8)     /* [a-z0-9][a-z0-9_-]{0,62} */
#define K_DATASET (1u << 9)  /* CONNECTION/NAME */
#define K_ZONE (1u << 10)    /* IANA zone */
#define K_CRON (1u << 11)
#define K_INSTANT (1u << 12) /* RFC 3339 */
#define K_CLOCK (1u << 13)   /* "07:30" */
#define K_PERCENT (1u << 14) /* 50% */
#define K_RATE (1u << 15)    /* 100/s */
#define K_PATH (1u << 16)    /* relative to the file */
#define K_SECRET (1u << 17)  /* {file: …} {credential: …} {env: …} */
#define K_LIST (1u << 18)    /* of elem */
#define K_MAP (1u << 19)     /* names of the shape `keys` to elem */
#define K_OBJECT (1u << 20)  /* members: sub */
#define K_ANY (1u << 21)
#define K_EXPR (1u << 22) /* ${…} may stand in the text, or in the value's place */

struct keys;
struct key {
	const char *name, *doc;
	uint32_t shape;
	bool required;
	bool has_range;
	double min, max;	/* numbers; where has_range */
	const char *def;	/* shown; "" or NULL: none */
	const char *choices;	/* "a|b|c" */
	const struct key *elem; /* of K_LIST and K_MAP */
	const struct keys *sub; /* of K_OBJECT */
	uint32_t keys;		/* K_MAP: shape of its names: K_IDENT K_NAME K_DATASET or K_TEXT */
};
struct keys {
	const char *what; /* "a step", for messages */
	const struct key *v;
	size_t n;
	const char
	    *role; /* options of a plugin's role may stand here too, checked elsewhere; or NULL */
};

extern const struct key KEYS_DAG;    /* root of a DAG file */
extern const struct key KEYS_CONFIG; /* root of sluice.yaml */

const struct key *keys_find(const struct keys *k, const char *name);
/* The key that a path such as steps.*.retry.delay, steps.load.needs[] or steps.orders.foreach
 * names; NULL where there is none. */
const struct key *keys_at(const struct key *root, const char *path);

/* What this version refuses. pattern: as keys_at, with * for names. value: only this value, "!x"
 * every value but x; NULL: the key as such. */
struct key_later {
	const char *pattern, *value;
	const char *cure; /* what to do instead */
};
extern const struct key_later KEYS_LATER[]; /* ends with a NULL pattern */
const struct key_later *keys_later(const char *pattern, const char *value);

/* Checks a value against its key, whole depth: shapes, names, bounds, choices, unknown and missing
 * members, what comes later. Marks what is wrong `bad`. `pattern` is the place as in key_later, ""
 * for the root. partial: missing members are no error (defaults). */
void keys_check(
    struct diags *d, struct yaml_node *n, const struct key *key, const char *pattern, bool partial);
/* "a duration such as 15m", "one of a, b" … */
void keys_shape_text(const struct key *key, struct str *out);
/* Splits "a|b|c"; at most max; pointers into buf. */
size_t keys_choices(const char *choices, char *buf, size_t size, const char **ret, size_t max);

/* Reading values that were checked: the fallback where the member is missing or bad. */
const char *node_text(const struct yaml_node *map, const char *key, const char *fallback);
int64_t node_int(const struct yaml_node *map, const char *key, int64_t fallback);
double node_num(const struct yaml_node *map, const char *key, double fallback);
bool node_bool(const struct yaml_node *map, const char *key, bool fallback);
int64_t node_ms(const struct yaml_node *map, const char *key, int64_t fallback);
uint64_t node_bytes(const struct yaml_node *map, const char *key, uint64_t fallback);

#endif
