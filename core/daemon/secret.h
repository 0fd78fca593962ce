/* secret.h: values of secret references, read here and nowhere else in the daemon.
 *
 * A reference is {"file": PATH}, {"credential": NAME} (systemd's $CREDENTIALS_DIRECTORY) or {"env":
 * NAME}. One final newline is not part of the value. Files are read again when they changed (size,
 * time, inode), so that a secret is rotated without a restart. Values lie in memory that is not
 * dumped and are wiped when they leave. */
#ifndef CORE_DAEMON_SECRET_H
#define CORE_DAEMON_SECRET_H

#include "core/base/json.h"
#include "core/base/str.h"

#define SECRET_MAX (64u << 10)
#define SECRET_MASK_MIN 6 /* a shorter one cannot be masked and is refused */

struct secret_cache;
/* Takes what {"env"} may name out of the environment: call it before the environment is scrubbed.
 */
struct secret_cache *secret_cache_new(void);
void secret_cache_free(struct secret_cache *c);

/* true where the node is a reference; text (may be NULL) becomes "file:PATH", "credential:NAME",
 * "env:NAME". */
bool secret_is_ref(const struct json *node, struct str *text);
/* The value, borrowed until the next call of secret_value or secret_read; its version rises when
 * the value changes. */
int secret_value(struct secret_cache *c, const struct json *ref, const char **ret, size_t *ret_n,
    uint64_t *ret_version, struct err *err) CHECK_RESULT;
/* Copy of the value into out, which is reset first. */
int secret_read(
    struct secret_cache *c, const struct json *ref, struct str *out, struct err *err) CHECK_RESULT;

#endif
