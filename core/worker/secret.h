/* secret.h: the values of an attempt's secrets, in pages that are neither dumped nor inherited by a
 * fork, wiped at the end. A secret is found by the text of its reference: "file:PATH",
 * "credential:NAME", "env:NAME" or "name:KEY". */
#ifndef CORE_WORKER_SECRET_H
#define CORE_WORKER_SECRET_H

#include "core/base/json.h"
#include "core/base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct secrets;

/* Takes the values of an object reference -> value and wipes them in the tree. j may be NULL. */
struct secrets *secrets_new(const struct json *j);
void secrets_free(struct secrets *s); /* wipes; accepts NULL */
/* The value (not terminated) or NULL. */
const char *secrets_find(const struct secrets *s, const char *reference, size_t *ret_len);
/* Text of the reference in a configuration value: {"file": PATH} …, or a string that names a key
 * under `secrets:`. false: the node is neither. */
bool secret_reference(const struct json *node, struct str *out);
/* Every value that occurs in b becomes "***"; also as it looks inside a JSON string. */
void secrets_mask(const struct secrets *s, struct str *b);

#endif
