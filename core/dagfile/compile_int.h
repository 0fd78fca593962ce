/* compile_int.h: what the compile_*.c files share while one file is compiled. */
#ifndef CORE_DAGFILE_COMPILE_INT_H
#define CORE_DAGFILE_COMPILE_INT_H

#include "core/base/vec.h"
#include "core/dag/expr.h"
#include "core/dagfile/compile.h"
#include "core/dagfile/keys.h"
#include "core/dagfile/yaml.h"

struct need {
	size_t step;
	const struct yaml_node *at;
	bool match_item;
};
struct step {
	const struct yaml_node *node; /* borrowed */
	const char *name;	      /* borrowed */
	VEC(struct need) needs;
	uint8_t *upstream; /* owned: one bit a step: needed directly or not */
	size_t rank;	   /* place in the plan */
	bool seen;	   /* while sorting */
};

/* A data set that a file names, for the checks across files. */
struct named {
	char name[PLAN_DATASET_MAX]; /* may hold ${…} */
	const struct yaml_node *at;
	const struct yaml_node *partition; /* how it is parted, where the place says so */
	const char *unit; /* of the join, where it is a member of a trigger with one */
};

struct include;

struct unit { /* one file */
	const struct compile_input *in;
	const struct compile_file *file;
	struct compile_result *out;
	struct diags *d;	/* of out */
	struct yaml_doc *doc;	/* owned */
	struct yaml_node *root; /* NULL where there is none */
	const char *zone;
	char *folder;	     /* owned: of the file, for relative paths */
	struct json *params; /* owned: name -> type, for expressions */
	struct step *steps;  /* owned */
	size_t n_steps;
	size_t *order;	  /* owned: rank -> index */
	bool sorted;	  /* order is whole */
	bool unresolved;  /* a name that only sluice.yaml knows: no plan */
	unsigned promise; /* lowest so far; PROMISE_* */
	VEC(struct named) owned, published, members;
	VEC(struct include *) includes; /* owned: compile_include.c */
};

/* compile_graph.c: steps, needs, order. */
void graph_read(struct unit *u);
void graph_done(struct unit *u);
bool graph_upstream(const struct unit *u, size_t step, size_t of);

/* compile_param.c: params and bodies. */
struct json *params_types(
    const struct yaml_node *map); /* name -> type, owned by the caller; {} for NULL */
void params_write(struct unit *u, const struct yaml_node *map, struct jw *w);
/* A literal value against a declared type. */
bool params_literal_ok(const char *type, const struct yaml_node *n);

/* compile_trigger.c */
void triggers_write(struct unit *u, struct jw *w);

/* compile_time.c: what a trigger says about time, as members of the open object. */
void times_write(struct unit *u, const struct yaml_node *trigger, const char *zone, struct jw *w);

/* compile_step.c */
void steps_write(struct unit *u, struct jw *w);

/* compile_include.c: the list in the file that `at` names; NULL where there is none. *ret: where to
 * say what is wrong in it (NULL: it cannot be named so); include_tell says it at that place. */
const struct yaml_node *include_list(
    struct unit *u, const struct yaml_node *at, struct diags **ret);
void include_tell(struct unit *u, const struct yaml_node *at);
void include_done(struct unit *u);

/* compile_role.c: which plugin does a task, extract, transform or load, and with which options. */
struct role_use {
	const struct yaml_node *node, *defaults; /* defaults may be NULL */
	const char *role;
	const struct keys *core;	    /* keys that are not the plugin's */
	const char *plugin;		    /* borrowed; NULL where unknown */
	char connection[PLAN_NAME_MAX];	    /* "" where there is none */
	const struct json *kind, *offer;    /* from the catalog; NULL where unresolved */
	const struct json *connection_kind; /* where another plugin's connection is lent; or NULL */
	const char *connection_plugin;
};
/* keys: the place in the tables, as "steps.*.load". */
void role_init(struct role_use *r, const struct yaml_node *node, const struct yaml_node *defaults,
    const char *role, const char *keys);
const struct yaml_node *role_get(
    const struct role_use *r, const char *key); /* the step's own, else the defaults' */
const char *role_text(const struct role_use *r, const char *key, const char *fallback);
/* Finds plugin and kind; reports what is wrong. False where options cannot be checked. */
bool role_resolve(struct unit *u, struct role_use *r);
/* "plugin","type","connection" of the open object. */
void role_write_head(const struct role_use *r, struct jw *w);
/* "options" of the open object, checked. */
void role_write_options(
    struct unit *u, const struct role_use *r, const struct expr_scope *scope, struct jw *w);
/* A core key of the open object as it stands, its expressions checked. */
void role_write_key(struct unit *u, const struct role_use *r, const struct expr_scope *scope,
    const char *key, struct jw *w);

/* compile_load.c: extract and load, and what they must agree on. */
void extract_write(
    struct unit *u, const struct role_use *r, const struct expr_scope *scope, struct jw *w);
void load_write(struct unit *u, const struct role_use *r, const struct role_use *extract,
    const struct expr_scope *scope, struct jw *w);
void partition_write(const struct unit *u, const struct yaml_node *partition, struct jw *w);

/* compile.c */
enum { PROMISE_NONE, PROMISE_AT_LEAST_ONCE, PROMISE_REPLACE, PROMISE_ONCE, PROMISE_N };
/* "did you mean", or the fallback; buf is the hint's. */
const char *hint_nearest(
    const char *name, const struct json *object, const char *fallback, char *buf, size_t size);
/* Says once that names cannot be checked. */
void warn_unchecked(struct unit *u, const struct yaml_node *at);

/* compile_expr.c: templates against their scope. */
enum want { WANT_ANY, WANT_TEXT, WANT_BOOL, WANT_NUMBER, WANT_LIST, WANT_MAP };
/* Every text below n; the node's own text must give `want`. */
void expr_check_tree(
    struct diags *d, const struct yaml_node *n, const struct expr_scope *scope, enum want want);

/* compile_option.c: values against a plugin's option table, in DAG files and in sluice.yaml. */
struct option_place {
	struct diags *d;
	const char *what;		/* "the extract of plugin \"csv\"" */
	const struct expr_scope *scope; /* NULL: no templates */
	bool in_config;			/* secrets are references; else names under secrets: */
	const struct json *secrets;	/* names that exist, or NULL: not checked */
	const char *folder;		/* relative paths begin here; NULL: leave them */
	const struct keys *core; /* keys that are not the plugin's, for "did you mean"; or NULL */
};
struct option_list { /* what was given, in order */
	const struct yaml_node **v;
	size_t n;
};
/* Writes the members of the open object. `map` is where missing options are reported. */
void options_write(const struct option_place *p, const struct option_list *given,
    const struct yaml_node *map, const struct json *options, struct jw *w);

/* A reference to a secret with its file made absolute. */
void secret_write(const struct yaml_node *n, const char *folder, struct jw *w);

/* compile_cross.c: over all files. */
void cross_check(struct unit *units, size_t n, const struct compile_input *in);

#endif
