/* release.h: which release this program is of. A function in a file of its own, so that tests can
 * link programs of another release. */
#ifndef CORE_BASE_RELEASE_H
#define CORE_BASE_RELEASE_H

const char *release_name(void);

#endif
