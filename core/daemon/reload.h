/* reload.h: sluice.yaml again, at HUP and by apply. What can change changes; what only a restart
 * changes keeps its old value and is named; a file that does not compile changes nothing. */
#ifndef CORE_DAEMON_RELOAD_H
#define CORE_DAEMON_RELOAD_H

#include "core/base/err.h"
#include "core/base/json.h"

#include <stdbool.h>
#include <stdint.h>

struct conf;
struct daemon;
struct reload;

struct reload *reload_new(struct daemon *d); /* borrowed */
void reload_free(struct reload *r);
/* result: {"file","result":"same"|"changed"|"refused","needs_restart":[key…],"error":{…}|null};
 * valid during the call. planned: what a request that does not take would put into force, NULL
 * where that is what is in force already; the callee's. */
typedef void (*reload_done)(void *arg, const struct json *result, struct conf *planned);
/* Compiles the file; take: and puts it into force. Requests queue up; done may be NULL. Waits while
 * there is no pool to compile it. */
void reload_ask(struct reload *r, bool take, reload_done done, void *arg);
/* The pool can be asked (again). */
void reload_pool_changed(struct reload *r);
/* Why the file as it was looked at last is not in force, or NULL: it is. */
const char *reload_error(const struct reload *r);
/* Keys that only a restart changes, of the file as it was looked at last: "state, http.unix" or "".
 */
const char *reload_held(const struct reload *r);
void reload_counts(const struct reload *r, uint64_t *ret_taken, uint64_t *ret_refused);

#endif
