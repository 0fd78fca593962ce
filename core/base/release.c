/* release.c: see release.h. */
#include "core/base/release.h"

const char *release_name(void)
{
	return PACKAGE_VERSION;
}
