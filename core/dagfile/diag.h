/* diag.h: what is wrong with a file, by place. Bounded; in the order of the file. */
#ifndef CORE_DAGFILE_DIAG_H
#define CORE_DAGFILE_DIAG_H

#include "core/base/json.h"
#include "core/base/str.h"
#include "core/base/vec.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define DIAG_MAX 100 /* a file; what is beyond is counted */

struct yaml_node;

struct diag {
	unsigned line, column; /* from 1 */
	bool warning;
	const char *code; /* static: stable, kebab-case */
	char *key;	  /* owned: "steps.load.needs[0]", or "" */
	char *message;	  /* owned */
	char *hint;	  /* owned, or NULL */
};
struct diags {
	VEC(struct diag) list;
	size_t n_errors, n_warnings; /* kept; the dropped ones apart */
	size_t n_dropped;
};

void diags_init(struct diags *d);
void diags_done(struct diags *d);
/* By file order; to be called once, before writing. */
void diags_sort(struct diags *d);
/* Two arrays of the check object (CONTRACT): members "errors" and "warnings" of the open object. */
void diags_write(const struct diags *d, struct jw *w);

/* The place is the node's value; a message already there (same place, code and text) is not
 * repeated. hint may be NULL. */
void diag_error(struct diags *d, const struct yaml_node *at, const char *code, const char *hint,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The place is the node's key, where it is a member of a map. */
void diag_error_key(struct diags *d, const struct yaml_node *at, const char *code, const char *hint,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void diag_warn(struct diags *d, const struct yaml_node *at, const char *code, const char *hint,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Everything given. key: "" where there is none. */
void diag_at(struct diags *d, unsigned line, unsigned column, const char *key, bool warning,
    const char *code, const char *hint, const char *fmt, ...) __attribute__((format(printf, 8, 9)));

#endif
